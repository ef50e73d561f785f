"""Stock as of a past moment: one index look-up per level, not a replay.

A movement keeps its level's balance, so what was on hand is the balance of the last movement up to the moment (index
`movement_of_level_by_time`). A movement posted late, with newer ones before it, breaks that for its level; such levels
are marked, and for them what moved since is taken off what is there now.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from workbox.core.db import is_mysql, marks, utc_text
from workbox.core.numbers import as_quantity
from workbox.core.replica import read

ZERO = Decimal(0)
OF_LEVEL = "m.product_id = l.product_id AND m.warehouse_id = l.warehouse_id"


def moved_since(moment: str) -> str:
    """SQL for what level `l` has gained since a moment; `moment` is a column or a placeholder."""
    return (
        f"COALESCE((SELECT SUM(m.quantity) FROM inventory_stockmovement m{_by_time()}"  # noqa: S608  (our own SQL)
        f" WHERE {OF_LEVEL} AND m.created_at > {moment}), 0)"
    )


def _by_time() -> str:
    return " FORCE INDEX (movement_of_level_by_time)" if is_mysql() else ""


def levels_then(moment: datetime, product_ids: Sequence[int] | None = None) -> tuple[str, list[Any]]:
    """SQL, with its values, for the rows (product_id, warehouse_id, on_hand) of that moment; None: of all products."""
    text, ids = utc_text(moment), [] if product_ids is None else list(product_ids)
    among = "product_id > 0" if product_ids is None else f"product_id IN ({marks(len(ids))})"
    known = (
        "SELECT l.product_id, l.warehouse_id,"
        " CASE WHEN l.last_moved_at IS NULL OR l.last_moved_at <= %s THEN l.on_hand"
        f" WHEN l.has_late_entries THEN l.on_hand - {moved_since('%s')}"
    )
    if not is_mysql():
        return (
            f"{known} ELSE COALESCE((SELECT m.balance_after FROM inventory_stockmovement m WHERE {OF_LEVEL}"  # noqa: S608  (only placeholders and our own words)
            " AND m.created_at <= %s ORDER BY m.created_at DESC, m.id DESC LIMIT 1), 0) END AS on_hand"
            f" FROM inventory_stocklevel l WHERE l.{among}",
            [text, text, text, *ids],
        )
    # MariaDB walks a correlated ORDER BY … LIMIT 1 from the newest row on; grouped, it jumps from level to level.
    newest = (
        "SELECT product_id, warehouse_id, MAX(created_at) AS moved_at FROM inventory_stockmovement"  # noqa: S608  (only placeholders and our own words)
        f"{_by_time()} WHERE {among} AND created_at <= %s GROUP BY product_id, warehouse_id"
    )
    return (
        f"{known} ELSE COALESCE(b.balance_after, 0) END AS on_hand FROM inventory_stocklevel l LEFT JOIN"  # noqa: S608  (only placeholders and our own words)
        f" (SELECT n.product_id, n.warehouse_id, MAX(m.id) AS id FROM ({newest}) n"
        f"  JOIN inventory_stockmovement m{_by_time()} ON m.product_id = n.product_id"
        "  AND m.warehouse_id = n.warehouse_id AND m.created_at = n.moved_at"
        "  GROUP BY n.product_id, n.warehouse_id) last"
        " ON last.product_id = l.product_id AND last.warehouse_id = l.warehouse_id"
        f" LEFT JOIN inventory_stockmovement b ON b.id = last.id WHERE l.{among}",
        [text, text, *ids, text, *ids],
    )


def levels_at(product_ids: Sequence[int], moment: datetime) -> dict[int, list[dict[str, Any]]]:
    """Product id → its warehouses in sourcing order with what each had on hand then, in one statement."""
    if not product_ids:
        return {}
    found: dict[int, list[dict[str, Any]]] = {one: [] for one in product_ids}
    sql, values = levels_then(moment, product_ids)
    rows = read(
        "SELECT x.product_id, x.warehouse_id, w.name, w.is_sellable, x.on_hand"  # noqa: S608  (our own SQL)
        f" FROM ({sql}) x JOIN inventory_warehouse w ON w.id = x.warehouse_id ORDER BY w.priority, w.id",
        values,
    ).fetchall()
    for product_id, warehouse_id, name, is_sellable, on_hand in rows:
        found[product_id].append(
            {
                "warehouse_id": warehouse_id,
                "warehouse_name": name,
                "is_sellable": bool(is_sellable),
                "on_hand": as_quantity(on_hand),
            }
        )
    return found
