"""The facts alerts tell the world, with the keys their frames show."""

from decimal import Decimal
from typing import Any

from workbox.core.events import ALERTS, NewEvent

RAISED, UPDATED, RESOLVED = "alert_raised", "alert_updated", "alert_resolved"


def alert_event(
    kind: str,
    *,
    alert_id: int,
    alert_type: str,
    severity: str,
    status: str,
    product_id: int,
    sku: str,
    product: str,
    warehouse_id: int | None,
    title: str,
    message: str,
    current_quantity: Decimal,
    threshold: Decimal,
) -> NewEvent:
    """An alert as it is now: it was raised (again), changed by somebody or in how much it hurries, or resolved."""
    payload: dict[str, Any] = {
        "alert_id": alert_id,
        "alert_type": alert_type,
        "severity": severity,
        "status": status,
        "product_id": product_id,
        "sku": sku,
        "product": product,
        "warehouse_id": warehouse_id,
        "title": title,
        "message": message,
        "current_quantity": current_quantity,
        "threshold": threshold,
    }
    return NewEvent(kind, ALERTS, alert_id, payload, warehouse_id=warehouse_id)
