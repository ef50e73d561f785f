"""Vendors, what they ask for a product now and asked before, purchase orders, and what came in on them."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.names import username_key
from inventory.models import Product, StockOperation, Warehouse
from purchasing.states import PurchaseStatus
from workbox.core.fields import ExactCharField, MoneyField, QuantityField
from workbox.core.numbers import MONEY_MAX

LEAD_TIME_DAYS_MAX = 3650
DEFAULT_LEAD_TIME_DAYS = 7
NAME_LENGTH = 200
NAME_KEY_LENGTH = 2 * NAME_LENGTH  # folding case may lengthen a name
SMALLEST = Decimal("0.001")


class Vendor(models.Model):
    """Who we buy from. A name is taken in every spelling; `name_key` is what its spellings have in common."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=NAME_LENGTH)
    name_key = ExactCharField(max_length=NAME_KEY_LENGTH, unique=True, editable=False)
    contact_email = models.EmailField(blank=True)
    contact_phone = models.CharField(max_length=60, blank=True)
    address = models.CharField(max_length=300, blank=True)
    quoted_lead_time_days = models.PositiveIntegerField(
        default=DEFAULT_LEAD_TIME_DAYS,
        validators=[MaxValueValidator(LEAD_TIME_DAYS_MAX)],
        help_text="Days from sending an order to receiving it, as the vendor says; receipts tell later how true it is.",
    )
    notes = models.CharField(max_length=500, blank=True)
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def key_of(name: str) -> str:
        """What all spellings of a vendor's name have in common."""
        return username_key(" ".join(name.split()))


class VendorPrice(models.Model):
    """What a vendor asks for a product from `valid_from` on; never edited: a new price closes the one before.

    `is_current` is true for the one in force and NULL for all that were, so that a plain UNIQUE allows one per vendor
    and product.
    """

    class ShippingBasis(models.TextChoices):
        LINE = "line", "per order line"
        UNIT = "unit", "per unit"

    id = models.BigAutoField(primary_key=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="prices")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="vendor_prices")
    unit_price = MoneyField(validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MONEY_MAX)])
    lead_time_days = models.PositiveIntegerField(validators=[MaxValueValidator(LEAD_TIME_DAYS_MAX)])
    minimum_order_quantity = QuantityField(default=Decimal(1), validators=[MinValueValidator(SMALLEST)])
    pack_quantity = QuantityField(
        default=Decimal(1), validators=[MinValueValidator(SMALLEST)], help_text="Sold in multiples of this."
    )
    shipping_cost = MoneyField(default=Decimal(0), validators=[MinValueValidator(Decimal(0))])
    shipping_basis = models.CharField(max_length=4, choices=ShippingBasis.choices, default=ShippingBasis.LINE)
    is_current = models.BooleanField(null=True, default=True, editable=False)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vendor", "product", "is_current"], name="one_current_price"),
            models.CheckConstraint(
                name="price_current_until_closed",
                condition=Q(is_current__isnull=False, is_current=True, valid_to__isnull=True)
                | Q(is_current__isnull=True, valid_to__isnull=False),
                violation_error_message="A price is in force until it is closed.",
            ),
            models.CheckConstraint(
                name="vendor_price_not_negative",
                condition=Q(unit_price__gte=0) & Q(shipping_cost__gte=0),
                violation_error_message="A price may not be negative.",
            ),
            models.CheckConstraint(
                name="vendor_quantities_positive",
                condition=Q(minimum_order_quantity__gt=0) & Q(pack_quantity__gt=0),
                violation_error_message="Packs and minimum orders hold more than nothing.",
            ),
        ]
        indexes = [models.Index(fields=["vendor", "id"], name="price_of_vendor")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"price {self.pk}"


class PriceBreak(models.Model):
    """From so many units on, a unit costs this."""

    id = models.BigAutoField(primary_key=True)
    vendor_price = models.ForeignKey(VendorPrice, on_delete=models.PROTECT, related_name="breaks")
    from_quantity = QuantityField(validators=[MinValueValidator(SMALLEST)])
    unit_price = MoneyField(validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MONEY_MAX)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vendor_price", "from_quantity"], name="one_break_per_quantity"),
            models.CheckConstraint(
                name="break_makes_sense",
                condition=Q(from_quantity__gt=0) & Q(unit_price__gte=0),
                violation_error_message="A price break needs a quantity above zero and a price that is not negative.",
            ),
        ]
        ordering = ["from_quantity"]

    def __str__(self) -> str:
        return f"break {self.pk}"


class PurchaseOrder(models.Model):
    """What we asked a vendor to bring into one warehouse. Edited while it is a draft, frozen when it is sent."""

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="purchase_orders")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="purchase_orders")
    status = models.CharField(max_length=20, choices=PurchaseStatus.choices, default=PurchaseStatus.DRAFT)
    total_amount = MoneyField(default=Decimal(0))
    reference = models.CharField(max_length=100, blank=True, db_index=True, help_text="The vendor's or our own.")
    notes = models.CharField(max_length=500, blank=True)
    expected_on = models.DateField(null=True, blank=True, help_text="Empty: reckoned from the lead time when sent.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase_orders"
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True, help_text="When the last of it came.")
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Closed short: the rest never comes.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["status", "id"], name="purchase_status")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"PO-{self.pk}"


class PurchaseOrderLine(models.Model):
    """So many of a product at the cost agreed. An order names a product once."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(PurchaseOrder, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="purchase_lines")
    quantity = QuantityField(validators=[MinValueValidator(SMALLEST)])
    unit_cost = MoneyField(validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MONEY_MAX)])
    received_quantity = QuantityField(default=Decimal(0), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="product_once_per_purchase"),
            models.CheckConstraint(
                name="purchase_line_positive",
                condition=Q(quantity__gt=0) & Q(unit_cost__gte=0) & Q(received_quantity__gte=0),
                violation_error_message="Order at least something, at a cost that is not negative.",
            ),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"line {self.pk}"


class Receipt(models.Model):
    """Goods of one purchase order that came in one go; its lines are the movements of its operation."""

    wall_columns = ("order__warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(PurchaseOrder, on_delete=models.PROTECT, related_name="receipts")
    operation = models.OneToOneField(StockOperation, on_delete=models.PROTECT, related_name="receipt")
    received_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="receipts"
    )
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Receipt {self.pk}"
