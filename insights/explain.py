"""Why a product's available stock is what it is: every document behind the number, and a sum that comes out exactly.

Joins what inventory, orders and purchasing know; changes nothing.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import OuterRef, Subquery

from inventory.errors import ProductUnknown
from inventory.models import (
    ProductStock,
    Reservation,
    StockLevel,
    StockMovement,
    StockOperation,
    Transfer,
    TransferLine,
    Warehouse,
)
from inventory.services.levels import hold
from orders.models import Order, OrderLine
from purchasing.models import Vendor
from purchasing.queries import incoming
from workbox.core import walls
from workbox.core.db import transact
from workbox.core.numbers import plain

T = TypeVar("T")
ZERO = Decimal(0)
LOOKS_MAX = 3
Holder = Reservation.Holder


def explain(product_id: int) -> dict[str, Any]:
    """The documents behind the product's available stock, and the equation that adds them up.

    A fixed number of statements. They are read at one version of the product's stock, so that the parts add up even
    while others sell. Raises ProductUnknown.
    """
    return _at_one_version(product_id, _explained)


def _at_one_version(product_id: int, look: Callable[[ProductStock], T]) -> T:
    """What `look` finds while the product's stock does not change: looked again if it did, at last with it held."""
    for _ in range(LOOKS_MAX):
        stock = _stock_of(product_id)
        found = look(stock)
        if _stock_of(product_id).version == stock.version:
            return found

    def held() -> T:
        hold([product_id])
        return look(_stock_of(product_id))

    return transact(held)


def _stock_of(product_id: int) -> ProductStock:
    found = ProductStock.objects.select_related("product__unit").filter(product_id=product_id).first()
    if found is None:
        raise ProductUnknown(f"There is no product {product_id}.")
    return found


def _explained(stock: ProductStock) -> dict[str, Any]:
    warehouses = _warehouses(stock.product_id)
    reservations = _reservations(stock.product_id)
    return {
        "product_id": stock.product_id,
        "sku": stock.product.sku,
        "name": stock.product.name,
        "unit_of_measure": stock.product.unit.code,
        "stock_quantity": stock.available,
        "on_hand": stock.on_hand,
        "reserved": stock.reserved,
        "warehouses": warehouses,
        "reservations": reservations,
        "in_transit": _in_transit(stock.product_id),
        "not_for_sale": sum((row["on_hand"] for row in warehouses if not row["is_sellable"]), ZERO),
        "incoming": _incoming(stock.product_id),
        "equation": _equation(stock.available, warehouses, reservations),
    }


def _warehouses(product_id: int) -> list[dict[str, Any]]:
    last = StockMovement.objects.filter(product_id=OuterRef("product_id"), warehouse_id=OuterRef("warehouse_id"))
    levels = list(
        walls.within(StockLevel.objects.filter(product_id=product_id), "warehouse_id")
        .annotate(last_movement_id=Subquery(last.order_by("-id").values("id")[:1]))
        .select_related("warehouse")
        .order_by("warehouse__priority", "warehouse_id")
    )
    moved = (
        StockMovement.objects.filter(id__in=[level.last_movement_id for level in levels if level.last_movement_id])
        .select_related("operation")
        .in_bulk()
    )
    return [
        {
            "warehouse_id": level.warehouse_id,
            "warehouse_name": level.warehouse.name,
            "is_sellable": level.warehouse.is_sellable,
            "on_hand": level.on_hand,
            "reserved": level.reserved,
            "available": level.available if level.warehouse.is_sellable else ZERO,
            "last_operation": _last(moved.get(level.last_movement_id)),
        }
        for level in levels
    ]


def _last(movement: StockMovement | None) -> dict[str, Any] | None:
    if movement is None:
        return None
    operation: StockOperation = movement.operation
    return {
        "operation_id": operation.pk,
        "kind": operation.kind,
        "reference_number": operation.reference,
        "reason": operation.reason,
        "quantity": movement.quantity,
        "created_at": movement.created_at,
    }


def _reservations(product_id: int) -> list[dict[str, Any]]:
    rows = list(
        walls.within(Reservation.objects.filter(level__product_id=product_id, quantity__gt=0), "level__warehouse_id")
        .select_related("level__warehouse", "hold")
        .order_by("id")
    )
    orders = _orders([row.holder_id for row in rows if row.holder_type == Holder.ORDER_LINE])
    transfers = _transfers([row.holder_id for row in rows if row.holder_type == Holder.TRANSFER_LINE])
    now = datetime.now(UTC)
    found = []
    for row in rows:
        expires = row.hold.expires_at if hasattr(row, "hold") else None
        is_order = row.holder_type == Holder.ORDER_LINE
        order = orders.get(row.holder_id) if is_order else None
        transfer = None if is_order else transfers.get(row.holder_id)
        holder = order or transfer
        found.append(
            {
                "reservation_id": row.pk,
                "kind": "order" if is_order else "transfer",
                "order_id": order.pk if order else None,
                "transfer_id": transfer.pk if transfer else None,
                "status": holder.status if holder else None,
                "customer": _customer(order) if order else None,
                "to_warehouse_id": transfer.to_warehouse_id if transfer else None,
                "warehouse_id": row.level.warehouse_id,
                "warehouse_name": row.level.warehouse.name,
                "is_sellable": row.level.warehouse.is_sellable,
                "quantity": row.quantity,
                "hold_expires_at": expires,
                "is_expired": expires is not None and expires <= now,
                "created_at": row.created_at,
            }
        )
    return found


def _orders(line_ids: list[int]) -> dict[int, Order]:
    """Order line id → its order."""
    lines = OrderLine.objects.filter(id__in=line_ids).select_related("order__customer", "order__user")
    return {line.pk: line.order for line in lines}


def _transfers(line_ids: list[int]) -> dict[int, Transfer]:
    """Transfer line id → its transfer."""
    return {line.pk: line.transfer for line in TransferLine.objects.filter(id__in=line_ids).select_related("transfer")}


def _customer(order: Order) -> str | None:
    if order.customer is not None:
        return order.customer.name
    return order.user.username if order.user is not None else None


def _in_transit(product_id: int) -> list[dict[str, Any]]:
    lines = (
        walls.within(
            TransferLine.objects.filter(product_id=product_id, transfer__status=Transfer.Status.IN_TRANSIT),
            "transfer__from_warehouse_id",
            "transfer__to_warehouse_id",
        )
        .select_related("transfer__from_warehouse", "transfer__to_warehouse")
        .order_by("id")
    )
    return [
        {
            "transfer_id": line.transfer_id,
            "quantity": line.quantity,
            "from_warehouse_id": line.transfer.from_warehouse_id,
            "from_warehouse_name": line.transfer.from_warehouse.name,
            "to_warehouse_id": line.transfer.to_warehouse_id,
            "to_warehouse_name": line.transfer.to_warehouse.name,
            "dispatched_at": line.transfer.dispatched_at,
        }
        for line in lines
    ]


def _incoming(product_id: int) -> list[dict[str, Any]]:
    rows = [row for row in incoming([product_id]) if not walls.hides(row.warehouse_id)]
    vendors = dict(Vendor.objects.filter(id__in={row.vendor_id for row in rows}).values_list("id", "name"))
    places = dict(Warehouse.objects.filter(id__in={row.warehouse_id for row in rows}).values_list("id", "name"))
    return [
        {
            "purchase_order_id": row.purchase_order_id,
            "vendor_id": row.vendor_id,
            "vendor_name": vendors[row.vendor_id],
            "warehouse_id": row.warehouse_id,
            "warehouse_name": places[row.warehouse_id],
            "quantity": row.quantity,
            "expected_on": row.expected_on,
        }
        for row in rows
    ]


def _equation(
    available: Decimal, warehouses: list[dict[str, Any]], reservations: list[dict[str, Any]]
) -> dict[str, Any]:
    """What stands in warehouses that sell, less each promise made there; what does not sell is not in the sum."""
    parts = [
        {"part": "on_hand", "what": f"on hand in {row['warehouse_name']}", "quantity": row["on_hand"]}
        for row in warehouses
        if row["is_sellable"] and row["on_hand"]
    ]
    parts += [
        {
            "part": row["kind"],
            "what": f"{row['kind']} {row['order_id'] or row['transfer_id']} from {row['warehouse_name']}",
            "quantity": -row["quantity"],
        }
        for row in reservations
        if row["is_sellable"]
    ]
    rest = available - sum((one["quantity"] for one in parts), ZERO)
    if rest and walls.own() is not None:
        parts.append({"part": "elsewhere", "what": "in warehouses that are not yours", "quantity": rest})
    text = " ".join(
        f"{'−' if one['quantity'] < 0 else '+'} {plain(abs(one['quantity']))} ({one['what']})" for one in parts
    )
    return {
        "available": available,
        "parts": parts,
        "text": f"available {plain(available)} = {text.removeprefix('+ ') or '0'}",
    }
