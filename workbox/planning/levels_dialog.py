"""The dialog behind “Service levels”: how sure the shop, a category or a product wants to be not to run out."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.capabilities import FORECASTS_WRITE
from insights.models import PlanningSettings
from insights.queries_replenishment import planning_body
from insights.replenishment import change_planning, set_service_level
from inventory.models import Category, Product
from workbox.core import walls
from workbox.core.admin import Dialog, acting, back
from workbox.core.errors import DomainError
from workbox.core.numbers import plain

HUNDRED = Decimal(100)
SHOWN_MAX = 10


def _whole_field(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(required=False, widget=UnfoldAdminDecimalFieldWidget(attrs={"step": 1}), **options)


class LevelsDialog(Dialog):
    """The whole shop's settings, or the level of one category or product."""

    category = forms.ModelChoiceField(
        Category.objects.order_by("name"), required=False, widget=UnfoldAdminSelectWidget,
        empty_label="The whole shop", help_text="A category or product with a level of its own goes by that.",
    )  # fmt: skip
    sku = forms.CharField(
        label="Or one product (SKU)", required=False, max_length=100, widget=UnfoldAdminTextInputWidget
    )
    level = forms.DecimalField(
        label="Service level, %", required=False, min_value=Decimal(50), max_value=Decimal("99.9"), decimal_places=1,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "inputmode": "decimal"}),
        help_text="The chance not to run out before the next order arrives. Empty for a category or product: as the"
        " shop again.",
    )  # fmt: skip
    review_days = _whole_field(
        min_value=0, max_value=60, label="Days between looks at the list", help_text="Of the whole shop."
    )
    cycle_days = _whole_field(
        min_value=1, max_value=90, label="Days of demand an order covers", help_text="Of the whole shop."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = PlanningSettings.current()
        self.initial |= {
            "level": plain(now.service_level * HUNDRED),
            "review_days": now.review_days,
            "cycle_days": now.cycle_days,
        }

    def summary(self) -> str:
        """The levels of the moment."""
        body = planning_body()
        own = [f"{one['category']} {_percent(one['service_level'])}" for one in body["categories"]]
        own += [f"{one['sku']} {_percent(one['service_level'])}" for one in body["products"]]
        more = f" and {len(own) - SHOWN_MAX} more" if len(own) > SHOWN_MAX else ""
        return (
            f"The shop {_percent(body['service_level'])}; of their own: {', '.join(own[:SHOWN_MAX]) or 'none'}{more}."
        )

    def clean(self) -> dict[str, Any]:
        """A category or a product, not both; the shop itself has a level."""
        given: dict[str, Any] = super().clean()
        sku = (given.get("sku") or "").strip()
        if sku and given.get("category"):
            self.add_error("sku", "Name a category or a product, not both.")
        given["product"] = Product.objects.filter(sku=sku).first() if sku else None
        if sku and given["product"] is None:
            self.add_error("sku", f"No product has the SKU {sku}.")
        if not sku and not given.get("category") and given.get("level") is None and "level" not in self.errors:
            self.add_error("level", "The whole shop needs a level, such as 95.")
        return given


def _percent(share: Decimal) -> str:
    return f"{plain(share * HUNDRED)} %"


@require_http_methods(["GET", "HEAD", "POST"])
def levels(request: HttpRequest) -> HttpResponse:
    """The dialog; what its POST sets counts from the next refresh on."""
    if not request.user.can(FORECASTS_WRITE) or walls.own() is not None:  # type: ignore[union-attr]  # nobody else gets here
        raise PermissionDenied
    form = LevelsDialog(data=request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        try:
            with acting(request):
                said = _changed(form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, f"{said} It counts from the next refresh on.")
            return back(request)
    dialog = {"title": "Service levels", "description": "How sure you want to be not to run out."}
    return render(request, "unfold/helpers/dialog.html", {"dialog": dialog, "form": form, "form_submit_text": "Set"})


def _changed(given: dict[str, Any]) -> str:
    level = None if given["level"] is None else given["level"] / HUNDRED
    said = _percent(level) if level is not None else "the shop's level again"
    if given["product"] is not None:
        set_service_level(level, product_id=given["product"].pk)
        return f"{given['product']} has {said}."
    if given["category"] is not None:
        set_service_level(level, category_id=given["category"].pk)
        return f"{given['category']} has {said}."
    days = {name: given[name] for name in ("review_days", "cycle_days") if given[name] is not None}
    change_planning({"service_level": level, **days})
    return f"The shop has {said}."
