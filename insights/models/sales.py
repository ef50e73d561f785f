"""What was sold and brought back per day: kept by `insights.sales` from orders and returns, never written elsewhere."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from inventory.models import Category, Product
from workbox.core.fields import MoneyField, QuantityField


class DailyFigures(models.Model):
    """What the three tables count, each per day (UTC) and something else.

    Sold on the day the customer ordered, by orders that were confirmed or went further; brought back on the day of the
    return.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()
    units = QuantityField(max_digits=20, default=Decimal(0))
    orders = models.PositiveIntegerField(default=0, help_text="Orders that hold it, each counted once.")
    revenue = MoneyField(max_digits=24, default=Decimal(0), help_text="Before refunds.")
    returned_units = QuantityField(max_digits=20, default=Decimal(0))
    refunds = MoneyField(max_digits=24, default=Decimal(0))

    class Meta:
        abstract = True


class DailySales(DailyFigures):
    """One product's sales of one day. `category` is the product's present one; it moves when the product moves."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="daily_sales")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "product"], name="sales_of_product_on_day")]
        indexes = [models.Index(fields=["product", "day"], name="daily_sales_product")]
        ordering = ["-day", "product_id"]
        verbose_name_plural = "daily sales"

    def __str__(self) -> str:
        return f"product {self.product_id} on {self.day}"


class DailyCategorySales(DailyFigures):
    """One category's sales of one day; `category_key` is its id, 0 for products that have none.

    Not a foreign key: NULL would make two rows of one day possible.
    """

    category_key = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "category_key"], name="sales_of_category_on_day")]
        ordering = ["-day", "category_key"]
        verbose_name_plural = "daily sales per category"

    def __str__(self) -> str:
        return f"category {self.category_key} on {self.day}"


class DailyTotal(DailyFigures):
    """The whole shop's sales of one day."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day"], name="total_of_day"),
            models.CheckConstraint(
                name="total_counts_something",
                condition=Q(orders__gt=0) | Q(returned_units__gt=0) | Q(refunds__gt=0),
                violation_error_message="A day without sales and returns has no row.",
            ),
        ]
        ordering = ["-day"]
        verbose_name = "daily total"

    def __str__(self) -> str:
        return f"total of {self.day}"
