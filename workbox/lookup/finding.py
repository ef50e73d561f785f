"""From what somebody typed or scanned to a product: barcode in any spelling, SKU, or part of a name."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from inventory.gs1 import read
from inventory.queries import (
    ProductFilter,
    find_products,
    product_ids_by_sku,
    product_rows,
    products_by_barcode,
)
from workbox.core.admin import quantity_text

HITS_MAX = 20
TEXT_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The product that is meant for certain, or those that may be meant."""

    product_id: int | None
    hits: list[dict[str, Any]]


def find(text: str) -> Found:
    """What a text means: an exact barcode or SKU first, then every product with that part in its name or SKU."""
    text = text.strip()[:TEXT_LENGTH_MAX]
    if not text:
        return Found(None, [])
    code = read(text).code
    linked = products_by_barcode([code]).get(code) if code else None
    exact = linked[0] if linked else product_ids_by_sku([code]).get(code)
    if exact is not None:
        return Found(exact, hits_of([exact]))
    wanted = ProductFilter(search=text, active=None, order=("-is_active", "name", "id"))
    ids = list(find_products(wanted).values_list("pk", flat=True)[:HITS_MAX])
    return Found(ids[0] if len(ids) == 1 else None, hits_of(ids))


def hits_of(ids: list[int]) -> list[dict[str, Any]]:
    """These products as lines of a list, in one statement."""
    return [
        {
            "id": row["id"],
            "sku": row["sku"],
            "name": row["name"],
            "url": reverse("lookup-product", args=[row["id"]]),
            "note": _note(row),
        }
        for row in product_rows(ids)
    ]


def _note(row: dict[str, Any]) -> str:
    if not row["is_active"]:
        return "retired"
    if not row["is_stocked"]:
        return "a charge"
    return f"{quantity_text(row['stock_quantity'])} {row['unit_of_measure']} available"
