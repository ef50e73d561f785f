"""What the stock is worth, now or at a past moment: units on hand × the average cost in force then."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inventory.average import as_cost
from inventory.queries.moments import levels_then
from workbox.core import walls
from workbox.core.db import utc_text
from workbox.core.numbers import as_money, as_quantity
from workbox.core.replica import read


@dataclass(frozen=True, slots=True)
class Worth:
    """What a valuation covers: everything, or one warehouse, or one category (by name, in any case)."""

    moment: datetime
    warehouse_id: int | None = None
    category: str = ""


def valuation_rows(wanted: Worth, *, offset: int, limit: int) -> list[dict[str, Any]]:
    """A page of the products that were on hand, the most valuable first; what nobody knows the cost of comes last."""
    sql, values = _valued(wanted)
    rows = read(
        f"{sql} ORDER BY CASE WHEN value IS NULL THEN 1 ELSE 0 END, value DESC, p.id LIMIT %s OFFSET %s",
        [*values, limit, offset],
    ).fetchall()
    return [
        {
            "product_id": product_id,
            "sku": sku,
            "name": name,
            "category": category,
            "on_hand": as_quantity(held),
            "average_cost": None if average is None else as_cost(average),
            "value": None if value is None else as_money(value),
        }
        for product_id, sku, name, category, held, average, value in rows
    ]


def valuation_totals(wanted: Worth) -> dict[str, Any]:
    """Of all the products, not of one page: how many, how many units, what they are worth."""
    sql, values = _valued(wanted)
    row = read(
        "SELECT COUNT(*), COALESCE(SUM(held), 0), COALESCE(SUM(value), 0),"  # noqa: S608  (our own SQL)
        f" COUNT(*) - COUNT(value) FROM ({sql}) worth",
        values,
    ).fetchone()
    return {
        "products": int(row[0]),
        "on_hand": as_quantity(row[1]),
        "value": as_money(row[2]),
        "without_cost": int(row[3]),
    }


def _valued(wanted: Worth) -> tuple[str, list[Any]]:
    levels, values = levels_then(wanted.moment)
    where, more = "", []
    if wanted.category:
        where, more = " AND LOWER(g.name) = LOWER(%s)", [wanted.category]
    place, there = ("", []) if wanted.warehouse_id is None else (" WHERE x.warehouse_id = %s", [wanted.warehouse_id])
    mine, own = walls.clause("x.warehouse_id", before=" AND " if place else " WHERE ")
    place, there = place + mine, [*there, *own]
    costs = (
        "SELECT n.product_id, MAX(c.id) AS id FROM (SELECT product_id, MAX(effective_at) AS since"
        " FROM inventory_costchange WHERE effective_at <= %s GROUP BY product_id) n"
        " JOIN inventory_costchange c ON c.product_id = n.product_id AND c.effective_at = n.since GROUP BY n.product_id"
    )
    return (
        "SELECT p.id, p.sku, p.name, g.name AS category, t.held, a.average_cost,"  # noqa: S608  (our own SQL)
        " ROUND(t.held * a.average_cost, 4) AS value"
        " FROM (SELECT x.product_id, ROUND(SUM(x.on_hand), 3) AS held"
        f" FROM ({levels}) x{place} GROUP BY x.product_id) t"
        " JOIN inventory_product p ON p.id = t.product_id LEFT JOIN inventory_category g ON g.id = p.category_id"
        f" LEFT JOIN ({costs}) k ON k.product_id = t.product_id LEFT JOIN inventory_costchange a ON a.id = k.id"
        f" WHERE t.held <> 0{where}",
        [*values, *there, utc_text(wanted.moment), *more],
    )
