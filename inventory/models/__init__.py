"""The tables that are the truth about what stands on the shelves."""

from inventory.models.catalog import Barcode, Category, Product, ProductPicture, UnitOfMeasure
from inventory.models.counts import CountLine, StockCount
from inventory.models.stock import (
    INBOUND_TYPES,
    OUTBOUND_TYPES,
    CostChange,
    Hold,
    MovementType,
    ProductStock,
    Reservation,
    StockLevel,
    StockMovement,
    StockOperation,
    Warehouse,
)
from inventory.models.transfers import Transfer, TransferLine

__all__ = [
    "INBOUND_TYPES",
    "OUTBOUND_TYPES",
    "Barcode",
    "Category",
    "CostChange",
    "CountLine",
    "Hold",
    "MovementType",
    "Product",
    "ProductPicture",
    "ProductStock",
    "Reservation",
    "StockCount",
    "StockLevel",
    "StockMovement",
    "StockOperation",
    "Transfer",
    "TransferLine",
    "UnitOfMeasure",
    "Warehouse",
]
