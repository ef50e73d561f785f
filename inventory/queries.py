"""Reads that join or check: shared by API, admin and commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from workbox.core.numbers import as_quantity, plain

ZERO = Decimal(0)


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
        "  SELECT product_id, warehouse_id, 0, SUM(quantity) FROM inventory_stockmovement GROUP BY product_id, warehouse_id"
        " ) both_sides GROUP BY product_id, warehouse_id) summed WHERE kept <> computed",
    ),
    (
        "reserved is the sum of open reservations",
        "SELECT 'product', l.product_id, l.warehouse_id, l.reserved, COALESCE(r.quantity, 0) FROM inventory_stocklevel l"
        " LEFT JOIN (SELECT level_id, ROUND(SUM(quantity), 3) AS quantity FROM inventory_reservation GROUP BY level_id) r"
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
            f"SELECT 'product', s.product_id, 0, s.{column}, COALESCE(t.total, 0) FROM inventory_productstock s LEFT JOIN"  # noqa: S608
            f" (SELECT l.product_id, ROUND(SUM({expression}), 3) AS total FROM inventory_stocklevel l"
            " JOIN inventory_warehouse w ON w.id = l.warehouse_id GROUP BY l.product_id) t ON t.product_id = s.product_id"
            f" WHERE s.{column} <> COALESCE(t.total, 0)",
        )
        for column, expression in (
            ("on_hand", "l.on_hand"),
            ("reserved", "l.reserved"),
            ("available", "CASE WHEN w.is_sellable THEN l.on_hand - l.reserved ELSE 0 END"),
        )
    ),
    (
        "every product has a stock row",
        "SELECT 'product', p.id, 0, 0, 1 FROM inventory_product p LEFT JOIN inventory_productstock s ON s.product_id = p.id"
        " WHERE s.product_id IS NULL",
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
