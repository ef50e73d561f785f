"""Where an order would ship from, and what is short: looked at, not promised.

A plan has a token. Whoever orders with it gets exactly this sourcing, or PlanOutdated and nothing is changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from inventory.errors import ProductUnknown
from inventory.services import ledger
from inventory.services.levels import read_shelf
from inventory.services.reservations import Demand, allocate, plan_token
from orders.errors import EmptyOrder
from orders.services import Item
from workbox.core import walls

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Source:
    """So much of a line would come from this warehouse."""

    warehouse_id: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One line of a plan; `short` is what cannot be given now (then nothing of the line is), 0 when all can.

    `earliest_on` is the day on which what is on order makes up for it: today when nothing is short, None when nobody
    knows.
    """

    product_id: int
    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    available: Decimal
    short: Decimal
    sources: tuple[Source, ...]
    earliest_on: date | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What placing these items now would do."""

    token: str
    lines: tuple[PlannedLine, ...]
    total_amount: Decimal

    @property
    def is_complete(self) -> bool:
        """True when nothing is short."""
        return not any(line.short for line in self.lines)

    def as_dict(self) -> dict[str, Any]:
        """The plan as answers show it."""
        return {
            "plan": self.token,
            "is_complete": self.is_complete,
            "total_amount": self.total_amount,
            "items": [
                {
                    "product_id": line.product_id,
                    "sku": line.sku,
                    "name": line.name,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                    "available": line.available,
                    "short": line.short,
                    "earliest_on": line.earliest_on,
                    "sources": [
                        {"warehouse_id": one.warehouse_id, "quantity": one.quantity}
                        for one in line.sources
                        if not walls.hides(one.warehouse_id)
                    ],
                }
                for line in self.lines
            ],
        }


def plan_order(items: Sequence[Item], *, warehouse_id: int | None = None) -> Plan:
    """The sourcing that `place_order` would choose for these items now.

    Raises EmptyOrder, ProductUnknown, Invalid (precision).
    """
    ledger.refuse_foreign([warehouse_id])
    if not items:
        raise EmptyOrder("A plan needs at least one line.", fields={"items": ["must not be empty"]})
    shelf = read_shelf(item.product_id for item in items)
    active = {one.id for one in shelf.products.values() if one.is_active}
    unknown = sorted({one.product_id for one in items if one.product_id not in active})
    if unknown:
        raise ProductUnknown(
            f"There is no product {', '.join(map(str, unknown))} for sale.",
            fields={"items": [f"unknown product {one}" for one in unknown]},
        )
    for index, item in enumerate(items):
        ledger.check_quantity(item.quantity, shelf.products[item.product_id], name=f"items.{index}.quantity")
    demands = [
        Demand(index, item.product_id, item.quantity)
        for index, item in enumerate(items)
        if shelf.products[item.product_id].is_stocked
    ]
    takes, shortages = allocate(demands, shelf, warehouse_id=warehouse_id)
    available = {one.product_id: one.available for one in shortages}
    missing = {one.product_id: one.requested - one.available for one in shortages}
    days = _days_of_arrival(missing)
    lines = []
    for index, item in enumerate(items):
        product = shelf.products[item.product_id]
        sources = tuple(
            Source(take.level.warehouse_id, take.quantity) for take in takes if take.demand.holder_id == index
        )
        given = sum((one.quantity for one in sources), ZERO)
        short = item.quantity - given if product.is_stocked else ZERO
        if short:
            short = min(short, missing[item.product_id])
        lines.append(
            PlannedLine(
                product.id,
                product.sku,
                product.name,
                item.quantity,
                product.price if item.unit_price is None else item.unit_price,
                available.get(product.id, product.available),
                short,
                sources,
                days.get(product.id) if short else datetime.now(UTC).date(),
            )
        )
    total = sum((line.unit_price * line.quantity for line in lines), ZERO)
    return Plan(plan_token(takes), tuple(lines), total)


def _days_of_arrival(missing: Mapping[int, Decimal]) -> dict[int, date | None]:
    """When so much more of each product (product id → quantity) will have come in; what is overdue may come today."""
    days: dict[int, date | None] = {}
    if not missing:
        return days
    left = dict(missing)
    today = datetime.now(UTC).date()
    for one in import_string(settings.WORKBOX_INBOUND)(list(missing)):
        if left[one.product_id] <= 0:
            continue
        left[one.product_id] -= one.quantity
        if left[one.product_id] <= 0:
            days[one.product_id] = None if one.expected_on is None else max(one.expected_on, today)
    return days
