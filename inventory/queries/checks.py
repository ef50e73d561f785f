"""Whether every kept stock number is what its rows add up to."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from workbox.core.numbers import as_quantity, plain


@dataclass(frozen=True, slots=True)
class Difference:
    """A kept number that is not what its rows add up to."""

    rule: str
    row: str
    kept: Decimal
    computed: Decimal

    def __str__(self) -> str:
        return f"{self.rule}: {self.row} says {plain(self.kept)}, its rows say {plain(self.computed)}"

    def as_dict(self) -> dict[str, Any]:
        """The finding for `--json`."""
        return {"rule": self.rule, "row": self.row, "kept": self.kept, "computed": self.computed}


# Each statement answers (what, ids…, kept, computed) for the rows that differ.
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "on hand is the sum of the ledger",
        "SELECT 'product', product_id, warehouse_id, kept, computed FROM ("
        " SELECT product_id, warehouse_id, SUM(kept) AS kept, ROUND(SUM(computed), 3) AS computed FROM ("
        "  SELECT product_id, warehouse_id, on_hand AS kept, 0 AS computed FROM inventory_stocklevel"
        "  UNION ALL"
        "  SELECT product_id, warehouse_id, 0, SUM(quantity) FROM inventory_stockmovement"
        "  GROUP BY product_id, warehouse_id"
        " ) both_sides GROUP BY product_id, warehouse_id) summed WHERE kept <> computed",
    ),
    (
        "reserved is the sum of open reservations",
        "SELECT 'product', l.product_id, l.warehouse_id, l.reserved, COALESCE(r.quantity, 0)"
        " FROM inventory_stocklevel l LEFT JOIN"
        " (SELECT level_id, ROUND(SUM(quantity), 3) AS quantity FROM inventory_reservation GROUP BY level_id) r"
        " ON r.level_id = l.id WHERE l.reserved <> COALESCE(r.quantity, 0)",
    ),
    (
        "each movement's balance follows from the one before",
        "SELECT 'movement', id, warehouse_id, balance_after, expected FROM ("
        " SELECT id, warehouse_id, balance_after, ROUND(quantity + COALESCE(LAG(balance_after) OVER"
        " (PARTITION BY product_id, warehouse_id ORDER BY id), 0), 3) AS expected FROM inventory_stockmovement"
        ") chain WHERE balance_after <> expected",
    ),
    *(
        (
            f"a product's total {column} is the sum of its levels",
            f"SELECT 'product', s.product_id, 0, s.{column}, COALESCE(t.total, 0)"  # noqa: S608  (our names)
            " FROM inventory_productstock s LEFT JOIN"
            f" (SELECT l.product_id, ROUND(SUM({expression}), 3) AS total FROM inventory_stocklevel l"
            " JOIN inventory_warehouse w ON w.id = l.warehouse_id GROUP BY l.product_id) t"
            " ON t.product_id = s.product_id"
            f" WHERE s.{column} <> COALESCE(t.total, 0)",
        )
        for column, expression in (
            ("on_hand", "l.on_hand"),
            ("reserved", "l.reserved"),
            ("available", "CASE WHEN w.is_sellable THEN l.on_hand - l.reserved ELSE 0 END"),
        )
    ),
    (
        "a level without late entries moved in the order of time",
        "SELECT 'product', c.product_id, c.warehouse_id, 0, 1 FROM (SELECT product_id, warehouse_id, created_at,"
        " LAG(created_at) OVER (PARTITION BY product_id, warehouse_id ORDER BY id) AS before_it"
        " FROM inventory_stockmovement) c JOIN inventory_stocklevel l ON l.product_id = c.product_id"
        " AND l.warehouse_id = c.warehouse_id WHERE c.created_at < c.before_it AND NOT l.has_late_entries",
    ),
    (
        "a level knows when it last moved",
        "SELECT 'product', l.product_id, l.warehouse_id, 0, 1 FROM inventory_stocklevel l LEFT JOIN"
        " (SELECT product_id, warehouse_id, MAX(created_at) AS latest FROM inventory_stockmovement"
        "  GROUP BY product_id, warehouse_id) m ON m.product_id = l.product_id AND m.warehouse_id = l.warehouse_id"
        " WHERE COALESCE(l.last_moved_at, '1900-01-01') <> COALESCE(m.latest, '1900-01-01')",
    ),
    (
        "each average cost follows from the one before and the movement that changed it",
        "SELECT 'movement', movement_id, 0, average_cost, computed FROM ("
        " SELECT movement_id, average_cost, CASE WHEN a IS NULL OR (q > 0 AND b <= 0) THEN cost"
        "  WHEN b + q <= 0 OR b * a + q * cost < 0 THEN a ELSE (b * a + q * cost) / (b + q) END AS computed FROM ("
        "  SELECT c.movement_id, c.average_cost, m.quantity AS q, m.unit_cost AS cost, m.held - m.quantity AS b,"
        "   LAG(c.average_cost) OVER (PARTITION BY c.product_id ORDER BY c.movement_id) AS a"
        "  FROM inventory_costchange c JOIN (SELECT id, quantity, unit_cost,"
        "   ROUND(SUM(quantity) OVER (PARTITION BY product_id ORDER BY id), 3) AS held"
        "   FROM inventory_stockmovement) m ON m.id = c.movement_id"
        " ) steps) chain WHERE computed IS NULL OR ABS(average_cost - computed) > 0.000002",
    ),
    (
        "what came in at a cost changed the average cost",
        "SELECT 'movement', m.id, m.warehouse_id, 0, m.unit_cost FROM inventory_stockmovement m"
        " LEFT JOIN inventory_costchange c ON c.movement_id = m.id"
        " WHERE m.movement_type = 'purchase' AND m.unit_cost IS NOT NULL AND c.id IS NULL",
    ),
    (
        "a product's average cost is the last one it changed to",
        "SELECT 'product', s.product_id, 0, COALESCE(s.average_cost, 0), COALESCE(c.average_cost, 0)"
        " FROM inventory_productstock s LEFT JOIN (SELECT product_id, MAX(id) AS id FROM inventory_costchange"
        "  GROUP BY product_id) n ON n.product_id = s.product_id LEFT JOIN inventory_costchange c ON c.id = n.id"
        " WHERE COALESCE(s.average_cost, -1) <> COALESCE(c.average_cost, -1)",
    ),
    (
        "every product has a stock row",
        "SELECT 'product', p.id, 0, 0, 1 FROM inventory_product p"
        " LEFT JOIN inventory_productstock s ON s.product_id = p.id"
        " WHERE s.product_id IS NULL",
    ),
    (
        "what left and did not arrive is what is in transit",
        "SELECT 'transfer line', l.id, 0, CASE t.status WHEN 'in_transit' THEN l.quantity ELSE 0 END,"
        " COALESCE(m.quantity, 0) FROM inventory_transferline l JOIN inventory_transfer t ON t.id = l.transfer_id"
        " LEFT JOIN (SELECT id, product_id, ROUND(-SUM(quantity), 3) AS quantity FROM ("
        "  SELECT x.id, k.product_id, k.quantity FROM inventory_transfer x"
        "   JOIN inventory_stockmovement k ON k.operation_id = x.sent_operation_id"
        "  UNION ALL"
        "  SELECT x.id, k.product_id, k.quantity FROM inventory_transfer x"
        "   JOIN inventory_stockmovement k ON k.operation_id = x.arrived_operation_id"
        "   WHERE k.movement_type = 'transfer_in'"
        "  ) both_ways GROUP BY id, product_id) m"
        " ON m.id = t.id AND m.product_id = l.product_id"
        " WHERE CASE t.status WHEN 'in_transit' THEN l.quantity ELSE 0 END <> COALESCE(m.quantity, 0)",
    ),
    (
        "what was lost or damaged on a transfer is what its movements say",
        "SELECT 'transfer line', l.id, 0, ROUND(l.lost_quantity + l.damaged_quantity, 3), COALESCE(m.quantity, 0)"
        " FROM inventory_transferline l JOIN inventory_transfer t ON t.id = l.transfer_id"
        " LEFT JOIN (SELECT x.id, k.product_id, ROUND(-SUM(k.quantity), 3) AS quantity FROM inventory_transfer x"
        "  JOIN inventory_stockmovement k ON k.operation_id = x.arrived_operation_id"
        "  WHERE k.movement_type IN ('damaged', 'adjustment') GROUP BY x.id, k.product_id) m"
        " ON m.id = t.id AND m.product_id = l.product_id"
        " WHERE ROUND(l.lost_quantity + l.damaged_quantity, 3) <> COALESCE(m.quantity, 0)",
    ),
    (
        "every unit of a completed transfer was received, lost or damaged",
        "SELECT 'transfer line', l.id, 0, ROUND(l.received_quantity + l.lost_quantity + l.damaged_quantity, 3),"
        " CASE t.status WHEN 'completed' THEN l.quantity ELSE 0 END"
        " FROM inventory_transferline l JOIN inventory_transfer t ON t.id = l.transfer_id"
        " WHERE ROUND(l.received_quantity + l.lost_quantity + l.damaged_quantity, 3)"
        " <> CASE t.status WHEN 'completed' THEN l.quantity ELSE 0 END",
    ),
    (
        "a pending transfer reserves its lines at the source, no other does",
        "SELECT 'transfer line', l.id, 0, COALESCE(r.quantity, 0),"
        " CASE t.status WHEN 'pending' THEN l.quantity ELSE 0 END"
        " FROM inventory_transferline l JOIN inventory_transfer t ON t.id = l.transfer_id"
        " LEFT JOIN (SELECT y.holder_id, v.warehouse_id, ROUND(SUM(y.quantity), 3) AS quantity"
        "  FROM inventory_reservation y JOIN inventory_stocklevel v ON v.id = y.level_id"
        "  WHERE y.holder_type = 'transfer_line' GROUP BY y.holder_id, v.warehouse_id) r"
        " ON r.holder_id = l.id AND r.warehouse_id = t.from_warehouse_id"
        " WHERE COALESCE(r.quantity, 0) <> CASE t.status WHEN 'pending' THEN l.quantity ELSE 0 END",
    ),
)
CHECK_NAMES = tuple(name for name, _ in _CHECKS)


def stock_differences() -> Iterator[Difference]:
    """Every kept stock number that its rows do not add up to; nothing when all is well.

    Recomputed from the ledger and the reservations, check by check in the order of `CHECK_NAMES`.
    """
    for rule, sql in _CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            for what, first, second, kept, computed in cursor.fetchall():
                row = f"{what} {first}" + (f" in warehouse {second}" if second else "")
                yield Difference(rule, row, as_quantity(kept), as_quantity(computed))
