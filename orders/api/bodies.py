"""What bodies about orders say, and how an order is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.principal import Principal
from inventory.errors import ProductUnknown
from inventory.queries import product_ids_by_sku, products_by_barcode
from orders.services import LINES_MAX, Item, PlacedOrder
from workbox.core.errors import Forbidden, Invalid, RuleViolation
from workbox.core.reading import Fields, canonical

LINE_ALIASES = {"product_id": ("inventory_id",)}
SKU_LENGTH = BARCODE_LENGTH = 64
ZERO = Decimal(0)


@dataclass(slots=True)
class GivenLine:
    """A line as read: a product by id, SKU or barcode (any that are given must mean the same), and how many."""

    product_id: int | None
    sku: str
    barcode: str
    quantity: Decimal


@dataclass(slots=True)
class GivenOrder:
    """A body as read; `user_id` is whom it is for."""

    lines: list[GivenLine] = field(default_factory=list)
    user_id: int | None = None
    names_other_user: bool = False
    confirm: bool | None = None
    warehouse_id: int | None = None
    notes: str = ""
    hold_minutes: int | None = None
    plan: str | None = None


def read_lines(rows: Sequence[dict[str, Any]], fields: Fields, *, prefix: str = "items.{}.") -> list[GivenLine]:
    """The lines of a body; faults go to `fields`; nothing or less than nothing ordered raises RuleViolation."""
    lines: list[GivenLine] = []
    for index, row in enumerate(rows):
        here = prefix.format(index)
        line = Fields(canonical(row, LINE_ALIASES, prefix=here), prefix=here, faults=fields.faults)
        line.require("quantity")
        given = GivenLine(
            line.identifier("product_id"),
            line.text("sku", max_length=SKU_LENGTH),
            line.text("barcode", max_length=BARCODE_LENGTH),
            line.quantity("quantity") or ZERO,
        )
        if not (line.has("product_id") or given.sku or given.barcode):
            line.fault("product_id", "this field is required (or inventory_id, sku or barcode)")
        lines.append(given)
    fields.check()
    for index, given in enumerate(lines):
        if given.quantity <= 0:
            name = prefix.format(index) + "quantity"
            raise RuleViolation(
                f"{name} must be above zero.", code="quantity_not_positive", fields={name: ["must be above zero"]}
            )
    return lines


def read_order(body: dict[str, Any], who: Principal, *, may_order_for_others: bool) -> GivenOrder:
    """An order to place. Raises Invalid, RuleViolation, Forbidden when it names somebody else and the asker may not."""
    fields = Fields(body)
    user_id = fields.identifier("user_id")
    given = GivenOrder(
        user_id=user_id or who.id,
        names_other_user=user_id is not None and user_id != who.id,
        confirm=fields.boolean("confirm"),
        warehouse_id=fields.identifier("warehouse_id"),
        notes=fields.text("notes", max_length=500),
        hold_minutes=fields.whole("hold_minutes", low=1, high=settings.WORKBOX_HOLD_MINUTES_MAX, default=1)
        if fields.has("hold_minutes")
        else None,
        plan=fields.text("plan", max_length=64) or None,
    )
    given.lines = read_lines(fields.objects("items", most=LINES_MAX), fields)
    fields.check()
    if given.names_other_user and not may_order_for_others:
        raise Forbidden("Only staff may order for somebody else; leave user_id out.")
    return given


def resolve(lines: Sequence[GivenLine]) -> list[Item]:
    """The lines as items to order; reads the catalogue only for SKUs and barcodes. Raises ProductUnknown, Invalid."""
    skus = product_ids_by_sku([line.sku for line in lines if line.sku])
    barcodes = products_by_barcode([line.barcode for line in lines if line.barcode])
    items = []
    for index, line in enumerate(lines):
        quantity, meant = line.quantity, {line.product_id} if line.product_id else set()
        if line.sku:
            meant.add(_known(skus.get(line.sku), f"items.{index}.sku", line.sku))
        if line.barcode:
            product_id, pack = barcodes.get(line.barcode, (None, ZERO))
            meant.add(_known(product_id, f"items.{index}.barcode", line.barcode))
            quantity *= pack
        if len(meant) != 1:
            message = "product_id, sku and barcode name different products"
            raise Invalid(f"items.{index}: {message}.", code="aliases_disagree", fields={f"items.{index}": [message]})
        items.append(Item(meant.pop(), quantity))
    return items


def _known(product_id: int | None, name: str, value: str) -> int:
    if product_id is None:
        raise ProductUnknown(f"There is no product “{value}”.", fields={name: ["unknown product"]})
    return product_id


def quantities_of(fields: Fields) -> dict[int, Decimal] | None:
    """`items` of a ship or return body as product id → quantity; None when the body names no items."""
    if not fields.sent("items"):
        return None
    found: dict[int, Decimal] = {}
    for item in resolve(read_lines(fields.objects("items", most=LINES_MAX), fields)):
        found[item.product_id] = found.get(item.product_id, ZERO) + item.quantity
    fields.check()
    return found


def damaged_of(fields: Fields) -> dict[int, Decimal]:
    """Of the `items` of a return body those with `"condition": "damaged"`, as product id → quantity."""
    rows = fields.objects("items", most=LINES_MAX) if fields.sent("items") else []
    broken = []
    for index, row in enumerate(rows):
        line = Fields(row, prefix=f"items.{index}.", faults=fields.faults)
        if line.choice("condition", ("good", "damaged")) == "damaged":
            broken.append(row)
    found: dict[int, Decimal] = {}
    for item in resolve(read_lines(broken, fields)) if broken else []:
        found[item.product_id] = found.get(item.product_id, ZERO) + item.quantity
    fields.check()
    return found


def order_body(order: PlacedOrder) -> dict[str, Any]:
    """An order as every answer shows it."""
    return {
        "id": order.id,
        "user_id": order.user_id,
        "customer_id": order.customer_id,
        "warehouse_id": order.warehouse_id,
        "status": order.status,
        "channel": order.channel,
        "total_amount": order.total_amount,
        "items": [
            {
                "id": line.id,
                "product_id": line.product_id,
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "shipped_quantity": line.shipped_quantity,
                "returned_quantity": line.returned_quantity,
            }
            for line in order.lines
        ],
        "notes": order.notes,
        "created_at": order.placed_at,
        "confirmed_at": order.confirmed_at,
        "shipped_at": order.shipped_at,
        "delivered_at": order.delivered_at,
        "cancelled_at": order.cancelled_at,
        "hold_expires_at": order.hold_expires_at,
        "updated_at": order.updated_at,
    }
