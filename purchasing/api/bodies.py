"""What bodies about vendors, prices and purchase orders say."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from inventory.errors import ProductUnknown
from inventory.queries import product_ids_by_sku, products_by_barcode
from purchasing.models import LEAD_TIME_DAYS_MAX, NAME_LENGTH, VendorPrice
from purchasing.offers import Offer
from purchasing.services.orders import LINES_MAX, PurchaseItem
from purchasing.services.receipts import Received
from purchasing.services.vendors import BREAKS_MAX, NewPrice
from workbox.core.errors import Invalid
from workbox.core.reading import Fields, canonical

LINE_ALIASES = {"product_id": ("inventory_id",), "unit_cost": ("unit_price",)}
CODE_LENGTH = 64
ONE = Decimal(1)
ZERO = Decimal(0)
_TEXTS = (("name", NAME_LENGTH), ("contact_email", 254), ("contact_phone", 60), ("address", 300), ("notes", 500))


def read_vendor(body: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """What the body says of a vendor; raises Invalid."""
    fields = Fields(body)
    values: dict[str, Any] = {name: fields.text(name, max_length=size) for name, size in _TEXTS if fields.sent(name)}
    if fields.has("quoted_lead_time_days"):
        values["quoted_lead_time_days"] = fields.whole(
            "quoted_lead_time_days", low=0, high=LEAD_TIME_DAYS_MAX, default=0
        )
    if fields.has("is_active") and not creating:
        values["is_active"] = fields.boolean("is_active")
    if creating:
        fields.require("name")
    if values.get("contact_email"):
        try:
            validate_email(values["contact_email"])
        except ValidationError:
            fields.fault("contact_email", "must be an e-mail address")
    fields.check()
    return values


def read_price(body: dict[str, Any]) -> NewPrice:
    """A vendor's new price; raises Invalid. Signs and the unit's precision are the service's business."""
    fields = Fields(canonical(body, {"product_id": ("inventory_id",)}))
    fields.require("product_id", "unit_price")
    new = NewPrice(
        product_id=fields.identifier("product_id") or 0,
        unit_price=fields.money("unit_price") or ZERO,
        lead_time_days=fields.whole("lead_time_days", low=0, high=LEAD_TIME_DAYS_MAX, default=0)
        if fields.has("lead_time_days")
        else None,
        minimum_order_quantity=_quantity(fields, "minimum_order_quantity"),
        pack_quantity=_quantity(fields, "pack_quantity"),
        shipping_cost=fields.money("shipping_cost") or ZERO,
        shipping_basis=fields.choice("shipping_basis", VendorPrice.ShippingBasis.values)
        or VendorPrice.ShippingBasis.LINE.value,
        breaks=_breaks(fields),
    )
    fields.check()
    return new


def _quantity(fields: Fields, name: str) -> Decimal:
    found = fields.quantity(name)
    return ONE if found is None else found


def _breaks(fields: Fields) -> list[tuple[Decimal, Decimal]]:
    found = []
    for index, row in enumerate(fields.objects("price_breaks", most=BREAKS_MAX)):
        one = Fields(row, prefix=f"price_breaks.{index}.", faults=fields.faults)
        one.require("from_quantity", "unit_price")
        found.append((one.quantity("from_quantity") or ZERO, one.money("unit_price") or ZERO))
    return found


def offer_body(offer: Offer) -> dict[str, Any]:
    """An offer as the comparison shows it."""
    return {
        "vendor_id": offer.terms.vendor_id,
        "vendor_name": offer.terms.vendor_name,
        "vendor_price_id": offer.terms.price_id,
        "unit_price": offer.unit_price,
        "order_quantity": offer.order_quantity,
        "quantity_note": offer.quantity_note,
        "shipping_cost": offer.shipping_cost,
        "landed_cost": offer.landed_cost,
        "landed_unit_cost": offer.landed_unit_cost,
        "lead_time_days": offer.terms.lead_time_days,
        "measured_lead_time_days": offer.measured_lead_time_days,
        "minimum_order_quantity": offer.terms.minimum_order_quantity,
        "pack_quantity": offer.terms.pack_quantity,
        "last_updated": offer.terms.valid_from,
        "is_recommended": offer.is_recommended,
        "reason": offer.reason,
    }


# ---- lines -----------------------------------------------------------------------------------------------------------
class GivenLines:
    """Lines as read: each names a product by id, SKU or barcode, how many, and perhaps what one costs."""

    def __init__(self, fields: Fields) -> None:
        """Reads `items`; faults go to `fields`, the caller checks them before it resolves."""
        self._rows: list[tuple[int | None, str, str, Decimal, Decimal | None]] = []
        for index, row in enumerate(fields.objects("items", most=LINES_MAX)):
            here = f"items.{index}."
            line = Fields(canonical(row, LINE_ALIASES, prefix=here), prefix=here, faults=fields.faults)
            line.require("quantity")
            product_id, sku = line.identifier("product_id"), line.text("sku", max_length=CODE_LENGTH)
            barcode = line.text("barcode", max_length=CODE_LENGTH)
            if not (line.has("product_id") or sku or barcode):
                line.fault("product_id", "this field is required (or inventory_id, sku or barcode)")
            quantity, unit_cost = line.quantity("quantity"), line.money("unit_cost")
            if quantity is not None and quantity <= 0:
                line.fault("quantity", "must be above zero")
            if unit_cost is not None and unit_cost < 0:
                line.fault("unit_cost", "may not be negative")
            self._rows.append((product_id, sku, barcode, quantity or ZERO, unit_cost))

    def resolved(self) -> list[tuple[int, Decimal, Decimal | None]]:
        """(product id, quantity, unit cost) of each line; a barcode of a pack means that many units.

        Raises ProductUnknown, Invalid when id, SKU and barcode of a line name different products.
        """
        skus = product_ids_by_sku([sku for _, sku, _, _, _ in self._rows if sku])
        packs = products_by_barcode([barcode for _, _, barcode, _, _ in self._rows if barcode])
        found = []
        for index, (product_id, sku, barcode, given, unit_cost) in enumerate(self._rows):
            quantity, meant = given, {product_id} if product_id else set()
            if sku:
                meant.add(_known(skus.get(sku), f"items.{index}.sku", sku))
            if barcode:
                scanned, pack = packs.get(barcode, (None, ZERO))
                meant.add(_known(scanned, f"items.{index}.barcode", barcode))
                quantity *= pack
            if len(meant) != 1:
                message = "product_id, sku and barcode name different products"
                raise Invalid(
                    f"items.{index}: {message}.", code="aliases_disagree", fields={f"items.{index}": [message]}
                )
            found.append((meant.pop(), quantity, unit_cost))
        return found

    def to_buy(self) -> list[PurchaseItem]:
        """As lines of a purchase order."""
        return [PurchaseItem(*line) for line in self.resolved()]

    def to_receive(self) -> Sequence[Received]:
        """As what came in."""
        return [Received(*line) for line in self.resolved()]


def _known(product_id: int | None, name: str, value: str) -> int:
    if product_id is None:
        raise ProductUnknown(f"There is no product “{value}”.", fields={name: ["unknown product"]})
    return product_id


def read_draft(fields: Fields) -> dict[str, Any]:
    """What a body says of a draft beside vendor and lines; only what was sent. The caller checks `fields`."""
    values: dict[str, Any] = {
        name: fields.text(name, max_length=size) for name, size in (("notes", 500), ("reference", 100))
        if fields.sent(name)
    }  # fmt: skip
    if fields.has("warehouse_id"):
        values["warehouse_id"] = fields.identifier("warehouse_id")
    if fields.sent("expected_on"):
        values["expected_on"] = _day(fields, "expected_on")
    return values


def _day(fields: Fields, name: str) -> date | None:
    moment = fields.moment(name)
    return moment.date() if moment else None
