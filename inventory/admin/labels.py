"""Printing product labels from the admin: which products, how they look, and the file for the printer."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from inventory.labels import (
    BEST,
    COPIES_MAX,
    KINDS,
    LAYOUTS,
    LINES,
    ZPL,
    ZPL_TITLE,
    LabelOrder,
    print_labels,
)
from inventory.models import Product
from inventory.queries.printing import label_rows
from workbox.core.errors import Invalid
from workbox.core.numbers import ID_DIGITS_MAX
from workbox.core.papers import PDF, PLAIN, paper_response

PRODUCTS_MAX = 500
PRODUCTS_NAMED = 6
SKIP_MAX = 64


class LabelForm(forms.Form):
    """How the labels look."""

    layout = forms.ChoiceField(
        label="Labels",
        choices=[*((key, one.title) for key, one in LAYOUTS.items()), (ZPL, ZPL_TITLE)],
        widget=UnfoldAdminSelectWidget,
    )
    kind = forms.ChoiceField(
        label="Code",
        choices=list(KINDS.items()),
        widget=UnfoldAdminSelectWidget,
        help_text="A SKU too long for bars that can be scanned is printed as a QR code.",
    )
    copies = forms.IntegerField(
        label="Copies of each", min_value=1, max_value=COPIES_MAX, widget=UnfoldAdminIntegerFieldWidget
    )
    skip = forms.IntegerField(
        label="Labels gone from the first sheet",
        min_value=0,
        max_value=SKIP_MAX,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Counted from the top left, row by row.",
    )
    lines = forms.MultipleChoiceField(
        label="Words", choices=list(LINES.items()), required=False, widget=forms.CheckboxSelectMultiple
    )

    def order(self) -> LabelOrder:
        """What to print."""
        given = self.cleaned_data
        return LabelOrder(given["layout"], given["kind"], given["copies"], tuple(given["lines"]), given["skip"] or 0)


FIRST_CHOICE = {"layout": "a4-3x8", "kind": BEST, "copies": 1, "skip": 0, "lines": ["name", "sku", "price"]}


def chosen_ids(request: HttpRequest) -> list[int]:
    """The products of `?ids=3,5`, in that order; raises Invalid when there are too many."""
    parts = request.GET.get("ids", "").split(",")
    ids = [int(one) for one in parts if one.isascii() and one.isdigit() and len(one) <= ID_DIGITS_MAX]
    if len(ids) > PRODUCTS_MAX:
        raise Invalid(f"Print labels of at most {PRODUCTS_MAX} products at once; {len(ids)} are chosen.")
    return ids


class PrintsLabels:
    """Mix-in for the admin of products: a page that asks how labels shall look, and prints them."""

    def get_urls(self) -> list[Any]:
        """The page and its file."""
        site = self.admin_site  # type: ignore[attr-defined]  # of the admin this is mixed into
        own = [
            path("labels/", site.admin_view(self.label_page), name="inventory_product_labels"),
            path("labels/print/", site.admin_view(self.label_file), name="inventory_product_labels_print"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]  # of the admin this is mixed into

    @method_decorator(require_GET)
    def label_page(self, request: HttpRequest) -> HttpResponse:
        """Which products, and how their labels look."""
        return self._page(request, LabelForm(initial=FIRST_CHOICE))

    @method_decorator(require_GET)
    def label_file(self, request: HttpRequest) -> HttpResponse:
        """The labels; what is wrong with the choice stands on the page."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]  # of the admin this is mixed into
            raise PermissionDenied
        form = LabelForm(request.GET)
        if not form.is_valid():
            return self._page(request, form, status=422)
        try:
            order = form.order()
            body = print_labels(label_rows(chosen_ids(request)), order)
        except Invalid as refusal:
            form.add_error(None, refusal.detail)
            return self._page(request, form, status=422)
        return paper_response(body, f"labels {order.layout}", kind=PLAIN if order.layout == ZPL else PDF)

    def _page(self, request: HttpRequest, form: LabelForm, *, status: int = 200) -> HttpResponse:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]  # of the admin this is mixed into
            raise PermissionDenied
        try:
            ids = chosen_ids(request)
        except Invalid:
            ids = []
        products = Product.objects.filter(pk__in=ids).order_by("sku")
        shown = {
            **admin.site.each_context(request),
            "title": "Print labels",
            "form": form,
            "ids": ",".join(map(str, ids)),
            "products": list(products[:PRODUCTS_NAMED]),
            "more": max(len(ids) - PRODUCTS_NAMED, 0),
            "list_url": reverse("admin:inventory_product_changelist"),
            "action_url": reverse("admin:inventory_product_labels_print"),
        }
        return TemplateResponse(request, "admin/labels.html", shown, status=status)

    @admin.action(description="Print labels of the selected products", permissions=["view"])
    def print_labels_of_selected(self, request: HttpRequest, queryset: QuerySet[Product]) -> HttpResponse | None:
        """To the page that asks how they shall look."""
        ids = list(queryset.order_by("sku").values_list("pk", flat=True)[: PRODUCTS_MAX + 1])
        if len(ids) > PRODUCTS_MAX:
            messages.error(request, f"Print labels of at most {PRODUCTS_MAX} products at once; select fewer.")
            return None
        return HttpResponseRedirect(f"{reverse('admin:inventory_product_labels')}?ids={','.join(map(str, ids))}")
