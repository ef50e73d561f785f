"""What the stock actions ask for before they call a service."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from inventory.models import Product, StockLevel, StockOperation, Warehouse
from workbox.core import walls
from workbox.core.admin import Dialog, quantity_text, row_or_404
from workbox.core.numbers import QUANTITY_PLACES, plain


class WarehouseChoice(forms.ModelChoiceField):
    """Warehouses by name, those inside the asker's walls: every form gets a copy of its own."""

    def __deepcopy__(self, memo: Any) -> "WarehouseChoice":
        copied: WarehouseChoice = super().__deepcopy__(memo)
        if copied.queryset is not None:
            copied.queryset = walls.of(copied.queryset)
        return copied

    def label_from_instance(self, warehouse: Any) -> str:
        """`Main store (MAIN)`."""
        return f"{warehouse.name} ({warehouse.code})"


def warehouse_field(**options: Any) -> WarehouseChoice:
    """A choice of the open warehouses, first the one orders are filled from first."""
    rows = Warehouse.objects.filter(is_active=True).order_by("priority", "id")
    return WarehouseChoice(rows, widget=UnfoldAdminSelectWidget, **options)


def quantity_field(**options: Any) -> forms.DecimalField:
    """A quantity with as many places as are kept; the service checks it against the product's unit."""
    widget = UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"})
    return forms.DecimalField(max_digits=15, decimal_places=QUANTITY_PLACES, widget=widget, **options)


def reason_field(**options: Any) -> forms.CharField:
    """Why, in a line."""
    return forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget, **options)


class ProductDialog(Dialog):
    """A dialog about one product."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.product = row_or_404(Product.objects.select_related("stock", "unit"), self.object_id)
        self.levels = {
            row.warehouse_id: row
            for row in walls.of(StockLevel.objects.filter(product=self.product)).select_related("warehouse")
        }

    def summary(self) -> str:
        """What there is now, per warehouse."""
        shelves = "; ".join(
            f"{level.warehouse.code} {quantity_text(level.on_hand)} on hand, {quantity_text(level.available)} free"
            for level in self.levels.values()
        )
        return f"{self.product}: {shelves or 'no stock yet'}."


class AdjustDialog(ProductDialog):
    """How much more or less, where and why."""

    warehouse = warehouse_field()
    quantity = quantity_field(label="Change by", help_text="5 adds five, −5 takes five away.")
    reason = reason_field(help_text="It stays in the ledger: damaged, found, sample …")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = self.fields["warehouse"].queryset.first()
        self.initial.setdefault("warehouse", first.pk if first else None)


class SetQuantityDialog(AdjustDialog):
    """What was counted, where. `seen` holds the numbers on the screen: a count of yesterday's shelf is refused."""

    quantity = quantity_field(label="Counted on hand", min_value=Decimal(0), help_text="What is physically there now.")
    reason = reason_field(required=False, help_text="Empty: “Quantity set to …”.")
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = ",".join(f"{one}:{plain(level.on_hand)}" for one, level in self.levels.items())

    def seen_in(self, warehouse: Warehouse) -> Decimal:
        """What the dialog showed for this warehouse when it was opened."""
        pairs = dict(pair.split(":", 1) for pair in self.cleaned_data["seen"].split(",") if ":" in pair)
        try:
            return Decimal(pairs.get(str(warehouse.pk), "0"))
        except ArithmeticError:
            return Decimal(0)


class TransferDialog(ProductDialog):
    """How many go from where to where, and whether they leave at once."""

    from_warehouse = warehouse_field(label="From")
    to_warehouse = warehouse_field(label="To")
    quantity = quantity_field(min_value=Decimal("0.001"))
    leaves_now = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="On: it is in transit at once. Off: it is reserved and waits to be dispatched.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = sorted(self.levels.values(), key=lambda level: -level.available)
        self.initial.setdefault("from_warehouse", free[0].warehouse_id if free else None)

    def clean(self) -> dict[str, Any]:
        """Two different warehouses."""
        given: dict[str, Any] = super().clean()
        if given.get("from_warehouse") and given.get("from_warehouse") == given.get("to_warehouse"):
            self.add_error("to_warehouse", "Choose another warehouse than the one it comes from.")
        return given


class ReverseDialog(Dialog):
    """Why an operation is undone."""

    reason = reason_field(help_text="It stays in the ledger beside the operation it undoes.")

    def summary(self) -> str:
        """Which operation, and what it moved."""
        operation = row_or_404(StockOperation.objects.all(), self.object_id)
        lines = walls.of(operation.movements.select_related("product", "warehouse")).order_by("id")[:5]
        moved = ", ".join(
            f"{quantity_text(-line.quantity)} × {line.product.sku} in {line.warehouse.code}" for line in lines
        )
        return f"{operation}: a counter-operation will post {moved}."


class BinDialog(Dialog):
    """Where in its warehouse a product stands."""

    bin = forms.CharField(
        max_length=40,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Aisle, shelf, box, as written on it: A-03-2. Pick lists and count sheets follow it. Empty: none.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level = row_or_404(StockLevel.objects.select_related("product", "warehouse"), self.object_id)
        self.initial["bin"] = self.level.bin

    def summary(self) -> str:
        """Which product, and where it stands now."""
        now = f"stands in {self.level.bin}" if self.level.bin else "has no bin"
        return f"{self.level.product} in {self.level.warehouse.name} {now}."
