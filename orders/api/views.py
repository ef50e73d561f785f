"""Orders over REST: they read the request, call one service and show the order."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import CATALOG_READ, ORDERS_FULFIL, ORDERS_MANAGE, ORDERS_PLACE, ORDERS_READ
from accounts.principal import Principal
from inventory.errors import InsufficientStock, PlanOutdated
from orders import plans, services
from orders.api import placing
from orders.api.bodies import GivenOrder, damaged_of, order_body, quantities_of, read_lines, read_order, resolve
from orders.api.schemas import (
    STATUSES,
    ActedOrderShape,
    CancelShape,
    ConfirmShape,
    OrderShape,
    PlaceShape,
    PlanAnswerShape,
    PlanShape,
    ReturnShape,
    SaleShape,
    SellShape,
    ShipShape,
    SoldShape,
    StepShape,
)
from orders.errors import OrderUnknown
from orders.queries import ORDER_ORDER, OrderFilter, find_orders, find_sales, find_timeline, sale_rows, timeline_rows
from orders.services import LINES_MAX, Item, PlacedOrder
from orders.states import OrderStatus
from workbox.core import walls
from workbox.core.api import (
    ActionView,
    ApiView,
    Page,
    check_if_match,
    conditional,
    json_response,
    read_object,
    read_page,
)
from workbox.core.errors import Forbidden
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import DATES, IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

CLOCK_SKEW = timedelta(minutes=5)
ORDER_EXAMPLE = {
    "id": 1,
    "user_id": 7,
    "customer_id": None,
    "warehouse_id": None,
    "status": "confirmed",
    "channel": "api",
    "total_amount": 2029.98,
    "items": [
        {
            "id": 1,
            "product_id": 1,
            "sku": "LAPTOP-001",
            "name": "Laptop",
            "quantity": 2,
            "unit_price": 999.99,
            "shipped_quantity": 0,
            "returned_quantity": 0,
        },
        {
            "id": 2,
            "product_id": 2,
            "sku": "CABLE-001",
            "name": "Cable",
            "quantity": 1,
            "unit_price": 30,
            "shipped_quantity": 0,
            "returned_quantity": 0,
        },
    ],
    "notes": "",
    "created_at": "2026-01-15T10:30:00Z",
    "confirmed_at": "2026-01-15T10:30:00Z",
    "shipped_at": None,
    "delivered_at": None,
    "cancelled_at": None,
    "hold_expires_at": None,
    "updated_at": "2026-01-15T10:30:00Z",
}
PLAN_EXAMPLE = {
    "plan": "b1946ac92492d2347c6235b4",
    "is_complete": False,
    "total_amount": 1999.98,
    "items": [
        {
            "product_id": 1,
            "sku": "LAPTOP-001",
            "name": "Laptop",
            "quantity": 2,
            "unit_price": 999.99,
            "available": 1,
            "short": 1,
            "earliest_on": "2026-01-22",
            "sources": [],
        }
    ],
}
PENDING_EXAMPLE = ORDER_EXAMPLE | {"status": "pending", "confirmed_at": None}
STEP_EXAMPLE = {
    "event_id": 12,
    "type": "order_updated",
    "at": "2026-01-15T10:31:00Z",
    "actor_id": 2,
    "actor": "clerk",
    "request_id": "5f0c6c1e",
    "order_id": 1,
    "user_id": 7,
    "status": "confirmed",
    "previous_status": "pending",
    "total_amount": 2029.98,
}
SALE_EXAMPLE = {
    "id": 1,
    "order_id": 1,
    "product_id": 1,
    "product_name": "Laptop",
    "quantity": 2,
    "unit_price": 999.99,
    "total_amount": 1999.98,
    "sale_date": "2026-01-15T10:30:00Z",
}


def who(request: Request) -> Principal:
    """The asker."""
    return cast(Principal, request.user)


def visible(request: Request, order_id: int, *, lock: bool = False) -> PlacedOrder:
    """The order, if the asker may know of it; somebody else's order does not exist for a customer.

    Neither does one that ships from another warehouse, for those who are bound. Raises OrderUnknown.
    """
    order = services.read_order(order_id, lock=lock)
    hidden = not who(request).can(ORDERS_READ) and order.user_id != who(request).id
    if hidden or walls.hides(order.warehouse_id):
        raise OrderUnknown(f"There is no order {order_id}.")
    return order


class PlacingView(ApiView):
    """Base of the routes that place orders."""

    def place(self, request: Request, *, confirm: bool | None = None) -> HttpResponse:
        """Place what the body says; `confirm` not None decides instead of the body."""
        asker = who(request)
        given = read_order(read_object(request), asker, may_order_for_others=asker.can(ORDERS_MANAGE))

        def work() -> tuple[int, Any]:
            if given.names_other_user and given.user_id is not None:
                services.require_user(given.user_id)
            order = services.place_order(
                resolve(given.lines),
                user_id=given.user_id,
                confirm=given.confirm if confirm is None else confirm,
                warehouse_id=given.warehouse_id,
                notes=given.notes,
                hold_minutes=given.hold_minutes,
                agreed=given.plan,
            )
            return 201, order_body(order)

        def alone() -> HttpResponse:
            return replanned(
                lambda: self.idempotent(work),
                agreed=given.plan,
                items=lambda: resolve(given.lines),
                warehouse_id=given.warehouse_id,
            )

        return placing.run(request, given, confirm=given.confirm if confirm is None else confirm, alone=alone)


def replanned(
    answer: Callable[[], HttpResponse],
    *,
    agreed: str | None,
    items: Callable[[], Sequence[Item]],
    warehouse_id: int | None,
) -> HttpResponse:
    """`answer()`; when it fails because the plan the client agreed to no longer holds, the 409 brings a new plan."""
    try:
        return answer()
    except (PlanOutdated, InsufficientStock) as error:
        if agreed is None:
            raise
        plan = plans.plan_order(items(), warehouse_id=warehouse_id)
        raise PlanOutdated(
            "The stock has moved since the plan was made; nothing was changed. Look at the new plan.",
            extra={"new_plan": plan.as_dict()},
        ) from error


class PlanView(ApiView):
    """Looks at what placing an order would do."""

    required_capabilities = {"POST": CATALOG_READ}

    @extend_schema(
        summary="Plan an order",
        description=(
            "Where each line would ship from, what is short, and when what is on order makes up for it. Nothing is"
            " promised. Order or confirm with the answer's `plan` to get exactly this sourcing, or a 409 with a new"
            " plan."
        ),
        request=PlanShape,
        responses={200: PlanAnswerShape},
        examples=[asked({"items": [{"product_id": 1, "quantity": 2}]}), answered(PLAN_EXAMPLE)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Plan an order."""
        fields = Fields(read_object(request))
        warehouse_id = fields.identifier("warehouse_id")
        lines = read_lines(fields.objects("items", most=LINES_MAX), fields)
        fields.check()
        return json_response(plans.plan_order(resolve(lines), warehouse_id=warehouse_id).as_dict())


class OrdersView(PlacingView):
    """All orders the asker may see: customers their own, staff everybody's."""

    required_capabilities = {"GET": None, "POST": ORDERS_PLACE}
    pagination_class = Page

    @extend_schema(
        summary="List orders",
        description="Customers see their own orders, staff all of them.",
        parameters=[
            in_query("status", enum=STATUSES, text="In any case."),
            in_query("user_id", int),
            in_query("customer", text="Part of a customer's code or name."),
            in_query("search", text="An order's number, or part of its customer, user, reference or products."),
            in_query("sort_by", enum=["created_asc", "created_desc", "total_asc", "total_desc"]),
            in_query("ordering", text="`created_at`, `total_amount`; `-` in front reverses."),
            *DATES,
        ],
        responses={200: OrderShape(many=True)},
        examples=[answered(ORDER_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List orders."""
        query = Query(request.GET)
        wanted = OrderFilter(
            owner_id=None if who(request).can(ORDERS_READ) else who(request).id,
            user_id=query.identifier("user_id"),
            status=query.choice("status", STATUSES),
            customer=query.text("customer", max_length=200),
            search=query.text("search", max_length=200),
            created_from=query.moment("created_from_date"),
            created_to=query.moment("created_to_date", end_of_day=True),
            order=query.order(ORDER_ORDER, default="-id"),
        )
        query.check()
        return conditional(request, to_json(read_page(request, find_orders(wanted), _rows)))

    @extend_schema(
        summary="Place an order",
        description=(
            "Placed and confirmed at once: its stock is promised and `stock_quantity` falls, all lines or none. "
            '`"confirm": false` leaves it pending. Prices and the total come from the server.'
        ),
        parameters=[IDEMPOTENCY],
        request=PlaceShape,
        responses={201: OrderShape},
        examples=[
            asked({"user_id": 7, "items": [{"inventory_id": 1, "quantity": 2}, {"inventory_id": 2, "quantity": 1}]}),
            answered(ORDER_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Place an order."""
        return self.place(request)


def _rows(ids: list[int]) -> list[dict[str, Any]]:
    return [order_body(order) for order in services.read_orders(ids)]


class PendingOrdersView(PlacingView):
    """The mini order API's way to order: pending first, confirmed later."""

    required_capabilities = {"POST": ORDERS_PLACE}

    @extend_schema(
        summary="Create a pending order",
        description="Stock stays as it is until the order is confirmed.",
        parameters=[IDEMPOTENCY],
        request=PlaceShape,
        responses={201: OrderShape},
        examples=[
            asked({"items": [{"quantity": 2, "product_id": 1}, {"quantity": 1, "product_id": 2}]}),
            answered(PENDING_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a pending order."""
        return self.place(request, confirm=False)


class OrderView(ApiView):
    """One order."""

    required_capabilities = {"GET": None}

    @extend_schema(
        summary="Get an order",
        parameters=[in_path("order_id")],
        responses={200: OrderShape},
        examples=[answered(ORDER_EXAMPLE)],
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """Get an order."""
        return conditional(request, to_json(order_body(visible(request, int(order_id)))))


class StepView(ActionView):
    """Base of the steps in an order's life."""

    message = ""

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Do the step; whether the asker may has been looked at."""
        raise NotImplementedError

    def act(self, request: Request, order_id: str) -> HttpResponse:
        """Read the body, look whether the asker may, do the step."""
        fields = Fields(read_object(request))

        def work() -> tuple[int, Any]:
            if not who(request).can(ORDERS_MANAGE) or "HTTP_IF_MATCH" in request.META or walls.own() is not None:
                self._look(request, int(order_id))
            return 200, order_body(self.step(request, int(order_id), fields)) | {"message": self.message}

        return self.idempotent(work)

    def _look(self, request: Request, order_id: int) -> None:
        order = visible(request, order_id, lock=True)
        check_if_match(request, lambda: order_body(order))
        self.allow(request, order)

    def allow(self, request: Request, order: PlacedOrder) -> None:
        """Raise Forbidden when this asker may not do this to this order."""


class ConfirmingView(StepView):
    """Confirm and cancel: staff any order, customers their own while it is pending."""

    needs_pending = False

    def allow(self, request: Request, order: PlacedOrder) -> None:
        """A customer's order that is confirmed is in the hands of staff."""
        in_hand = order.status in (OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_SHIPPED)
        if in_hand and self.needs_pending and not who(request).can(ORDERS_MANAGE):
            raise Forbidden("This order is confirmed; please ask the shop to cancel it.", code="ask_staff")


@action_schema(
    summary="Confirm an order",
    description="Promises the stock of every line, or of none; a second confirm answers 409 with the current status.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=ConfirmShape,
    responses={200: ActedOrderShape},
    examples=[answered(ORDER_EXAMPLE | {"message": "Order Confirmed successfully"})],
)
class ConfirmView(ConfirmingView):
    """A pending order becomes a promise."""

    required_capabilities = ActionView.needs(ORDERS_PLACE)
    message = "Order Confirmed successfully"

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Confirm."""
        agreed = fields.text("plan", max_length=64) or None
        fields.check()
        return services.confirm_order(order_id, agreed=agreed)

    def act(self, request: Request, order_id: str) -> HttpResponse:
        """Confirm, by a plan when the body names one."""
        fields = Fields(read_object(request))
        agreed = fields.text("plan", max_length=64) or None
        fields.check()

        def items() -> list[Item]:
            return [Item(line.product_id, line.quantity, line.unit_price) for line in before().lines]

        def before() -> PlacedOrder:
            return services.read_order(int(order_id))

        if agreed is None:
            return super().act(request, order_id)
        return replanned(
            lambda: super(ConfirmView, self).act(request, order_id),
            agreed=agreed,
            items=items,
            warehouse_id=visible(request, int(order_id)).warehouse_id,
        )


@action_schema(
    summary="Cancel an order",
    description="What it still had reserved is available again. A shipped order is returned instead.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=CancelShape,
    responses={200: ActedOrderShape},
    examples=[
        asked({"reason": "ordered twice"}),
        answered(
            ORDER_EXAMPLE
            | {"status": "cancelled", "cancelled_at": "2026-01-15T11:00:00Z", "message": "Order cancelled"}
        ),
    ],
)
class CancelView(ConfirmingView):
    """The order is off."""

    required_capabilities = ActionView.needs(ORDERS_PLACE)
    message = "Order cancelled"
    needs_pending = True

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Cancel."""
        reason = fields.text("reason", max_length=500)
        fields.check()
        return services.cancel_order(order_id, reason=reason)


@action_schema(
    summary="Ship an order",
    description="An empty body ships everything that is open; `items` ships a part.",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=ShipShape,
    responses={200: ActedOrderShape},
    examples=[
        asked({"items": [{"product_id": 1, "quantity": 1}], "warehouse_id": 1}),
        answered(ORDER_EXAMPLE | {"status": "partially_shipped", "message": "Order shipped"}),
    ],
)
class ShipView(StepView):
    """Goods leave."""

    required_capabilities = ActionView.needs(ORDERS_FULFIL)
    message = "Order shipped"

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Ship."""
        warehouse_id = fields.identifier("warehouse_id")
        quantities = quantities_of(fields)
        fields.check()
        return services.ship_order(order_id, quantities=quantities, warehouse_id=warehouse_id)


@action_schema(
    summary="Mark an order as delivered",
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: ActedOrderShape},
    examples=[answered(ORDER_EXAMPLE | {"status": "delivered", "message": "Order delivered"})],
)
class DeliverView(StepView):
    """The customer has the goods."""

    required_capabilities = ActionView.needs(ORDERS_FULFIL)
    message = "Order delivered"

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Deliver."""
        return services.deliver_order(order_id)


@action_schema(
    summary="Take goods of an order back",
    description=(
        "Posts `return` movements into the warehouse; without `items` everything that was shipped comes back."
        ' Items with `"condition": "damaged"` go to `damaged_warehouse_id`, else to a warehouse that does not sell,'
        " else they are written off."
    ),
    parameters=[in_path("order_id"), IDEMPOTENCY, IF_MATCH],
    request=ReturnShape,
    responses={200: ActedOrderShape},
    examples=[
        asked({"items": [{"product_id": 1, "quantity": 1}], "warehouse_id": 1, "reason": "wrong colour"}),
        answered(ORDER_EXAMPLE | {"status": "delivered", "message": "Return booked"}),
    ],
)
class ReturnView(StepView):
    """Goods come back."""

    required_capabilities = ActionView.needs(ORDERS_FULFIL)
    message = "Return booked"

    def step(self, request: Request, order_id: int, fields: Fields) -> PlacedOrder:
        """Return."""
        warehouse_id = fields.identifier("warehouse_id")
        reason = fields.text("reason", max_length=500)
        damaged_warehouse_id = fields.identifier("damaged_warehouse_id")
        quantities, damaged = quantities_of(fields), damaged_of(fields)
        fields.check()
        return services.return_order(
            order_id,
            quantities=quantities,
            warehouse_id=warehouse_id,
            reason=reason,
            damaged=damaged,
            damaged_warehouse_id=damaged_warehouse_id,
        )


class TimelineView(ApiView):
    """An order's life as the event log tells it."""

    required_capabilities = {"GET": None}
    pagination_class = Page

    @extend_schema(
        summary="Get an order's time-line",
        description="Every step with its moment; staff also see who did it.",
        parameters=[in_path("order_id")],
        responses={200: StepShape(many=True)},
        examples=[answered(STEP_EXAMPLE)],
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """Get an order's time-line."""
        order = visible(request, int(order_id))
        with_actors = who(request).is_staff
        body = read_page(request, find_timeline(order.id), lambda ids: timeline_rows(ids, with_actors=with_actors))
        return conditional(request, to_json(body))


class SalesView(ApiView):
    """What was sold, and selling over the counter."""

    required_capabilities = {"GET": ORDERS_READ, "POST": ORDERS_MANAGE}
    pagination_class = Page

    @extend_schema(
        summary="List sales",
        description="The lines of confirmed, shipped and delivered orders, newest first.",
        parameters=[in_query("product_id", int), in_query("start_date"), in_query("end_date")],
        responses={200: SaleShape(many=True)},
        examples=[answered(SALE_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List sales."""
        query = Query(request.GET)
        found = find_sales(
            product_id=query.identifier("product_id"),
            sold_from=query.moment("start_date"),
            sold_to=query.moment("end_date", end_of_day=True),
        )
        query.check()
        return conditional(request, to_json(read_page(request, found, sale_rows)))

    @extend_schema(
        summary="Sell over the counter",
        description="Placed, confirmed, shipped and delivered in one transaction. A total in the body is ignored.",
        parameters=[IDEMPOTENCY],
        request=SellShape,
        responses={201: SoldShape},
        examples=[
            asked({"product_id": 1, "quantity": 2, "sale_date": "2026-01-15T10:30:00Z"}),
            answered(
                ORDER_EXAMPLE | {"status": "delivered", "channel": "counter", "sale_date": "2026-01-15T10:30:00Z"}, 201
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Sell over the counter."""
        body = read_object(request)
        fields = Fields(body)
        sold_at = fields.moment("sale_date")
        if sold_at is not None and sold_at > datetime.now(UTC) + CLOCK_SKEW:
            fields.fault("sale_date", "may not lie in the future")
        given = GivenOrder(
            user_id=fields.identifier("user_id"),
            warehouse_id=fields.identifier("warehouse_id"),
            notes=fields.text("notes", max_length=500),
        )
        if fields.sent("items"):
            given.lines = read_lines(fields.objects("items", most=LINES_MAX), fields)
        else:
            given.lines = read_lines([body], fields, prefix="")
        fields.check()

        def work() -> tuple[int, Any]:
            if given.user_id is not None:
                services.require_user(given.user_id)
            order = services.counter_sale(
                resolve(given.lines),
                user_id=given.user_id,
                warehouse_id=given.warehouse_id,
                sold_at=sold_at,
                notes=given.notes,
            )
            return 201, order_body(order) | {"sale_date": order.placed_at}

        return self.idempotent(work)
