"""The life of a purchase order: which step is legal from which status. Pure words, no database."""

from django.db import models


class PurchaseStatus(models.TextChoices):
    """Stored lower-case; filters ignore case."""

    DRAFT = "draft", "Draft"
    SENT = "sent", "Sent"
    PARTIALLY_RECEIVED = "partially_received", "Partially received"
    RECEIVED = "received", "Received"
    CANCELLED = "cancelled", "Cancelled"


S = PurchaseStatus
CAN_CHANGE = frozenset({S.DRAFT})
CAN_SEND = frozenset({S.DRAFT})
CAN_RECEIVE = frozenset({S.SENT, S.PARTIALLY_RECEIVED})
CAN_UNDO_RECEIPT = frozenset({S.PARTIALLY_RECEIVED, S.RECEIVED})
CAN_CLOSE = frozenset({S.PARTIALLY_RECEIVED})
CAN_CANCEL = frozenset({S.DRAFT, S.SENT})
ON_ORDER = frozenset({S.SENT, S.PARTIALLY_RECEIVED})
