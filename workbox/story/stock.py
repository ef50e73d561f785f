"""The stock's part of a story: movements with their balance, under the operations they belong to."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.urls import reverse

from inventory.models import CostChange, StockLevel, StockMovement, StockOperation
from workbox.core import walls
from workbox.core.admin import money_text, quantity_text, signed_text
from workbox.core.changes import PRODUCT
from workbox.core.db import execute, utc_text
from workbox.story.entries import CHANGE, CHANGES, LINE, OPERATION, STOCK, Entry, Window

ORDER_REFERENCE = "ORDER-"


def of_product(window: Window) -> list[Entry]:
    """A product's movements. One index look-up per warehouse, whatever the length of the ledger."""
    places = walls.within(StockLevel.objects.filter(product_id=window.subject_id), "warehouse_id")
    ids = _newest_per_place(window, list(places.order_by("warehouse_id").values_list("warehouse_id", flat=True)))
    return _told(StockMovement.objects.filter(id__in=ids))


def _newest_per_place(window: Window, places: Sequence[int]) -> list[int]:
    if not places:
        return []
    one = (
        "SELECT * FROM (SELECT id, created_at FROM inventory_stockmovement WHERE product_id = %s AND warehouse_id = %s"
        " AND created_at <= %s ORDER BY created_at DESC, id DESC LIMIT %s) newest"
    )
    until = utc_text(window.until)
    values = [value for place in places for value in (window.subject_id, place, until, window.limit)]
    union = " UNION ALL ".join([one] * len(places))
    sql = f"SELECT id FROM ({union}) found ORDER BY created_at DESC, id DESC LIMIT %s"  # noqa: S608  (our own words)
    return [row[0] for row in execute(sql, [*values, window.limit]).fetchall()]


def of_place(window: Window) -> list[Entry]:
    """What moved in a warehouse."""
    found = StockMovement.objects.filter(warehouse_id=window.subject_id, created_at__lte=window.until)
    return _told(found.order_by("-created_at", "-id")[: window.limit], names_products=True)


def of_order(window: Window) -> list[Entry]:
    """What an order moved."""
    ids = StockOperation.objects.filter(reference=f"{ORDER_REFERENCE}{window.subject_id}").values_list("id", flat=True)
    found = walls.within(
        StockMovement.objects.filter(operation_id__in=list(ids), created_at__lte=window.until), "warehouse_id"
    )
    return _told(found.order_by("-created_at", "-id")[: window.limit], names_products=True)


def by_user(window: Window) -> list[Entry]:
    """What an account posted, an operation each, when it posted it."""
    lines = walls.of(StockMovement.objects.filter(operation=OuterRef("pk"))).order_by().values("operation")
    found = walls.of(StockOperation.objects.filter(actor_id=window.subject_id, created_at__lte=window.until))
    rows = found.annotate(lines=Subquery(lines.annotate(total=Count("pk")).values("total"))).order_by("-id")
    return [_operation(row, row.created_at, lines=row.lines or 0) for row in rows[: window.limit]]


def _told(found: Any, *, names_products: bool = False) -> list[Entry]:
    rows = list(found.select_related("operation", "warehouse"))
    rows.sort(key=lambda one: (one.created_at, one.pk), reverse=True)
    operations = {row.operation_id: _operation(row.operation, row.created_at) for row in rows}
    return [*(_movement(row, names_products=names_products) for row in rows), *operations.values()]


def _operation(row: StockOperation, at: Any, *, lines: int = 0) -> Entry:
    counted = f", {lines} {'movement' if lines == 1 else 'movements'}" if lines else ""
    told = " · ".join(filter(None, (row.reference, row.reason)))
    return Entry(
        at=at,
        kind=STOCK,
        rank=OPERATION,
        text=f"{row.get_kind_display()}{counted}{f': {told}' if told else ''}",
        own=f"operation {row.pk}",
        request_id=row.request_id,
        actor_id=row.actor_id,
        url=reverse("admin:inventory_stockoperation_change", args=[row.pk]),
        label=f"Operation {row.pk}",
    )


def _movement(row: StockMovement, *, names_products: bool) -> Entry:
    return Entry(
        at=row.created_at,
        kind=STOCK,
        rank=LINE,
        text=f"{row.get_movement_type_display()} {signed_text(row.quantity)} in {row.warehouse.code}",
        own=f"operation {row.operation_id}",
        request_id=row.operation.request_id,
        actor_id=row.operation.actor_id,
        about=(PRODUCT, row.product_id) if names_products else None,
        before=quantity_text(row.balance_after - row.quantity),
        after=quantity_text(row.balance_after),
        **_order_link(row.operation.reference),
    )


def _order_link(reference: str) -> dict[str, str]:
    number = reference.removeprefix(ORDER_REFERENCE)
    if number == reference or not number.isdecimal():
        return {}
    return {"url": reverse("admin:orders_order_change", args=[number]), "label": f"Order {number}"}


def costs_of_product(window: Window) -> list[Entry]:
    """How a product's average cost came about."""
    rows: Iterable[CostChange] = (
        walls.within(CostChange.objects.filter(product_id=window.subject_id), "movement__warehouse_id")
        .filter(effective_at__lte=window.until)
        .select_related("movement__operation")
        .order_by("-effective_at", "-id")[: window.limit + 1]
    )
    rows = list(rows)
    earlier = [*(money_text(row.average_cost) for row in rows[1:]), ""][: len(rows)]
    return [
        Entry(
            at=row.effective_at,
            kind=CHANGES,
            rank=CHANGE,
            text="Average cost",
            own=f"operation {row.movement.operation_id}",
            request_id=row.movement.operation.request_id,
            actor_id=row.movement.operation.actor_id,
            before=before,
            after=money_text(row.average_cost),
        )
        for row, before in zip(rows, earlier, strict=True)
    ][: window.limit]
