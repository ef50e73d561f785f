"""Purchase orders and receipts in the admin: a draft is entered, every step after that is a service behind a dialog."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.capabilities import PURCHASING_RECEIVE, PURCHASING_WRITE
from inventory.models import StockMovement
from purchasing.admin.dialogs import ZERO, LinesDialog, PurchaseDialog, ReasonDialog, ReceiveDialog
from purchasing.admin.vendors import may
from purchasing.documents import purchase_order
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt
from purchasing.services import orders, receipts
from purchasing.services.orders import PurchaseItem
from purchasing.states import CAN_CANCEL, CAN_CHANGE, CAN_CLOSE, CAN_RECEIVE, CAN_SEND, PurchaseStatus
from workbox.core.admin import (
    AttentionFilter,
    CappedPaginator,
    DayRangeFilter,
    Dialog,
    NumberSearch,
    PlaceFilter,
    ReadOnlyAdmin,
    ServiceAdmin,
    acting,
    link,
    moment_text,
    money_text,
    quantity_text,
    row_or_404,
    service_dialog,
    signed_text,
    total_text,
)
from workbox.core.papers import Paper, PrintsPapers

LINES_SHOWN = 200
STATUS_LABELS = {
    PurchaseStatus.DRAFT.value: "warning",
    PurchaseStatus.SENT.value: "info",
    PurchaseStatus.PARTIALLY_RECEIVED.value: "primary",
    PurchaseStatus.RECEIVED.value: "success",
    PurchaseStatus.CANCELLED.value: "danger",
}
# The stylesheet knows the colours of sales orders; a purchase order's status borrows that of the same stage.
STATUS_STYLES = {
    PurchaseStatus.DRAFT.value: "pending",
    PurchaseStatus.SENT.value: "confirmed",
    PurchaseStatus.PARTIALLY_RECEIVED.value: "partially_shipped",
    PurchaseStatus.RECEIVED.value: "delivered",
    PurchaseStatus.CANCELLED.value: "cancelled",
}


def _overdue(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(status__in=CAN_RECEIVE, expected_on__lt=datetime.now(UTC).date())


class StageFilter(AttentionFilter):
    """Purchase orders by what is to be done with them; without a choice those that are not done."""

    title = "stage"
    parameter_name = "stage"
    default_choice = "open"
    default_words = "purchase orders to send or to receive"
    choices_named = {
        "open": ("Open: to send or to receive", lambda rows: rows.filter(status__in=CAN_SEND | CAN_RECEIVE)),
        "overdue": ("Overdue: expected before today", _overdue),
        "send": ("To send", lambda rows: rows.filter(status__in=CAN_SEND)),
        "receive": ("To receive", lambda rows: rows.filter(status__in=CAN_RECEIVE)),
        "all": ("All", lambda rows: rows),
    }


class PurchaseLineInline(TabularInline):
    """The lines of a new draft."""

    model = PurchaseOrderLine
    fields = ["product", "quantity", "unit_cost"]
    autocomplete_fields = ["product"]
    extra = 3

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With the order."""
        return may(request, PURCHASING_WRITE)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A cost may stay empty: then it is what the vendor asks."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "unit_cost":
            field.required, field.help_text = False, "Empty: the vendor's price."
        return field


class PurchaseForm(forms.ModelForm):
    """A new draft."""

    class Meta:
        model = PurchaseOrder
        fields = ["vendor", "warehouse", "expected_on", "reference", "notes"]


@admin.register(PurchaseOrder)
class PurchaseOrderAdmin(PrintsPapers, NumberSearch, ServiceAdmin):
    """What we buy: found by number, vendor, reference or SKU; changed and moved on by dialogs, never deleted."""

    form = PurchaseForm
    paginator = CappedPaginator
    list_display = ["number", "status_label", "vendor", "shown_total", "line_count", "warehouse", "expected_on", "made"]
    list_display_links = ["number"]
    list_select_related = ["vendor", "warehouse"]
    list_filter = [
        StageFilter,
        ("status", ChoicesDropdownFilter),
        ("vendor", RelatedDropdownFilter),
        ("warehouse", PlaceFilter),
        ("created_at", DayRangeFilter),
    ]
    search_fields = ["vendor__name", "reference", "lines__product__sku"]
    search_help_text = "Number, vendor, reference or SKU"
    exact_fields = ("reference", "lines__product__sku")
    number_prefix = "PO-"
    ordering = ["-id"]
    inlines = [PurchaseLineInline]
    autocomplete_fields = ["vendor"]
    add_fieldsets = [(None, {"fields": [("vendor", "warehouse"), ("expected_on", "reference"), "notes"]})]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_text", "shown_total"), ("vendor", "warehouse"), ("created_at", "created_by"),
                    ("sent_at", "expected_on"), ("received_at", "closed_at"), ("reference", "notes"),
                ]
            },
        )
    ]  # fmt: skip
    change_form_outer_after_template = "admin/panels/purchase_order.html"
    papers = {"order": Paper("Purchase order", purchase_order)}
    actions_detail = ["send", "receive", "lines", "close", "cancel"]

    # ---- list ----
    def get_queryset(self, request: HttpRequest) -> QuerySet[PurchaseOrder]:
        """With the number of lines; the count runs for the page's rows only."""
        lines = PurchaseOrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
        counted = lines.annotate(total=Count("pk")).values("total")
        return super().get_queryset(request).annotate(line_total=Subquery(counted))

    @admin.display(description="Order", ordering="id")
    def number(self, order: PurchaseOrder) -> str:
        """Its number."""
        return str(order)

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, order: PurchaseOrder) -> tuple[str, str]:
        """In colour."""
        return order.status, order.get_status_display()

    @admin.display(description="Status")
    def status_text(self, order: PurchaseOrder) -> SafeString:
        """The same on the order's page."""
        style = STATUS_STYLES[order.status]
        return format_html('<span class="wb-badge wb-status-{}">{}</span>', style, order.get_status_display())

    @admin.display(description="Total", ordering="total_amount")
    def shown_total(self, order: PurchaseOrder) -> str:
        """What we pay."""
        return total_text(order.total_amount)

    @admin.display(description="Lines")
    def line_count(self, order: Any) -> int:
        """How many lines."""
        return int(order.line_total or 0)

    @admin.display(description="Made", ordering="created_at")
    def made(self, order: PurchaseOrder) -> str:
        """To the minute."""
        return moment_text(order.created_at)

    # ---- page ----
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may buy."""
        return self.has_write_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never on the form: the lines of a draft are changed by a dialog, an order moves on by its steps."""
        return False

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may send, cancel and close."""
        return may(request, PURCHASING_WRITE)

    def has_receive_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may book what came."""
        return may(request, PURCHASING_RECEIVE)

    def get_inlines(self, request: HttpRequest, obj: PurchaseOrder | None) -> Any:
        """Lines are entered once; afterwards the page shows them with what came in."""
        return [] if obj is not None else super().get_inlines(request, obj)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: the page after it is where the draft is sent."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The order with its lines and receipts."""
        order = self.get_object(request, object_id)
        panels = _panels(order) if order else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "panels": panels})

    def save_model(self, request: HttpRequest, obj: PurchaseOrder, form: Any, change: bool) -> None:
        """A draft is made with its lines, in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> None:
        """Make the draft: costs and news are the service's."""
        items = []
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []
            items += [
                PurchaseItem(given["product"].pk, given["quantity"], given.get("unit_cost"))
                for given in (one.cleaned_data for one in formset.forms)
                if given.get("product") and not given.get("DELETE")
            ]
        given = form.cleaned_data
        with acting(request):
            made = orders.create_purchase_order(
                given["vendor"].pk,
                items,
                warehouse_id=given["warehouse"].pk,
                expected_on=given["expected_on"],
                notes=given["notes"],
                reference=given["reference"],
            )
        form.instance.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: PurchaseOrder, post_url_continue: str | None = None) -> Any:
        """To the new draft."""
        self.message_user(request, f"{obj} is a draft: {total_text(obj.total_amount)}.")
        return HttpResponseRedirect(reverse("admin:purchasing_purchaseorder_change", args=[obj.pk]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the steps the order's status allows."""
        order = self.get_object(request, str(object_id))
        status = order.status if order else ""
        steps = {
            "send": CAN_SEND, "receive": CAN_RECEIVE, "lines": CAN_CHANGE, "close": CAN_CLOSE, "cancel": CAN_CANCEL,
        }  # fmt: skip
        return [one for one in super().get_actions_detail(request, object_id) if status in steps[one.path]]

    # ---- steps ----
    @service_dialog(
        "Send", form=PurchaseDialog, submit="Mark as sent", permission="write", icon="send",
        variant=ActionVariant.PRIMARY, description="It is frozen and counts as on order; its lead time runs from now.",
    )  # fmt: skip
    def send(self, request: HttpRequest, form: PurchaseDialog, order_id: int) -> str:
        """The vendor has it."""
        order = orders.send_purchase_order(order_id)
        return f"{order} is sent; expected on {order.expected_on}."

    @service_dialog(
        "Receive", form=ReceiveDialog, submit="Book the receipt", permission="receive", icon="move_to_inbox",
        variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def receive(self, request: HttpRequest, form: ReceiveDialog, order_id: int) -> str:
        """Goods are on the shelf."""
        came = form.received()
        receipts.receive_purchase_order(order_id, came or None)
        units = quantity_text(sum((one.quantity for one in came), ZERO))
        return f"{form.order}: {units} units received into {form.order.warehouse.name}."

    @service_dialog(
        "Change lines", form=LinesDialog, submit="Change the draft", permission="write", icon="edit_note",
        description="A draft is changed until it is sent.",
    )  # fmt: skip
    def lines(self, request: HttpRequest, form: LinesDialog, order_id: int) -> str:
        """The draft asks for something else."""
        order = orders.change_purchase_order(order_id, {}, items=form.items())
        return f"{order} is changed: {total_text(order.total_amount)}."

    @service_dialog(
        "Close short", form=ReasonDialog, submit="Close it short", permission="write", icon="done_all",
        description="What is still open never comes.",
    )  # fmt: skip
    def close(self, request: HttpRequest, form: ReasonDialog, order_id: int) -> str:
        """The rest never comes."""
        return f"{orders.close_short(order_id, reason=form.cleaned_data['reason'])} is closed."

    @service_dialog(
        "Cancel", form=ReasonDialog, submit="Cancel the order", permission="write", icon="cancel",
        variant=ActionVariant.DANGER, description="Possible while nothing of it came in.",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, form: ReasonDialog, order_id: int) -> str:
        """The order is off."""
        return f"{orders.cancel_purchase_order(order_id, reason=form.cleaned_data['reason'])} is cancelled."


def _panels(order: PurchaseOrder) -> dict[str, Any]:
    lines = PurchaseOrderLine.objects.filter(order=order).select_related("product").order_by("id")
    came = list(
        Receipt.objects.filter(order=order).select_related("received_by", "operation__reversed_by").order_by("id")
    )
    moved: dict[int, list[str]] = {}
    rows = StockMovement.objects.filter(operation_id__in=[one.operation_id for one in came]).order_by("id")
    for operation_id, quantity, sku, cost in rows.values_list("operation_id", "quantity", "product__sku", "unit_cost"):
        moved.setdefault(operation_id, []).append(f"{quantity_text(quantity)} × {sku} at {money_text(cost)}")
    return {
        "lines": [
            {
                "product": line.product.name,
                "sku": line.product.sku,
                "url": reverse("admin:inventory_product_change", args=[line.product_id]),
                "quantity": quantity_text(line.quantity),
                "cost": money_text(line.unit_cost),
                "total": total_text(line.unit_cost * line.quantity),
                "received": quantity_text(line.received_quantity),
            }
            for line in lines
        ],
        "receipts": [
            {
                "label": f"{one} (undone)" if is_undone(one) else str(one),
                "url": reverse("admin:purchasing_receipt_change", args=[one.pk]),
                "at": moment_text(one.received_at),
                "who": one.received_by.get_full_name() if one.received_by else "System",
                "items": ", ".join(moved.get(one.operation_id, [])),
            }
            for one in came
        ],
    }


def is_undone(receipt: Receipt) -> bool:
    """True when a counter-operation took its goods out again."""
    return hasattr(receipt.operation, "reversed_by")


class UndoDialog(Dialog):
    """Why a receipt was a mistake."""

    reason = forms.CharField(
        max_length=400,
        widget=UnfoldAdminTextInputWidget,
        help_text="It stays in the ledger beside the receipt it undoes.",
    )

    def summary(self) -> str:
        """Which receipt, of which order."""
        receipt = row_or_404(Receipt.objects.select_related("order__vendor"), self.object_id)
        return (
            f"{receipt} of {receipt.order} ({receipt.order.vendor}): its goods leave again, the order waits for them."
        )


@admin.register(Receipt)
class ReceiptAdmin(NumberSearch, ReadOnlyAdmin):
    """Goods of one purchase order that came in in one go."""

    change_form_outer_after_template = "admin/panels/operation.html"
    list_display = ["id", "order_link", "vendor", "operation_link", "received_by", "received_at"]
    list_select_related = ["order__vendor", "received_by"]
    list_filter = [("order__vendor", RelatedDropdownFilter), ("received_at", DayRangeFilter)]
    search_fields = ["order__vendor__name", "order__reference"]
    search_help_text = "Purchase order number, vendor or reference"
    number_fields = ("order_id",)
    number_prefix = "PO-"
    ordering = ["-id"]
    fields = [("order_link", "vendor"), ("operation_link", "received_at"), "received_by"]
    actions_detail = ["undo"]

    def has_receive_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may book what came."""
        return may(request, PURCHASING_RECEIVE)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """A receipt is undone once."""
        receipt = self.get_object(request, str(object_id))
        return [] if receipt is None or is_undone(receipt) else super().get_actions_detail(request, object_id)

    @service_dialog(
        "Undo", form=UndoDialog, submit="Undo the receipt", permission="receive", icon="undo",
        variant=ActionVariant.WARNING,
    )  # fmt: skip
    def undo(self, request: HttpRequest, form: UndoDialog, receipt_id: int) -> str:
        """The goods are out again, and the order waits for them."""
        order = receipts.undo_receipt(receipt_id, reason=form.cleaned_data["reason"], actor_id=request.user.pk)
        return f"Receipt {receipt_id} is undone: {order} is {order.get_status_display().lower()} now."

    @admin.display(description="Purchase order", ordering="order_id")
    def order_link(self, row: Receipt) -> str:
        """To the order."""
        return link(reverse("admin:purchasing_purchaseorder_change", args=[row.order_id]), row.order)

    @admin.display(description="Vendor", ordering="order__vendor__name")
    def vendor(self, row: Receipt) -> str:
        """From whom."""
        return str(row.order.vendor)

    @admin.display(description="Operation")
    def operation_link(self, row: Receipt) -> str:
        """To the ledger."""
        url = reverse("admin:inventory_stockoperation_change", args=[row.operation_id])
        return link(url, f"Operation {row.operation_id}")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """With its movements."""
        row = self.get_object(request, object_id)
        moved = StockMovement.objects.filter(operation_id=row.operation_id if row else None).select_related(
            "product", "warehouse"
        )
        lines = [
            {
                "product": str(line.product),
                "url": reverse("admin:inventory_product_change", args=[line.product_id]),
                "type": line.get_movement_type_display(),
                "warehouse": line.warehouse.name,
                "quantity": signed_text(line.quantity),
                "is_in": line.quantity > 0,
                "balance": quantity_text(line.balance_after),
                "cost": money_text(line.unit_cost),
            }
            for line in moved.order_by("id")[:LINES_SHOWN]
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "lines": lines})
