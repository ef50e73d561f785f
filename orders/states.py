"""The life of an order: which step is legal from which status. Pure words, no database."""

from django.db import models


class OrderStatus(models.TextChoices):
    """Stored lower-case; filters ignore case."""

    PENDING = "pending", "Pending"
    CONFIRMED = "confirmed", "Confirmed"
    PARTIALLY_SHIPPED = "partially_shipped", "Partially shipped"
    SHIPPED = "shipped", "Shipped"
    DELIVERED = "delivered", "Delivered"
    CANCELLED = "cancelled", "Cancelled"


S = OrderStatus
CAN_CONFIRM = frozenset({S.PENDING})
CAN_CANCEL = frozenset({S.PENDING, S.CONFIRMED})
CAN_SHIP = frozenset({S.CONFIRMED, S.PARTIALLY_SHIPPED})
CAN_DELIVER = frozenset({S.SHIPPED})
CAN_RETURN = frozenset({S.PARTIALLY_SHIPPED, S.SHIPPED, S.DELIVERED})
OPEN = frozenset({S.PENDING, S.CONFIRMED, S.PARTIALLY_SHIPPED})
SOLD = frozenset({S.CONFIRMED, S.PARTIALLY_SHIPPED, S.SHIPPED, S.DELIVERED})
