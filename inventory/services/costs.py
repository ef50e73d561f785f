"""The moving average of what a unit cost us: follows what the ledger posts with a cost, in the same transaction.

Only goods that come in at a cost of their own (purchases, receipts, opening stock) and reversals of these change the
average; sales, returns, transfers, counts and adjustments keep it and cost no statement here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.average import as_cost, average_after
from inventory.models import CostChange
from inventory.services.levels import keep_average_costs
from workbox.core.db import as_utc, execute, in_parts, insert_later, marks, utc_text

PRODUCTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Valued:
    """A posted movement with a cost: its signed quantity and the product's on-hand (all warehouses) before it."""

    movement_id: int
    product_id: int
    quantity: Decimal
    unit_cost: Decimal
    on_hand_before: Decimal
    moment: str


def follow(movements: Sequence[Valued]) -> None:
    """The average cost of these products is what the movements, in their order, make it; each change is kept.

    Expects the products' totals to be locked by the change just made. A change posted late counts from the newest one
    on: what the stock was worth on a past day does not move afterwards. Three statements for up to
    PRODUCTS_AT_ONCE products, none for none.
    """
    by_product: dict[int, list[Valued]] = {}
    for one in movements:
        by_product.setdefault(one.product_id, []).append(one)
    for products in in_parts(sorted(by_product), PRODUCTS_AT_ONCE):
        _follow(products, [one for product_id in products for one in by_product[product_id]])


def _follow(products: Sequence[int], movements: Sequence[Valued]) -> None:
    rows = execute(
        "SELECT product_id, average_cost, average_cost_at FROM inventory_productstock"  # noqa: S608  (only placeholders)
        f" WHERE product_id IN ({marks(len(products))})",
        products,
    ).fetchall()
    known: dict[int, tuple[Decimal | None, str]] = {
        row[0]: (None if row[1] is None else as_cost(row[1]), "" if row[2] is None else utc_text(as_utc(row[2])))
        for row in rows
    }
    changes = []
    for one in movements:
        average, since = known[one.product_id]
        after = average_after(on_hand=one.on_hand_before, average=average, quantity=one.quantity, cost=one.unit_cost)
        known[one.product_id] = (after, max(since, one.moment))
        changes.append((one.product_id, one.movement_id, after, known[one.product_id][1]))
    insert_later(CostChange._meta.db_table, ("product_id", "movement_id", "average_cost", "effective_at"), changes)
    keep_average_costs(known)
