"""What stock rules refuse, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbox.core.errors import Conflict, NotFound, RuleViolation
from workbox.core.numbers import plain


@dataclass(frozen=True, slots=True)
class Shortage:
    """One product that cannot be given: how much was asked for and how much is available."""

    product_id: int
    sku: str
    name: str
    requested: Decimal
    available: Decimal

    def as_dict(self) -> dict[str, Any]:
        """The shortage as the error body lists it."""
        return {
            "product_id": self.product_id,
            "inventory_id": self.product_id,
            "sku": self.sku,
            "name": self.name,
            "requested": self.requested,
            "available": self.available,
        }


class InsufficientStock(RuleViolation):
    """One or more products are short; every one of them is listed, and nothing was changed."""

    code = "insufficient_stock"
    title = "Insufficient stock"

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        self.shortages = list(shortages)
        lines = "; ".join(
            f"{one.name} ({one.sku}): Available: {plain(one.available)}, Requested: {plain(one.requested)}"
            for one in self.shortages
        )
        super().__init__(f"Insufficient stock. {lines}", extra={"shortages": [one.as_dict() for one in self.shortages]})


class PlanOutdated(Conflict):
    """Stock would come from other warehouses than the plan says that the client agreed to."""

    code = "plan_outdated"


class ProductUnknown(NotFound):
    """No such product, or it is no longer sold."""

    code = "product_not_found"


class WarehouseUnknown(NotFound):
    """No such warehouse, or it is closed."""

    code = "warehouse_not_found"


class AlreadyReversed(Conflict):
    """An operation can be reversed once."""

    code = "already_reversed"


class TransferUnknown(NotFound):
    """No such transfer."""

    code = "transfer_not_found"


class CountUnknown(NotFound):
    """No such stock count."""

    code = "count_not_found"


class IllegalStep(Conflict):
    """The status of a transfer or a count does not allow the step: somebody else was first, or it comes too late."""

    code = "illegal_transition"

    def __init__(self, what: str, number: int, status: str, step: str) -> None:
        text = f"{what.capitalize()} {number} is {status.replace('_', ' ')}; it cannot be {step}."
        super().__init__(text, extra={"status": status, f"{what}_id": number})


class BarcodeUnknown(NotFound):
    """No product carries this code yet; the error says how to link one."""

    code = "barcode_not_found"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"No product carries the barcode {code} yet. Link it to one:"
            ' POST /api/v1/barcode/link {"barcode", "product_id"}.',
            fields={"barcode": ["unknown barcode"]},
            extra={"barcode": code, "hint": "link", "link": {"method": "POST", "path": "/api/v1/barcode/link"}},
        )


class BarcodeTaken(Conflict):
    """The code means another product already; unlink it there first."""

    code = "barcode_taken"

    def __init__(self, code: str, *, product_id: int, sku: str, name: str) -> None:
        super().__init__(
            f"The barcode {code} belongs to {name} ({sku}) already; unlink it there first:"
            f" DELETE /api/v1/barcode/{code}.",
            fields={"barcode": ["in use"]},
            extra={"barcode": code, "product_id": product_id, "sku": sku, "name": name},
        )
