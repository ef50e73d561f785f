"""Products as lists and pages show them, now and at a past moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet

from inventory.gtin import gtin_of
from inventory.models import (
    Barcode,
    Product,
    StockLevel,
)
from inventory.queries.moments import levels_at, levels_then
from workbox.core import walls
from workbox.core.cache import keep, kept, versions
from workbox.core.db import as_utc, marks
from workbox.core.events import CATALOG
from workbox.core.numbers import as_money, as_quantity
from workbox.core.replica import read

ZERO = Decimal(0)


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
    return int(read(f"SELECT COUNT(*) FROM ({sql} LIMIT %s) low", [*values, most]).fetchone()[0])  # noqa: S608  (only placeholders and our own words)


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
