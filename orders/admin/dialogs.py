"""What an order's steps ask for before they call the service."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from inventory.models import Warehouse
from orders.models import Order, OrderLine
from workbox.core import walls
from workbox.core.admin import Dialog, quantity_text, row_or_404, total_text
from workbox.core.numbers import QUANTITY_PLACES, plain

ZERO = Decimal(0)


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
    """A choice of the open warehouses."""
    rows = Warehouse.objects.filter(is_active=True).order_by("priority", "id")
    return WarehouseChoice(rows, required=False, widget=UnfoldAdminSelectWidget, **options)


def reason_field(**options: Any) -> forms.CharField:
    """Why, in a line."""
    return forms.CharField(max_length=400, widget=UnfoldAdminTextInputWidget, **options)


class OrderDialog(Dialog):
    """A dialog about one order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = row_or_404(Order.objects.select_related("customer", "user"), self.object_id)
        self.lines = list(OrderLine.objects.filter(order=self.order).select_related("product").order_by("id"))

    def summary(self) -> str:
        """What was ordered, by whom, for how much."""
        items = ", ".join(f"{quantity_text(line.quantity)} × {line.product.name}" for line in self.lines[:5])
        more = f" and {len(self.lines) - 5} more lines" if len(self.lines) > 5 else ""
        buyer = self.order.customer or self.order.user or "nobody named"
        return f"{self.order} of {buyer}, {total_text(self.order.total_amount)}: {items}{more}."


class CancelDialog(OrderDialog):
    """Why the order is off."""

    reason = reason_field(required=False, help_text="It stands in the order's time-line.")


class QuantitiesDialog(OrderDialog):
    """A quantity per product, prefilled; subclasses say what is open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open: dict[int, Decimal] = {}
        names: dict[int, str] = {}
        for line in self.lines:
            left = self.left(line)
            if left > 0:
                self.open[line.product_id] = self.open.get(line.product_id, ZERO) + left
                names[line.product_id] = f"{line.product.name} ({line.product.sku})"
        rest = list(self.fields)
        for product_id, most in self.open.items():
            self.fields[f"quantity_{product_id}"] = forms.DecimalField(
                label=f"{names[product_id]}: of {quantity_text(most)}",
                min_value=ZERO,
                max_value=most,
                max_digits=15,
                decimal_places=QUANTITY_PLACES,
                required=False,
                initial=plain(self.offered(most)),
                widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
            )
        self.order_fields([name for name in self.fields if name not in rest] + rest)

    left: Callable[[Any], Decimal]

    def offered(self, most: Decimal) -> Decimal:
        """What the field holds at first: all that is open."""
        return most

    def quantities(self) -> dict[int, Decimal]:
        """Product id → quantity, without the zeros."""
        given = {product_id: self.cleaned_data.get(f"quantity_{product_id}") or ZERO for product_id in self.open}
        return {product_id: quantity for product_id, quantity in given.items() if quantity > 0}

    def clean(self) -> dict[str, Any]:
        """At least something."""
        cleaned = super().clean() or {}
        if self.open and not self.errors and not self.quantities():
            raise forms.ValidationError("Enter a quantity for at least one product.")
        return cleaned


class ShipDialog(QuantitiesDialog):
    """How much of what leaves, and from where."""

    warehouse = warehouse_field(
        empty_label="Wherever it is reserved", help_text="Choose one to ship only what is reserved there."
    )

    @staticmethod
    def left(line: OrderLine) -> Decimal:
        """Ordered and not shipped yet."""
        return line.quantity - line.shipped_quantity

    def wanted(self) -> dict[int, Decimal] | None:
        """What to ship; None means all, so that charges without stock go along."""
        given = self.quantities()
        return None if given == self.open else given


class ReturnDialog(QuantitiesDialog):
    """How much of what came back, where it goes, and why."""

    warehouse = warehouse_field(empty_label="Where orders are filled from first", label="Into warehouse")
    reason = reason_field(help_text="It stands in the ledger and in the order's time-line.")

    @staticmethod
    def left(line: OrderLine) -> Decimal:
        """Shipped and not returned yet."""
        return line.shipped_quantity - line.returned_quantity

    def offered(self, most: Decimal) -> Decimal:
        """One product at a time comes back; nothing is returned by accident."""
        return most if len(self.open) == 1 else ZERO
