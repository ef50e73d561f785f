"""The order board: a page, its columns alone for a refresh, and the steps of one order or of a selection.

Every step is the service's, with the user as actor; what it refuses is answered in its own words, order by order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.capabilities import ORDERS_FULFIL, ORDERS_MANAGE, ORDERS_READ
from orders import services
from orders.errors import OrderUnknown
from orders.models import Order
from orders.services import PlacedOrder
from orders.states import OrderStatus
from workbox.core import events, walls
from workbox.core.admin import acting, quantity_text
from workbox.core.api import error_response
from workbox.core.db import transact
from workbox.core.errors import DomainError, Forbidden, RuleViolation
from workbox.core.numbers import ID_DIGITS_MAX
from workbox.desk.cards import board_columns

SELECTION_MAX = 100
REASON_LENGTH_MAX = 400
PICK_LIST_ACTION = "print_pick_list"  # the order list's action; the board offers it when the list has it
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order: who may take it, how, and what is said afterwards."""

    capability: str
    work: Callable[[int, str], PlacedOrder]
    said: Callable[[PlacedOrder, Decimal], str]
    verb: str


def _units(order: PlacedOrder) -> str:
    units = sum((line.quantity for line in order.lines), ZERO)
    return f"{_count(units, 'unit')} on {_count(Decimal(len(order.lines)), 'line')}"


def _count(number: Decimal, noun: str) -> str:
    return f"{quantity_text(number)} {noun if number == 1 else noun + 's'}"


STEPS: dict[str, Step] = {
    "confirm": Step(
        ORDERS_MANAGE,
        lambda order_id, _reason: services.confirm_order(order_id),
        lambda order, _open: f"Order {order.id} is confirmed: {_units(order)} reserved.",
        "confirmed",
    ),
    "ship": Step(
        ORDERS_FULFIL,
        lambda order_id, _reason: services.ship_order(order_id),
        lambda order, open_before: (
            f"Order {order.id}: {_count(open_before, 'unit')} shipped."
            f" It is {OrderStatus(order.status).label.lower()} now."
        ),
        "shipped",
    ),
    "deliver": Step(
        ORDERS_FULFIL,
        lambda order_id, _reason: services.deliver_order(order_id),
        lambda order, _open: f"Order {order.id} is delivered: {_units(order)}.",
        "delivered",
    ),
    "cancel": Step(
        ORDERS_MANAGE,
        lambda order_id, reason: services.cancel_order(order_id, reason=reason),
        lambda order, _open: f"Order {order.id} is cancelled: what it had reserved is available again.",
        "cancelled",
    ),
}
BULK_STEPS = ("confirm", "ship")


def _may(request: HttpRequest, capability: str) -> bool:
    return bool(request.user.can(capability))  # type: ignore[union-attr]  # staff only get here: never AnonymousUser


def _shown(request: HttpRequest) -> dict[str, Any]:
    if not _may(request, ORDERS_READ):
        raise PermissionDenied
    columns = board_columns(datetime.now(UTC))
    return {
        "columns": columns,
        "may": {name: _may(request, step.capability) for name, step in STEPS.items()},
        "is_empty": not any(column["cards"] for column in columns) and not walls.of(Order.objects.all()).exists(),
        "new_order_url": reverse("admin:orders_order_add") if _may(request, ORDERS_MANAGE) else "",
    }


@never_cache
@require_GET
def board(request: HttpRequest) -> HttpResponse:
    """The board; `board.js` keeps it true over /ws."""
    # The cursor first: what happens while the rows are read is told again over the socket.
    cursor = events.head()
    orders_admin = admin.site.get_model_admin(Order)
    shown = {
        **admin.site.each_context(request),
        "title": "Order board",
        "cursor": cursor,
        "pick_list_action": PICK_LIST_ACTION if PICK_LIST_ACTION in orders_admin.get_actions(request) else "",
        "orders_url": reverse("admin:orders_order_changelist"),
        "login_url": f"{reverse('admin:login')}?next={reverse('board')}",
        **_shown(request),
    }
    return TemplateResponse(request, "admin/board.html", shown)


@never_cache
@require_GET
def board_cards(request: HttpRequest) -> HttpResponse:
    """The columns alone, as they are now."""
    return render(request, "admin/board_columns.html", _shown(request))


@require_POST
def board_step(request: HttpRequest, order_id: int, step: str) -> HttpResponse:
    """One step of one order. 200 with a sentence, or the refusal's own status and words; nothing half-done."""
    wanted = _step_or_404(step)
    if not _may(request, wanted.capability):
        return error_response(Forbidden(_not_yours(wanted)))
    try:
        return JsonResponse({"detail": _take(request, wanted, str(order_id)), "order_id": order_id})
    except DomainError as error:
        return error_response(error)


@require_POST
def board_bulk(request: HttpRequest, step: str) -> HttpResponse:
    """The step for every order of a selection, each in its own transaction; one sentence per order."""
    wanted = _step_or_404(step)
    if step not in BULK_STEPS:
        raise Http404(f"A selection cannot be {wanted.verb}.")
    if not _may(request, wanted.capability):
        return error_response(Forbidden(_not_yours(wanted)))
    numbers = list(dict.fromkeys(request.POST.getlist("order")))
    if not numbers or len(numbers) > SELECTION_MAX:
        return error_response(
            RuleViolation(f"Select 1 to {SELECTION_MAX} orders; these are {len(numbers)}.", code="bad_selection")
        )
    results = [_result(request, wanted, number) for number in numbers]
    done = sum(row["is_done"] for row in results)
    said = f"{done} of {len(numbers)} {'order' if len(numbers) == 1 else 'orders'} {wanted.verb}."
    return JsonResponse({"detail": said, "results": results, "done": done, "refused": len(numbers) - done})


def _result(request: HttpRequest, step: Step, number: str) -> dict[str, Any]:
    try:
        return {"order_id": number, "is_done": True, "detail": _take(request, step, number)}
    except DomainError as error:
        return {"order_id": number[:ID_DIGITS_MAX], "is_done": False, "detail": error.detail}


def _take(request: HttpRequest, step: Step, number: str) -> str:
    """Take the step with the user as actor; an order outside the walls does not exist. Returns what to say."""
    is_number = number.isascii() and number.isdigit() and len(number) <= ID_DIGITS_MAX
    if not is_number or not walls.of(Order.objects.filter(pk=int(number))).exists():
        raise OrderUnknown(f"There is no order {number[:ID_DIGITS_MAX]}.")
    reason = request.POST.get("reason", "").strip()[:REASON_LENGTH_MAX]

    def work() -> str:
        before = services.read_order(int(number), lock=True)  # what is said is what this step did, not a colleague's
        order = step.work(int(number), reason)
        return step.said(order, sum((line.quantity - line.shipped_quantity for line in before.lines), ZERO))

    with acting(request):
        return transact(work)


def _step_or_404(name: str) -> Step:
    if name not in STEPS:
        raise Http404(f"There is no step {name}.")
    return STEPS[name]


def _not_yours(step: Step) -> str:
    return f"Your role may not do this: ask a colleague whose role may, so that the order is {step.verb}."
