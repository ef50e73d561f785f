"""The facts orders tell the world, with the keys their frames show."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from workbox.core.events import ORDERS, By, NewEvent


def order_placed(
    *,
    order_id: int,
    user_id: int | None,
    status: str,
    total_amount: Decimal,
    items: Sequence[dict[str, Any]],
    warehouse_id: int | None = None,
    by: By | None = None,
) -> NewEvent:
    """A new order; `items` are rows of inventory_id, name, quantity, unit_price; `warehouse_id`: ships from there."""
    payload = {
        "order_id": order_id,
        "user_id": user_id,
        "total_amount": total_amount,
        "items": list(items),
        "status": status,
    }
    return NewEvent("order_placed", ORDERS, order_id, payload, owner_id=user_id, warehouse_id=warehouse_id, by=by)


def return_booked(
    *, reference: str, customer_id: int | None, refund_amount: Decimal, returned_at: datetime, **facts: Any
) -> NewEvent:
    """A credit note that matches no order we know was booked: it is of order 0, since it is of none."""
    payload = {
        "reference": reference,
        "customer_id": customer_id,
        "refund_amount": refund_amount,
        "returned_at": returned_at.isoformat(),
        **facts,
    }
    return NewEvent("return_booked", ORDERS, 0, payload)


def order_updated(
    *,
    order_id: int,
    user_id: int | None,
    status: str,
    previous_status: str,
    total_amount: Decimal,
    warehouse_id: int | None = None,
    **facts: Any,
) -> NewEvent:
    """An order moved on (or was partly shipped or returned: then the statuses may be equal)."""
    payload = {
        "order_id": order_id,
        "user_id": user_id,
        "status": status,
        "previous_status": previous_status,
        "total_amount": total_amount,
        **facts,
    }
    return NewEvent("order_updated", ORDERS, order_id, payload, owner_id=user_id, warehouse_id=warehouse_id)
