"""The search behind Ctrl+K: orders, products, barcodes, customers and pages, each only for who may see it.

Bounded, and by index first: numbers and codes exactly, then what begins like the text; only then words inside a
product's name. Nothing is remembered between askers: a right that was taken away finds nothing at once.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from unfold.dataclasses import SearchResult

from inventory.gtin import gtin_of
from inventory.models import Barcode, Product
from orders.models import Customer, Order
from workbox.admin_site import navigation
from workbox.core import walls
from workbox.core.admin import quantity_text
from workbox.core.numbers import ID_DIGITS_MAX

EACH_MAX = 6
TERM_LENGTH_MAX = 100
WORD_LENGTH_MIN = 3  # shorter pieces are in every name


@never_cache
@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    """What is found for `s`, in Unfold's box.

    In the place of Unfold's own page, which keeps its answers for minutes, whatever the asker may see meanwhile.
    """
    began = time.perf_counter()
    term = request.GET.get("s", "").strip()[:TERM_LENGTH_MAX]
    if not term:
        return HttpResponse()
    found = Paginator(find(request, term, navigation(request)), 100)
    is_box = "extended" in request.GET
    shown = {
        "page_obj": found,
        "results": found.page(1),
        "page_counter": 0,
        "execution_time": time.perf_counter() - began,
        "command_show_history": False,
    }
    template = "unfold/helpers/command_results.html" if is_box else "unfold/helpers/search_results.html"
    return TemplateResponse(request, template, shown, headers={"HX-Trigger": "search"})


def find(request: HttpRequest, term: str, pages: Iterable[dict[str, Any]]) -> list[SearchResult]:
    """At most a handful of each, the most exact first."""
    may = request.user.has_perm
    sources: tuple[tuple[str, Callable[[str], list[SearchResult]]], ...] = (
        ("orders.view_order", _orders),
        ("inventory.view_product", _products),
        ("orders.view_customer", _customers),
    )
    found = [one for right, source in sources if may(right) for one in source(term)]
    named = [item for group in pages for item in group["items"] if term.lower() in item["title"].lower()]
    return [*found, *(SearchResult(one["title"], "Page", str(one["link"]), one["icon"]) for one in named[:EACH_MAX])]


def _number(term: str) -> int | None:
    text = term.upper().removeprefix("ORDER").strip(" -#")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX else None


def _orders(term: str) -> list[SearchResult]:
    rows = walls.of(Order.objects.select_related("customer", "user"))
    number = _number(term)
    wanted = Q(external_reference=term)
    if number is not None:
        wanted |= Q(pk=number)
    return [
        SearchResult(
            str(order),
            f"{order.get_status_display()}, {order.customer or order.user or 'nobody named'}",
            reverse("admin:orders_order_change", args=[order.pk]),
            "shopping_cart",
        )
        for order in rows.filter(wanted).order_by("-id")[:EACH_MAX]
    ]


def _products(term: str) -> list[SearchResult]:
    rows = Product.objects.select_related("stock")
    codes = Q(code__startswith=term)
    if (gtin := gtin_of(term)) is not None:
        codes |= Q(gtin=gtin)
    by_code = dict(Barcode.objects.filter(codes).order_by("code").values_list("product_id", "code")[:EACH_MAX])
    begins = Q(sku__startswith=term) | Q(sku__startswith=term.upper()) | Q(name__istartswith=term)
    found = {
        product.pk: product
        for product in [
            *rows.filter(pk__in=by_code),
            *rows.filter(begins).order_by("-is_active", "sku")[:EACH_MAX],
        ]
    }
    if len(found) < EACH_MAX and len(term) >= WORD_LENGTH_MIN:
        inside = rows.filter(Q(name__icontains=term) | Q(sku__icontains=term), is_active=True).order_by("id")
        found |= {product.pk: product for product in inside[:EACH_MAX] if product.pk not in found}
    return [
        SearchResult(
            product.name,
            f"{product.sku}{f', barcode {by_code[product.pk]}' if product.pk in by_code else ''},"
            f" {quantity_text(product.stock.available)} available",
            reverse("admin:inventory_product_change", args=[product.pk]),
            "inventory_2",
        )
        for product in list(found.values())[:EACH_MAX]
    ]


def _customers(term: str) -> list[SearchResult]:
    wanted = Q(code__startswith=term) | Q(name__istartswith=term) | Q(email__istartswith=term)
    return [
        SearchResult(
            str(customer),
            f"Customer {customer.code}: their orders",
            f"{reverse('admin:orders_order_changelist')}?q={customer.code}",
            "groups",
        )
        for customer in Customer.objects.filter(wanted).order_by("id")[:EACH_MAX]
    ]
