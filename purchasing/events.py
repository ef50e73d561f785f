"""The facts purchasing tells the world, with the keys their frames show."""

from datetime import date
from decimal import Decimal
from typing import Any

from workbox.core.events import PURCHASING, NewEvent


def purchase_order_updated(
    *,
    order_id: int,
    vendor_id: int,
    warehouse_id: int,
    status: str,
    previous_status: str | None,
    total_amount: Decimal,
    expected_on: date | None,
    **facts: Any,
) -> NewEvent:
    """A purchase order was made (`previous_status` null), edited, moved on or partly received."""
    payload = {
        "purchase_order_id": order_id,
        "vendor_id": vendor_id,
        "warehouse_id": warehouse_id,
        "status": status,
        "previous_status": previous_status,
        "total_amount": total_amount,
        "expected_on": expected_on,
        **facts,
    }
    return NewEvent("purchase_order_updated", PURCHASING, order_id, payload, warehouse_id=warehouse_id)
