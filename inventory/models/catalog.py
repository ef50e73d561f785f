"""What can be stocked and sold: categories, units of measure, products, barcodes."""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from inventory.gtin import GTIN_DIGITS, check_digit, gtin_of, looks_like_gtin
from workbox.core.fields import ExactCharField, MoneyField, QuantityField
from workbox.core.numbers import MONEY_MAX, QUANTITY_MAX, QUANTITY_PLACES


class Category(models.Model):
    """A group of products, known by its name."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UnitOfMeasure(models.Model):
    """What one of a product is (piece, kg) and how finely it may be divided."""

    id = models.BigAutoField(primary_key=True)
    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=60)
    decimal_places = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(QUANTITY_PLACES)],
        help_text="0 for whole pieces, 3 for grams in a kilogram.",
    )

    class Meta:
        verbose_name_plural = "units of measure"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="unit_places_0_to_3",
                condition=Q(decimal_places__lte=QUANTITY_PLACES),
                violation_error_message="A quantity has at most three decimal places.",
            )
        ]

    def __str__(self) -> str:
        return self.code


class Product(models.Model):
    """One SKU. Its stock is not here: see StockLevel (per warehouse) and ProductStock (in all)."""

    id = models.BigAutoField(primary_key=True)
    sku = ExactCharField("SKU", max_length=64, unique=True)
    name = models.CharField(max_length=200, db_index=True)
    description = models.TextField(blank=True, default="", max_length=4000)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="products")
    unit = models.ForeignKey(UnitOfMeasure, on_delete=models.PROTECT, related_name="products")
    price = MoneyField(default=Decimal(0), validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MONEY_MAX)])
    unit_cost = MoneyField(
        null=True, blank=True, validators=[MinValueValidator(Decimal(0)), MaxValueValidator(MONEY_MAX)]
    )
    reorder_threshold = QuantityField(
        default=Decimal(10), validators=[MinValueValidator(Decimal(0)), MaxValueValidator(QUANTITY_MAX)]
    )
    reorder_quantity = QuantityField(
        default=Decimal(0), validators=[MinValueValidator(Decimal(0)), MaxValueValidator(QUANTITY_MAX)]
    )
    is_stocked = models.BooleanField(
        "stocked", default=True, help_text="Off for charges (postage, fees): sold like a product, but no stock is kept."
    )
    is_active = models.BooleanField("active", default=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="product_price_not_negative",
                condition=Q(price__gte=0),
                violation_error_message="A price may not be negative.",
            ),
            models.CheckConstraint(
                name="product_cost_not_negative",
                condition=Q(unit_cost__isnull=True) | Q(unit_cost__gte=0),
                violation_error_message="A unit cost may not be negative.",
            ),
            models.CheckConstraint(
                name="product_threshold_not_negative",
                condition=Q(reorder_threshold__gte=0),
                violation_error_message="A reorder threshold may not be negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"


class ProductPicture(models.Model):
    """What a product looks like, as `inventory.services.pictures` keeps it; `version` names these very bytes."""

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="picture")
    content = models.BinaryField()
    version = models.CharField(max_length=16)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"picture of {self.product}"


class GtinField(ExactCharField):
    """The row's `code` as GTIN-14, or null: written by the column itself, so that no door can forget it."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Follow the code."""
        found = gtin_of(getattr(model_instance, "code", ""))
        setattr(model_instance, self.attname, found)
        return found


class Barcode(models.Model):
    """A code printed on a product or its carton; scanning it means `pack_quantity` units of the product.

    `code` is kept as printed; `gtin` is the same for UPC-A, EAN-13 and GTIN-14 spellings of one number.
    """

    id = models.BigAutoField(primary_key=True)
    code = ExactCharField(max_length=64, unique=True)
    gtin = GtinField("GTIN", max_length=GTIN_DIGITS, null=True, blank=True, unique=True, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="barcodes")
    pack_quantity = QuantityField(default=Decimal(1), validators=[MinValueValidator(Decimal("0.001"))])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                name="barcode_pack_positive",
                condition=Q(pack_quantity__gt=0),
                violation_error_message="A pack holds more than nothing.",
            )
        ]

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        """A code that carries a check digit ends with the right one, and no other spelling of it is in use."""
        if looks_like_gtin(self.code) and gtin_of(self.code) is None:
            raise ValidationError({"code": f"The last digit of {self.code} should be {check_digit(self.code)}."})
        gtin = gtin_of(self.code)
        twin = Barcode.objects.filter(gtin=gtin).exclude(pk=self.pk).first() if gtin else None
        if twin is not None:
            raise ValidationError({"code": f"{self.code} is in use as {twin.code}."})
