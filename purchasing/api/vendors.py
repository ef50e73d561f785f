"""Vendors, their prices and the comparison over REST."""

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import PURCHASING_READ, PURCHASING_WRITE
from inventory.errors import ProductUnknown
from inventory.models import Product
from purchasing.api.bodies import offer_body, read_price, read_vendor
from purchasing.api.schemas import (
    VendorComparisonShape,
    VendorLeadTimeShape,
    VendorPriceShape,
    VendorPriceWriteShape,
    VendorShape,
    VendorWriteShape,
)
from purchasing.errors import VendorUnknown
from purchasing.models import Vendor
from purchasing.queries import (
    VENDOR_ORDER,
    compare_vendors,
    find_prices,
    find_vendors,
    price_rows,
    vendor_body,
    vendor_lead_time_report,
    vendor_rows,
)
from purchasing.services import vendors
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.db import transact
from workbox.core.numbers import to_json
from workbox.core.reading import Query
from workbox.core.schema import IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

VENDOR_EXAMPLE = {
    "id": 1,
    "name": "Acme Supplies",
    "contact_email": "sales@acme.com",
    "contact_phone": "+1-555-0100",
    "address": "123 Main St, City, State 12345",
    "quoted_lead_time_days": 7,
    "notes": "",
    "is_active": True,
    "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z",
}
PRICE_EXAMPLE = {
    "id": 1,
    "vendor_id": 1,
    "vendor_name": "Acme Supplies",
    "product_id": 1,
    "sku": "WDG-001",
    "product_name": "Widget A",
    "unit_price": 12.99,
    "lead_time_days": 7,
    "minimum_order_quantity": 10,
    "pack_quantity": 1,
    "shipping_cost": 0,
    "shipping_basis": "line",
    "price_breaks": [{"from_quantity": 100, "unit_price": 11.5}],
    "is_current": True,
    "valid_from": "2026-01-15T10:30:00Z",
    "valid_to": None,
}
OFFER_EXAMPLE = {
    "vendor_id": 1,
    "vendor_name": "Acme Supplies",
    "vendor_price_id": 1,
    "unit_price": 12.99,
    "order_quantity": 10,
    "quantity_note": "Rounded up from 1 to 10: the minimum order of 10.",
    "shipping_cost": 0,
    "landed_cost": 129.9,
    "landed_unit_cost": 12.99,
    "lead_time_days": 7,
    "measured_lead_time_days": None,
    "minimum_order_quantity": 10,
    "pack_quantity": 1,
    "last_updated": "2026-01-15T10:30:00Z",
    "is_recommended": True,
    "reason": "The only offer: 12.99 per unit at the door.",
}
COMPARISON_EXAMPLE = {
    "product_id": 1,
    "sku": "WDG-001",
    "name": "Widget A",
    "quantity": 1,
    "count": 1,
    "results": [OFFER_EXAMPLE],
}
LEAD_TIME_EXAMPLE = {
    "vendor_id": 1,
    "quoted_lead_time_days": 7,
    "receipts": 6,
    "is_measured": True,
    "mean_days": 8.25,
    "sd_days": 1.4,
    "products": [
        {
            "product_id": 1,
            "sku": "WDG-001",
            "name": "Widget A",
            "quoted_lead_time_days": 7,
            "receipts": 2,
            "is_measured": False,
            "mean_days": 7,
            "sd_days": 2.1,
        }
    ],
}


def existing_vendor(vendor_id: int) -> Vendor:
    """The vendor; raises VendorUnknown."""
    vendor = Vendor.objects.filter(pk=vendor_id).first()
    if vendor is None:
        raise VendorUnknown(f"There is no vendor {vendor_id}.")
    return vendor


class VendorsView(ApiView):
    """All vendors."""

    required_capabilities = {"GET": PURCHASING_READ, "POST": PURCHASING_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List vendors",
        parameters=[
            in_query("search", text="Part of name, e-mail address, phone, address or notes."),
            in_query("include_inactive", bool, text="Former ones too."),
            in_query("ordering", text="`name`, `created_at`, `lead_time`; `-` in front reverses."),
            in_query("sort_by", enum=["name_asc", "name_desc", "created_asc", "created_desc"]),
        ],
        responses={200: VendorShape(many=True)},
        examples=[answered(VENDOR_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List vendors."""
        query = Query(request.GET)
        found = find_vendors(
            search=query.text("search", max_length=200),
            include_inactive=query.boolean("include_inactive", default=False) or False,
            order=query.order(VENDOR_ORDER, default="name"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, found, vendor_rows)))

    @extend_schema(
        summary="Create a vendor",
        parameters=[IDEMPOTENCY],
        request=VendorWriteShape,
        responses={201: VendorShape},
        examples=[
            asked(
                {
                    "name": "Acme Supplies",
                    "contact_email": "sales@acme.com",
                    "contact_phone": "+1-555-0100",
                    "address": "123 Main St, City, State 12345",
                }
            ),
            answered(VENDOR_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a vendor."""
        values = read_vendor(read_object(request), creating=True)
        return self.idempotent(lambda: (201, vendor_body(vendors.create_vendor(values))))


class VendorView(ApiView):
    """One vendor."""

    required_capabilities = {
        "GET": PURCHASING_READ,
        "PUT": PURCHASING_WRITE,
        "PATCH": PURCHASING_WRITE,
        "DELETE": PURCHASING_WRITE,
    }

    @extend_schema(
        summary="Get a vendor",
        parameters=[in_path("vendor_id")],
        responses={200: VendorShape},
        examples=[answered(VENDOR_EXAMPLE)],
    )
    def get(self, request: Request, vendor_id: str) -> HttpResponse:
        """Get a vendor."""
        return conditional(request, to_json(vendor_body(existing_vendor(int(vendor_id)))))

    def _change(self, request: Request, vendor_id: int) -> HttpResponse:
        values = read_vendor(read_object(request), creating=False)

        def work() -> tuple[int, Any]:
            vendor = vendors.locked_vendor(vendor_id)
            check_if_match(request, lambda: vendor_body(vendor))
            return 200, vendor_body(vendors.change_vendor(vendor_id, values))

        return self.idempotent(work)

    @extend_schema(
        summary="Change a vendor (partial body allowed)",
        parameters=[in_path("vendor_id"), IF_MATCH],
        request=VendorWriteShape,
        responses={200: VendorShape},
        examples=[asked({"name": "Acme Supplies", "quoted_lead_time_days": 7}), answered(VENDOR_EXAMPLE)],
    )
    def put(self, request: Request, vendor_id: str) -> HttpResponse:
        """Change a vendor."""
        return self._change(request, int(vendor_id))

    @extend_schema(
        summary="Change a vendor",
        description="The same as PUT.",
        parameters=[in_path("vendor_id"), IF_MATCH],
        request=VendorWriteShape,
        responses={200: VendorShape},
        examples=[asked({"contact_phone": "+1-555-0100"}), answered(VENDOR_EXAMPLE)],
    )
    def patch(self, request: Request, vendor_id: str) -> HttpResponse:
        """Change a vendor."""
        return self._change(request, int(vendor_id))

    @extend_schema(
        summary="Retire a vendor",
        description="Nothing new is bought there; prices, orders and receipts stay. It can be restored.",
        parameters=[in_path("vendor_id"), IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, vendor_id: str) -> HttpResponse:
        """Retire a vendor."""

        def work() -> None:
            vendor = vendors.locked_vendor(int(vendor_id))
            check_if_match(request, lambda: vendor_body(vendor))
            vendors.retire_vendor(vendor.pk)

        transact(work)
        return HttpResponse(status=204)


@action_schema(
    summary="Restore a vendor",
    parameters=[in_path("vendor_id"), IDEMPOTENCY],
    request=None,
    responses={200: VendorShape},
    examples=[answered(VENDOR_EXAMPLE)],
)
class RestoreVendorView(ActionView):
    """Buy there again."""

    required_capabilities = ActionView.needs(PURCHASING_WRITE)

    def act(self, request: Request, vendor_id: str) -> HttpResponse:
        """Restore a vendor."""
        read_object(request)
        return self.idempotent(lambda: (200, vendor_body(vendors.restore_vendor(int(vendor_id)))))


class VendorPricesView(ApiView):
    """A vendor's prices: the history, and adding to it."""

    required_capabilities = {"GET": PURCHASING_READ, "POST": PURCHASING_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List a vendor's prices",
        description="Newest first, with all that were in force before; nothing in it is ever edited.",
        parameters=[
            in_path("vendor_id"),
            in_query("product_id", int),
            in_query("current", bool, text="true: those in force; false: those that were."),
        ],
        responses={200: VendorPriceShape(many=True)},
        examples=[answered(PRICE_EXAMPLE)],
    )
    def get(self, request: Request, vendor_id: str) -> HttpResponse:
        """List a vendor's prices."""
        query = Query(request.GET)
        product_id, current = query.identifier("product_id"), query.boolean("current")
        query.check()
        vendor = existing_vendor(int(vendor_id))
        found = find_prices(vendor.pk, product_id=product_id, current=current)
        return conditional(request, to_json(read_page(request, found, price_rows)))

    @extend_schema(
        summary="Add a vendor's price for a product",
        description="The price before it is closed and stays in the history.",
        parameters=[in_path("vendor_id"), IDEMPOTENCY],
        request=VendorPriceWriteShape,
        responses={201: VendorPriceShape},
        examples=[
            asked({"product_id": 1, "unit_price": 12.99, "lead_time_days": 7, "minimum_order_quantity": 10}),
            answered(PRICE_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request, vendor_id: str) -> HttpResponse:
        """Add a vendor's price for a product."""
        new = read_price(read_object(request))
        return self.idempotent(lambda: (201, price_rows([vendors.add_price(int(vendor_id), new).pk])[0]))


class LeadTimesView(ApiView):
    """How long a vendor really takes."""

    required_capabilities = {"GET": PURCHASING_READ}

    @extend_schema(
        summary="Get a vendor's lead times",
        description="Days from sending an order to its receipts of the last two years; until five, what is quoted.",
        parameters=[in_path("vendor_id")],
        responses={200: VendorLeadTimeShape},
        examples=[answered(LEAD_TIME_EXAMPLE)],
    )
    def get(self, request: Request, vendor_id: str) -> HttpResponse:
        """Get a vendor's lead times."""
        found = vendor_lead_time_report(int(vendor_id))
        if found is None:
            raise VendorUnknown(f"There is no vendor {vendor_id}.")
        return conditional(request, to_json(found))


class ProductVendorsView(ApiView):
    """Who sells a product, and who sells it best."""

    required_capabilities = {"GET": PURCHASING_READ}

    @extend_schema(
        summary="Compare vendors for a product",
        description=(
            "Every current offer for `quantity`, rounded up to minimum order and full packs, by landed cost per unit."
            " Recommended is the cheapest; among offers within 3 % of it the fastest."
        ),
        parameters=[in_path("product_id"), in_query("quantity", float, text="Default 1.")],
        responses={200: VendorComparisonShape},
        examples=[answered(COMPARISON_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Compare vendors for a product."""
        query = Query(request.GET)
        quantity = query.quantity("quantity")
        if quantity is not None and quantity <= 0:
            query.fault("quantity", "must be above zero")
        query.check()
        product = Product.objects.filter(pk=product_id).first()
        if product is None:
            raise ProductUnknown(f"There is no product {product_id}.")
        wanted = Decimal(1) if quantity is None else quantity
        offers = compare_vendors(product.pk, quantity=wanted)
        body = {
            "product_id": product.pk,
            "sku": product.sku,
            "name": product.name,
            "quantity": wanted,
            "count": len(offers),
            "results": [offer_body(one) for one in offers],
        }
        return conditional(request, to_json(body))
