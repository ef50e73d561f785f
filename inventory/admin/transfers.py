"""Transfers in the admin: made with their lines, moved on by dialogs; never edited, never deleted."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts.capabilities import STOCK_POST
from inventory.admin.dialogs import quantity_field, reason_field, warehouse_field
from inventory.documents import transfer_slip
from inventory.models import Reservation, Transfer, TransferLine
from inventory.services import transfers
from inventory.services.transfers import Arrival, MovedGoods
from workbox.core.admin import (
    HOLDERS,
    DayRangeFilter,
    Dialog,
    Holder,
    NamedFilter,
    NumberSearch,
    PlaceFilter,
    ServiceAdmin,
    acting,
    moment_text,
    quantity_text,
    row_or_404,
    service_dialog,
)
from workbox.core.papers import Paper, PrintsPapers

ZERO = Decimal(0)
STATUS_LABELS = {"pending": "warning", "in_transit": "info", "completed": "success", "cancelled": "danger"}
STEPS = {
    "dispatch_goods": {Transfer.Status.PENDING},
    "complete": {Transfer.Status.PENDING, Transfer.Status.IN_TRANSIT},
    "cancel": {Transfer.Status.PENDING, Transfer.Status.IN_TRANSIT},
}


def transfer_holders(line_ids: Iterable[int]) -> dict[int, Holder]:
    """Which transfers these lines belong to."""
    rows = TransferLine.objects.filter(id__in=list(line_ids)).values_list("id", "transfer_id")
    return {
        line_id: Holder(f"Transfer {number}", reverse("admin:inventory_transfer_change", args=[number]))
        for line_id, number in rows
    }


HOLDERS[Reservation.Holder.TRANSFER_LINE.value] = transfer_holders


class TransferDialog(Dialog):
    """A dialog about one transfer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transfer = row_or_404(Transfer.objects.select_related("from_warehouse", "to_warehouse"), self.object_id)
        self.lines = list(TransferLine.objects.filter(transfer=self.transfer).select_related("product").order_by("id"))

    def summary(self) -> str:
        """What moves from where to where."""
        items = ", ".join(f"{quantity_text(line.quantity)} × {line.product.name}" for line in self.lines[:5])
        more = f" and {len(self.lines) - 5} more lines" if len(self.lines) > 5 else ""
        way = f"from {self.transfer.from_warehouse.name} to {self.transfer.to_warehouse.name}"
        return f"{self.transfer} {way}: {items}{more}."


class CancelTransferDialog(TransferDialog):
    """Why the transfer is off."""

    reason = reason_field(required=False, help_text="It stands in the ledger when goods come back.")


class CompleteDialog(TransferDialog):
    """What did not arrive well, per product; the rest is received."""

    reason = reason_field(required=False, help_text="Why something is missing or damaged; it stands in the ledger.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rest = list(self.fields)
        for line in self.lines:
            for name in ("lost", "damaged"):
                self.fields[f"{name}_{line.product_id}"] = quantity_field(
                    label=f"{line.product.name}: {name}, of {quantity_text(line.quantity)}",
                    min_value=ZERO,
                    max_value=line.quantity,
                    required=False,
                    initial=0,
                )
        self.order_fields([name for name in self.fields if name not in rest] + rest)

    def arrivals(self) -> dict[int, Arrival]:
        """Product id → what became of it."""
        found = {}
        for line in self.lines:
            lost = self.cleaned_data.get(f"lost_{line.product_id}") or ZERO
            damaged = self.cleaned_data.get(f"damaged_{line.product_id}") or ZERO
            found[line.product_id] = Arrival(line.quantity - lost - damaged, lost, damaged)
        return found


class TransferLineInline(TabularInline):
    """The lines of a new transfer."""

    model = TransferLine
    fields = ["product", "quantity"]
    autocomplete_fields = ["product"]
    extra = 3

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With the transfer."""
        return bool(request.user.can(STOCK_POST))  # type: ignore[union-attr]  # who is on a staff page is a User


class TransferForm(forms.ModelForm):
    """Where from, where to."""

    from_warehouse = warehouse_field(label="From")
    to_warehouse = warehouse_field(label="To")

    class Meta:
        model = Transfer
        fields = ["from_warehouse", "to_warehouse", "reference", "notes"]


class TransferStageFilter(NamedFilter):
    """Transfers by what is to be done with them."""

    title = "stage"
    parameter_name = "stage"
    choices_named = {
        "open": (
            "Open: pending or in transit",
            lambda rows: rows.filter(status__in=[Transfer.Status.PENDING, Transfer.Status.IN_TRANSIT]),
        ),
        "ended": (
            "Completed or cancelled",
            lambda rows: rows.filter(status__in=[Transfer.Status.COMPLETED, Transfer.Status.CANCELLED]),
        ),
    }


@admin.register(Transfer)
class TransferAdmin(PrintsPapers, NumberSearch, ServiceAdmin):
    """Goods on their way between warehouses."""

    form = TransferForm
    list_display = ["number", "status_label", "source", "target", "line_count", "reference", "made_at"]
    list_display_links = ["number"]
    list_select_related = ["from_warehouse", "to_warehouse"]
    list_filter = [
        TransferStageFilter,
        ("status", ChoicesDropdownFilter),
        ("from_warehouse", PlaceFilter),
        ("to_warehouse", PlaceFilter),
        ("created_at", DayRangeFilter),
    ]
    search_fields = ["=reference", "lines__product__sku", "notes"]
    search_help_text = "Number, reference, notes or SKU"
    exact_fields = ("reference", "lines__product__sku")
    number_prefix = "TRANSFER-"
    ordering = ["-id"]
    inlines = [TransferLineInline]
    add_fieldsets = [(None, {"fields": [("from_warehouse", "to_warehouse"), ("reference", "notes")]})]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_text", "reference"), ("from_warehouse", "to_warehouse"), ("created_at", "created_by"),
                    ("dispatched_at", "completed_at", "cancelled_at"), "notes",
                ]
            },
        )
    ]  # fmt: skip
    change_form_outer_after_template = "admin/panels/transfer.html"
    papers = {"slip": Paper("Transfer slip", transfer_slip)}
    actions_detail = ["dispatch_goods", "complete", "cancel"]

    # ---- list ----
    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        """With the number of lines; the count runs for the page's rows only."""
        lines = TransferLine.objects.filter(transfer=OuterRef("pk")).order_by().values("transfer")
        return (
            super()
            .get_queryset(request)
            .annotate(line_total=Subquery(lines.annotate(total=Count("pk")).values("total")))
        )

    @admin.display(description="Transfer", ordering="id")
    def number(self, transfer: Transfer) -> str:
        """Its number."""
        return f"#{transfer.pk}"

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, transfer: Transfer) -> tuple[str, str]:
        """In colour."""
        return transfer.status, transfer.get_status_display()

    @admin.display(description="Status")
    def status_text(self, transfer: Transfer) -> SafeString:
        """The same on the transfer's page."""
        return format_html(
            '<span class="wb-badge wb-status-{}">{}</span>', transfer.status, transfer.get_status_display()
        )

    @admin.display(description="From", ordering="from_warehouse_id")
    def source(self, transfer: Transfer) -> str:
        """By its code: a list has little room."""
        return transfer.from_warehouse.code

    @admin.display(description="To", ordering="to_warehouse_id")
    def target(self, transfer: Transfer) -> str:
        """By its code."""
        return transfer.to_warehouse.code

    @admin.display(description="Lines")
    def line_count(self, transfer: Any) -> int:
        """How many lines."""
        return int(transfer.line_total or 0)

    @admin.display(description="Made", ordering="created_at")
    def made_at(self, transfer: Transfer) -> str:
        """To the minute."""
        return moment_text(transfer.created_at)

    # ---- page ----
    def has_add_permission(self, request: HttpRequest) -> bool:
        """By capability."""
        return self.has_post_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never on the form: a transfer moves on by its steps."""
        return False

    def has_post_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may move stock."""
        return bool(request.user.can(STOCK_POST))  # type: ignore[union-attr]  # who is on a staff page is a User

    def get_inlines(self, request: HttpRequest, obj: Transfer | None) -> Any:
        """Lines are entered once; afterwards the page shows them with what became of them."""
        return [] if obj is not None else super().get_inlines(request, obj)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: a transfer is made, and cannot be saved and edited on."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The transfer with its lines."""
        number = int(object_id) if object_id.isdecimal() else 0
        rows = TransferLine.objects.filter(transfer_id=number).select_related("product", "transfer").order_by("id")
        lines = [_shown(line) for line in rows]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "lines": lines})

    def save_model(self, request: HttpRequest, obj: Transfer, form: Any, change: bool) -> None:
        """A transfer is made with its lines, in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> None:
        """Make the transfer: stock and news are the service's."""
        items: dict[int, Decimal] = {}
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []
            for given in (one.cleaned_data for one in formset.forms):
                if given.get("product") and not given.get("DELETE"):
                    number = given["product"].pk
                    items[number] = items.get(number, ZERO) + given["quantity"]
        given = form.cleaned_data
        with acting(request):
            made = transfers.create_transfer(
                items,
                from_warehouse_id=given["from_warehouse"].pk,
                to_warehouse_id=given["to_warehouse"].pk,
                reference=given["reference"],
                notes=given["notes"],
            )
        form.instance.__dict__.update(Transfer.objects.get(pk=made.id).__dict__)

    def response_add(self, request: HttpRequest, obj: Transfer, post_url_continue: str | None = None) -> Any:
        """To the new transfer."""
        self.message_user(request, f"{obj} is pending: its goods are reserved.")
        return HttpResponseRedirect(reverse("admin:inventory_transfer_change", args=[obj.pk]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the steps the transfer's status allows."""
        transfer = self.get_object(request, str(object_id))
        status = transfer.status if transfer else ""
        return [one for one in super().get_actions_detail(request, object_id) if status in STEPS[one.path]]

    # ---- steps ----
    @service_dialog(
        "Dispatch", form=TransferDialog, submit="Dispatch the goods", permission="post", icon="local_shipping",
        variant=ActionVariant.PRIMARY, description="The goods leave the source and are in transit.",
    )  # fmt: skip
    def dispatch_goods(self, request: HttpRequest, form: TransferDialog, transfer_id: int) -> str:
        """The goods have left."""
        return f"Transfer {transfer_id}: {_units(transfers.dispatch_transfer(transfer_id))} in transit."

    @service_dialog(
        "Complete", form=CompleteDialog, submit="Book the arrival", permission="post", icon="task_alt",
        variant=ActionVariant.PRIMARY,
        description="The goods are at the destination; what was lost or damaged on the way is named in the ledger.",
    )  # fmt: skip
    def complete(self, request: HttpRequest, form: CompleteDialog, transfer_id: int) -> str:
        """The goods have arrived."""
        done = transfers.complete_transfer(transfer_id, arrivals=form.arrivals(), reason=form.cleaned_data["reason"])
        received = sum((line.received for line in done.lines), ZERO)
        return f"Transfer {transfer_id} is completed: {quantity_text(received)} of {_units(done)} arrived well."

    @service_dialog(
        "Cancel", form=CancelTransferDialog, submit="Cancel the transfer", permission="post", icon="cancel",
        variant=ActionVariant.DANGER,
        description="What it reserves is available again; goods in transit come back to the source.",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, form: CancelTransferDialog, transfer_id: int) -> str:
        """The transfer is off."""
        off = transfers.cancel_transfer(transfer_id, reason=form.cleaned_data["reason"])
        return f"Transfer {transfer_id} is cancelled: {_units(off)} at {off.from_warehouse} again."


def _units(goods: MovedGoods) -> str:
    return f"{quantity_text(sum((line.quantity for line in goods.lines), ZERO))} units"


def _shown(line: TransferLine) -> dict[str, Any]:
    is_done = line.transfer.status == Transfer.Status.COMPLETED
    return {
        "product": line.product.name,
        "sku": line.product.sku,
        "url": reverse("admin:inventory_product_change", args=[line.product_id]),
        "quantity": quantity_text(line.quantity),
        "received": quantity_text(line.received_quantity if is_done else None),
        "lost": quantity_text(line.lost_quantity if is_done else None),
        "damaged": quantity_text(line.damaged_quantity if is_done else None),
    }
