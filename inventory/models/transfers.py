"""Transfers: stock on its way from one warehouse to another, and what became of it.

A pending transfer reserves at its source, one in transit has left and not arrived, a completed one arrived (what was
lost or damaged on the way is named). Written by `inventory/services/transfers.py` only.
"""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from inventory.models.catalog import Product
from inventory.models.stock import StockOperation, Warehouse
from workbox.core.fields import QuantityField


class Transfer(models.Model):
    """One act of moving goods between two warehouses."""

    wall_columns = ("from_warehouse_id", "to_warehouse_id")

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        IN_TRANSIT = "in_transit", "In transit"
        COMPLETED = "completed", "Completed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.BigAutoField(primary_key=True)
    from_warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="transfers_out")
    to_warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="transfers_in")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING, editable=False)
    reference = models.CharField(max_length=100, blank=True, db_index=True)
    notes = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="transfers",
    )
    sent_operation = models.OneToOneField(
        StockOperation, on_delete=models.PROTECT, null=True, editable=False, related_name="sends"
    )
    arrived_operation = models.OneToOneField(
        StockOperation,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="receives",
        help_text="At the destination, or back at the source when it was cancelled on the way.",
    )
    created_at = models.DateTimeField(db_index=True, editable=False)
    dispatched_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["status", "to_warehouse"], name="transfer_status")]
        constraints = [
            models.CheckConstraint(
                name="transfer_between_two_places",
                condition=~Q(from_warehouse=F("to_warehouse")),
                violation_error_message="Source and destination are the same warehouse.",
            )
        ]

    def __str__(self) -> str:
        return f"Transfer {self.pk}"


class TransferLine(models.Model):
    """So many of one product on a transfer; once it is completed, how many arrived well, were lost, were damaged."""

    id = models.BigAutoField(primary_key=True)
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="transfer_lines")
    quantity = QuantityField(validators=[MinValueValidator(Decimal("0.001"))])
    received_quantity = QuantityField(default=Decimal(0), editable=False)
    lost_quantity = QuantityField(default=Decimal(0), editable=False)
    damaged_quantity = QuantityField(default=Decimal(0), editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["transfer", "product"], name="one_line_per_product_of_transfer"),
            models.CheckConstraint(
                name="transfer_line_positive",
                condition=Q(quantity__gt=0),
                violation_error_message="A transfer moves more than nothing.",
            ),
            models.CheckConstraint(
                name="transfer_line_parts_not_negative",
                condition=Q(received_quantity__gte=0) & Q(lost_quantity__gte=0) & Q(damaged_quantity__gte=0),
                violation_error_message="What arrived, was lost or was damaged cannot be less than nothing.",
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.pk} of transfer {self.transfer_id}"
