"""Orders, their lines, and the stock operations that shipped or brought them back."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from inventory.models import Product, StockOperation, Warehouse
from orders.states import OrderStatus
from workbox.core.fields import ExactCharField, MoneyField, QuantityField


class Customer(models.Model):
    """Who buys. A web customer is also a user; a wholesale customer from an import is only a code."""

    id = models.BigAutoField(primary_key=True)
    code = ExactCharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code


class Order(models.Model):
    """A sales order. Its total is what its lines say, fixed when it was placed."""

    wall_columns = ("warehouse_id",)
    wall_or_none = True

    class Channel(models.TextChoices):
        API = "api", "API"
        ADMIN = "admin", "Admin"
        COUNTER = "counter", "Counter sale"
        IMPORT = "import", "Import"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name="ordered by",
    )
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="orders")
    warehouse = models.ForeignKey(
        Warehouse,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text="Ship from here only; empty: by warehouse priority.",
    )
    status = models.CharField(max_length=20, choices=OrderStatus.choices, default=OrderStatus.PENDING)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.API)
    total_amount = MoneyField(default=Decimal(0))
    external_reference = ExactCharField(max_length=64, null=True, blank=True, unique=True)
    notes = models.CharField(max_length=500, blank=True)
    placed_at = models.DateTimeField(help_text="When the customer ordered; in the past for imports.")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    hold_expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Until then a pending order's stock was held for it."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["status", "id"], name="order_status"),
            models.Index(fields=["placed_at"], name="order_placed_at"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderLine(models.Model):
    """So many of a product at the price it had when ordered. One order may name a product on several lines."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="order_lines")
    quantity = QuantityField(validators=[MinValueValidator(Decimal("0.001"))])
    unit_price = MoneyField()
    shipped_quantity = QuantityField(default=Decimal(0), editable=False)
    returned_quantity = QuantityField(default=Decimal(0), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="line_quantity_positive",
                condition=Q(quantity__gt=0),
                violation_error_message="Order at least something.",
            ),
            models.CheckConstraint(
                name="line_shipped_within_ordered",
                condition=Q(shipped_quantity__gte=0) & Q(shipped_quantity__lte=F("quantity")),
                violation_error_message="More was shipped than ordered.",
            ),
            models.CheckConstraint(
                name="line_returned_within_shipped",
                condition=Q(returned_quantity__gte=0) & Q(returned_quantity__lte=F("shipped_quantity")),
                violation_error_message="More came back than was shipped.",
            ),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"line {self.pk}"


class Shipment(models.Model):
    """Goods of one order that left in one go.

    Its lines are the movements of its operation (none when it held charges only).
    """

    wall_columns = ("order__warehouse_id",)
    wall_or_none = True

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    operation = models.OneToOneField(StockOperation, on_delete=models.PROTECT, null=True, blank=True)
    shipped_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Shipment {self.pk}"


class Return(models.Model):
    """Goods or money that went back to a customer; its goods are the movements of its operation.

    Nearly always of one order. A credit note from another system may match none: then it stands alone, known by its
    `external_reference`.
    """

    wall_columns = ("order__warehouse_id",)
    wall_or_none = True

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="returns")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="returns")
    operation = models.OneToOneField(StockOperation, on_delete=models.PROTECT, null=True, blank=True)
    external_reference = ExactCharField(
        max_length=64, null=True, blank=True, db_index=True, help_text="The credit note it was imported from."
    )
    reason = models.CharField(max_length=500, blank=True)
    refund_amount = MoneyField(default=Decimal(0))
    returned_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["returned_at"], name="return_time")]
        constraints = [
            models.CheckConstraint(
                name="return_of_an_order_or_a_paper",
                condition=Q(order__isnull=False) | Q(external_reference__isnull=False),
                violation_error_message="A return belongs to an order or names the credit note it came with.",
            )
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Return {self.pk}"


class ReturnLine(models.Model):
    """So many of a product went back at this price; `order_line` is the line they were sold on, if it is known."""

    id = models.BigAutoField(primary_key=True)
    goods_return = models.ForeignKey(Return, on_delete=models.PROTECT, related_name="lines")
    order_line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, null=True, blank=True, related_name="return_lines"
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="return_lines")
    quantity = QuantityField(validators=[MinValueValidator(Decimal("0.001"))])
    damaged_quantity = QuantityField(default=Decimal(0), help_text="So much of it cannot be sold again.")
    unit_price = MoneyField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="return_line_damaged_within_quantity",
                condition=Q(damaged_quantity__gte=0) & Q(damaged_quantity__lte=F("quantity")),
                violation_error_message="More is damaged than came back.",
            ),
            models.CheckConstraint(
                name="return_line_quantity_positive",
                condition=Q(quantity__gt=0),
                violation_error_message="Bring back at least something.",
            ),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"return line {self.pk}"
