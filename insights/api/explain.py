"""Why a product's available stock is what it is, over REST."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import REPORTS_READ
from insights.api.schemas import ExplainShape
from insights.explain import explain
from workbox.core.api import ApiView, conditional
from workbox.core.numbers import to_json
from workbox.core.schema import answered, in_path

EXAMPLE = {
    "product_id": 1,
    "sku": "LAPTOP-001",
    "name": "Laptop Computer",
    "unit_of_measure": "piece",
    "stock_quantity": 45,
    "on_hand": 52,
    "reserved": 5,
    "warehouses": [
        {
            "warehouse_id": 1,
            "warehouse_name": "Main store",
            "is_sellable": True,
            "on_hand": 50,
            "reserved": 5,
            "available": 45,
            "last_operation": {
                "operation_id": 5,
                "kind": "receipt",
                "reference_number": "PO-2",
                "reason": "",
                "quantity": 20,
                "created_at": "2026-01-15T10:30:00Z",
            },
        },
        {
            "warehouse_id": 3,
            "warehouse_name": "Quarantine",
            "is_sellable": False,
            "on_hand": 2,
            "reserved": 0,
            "available": 0,
            "last_operation": None,
        },
    ],
    "reservations": [
        {
            "reservation_id": 9,
            "kind": "order",
            "order_id": 12,
            "transfer_id": None,
            "status": "confirmed",
            "customer": "Dana Reyes",
            "to_warehouse_id": None,
            "warehouse_id": 1,
            "warehouse_name": "Main store",
            "is_sellable": True,
            "quantity": 5,
            "hold_expires_at": None,
            "is_expired": False,
            "created_at": "2026-01-15T10:30:00Z",
        }
    ],
    "in_transit": [],
    "not_for_sale": 2,
    "incoming": [
        {
            "purchase_order_id": 3,
            "vendor_id": 1,
            "vendor_name": "Northwind Mill",
            "warehouse_id": 1,
            "warehouse_name": "Main store",
            "quantity": 25,
            "expected_on": "2026-01-22",
        }
    ],
    "equation": {
        "available": 45,
        "parts": [
            {"part": "on_hand", "what": "on hand in Main store", "quantity": 50},
            {"part": "order", "what": "order 12 from Main store", "quantity": -5},
        ],
        "text": "available 45 = 50 (on hand in Main store) − 5 (order 12 from Main store)",
    },
}


class ExplainView(ApiView):
    """The documents behind one number."""

    required_capabilities = {"GET": REPORTS_READ}

    @extend_schema(
        summary="Explain a product's available stock",
        description=(
            "Every document behind the number: stock per warehouse with the last operation, open reservations with "
            "their order or transfer, goods in transit, stock that is not for sale, purchase orders to come. The "
            "equation's parts add up to `stock_quantity` exactly; in transit and incoming are not in it yet."
        ),
        parameters=[in_path("product_id")],
        responses={200: ExplainShape},
        examples=[answered(EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Explain a product's available stock."""
        return conditional(request, to_json(explain(int(product_id))))
