"""Service: how a step spreads over the lines of an order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from inventory.services.levels import Shelf
from inventory.services.reservations import Demand
from orders.services.placed import PlacedLine
from workbox.core.db import execute, marks
from workbox.core.errors import Invalid
from workbox.core.numbers import plain

ZERO = Decimal(0)


def split_over_lines(
    lines: Sequence[PlacedLine], quantities: Mapping[int, Decimal] | None, *, open_of: Any
) -> dict[int, Decimal]:
    """Which line gets how much (line id → quantity) when a step names products; all that is open when it names none."""
    if quantities is None:
        found = {line.id: open_of(line) for line in lines if open_of(line) > 0}
        if not found:
            raise Invalid("Nothing is open for this step.", fields={"items": ["nothing is open"]})
        return found
    if not quantities:
        raise Invalid("Name at least one product.", fields={"items": ["must not be empty"]})
    found = {}
    for product_id, quantity in quantities.items():
        mine = [line for line in lines if line.product_id == product_id]
        most = sum((open_of(line) for line in mine), ZERO)
        if not mine or quantity <= 0 or quantity > most:
            text = "is not on this order" if not mine else f"at most {plain(most)} is open for this step"
            raise Invalid(f"Product {product_id}: {text}.", fields={"items": [f"product {product_id}: {text}"]})
        needed = quantity
        for line in mine:
            taken = min(open_of(line), needed)
            if taken > 0:
                found[line.id] = taken
                needed -= taken
    return found


def open_to_ship(line: PlacedLine) -> Decimal:
    """How much of the line has not been shipped."""
    return line.quantity - line.shipped_quantity


def stocked(shipping: Mapping[int, Decimal], lines: Sequence[PlacedLine], shelf: Shelf) -> list[Demand]:
    """Of (line id → quantity) what is goods and no charge."""
    product_of = {line.id: line.product_id for line in lines}
    return [
        Demand(line_id, product_of[line_id], quantity)
        for line_id, quantity in shipping.items()
        if shelf.products[product_of[line_id]].is_stocked
    ]


def open_charges(lines: Sequence[PlacedLine], shelf: Shelf) -> dict[int, Decimal]:
    """What is open of the lines that are charges (line id → quantity)."""
    return {
        line.id: open_to_ship(line)
        for line in lines
        if open_to_ship(line) > 0 and not shelf.products[line.product_id].is_stocked
    }


def add_to_lines(lines: Sequence[PlacedLine], amounts: Mapping[int, Decimal], column: str) -> list[PlacedLine]:
    """Raise a column of the lines by these amounts (line id → quantity); returns the lines as they are then."""
    ids = sorted(amounts)
    values: list[Any] = [value for one in ids for value in (one, amounts[one])]
    execute(
        f"UPDATE orders_orderline SET {column} = ROUND({column} + (CASE id{' WHEN %s THEN %s' * len(ids)} END), 3)"  # noqa: S608  (only placeholders)
        f" WHERE id IN ({marks(len(ids))})",
        [*values, *ids],
    )
    return [replace(line, **{column: getattr(line, column) + amounts.get(line.id, ZERO)}) for line in lines]


def moved_items(lines: Sequence[PlacedLine], amounts: Mapping[int, Decimal]) -> list[dict[str, Any]]:
    """The rows of a frame that says how much of which product a step moved."""
    return [
        {"inventory_id": line.product_id, "name": line.name, "quantity": amounts[line.id]}
        for line in lines
        if line.id in amounts
    ]
