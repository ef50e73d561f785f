"""What changes with a warehouse: whether it sells, whether it is open; never by a bare save.

Other fields of its own are saved by the edges, which then call `record_place`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from inventory.errors import WarehouseUnknown
from inventory.models import Product, ProductStock, StockLevel, Warehouse
from inventory.queries import open_transfers
from inventory.services.catalog import PRODUCTS_PER_STATEMENT, stock_event
from inventory.services.levels import hold
from workbox.core import changes as history
from workbox.core import events
from workbox.core.db import in_parts, transactional
from workbox.core.errors import Conflict


@transactional
def set_sellable(warehouse_id: int, *, is_sellable: bool) -> Warehouse:
    """Turn a warehouse into one that sells or one that does not; available stock of every product in it follows."""
    warehouse = Warehouse.objects.select_for_update().filter(id=warehouse_id).first()
    if warehouse is None:
        raise WarehouseUnknown(f"There is no warehouse {warehouse_id}.")
    if warehouse.is_sellable == is_sellable:
        return warehouse
    product_ids = list(StockLevel.objects.filter(warehouse=warehouse).values_list("product_id", flat=True))
    stocks = {
        row.product_id: row
        for row in ProductStock.objects.select_for_update().filter(product_id__in=product_ids).order_by("product_id")
    }
    levels = list(StockLevel.objects.filter(warehouse=warehouse, product_id__in=product_ids))
    if not is_sellable and any(level.reserved for level in levels):
        raise Conflict("Orders hold stock in this warehouse; ship or cancel them first.", code="stock_promised")
    for level in levels:
        stock = stocks[level.product_id]
        stock.available += level.available if is_sellable else -level.available
        stock.version += 1
    ProductStock.objects.bulk_update(stocks.values(), ["available", "version"], batch_size=500)
    warehouse.is_sellable = is_sellable
    warehouse.save(update_fields=["is_sellable"])
    record_place(warehouse_id, before={"is_sellable": not is_sellable}, after={"is_sellable": is_sellable})
    for part in in_parts(sorted(stocks), PRODUCTS_PER_STATEMENT):
        events.append(_news_of(part, stocks))
    return warehouse


def _news_of(product_ids: Sequence[int], stocks: Mapping[int, ProductStock]) -> list[events.NewEvent]:
    products = Product.objects.filter(id__in=product_ids).in_bulk()
    levels: dict[int, list[tuple[int, Decimal, Decimal]]] = defaultdict(list)
    rows = StockLevel.objects.filter(product_id__in=product_ids).order_by("id")
    for product_id, warehouse_id, on_hand, reserved in rows.values_list(
        "product_id", "warehouse_id", "on_hand", "reserved"
    ):
        levels[product_id].append((warehouse_id, on_hand, reserved))
    return [stock_event(products[one], stocks[one], levels[one]) for one in product_ids]


@transactional
def close_warehouse(warehouse_id: int) -> Warehouse:
    """The warehouse takes no more stock and fills no more orders; its history stays.

    Raises Conflict unless it is empty and no transfer from or to it is open.
    """
    warehouse = Warehouse.objects.select_for_update().filter(id=warehouse_id).first()
    if warehouse is None:
        raise WarehouseUnknown(f"There is no warehouse {warehouse_id}.")
    # Who is about to post here holds its product, or will see after it that the warehouse is closed (`levels.change`).
    hold(StockLevel.objects.filter(warehouse=warehouse).values_list("product_id", flat=True))
    levels = StockLevel.objects.select_for_update().filter(warehouse=warehouse).order_by("id")
    if any(level.on_hand for level in levels):
        raise Conflict("There is still stock in this warehouse; move it out first.", code="warehouse_not_empty")
    if open_transfers(warehouse_id).exists():
        raise Conflict(
            "Transfers from or to this warehouse are still open; complete or cancel them first.",
            code="warehouse_has_transfers",
        )
    record_place(warehouse_id, before={"is_active": warehouse.is_active}, after={"is_active": False})
    warehouse.is_active = False
    warehouse.save(update_fields=["is_active"])
    return warehouse


@transactional
def reopen_warehouse(warehouse_id: int) -> Warehouse:
    """The warehouse takes stock and fills orders again. Raises WarehouseUnknown."""
    warehouse = Warehouse.objects.select_for_update().filter(id=warehouse_id).first()
    if warehouse is None:
        raise WarehouseUnknown(f"There is no warehouse {warehouse_id}.")
    record_place(warehouse_id, before={"is_active": warehouse.is_active}, after={"is_active": True})
    warehouse.is_active = True
    warehouse.save(update_fields=["is_active"])
    return warehouse


def record_place(warehouse_id: int, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """What a warehouse's own fields were and are is history. Expects the transaction that changes them."""
    events.outdate(events.CATALOG)
    history.record(
        history.differences(history.WAREHOUSE, warehouse_id, before=before, after=after, warehouse_id=warehouse_id)
    )
