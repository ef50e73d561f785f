"""The life of a purchase order up to the door: make, change, send, cancel, close short. Receiving is in `receipts.py`.

Each step is one transaction that first claims the order's row by a conditional UPDATE: of two that want different steps
one wins, the other waits and then sees the winner's status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from inventory.errors import ProductUnknown, WarehouseUnknown
from inventory.models import Warehouse
from inventory.services.ledger import check_quantity, default_warehouse
from inventory.services.levels import read_shelf
from purchasing.errors import EmptyPurchaseOrder, IllegalPurchaseStep, PurchaseOrderUnknown, VendorUnknown
from purchasing.events import purchase_order_updated
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt, Vendor
from purchasing.offers import unit_price_for
from purchasing.queries import current_terms, lead_times
from purchasing.states import CAN_CANCEL, CAN_CHANGE, CAN_CLOSE, CAN_SEND, PurchaseStatus
from workbox.core import context, events, walls
from workbox.core.db import transactional
from workbox.core.errors import Invalid, RuleViolation
from workbox.core.numbers import MONEY_MAX, MONEY_PLACES

ZERO = Decimal(0)
LINES_MAX = 200
DRAFT_FIELDS = frozenset({"warehouse_id", "expected_on", "notes", "reference"})
_MONEY_STEP = Decimal(1).scaleb(-MONEY_PLACES)


@dataclass(frozen=True, slots=True)
class PurchaseItem:
    """One product to buy; `unit_cost` None: what the vendor asks now for so many."""

    product_id: int
    quantity: Decimal
    unit_cost: Decimal | None = None


@transactional
def create_purchase_order(
    vendor_id: int,
    items: Sequence[PurchaseItem],
    *,
    warehouse_id: int | None = None,
    expected_on: date | None = None,
    notes: str = "",
    reference: str = "",
    created_by_id: int | None = None,
    created_at: datetime | None = None,
) -> PurchaseOrder:
    """A draft for this vendor, to be delivered into one warehouse (None: the one orders are filled from first).

    Raises VendorUnknown, WarehouseUnknown, ProductUnknown, EmptyPurchaseOrder, Invalid (twice the same product,
    quantities), RuleViolation (former vendor, charge, a line without a cost of a product the vendor has no price for).
    """
    _open_vendor(vendor_id)
    place = _open_warehouse(warehouse_id)
    lines = _lines(vendor_id, items)
    moment = created_at or datetime.now(UTC)
    order = PurchaseOrder.objects.create(
        vendor_id=vendor_id,
        warehouse_id=place,
        total_amount=_total(lines),
        expected_on=expected_on,
        notes=notes,
        reference=reference,
        created_by_id=created_by_id or context.actor_id.get(),
        created_at=moment,
        updated_at=moment,
    )
    _write_lines(order, lines)
    events.append([updated(order, previous=None)])
    return order


@transactional
def change_purchase_order(
    order_id: int, values: Mapping[str, Any], *, items: Sequence[PurchaseItem] | None = None
) -> PurchaseOrder:
    """A draft says these things now; `items` replaces all its lines. Of `values` only DRAFT_FIELDS count.

    Raises PurchaseOrderUnknown, IllegalPurchaseStep when it was sent, and what `create_purchase_order` raises.
    """
    order = claim(order_id, allowed=CAN_CHANGE, step="changed", hint="Only drafts are edited.")
    for name in DRAFT_FIELDS & values.keys():
        setattr(order, name, values[name])
    if "warehouse_id" in values:
        order.warehouse_id = _open_warehouse(values["warehouse_id"])
    if items is not None:
        lines = _lines(order.vendor_id, items)
        order.total_amount = _total(lines)
        PurchaseOrderLine.objects.filter(order_id=order_id).delete()
        _write_lines(order, lines)
    order.save(update_fields=[*sorted(DRAFT_FIELDS), "total_amount"])
    events.append([updated(order, previous=order.status)])
    return order


@transactional
def send_purchase_order(order_id: int, *, sent_at: datetime | None = None) -> PurchaseOrder:
    """The vendor has the order: it is frozen, counts as on order, and its lead time runs from here.

    Without an `expected_on` the day is reckoned from the slowest line's lead time. Raises PurchaseOrderUnknown,
    IllegalPurchaseStep, RuleViolation for a former vendor.
    """
    order = claim(order_id, allowed=CAN_SEND, step="sent")
    _open_vendor(order.vendor_id)
    order.sent_at = sent_at or datetime.now(UTC)
    if order.expected_on is None:
        order.expected_on = order.sent_at.date() + timedelta(days=_days_to_wait(order))
    return move(order, PurchaseStatus.SENT, "sent_at", "expected_on")


@transactional
def cancel_purchase_order(order_id: int, *, reason: str = "") -> PurchaseOrder:
    """The order is off; possible while nothing of it came in. Raises PurchaseOrderUnknown, IllegalPurchaseStep."""
    order = claim(order_id, allowed=CAN_CANCEL, step="cancelled", hint="Once goods came in, close it short to end it.")
    order.cancelled_at = datetime.now(UTC)
    return move(order, PurchaseStatus.CANCELLED, "cancelled_at", reason=reason)


@transactional
def close_short(order_id: int, *, reason: str = "") -> PurchaseOrder:
    """What is still open never comes: a partially received order ends as received, its lines as they are.

    Raises PurchaseOrderUnknown, IllegalPurchaseStep.
    """
    order = claim(
        order_id, allowed=CAN_CLOSE, step="closed short", hint="Only partially received orders are closed short."
    )
    order.closed_at = datetime.now(UTC)
    order.received_at = last_received_at(order_id) or order.closed_at
    return move(order, PurchaseStatus.RECEIVED, "closed_at", "received_at", reason=reason, closed_short=True)


def last_received_at(order_id: int) -> datetime | None:
    """When the last of what came in and stayed did; a receipt that was undone tells nothing."""
    stayed = Receipt.objects.filter(order_id=order_id, operation__reversed_by__isnull=True)
    return stayed.order_by("-received_at").values_list("received_at", flat=True).first()


# ---- the order's row -------------------------------------------------------------------------------------------------
def locked_purchase_order(order_id: int) -> PurchaseOrder:
    """The order, held until the transaction ends; raises PurchaseOrderUnknown."""
    order = walls.within(PurchaseOrder.objects.select_for_update().filter(pk=order_id), "warehouse_id").first()
    if order is None:
        raise PurchaseOrderUnknown(f"There is no purchase order {order_id}.")
    return order


def claim(order_id: int, *, allowed: frozenset[PurchaseStatus], step: str, hint: str = "") -> PurchaseOrder:
    """Hold the order's row if its status allows the step; returns it with the status before the step.

    Expects a running transaction: nobody else moves the order on until it ends. Raises PurchaseOrderUnknown,
    IllegalPurchaseStep with the status somebody faster gave it.
    """
    statuses = sorted(one.value for one in allowed)
    known = walls.within(PurchaseOrder.objects.filter(pk=order_id), "warehouse_id")
    won = known.filter(status__in=statuses).update(updated_at=datetime.now(UTC))
    order = known.first()
    if order is None:
        raise PurchaseOrderUnknown(f"There is no purchase order {order_id}.")
    if not won:
        raise IllegalPurchaseStep(order_id, order.status, step, hint=hint)
    return order


def move(order: PurchaseOrder, status: PurchaseStatus, *columns: str, **facts: Any) -> PurchaseOrder:
    """Give a claimed order its new status with these columns as they are set on it, and tell; the order's last act."""
    previous, order.status = order.status, status.value
    order.save(update_fields=["status", *columns])
    events.append([updated(order, previous=previous, **facts)])
    return order


def updated(order: PurchaseOrder, *, previous: str | None, **facts: Any) -> events.NewEvent:
    """The order's news."""
    return purchase_order_updated(
        order_id=order.pk,
        vendor_id=order.vendor_id,
        warehouse_id=order.warehouse_id,
        status=str(order.status),
        previous_status=previous,
        total_amount=order.total_amount,
        expected_on=order.expected_on,
        **facts,
    )


# ---- what a draft may say --------------------------------------------------------------------------------------------
def _open_vendor(vendor_id: int) -> None:
    vendor = Vendor.objects.filter(pk=vendor_id).first()
    if vendor is None:
        raise VendorUnknown(f"There is no vendor {vendor_id}.", fields={"vendor_id": ["unknown vendor"]})
    if not vendor.is_active:
        raise RuleViolation(
            f"{vendor.name} is retired; restore it first.", code="vendor_retired", fields={"vendor_id": ["retired"]}
        )


def _open_warehouse(warehouse_id: int | None) -> int:
    if warehouse_id is None:
        return default_warehouse().pk
    if not walls.within(Warehouse.objects.filter(pk=warehouse_id, is_active=True), "pk").exists():
        raise WarehouseUnknown(
            f"There is no open warehouse {warehouse_id}.", fields={"warehouse_id": ["unknown warehouse"]}
        )
    return warehouse_id


Line = tuple[int, Decimal, Decimal]  # product id, quantity, unit cost


def _lines(vendor_id: int, items: Sequence[PurchaseItem]) -> list[Line]:
    """The lines with their costs; every rule about them, so that a draft can always be sent and received."""
    if not items:
        raise EmptyPurchaseOrder("A purchase order needs at least one line.", fields={"items": ["must not be empty"]})
    if len(items) > LINES_MAX:
        raise Invalid(f"An order may have at most {LINES_MAX} lines.", fields={"items": [f"at most {LINES_MAX}"]})
    _check_products(items)
    needs_price = [item.product_id for item in items if item.unit_cost is None]
    terms = current_terms(needs_price, vendor_id=vendor_id) if needs_price else {}
    lines, unpriced = [], {}
    for index, item in enumerate(items):
        cost = item.unit_cost
        if cost is None:
            asked = terms.get(item.product_id)
            if not asked:
                unpriced[f"items.{index}.unit_cost"] = ["this vendor has no price for it; say what it costs"]
                continue
            cost = unit_price_for(item.quantity, asked[0])
        if cost < 0:
            raise Invalid("A unit cost may not be negative.", fields={f"items.{index}.unit_cost": ["negative"]})
        lines.append((item.product_id, item.quantity, cost))
    if unpriced:
        raise RuleViolation(
            "The vendor has no price for some lines; say what they cost.", code="no_vendor_price", fields=unpriced
        )
    return lines


def _check_products(items: Sequence[PurchaseItem]) -> None:
    shelf = read_shelf((item.product_id for item in items), levels=False)
    seen: set[int] = set()
    for index, item in enumerate(items):
        here = f"items.{index}"
        product = shelf.products.get(item.product_id)
        if product is None or not product.is_active:
            raise ProductUnknown(
                f"There is no product {item.product_id} to buy.", fields={f"{here}.product_id": ["unknown product"]}
            )
        if not product.is_stocked:
            raise RuleViolation(
                f"{product.name} ({product.sku}) is a charge; no stock is kept of it.",
                code="not_stocked",
                fields={f"{here}.product_id": ["no stock is kept of it"]},
            )
        if item.product_id in seen:
            raise Invalid(
                f"{product.name} ({product.sku}) is named twice.", fields={f"{here}.product_id": ["named twice"]}
            )
        seen.add(item.product_id)
        if item.quantity <= 0:
            raise Invalid("A quantity must be above zero.", fields={f"{here}.quantity": ["must be above zero"]})
        check_quantity(item.quantity, product, name=f"{here}.quantity")


def _total(lines: Sequence[Line]) -> Decimal:
    total = sum((quantity * cost for _, quantity, cost in lines), ZERO)
    if total > MONEY_MAX * 1000:
        raise Invalid("The order's total is beyond what this shop can book.", fields={"items": ["total too large"]})
    return total.quantize(_MONEY_STEP)


def _write_lines(order: PurchaseOrder, lines: Sequence[Line]) -> None:
    PurchaseOrderLine.objects.bulk_create(
        PurchaseOrderLine(order=order, product_id=product_id, quantity=quantity, unit_cost=cost)
        for product_id, quantity, cost in lines
    )


def _days_to_wait(order: PurchaseOrder) -> int:
    product_ids = list(order.lines.values_list("product_id", flat=True))
    asked = current_terms(product_ids, vendor_id=order.vendor_id)
    quoted = order.vendor.quoted_lead_time_days
    wanted = [(order.vendor_id, one, asked[one][0].lead_time_days if one in asked else quoted) for one in product_ids]
    slowest = max(found.mean_days for found in lead_times(wanted).values())
    return int(slowest.to_integral_value(rounding=ROUND_CEILING))
