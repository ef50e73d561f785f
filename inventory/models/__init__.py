"""The tables that are the truth about what stands on the shelves."""

from inventory.models.catalog import Barcode, Category, Product, UnitOfMeasure
from inventory.models.stock import (
    INBOUND_TYPES,
    OUTBOUND_TYPES,
    Hold,
    MovementType,
    ProductStock,
    Reservation,
    StockLevel,
    StockMovement,
    StockOperation,
    Warehouse,
)

__all__ = [
    "INBOUND_TYPES",
    "OUTBOUND_TYPES",
    "Barcode",
    "Category",
    "Hold",
    "MovementType",
    "Product",
    "ProductStock",
    "Reservation",
    "StockLevel",
    "StockMovement",
    "StockOperation",
    "UnitOfMeasure",
    "Warehouse",
]
