"""The lookup over HTTP: the page, its hits while somebody types, and the forecast panel of the product's page."""

from dataclasses import asdict
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.capabilities import PURCHASING_WRITE, STOCK_POST
from insights.explain import explain
from inventory.errors import ProductUnknown
from inventory.models import Product
from workbox.core import events
from workbox.core.admin import quantity_text
from workbox.core.api import json_response
from workbox.explain_page import explained
from workbox.lookup import stock
from workbox.lookup.finding import Found, find
from workbox.lookup.forecast import forecast_panel


def _check(request: HttpRequest) -> None:
    if not request.user.has_perm("inventory.view_product"):
        raise PermissionDenied


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The field alone; with `q` the product it means, or the products it may mean."""
    _check(request)
    text = request.GET.get("q", "").strip()
    found = find(text)
    if found.product_id is not None:
        return HttpResponseRedirect(reverse("lookup-product", args=[found.product_id]))
    return _shown(request, text=text, found=found, title="Stock lookup")


@require_GET
def hits(request: HttpRequest) -> HttpResponse:
    """The products a text may mean, while it is being typed."""
    _check(request)
    return json_response(asdict(find(request.GET.get("q", ""))))


@require_GET
def product_page(request: HttpRequest, product_id: int) -> HttpResponse:
    """One product with everything that is known of it; a fixed number of statements."""
    _check(request)
    cursor = events.head()
    product = _product(product_id)
    found = explain(product_id)
    return _shown(
        request,
        text="",
        found=Found(product_id, []),
        title=f"{product.name} ({product.sku})",
        cursor=cursor,
        product=product,
        initials=stock.initials(product.name),
        picture_url=_picture_url(product),
        total={
            "available": quantity_text(found["stock_quantity"]),
            "on_hand": quantity_text(found["on_hand"]),
            "reserved": quantity_text(found["reserved"]),
            "threshold": quantity_text(product.reorder_threshold),
            "is_low": product.is_stocked and found["stock_quantity"] <= product.reorder_threshold,
        },
        explained=explained(found),
        movements=stock.movements(product),
        orders=stock.open_orders(product),
        purchases=stock.open_purchases(product),
        alerts=stock.open_alerts(product),
        forecast=forecast_panel(product_id),
        dialogs=_dialogs(request, product),
    )


@require_GET
def forecast(request: HttpRequest, product_id: int) -> HttpResponse:
    """The forecast panel alone, for the product's own page."""
    _check(request)
    _product(product_id)
    return TemplateResponse(request, "admin/forecast.html", {"forecast": forecast_panel(product_id)})


def _product(product_id: int) -> Product:
    products = Product.objects.select_related("unit", "category").annotate(picture_version=F("picture__version"))
    found = products.filter(pk=product_id).first()
    if found is None:
        raise Http404(str(ProductUnknown(f"There is no product {product_id}.")))
    return found


def _picture_url(product: Product) -> str:
    version: str | None = product.picture_version  # type: ignore[attr-defined]  # annotated by _product
    return f"{reverse('admin:inventory_product_picture', args=[product.pk])}?v={version}" if version else ""


def _dialogs(request: HttpRequest, product: Product) -> list[dict[str, str]]:
    """What this user may do with this product: title, icon and address of each dialog."""
    if not (product.is_active and product.is_stocked):
        return []
    may: Any = request.user.can  # type: ignore[union-attr]  # staff only: never AnonymousUser
    found = []
    if may(STOCK_POST):
        found += [
            ("Adjust", "exposure", reverse("admin:inventory_product_adjust_stock", args=[product.pk])),
            ("Transfer", "move_up", reverse("admin:inventory_product_transfer_stock", args=[product.pk])),
        ]
    if may(PURCHASING_WRITE):
        found.append(("Reorder", "add_shopping_cart", reverse("lookup-reorder", args=[product.pk])))
    return [{"title": title, "icon": icon, "url": url} for title, icon, url in found]


def _shown(request: HttpRequest, *, text: str, found: Found, title: str, **more: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, "text": text, "hits": found.hits, **more}
    return TemplateResponse(request, "admin/lookup.html", context)
