"""Reads that join or check: shared by API, admin and commands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q, QuerySet

from inventory.gtin import gtin_of
from inventory.models import (
    Barcode,
    Product,
    StockCount,
    StockLevel,
    StockMovement,
    StockOperation,
    Transfer,
    TransferLine,
)
from inventory.queries.moments import levels_at, levels_then, moved_since
from workbox.core import walls
from workbox.core.cache import keep, kept, versions
from workbox.core.db import as_utc, execute, marks
from workbox.core.events import CATALOG
from workbox.core.numbers import as_money, as_quantity, plain
from workbox.core.replica import read

ZERO = Decimal(0)
ID_DIGITS_MAX = 18


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


# ---- products --------------------------------------------------------------------------------------------------------
# Public name → column: what lists of products can be sorted by. Ids follow creation, and are the cheaper key.
PRODUCT_ORDER = {
    "name": "name",
    "sku": "sku",
    "price": "price",
    "stock": "stock__available",
    "stock_quantity": "stock__available",
    "created": "id",
    "created_at": "id",
}


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a list of products shows. `active` None: retired products too; `low_stock` False: those that are not low."""

    search: str = ""
    category: str = ""
    active: bool | None = True
    low_stock: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_products(wanted: ProductFilter) -> QuerySet[Product]:
    """The products of a filter; `search` looks for a part of name, SKU, description or category, in any case."""
    found = Product.objects.order_by(*wanted.order)
    if wanted.active is not None:
        found = found.filter(is_active=wanted.active)
    if wanted.category:
        found = found.filter(category__name__iexact=wanted.category)
    if wanted.search:
        text = wanted.search
        found = found.filter(
            Q(name__icontains=text)
            | Q(sku__icontains=text)
            | Q(description__icontains=text)
            | Q(category__name__icontains=text)
        )
    if wanted.low_stock is not None:
        is_low = Q(is_stocked=True, stock__available__lte=F("reorder_threshold"))
        found = found.filter(is_low if wanted.low_stock else ~is_low)
    if wanted.created_from is not None:
        found = found.filter(created_at__gte=wanted.created_from)
    if wanted.created_to is not None:
        found = found.filter(created_at__lte=wanted.created_to)
    return found.filter(stock__isnull=False) if any("stock" in column for column in wanted.order) else found


def product_ids(wanted: ProductFilter, *, offset: int, limit: int) -> list[int]:
    """The ids of one page of a filter, cut on the primary key."""
    if wanted != ProductFilter():
        return list(find_products(wanted).values_list("pk", flat=True)[offset : offset + limit])
    rows = read(  # the page everybody opens first, without the query builder
        "SELECT id FROM inventory_product WHERE is_active = %s ORDER BY id DESC LIMIT %s OFFSET %s",
        [True, limit, offset],
    ).fetchall()
    return [product_id for (product_id,) in rows]


def count_products(wanted: ProductFilter, count: Callable[[QuerySet[Product]], int]) -> int:
    """How many products a filter has by `count`, remembered until the catalogue changes (stock changes leave it)."""
    version = versions(CATALOG) if wanted.low_stock is None else None
    if version is None:
        return count(find_products(wanted))
    key = ("count", wanted, version)
    found = kept(key)
    if found is None:
        found = count(find_products(wanted))
        keep(key, found)
    return int(found)


def low_stock_products() -> QuerySet[Product]:
    """Stocked products on sale whose available stock is at or below their reorder threshold, emptiest first."""
    return find_products(ProductFilter(low_stock=True, order=("stock__available", "id")))


def low_levels() -> QuerySet[StockLevel]:
    """Levels at or below a threshold of their own, of stocked products on sale."""
    return StockLevel.objects.filter(
        reorder_threshold__isnull=False,
        on_hand__lte=F("reorder_threshold") + F("reserved"),
        product__is_active=True,
        product__is_stocked=True,
    )


def low_stock_ids_at(moment: datetime, *, offset: int, limit: int) -> list[int]:
    """Stocked products on sale of which sellable warehouses held their reorder threshold or less then, emptiest first.

    What was promised then is not kept: on hand counts; thresholds and what sells are today's.
    """
    sql, values = _low_then(moment)
    rows = read(f"{sql} ORDER BY held, id LIMIT %s OFFSET %s", [*values, limit, offset]).fetchall()
    return [product_id for product_id, _ in rows]


def count_low_stock_at(moment: datetime, *, most: int) -> int:
    """How many they were, counting at most `most`."""
    sql, values = _low_then(moment)
    return int(read(f"SELECT COUNT(*) FROM ({sql} LIMIT %s) low", [*values, most]).fetchone()[0])  # noqa: S608


def _low_then(moment: datetime) -> tuple[str, list[Any]]:
    sql, values = levels_then(moment)
    return (
        "SELECT id, held FROM (SELECT p.id, p.reorder_threshold,"  # noqa: S608  (our own SQL)
        " ROUND(COALESCE(SUM(CASE WHEN w.is_sellable THEN x.on_hand ELSE 0 END), 0), 3) AS held"
        f" FROM inventory_product p LEFT JOIN ({sql}) x ON x.product_id = p.id"
        " LEFT JOIN inventory_warehouse w ON w.id = x.warehouse_id"
        " WHERE p.is_active = %s AND p.is_stocked = %s GROUP BY p.id, p.reorder_threshold) then_there"
        " WHERE held <= reorder_threshold",
        [*values, True, True],
    )


def low_stock_rows_at(ids: Sequence[int], moment: datetime) -> list[dict[str, Any]]:
    """Like `low_stock_rows`, with what sellable warehouses had on hand then."""
    places = levels_at(ids, moment)
    held = {one: sum((place["on_hand"] for place in places[one] if place["is_sellable"]), ZERO) for one in ids}
    return [row | {"current_quantity": held[row["product_id"]]} for row in low_stock_rows(ids)]


def product_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These products with their stock over all warehouses, under their public names, in the order of `ids`.

    Plain SQL: this is what every page of products and every product's page is made of.
    """
    if not ids:
        return []
    rows = read(f"{_PRODUCT_SQL} WHERE p.id IN ({marks(len(ids))})", ids).fetchall()
    by_id = {row[0]: _product_row(row) for row in rows}
    return [by_id[one] for one in ids if one in by_id]


_PRODUCT_SQL = (
    "SELECT p.id, p.sku, p.name, p.description, c.name, u.code, p.price, p.unit_cost,"
    " s.available, s.on_hand, s.reserved,"
    " p.reorder_threshold, p.reorder_quantity, p.is_stocked, p.is_active, p.created_at, p.updated_at"
    " FROM inventory_product p JOIN inventory_unitofmeasure u ON u.id = p.unit_id"
    " JOIN inventory_productstock s ON s.product_id = p.id LEFT JOIN inventory_category c ON c.id = p.category_id"
)


def _product_row(row: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": row[0],
        "sku": row[1],
        "name": row[2],
        "description": row[3],
        "category": row[4],
        "unit_of_measure": row[5],
        "price": as_money(row[6]),
        "unit_cost": None if row[7] is None else as_money(row[7]),
        "stock_quantity": as_quantity(row[8]),
        "on_hand": as_quantity(row[9]),
        "reserved": as_quantity(row[10]),
        "reorder_threshold": as_quantity(row[11]),
        "reorder_quantity": as_quantity(row[12]),
        "is_stocked": bool(row[13]),
        "is_active": bool(row[14]),
        "created_at": as_utc(row[15]),
        "updated_at": as_utc(row[16]),
    }


def low_stock_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """What has to be bought again: how much there is, and the threshold it fell to."""
    return [
        {
            "product_id": row["id"],
            "product_name": row["name"],
            "sku": row["sku"],
            "category": row["category"],
            "current_quantity": row["stock_quantity"],
            "threshold": row["reorder_threshold"],
            "reorder_quantity": row["reorder_quantity"],
        }
        for row in product_rows(ids)
    ]


def product_detail(product_id: int) -> dict[str, Any] | None:
    """One product with `stock_by_warehouse` and what is `in_transit` between warehouses, or None."""
    rows = product_rows([product_id])
    if not rows:
        return None
    place, mine = walls.clause("l.warehouse_id")
    levels = read(
        "SELECT l.warehouse_id, w.name, w.is_sellable, l.on_hand, l.reserved,"  # noqa: S608  (only placeholders)
        " (SELECT COALESCE(SUM(x.quantity), 0) FROM inventory_transfer t JOIN inventory_transferline x"
        "  ON x.transfer_id = t.id WHERE t.status = 'in_transit' AND t.to_warehouse_id = l.warehouse_id"
        "  AND x.product_id = l.product_id)"
        " FROM inventory_stocklevel l JOIN inventory_warehouse w ON w.id = l.warehouse_id"
        f" WHERE l.product_id = %s{place} ORDER BY w.priority, w.id",
        [product_id, *mine],
    ).fetchall()
    rows[0]["stock_by_warehouse"] = [
        {
            "warehouse_id": warehouse_id,
            "warehouse_name": name,
            "is_sellable": bool(is_sellable),
            "quantity": as_quantity(on_hand),
            "reserved": as_quantity(reserved),
            "available": as_quantity(on_hand) - as_quantity(reserved),
            "in_transit": as_quantity(coming),
        }
        for warehouse_id, name, is_sellable, on_hand, reserved, coming in levels
    ]
    rows[0]["in_transit"] = sum((row["in_transit"] for row in rows[0]["stock_by_warehouse"]), ZERO)
    return rows[0]


def product_rows_at(ids: Sequence[int], moment: datetime) -> list[dict[str, Any]]:
    """Like `product_rows` as of a past moment: what was on hand, in all and per warehouse.

    What was promised then is not kept, so `reserved` and `stock_quantity` (available) are None.
    """
    places = levels_at(ids, moment)
    return [
        row
        | {
            "stock_quantity": None,
            "reserved": None,
            "on_hand": sum((place["on_hand"] for place in places[row["id"]]), ZERO),
            "stock_by_warehouse": [
                {
                    "warehouse_id": place["warehouse_id"],
                    "warehouse_name": place["warehouse_name"],
                    "is_sellable": place["is_sellable"],
                    "quantity": place["on_hand"],
                    "reserved": None,
                    "available": None,
                    "in_transit": None,
                }
                for place in walls.rows_inside(places[row["id"]])
            ],
        }
        for row in product_rows(ids)
    ]


def product_detail_at(product_id: int, moment: datetime) -> dict[str, Any] | None:
    """Like `product_detail` as of a past moment, or None; what it does not know of the past is None."""
    rows = product_rows_at([product_id], moment)
    return rows[0] | {"in_transit": None} if rows else None


def product_ids_by_sku(skus: Sequence[str]) -> dict[str, int]:
    """SKU → product id, of those that exist."""
    return dict(Product.objects.filter(sku__in=set(skus)).values_list("sku", "id")) if skus else {}


def products_by_barcode(codes: Sequence[str]) -> dict[str, tuple[int, Decimal]]:
    """Barcode → (product id, how many units one scan means), of those that are linked.

    A code finds what is linked under exactly it, or under another spelling of the same GTIN (UPC-A, EAN-13, GTIN-14).
    """
    if not codes:
        return {}
    gtins = {code: gtin for code in codes if (gtin := gtin_of(code))}
    rows = Barcode.objects.filter(Q(code__in=set(codes)) | Q(gtin__in=set(gtins.values())))
    meant: dict[str, tuple[int, Decimal]] = {}
    by_gtin: dict[str, tuple[int, Decimal]] = {}
    for code, gtin, product_id, pack in rows.values_list("code", "gtin", "product_id", "pack_quantity"):
        meant[code] = (product_id, pack)
        if gtin:
            by_gtin[gtin] = (product_id, pack)
    spelled = {code: by_gtin[gtin] for code, gtin in gtins.items() if gtin in by_gtin}
    return spelled | {code: meant[code] for code in codes if code in meant}


# ---- transfers and counts --------------------------------------------------------------------------------------------
# Public name → column; ids follow the order of making.
TRANSFER_ORDER = {"created": "id", "created_at": "id", "id": "id", "status": "status", "completed_at": "completed_at"}
COUNT_ORDER = {"opened": "id", "opened_at": "id", "id": "id", "status": "status", "closed_at": "closed_at"}


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """What a list of transfers shows."""

    status: str | None = None
    product_id: int | None = None
    from_warehouse_id: int | None = None
    to_warehouse_id: int | None = None
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_transfers(wanted: TransferFilter) -> QuerySet[Transfer]:
    """The transfers of a filter.

    `search` is a transfer's number, or a part of its reference, notes, warehouses or of a product on it.
    """
    exact = {
        "status": wanted.status,
        "from_warehouse_id": wanted.from_warehouse_id,
        "to_warehouse_id": wanted.to_warehouse_id,
        "created_at__gte": wanted.created_from,
        "created_at__lte": wanted.created_to,
    }
    found = Transfer.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "from_warehouse_id", "to_warehouse_id")
    if wanted.product_id is not None:
        found = found.filter(lines__product_id=wanted.product_id)
    if wanted.search:
        text = wanted.search
        on_a_line = TransferLine.objects.filter(Q(product__name__icontains=text) | Q(product__sku__icontains=text))
        match = (
            Q(reference__icontains=text)
            | Q(notes__icontains=text)
            | Q(from_warehouse__name__icontains=text)
            | Q(to_warehouse__name__icontains=text)
            | Q(id__in=on_a_line.values("transfer_id"))
        )
        found = found.filter(match | _numbered(text))
    return found


def _numbered(text: str) -> Q:
    """The row with this number, when the text is one."""
    return Q(id=int(text)) if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX else Q(pk__in=[])


def open_transfers(warehouse_id: int) -> QuerySet[Transfer]:
    """Transfers from or to a warehouse that are neither completed nor cancelled."""
    places = Q(from_warehouse_id=warehouse_id) | Q(to_warehouse_id=warehouse_id)
    return Transfer.objects.filter(places, status__in=[Transfer.Status.PENDING, Transfer.Status.IN_TRANSIT])


@dataclass(frozen=True, slots=True)
class CountFilter:
    """What a list of stock counts shows."""

    status: str | None = None
    warehouse_id: int | None = None
    product_id: int | None = None
    search: str = ""
    opened_from: datetime | None = None
    opened_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_counts(wanted: CountFilter) -> QuerySet[StockCount]:
    """The stock counts of a filter; `search` is a count's number, or a part of its notes or warehouse."""
    exact = {
        "status": wanted.status,
        "warehouse_id": wanted.warehouse_id,
        "opened_at__gte": wanted.opened_from,
        "opened_at__lte": wanted.opened_to,
    }
    found = StockCount.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "warehouse_id")
    if wanted.product_id is not None:
        found = found.filter(lines__product_id=wanted.product_id)
    if wanted.search:
        text = wanted.search
        found = found.filter(Q(notes__icontains=text) | Q(warehouse__name__icontains=text) | _numbered(text))
    return found


def count_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These stock counts as lists show them, in the order of `ids`: without their lines."""
    columns = {
        "id": "id",
        "warehouse_id": "warehouse_id",
        "warehouse_name": "warehouse__name",
        "status": "status",
        "is_blind": "is_blind",
        "notes": "notes",
        "operation_id": "operation_id",
        "opened_by": "opened_by_id",
        "closed_by": "closed_by_id",
        "opened_at": "opened_at",
        "closed_at": "closed_at",
        "updated_at": "updated_at",
        "line_count": "line_count",
    }
    found = walls.within(StockCount.objects.filter(id__in=ids).order_by(), "warehouse_id").annotate(
        line_count=Count("lines")
    )
    by_id = {row[0]: dict(zip(columns, row, strict=True)) for row in found.values_list(*columns.values())}
    return [by_id[one] for one in ids if one in by_id]


def balances_when_counted(count_id: int) -> dict[int, Decimal]:
    """Product id → what the ledger says was in the count's warehouse at the moment the product was counted.

    Exact, also when movements of the past are recorded late, and one statement for any number of lines. Who is to act
    on the answer holds the products' totals first.
    """
    rows = execute(
        f"SELECT c.product_id, COALESCE(l.on_hand - {moved_since('c.counted_at')}, 0) FROM inventory_countline c"  # noqa: S608  (our own SQL)
        " JOIN inventory_stockcount s ON s.id = c.count_id"
        " LEFT JOIN inventory_stocklevel l ON l.product_id = c.product_id AND l.warehouse_id = s.warehouse_id"
        " WHERE c.count_id = %s",
        [count_id],
    ).fetchall()
    return {product_id: as_quantity(on_hand) for product_id, on_hand in rows}


# ---- the ledger ------------------------------------------------------------------------------------------------------
_MOVEMENT_COLUMNS = {
    "id": "id",
    "operation_id": "operation_id",
    "product_id": "product_id",
    "product_name": "product__name",
    "sku": "product__sku",
    "warehouse_id": "warehouse_id",
    "warehouse_name": "warehouse__name",
    "movement_type": "movement_type",
    "quantity": "quantity",
    "unit_cost": "unit_cost",
    "balance_after": "balance_after",
    "reference_number": "operation__reference",
    "reason": "operation__reason",
    "created_by": "operation__actor_id",
    "created_at": "created_at",
}


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """What a list of movements shows; they stand in the order they were posted, newest first unless told otherwise."""

    product_id: int | None = None
    warehouse_id: int | None = None
    movement_type: str | None = None
    reference: str = ""
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    newest_first: bool = True


def find_movements(wanted: MovementFilter) -> QuerySet[StockMovement]:
    """The movements of a filter; `search` looks in product, SKU, warehouse, reference and reason, in any case."""
    found: QuerySet[StockMovement] = StockMovement.objects.order_by("-id" if wanted.newest_first else "id")
    exact = {
        "product_id": wanted.product_id,
        "warehouse_id": wanted.warehouse_id,
        "movement_type": wanted.movement_type,
        "operation__reference": wanted.reference or None,
        "created_at__gte": wanted.created_from,
        "created_at__lte": wanted.created_to,
    }
    found = walls.within(found, "warehouse_id").filter(
        **{column: value for column, value in exact.items() if value is not None}
    )
    if wanted.search:
        text = wanted.search
        found = found.filter(
            Q(product__name__icontains=text)
            | Q(product__sku__icontains=text)
            | Q(warehouse__name__icontains=text)
            | Q(operation__reference__icontains=text)
            | Q(operation__reason__icontains=text)
        )
    return found


def movement_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These movements under their public names, in the order of `ids`; `total_cost` is unit cost × quantity moved."""
    by_id = {}
    found = walls.within(StockMovement.objects.filter(id__in=ids).order_by(), "warehouse_id")
    for row in found.values_list(*_MOVEMENT_COLUMNS.values()):
        shown = by_id[row[0]] = dict(zip(_MOVEMENT_COLUMNS, row, strict=True))
        cost = shown["unit_cost"]
        shown["total_cost"] = None if cost is None else cost * abs(shown["quantity"])
    return [by_id[one] for one in ids if one in by_id]


def history_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Like `movement_rows`, with `balance`: the product's on-hand over all warehouses right after each movement.

    One index look-up per movement and warehouse, not a replay: each level's last balance up to that movement is stored.
    """
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, SUM((SELECT x.balance_after FROM inventory_stockmovement x"  # noqa: S608  (only placeholders)
            " WHERE x.warehouse_id = l.warehouse_id AND x.product_id = m.product_id AND x.id <= m.id"
            " ORDER BY x.id DESC LIMIT 1))"
            " FROM inventory_stockmovement m JOIN inventory_stocklevel l ON l.product_id = m.product_id"
            f" WHERE m.id IN ({marks(len(ids))}) GROUP BY m.id",
            list(ids),
        )
        balances = {row[0]: as_quantity(row[1]) for row in cursor.fetchall()}
    return [row | {"balance": balances[row["id"]]} for row in movement_rows(ids)]


_OPERATION_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "reason": "reason",
    "reference_number": "reference",
    "created_by": "actor_id",
    "request_id": "request_id",
    "reverses_id": "reverses_id",
    "reversed_by": "reversed_by",
    "occurred_at": "occurred_at",
    "created_at": "created_at",
}


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What a list of stock operations shows, newest first; the dates are when it happened."""

    kind: str | None = None
    product_id: int | None = None
    warehouse_id: int | None = None
    actor_id: int | None = None
    reference: str = ""
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    newest_first: bool = True


def find_operations(wanted: OperationFilter) -> QuerySet[StockOperation]:
    """The stock operations of a filter."""
    exact = {
        "kind": wanted.kind,
        "actor_id": wanted.actor_id,
        "reference": wanted.reference or None,
        "occurred_at__gte": wanted.occurred_from,
        "occurred_at__lte": wanted.occurred_to,
    }
    found = StockOperation.objects.order_by("-id" if wanted.newest_first else "id").filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    moved = {"product_id": wanted.product_id, "warehouse_id": wanted.warehouse_id}
    narrow = {name: one for name, one in moved.items() if one is not None}
    if not narrow:
        return operations_seen(found)
    moves = walls.within(StockMovement.objects.filter(**narrow), "warehouse_id")
    return found.filter(id__in=moves.values("operation_id"))


def operations_seen(found: QuerySet[StockOperation]) -> QuerySet[StockOperation]:
    """Those operations that moved anything inside the asker's walls."""
    if walls.own() is None:
        return found
    return found.filter(id__in=walls.within(StockMovement.objects.all(), "warehouse_id").values("operation_id"))


def operation_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These operations as lists show them, in the order of `ids`: how many movements instead of which."""
    found = (
        StockOperation.objects.filter(id__in=ids)
        .order_by()
        .annotate(movement_count=Count("movements", filter=walls.inside("movements__warehouse_id") or None))
    )
    columns = [*_OPERATION_COLUMNS, "movement_count"]
    rows = found.values_list(*_OPERATION_COLUMNS.values(), "movement_count")
    by_id = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    return [by_id[one] for one in ids if one in by_id]


def operation_detail(operation_id: int) -> dict[str, Any] | None:
    """One stock operation with its movements, or None; `reversed_by` is the operation that undid it, if any did."""
    row = (
        operations_seen(StockOperation.objects.filter(id=operation_id))
        .values_list(*_OPERATION_COLUMNS.values())
        .first()
    )
    if row is None:
        return None
    ids = StockMovement.objects.filter(operation_id=operation_id).order_by("id").values_list("id", flat=True)
    return dict(zip(_OPERATION_COLUMNS, row, strict=True)) | {"movements": movement_rows(list(ids))}
