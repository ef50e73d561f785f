"""What was asked for per product, warehouse and day: kept by `insights.demand` from orders and the ledger."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from inventory.models import Product, Warehouse
from workbox.core.fields import QuantityField


class DailyDemand(models.Model):
    """One product in one warehouse on one day (UTC): what was ordered, brought back, and how long it stood there.

    Sparse: a day has a row when something was ordered or brought back, when the shelf was empty for a part of it, or
    when it ended empty and the day before had not (or the other way round). A day without a row ended like the last one
    with a row: in stock the whole day, or empty the whole day.
    """

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="daily_demand", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    day = models.DateField(db_index=True)
    units = QuantityField(max_digits=20, default=Decimal(0), help_text="Ordered that day and not called off later.")
    orders = models.PositiveIntegerField(default=0)
    returned_units = QuantityField(max_digits=20, default=Decimal(0), help_text="Brought back that day.")
    in_stock_share = models.DecimalField(max_digits=5, decimal_places=4, help_text="Of the day, by the ledger.")
    is_empty_after = models.BooleanField(default=False, help_text="Nothing stood there at the day's end.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "warehouse", "day"], name="demand_of_product_in_place_on_day"),
            models.CheckConstraint(
                name="demand_share_of_a_day",
                condition=Q(in_stock_share__gte=0) & Q(in_stock_share__lte=1),
                violation_error_message="A share of a day lies between 0 and 1.",
            ),
        ]
        ordering = ["-day", "product_id", "warehouse_id"]
        verbose_name_plural = "daily demand"

    def __str__(self) -> str:
        return f"product {self.product_id} in warehouse {self.warehouse_id} on {self.day}"


class TradingDay(models.Model):
    """A day on which a warehouse filled orders, and how many lines it filled; other days it may have been closed."""

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    lines = models.PositiveIntegerField(help_text="Products × orders.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["warehouse", "day"], name="trading_day_of_warehouse")]
        ordering = ["-day", "warehouse_id"]

    def __str__(self) -> str:
        return f"warehouse {self.warehouse_id} on {self.day}"
