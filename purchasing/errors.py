"""What purchasing rules refuse, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbox.core.errors import Conflict, NotFound, RuleViolation
from workbox.core.numbers import plain


class VendorUnknown(NotFound):
    """No such vendor."""

    code = "vendor_not_found"


class PurchaseOrderUnknown(NotFound):
    """No such purchase order."""

    code = "purchase_order_not_found"


class ReceiptUnknown(NotFound):
    """No such receipt."""

    code = "receipt_not_found"


class EmptyPurchaseOrder(RuleViolation):
    """A purchase order needs at least one line."""

    code = "empty_order"


class IllegalPurchaseStep(Conflict):
    """The purchase order's status does not allow the step."""

    code = "illegal_transition"

    def __init__(self, order_id: int, status: str, step: str, *, hint: str = "") -> None:
        text = f"Purchase order {order_id} is {status.replace('_', ' ')}; it cannot be {step}."
        super().__init__(f"{text} {hint}".strip(), extra={"status": status, "purchase_order_id": order_id})


@dataclass(frozen=True, slots=True)
class Excess:
    """One line of which more would have come than was ordered."""

    product_id: int
    sku: str
    name: str
    ordered: Decimal
    received: Decimal
    asked: Decimal

    def as_dict(self) -> dict[str, Any]:
        """The line as the error body lists it."""
        return {
            "product_id": self.product_id,
            "sku": self.sku,
            "name": self.name,
            "ordered": self.ordered,
            "received": self.received,
            "asked": self.asked,
        }


class OverReceipt(RuleViolation):
    """More would have come in than was ordered and is tolerated; every such line is listed, nothing was booked."""

    code = "over_receipt"
    title = "More than ordered"

    def __init__(self, lines: Sequence[Excess], *, percent: int) -> None:
        self.lines = list(lines)
        told = "; ".join(
            f"{one.name} ({one.sku}): ordered {plain(one.ordered)}, received {plain(one.received)},"
            f" asked {plain(one.asked)}"
            for one in self.lines
        )
        allowed = f" (up to {percent} % more is accepted)" if percent else ""
        super().__init__(
            f"More than was ordered{allowed}. {told}",
            fields={"items": [f"product {one.product_id}: more than was ordered" for one in self.lines]},
            extra={"lines": [one.as_dict() for one in self.lines], "accepted_percent": percent},
        )
