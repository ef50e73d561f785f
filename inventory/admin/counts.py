"""Stock counts in the admin: opened, filled and closed by dialogs; never edited, never deleted."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.capabilities import STOCK_POST
from inventory.admin.dialogs import quantity_field, warehouse_field
from inventory.documents import count_sheet
from inventory.models import CountLine, StockCount
from inventory.queries import product_ids_by_sku, products_by_barcode
from inventory.services import counts
from inventory.services.counts import Found
from workbox.core.admin import (
    DayRangeFilter,
    Dialog,
    NumberSearch,
    PlaceFilter,
    ServiceAdmin,
    acting,
    cut,
    moment_text,
    quantity_text,
    row_or_404,
    service_dialog,
    signed_text,
)
from workbox.core.papers import Paper, PrintsPapers

STATUS_LABELS = {"open": "warning", "closed": "success", "cancelled": "danger"}
CODE_LENGTH = 64
LINES_SHOWN = 500


class CountForm(forms.ModelForm):
    """Where is counted."""

    warehouse = warehouse_field()

    class Meta:
        model = StockCount
        fields = ["warehouse", "is_blind", "notes"]


class CountDialog(Dialog):
    """A dialog about one count."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = row_or_404(StockCount.objects.select_related("warehouse"), self.object_id)

    def summary(self) -> str:
        """Where, and how far it has come."""
        lines = CountLine.objects.filter(count=self.count).count()
        return f"{self.count} of {self.count.warehouse.name}: {lines} {'line' if lines == 1 else 'lines'} so far."


class RecordDialog(CountDialog):
    """What was found: a code as scanned or typed, and how many."""

    code = forms.CharField(
        max_length=CODE_LENGTH,
        label="Barcode or SKU",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "autocomplete": "off"}),
    )
    quantity = quantity_field(label="Found", min_value=0, help_text="Of a carton's barcode: how many cartons.")
    adds = forms.BooleanField(
        required=False,
        label="Add to what was recorded before",
        help_text="Off: this number replaces it.",
        widget=UnfoldBooleanSwitchWidget,
    )

    def clean(self) -> dict[str, Any]:
        """The code means a product."""
        cleaned = super().clean() or {}
        code = str(cleaned.get("code", "")).strip()
        if code and "quantity" in cleaned:
            product_id, pack = products_by_barcode([code]).get(code, (product_ids_by_sku([code]).get(code), 1))
            if product_id is None:
                raise forms.ValidationError(f"No product has the barcode or SKU “{code}”.")
            cleaned["found"] = Found(product_id, cleaned["quantity"] * pack, adds=cleaned["adds"])
        return cleaned


@admin.register(StockCount)
class StockCountAdmin(PrintsPapers, NumberSearch, ServiceAdmin):
    """Rounds of counting; the warehouse goes on working meanwhile."""

    form = CountForm
    list_display = ["number", "status_label", "place", "line_count", "is_blind", "opened_by", "when"]
    list_display_links = ["number"]
    list_select_related = ["warehouse", "opened_by"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("warehouse", PlaceFilter),
        ("opened_at", DayRangeFilter),
    ]
    search_fields = ["notes", "lines__product__sku"]
    search_help_text = "Number, notes or SKU"
    exact_fields = ("lines__product__sku",)
    number_prefix = "COUNT-"
    ordering = ["-id"]
    add_fieldsets = [(None, {"fields": [("warehouse", "is_blind"), "notes"]})]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_text", "warehouse"), ("is_blind", "notes"), ("opened_by", "opened_at"),
                    ("closed_by", "closed_at"),
                ]
            },
        )
    ]  # fmt: skip
    change_form_outer_after_template = "admin/panels/count.html"
    papers = {"sheet": Paper("Count sheet", count_sheet)}
    actions_detail = ["record", "close", "cancel"]

    # ---- list ----
    def get_queryset(self, request: HttpRequest) -> QuerySet[StockCount]:
        """With the number of lines; the count runs for the page's rows only."""
        lines = CountLine.objects.filter(count=OuterRef("pk")).order_by().values("count")
        return (
            super()
            .get_queryset(request)
            .annotate(line_total=Subquery(lines.annotate(total=Count("pk")).values("total")))
        )

    @admin.display(description="Count", ordering="id")
    def number(self, count: StockCount) -> str:
        """Its number."""
        return f"#{count.pk}"

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, count: StockCount) -> tuple[str, str]:
        """In colour."""
        return count.status, count.get_status_display()

    @admin.display(description="Status")
    def status_text(self, count: StockCount) -> SafeString:
        """The same on the count's page."""
        return format_html('<span class="wb-badge wb-status-{}">{}</span>', count.status, count.get_status_display())

    @admin.display(description="Warehouse", ordering="warehouse_id")
    def place(self, count: StockCount) -> str:
        """By its name."""
        return count.warehouse.name

    @admin.display(description="Lines")
    def line_count(self, count: Any) -> int:
        """How many lines."""
        return int(count.line_total or 0)

    @admin.display(description="Opened", ordering="opened_at")
    def when(self, count: StockCount) -> str:
        """To the minute."""
        return moment_text(count.opened_at)

    # ---- page ----
    def has_add_permission(self, request: HttpRequest) -> bool:
        """By capability."""
        return self.has_post_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never on the form: lines are recorded by a dialog."""
        return False

    def has_post_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may count."""
        return bool(request.user.can(STOCK_POST))  # type: ignore[union-attr]  # who is on a staff page is a User

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: a count is opened, and cannot be saved and edited on."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The count with its lines; what the books said stands there once it is closed."""
        number = int(object_id) if object_id.isdecimal() else 0
        rows = CountLine.objects.filter(count_id=number).select_related("product", "recorded_by").order_by("-id")
        shown, more = cut(rows, LINES_SHOWN)
        lines = [
            {
                "product": line.product.name,
                "sku": line.product.sku,
                "url": reverse("admin:inventory_product_change", args=[line.product_id]),
                "counted": quantity_text(line.counted_quantity),
                "expected": quantity_text(line.expected_quantity),
                "variance": signed_text(line.variance) if line.variance else quantity_text(line.variance),
                "is_off": bool(line.variance),
                "at": moment_text(line.counted_at),
                "by": line.recorded_by or "–",
            }
            for line in shown
        ]
        extra = {**(extra_context or {}), "lines": lines, "more": more}
        return super().change_view(request, object_id, form_url, extra)

    def save_model(self, request: HttpRequest, obj: StockCount, form: Any, change: bool) -> None:
        """Open the count: who and when is the service's."""
        given = form.cleaned_data
        with acting(request):
            opened = counts.open_count(given["warehouse"].pk, is_blind=given["is_blind"], notes=given["notes"])
        obj.__dict__.update(StockCount.objects.get(pk=opened.id).__dict__)

    def response_add(self, request: HttpRequest, obj: StockCount, post_url_continue: str | None = None) -> Any:
        """To the new count."""
        self.message_user(request, f"{obj} of {obj.warehouse.name} is open: record what you find.")
        return HttpResponseRedirect(reverse("admin:inventory_stockcount_change", args=[obj.pk]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only while it is open."""
        count = self.get_object(request, str(object_id))
        is_open = count is not None and count.status == StockCount.Status.OPEN
        return super().get_actions_detail(request, object_id) if is_open else []

    # ---- steps ----
    @service_dialog(
        "Record", form=RecordDialog, submit="Record it", permission="post", icon="barcode_scanner",
        variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def record(self, request: HttpRequest, form: RecordDialog, count_id: int) -> str:
        """What was found is on the count."""
        found = form.cleaned_data["found"]
        counted = counts.record(count_id, [found])
        line = next(one for one in counted.lines if one.product_id == found.product_id)
        return f"{line.name} ({line.sku}): {quantity_text(line.counted)} counted."

    @service_dialog(
        "Close", form=CountDialog, submit="Close and post the differences", permission="post", icon="task_alt",
        description="One adjustment per line that differs; what moved since it was counted is left alone.",
    )  # fmt: skip
    def close(self, request: HttpRequest, form: CountDialog, count_id: int) -> str:
        """The books follow what was found."""
        closed = counts.close_count(count_id)
        off = sum(bool(line.variance) for line in closed.lines)
        return f"Count {count_id} is closed: {off} of {len(closed.lines)} lines differed."

    @service_dialog(
        "Cancel", form=CountDialog, submit="Cancel the count", permission="post", icon="cancel",
        variant=ActionVariant.DANGER, description="Its lines stay to be read; nothing is posted.",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, form: CountDialog, count_id: int) -> str:
        """The count is off."""
        counts.cancel_count(count_id)
        return f"Count {count_id} is cancelled; nothing was posted."
