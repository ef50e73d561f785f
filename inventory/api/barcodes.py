"""Barcodes over REST: scan, look up, link, unlink."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_READ, STOCK_POST
from inventory.api.products import DETAIL_EXAMPLE, seen_by
from inventory.api.schemas import BarcodeShape, LinkShape, ScannedShape, ScanShape
from inventory.errors import BarcodeUnknown, ProductUnknown
from inventory.models import Barcode, Product
from inventory.queries import product_detail
from inventory.services import barcodes
from workbox.core.api import ApiView, Page, conditional, json_response, read_object, read_page
from workbox.core.db import transact
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, canonical
from workbox.core.schema import IDEMPOTENCY, answered, asked, in_path

CODE_LENGTH = 64
ALIASES = {"barcode": ("code",), "product_id": ("inventory_id",)}
SCANNED_EXAMPLE = {
    "barcode": "012345678905",
    "product_id": 1,
    "pack_quantity": 1,
    "stock_quantity": 48,
    "product": DETAIL_EXAMPLE,
}
BARCODE_EXAMPLE = {
    "barcode": "012345678905",
    "gtin": "00012345678905",
    "product_id": 1,
    "pack_quantity": 1,
    "created_at": "2026-01-15T10:30:00Z",
}


def scanned_body(code: str, viewer: Any) -> dict[str, Any]:
    """What a scan tells this asker: the product with its stock, and how many units the code means.

    Raises BarcodeUnknown.
    """
    found = barcodes.scan(code)
    product = product_detail(found.product_id)
    if product is None:
        raise BarcodeUnknown(code)
    return {
        "barcode": code,
        "product_id": found.product_id,
        "pack_quantity": found.pack_quantity,
        "stock_quantity": product["stock_quantity"],
        "product": seen_by(viewer, product),
    }


def barcode_rows(ids: list[int]) -> list[dict[str, Any]]:
    """These barcodes as lists show them."""
    found = Barcode.objects.in_bulk(ids)
    return [_row(found[one]) for one in ids if one in found]


def _row(barcode: Barcode) -> dict[str, Any]:
    return {
        "barcode": barcode.code,
        "gtin": barcode.gtin,
        "product_id": barcode.product_id,
        "pack_quantity": barcode.pack_quantity,
        "created_at": barcode.created_at,
    }


def _read_code(fields: Fields) -> str:
    fields.require("barcode")
    code = fields.text("barcode", max_length=CODE_LENGTH)
    if not code and "barcode" not in fields.faults:
        fields.fault("barcode", "may not be blank")
    return code


class ScanView(ApiView):
    """What a scanner sends."""

    required_capabilities = {"POST": CATALOG_READ}

    @extend_schema(
        summary="Scan a barcode",
        description="The product with its stock; an unknown code is a 404 that says how to link it. Changes nothing.",
        request=ScanShape,
        responses={200: ScannedShape},
        examples=[asked({"barcode": "012345678905"}), answered(SCANNED_EXAMPLE)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Scan a barcode."""
        fields = Fields(canonical(read_object(request), ALIASES))
        code = _read_code(fields)
        fields.check()
        return json_response(scanned_body(code, request.user))


class LookupView(ApiView):
    """The same by URL."""

    required_capabilities = {"GET": CATALOG_READ}

    @extend_schema(
        summary="Look a barcode up",
        parameters=[in_path("barcode")],
        responses={200: ScannedShape},
        examples=[answered(SCANNED_EXAMPLE)],
    )
    def get(self, request: Request, barcode: str) -> HttpResponse:
        """Look a barcode up."""
        return conditional(request, to_json(scanned_body(_in_path(barcode), request.user)))


class LinkView(ApiView):
    """A code is stuck on a product."""

    required_capabilities = {"POST": STOCK_POST}

    @extend_schema(
        summary="Link a barcode to a product",
        description=(
            "`pack_quantity` is how many units one scan means. Codes of 8, 12, 13 or 14 digits need the right check "
            "digit. 201 when it is new, 200 when it was linked so before; 409 when it means another product."
        ),
        parameters=[IDEMPOTENCY],
        request=LinkShape,
        responses={200: BarcodeShape, 201: BarcodeShape},
        examples=[
            asked({"barcode": "012345678905", "product_id": 1}),
            answered(BARCODE_EXAMPLE, 201),
            answered(BARCODE_EXAMPLE, name="Linked before"),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Link a barcode to a product."""
        fields = Fields(canonical(read_object(request), ALIASES))
        code = _read_code(fields)
        fields.require("product_id")
        product_id, pack = fields.identifier("product_id"), fields.quantity("pack_quantity")
        fields.check()
        assert product_id is not None  # noqa: S101  (checked)

        def work() -> tuple[int, Any]:
            linked = barcodes.link(code, product_id=product_id, pack_quantity=pack)
            return 201 if linked.is_new else 200, _row(Barcode.objects.get(code=linked.code))

        return self.idempotent(work)


class BarcodeView(ApiView):
    """One code."""

    required_capabilities = {"DELETE": STOCK_POST}

    @extend_schema(summary="Unlink a barcode", parameters=[in_path("barcode")], responses={204: None})
    def delete(self, request: Request, barcode: str) -> HttpResponse:
        """Unlink a barcode."""
        transact(lambda: barcodes.unlink(_in_path(barcode)))
        return HttpResponse(status=204)


class ProductBarcodesView(ApiView):
    """The codes of one product."""

    required_capabilities = {"GET": CATALOG_READ}
    pagination_class = Page

    @extend_schema(
        summary="List a product's barcodes",
        parameters=[in_path("product_id")],
        responses={200: BarcodeShape(many=True)},
        examples=[answered(BARCODE_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """List a product's barcodes."""
        if not Product.objects.filter(id=product_id).exists():
            raise ProductUnknown(f"There is no product {product_id}.")
        found = Barcode.objects.filter(product_id=product_id).order_by("code")
        return conditional(request, to_json(read_page(request, found, barcode_rows)))


def _in_path(barcode: str) -> str:
    """The code as the path spells it; one with a control character is unknown."""
    code = barcode.strip()
    if not code or not code.isprintable():
        raise BarcodeUnknown("of this path")
    return code
