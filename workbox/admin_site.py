"""The admin site all rooms register on: who acts, what the sidebar offers, how one logs in."""

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from accounts import second_factor
from accounts.capabilities import FORECASTS_READ, ORDERS_READ, STOCK_READ, USERS_READ
from accounts.models import User
from workbox.core import context, walls
from workbox.core.numbers import ID_DIGITS_MAX

# Group → (title, icon, app_model) or (title, icon, url): the sidebar shows what the role may see.
SIDEBAR: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "",
        (
            ("Home", "home", "/admin/"),
            ("Live", "bolt", "/live/"),
            ("Scan", "barcode_scanner", "/admin/scan/"),
        ),
    ),
    (
        "Selling",
        (
            ("Board", "view_kanban", "/admin/board/"),
            ("Orders", "shopping_cart", "orders_order"),
            ("Customers", "groups", "orders_customer"),
            ("Shipments", "local_shipping", "orders_shipment"),
            ("Returns", "assignment_return", "orders_return"),
        ),
    ),
    (
        "Buying",
        (
            ("Replenishment", "add_shopping_cart", "/admin/replenishment/"),
            ("Purchase orders", "shopping_bag", "purchasing_purchaseorder"),
            ("Receipts", "move_to_inbox", "purchasing_receipt"),
            ("Vendors", "storefront", "purchasing_vendor"),
            ("Vendor prices", "sell", "purchasing_vendorprice"),
        ),
    ),
    (
        "Stock",
        (
            ("Lookup", "manage_search", "/admin/lookup/"),
            ("Products", "inventory_2", "inventory_product"),
            ("Stock levels", "shelves", "inventory_stocklevel"),
            ("Transfers", "move_up", "inventory_transfer"),
            ("Counts", "fact_check", "inventory_stockcount"),
            ("Movements", "swap_vert", "inventory_stockmovement"),
            ("Operations", "receipt_long", "inventory_stockoperation"),
            ("Costs", "payments", "inventory_costchange"),
            ("Reservations", "bookmark", "inventory_reservation"),
        ),
    ),
    (
        "Insights",
        (
            ("Alerts", "notifications", "insights_alert"),
            ("Alert settings", "tune", "insights_alertsettings"),
            ("Suggestions", "add_shopping_cart", "insights_suggestion"),
            ("Accuracy", "target", "/admin/accuracy/"),
            ("Forecast runs", "model_training", "insights_forecastrun"),
            ("Forecasts", "query_stats", "insights_forecastcurve"),
            ("Daily demand", "ssid_chart", "insights_dailydemand"),
            ("Daily totals", "calendar_month", "insights_dailytotal"),
            ("Daily sales", "bar_chart", "insights_dailysales"),
            ("Daily sales per category", "donut_small", "insights_dailycategorysales"),
        ),
    ),
    (
        "Set up",
        (
            ("Warehouses", "warehouse", "inventory_warehouse"),
            ("Categories", "category", "inventory_category"),
            ("Units of measure", "straighten", "inventory_unitofmeasure"),
            ("Barcodes", "barcode", "inventory_barcode"),
        ),
    ),
    (
        "People",
        (
            ("Users", "person", "accounts_user"),
            ("Roles", "badge", "/admin/roles/"),
            ("Second factor", "phonelink_lock", "/admin/second-factor/"),
            ("Open logins", "key", "accounts_refreshtoken"),
            ("Activity", "history", "accounts_activitylog"),
            ("Failed logins", "gpp_maybe", "axes_accessattempt"),
        ),
    ),
    (
        "System",
        (
            ("Imports", "upload_file", "exchange_import"),
            ("Jobs", "pending_actions", "jobs_job"),
            ("Event log", "feed", "core_event"),
            ("Changes", "difference", "core_fieldchange"),
            ("Log readers", "radio_button_checked", "core_eventcursor"),
            ("Idempotency keys", "fingerprint", "core_idempotencykey"),
            ("Webhooks", "webhook", "webhooks_endpoint"),
            ("Webhook deliveries", "outbox", "webhooks_delivery"),
            ("Scheduled jobs", "schedule", "django_celery_beat_periodictask"),
        ),
    ),
)

# What the pages of one's own among them ask for; the others are open to all staff.
PAGE_NEEDS = {
    "/admin/scan/": STOCK_READ,
    "/admin/board/": ORDERS_READ,
    "/admin/replenishment/": FORECASTS_READ,
    "/admin/lookup/": STOCK_READ,
    "/admin/accuracy/": FORECASTS_READ,
    "/admin/roles/": USERS_READ,
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar for this user: groups of links to what the role may see."""
    groups = []
    for title, entries in SIDEBAR:
        items = [
            {"title": name, "icon": icon, "link": _url(target)}
            for name, icon, target in entries
            if _may_see(request, target)
        ]
        if items:
            groups.append(
                {"title": title, "separator": bool(title), "collapsible": title in {"People", "System"}, "items": items}
            )
    return groups


def _url(target: str) -> str:
    return target if target.startswith("/") else reverse(f"admin:{target}_changelist")


def _may_see(request: HttpRequest, target: str) -> bool:
    if target.startswith("/"):
        # Nobody is logged in on the login page, and it has no sidebar.
        return target not in PAGE_NEEDS or (isinstance(request.user, User) and request.user.can(PAGE_NEEDS[target]))
    app, _, model = target.rpartition("_")
    return request.user.has_perm(f"{app}.view_{model}")


def _rendered(response: Any) -> Any:
    """The answer, with its page made now: templates read rows, and behind the asker's walls they shall."""
    if walls.own() is not None and hasattr(response, "render") and not response.is_rendered:
        response.render()
    return response


class LoginForm(AuthenticationForm):
    """Staff log in with user name or e-mail address."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "No staff account has this name and password. Only the password is case-sensitive.",
        "no_staff": "This account is for customers. It cannot open the admin; use the shop or the API.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name or e-mail address"

    def confirm_login_allowed(self, user: Any) -> None:
        """The account is active and staff."""
        super(AdminAuthenticationForm, self).confirm_login_allowed(user)  # type: ignore[misc]  # skips Unfold's own: a mixin
        if not user.is_staff:
            raise ValidationError(self.error_messages["no_staff"], code="no_staff")


def _is_beyond_numbers(text: Any) -> bool:
    """True for a number longer than any id: nobody's, and SQLite would stumble over it."""
    return str(text).isdecimal() and len(str(text)) > ID_DIGITS_MAX


def redirect_to_second_factor(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the code, or to the one that sets a second factor up where the shop requires one."""
    asks = cast(User, request.user).second_factor_at is not None
    page = reverse("second-factor-code" if asks else "second-factor")
    return HttpResponseRedirect(f"{page}?{urlencode({'next': request.get_full_path()})}")


class WorkBoxAdminSite(UnfoldAdminSite):
    """Unfold's site under WorkBox's name."""

    site_header = "WorkBox"
    site_title = "WorkBox"
    index_title = "Home"
    login_form = LoginForm

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Whatever an admin page writes, the logged-in user did it."""

        def acted(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if view != self.logout and not second_factor.is_given(cast(User, request.user), request.session):
                return redirect_to_second_factor(request)
            if _is_beyond_numbers(kwargs.get("object_id")):
                raise Http404("There is no row with this number.")
            if any(_is_beyond_numbers(one) for name, one in request.GET.items() if name.endswith("id__exact")):
                return HttpResponseRedirect(f"{request.path}?e=1")  # as Django does for a filter it cannot read
            request.actor_id = request.user.pk  # type: ignore[attr-defined]  # for the log, and for who reads the primary
            token = context.actor_id.set(request.user.pk)
            try:
                with walls.seen_by(getattr(request.user, "warehouses", None)):
                    return _rendered(view(request, *args, **kwargs))
            finally:
                context.actor_id.reset(token)

        return super().admin_view(acted, cacheable)
