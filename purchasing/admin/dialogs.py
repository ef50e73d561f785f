"""What the buying actions ask for before they call a service."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from inventory.models import Product
from purchasing.models import LEAD_TIME_DAYS_MAX, PurchaseOrder, PurchaseOrderLine, Vendor, VendorPrice
from purchasing.services.orders import PurchaseItem
from purchasing.services.receipts import Received
from purchasing.services.vendors import NewPrice
from workbox.core.admin import Dialog, money_text, quantity_text, row_or_404, total_text
from workbox.core.numbers import MONEY_PLACES, QUANTITY_PLACES, parse_decimal, plain

ZERO = Decimal(0)
ONE = Decimal(1)


def decimal_field(places: int, **options: Any) -> forms.DecimalField:
    """An exact number; the service decides what makes sense."""
    widget = UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"})
    return forms.DecimalField(max_digits=15, decimal_places=places, min_value=ZERO, widget=widget, **options)


class VendorDialog(Dialog):
    """A dialog about one vendor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.vendor = row_or_404(Vendor.objects.all(), self.object_id)

    def summary(self) -> str:
        """Who, and how much they sell us."""
        count = VendorPrice.objects.filter(vendor=self.vendor, is_current=True).count()
        return f"{self.vendor}: {count} {'price' if count == 1 else 'prices'} in force."


class AddPriceDialog(VendorDialog):
    """What the vendor asks for a product from now on."""

    sku = forms.CharField(max_length=64, label="SKU", widget=UnfoldAdminTextInputWidget)
    unit_price = decimal_field(MONEY_PLACES)
    lead_time_days = forms.IntegerField(
        min_value=0,
        max_value=LEAD_TIME_DAYS_MAX,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: as the vendor generally quotes.",
    )
    minimum_order_quantity = decimal_field(QUANTITY_PLACES, initial="1")
    pack_quantity = decimal_field(QUANTITY_PLACES, initial="1", help_text="Sold in multiples of this.")
    shipping_cost = decimal_field(MONEY_PLACES, initial="0")
    shipping_basis = forms.ChoiceField(choices=VendorPrice.ShippingBasis.choices, widget=UnfoldAdminSelectWidget)
    price_breaks = forms.CharField(
        max_length=400,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="From a quantity on another price: 100 = 11.50; 500 = 10.90",
    )

    def clean_sku(self) -> Product:
        """The product with this SKU."""
        product = Product.objects.filter(sku=self.cleaned_data["sku"].strip()).first()
        if product is None:
            raise forms.ValidationError("There is no product with this SKU.")
        return product

    def clean_price_breaks(self) -> list[tuple[Decimal, Decimal]]:
        """`100 = 11.50; 500 = 10.90` as pairs."""
        found = []
        for part in filter(None, (one.strip() for one in self.cleaned_data["price_breaks"].split(";"))):
            quantity, price = (parse_decimal(one) for one in f"{part}=".split("=")[:2])
            if quantity is None or price is None:
                raise forms.ValidationError(f"“{part}” is not a quantity = price.")
            found.append((quantity, price))
        return found  # how large and how fine they may be, the service says

    def price(self) -> NewPrice:
        """As the service takes it."""
        given = self.cleaned_data
        return NewPrice(
            product_id=given["sku"].pk,
            unit_price=given["unit_price"],
            lead_time_days=given["lead_time_days"],
            minimum_order_quantity=given["minimum_order_quantity"],
            pack_quantity=given["pack_quantity"],
            shipping_cost=given["shipping_cost"],
            shipping_basis=given["shipping_basis"],
            breaks=given["price_breaks"],
        )


class PurchaseDialog(Dialog):
    """A dialog about one purchase order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = row_or_404(PurchaseOrder.objects.select_related("vendor", "warehouse"), self.object_id)
        self.lines = list(PurchaseOrderLine.objects.filter(order=self.order).select_related("product").order_by("id"))

    def summary(self) -> str:
        """What is bought, from whom, for how much."""
        items = ", ".join(f"{quantity_text(line.quantity)} × {line.product.name}" for line in self.lines[:5])
        more = f" and {len(self.lines) - 5} more lines" if len(self.lines) > 5 else ""
        total = total_text(self.order.total_amount)
        return f"{self.order} at {self.order.vendor}, {total}, into {self.order.warehouse.name}: {items}{more}."


class LinesDialog(PurchaseDialog):
    """What a draft asks for: other quantities, fewer lines, one more product."""

    sku = forms.CharField(max_length=64, required=False, label="Add a product (SKU)", widget=UnfoldAdminTextInputWidget)
    quantity = decimal_field(QUANTITY_PLACES, required=False, label="So many of it")
    unit_cost = decimal_field(
        MONEY_PLACES, required=False, label="At a unit cost of", help_text="Empty: the vendor's price."
    )
    asks_anew = forms.BooleanField(
        required=False,
        label="Every line at the vendor's price of today",
        widget=UnfoldBooleanWidget,
        help_text="Else the lines that are there keep their unit cost.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = []
        for line in self.lines:
            names.append(f"quantity_{line.product_id}")
            self.fields[names[-1]] = decimal_field(
                QUANTITY_PLACES,
                label=f"{line.product.name} ({line.product.sku}) at {money_text(line.unit_cost)}",
                required=False,
                initial=plain(line.quantity),
                help_text="0: off the order.",
            )
        self.order_fields(names)

    def clean_sku(self) -> Product | None:
        """The product with this SKU, if one is to be added."""
        sku = self.cleaned_data["sku"].strip()
        product = Product.objects.filter(sku=sku).first() if sku else None
        if sku and product is None:
            raise forms.ValidationError("There is no product with this SKU.")
        return product

    def clean(self) -> dict[str, Any]:
        """A product to add has a quantity; a line that somebody took off meanwhile is not put back unseen."""
        cleaned = super().clean() or {}
        if bool(cleaned.get("sku")) != bool(cleaned.get("quantity")) and not self.errors:
            raise forms.ValidationError("To add a product enter its SKU and how many.")
        here = {f"quantity_{line.product_id}" for line in self.lines}
        gone = [name for name in self.data if re.fullmatch(r"quantity_\d+", name) and name not in here]
        if gone:
            raise forms.ValidationError("A line was taken off meanwhile. Nothing is changed; open the dialog again.")
        return cleaned

    def items(self) -> list[PurchaseItem]:
        """All lines as they shall be; one that the dialog did not show stays as it is."""
        given, found = self.cleaned_data, []
        for line in self.lines:
            name = f"quantity_{line.product_id}"
            quantity = (given.get(name) or ZERO) if name in self.data else line.quantity
            if quantity > 0:
                cost = None if given["asks_anew"] else line.unit_cost
                found.append(PurchaseItem(line.product_id, quantity, cost))
        if given["sku"]:
            found.append(PurchaseItem(given["sku"].pk, given["quantity"], given["unit_cost"]))
        return found


class ReasonDialog(PurchaseDialog):
    """Why the order ends."""

    reason = forms.CharField(
        max_length=400, required=False, widget=UnfoldAdminTextInputWidget, help_text="It stands in the event log."
    )


class ReceiveDialog(PurchaseDialog):
    """How much of what came, prefilled with all that is open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open = {
            line.product_id: line.quantity - line.received_quantity
            for line in self.lines
            if line.received_quantity < line.quantity
        }
        for line in self.lines:
            if line.product_id in self.open:
                left = self.open[line.product_id]
                self.fields[f"quantity_{line.product_id}"] = decimal_field(
                    QUANTITY_PLACES,
                    label=f"{line.product.name} ({line.product.sku}): of {quantity_text(left)}",
                    required=False,
                    initial=plain(left),
                )

    def received(self) -> list[Received]:
        """What came, without the zeros."""
        given = {one: self.cleaned_data.get(f"quantity_{one}") or ZERO for one in self.open}
        return [Received(product_id, quantity) for product_id, quantity in given.items() if quantity > 0]

    def clean(self) -> dict[str, Any]:
        """At least something, and nothing of a line that somebody received in the meantime."""
        cleaned = super().clean() or {}
        for line in self.lines:
            typed = str(self.data.get(self.add_prefix(f"quantity_{line.product_id}"), "")).strip()
            if line.product_id not in self.open and typed and parse_decimal(typed) != ZERO:
                raise forms.ValidationError(
                    f"{line.product.name} ({line.product.sku}) came in meanwhile: nothing of it is open any more. "
                    "Nothing was booked; look at what is left and enter it again."
                )
        if self.open and not self.errors and not self.received():
            raise forms.ValidationError("Enter a quantity for at least one product.")
        return cleaned
