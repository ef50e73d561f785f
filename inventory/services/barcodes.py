"""Barcodes: what a scan means, and linking and unlinking codes.

A code is kept as it was printed; codes that carry a check digit (GTIN) are found under every one of their lengths.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction

from inventory.errors import BarcodeTaken, BarcodeUnknown, ProductUnknown
from inventory.gtin import check_digit, gtin_of, looks_like_gtin
from inventory.models import Barcode
from inventory.queries import products_by_barcode
from inventory.services.ledger import check_quantity
from inventory.services.levels import read_shelf
from workbox.core.db import transactional
from workbox.core.errors import Invalid

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Linked:
    """A code with what it means; `is_new` when this call linked it."""

    code: str
    product_id: int
    pack_quantity: Decimal
    is_new: bool = False


def scan(code: str) -> Linked:
    """What the code means; raises BarcodeUnknown, which says how to link it."""
    found = products_by_barcode([code]).get(code)
    if found is None:
        raise BarcodeUnknown(code)
    return Linked(code, *found)


@transactional
def link(code: str, *, product_id: int, pack_quantity: Decimal | None = None) -> Linked:
    """The code means `pack_quantity` units of the product from now on (None: one, or what it meant before).

    Linking the same again is fine, also in another spelling of the same GTIN. Raises Invalid (check digit, pack),
    ProductUnknown, BarcodeTaken when it means another product.
    """
    _check(code, product_id, pack_quantity)
    known = _same(code)
    if known is None:
        try:
            with transaction.atomic():
                Barcode.objects.create(code=code, product_id=product_id, pack_quantity=pack_quantity or ONE)
        except IntegrityError:  # somebody linked it since the look above
            known = _same(code)
            if known is None:
                raise
        else:
            return Linked(code, product_id, pack_quantity or ONE, is_new=True)
    if known.product_id != product_id:
        other = known.product
        raise BarcodeTaken(code, product_id=other.pk, sku=other.sku, name=other.name)
    if pack_quantity is not None and pack_quantity != known.pack_quantity:
        known.pack_quantity = pack_quantity
        known.save(update_fields=["pack_quantity"])
    return Linked(known.code, product_id, known.pack_quantity)


def _check(code: str, product_id: int, pack_quantity: Decimal | None) -> None:
    if looks_like_gtin(code) and gtin_of(code) is None:
        message = f"the last digit should be {check_digit(code)}: read it again, or check the label"
        raise Invalid(f"barcode {code}: {message}.", fields={"barcode": [message]})
    product = read_shelf([product_id], levels=False).products.get(product_id)
    if product is None:
        raise ProductUnknown(f"There is no product {product_id}.", fields={"product_id": ["unknown product"]})
    if pack_quantity is not None:
        if pack_quantity <= 0:
            raise Invalid("A pack holds more than nothing.", fields={"pack_quantity": ["must be above zero"]})
        check_quantity(pack_quantity, product, name="pack_quantity")


@transactional
def unlink(code: str) -> None:
    """The code means nothing any more; raises BarcodeUnknown."""
    known = _same(code)
    if known is None:
        raise BarcodeUnknown(code)
    known.delete()


def _same(code: str) -> Barcode | None:
    """The row of this code, or of another spelling of its GTIN; held until the transaction ends."""
    rows = Barcode.objects.select_for_update()
    gtin = gtin_of(code)
    return rows.filter(code=code).first() or (rows.filter(gtin=gtin).first() if gtin else None)
