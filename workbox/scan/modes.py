"""What one scan does in each mode: the code becomes a product and a quantity, then the mode's service books it.

Called with the actor and the walls set; what writes (`WRITES`) inside one transaction, a look-up and a pick without.
Answers say in words what happened, with the numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.capabilities import ORDERS_FULFIL, PURCHASING_RECEIVE, STOCK_POST, STOCK_READ
from inventory.errors import BarcodeUnknown, ProductUnknown
from inventory.gs1 import read
from inventory.models import CountLine, MovementType, Product, StockLevel, StockOperation, Warehouse
from inventory.queries import product_ids_by_sku, products_by_barcode
from inventory.services import counts, ledger, transfers
from inventory.services.counts import Found
from inventory.services.ledger import Movement, Posted
from orders import services as orders
from orders.errors import IllegalTransition, OrderUnknown
from orders.models import Order
from orders.states import CAN_SHIP, OrderStatus
from purchasing.models import PurchaseOrderLine
from purchasing.services.receipts import Received, receive_purchase_order
from workbox.core import walls
from workbox.core.admin import quantity_text, signed_text
from workbox.core.errors import Invalid, RuleViolation

ZERO, ONE = Decimal(0), Decimal(1)
LOOK_UP, RECEIVE, PICK, SHIP, COUNT, MOVE, ADJUST = "look_up", "receive", "pick", "ship", "count", "move", "adjust"
# Mode → what its user must be able to do; a receipt on a purchase order asks for PURCHASING_RECEIVE instead.
NEEDS = {
    LOOK_UP: STOCK_READ,
    RECEIVE: STOCK_POST,
    PICK: ORDERS_FULFIL,
    SHIP: ORDERS_FULFIL,
    COUNT: STOCK_POST,
    MOVE: STOCK_POST,
    ADJUST: STOCK_POST,
}


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan as it was handed in."""

    mode: str
    code: str = ""
    quantity: Decimal = ONE
    made_at: datetime | None = None  # None: just now
    warehouse_id: int | None = None
    to_warehouse_id: int | None = None
    purchase_order_id: int | None = None
    order_id: int | None = None
    count_id: int | None = None
    reason: str = ""
    takes_away: bool = False
    quantities: Mapping[int, Decimal] = field(default_factory=dict)  # product id → picked so far, or to ship

    @property
    def needs(self) -> str:
        """The capability this scan asks for."""
        return PURCHASING_RECEIVE if self.mode == RECEIVE and self.purchase_order_id else NEEDS[self.mode]


@dataclass(frozen=True, slots=True)
class Item:
    """The product behind a code, and how many of it the scan means."""

    product: Product
    quantity: Decimal

    @property
    def words(self) -> str:
        """`12 × Desk lamp (LAMP-01)`."""
        return f"{quantity_text(self.quantity)} × {self.product.name} ({self.product.sku})"


Answer = dict[str, Any]


def answer(scan: Scan, text: str, item: Item | None, *, made: dict[str, Any] | None = None, **more: Any) -> Answer:
    """What goes back to the station; `made` is what an undo has to know (None: there is nothing to undo)."""
    told: Answer = {"mode": scan.mode, "text": text, "undo": made is not None, **more}
    if item is not None:
        product = item.product
        told["product"] = {
            "id": product.pk,
            "sku": product.sku,
            "name": product.name,
            "url": reverse("admin:inventory_product_change", args=[product.pk]),
        }
        told["quantity"] = item.quantity
    return told | ({"made": made} if made is not None else {})


class UnknownCode(BarcodeUnknown):
    """Neither a barcode nor a SKU; says how a person links it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        known = f"No product has the barcode or SKU “{code}”."
        self.detail = f"{known} Link it on its product's page, under Barcodes, and scan again."
        self.args = (self.detail,)


def resolve(scan: Scan) -> Item:
    """The product a code means (barcode first, then SKU), and how many: quantity × pack × what a GS1 symbol counts.

    Raises UnknownCode.
    """
    scanned = read(scan.code)
    if not scanned.code:
        raise Invalid("Scan a code first.", fields={"code": ["must not be empty"]})
    found = products_by_barcode([scanned.code]).get(scanned.code)
    product_id, pack = found or (product_ids_by_sku([scanned.code]).get(scanned.code), ONE)
    product = Product.objects.filter(pk=product_id).select_related("unit", "stock").first() if product_id else None
    if product is None:
        raise UnknownCode(scanned.code)
    return Item(product, scan.quantity * pack * scanned.count)


# ---- look up ---------------------------------------------------------------------------------------------------------
def look_up(scan: Scan) -> Answer:
    """How much there is, where; nothing is written."""
    item = resolve(scan)
    product, total = item.product, item.product.stock
    levels = walls.of(StockLevel.objects.filter(product=product)).select_related("warehouse")
    rows = [
        {
            "warehouse": level.warehouse.name,
            "bin": level.bin,
            "on_hand": quantity_text(level.on_hand),
            "available": quantity_text(level.available) if level.warehouse.is_sellable else "not for sale",
        }
        for level in levels.order_by("warehouse__priority", "warehouse_id")
    ]
    state = "" if product.is_active else " It is retired."
    text = f"{product.name} ({product.sku}): {quantity_text(total.available)} {product.unit.code} available.{state}"
    return answer(scan, text, item, places=rows)


# ---- receive ---------------------------------------------------------------------------------------------------------
def receive(scan: Scan) -> Answer:
    """Goods came in: on a purchase order, or by themselves with a reason."""
    item = resolve(scan)
    return _receive_ordered(scan, item) if scan.purchase_order_id else _receive_plain(scan, item)


def _receive_ordered(scan: Scan, item: Item) -> Answer:
    receipt = receive_purchase_order(
        scan.purchase_order_id or 0, [Received(item.product.pk, item.quantity)], received_at=scan.made_at
    )
    line = PurchaseOrderLine.objects.get(order_id=receipt.order_id, product=item.product)
    so_far = f"{quantity_text(line.received_quantity)} of {quantity_text(line.quantity)}"
    text = f"Received {item.words} on {receipt.order}: {so_far}."
    return answer(scan, text, item, made={"receipt_id": receipt.pk})


def _receive_plain(scan: Scan, item: Item) -> Answer:
    place = _place(scan.warehouse_id, "warehouse_id")
    line = Movement(item.product.pk, place.pk, MovementType.PURCHASE, _positive(item))
    posted = ledger.post(
        [line], kind=StockOperation.Kind.MOVEMENT, reason=_reason(scan, "a receipt without a purchase order"),
        occurred_at=scan.made_at,
    )  # fmt: skip
    text = f"Received {item.words} into {place.name}: {_now(posted, item)}."
    return answer(scan, text, item, made={"operation_id": posted.operation_id})


# ---- pick and ship ---------------------------------------------------------------------------------------------------
def pick(scan: Scan) -> Answer:
    """The product is on the order and still open: it goes into the station's basket; nothing is written yet.

    `quantities` is what the basket holds already. Raises IllegalTransition, Invalid (not on the order), RuleViolation
    (more than is open).
    """
    item = resolve(scan)
    order = _open_order(scan)
    open_ = _open_of(order)
    if item.product.pk not in open_:
        raise Invalid(
            f"{item.product.name} ({item.product.sku}) is not on order {order.id}: put it back.",
            fields={"code": ["not on the order"]},
        )
    most, before = open_[item.product.pk], scan.quantities.get(item.product.pk, ZERO)
    if before + _positive(item) > most:
        raise RuleViolation(
            f"Order {order.id} waits for {quantity_text(most)} × {item.product.name} and {quantity_text(before)} are"
            " picked: put this back.",
            code="over_pick",
            fields={"quantity": ["more than is open"]},
        )
    so_far = f"{quantity_text(before + item.quantity)} of {quantity_text(most)}"
    left = sum(open_.values(), ZERO) - sum(scan.quantities.values(), ZERO) - item.quantity
    text = f"Picked {item.words} for order {order.id}: {so_far}. {quantity_text(max(left, ZERO))} to go."
    return answer(scan, text, item, order_id=order.id, left=left)


def ship(scan: Scan) -> Answer:
    """What was picked leaves, as one shipment. All that is open takes charges (postage) along."""
    if not scan.quantities:
        raise Invalid("Pick at least one product first.", fields={"quantities": ["must not be empty"]})
    order = _open_order(scan, lock=True)  # nobody ships of it between this look and the shipment
    is_all = _open_of(order) == dict(scan.quantities)
    shipped = orders.ship_order(order.id, quantities=None if is_all else scan.quantities, shipped_at=scan.made_at)
    units = quantity_text(sum(scan.quantities.values(), ZERO))
    status = str(OrderStatus(shipped.status).label).lower()
    return answer(scan, f"Order {order.id}: {units} units shipped. It is {status} now.", None, order_id=order.id)


def _open_order(scan: Scan, *, lock: bool = False) -> orders.PlacedOrder:
    if not scan.order_id:
        raise Invalid("Choose the order to pick first.", fields={"order_id": ["this field is required"]})
    if not walls.of(Order.objects.filter(pk=scan.order_id)).exists():
        raise OrderUnknown(f"There is no order {scan.order_id}.")
    order = orders.read_order(scan.order_id, lock=lock)
    if order.status not in CAN_SHIP:
        raise IllegalTransition(order.id, order.status, "picked")
    return order


def _open_of(order: orders.PlacedOrder) -> dict[int, Decimal]:
    """Product id → ordered and not shipped, of what is stocked."""
    stocked = set(
        Product.objects.filter(pk__in=[line.product_id for line in order.lines], is_stocked=True).values_list(
            "pk", flat=True
        )
    )
    found: dict[int, Decimal] = {}
    for line in order.lines:
        left = line.quantity - line.shipped_quantity
        if line.product_id in stocked and left > 0:
            found[line.product_id] = found.get(line.product_id, ZERO) + left
    return found


# ---- count, move, adjust ---------------------------------------------------------------------------------------------
def count(scan: Scan) -> Answer:
    """What was found is added to the product's line of the count, as of the moment it was scanned."""
    item = resolve(scan)
    if not scan.count_id:
        raise Invalid("Choose the count first.", fields={"count_id": ["this field is required"]})
    counts.read_count(scan.count_id, lock=True)  # what stands on its lines now is what an undo restores
    former = CountLine.objects.filter(count_id=scan.count_id, product=item.product).first()
    at = scan.made_at or datetime.now(UTC)
    counted = counts.record(scan.count_id, [Found(item.product.pk, _positive(item), at=at, adds=True)])
    line = next(one for one in counted.lines if one.product_id == item.product.pk)
    text = f"Counted {item.words}: {quantity_text(line.counted)} found in {counted.warehouse} so far."
    made = {
        "count_id": counted.id,
        "product_id": item.product.pk,
        "left": line.counted,
        "former": former and {"quantity": former.counted_quantity, "at": former.counted_at.isoformat()},
    }
    return answer(scan, text, item, made=made)


def move(scan: Scan) -> Answer:
    """The goods are in the other warehouse: a transfer that left and arrived in one step."""
    item = resolve(scan)
    source, target = _place(scan.warehouse_id, "warehouse_id"), _place(scan.to_warehouse_id, "to_warehouse_id")
    return answer(
        scan,
        f"Moved {item.words} from {source.name} to {target.name}.",
        item,
        made=moved(item.product.pk, item.quantity, source=source.pk, target=target.pk, notes=scan.reason or "Scanned"),
    )


def moved(product_id: int, quantity: Decimal, *, source: int, target: int, notes: str) -> dict[str, Any]:
    """A transfer of one product, made and completed; returns what an undo has to know."""
    made = transfers.create_transfer(
        {product_id: quantity}, from_warehouse_id=source, to_warehouse_id=target, notes=notes
    )
    transfers.complete_transfer(made.id)
    return {
        "transfer_id": made.id, "product_id": product_id, "quantity": quantity, "source": source, "target": target,
    }  # fmt: skip


def adjust(scan: Scan) -> Answer:
    """More or less than the books said, with the reason."""
    item = resolve(scan)
    place = _place(scan.warehouse_id, "warehouse_id")
    change = -_positive(item) if scan.takes_away else _positive(item)
    posted = ledger.post(
        [Movement(item.product.pk, place.pk, MovementType.ADJUSTMENT, change)],
        kind=StockOperation.Kind.ADJUSTMENT,
        reason=_reason(scan, "an adjustment"),
        occurred_at=scan.made_at,
    )
    name = f"{item.product.name} ({item.product.sku})"
    text = f"{name}: {signed_text(change)} in {place.name}, {_now(posted, item)}."
    return answer(scan, text, item, made={"operation_id": posted.operation_id})


def _positive(item: Item) -> Decimal:
    if item.quantity <= 0:
        raise Invalid("The quantity of a scan must be above zero.", fields={"quantity": ["must be above zero"]})
    return item.quantity


def _reason(scan: Scan, what: str) -> str:
    if not scan.reason.strip():
        raise Invalid(f"Say why: {what} needs a reason.", fields={"reason": ["this field is required"]})
    return scan.reason.strip()


def _place(warehouse_id: int | None, name: str) -> Warehouse:
    if not warehouse_id:
        raise Invalid("Choose the warehouse first.", fields={name: ["this field is required"]})
    ledger.refuse_foreign([warehouse_id])
    place = Warehouse.objects.filter(pk=warehouse_id, is_active=True).first()
    if place is None:
        raise Invalid(f"There is no open warehouse {warehouse_id}.", fields={name: ["unknown warehouse"]})
    return place


def _now(posted: Posted, item: Item) -> str:
    after = posted.stock.get(item.product.pk)
    if after is None:
        raise ProductUnknown(f"There is no product {item.product.pk}.")
    return f"{quantity_text(after.on_hand)} on hand now, {quantity_text(after.available)} available"


WORK: Mapping[str, Callable[[Scan], Answer]] = {
    LOOK_UP: look_up, RECEIVE: receive, PICK: pick, SHIP: ship, COUNT: count, MOVE: move, ADJUST: adjust,
}  # fmt: skip
WRITES = frozenset({RECEIVE, SHIP, COUNT, MOVE, ADJUST})
