"""Who we buy from and what they ask: vendors are kept under one name each, prices are only ever added to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from inventory.errors import ProductUnknown
from inventory.services.ledger import check_quantity
from inventory.services.levels import ShelfProduct, read_shelf
from purchasing.errors import VendorUnknown
from purchasing.models import NAME_KEY_LENGTH, PriceBreak, Vendor, VendorPrice
from workbox.core.db import transactional
from workbox.core.errors import Invalid, RuleViolation
from workbox.core.numbers import MONEY_MAX, MONEY_PLACES, has_places

ONE = Decimal(1)
ZERO = Decimal(0)
BREAKS_MAX = 20
EDITABLE = frozenset(
    {"name", "contact_email", "contact_phone", "address", "quoted_lead_time_days", "notes", "is_active"}
)


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a vendor asks for a product from now on; `lead_time_days` None: as the vendor generally quotes."""

    product_id: int
    unit_price: Decimal
    lead_time_days: int | None = None
    minimum_order_quantity: Decimal = ONE
    pack_quantity: Decimal = ONE
    shipping_cost: Decimal = ZERO
    shipping_basis: str = VendorPrice.ShippingBasis.LINE
    breaks: Sequence[tuple[Decimal, Decimal]] = ()


def locked_vendor(vendor_id: int) -> Vendor:
    """The vendor, held until the transaction ends; raises VendorUnknown."""
    vendor = Vendor.objects.select_for_update().filter(pk=vendor_id).first()
    if vendor is None:
        raise VendorUnknown(f"There is no vendor {vendor_id}.", fields={"vendor_id": ["unknown vendor"]})
    return vendor


@transactional
def create_vendor(values: Mapping[str, Any]) -> Vendor:
    """A new vendor. Raises RuleViolation for a blank name, or one that is taken in any spelling."""
    return _saved(Vendor(), values)


@transactional
def change_vendor(vendor_id: int, values: Mapping[str, Any]) -> Vendor:
    """The vendor says these things now; `is_active` retires and restores. Raises as `create_vendor`, VendorUnknown."""
    return _saved(locked_vendor(vendor_id), values)


def retire_vendor(vendor_id: int) -> Vendor:
    """Nothing new is bought from this vendor; its prices, orders and receipts stay. Raises VendorUnknown."""
    return change_vendor(vendor_id, {"is_active": False})


def restore_vendor(vendor_id: int) -> Vendor:
    """The vendor may be bought from again. Raises VendorUnknown."""
    return change_vendor(vendor_id, {"is_active": True})


def _saved(vendor: Vendor, values: Mapping[str, Any]) -> Vendor:
    for name in EDITABLE & values.keys():
        setattr(vendor, name, values[name])
    vendor.name = " ".join(vendor.name.split())
    vendor.name_key = Vendor.key_of(vendor.name)
    if not vendor.name:
        raise RuleViolation("name may not be blank.", code="blank_name", fields={"name": ["may not be blank"]})
    if len(vendor.name_key) > NAME_KEY_LENGTH:
        raise Invalid("The name is too long.", fields={"name": ["too long"]})
    if Vendor.objects.filter(name_key=vendor.name_key).exclude(pk=vendor.pk).exists():
        raise _taken(vendor.name)
    try:
        with transaction.atomic():
            vendor.save()
    except IntegrityError as error:  # somebody was faster than the look above
        raise _taken(vendor.name) from error
    return vendor


def _taken(name: str) -> RuleViolation:
    return RuleViolation(f"The name “{name}” is in use.", code="duplicate_name", fields={"name": ["already in use"]})


# ---- prices ----------------------------------------------------------------------------------------------------------
@transactional
def add_price(vendor_id: int, new: NewPrice, *, valid_from: datetime | None = None) -> VendorPrice:
    """The vendor asks this for the product from now on; the price before it is closed and stays as history.

    `valid_from` may lie in the past (imports), not before the price it replaces began. Holds the vendor's row, so that
    two new prices come one after the other. Raises VendorUnknown, ProductUnknown, RuleViolation (former vendor,
    charge), Invalid (numbers that make no sense).
    """
    vendor = locked_vendor(vendor_id)
    if not vendor.is_active:
        raise RuleViolation(f"{vendor.name} is retired; restore it first.", code="vendor_retired")
    _check_price(new)
    moment = valid_from or datetime.now(UTC)
    before = VendorPrice.objects.filter(vendor=vendor, product_id=new.product_id, is_current=True).first()
    if before is not None:
        if moment < before.valid_from:
            raise Invalid(
                "The price in force began later than this one.", fields={"valid_from": ["before the price in force"]}
            )
        VendorPrice.objects.filter(pk=before.pk).update(is_current=None, valid_to=moment)
    price = VendorPrice.objects.create(
        vendor=vendor,
        product_id=new.product_id,
        unit_price=new.unit_price,
        lead_time_days=vendor.quoted_lead_time_days if new.lead_time_days is None else new.lead_time_days,
        minimum_order_quantity=new.minimum_order_quantity,
        pack_quantity=new.pack_quantity,
        shipping_cost=new.shipping_cost,
        shipping_basis=new.shipping_basis,
        valid_from=moment,
    )
    PriceBreak.objects.bulk_create(
        PriceBreak(vendor_price=price, from_quantity=quantity, unit_price=unit_price)
        for quantity, unit_price in sorted(new.breaks)
    )
    return price


@transactional
def withdraw_price(vendor_id: int, product_id: int) -> None:
    """The vendor asks nothing for the product any more; what it asked stays as history. Raises VendorUnknown."""
    locked_vendor(vendor_id)
    now = datetime.now(UTC)
    current = VendorPrice.objects.filter(vendor_id=vendor_id, product_id=product_id, is_current=True)
    current.update(is_current=None, valid_to=now)


def _check_price(new: NewPrice) -> None:
    product = read_shelf([new.product_id], levels=False).products.get(new.product_id)
    if product is None or not product.is_active:
        raise ProductUnknown(
            f"There is no product {new.product_id} for sale.", fields={"product_id": ["unknown product"]}
        )
    if not product.is_stocked:
        raise RuleViolation(f"{product.name} ({product.sku}) is a charge; no stock is kept of it.", code="not_stocked")
    faults = terms_faults(new, product)
    for name, message in faults.items():
        raise Invalid(f"{name} {message}.", fields={one: [text] for one, text in faults.items()})


def terms_faults(new: NewPrice, product: ShelfProduct) -> dict[str, str]:
    """What is wrong with the numbers of a price, by field; also for who only looks whether it could be added."""
    amounts = {"unit_price": new.unit_price, "shipping_cost": new.shipping_cost}
    amounts |= {f"price_breaks.{index}.unit_price": amount for index, (_, amount) in enumerate(new.breaks)}
    quantities = {"minimum_order_quantity": new.minimum_order_quantity, "pack_quantity": new.pack_quantity}
    quantities |= {f"price_breaks.{index}.from_quantity": one for index, (one, _) in enumerate(new.breaks)}
    found: dict[str, str] = {}
    for name, amount in amounts.items():
        if amount < 0:
            found[name] = "may not be negative"
        elif amount > MONEY_MAX:
            found[name] = f"may be at most {MONEY_MAX}"
        elif not has_places(amount, MONEY_PLACES):
            found[name] = f"may have at most {MONEY_PLACES} decimal places"
    for name, quantity in quantities.items():
        if quantity <= 0:
            found[name] = "must be above zero"
            continue
        try:
            check_quantity(quantity, product, name=name)
        except Invalid as error:
            found |= {one: messages[0] for one, messages in error.fields.items()}
    starts = [quantity for quantity, _ in new.breaks]
    if len(starts) > BREAKS_MAX:
        found["price_breaks"] = f"may be at most {BREAKS_MAX}"
    elif len(set(starts)) != len(starts):
        found["price_breaks"] = "begin twice at one quantity"
    return found
