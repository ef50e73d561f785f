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
