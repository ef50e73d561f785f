"""How a line of a body names its product: by id, SKU or barcode; any that are given must mean the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.errors import ProductUnknown
from inventory.queries import product_ids_by_sku, products_by_barcode
from workbox.core.errors import Invalid
from workbox.core.reading import Fields

CODE_LENGTH = 64
ONE = Decimal(1)
ALIASES = {"product_id": ("inventory_id",)}


@dataclass(frozen=True, slots=True)
class Named:
    """A product as a line names it; `prefix` is where the line stands (`items.0.`), for errors."""

    product_id: int | None
    sku: str
    barcode: str
    prefix: str = ""


def read_name(line: Fields, *, prefix: str = "") -> Named:
    """What the line says; a fault when it names nothing."""
    named = Named(
        line.identifier("product_id"),
        line.text("sku", max_length=CODE_LENGTH),
        line.text("barcode", max_length=CODE_LENGTH),
        prefix,
    )
    if not (line.has("product_id") or named.sku or named.barcode):
        line.fault("product_id", "this field is required (or inventory_id, sku or barcode)")
    return named


def resolve(names: Sequence[Named]) -> list[tuple[int, Decimal]]:
    """(product id, units per piece counted) of each name: a barcode of a pack means so many units.

    Reads the catalogue only for SKUs and barcodes. Raises ProductUnknown, Invalid.
    """
    skus = product_ids_by_sku([one.sku for one in names if one.sku])
    barcodes = products_by_barcode([one.barcode for one in names if one.barcode])
    found = []
    for one in names:
        meant, pack = {one.product_id} if one.product_id else set(), ONE
        if one.sku:
            meant.add(_known(skus.get(one.sku), f"{one.prefix}sku", one.sku))
        if one.barcode:
            product_id, pack = barcodes.get(one.barcode, (None, ONE))
            meant.add(_known(product_id, f"{one.prefix}barcode", one.barcode))
        if len(meant) != 1:
            message = "product_id, sku and barcode name different products"
            name = f"{one.prefix}product_id"
            raise Invalid(f"{name}: {message}.", code="aliases_disagree", fields={name: [message]})
        found.append((meant.pop() or 0, pack))
    return found


def _known(product_id: int | None, name: str, value: str) -> int:
    if product_id is None:
        raise ProductUnknown(f"There is no product “{value}”.", fields={name: ["unknown product"]})
    return product_id
