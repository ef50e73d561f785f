"""Service: who may move an order on, once; how its new status is written and announced."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from orders.errors import IllegalTransition
from orders.events import order_updated
from orders.services.placed import PlacedOrder, read_order
from orders.states import OrderStatus
from workbox.core import events
from workbox.core.db import execute, later, utc_text


def claim(
    order_id: int, *, allowed: frozenset[OrderStatus], status: OrderStatus | None, step: str, at: str, hint: str = ""
) -> PlacedOrder:
    """Lock the order and set its new status (None: keep it) if the old one allows.

    Returns the order *before* the step, with `updated_at` as stored now. Raises OrderUnknown, IllegalTransition.
    Whoever comes second waits here and then sees the first one's status.
    """
    moment = datetime.now(UTC)
    if status is not None and len(allowed) == 1:  # the old status is known: one conditional UPDATE locks and decides
        (old,) = allowed
        claiming = _set_status(order_id, status, moment, at, only_from=old)
        order = read_order(order_id)
        if claiming.rowcount != 1:
            raise IllegalTransition(order_id, order.status, step, hint=hint)
        return replace(order, status=old.value, updated_at=moment)
    before = read_order(order_id, lock=True)
    if before.status not in {one.value for one in allowed}:
        raise IllegalTransition(order_id, before.status, step, hint=hint)
    _set_status(order_id, status or OrderStatus(before.status), moment, at)
    return replace(before, updated_at=moment)


def _set_status(
    order_id: int, status: OrderStatus, moment: datetime, at: str, *, only_from: OrderStatus | None = None
) -> Any:
    stamp, guard = (f", {at} = COALESCE({at}, %s)" if at else ""), (" AND status = %s" if only_from else "")
    now = utc_text(moment)
    return later(
        f"UPDATE orders_order SET status = %s, updated_at = %s{stamp} WHERE id = %s{guard}",  # noqa: S608  (only placeholders)
        [status.value, now, *([now] if at else []), order_id, *([only_from.value] if only_from else [])],
    )


def updated(before: PlacedOrder, status: str, **facts: Any) -> events.NewEvent:
    """The news that the order has moved on to `status`."""
    return order_updated(
        order_id=before.id,
        user_id=before.user_id,
        status=status,
        previous_status=before.status,
        total_amount=before.total_amount,
        warehouse_id=before.warehouse_id,
        **facts,
    )


def stamp(order_id: int, status: OrderStatus, column: str | None, moment: datetime) -> None:
    """Write the status that a step led to, and when; expects the order claimed."""
    when = f", {column} = %s" if column else ""
    execute(
        f"UPDATE orders_order SET status = %s{when} WHERE id = %s",  # noqa: S608  (only placeholders)
        [status.value, *([utc_text(moment)] if column else []), order_id],
    )
