"""The lookup's reorder dialog: a draft purchase order for one product, from a vendor who sells it."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from accounts.capabilities import PURCHASING_WRITE
from insights.queries_replenishment import SuggestionFilter, find_suggestions
from inventory.models import Product, StockLevel, Warehouse
from purchasing.offers import Terms, order_quantity
from purchasing.queries import current_terms
from purchasing.services.orders import PurchaseItem, create_purchase_order
from workbox.core import walls
from workbox.core.admin import Dialog, acting, back, money_text, quantity_text, row_or_404
from workbox.core.errors import DomainError
from workbox.core.numbers import QUANTITY_PLACES, plain

SUBMIT = "Create the draft"
TITLE = "Reorder"
NOTE = "From the stock lookup"


class ReorderDialog(Dialog):
    """From whom, how many, where to; it begins with what is suggested, else with the product's reorder quantity."""

    vendor = forms.TypedChoiceField(coerce=int, widget=UnfoldAdminSelectWidget)
    quantity = forms.DecimalField(
        max_digits=15, decimal_places=QUANTITY_PLACES, min_value=Decimal("0.001"),
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
    )  # fmt: skip
    warehouse = forms.ModelChoiceField(
        Warehouse.objects.none(), label="To be delivered to", widget=UnfoldAdminSelectWidget, empty_label=None
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.product = row_or_404(Product.objects.all(), self.object_id)
        places = Warehouse.objects.filter(is_active=True).order_by("priority", "id")
        self.fields["warehouse"].queryset = walls.of(places)
        self.terms = {one.vendor_id: one for one in current_terms([self.product.pk]).get(self.product.pk, [])}
        self.fields["vendor"].choices = [(one.vendor_id, _terms_text(one)) for one in self.terms.values()]
        self.initial |= self._begin()

    def _begin(self) -> dict[str, Any]:
        suggested = find_suggestions(SuggestionFilter(product_id=self.product.pk)).first()
        if suggested is not None:
            return {
                "vendor": suggested.vendor_id,
                "quantity": plain(suggested.quantity),
                "warehouse": suggested.warehouse_id,
            }
        wanted = max(self.product.reorder_quantity, Decimal(1))
        first, terms = self.fields["warehouse"].queryset.first(), next(iter(self.terms.values()), None)
        return {
            "vendor": terms.vendor_id if terms else None,
            "quantity": plain(order_quantity(wanted, terms) if terms else wanted),
            "warehouse": first.pk if first else None,
        }

    def summary(self) -> str:
        """What there is now; how to begin when nobody sells it."""
        if not self.terms:
            return (
                f"No active vendor has a price for {self.product}. Add one under Vendor prices first, then reorder it."
            )
        levels = walls.of(StockLevel.objects.filter(product=self.product)).select_related("warehouse")
        shelves = "; ".join(
            f"{one.warehouse.code} {quantity_text(one.on_hand)} on hand, {quantity_text(one.available)} free"
            for one in levels.order_by("warehouse__priority", "warehouse_id")
        )
        return f"{self.product}: {shelves or 'no stock yet'}."

    def clean(self) -> dict[str, Any]:
        """Full packs and no less than the vendor delivers: said here, with the number that would do."""
        given: dict[str, Any] = super().clean()
        terms, quantity = self.terms.get(given.get("vendor") or 0), given.get("quantity")
        if terms is not None and quantity is not None:
            fits = order_quantity(quantity, terms)
            if fits != quantity:
                self.add_error("quantity", f"{terms.vendor_name} delivers {quantity_text(fits)}: order that many.")
        return given


def _terms_text(terms: Terms) -> str:
    parts = [f"{money_text(terms.unit_price)} each"]
    if terms.minimum_order_quantity > 1:
        parts.append(f"at least {quantity_text(terms.minimum_order_quantity)}")
    if terms.pack_quantity > 1:
        parts.append(f"packs of {quantity_text(terms.pack_quantity)}")
    return f"{terms.vendor_name}: {', '.join(parts)}, {terms.lead_time_days} days"


@require_http_methods(["GET", "HEAD", "POST"])
def reorder(request: HttpRequest, product_id: int) -> HttpResponse:
    """The dialog; its POST makes a draft purchase order."""
    if not request.user.can(PURCHASING_WRITE):  # type: ignore[union-attr]  # staff only: never AnonymousUser
        raise PermissionDenied
    form = ReorderDialog(data=request.POST or None, request=request, object_id=product_id)
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, _ordered(request, form))
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return back(request)
    dialog = {"title": TITLE, "description": "It becomes a draft purchase order, which you can still change."}
    return render(request, "unfold/helpers/dialog.html", {"dialog": dialog, "form": form, "form_submit_text": SUBMIT})


def _ordered(request: HttpRequest, form: ReorderDialog) -> str:
    given = form.cleaned_data
    with acting(request) as actor:
        order = create_purchase_order(
            given["vendor"],
            [PurchaseItem(form.product.pk, given["quantity"])],
            warehouse_id=given["warehouse"].pk,
            notes=NOTE,
            created_by_id=actor,
        )
    url = reverse("admin:purchasing_purchaseorder_change", args=[order.pk])
    vendor = form.terms[given["vendor"]].vendor_name
    return format_html(
        '<a href="{}" class="underline">{}</a> is drafted: {} × {} from {}.',
        url, order, quantity_text(given["quantity"]), form.product, vendor,
    )  # fmt: skip
