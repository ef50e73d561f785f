"""What else belongs into a story: steps of orders, alerts, changed values, logins."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.models import ActivityLog
from insights.events import RAISED, RESOLVED, UPDATED
from insights.models import Alert
from inventory.models import Product
from orders.models import Order, OrderLine
from orders.states import OrderStatus
from workbox.core import events, walls
from workbox.core.admin import money_text, quantity_text, total_text
from workbox.core.changes import PRODUCT, USER, WAREHOUSE
from workbox.core.models import Event, FieldChange
from workbox.core.numbers import as_money, as_quantity
from workbox.story.entries import (
    ACCESS,
    ALERT,
    ALERTS,
    BACKGROUND,
    CHANGE,
    CHANGES,
    LOGINS,
    ORDER_STEP,
    ORDERS,
    Entry,
    Window,
)

# A story about many orders follows the newest so many: what happens to an older one stands on its own page.
ORDERS_FOLLOWED = 500
ALERTS_FOLLOWED = 200
_SAME_MOMENT = timedelta(seconds=5)
PLACED = "order_placed"
_STATUS_NAMES = {str(value): str(label) for value, label in OrderStatus.choices}
_FIELD_NAMES = {
    "sku": "SKU",
    "is_active": "In use",
    "is_stocked": "Stocked",
    "is_sellable": "Sellable",
    "unit_cost": "Unit cost",
    "reorder_threshold": "Reorder threshold",
    "reorder_quantity": "Reorder quantity",
    "full_name": "Name",
    "username": "User name",
    "email": "E-mail address",
    "second_factor": "Second factor",
    "warehouse": "Bound to warehouse",
}


# ---- orders ----------------------------------------------------------------------------------------------------------
def order_itself(window: Window) -> list[Entry]:
    """What the event log tells of one order."""
    return _steps(_events([window.subject_id], window))


def orders_of_product(window: Window) -> list[Entry]:
    """Steps of the newest orders that want a product."""
    lines = OrderLine.objects.filter(product_id=window.subject_id).order_by("-id").values_list("order_id", flat=True)
    return _steps(_events(sorted(set(lines[:ORDERS_FOLLOWED])), window), names_order=True)


def orders_of_place(window: Window) -> list[Entry]:
    """Steps of the newest orders that ship from a warehouse alone."""
    return _steps(_events(_newest(Order.objects.filter(warehouse_id=window.subject_id)), window), names_order=True)


def orders_of_user(window: Window) -> list[Entry]:
    """Steps of orders that an account took, and of the newest orders it placed."""
    own = _events(_newest(Order.objects.filter(user_id=window.subject_id)), window)
    taken = _seen(Event.objects.filter(actor_id=window.subject_id, topic=events.ORDERS), window)
    found = {one.pk: one for one in (*own, *taken)}
    return _steps((found[one] for one in sorted(found, reverse=True)[: window.limit]), names_order=True)


def _newest(found: QuerySet[Order]) -> list[int]:
    return list(found.order_by("-id").values_list("id", flat=True)[:ORDERS_FOLLOWED])


def _events(order_ids: Sequence[int], window: Window) -> list[Event]:
    if not order_ids:
        return []
    return _seen(Event.objects.filter(topic=events.ORDERS, subject_id__in=order_ids), window)


def _seen(found: QuerySet[Any], window: Window) -> list[Event]:
    inside = walls.within(found, "warehouse_id", or_none=True)
    return list(inside.filter(created_at__lte=window.until).order_by("-id")[: window.limit])


def _steps(found: Iterable[Event], *, names_order: bool = False) -> list[Entry]:
    facts = [(one, orjson.loads(one.payload)) for one in found]
    charges = _charges(facts)
    return [
        Entry(
            at=one.created_at,
            kind=ORDERS,
            rank=ORDER_STEP,
            text=f"Order {one.subject_id}: {text[:1].lower()}{text[1:]}" if names_order and one.subject_id else text,
            own=f"event {one.pk}",
            request_id=one.request_id,
            actor_id=one.actor_id,
            url=reverse("admin:orders_order_change", args=[one.subject_id]) if names_order and one.subject_id else "",
            label=f"Order {one.subject_id}" if names_order and one.subject_id else "",
        )
        for one, fact in facts
        for text in (_order_text(one, fact, charges),)
    ]


def _charges(facts: Sequence[tuple[Event, dict[str, Any]]]) -> set[int]:
    """Which of the products on orders just placed are charges, of which nothing is reserved."""
    wanted = {item["inventory_id"] for event, fact in facts if event.type == PLACED for item in fact["items"]}
    if not wanted:
        return set()
    return set(Product.objects.filter(pk__in=wanted, is_stocked=False).values_list("pk", flat=True))


def _count(products: int) -> str:
    return f"{products} {'product' if products == 1 else 'products'}"


def _order_text(event: Event, fact: dict[str, Any], charges: set[int]) -> str:
    """An order's event as a sentence."""
    status = fact.get("status") or ""
    label = _STATUS_NAMES.get(status, status)
    held = len(event.companions.splitlines())
    reason = f" Reason: {fact['reason']}" if fact.get("reason") else ""
    if event.type == "return_booked":
        return f"Return booked without an order, {total_text(as_money(fact['refund_amount']))} back."
    if event.type == PLACED:
        # Not by the companions: orders that were placed together share theirs, and the first one carries them all.
        wanted = len({one["inventory_id"] for one in fact["items"]} - charges)
        promised = f", {_count(wanted)} reserved" if status == OrderStatus.CONFIRMED and wanted else ""
        return f"Placed as {label.lower()}{promised}, {total_text(as_money(fact['total_amount']))}."
    for key in ("shipped", "returned"):
        if fact.get(key):
            items = ", ".join(f"{quantity_text(as_quantity(one['quantity']))} × {one['name']}" for one in fact[key])
            return f"{key.capitalize()} {items}. Now {label.lower()}.{reason}"
    if held and status in (OrderStatus.CONFIRMED, OrderStatus.CANCELLED):
        return f"{label}: {_count(held)} {'reserved' if status == OrderStatus.CONFIRMED else 'released'}.{reason}"
    return f"{label}.{reason}"


# ---- alerts ----------------------------------------------------------------------------------------------------------
def alerts_of_product(window: Window) -> list[Entry]:
    """When a product's alerts were raised, taken and resolved."""
    return _alerts(Alert.objects.filter(product_id=window.subject_id), window)


def alerts_of_place(window: Window) -> list[Entry]:
    """The same for the alerts of one warehouse."""
    return _alerts(Alert.objects.filter(warehouse_id=window.subject_id), window)


def alerts_of_user(window: Window) -> list[Entry]:
    """The alerts that an account took or resolved."""
    mine = Alert.objects.filter(Q(acknowledged_by_id=window.subject_id) | Q(resolved_by_id=window.subject_id))
    entries = _alerts(mine, replace(window, limit=3 * ALERTS_FOLLOWED))
    return [one for one in entries if one.actor_id == window.subject_id][: window.limit]


def _alerts(found: QuerySet[Alert], window: Window) -> list[Entry]:
    rows = list(walls.within(found, "warehouse_id", or_none=True).order_by("-id")[:ALERTS_FOLLOWED])
    news: dict[tuple[int, str], list[Event]] = {}
    for event in Event.objects.filter(topic=events.ALERTS, subject_id__in=[row.pk for row in rows]) if rows else ():
        news.setdefault((event.subject_id, event.type), []).append(event)

    def told(row: Alert, kind: str, at: Any, text: str, actor_id: int | None = None) -> Entry:
        by = next((one for one in news.get((row.pk, kind), ()) if abs(one.created_at - at) < _SAME_MOMENT), None)
        return Entry(
            at=by.created_at if by else at,
            kind=ALERTS,
            rank=ALERT,
            text=text,
            own=f"alert {row.pk} {kind}",
            request_id=by.request_id if by else "",
            actor_id=actor_id or (by.actor_id if by else None),
            url=reverse("admin:insights_alert_change", args=[row.pk]),
            label=f"Alert {row.pk}",
        )

    entries: list[Entry] = []
    for row in rows:
        entries.append(told(row, RAISED, row.raised_at, f"Alert raised: {row.title}"))
        if row.acknowledged_at:
            by = row.acknowledged_by_id
            entries.append(told(row, UPDATED, row.acknowledged_at, f"Alert acknowledged: {row.title}", by))
        if row.resolved_at:
            why = f" {row.note}" if row.note else ""
            text = f"Alert resolved {row.get_resolution_display().lower()}: {row.title}.{why}"
            entries.append(told(row, RESOLVED, row.resolved_at, text, row.resolved_by_id))
    entries = [one for one in entries if one.at <= window.until]
    return sorted(entries, key=lambda one: one.at, reverse=True)[: window.limit]


# ---- changed values --------------------------------------------------------------------------------------------------
def changes_of_product(window: Window) -> list[Entry]:
    """What a product's values were and are."""
    return _changes(FieldChange.objects.filter(subject_type=PRODUCT, subject_id=window.subject_id), window)


def changes_of_place(window: Window) -> list[Entry]:
    """A warehouse's own values, and bins and thresholds in it."""
    found = FieldChange.objects.filter(warehouse_id=window.subject_id).exclude(subject_type=USER)
    return _changes(found, window, is_about=WAREHOUSE)


def access_to_place(window: Window) -> list[Entry]:
    """Who was bound to a warehouse and who not any more."""
    found = FieldChange.objects.filter(warehouse_id=window.subject_id, subject_type=USER)
    return _changes(found, window, is_about=WAREHOUSE)


def access_of_user(window: Window) -> list[Entry]:
    """An account's role, warehouses, names, second factor."""
    return _changes(FieldChange.objects.filter(subject_type=USER, subject_id=window.subject_id), window)


def changes_by_user(window: Window) -> list[Entry]:
    """What an account changed of products and warehouses."""
    found = FieldChange.objects.filter(actor_id=window.subject_id).exclude(subject_type=USER)
    return _changes(found, window, is_about="")


def access_by_user(window: Window) -> list[Entry]:
    """What an account changed of other accounts."""
    found = FieldChange.objects.filter(actor_id=window.subject_id, subject_type=USER)
    return _changes(found.exclude(subject_id=window.subject_id), window, is_about="")


def _changes(found: QuerySet[Any], window: Window, *, is_about: str | None = None) -> list[Entry]:
    inside = walls.within(found, "warehouse_id", or_none=True).filter(created_at__lte=window.until)
    return [
        Entry(
            at=row.created_at,
            kind=ACCESS if row.subject_type == USER else CHANGES,
            rank=CHANGE,
            text=_FIELD_NAMES.get(row.field, row.field.replace("_", " ").capitalize()),
            own=f"changes {row.created_at}",
            request_id=row.request_id,
            actor_id=row.actor_id,
            about=(row.subject_type, row.subject_id) if is_about is not None and row.subject_type != is_about else None,
            before=row.before or ("–" if row.after else ""),
            after=row.after or ("–" if row.before else "changed"),
        )
        for row in inside.order_by("-created_at", "-id")[: window.limit]
    ]


def catalogue_of_product(window: Window) -> list[Entry]:
    """That a product was saved, from before its values were kept."""
    found = Event.objects.filter(topic=events.CATALOG, subject_id=window.subject_id, created_at__lte=window.until)
    return [
        _background(row, CHANGES, f"Saved as {fact['name']} ({fact['sku']}), {money_text(as_money(fact['price']))}")
        for row in found.order_by("-id")[: window.limit]
        for fact in (orjson.loads(row.payload),)
    ]


def access_events_of_user(window: Window) -> list[Entry]:
    """That an account's access changed, from before its values were kept."""
    found = Event.objects.filter(topic=events.ACCESS, subject_id=window.subject_id, created_at__lte=window.until)
    return [_background(row, ACCESS, "Logins ended or access changed") for row in found.order_by("-id")[: window.limit]]


def _background(row: Event, kind: str, text: str) -> Entry:
    return Entry(
        at=row.created_at,
        kind=kind,
        rank=BACKGROUND,
        text=text,
        own=f"event {row.pk}",
        request_id=row.request_id,
        actor_id=row.actor_id,
    )


def logins_of_user(window: Window) -> list[Entry]:
    """When an account came and went."""
    found = ActivityLog.objects.filter(user_id=window.subject_id, at__lte=window.until)
    return [
        Entry(
            at=row.at,
            kind=LOGINS,
            rank=CHANGE,
            text=f"{row.get_kind_display()}{f' from {row.ip}' if row.ip else ''}",
            own=f"login {row.pk}",
            actor_id=row.user_id,
        )
        for row in found.order_by("-id")[: window.limit]
    ]
