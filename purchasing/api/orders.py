"""Purchase orders over REST: they read the request, call one service and show the order."""

from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import PURCHASING_READ, PURCHASING_RECEIVE, PURCHASING_WRITE
from purchasing.api.bodies import GivenLines, read_draft
from purchasing.api.schemas import (
    STATUSES,
    ActedPurchaseShape,
    PurchaseChangeShape,
    PurchaseOrderShape,
    PurchaseReasonShape,
    PurchaseWriteShape,
    ReceiptShape,
    ReceivedPurchaseShape,
    ReceiveShape,
)
from purchasing.errors import PurchaseOrderUnknown
from purchasing.models import PurchaseOrder
from purchasing.queries import (
    PURCHASE_ORDER,
    PurchaseFilter,
    find_purchase_orders,
    find_receipts,
    purchase_order_rows,
    receipt_rows,
)
from purchasing.services import orders, receipts
from workbox.core import walls
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import DATES, IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

ORDER_EXAMPLE = {
    "id": 12,
    "number": "PO-12",
    "vendor_id": 1,
    "vendor_name": "Acme Supplies",
    "warehouse_id": 1,
    "warehouse_name": "Main store",
    "status": "draft",
    "total_amount": 129.9,
    "items": [
        {
            "id": 1,
            "product_id": 1,
            "sku": "WDG-001",
            "name": "Widget A",
            "quantity": 10,
            "unit_cost": 12.99,
            "received_quantity": 0,
        }
    ],
    "reference": "",
    "notes": "",
    "expected_on": None,
    "created_by": 2,
    "created_at": "2026-01-15T10:30:00Z",
    "sent_at": None,
    "received_at": None,
    "closed_at": None,
    "cancelled_at": None,
    "updated_at": "2026-01-15T10:30:00Z",
}
SENT_EXAMPLE = ORDER_EXAMPLE | {"status": "sent", "sent_at": "2026-01-15T11:00:00Z", "expected_on": "2026-01-22"}
RECEIPT_EXAMPLE = {
    "id": 3,
    "purchase_order_id": 12,
    "operation_id": 40,
    "received_by": 3,
    "received_at": "2026-01-22T08:15:00Z",
    "items": [
        {
            "movement_id": 91,
            "product_id": 1,
            "sku": "WDG-001",
            "name": "Widget A",
            "quantity": 10,
            "unit_cost": 12.99,
            "total_cost": 129.9,
        }
    ],
}


def shown(order_id: int) -> dict[str, Any]:
    """The order as every answer shows it; raises PurchaseOrderUnknown."""
    rows = purchase_order_rows([order_id])
    if not rows:
        raise PurchaseOrderUnknown(f"There is no purchase order {order_id}.")
    return rows[0]


class PurchaseOrdersView(ApiView):
    """All purchase orders."""

    required_capabilities = {"GET": PURCHASING_READ, "POST": PURCHASING_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List purchase orders",
        parameters=[
            in_query("vendor_id", int),
            in_query("status", enum=STATUSES, text="In any case."),
            in_query("product_id", int),
            in_query("warehouse_id", int),
            in_query("search", text="A number (12 or PO-12), or part of vendor, reference, notes, product or SKU."),
            in_query("ordering", text="`created_at`, `expected_on`, `total_amount`; `-` in front reverses."),
            in_query("sort_by", enum=["created_asc", "created_desc", "total_asc", "total_desc"]),
            *DATES,
        ],
        responses={200: PurchaseOrderShape(many=True)},
        examples=[answered(ORDER_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List purchase orders."""
        query = Query(request.GET)
        wanted = PurchaseFilter(
            vendor_id=query.identifier("vendor_id"),
            warehouse_id=query.identifier("warehouse_id"),
            product_id=query.identifier("product_id"),
            status=query.choice("status", STATUSES),
            search=query.text("search", max_length=200),
            created_from=query.moment("created_from_date"),
            created_to=query.moment("created_to_date", end_of_day=True),
            order=query.order(PURCHASE_ORDER, default="-id"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_purchase_orders(wanted), purchase_order_rows)))

    @extend_schema(
        summary="Create a purchase order",
        description="A draft. A line without `unit_cost` costs what the vendor asks now for so many.",
        parameters=[IDEMPOTENCY],
        request=PurchaseWriteShape,
        responses={201: PurchaseOrderShape},
        examples=[
            asked({"vendor_id": 1, "items": [{"product_id": 1, "quantity": 10}]}),
            answered(ORDER_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a purchase order."""
        fields = Fields(read_object(request))
        fields.require("vendor_id")
        vendor_id, values, lines = fields.identifier("vendor_id"), read_draft(fields), GivenLines(fields)
        fields.check()

        def work() -> tuple[int, Any]:
            order = orders.create_purchase_order(cast(int, vendor_id), lines.to_buy(), **values)
            return 201, shown(order.pk)

        return self.idempotent(work)


class PurchaseOrderView(ApiView):
    """One purchase order."""

    required_capabilities = {"GET": PURCHASING_READ, "PUT": PURCHASING_WRITE, "PATCH": PURCHASING_WRITE}

    @extend_schema(
        summary="Get a purchase order",
        parameters=[in_path("order_id")],
        responses={200: PurchaseOrderShape},
        examples=[answered(ORDER_EXAMPLE)],
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """Get a purchase order."""
        return conditional(request, to_json(shown(int(order_id))))

    def _change(self, request: Request, order_id: int) -> HttpResponse:
        fields = Fields(read_object(request))
        vendor_id, values = fields.identifier("vendor_id"), read_draft(fields)
        lines = GivenLines(fields) if fields.has("items") else None
        fields.check()

        def work() -> tuple[int, Any]:
            order = orders.locked_purchase_order(order_id)
            check_if_match(request, lambda: shown(order_id))
            if vendor_id is not None and vendor_id != order.vendor_id:
                fields.fault("vendor_id", "an order stays with its vendor; make a new one")
                fields.check()
            orders.change_purchase_order(order_id, values, items=None if lines is None else lines.to_buy())
            return 200, shown(order_id)

        return self.idempotent(work)

    @extend_schema(
        summary="Change a purchase order (partial body allowed)",
        description="Only drafts are edited; `items` replaces all lines.",
        parameters=[in_path("order_id"), IF_MATCH],
        request=PurchaseChangeShape,
        responses={200: PurchaseOrderShape},
        examples=[asked({"items": [{"product_id": 1, "quantity": 10}]}), answered(ORDER_EXAMPLE)],
    )
    def put(self, request: Request, order_id: str) -> HttpResponse:
        """Change a purchase order."""
        return self._change(request, int(order_id))

    @extend_schema(
        summary="Change a purchase order",
        description="The same as PUT.",
        parameters=[in_path("order_id"), IF_MATCH],
        request=PurchaseChangeShape,
        responses={200: PurchaseOrderShape},
        examples=[asked({"expected_on": "2026-01-22"}), answered(ORDER_EXAMPLE | {"expected_on": "2026-01-22"})],
    )
    def patch(self, request: Request, order_id: str) -> HttpResponse:
        """Change a purchase order."""
        return self._change(request, int(order_id))


class PurchaseStepView(ActionView):
    """Base of the steps in a purchase order's life."""

    message = ""

    def step(self, order_id: int, reason: str) -> None:
        """Do the step."""
        raise NotImplementedError

    def act(self, request: Request, order_id: str) -> HttpResponse:
        """Read the body, look at `If-Match` under the order's lock, do the step."""
        fields = Fields(read_object(request))
        reason = fields.text("reason", max_length=500)
        fields.check()

        def work() -> tuple[int, Any]:
            self.match(request, int(order_id))
            self.step(int(order_id), reason)
            return 200, shown(int(order_id)) | {"message": self.message}

        return self.idempotent(work)

    @staticmethod
    def match(request: Request, order_id: int) -> None:
        """Raise PreconditionFailed when the asker decided on an older state."""
        if "HTTP_IF_MATCH" in request.META:
            orders.locked_purchase_order(order_id)
            check_if_match(request, lambda: shown(order_id))


@action_schema(
    summary="Send a purchase order",
    description="Frozen from here on; counts as on order. Without `expected_on` the day follows from the lead time.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: ActedPurchaseShape},
    examples=[answered(SENT_EXAMPLE | {"message": "Purchase order sent"})],
)
class SendView(PurchaseStepView):
    """The vendor has it."""

    required_capabilities = ActionView.needs(PURCHASING_WRITE)
    message = "Purchase order sent"

    def step(self, order_id: int, reason: str) -> None:
        """Send."""
        orders.send_purchase_order(order_id)


@action_schema(
    summary="Cancel a purchase order",
    description="Possible while nothing of it came in.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=PurchaseReasonShape,
    responses={200: ActedPurchaseShape},
    examples=[
        asked({"reason": "ordered twice"}),
        answered(
            SENT_EXAMPLE
            | {"status": "cancelled", "cancelled_at": "2026-01-16T09:00:00Z", "message": "Purchase order cancelled"}
        ),
    ],
)
class CancelPurchaseView(PurchaseStepView):
    """The order is off."""

    required_capabilities = ActionView.needs(PURCHASING_WRITE)
    message = "Purchase order cancelled"

    def step(self, order_id: int, reason: str) -> None:
        """Cancel."""
        orders.cancel_purchase_order(order_id, reason=reason)


@action_schema(
    summary="Close a purchase order short",
    description="A partially received order ends; what is still open never comes.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=PurchaseReasonShape,
    responses={200: ActedPurchaseShape},
    examples=[
        asked({"reason": "discontinued"}),
        answered(
            SENT_EXAMPLE
            | {"status": "received", "closed_at": "2026-01-30T09:00:00Z", "message": "Purchase order closed short"}
        ),
    ],
)
class CloseView(PurchaseStepView):
    """The rest never comes."""

    required_capabilities = ActionView.needs(PURCHASING_WRITE)
    message = "Purchase order closed short"

    def step(self, order_id: int, reason: str) -> None:
        """Close short."""
        orders.close_short(order_id, reason=reason)


@action_schema(
    summary="Receive goods of a purchase order",
    description=(
        "Posts `purchase` movements into the order's warehouse under the order's number. An empty body takes everything"
        " that is open; `items` a part. More than ordered is refused (`over_receipt`) beyond the shop's tolerance."
    ),
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=ReceiveShape,
    responses={200: ReceivedPurchaseShape},
    examples=[
        asked({"items": [{"product_id": 1, "quantity": 10}]}),
        answered(
            SENT_EXAMPLE
            | {
                "status": "received",
                "received_at": "2026-01-22T08:15:00Z",
                "message": "Goods received",
                "receipt": RECEIPT_EXAMPLE,
            }
        ),
    ],
)
class ReceiveView(PurchaseStepView):
    """Goods are at the door."""

    required_capabilities = ActionView.needs(PURCHASING_RECEIVE)

    def act(self, request: Request, order_id: str) -> HttpResponse:
        """Receive."""
        fields = Fields(read_object(request))
        lines = GivenLines(fields) if fields.sent("items") else None
        fields.check()

        def work() -> tuple[int, Any]:
            self.match(request, int(order_id))
            came = None if lines is None else lines.to_receive()
            receipt = receipts.receive_purchase_order(int(order_id), came)
            return 200, shown(int(order_id)) | {
                "message": "Goods received",
                "receipt": receipt_rows([receipt.pk])[0],
            }

        return self.idempotent(work)


class ReceiptsView(ApiView):
    """What came in on a purchase order."""

    required_capabilities = {"GET": PURCHASING_READ}
    pagination_class = Page

    @extend_schema(
        summary="List a purchase order's receipts",
        parameters=[in_path("order_id")],
        responses={200: ReceiptShape(many=True)},
        examples=[answered(RECEIPT_EXAMPLE)],
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """List a purchase order's receipts."""
        if not walls.within(PurchaseOrder.objects.filter(pk=order_id), "warehouse_id").exists():
            raise PurchaseOrderUnknown(f"There is no purchase order {order_id}.")
        return conditional(request, to_json(read_page(request, find_receipts(int(order_id)), receipt_rows)))
