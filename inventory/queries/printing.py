"""What papers say about products: what stands on a label, where a level's goods lie, what a count sheet lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import BooleanField, ExpressionWrapper, Q

from inventory.gtin import GTIN_DIGITS, gtin_of
from inventory.models import Barcode, CountLine, Product, StockLevel
from workbox.core import walls

ONE = Decimal(1)
EAN13_DIGITS = 13
COUNT_ROWS_MAX = 5000
NO_BIN_LAST = ExpressionWrapper(Q(bin=""), output_field=BooleanField())


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What can stand on a product's label; `ean13` is empty when no such code of a single unit is linked."""

    product_id: int
    sku: str
    name: str
    price: Decimal
    unit: str
    ean13: str = ""


def label_rows(product_ids: Sequence[int]) -> list[LabelRow]:
    """The products for their labels, in the order of the ids, in two statements; unknown ids are left out."""
    found = Product.objects.filter(id__in=product_ids).order_by().select_related("unit").in_bulk()
    codes: dict[int, str] = {}
    linked = Barcode.objects.filter(product_id__in=list(found), pack_quantity=ONE).order_by("-id")
    for product_id, code in linked.values_list("product_id", "code"):
        gtin = gtin_of(code)
        if gtin is not None and len(code) in {EAN13_DIGITS - 1, EAN13_DIGITS}:  # UPC-A is EAN-13 with a zero in front
            codes[product_id] = gtin[GTIN_DIGITS - EAN13_DIGITS :]
    return [
        LabelRow(one.pk, one.sku, one.name, one.price, one.unit.code, codes.get(one.pk, ""))
        for one in (found[number] for number in dict.fromkeys(product_ids) if number in found)
    ]


def bins_of(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """(product id, warehouse id) → where in the warehouse it stands, in one statement."""
    wanted = set(pairs)
    rows = StockLevel.objects.filter(
        product_id__in={product for product, _ in wanted}, warehouse_id__in={place for _, place in wanted}
    )
    return {
        (product, place): where
        for product, place, where in rows.values_list("product_id", "warehouse_id", "bin")
        if (product, place) in wanted
    }


@dataclass(frozen=True, slots=True)
class CountRow:
    """A line of a count sheet; `expected` is what the books say now, `counted` what is recorded so far."""

    bin: str
    sku: str
    name: str
    unit: str
    expected: Decimal
    counted: Decimal | None


def count_sheet_rows(count_id: int, warehouse_id: int) -> list[CountRow]:
    """Every stocked product that has a place in the warehouse, in the order of the bins; at most COUNT_ROWS_MAX.

    In two statements. Whether the expected numbers may be shown is the caller's to ask: a count may be blind.
    """
    counted = dict(CountLine.objects.filter(count_id=count_id).values_list("product_id", "counted_quantity"))
    levels = walls.of(StockLevel.objects.filter(warehouse_id=warehouse_id, product__is_stocked=True))
    rows = levels.filter(product__is_active=True).order_by(NO_BIN_LAST, "bin", "product__sku")[:COUNT_ROWS_MAX]
    return [
        CountRow(where, sku, name, unit, on_hand, counted.get(product_id))
        for product_id, where, sku, name, unit, on_hand in rows.values_list(
            "product_id", "bin", "product__sku", "product__name", "product__unit__code", "on_hand"
        )
    ]
