"""Orders that arrive while another one is being placed share its successor's transaction (`workbox.core.combining`).

Only plain orders do: products named by id, for the asker, from any warehouse. All others are placed alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orders import services
from orders.api.bodies import GivenOrder, order_body
from orders.services import LINES_MAX, Draft, Item
from workbox.core import walls
from workbox.core.api import answered_once, sent_by
from workbox.core.combining import Combiner
from workbox.core.events import By
from workbox.core.idempotency import Sent, is_key, once_together
from workbox.core.numbers import to_json


@dataclass(frozen=True, slots=True)
class _Ask:
    draft: Draft
    sent: Sent


def _place(asks: Sequence[_Ask]) -> list[HttpResponse]:
    def work() -> list[tuple[int, bytes]]:
        placed = services.place_together([one.draft for one in asks])
        return [(201, to_json(order_body(order))) for order in placed]

    return [answered_once(answer) for answer in once_together([one.sent for one in asks], work)]


_confirmed: Combiner[_Ask, HttpResponse] = Combiner(_place, size_max=LINES_MAX)
_pending: Combiner[_Ask, HttpResponse] = Combiner(_place, size_max=LINES_MAX)


def run(
    request: HttpRequest, given: GivenOrder, *, confirm: bool | None, alone: Callable[[], HttpResponse]
) -> HttpResponse:
    """The answer to a request that places an order, shared with others where it may be, else `alone()`'s."""
    confirms = settings.WORKBOX_ORDERS_AUTO_CONFIRM if confirm is None else confirm
    user_id: int = request.user.pk  # type: ignore[assignment]  # the view let nobody in without an account
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
    if not _is_plain(given) or (key and not is_key(key)):
        return alone()
    items = [Item(line.product_id, line.quantity) for line in given.lines if line.product_id]
    ask = _Ask(
        Draft(items, given.user_id, confirms, notes=given.notes, by=By.now()),
        sent_by(request, user_id, content=request.body if key else b""),
    )
    return (_confirmed if confirms else _pending).run(ask, alone, size=len(items))


def _is_plain(given: GivenOrder) -> bool:
    return (
        bool(given.lines)
        and all(line.product_id and not line.sku and not line.barcode for line in given.lines)
        and given.warehouse_id is None
        and given.hold_minutes is None
        and given.plan is None
        and not given.names_other_user
        and walls.own() is None
    )
