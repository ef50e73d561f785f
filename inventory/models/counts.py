"""Stock counts: what people found on the shelves, and how far the books were off at that moment.

A count does not stop the warehouse: each line remembers when it was counted, and is compared with the ledger's balance
of that moment. Written by `inventory/services/counts.py` only.
"""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from inventory.models.catalog import Product
from inventory.models.stock import StockOperation, Warehouse
from workbox.core.fields import QuantityField


class StockCount(models.Model):
    """One round of counting in one warehouse; while it is open and blind nobody is shown what the books say."""

    wall_columns = ("warehouse_id",)

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.BigAutoField(primary_key=True)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="counts")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.OPEN, editable=False)
    is_blind = models.BooleanField(
        "blind", default=False, help_text="Who counts is not shown what the books say until the count is closed."
    )
    notes = models.CharField(max_length=500, blank=True)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="opened_counts",
    )
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="closed_counts",
    )
    operation = models.OneToOneField(
        StockOperation, on_delete=models.PROTECT, null=True, editable=False, related_name="count_closed"
    )
    opened_at = models.DateTimeField(db_index=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False, help_text="Closed or cancelled.")
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Count {self.pk}"


class CountLine(models.Model):
    """How many of one product were found, and when; what the books said then and the difference come at the close."""

    id = models.BigAutoField(primary_key=True)
    count = models.ForeignKey(StockCount, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="count_lines")
    counted_quantity = QuantityField(validators=[MinValueValidator(Decimal(0))])
    counted_at = models.DateTimeField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="count_lines"
    )
    expected_quantity = QuantityField(
        max_digits=18, null=True, editable=False, help_text="The ledger's balance when it was counted."
    )
    variance = QuantityField(max_digits=18, null=True, editable=False, help_text="Counted − expected.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["count", "product"], name="one_line_per_product_of_count"),
            models.CheckConstraint(
                name="counted_not_negative",
                condition=Q(counted_quantity__gte=0),
                violation_error_message="Nobody counts less than nothing.",
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.pk} of count {self.count_id}"
