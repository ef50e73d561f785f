"""Staff pages that are not admin: the live page, and the words for who is locked out."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import second_factor
from insights.queries import live_orders, live_products
from workbox.core import events, replica, walls
from workbox.core.api import error_response
from workbox.core.errors import TooManyRequests
from workbox.core.numbers import to_json

PRODUCTS_SHOWN = 200
ORDERS_SHOWN = 30
SEARCH_LENGTH_MAX = 100


def _is_staff(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.is_active and user.is_staff and second_factor.is_given(user, request.session))


def _walls_of(request: HttpRequest) -> frozenset[int] | None:
    user: Any = request.user
    found: frozenset[int] | None = user.warehouses
    return found


def _snapshot(search: str = "") -> dict[str, Any]:
    # The cursor first: whatever happens while the rows are read comes again over the socket, and versions sort it out.
    # Not from a replica: what it has not heard of yet would lie before the cursor, and never come.
    with replica.only_primary():
        cursor = events.head()
        products = live_products(search=search[:SEARCH_LENGTH_MAX], limit=PRODUCTS_SHOWN)
        orders = live_orders(limit=ORDERS_SHOWN)
    return {"cursor": cursor, "products": products, "products_max": PRODUCTS_SHOWN, "orders": orders}


@never_cache
@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """Stock and orders as they move; the page itself is a snapshot, `live.js` keeps it true."""
    if not _is_staff(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    with walls.seen_by(_walls_of(request)):
        found = _snapshot()
    begin = found | {
        "rows_url": reverse("live-rows"),
        "login_url": f"{reverse('admin:login')}?next={reverse('live')}",
        "product_url": reverse("admin:inventory_product_change", args=[0]),
        "order_url": reverse("admin:orders_order_change", args=[0]),
    }
    # JSON inside a script element: the three characters that could end it are escaped.
    text = to_json(begin).decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return render(request, "workbox/live.html", {"begin": text})


@never_cache
@require_GET
def live_rows(request: HttpRequest) -> HttpResponse:
    """A fresh snapshot for the live page, optionally of the products that match `q`."""
    if not _is_staff(request):
        return JsonResponse({"error": "not_authenticated", "detail": "Log in again."}, status=401)
    with walls.seen_by(_walls_of(request)):
        found = _snapshot(request.GET.get("q", "").strip())
    return HttpResponse(to_json(found), content_type="application/json")


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: Any = None, *_: Any
) -> HttpResponse:
    """The answer to a login after too many failures: a page with a sentence for people, the error body for programs."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    text = f"Too many failed logins. Try again in {minutes} minutes, or ask an administrator to unlock the account."
    if request.is_api:  # type: ignore[attr-defined]  # RequestMiddleware sets it
        return error_response(TooManyRequests(text, retry_after_seconds=minutes * 60))
    return render(request, "admin/locked.html", {"minutes": minutes, "login_url": reverse("admin:login")}, status=429)
