"""Weighted average cost (IAS 2, paragraph 27), recalculated as each shipment comes in. No Django in here."""

from decimal import ROUND_HALF_UP, Decimal

COST_PLACES = 6  # finer than money, so that many small receipts do not round the value of the stock away
_STEP = Decimal(1).scaleb(-COST_PLACES)


def as_cost(value: Decimal | float | int | str) -> Decimal:
    """An average cost as a database driver hands it over, as an exact number."""
    return Decimal(str(value)).quantize(_STEP, ROUND_HALF_UP)


def average_after(*, on_hand: Decimal, average: Decimal | None, quantity: Decimal, cost: Decimal) -> Decimal:
    """What one unit costs on average once `quantity` (signed) at `cost` is added to `on_hand` units at `average`.

    (on hand × average + quantity × cost) / (on hand + quantity). Goods that come to an empty shelf, or to units nobody
    knows the cost of, bring their own cost. A negative quantity takes its value out again (a reversal); when nothing,
    or less than no value, would be left, the average stays.
    """
    if average is None or (quantity > 0 and on_hand <= 0):
        return as_cost(cost)
    left = on_hand + quantity
    value = on_hand * average + quantity * cost
    if left <= 0 or value < 0:
        return as_cost(average)
    return as_cost(value / left)
