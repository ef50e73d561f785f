"""What to order today, for people: filtered, edited, chosen, and turned into draft purchase orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_GET, require_POST

from accounts.capabilities import FORECASTS_READ, FORECASTS_WRITE, PURCHASING_WRITE
from insights import curves, replenishment
from insights.queries_replenishment import SuggestionFilter, find_suggestions, suggestion_rows, totals
from insights.replenishment import Chosen
from inventory.models import Category, Warehouse
from purchasing.models import Vendor
from purchasing.offers import Terms
from purchasing.queries import current_terms, purchase_order_rows
from workbox.core import walls
from workbox.core.admin import acting, moment_text, money_text, quantity_text, total_text
from workbox.core.api import json_response
from workbox.core.errors import DomainError
from workbox.core.numbers import ID_DIGITS_MAX, QUANTITY_MAX, QUANTITY_PLACES, plain
from workbox.planning import work
from workbox.planning.progress import told

PAGE_SIZE = 100
CHOICES_MAX = 500
TEXT_LENGTH_MAX = 100
WHAT = "refresh"
FILTERS = ("vendor", "warehouse", "category", "q")


@dataclass
class Asked:
    """What somebody chose and wrote into the list; `faults` says per suggestion what is wrong with its quantity."""

    chosen: list[Chosen] = field(default_factory=list)
    written: dict[int, str] = field(default_factory=dict)
    vendors: dict[int, int] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[int]:
        """Which suggestions were ticked."""
        return {one.suggestion_id for one in self.chosen} | set(self.faults)


def _may(request: HttpRequest, capability: str) -> bool:
    return bool(request.user.can(capability))  # type: ignore[union-attr]  # staff only: never AnonymousUser


def _need(request: HttpRequest, capability: str) -> None:
    if not _may(request, capability):
        raise PermissionDenied


# ---- the list --------------------------------------------------------------------------------------------------------
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The suggestions, most margin at risk first; a fixed number of statements."""
    _need(request, FORECASTS_READ)
    return _shown(request, Asked())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= ID_DIGITS_MAX else None


def _wanted(values: Mapping[str, str]) -> SuggestionFilter:
    return SuggestionFilter(
        vendor_id=_number(values.get("vendor", "")),
        warehouse_id=_number(values.get("warehouse", "")),
        category=values.get("category", "")[:TEXT_LENGTH_MAX],
        search=values.get("q", "").strip()[:TEXT_LENGTH_MAX],
    )


def _shown(request: HttpRequest, asked: Asked) -> HttpResponse:
    values = {name: request.GET.get(name, "") for name in FILTERS}
    found = find_suggestions(_wanted(values))
    pages = Paginator(found.values_list("pk", flat=True), PAGE_SIZE)
    part = pages.get_page(request.GET.get("page"))
    rows = suggestion_rows(list(part.object_list))
    terms = current_terms([row["product_id"] for row in rows]) if rows else {}
    sums = totals(found)
    run = curves.current_run()
    query = urlencode({name: value for name, value in values.items() if value})
    context = {
        **admin.site.each_context(request),
        "title": "Replenishment",
        "rows": [_row(row, terms.get(row["product_id"], []), asked) for row in rows],
        "part": part,
        "count": pages.count,
        "cost": total_text(sums["cost"]),
        "risk": total_text(sums["margin_at_risk"]),
        "values": values,
        "is_filtered": any(values.values()),
        "query": query,
        "order_url": f"{reverse('plan-order')}?{urlencode({**values, 'page': part.number})}",
        "fitted_at": moment_text(run.finished_at) if run else "",
        "may_order": _may(request, PURCHASING_WRITE),
        "may_plan": _may(request, FORECASTS_WRITE),
        "may_set": _may(request, FORECASTS_WRITE) and walls.own() is None,
        "job": told(work.last(work.SUGGESTIONS), WHAT),
        "progress_url": reverse("plan-progress"),
        **_choices(values),
    }
    return TemplateResponse(request, "admin/replenishment.html", context)


def _choices(values: Mapping[str, str]) -> dict[str, Any]:
    """What the filters offer, with what is chosen marked. Three statements."""
    places = walls.of(Warehouse.objects.filter(is_active=True, is_sellable=True)).order_by("priority", "id")
    vendors = Vendor.objects.filter(is_active=True).order_by("name").values_list("id", "name")[:CHOICES_MAX]
    categories = Category.objects.order_by("name").values_list("name", flat=True)[:CHOICES_MAX]
    options = {
        "vendor": [(str(number), name) for number, name in vendors],
        "warehouse": [(str(one.pk), one.name) for one in places],
        "category": [(name, name) for name in categories],
    }
    names = {"vendor": "Vendor", "warehouse": "Warehouse", "category": "Category"}
    return {
        "filters": [
            {
                "name": name,
                "label": names[name],
                "options": [(value, label, value == values[name]) for value, label in some],
            }
            for name, some in options.items()
        ]
    }


def _row(row: dict[str, Any], terms: Sequence[Terms], asked: Asked) -> dict[str, Any]:
    number = row["id"]
    vendor = asked.vendors.get(number, row["vendor_id"])
    offers = {one["vendor_id"]: one for one in row["offers"]}
    return {
        "id": number,
        "name": row["name"],
        "sku": row["sku"],
        "url": reverse("lookup-product", args=[row["product_id"]]),
        "warehouse": row["warehouse_name"],
        "vendors": [
            (offer["vendor_id"], _offer_text(offer), offer["vendor_id"] == vendor) for offer in offers.values()
        ],
        "vendor": row["vendor_name"],
        "quantity": asked.written.get(number, plain(row["quantity"])),
        "fault": asked.faults.get(number, ""),
        "is_chosen": number in asked.ids,
        "price": money_text(row["unit_price"]),
        "total": total_text(row["total"]),
        "available": quantity_text(row["available"]),
        "coming": quantity_text(row["position"] - row["available"]),
        "risk": total_text(row["margin_at_risk"]),
        "chance": f"{float(row['stockout_probability']) * 100:.0f} %",
        "order_by": row["order_by"],
        "gone_by": row["depletion_on"],
        "why": row["why"],
        "terms_id": f"terms-{number}",
        "terms": {str(one.vendor_id): _terms(one) for one in terms},
    }


def _offer_text(offer: Mapping[str, Any]) -> str:
    return f"{offer['vendor_name']} ({offer['lead_time_days']:g} days)"


def _terms(one: Terms) -> dict[str, Any]:
    """What a browser needs to work out a cost: `prices` are (from quantity, unit price), lowest quantity first."""
    return {
        "name": one.vendor_name,
        "minimum": float(one.minimum_order_quantity),
        "pack": float(one.pack_quantity),
        "prices": [
            [0.0, float(one.unit_price)],
            *([float(start), float(price)] for start, price in sorted(one.breaks)),
        ],
    }


# ---- acts ------------------------------------------------------------------------------------------------------------
@require_POST
def order(request: HttpRequest) -> HttpResponse:
    """The ticked suggestions become draft purchase orders, one per vendor and warehouse, all or none."""
    _need(request, PURCHASING_WRITE)
    asked = _read(request)
    if asked.faults:
        messages.error(request, f"Nothing is ordered: {next(iter(asked.faults.values()))}")
        return _shown(request, asked)
    if not asked.chosen:
        messages.error(request, "Nothing is ordered: tick what is to be ordered first.")
        return _shown(request, asked)
    try:
        with acting(request):
            made = replenishment.order_suggestions(asked.chosen)
    except DomainError as error:
        messages.error(request, f"Nothing is ordered: {error.detail} The list below is as it is now.")
        return _shown(request, asked)
    messages.success(request, _made_text(made, len(asked.chosen)))
    return HttpResponseRedirect(_page_url(request))


def _page_url(request: HttpRequest) -> str:
    query = urlencode({name: request.GET[name] for name in FILTERS if request.GET.get(name)})
    return reverse("plan-page") + (f"?{query}" if query else "")


def _read(request: HttpRequest) -> Asked:
    asked = Asked()
    for text in dict.fromkeys(request.POST.getlist("chosen")):
        number = _number(text)
        if number is None:
            continue
        written = request.POST.get(f"quantity_{number}", "").strip()
        vendor = _number(request.POST.get(f"vendor_{number}", ""))
        asked.written[number] = written[:TEXT_LENGTH_MAX]
        if vendor is not None:
            asked.vendors[number] = vendor
        quantity = _quantity(written)
        if quantity is None:
            asked.faults[number] = f"“{written[:20]}” is no quantity: write a number above zero, such as 24."
        else:
            asked.chosen.append(Chosen(number, quantity, vendor))
    return asked


def _quantity(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    exponent = found.as_tuple().exponent
    fits = isinstance(exponent, int) and -exponent <= QUANTITY_PLACES and 0 < found <= QUANTITY_MAX
    return found if fits else None


def _made_text(made: Sequence[int], lines: int) -> str:
    orders = purchase_order_rows(made)
    links = format_html_join(
        ", ",
        '<a href="{}" class="underline">{}</a> ({}, {}: {} {}, {})',
        (
            (
                reverse("admin:purchasing_purchaseorder_change", args=[one["id"]]),
                f"PO-{one['id']}",
                one["vendor_name"],
                one["warehouse_name"],
                len(one["items"]),
                "line" if len(one["items"]) == 1 else "lines",
                total_text(one["total_amount"]),
            )
            for one in orders
        ),
    )
    what = "purchase order is" if len(orders) == 1 else "purchase orders are"
    suggestions = "1 suggestion" if lines == 1 else f"{lines} suggestions"
    return format_html("{} {} drafted from {}: {}.", len(orders), what, suggestions, links)


@require_POST
def refresh(request: HttpRequest) -> HttpResponse:
    """A job works the suggestions out anew from the curves, the stock and the orders, unless one is under way."""
    _need(request, FORECASTS_WRITE)
    if curves.current_run() is None:
        messages.error(request, "There is no forecast yet to work suggestions out from: train the forecasts first.")
        return HttpResponseRedirect(_page_url(request))
    job, is_new = work.start(work.SUGGESTIONS, user_id=request.user.pk)
    url = reverse("admin:jobs_job_change", args=[job.pk])
    said = "The suggestions are worked out anew as" if is_new else "They are being worked out already:"
    messages.success(request, format_html('{} <a href="{}" class="underline">job {}</a>.', said, url, job.pk))
    return HttpResponseRedirect(_page_url(request))


@require_GET
def progress(request: HttpRequest) -> HttpResponse:
    """How far the last refresh is, for the page that waits for it."""
    _need(request, FORECASTS_READ)
    return json_response({"job": told(work.last(work.SUGGESTIONS), WHAT)})
