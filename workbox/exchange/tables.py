"""What can be taken out: which rows a filter means, and what stands in their columns.

The tables that can also be brought in again (`EXPORTS`) have the columns that `workbox.exchange.kinds` reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from inventory.models import MovementType, StockLevel, Warehouse
from inventory.queries import MovementFilter, ProductFilter, find_movements, find_products, movement_rows, product_rows
from orders.models import Order, OrderLine
from orders.queries import OrderFilter, find_orders, find_sales, sale_rows
from orders.states import OrderStatus
from purchasing.models import VendorPrice
from purchasing.queries import find_vendors, price_rows, vendor_rows
from workbox.core import walls
from workbox.core.reading import Fields
from workbox.exchange.cells import Cell

CHUNK_ROWS = 1000
ON_HAND = "on_hand "  # + a warehouse's code: what is physically there
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A table to take out. `find` reads its filter (names in `filters`), `rows` gives the rows of these ids."""

    name: str
    filters: tuple[str, ...]
    find: Callable[[Fields], QuerySet[Any]]
    header: Callable[[], list[str]]
    rows: Callable[[list[int]], list[Row]]

    def chunks(self, found: QuerySet[Any]) -> Iterator[tuple[int, list[Row]]]:
        """(how many were looked at so far, rows), by key and not by offset: memory and speed stay the same."""
        found, last, done = found.order_by("pk"), 0, 0
        while ids := list(found.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK_ROWS]):
            last, done = ids[-1], done + len(ids)
            yield done, self.rows(ids)


def _columns(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Row]:
    return lambda row: [row[name] for name in names]


# ---- products --------------------------------------------------------------------------------------------------------
PRODUCT_COLUMNS = (
    "sku", "name", "description", "category", "unit_of_measure", "price", "unit_cost", "reorder_threshold",
    "reorder_quantity", "is_stocked", "is_active",
)  # fmt: skip
_DATES = ("created_from_date", "created_to_date")
_PRODUCT_FILTERS = ("search", "category", "is_active", "include_inactive", "low_stock", *_DATES)


def _find_products(fields: Fields) -> QuerySet[Any]:
    active = None if fields.boolean("include_inactive", default=False) else True
    wanted = ProductFilter(
        search=fields.text("search", max_length=200),
        category=fields.text("category", max_length=100),
        active=fields.boolean("is_active", default=active),
        low_stock=fields.boolean("low_stock"),
        created_from=fields.moment("created_from_date"),
        created_to=fields.moment("created_to_date", end_of_day=True),
        order=("id",),
    )
    return find_products(wanted)


def warehouse_codes() -> list[tuple[int, str]]:
    """Every warehouse's id and code, in sourcing order."""
    return list(walls.within(Warehouse.objects.order_by("priority", "id"), "id").values_list("id", "code"))


def _product_header() -> list[str]:
    return [*PRODUCT_COLUMNS, *(f"{ON_HAND}{code}" for _, code in warehouse_codes())]


def _product_rows(ids: list[int]) -> list[Row]:
    places = [place for place, _ in warehouse_codes()]
    levels = {
        (product_id, place): on_hand
        for product_id, place, on_hand in StockLevel.objects.filter(product_id__in=ids).values_list(
            "product_id", "warehouse_id", "on_hand"
        )
    }
    shown = _columns(PRODUCT_COLUMNS)
    return [[*shown(row), *(levels.get((row["id"], place)) for place in places)] for row in product_rows(ids)]


INVENTORY_COLUMNS = (
    "sku", "name", "category", "unit_of_measure", "price", "unit_cost", "on_hand", "reserved", "stock_quantity",
    "reorder_threshold", "is_low", "stock_value",
)  # fmt: skip


def _inventory_rows(ids: list[int]) -> list[Row]:
    shown = _columns(INVENTORY_COLUMNS)
    return [
        shown(
            row
            | {
                "is_low": row["is_stocked"] and row["stock_quantity"] <= row["reorder_threshold"],
                "stock_value": None if row["unit_cost"] is None else row["on_hand"] * row["unit_cost"],
            }
        )
        for row in product_rows(ids)
    ]


# ---- vendors and their prices ----------------------------------------------------------------------------------------
VENDOR_COLUMNS = (
    "name", "contact_email", "contact_phone", "address", "quoted_lead_time_days", "notes", "is_active",
)  # fmt: skip
PRICE_COLUMNS = (
    "vendor", "sku", "unit_price", "lead_time_days", "minimum_order_quantity", "pack_quantity", "shipping_cost",
    "shipping_basis", "price_breaks",
)  # fmt: skip


def _find_vendors(fields: Fields) -> QuerySet[Any]:
    return find_vendors(
        search=fields.text("search", max_length=200),
        include_inactive=bool(fields.boolean("include_inactive", default=False)),
    )


def _vendor_rows(ids: list[int]) -> list[Row]:
    return [_columns(VENDOR_COLUMNS)(row) for row in vendor_rows(ids)]


def _find_prices(fields: Fields) -> QuerySet[Any]:
    found = VendorPrice.objects.filter(is_current=True, vendor__is_active=True)
    exact = {"vendor_id": fields.identifier("vendor_id"), "product_id": fields.identifier("product_id")}
    return found.filter(**{name: one for name, one in exact.items() if one is not None})


def breaks_text(breaks: Sequence[tuple[Decimal, Decimal]]) -> str:
    """Price breaks in one cell: `10: 4.50; 50: 4`."""
    return "; ".join(f"{quantity:f}: {price:f}" for quantity, price in breaks)


def _price_rows(ids: list[int]) -> list[Row]:
    shown = _columns(PRICE_COLUMNS)
    return [
        shown(
            row
            | {
                "vendor": row["vendor_name"],
                "price_breaks": breaks_text([(one["from_quantity"], one["unit_price"]) for one in row["price_breaks"]]),
            }
        )
        for row in price_rows(ids)
    ]


# ---- orders and movements --------------------------------------------------------------------------------------------
ORDER_COLUMNS = (
    "order_id", "external_reference", "status", "customer", "placed_at", "sku", "quantity", "unit_price", "notes",
)  # fmt: skip
MOVEMENT_COLUMNS = (
    "id", "created_at", "sku", "warehouse", "movement_type", "quantity", "unit_cost", "reference_number", "reason",
    "balance_after",
)  # fmt: skip


def _find_orders(fields: Fields) -> QuerySet[Any]:
    wanted = OrderFilter(
        user_id=fields.identifier("user_id"),
        status=fields.choice("status", OrderStatus.values),
        customer=fields.text("customer", max_length=200),
        search=fields.text("search", max_length=200),
        created_from=fields.moment("created_from_date"),
        created_to=fields.moment("created_to_date", end_of_day=True),
    )
    return find_orders(wanted)


def _order_rows(ids: list[int]) -> list[Row]:
    lines: dict[int, list[Row]] = {}
    for order_id, *values in (
        OrderLine.objects.filter(order_id__in=ids)
        .order_by("id")
        .values_list("order_id", "product__sku", "quantity", "unit_price")
    ):
        lines.setdefault(order_id, []).append(values)
    heads = Order.objects.filter(id__in=ids).order_by("id")
    columns = ("id", "external_reference", "status", "customer__code", "placed_at", "notes")
    return [
        [*head, *values, notes] for *head, notes in heads.values_list(*columns) for values in lines.get(head[0], [])
    ]


def _find_movements(fields: Fields) -> QuerySet[Any]:
    wanted = MovementFilter(
        product_id=fields.identifier("product_id"),
        warehouse_id=fields.identifier("warehouse_id"),
        movement_type=fields.choice("movement_type", MovementType.values),
        reference=fields.text("reference", max_length=100),
        search=fields.text("search", max_length=200),
        created_from=fields.moment("created_from_date"),
        created_to=fields.moment("created_to_date", end_of_day=True),
        newest_first=False,
    )
    return find_movements(wanted)


def _movement_rows(ids: list[int]) -> list[Row]:
    codes = dict(warehouse_codes())
    shown = _columns(MOVEMENT_COLUMNS)
    return [shown(row | {"warehouse": codes[row["warehouse_id"]]}) for row in movement_rows(ids)]


SALE_COLUMNS = ("sale_date", "order_id", "product_id", "product_name", "quantity", "unit_price", "total_amount")


def _find_sales(fields: Fields) -> QuerySet[Any]:
    return find_sales(
        product_id=fields.identifier("product_id"),
        sold_from=fields.moment("created_from_date"),
        sold_to=fields.moment("created_to_date", end_of_day=True),
    )


def _sale_rows(ids: list[int]) -> list[Row]:
    return [_columns(SALE_COLUMNS)(row) for row in sale_rows(ids)]


_MOVEMENT_FILTERS = ("product_id", "warehouse_id", "movement_type", "reference", "search", *_DATES)
EXPORTS: dict[str, Table] = {
    table.name: table
    for table in (
        Table("products", _PRODUCT_FILTERS, _find_products, _product_header, _product_rows),
        Table("vendors", ("search", "include_inactive"), _find_vendors, lambda: list(VENDOR_COLUMNS), _vendor_rows),
        Table("prices", ("vendor_id", "product_id"), _find_prices, lambda: list(PRICE_COLUMNS), _price_rows),
        Table(
            "orders",
            ("user_id", "status", "customer", "search", *_DATES),
            _find_orders,
            lambda: list(ORDER_COLUMNS),
            _order_rows,
        ),
        Table("movements", _MOVEMENT_FILTERS, _find_movements, lambda: list(MOVEMENT_COLUMNS), _movement_rows),
    )
}
REPORTS: dict[str, Table] = {
    table.name: table
    for table in (
        Table("inventory", _PRODUCT_FILTERS, _find_products, lambda: list(INVENTORY_COLUMNS), _inventory_rows),
        Table("sales", ("product_id", *_DATES), _find_sales, lambda: list(SALE_COLUMNS), _sale_rows),
        Table("movements", _MOVEMENT_FILTERS, _find_movements, lambda: list(MOVEMENT_COLUMNS), _movement_rows),
    )
}
