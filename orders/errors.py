"""What order rules refuse, in words."""

from workbox.core.errors import Conflict, NotFound, RuleViolation


class OrderUnknown(NotFound):
    """No such order, or it belongs to somebody else."""

    code = "order_not_found"


class IllegalTransition(Conflict):
    """The order's status does not allow the step."""

    code = "illegal_transition"

    def __init__(self, order_id: int, status: str, step: str, *, hint: str = "") -> None:
        text = f"Order {order_id} is {status.replace('_', ' ')}; it cannot be {step}."
        super().__init__(f"{text} {hint}".strip(), extra={"status": status, "order_id": order_id})


class EmptyOrder(RuleViolation):
    """An order needs at least one line."""

    code = "empty_order"
