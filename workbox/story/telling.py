"""Which tables tell the story of what, and one part of it as pages show it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse

from accounts.capabilities import STAFF_ROLES, USERS_READ
from accounts.models import User
from inventory.models import Product, Warehouse
from orders.models import Order
from workbox.core.admin import moment_text
from workbox.core.changes import PRODUCT, USER, WAREHOUSE
from workbox.story import others, stock
from workbox.story.entries import (
    ACCESS,
    ALERTS,
    CHANGES,
    LOGINS,
    ORDERS,
    STOCK,
    Entry,
    Step,
    Window,
    cursor_of,
    cut,
    joined,
    moment_of,
)

PER_KIND = 25
LINES_SHOWN = 8
KINDS = {
    STOCK: ("Stock", "swap_vert"),
    ORDERS: ("Orders", "shopping_cart"),
    ALERTS: ("Alerts", "notifications"),
    CHANGES: ("Changes", "edit"),
    ACCESS: ("Permissions", "badge"),
    LOGINS: ("Logins", "login"),
}
Source = Callable[[Window], list[Entry]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that has a story: its table, and what tells each kind of entry."""

    model: type[Model]
    sources: dict[str, tuple[Source, ...]]
    needs_users_read: frozenset[str] = frozenset()


SUBJECTS: dict[str, Subject] = {
    "product": Subject(
        Product,
        {
            STOCK: (stock.of_product,),
            ORDERS: (others.orders_of_product,),
            ALERTS: (others.alerts_of_product,),
            CHANGES: (others.changes_of_product, others.catalogue_of_product, stock.costs_of_product),
        },
    ),
    "order": Subject(Order, {ORDERS: (others.order_itself,), STOCK: (stock.of_order,)}),
    "warehouse": Subject(
        Warehouse,
        {
            STOCK: (stock.of_place,),
            ORDERS: (others.orders_of_place,),
            ALERTS: (others.alerts_of_place,),
            CHANGES: (others.changes_of_place,),
            ACCESS: (others.access_to_place,),
        },
        needs_users_read=frozenset({ACCESS}),
    ),
    "user": Subject(
        User,
        {
            STOCK: (stock.by_user,),
            ORDERS: (others.orders_of_user,),
            ALERTS: (others.alerts_of_user,),
            CHANGES: (others.changes_by_user,),
            ACCESS: (others.access_of_user, others.access_by_user, others.access_events_of_user),
            LOGINS: (others.logins_of_user,),
        },
    ),
}


def tell(
    subject: str, subject_id: int, *, asker: Any, kind: str = "", before: str = "", limit: int = PER_KIND
) -> dict[str, Any]:
    """One part of a story, newest first: its steps, the kinds it can be narrowed to, and where the next part begins.

    A fixed number of statements, each an index look-up of at most `limit` entries. What is outside the asker's walls is
    left out, and who the customers are for those who may not look accounts up.
    """
    found = SUBJECTS[subject]
    sees_users = bool(asker.can(USERS_READ))
    kinds = [one for one in found.sources if sees_users or one not in found.needs_users_read]
    window = Window(subject_id, moment_of(before), limit)
    wanted = [kind] if kind in kinds else kinds
    entries, rest = cut([source(window) for one in wanted for source in found.sources[one]], limit)
    steps = joined(entries)
    names = _Names(entries, sees_users=sees_users)
    base = reverse("story", args=[subject, subject_id])
    chosen = f"kind={kind}&" if kind in kinds else ""
    return {
        "steps": [_shown(step, names) for step in steps],
        "kinds": [
            {"label": "Everything", "url": base, "is_chosen": kind not in kinds},
            *({"label": KINDS[one][0], "url": f"{base}?kind={one}", "is_chosen": one == kind} for one in kinds),
        ],
        "url": base,
        "more_url": f"{base}?{chosen}before={cursor_of(rest)}" if rest else "",
        "is_first": not before,
    }


class _Names:
    """How people, products and warehouses of some entries are called: a query for each at most."""

    def __init__(self, entries: Iterable[Entry], *, sees_users: bool) -> None:
        entries = list(entries)
        ids: dict[str, set[int]] = {PRODUCT: set(), WAREHOUSE: set(), USER: set()}
        for entry in entries:
            if entry.about:
                ids[entry.about[0]].add(entry.about[1])
        people = ids[USER].union(entry.actor_id for entry in entries if entry.actor_id)
        self._sees_users = sees_users
        self._users = User.objects.in_bulk(sorted(people)) if people else {}
        self._products = Product.objects.in_bulk(sorted(ids[PRODUCT])) if ids[PRODUCT] else {}
        self._places = Warehouse.objects.in_bulk(sorted(ids[WAREHOUSE])) if ids[WAREHOUSE] else {}

    def who(self, user_id: int | None) -> tuple[str, str]:
        """The name of who acted, and a link for those who may look accounts up."""
        if user_id is None:
            return "System", ""
        user = self._users.get(user_id)
        if user is None or (user.role not in STAFF_ROLES and not self._sees_users):
            return ("A customer" if user else f"User {user_id}"), ""
        return user.get_full_name(), reverse("admin:accounts_user_change", args=[user_id]) if self._sees_users else ""

    def what(self, about: tuple[str, int]) -> tuple[str, str]:
        """The name of what something happened to, and its page."""
        kind, number = about
        if kind == USER:
            return self.who(number)
        model = "inventory_product" if kind == PRODUCT else "inventory_warehouse"
        found = (self._products if kind == PRODUCT else self._places).get(number)
        return str(found or f"{kind} {number}"), reverse(f"admin:{model}_change", args=[number])


def _shown(step: Step, names: _Names) -> dict[str, Any]:
    lead = step.lead
    who, who_url = names.who(next((one.actor_id for one in step.entries if one.actor_id), None))
    at: datetime = max(one.at for one in step.entries)
    rest = [_line(one, names) for one in step.entries[1:]]
    return {
        "icon": KINDS[lead.kind][1],
        "kind": KINDS[lead.kind][0],
        "lead": _line(lead, names),
        "lines": rest[:LINES_SHOWN],
        "more": max(len(rest) - LINES_SHOWN, 0),
        "at": moment_text(at),
        "iso": at.isoformat(),
        "who": who,
        "who_url": who_url,
        "request_id": next((one.request_id for one in step.entries if one.request_id), ""),
    }


def _line(entry: Entry, names: _Names) -> dict[str, Any]:
    about, about_url = names.what(entry.about) if entry.about else ("", "")
    return {
        "text": entry.text,
        "about": about,
        "about_url": about_url,
        "before": entry.before,
        "after": entry.after,
        "url": entry.url,
        "label": entry.label,
    }
