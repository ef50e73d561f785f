"""Warehouses, the stock in them, the ledger that explains it, and the promises made on it.

Only `inventory/services/ledger.py` posts movements or changes `on_hand`; only `reservations.py` changes `reserved`.
"""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from inventory.average import COST_PLACES
from inventory.models.catalog import Product
from workbox.core.fields import MoneyField, QuantityField
from workbox.core.models import AppendOnly


class AverageCostField(MoneyField):
    """An average of amounts of money; six decimal places are kept."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_digits": 21, "decimal_places": COST_PLACES} | kwargs))


class MovementType(models.TextChoices):
    """Why stock moved; the sign follows the type, only an adjustment carries its own."""

    PURCHASE = "purchase", "Purchase"
    SALE = "sale", "Sale"
    ADJUSTMENT = "adjustment", "Adjustment"
    DAMAGED = "damaged", "Damaged"
    RETURN = "return", "Return"
    TRANSFER_IN = "transfer_in", "Transfer in"
    TRANSFER_OUT = "transfer_out", "Transfer out"


INBOUND_TYPES = frozenset({MovementType.PURCHASE, MovementType.RETURN, MovementType.TRANSFER_IN})
OUTBOUND_TYPES = frozenset({MovementType.SALE, MovementType.DAMAGED, MovementType.TRANSFER_OUT})


class Warehouse(models.Model):
    """A place that holds stock. Orders are filled from sellable warehouses, lowest `priority` number first."""

    wall_columns = ("id",)

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    code = models.CharField(max_length=20, unique=True)
    address = models.CharField(max_length=300, blank=True)
    is_sellable = models.BooleanField(
        "sellable", default=True, help_text="Off for quarantine and damaged goods: on hand, never available to orders."
    )
    priority = models.PositiveIntegerField(default=100, help_text="Orders are filled from the lowest number first.")
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["priority", "id"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class StockLevel(models.Model):
    """One product in one warehouse: what is physically there and how much of it is promised."""

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="levels")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="levels")
    on_hand = QuantityField(max_digits=18, default=Decimal(0), editable=False)
    reserved = QuantityField(max_digits=18, default=Decimal(0), editable=False)
    bin = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",  # levels are made by plain INSERTs that do not know of it
        help_text="Where it stands in the warehouse: aisle, shelf, box. Pick lists follow it.",
    )
    reorder_threshold = QuantityField(
        null=True, blank=True, help_text="At or below it the product is low in this warehouse; empty: only as a whole."
    )
    last_moved_at = models.DateTimeField(null=True, editable=False, help_text="The newest moment of its movements.")
    has_late_entries = models.BooleanField(
        default=False,
        editable=False,
        help_text="A movement was posted after one that took place later: its balances do not follow the time.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "warehouse"], name="level_of_product_in_warehouse"),
            models.CheckConstraint(
                name="level_reserved_within_on_hand",
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")),
                violation_error_message="More is promised than there is.",
            ),
            models.CheckConstraint(
                name="level_threshold_not_negative",
                condition=Q(reorder_threshold__isnull=True) | Q(reorder_threshold__gte=0),
                violation_error_message="A reorder threshold may not be negative.",
            ),
        ]
        ordering = ["product_id", "warehouse_id"]

    def __str__(self) -> str:
        return f"level {self.pk}"

    @property
    def available(self) -> Decimal:
        """On hand and not promised."""
        return self.on_hand - self.reserved


class ProductStock(models.Model):
    """One product over all warehouses, kept in the same transaction as its levels.

    It is the row that puts all stock changes of a product in one order (so events carry true totals) and lets lists
    show, filter and sort stock without adding up levels. A table of its own, because order lines lock their product's
    row.
    """

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="stock")
    on_hand = QuantityField(max_digits=18, default=Decimal(0), editable=False)
    reserved = QuantityField(max_digits=18, default=Decimal(0), editable=False)
    available = QuantityField(
        max_digits=18,
        default=Decimal(0),
        editable=False,
        help_text="On hand − reserved over sellable warehouses.",
    )
    version = models.BigIntegerField(default=0, editable=False)
    average_cost = AverageCostField(
        null=True, editable=False, help_text="Moving average of what a unit cost us; empty: nobody knows."
    )
    average_cost_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="stock_totals_make_sense",
                condition=Q(reserved__gte=0)
                & Q(reserved__lte=F("on_hand"))
                & Q(available__gte=0)
                & Q(available__lte=F("on_hand")),
                violation_error_message="More is promised than there is.",
            )
        ]
        verbose_name = verbose_name_plural = "product stock"

    def __str__(self) -> str:
        return f"stock of product {self.pk}"


class StockOperation(AppendOnly):
    """One business act on the ledger: who did it, why, and under which reference. Never edited, never deleted."""

    wall_columns = ("movements__warehouse_id",)

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening stock"
        MOVEMENT = "movement", "Movement"
        ADJUSTMENT = "adjustment", "Adjustment"
        SHIPMENT = "shipment", "Shipment"
        RETURN = "return", "Return"
        REVERSAL = "reversal", "Reversal"
        TRANSFER = "transfer", "Transfer"
        COUNT = "count", "Count"
        RECEIPT = "receipt", "Receipt"
        IMPORT = "import", "Import"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    reason = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=100, blank=True, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="stock_operations"
    )
    request_id = models.CharField(max_length=64, blank=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by")
    occurred_at = models.DateTimeField(
        db_index=True, help_text="When it happened; earlier than recorded only for imports."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class StockMovement(AppendOnly):
    """One immutable signed line of an operation. `balance_after` is the level's on-hand right after it."""

    wall_columns = ("warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(StockOperation, on_delete=models.PROTECT, related_name="movements")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="movements", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="movements", db_index=False)
    movement_type = models.CharField(max_length=20, choices=MovementType.choices)
    quantity = QuantityField(help_text="Signed: + came in, − went out.")
    unit_cost = MoneyField(null=True, blank=True)
    balance_after = QuantityField(max_digits=18)
    created_at = models.DateTimeField(help_text="When it happened (the operation's occurred_at).")

    class Meta:
        indexes = [
            models.Index(fields=["product", "id"], name="movement_of_product"),
            models.Index(fields=["warehouse", "product", "id"], name="movement_of_level"),
            models.Index(fields=["product", "warehouse", "created_at", "id"], name="movement_of_level_by_time"),
            models.Index(fields=["warehouse", "created_at", "id"], name="movement_of_place_by_time"),
            models.Index(fields=["created_at"], name="movement_time"),
            models.Index(fields=["movement_type", "id"], name="movement_of_type"),
        ]
        constraints = [
            models.CheckConstraint(
                name="movement_not_zero",
                condition=~Q(quantity=0),
                violation_error_message="A movement of nothing is no movement.",
            ),
            models.CheckConstraint(
                name="movement_sign_follows_type",
                condition=Q(movement_type=MovementType.ADJUSTMENT)
                | Q(movement_type__in=sorted(INBOUND_TYPES), quantity__gt=0)
                | Q(movement_type__in=sorted(OUTBOUND_TYPES), quantity__lt=0),
                violation_error_message="The sign of a movement follows its type.",
            ),
            models.CheckConstraint(
                name="movement_balance_not_negative",
                condition=Q(balance_after__gte=0),
                violation_error_message="A shelf cannot hold less than nothing.",
            ),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.movement_type} {self.quantity} (movement {self.pk})"


class CostChange(AppendOnly):
    """A product's average cost from a moment on, and the movement that made it. Never edited, never deleted."""

    wall_columns = ("movement__warehouse_id",)

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="cost_changes", db_index=False)
    movement = models.OneToOneField(StockMovement, on_delete=models.PROTECT, related_name="cost_change")
    average_cost = AverageCostField()
    effective_at = models.DateTimeField(help_text="When the movement took place, or the change before it if later.")

    class Meta:
        indexes = [models.Index(fields=["product", "effective_at", "id"], name="cost_of_product_by_time")]
        constraints = [
            models.CheckConstraint(
                name="average_cost_not_negative",
                condition=Q(average_cost__gte=0),
                violation_error_message="Goods do not cost less than nothing.",
            )
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"average cost {self.average_cost} of product {self.product_id}"


class Reservation(models.Model):
    """How much of one level is promised to one holder (an order line). `quantity` is what is still open."""

    wall_columns = ("level__warehouse_id",)

    class Holder(models.TextChoices):
        ORDER_LINE = "order_line", "Order line"
        TRANSFER_LINE = "transfer_line", "Transfer line"

    id = models.BigAutoField(primary_key=True)
    holder_type = models.CharField(max_length=16, choices=Holder.choices, default=Holder.ORDER_LINE)
    holder_id = models.BigIntegerField()
    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="reservations")
    quantity = QuantityField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["holder_type", "holder_id", "level"], name="one_reservation_per_holder_and_level"
            ),
            models.CheckConstraint(
                name="reservation_not_negative",
                condition=Q(quantity__gte=0),
                violation_error_message="A promise cannot be negative.",
            ),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"reservation {self.pk}"


class Hold(models.Model):
    """A reservation for a while only: after `expires_at`, by the database's clock, it binds nobody.

    Whoever needs the stock ends expired holds first; the sweeper only keeps the shown numbers fresh.
    """

    reservation = models.OneToOneField(Reservation, on_delete=models.PROTECT, primary_key=True, related_name="hold")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["expires_at"]

    def __str__(self) -> str:
        return f"hold on reservation {self.pk}"
