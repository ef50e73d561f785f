"""Warehouses, and what is only read: levels, operations, movements, reservations."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts.capabilities import STOCK_POST, WAREHOUSES_WRITE
from accounts.models import User
from inventory.admin.dialogs import BinDialog, ReverseDialog
from inventory.models import CostChange, Product, Reservation, StockLevel, StockMovement, StockOperation, Warehouse
from inventory.services import catalog, ledger, warehouses
from workbox.core import walls
from workbox.core.admin import (
    AttentionFilter,
    DayRangeFilter,
    Dialog,
    NamedFilter,
    NewestSearch,
    NumberSearch,
    PlaceFilter,
    ReadOnlyAdmin,
    ServiceAdmin,
    acting,
    cut,
    holders,
    link,
    moment_text,
    money_text,
    quantity_text,
    service_dialog,
    signed_text,
)
from workbox.core.db import transact

IRREVERSIBLE = frozenset(
    {
        StockOperation.Kind.SHIPMENT,
        StockOperation.Kind.RETURN,
        StockOperation.Kind.REVERSAL,
        StockOperation.Kind.TRANSFER,
        StockOperation.Kind.RECEIPT,
    }
)
LINES_SHOWN = 100
FOUND_MAX = 200  # products or acts that one search of a ledger follows
MEMBERS_SHOWN = 100


class WarehouseForm(forms.ModelForm):
    """A warehouse's own fields."""

    class Meta:
        model = Warehouse
        fields = ["name", "code", "address", "priority", "is_sellable"]


class WarehouseDialog(Dialog):
    """Asks once more."""


@admin.register(Warehouse)
class WarehouseAdmin(ServiceAdmin):
    """Places that hold stock; closed when empty, never deleted."""

    form = WarehouseForm
    list_display = ["code", "name", "priority", "is_sellable", "is_active", "address"]
    list_display_links = ["code", "name"]
    search_fields = ["code", "name", "address"]
    change_form_outer_after_template = "admin/panels/warehouse.html"
    actions_detail = ["close", "reopen"]
    list_filter = ["is_sellable", "is_active"]
    list_filter_submit = False
    fieldsets = [
        (None, {"fields": [("name", "code"), "address"]}),
        ("Orders", {"fields": [("priority", "is_sellable")]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By capability."""
        return self.has_write_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability."""
        return self.has_write_permission(request)

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may make, change, close and open warehouses."""
        return bool(request.user.can(WAREHOUSES_WRITE))  # type: ignore[union-attr]  # who is on a staff page is a User

    def save_model(self, request: HttpRequest, obj: Warehouse, form: Any, change: bool) -> None:
        """Its own fields are one row; whether it sells is the catalogue service's, because available stock follows."""
        if not change:
            obj.save()
            return
        names = [name for name in form.changed_data if name != "is_sellable"]
        wanted = form.cleaned_data["is_sellable"]

        def save() -> None:
            if "is_sellable" in form.changed_data:
                warehouses.set_sellable(obj.pk, is_sellable=wanted)
            if names:
                before = Warehouse.objects.filter(pk=obj.pk).values(*names).get()
                obj.save(update_fields=names)
                warehouses.record_place(obj.pk, before=before, after={name: getattr(obj, name) for name in names})

        with acting(request):
            transact(save)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The form, with who is bound to the warehouse for those who may look accounts up, and its time-line."""
        warehouse = self.get_object(request, object_id)
        members = None
        if warehouse is not None and request.user.has_perm("accounts.view_user"):
            bound = User.objects.filter(memberships__warehouse_id=warehouse.pk).order_by("username_key")
            members = [
                {
                    "name": user.get_full_name(),
                    "role": user.get_role_display(),
                    "is_active": user.is_active,
                    "url": reverse("admin:accounts_user_change", args=[user.pk]),
                }
                for user in bound[:MEMBERS_SHOWN]
            ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "members": members})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Close what is open, reopen what is closed."""
        warehouse = self.get_object(request, str(object_id))
        hidden = "reopen" if warehouse is None or warehouse.is_active else "close"
        return [one for one in super().get_actions_detail(request, object_id) if one.path != hidden]

    @service_dialog(
        "Close", form=WarehouseDialog, submit="Close it", permission="write", icon="archive",
        description="It takes no more stock and fills no more orders; its history stays. It has to be empty.",
    )  # fmt: skip
    def close(self, request: HttpRequest, form: WarehouseDialog, warehouse_id: int) -> str:
        """The warehouse is closed."""
        return f"{warehouses.close_warehouse(warehouse_id)} is closed."

    @service_dialog(
        "Reopen", form=WarehouseDialog, submit="Reopen it", permission="write", icon="unarchive",
        variant=ActionVariant.PRIMARY,
        description="It takes stock and fills orders again.",
    )  # fmt: skip
    def reopen(self, request: HttpRequest, form: WarehouseDialog, warehouse_id: int) -> str:
        """The warehouse is open again."""
        return f"{warehouses.reopen_warehouse(warehouse_id)} is open again."


def _needs_filling(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Levels at or below a threshold of their own; where none is set, empty ones of products that are stocked."""
    own = Q(reorder_threshold__isnull=False, on_hand__lte=F("reserved") + F("reorder_threshold"))
    bare = Q(reorder_threshold__isnull=True, on_hand=F("reserved"), product__is_stocked=True)
    return rows.filter(own | bare, product__is_active=True)


class LevelStateFilter(AttentionFilter):
    """Which levels hold something; without a choice those that need filling."""

    title = "stock"
    parameter_name = "held"
    default_choice = "low"
    default_words = "levels at or below their threshold, or with nothing available"
    choices_named = {
        "low": ("At or below the threshold, or nothing available", _needs_filling),
        "some": ("Something on hand", lambda rows: rows.filter(on_hand__gt=0)),
        "promised": ("Promised", lambda rows: rows.filter(reserved__gt=0)),
        "none": ("Empty", lambda rows: rows.filter(on_hand=0)),
        "all": ("All", lambda rows: rows),
    }


@admin.register(StockLevel)
class StockLevelAdmin(ReadOnlyAdmin):
    """One product in one warehouse: what is there and what of it is promised. Changed by the ledger only."""

    list_display = [
        "product_link",
        "sku",
        "warehouse",
        "shown_on_hand",
        "shown_reserved",
        "shown_available",
        "bin",
        "updated_at",
    ]
    list_display_links = ["shown_on_hand"]
    list_select_related = ["product", "warehouse"]
    list_filter = [LevelStateFilter, ("warehouse", PlaceFilter), ("product", AutocompleteSelectFilter)]
    search_fields = ["product__sku", "product__name", "=bin"]
    search_help_text = "SKU, product name or bin"
    ordering = ["id"]
    fields = ["product_link", "warehouse", "bin", "shown_on_hand", "shown_reserved", "shown_available", "updated_at"]
    actions_detail = ["set_bin"]
    actions_row = ["set_bin"]

    @admin.display(description="Product", ordering="product__name")
    def product_link(self, level: StockLevel) -> str:
        """To the product's page."""
        return link(reverse("admin:inventory_product_change", args=[level.product_id]), level.product.name)

    @admin.display(description="SKU", ordering="product__sku")
    def sku(self, level: StockLevel) -> str:
        """The product's SKU."""
        return level.product.sku

    @admin.display(description="On hand", ordering="on_hand")
    def shown_on_hand(self, level: StockLevel) -> str:
        """Physically there."""
        return quantity_text(level.on_hand)

    @admin.display(description="Reserved", ordering="reserved")
    def shown_reserved(self, level: StockLevel) -> str:
        """Promised."""
        return quantity_text(level.reserved)

    @admin.display(description="Available", ordering=F("on_hand") - F("reserved"))
    def shown_available(self, level: StockLevel) -> str:
        """The difference."""
        return quantity_text(level.available)

    def has_post_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who arranges the shelves."""
        return bool(request.user.can(STOCK_POST))  # type: ignore[union-attr]  # who is on a staff page is a User

    @service_dialog("Set the bin", form=BinDialog, submit="Set the bin", permission="post", icon="shelves")
    def set_bin(self, request: HttpRequest, form: BinDialog, level_id: int) -> str:
        """The product stands there from now on."""
        where = form.cleaned_data["bin"].strip()
        catalog.set_bins(form.level.product_id, bins={form.level.warehouse_id: where})
        return f"{form.level.product} in {form.level.warehouse.name} stands in {where or 'no bin'}."


class ReferenceSearch:
    """Mix-in: a reference that somebody gave to acts is looked up by index, and nothing else is searched then."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """The rows, and whether some may come twice."""
        acts = _acts_of(search_term)
        if acts:
            return queryset.filter(pk__in=acts), False
        return super().get_search_results(request, queryset, search_term)  # type: ignore[misc]  # of the admin this is mixed into


def _acts_of(reference: str) -> list[int]:
    """The newest operations under this reference."""
    if not reference.strip():
        return []
    found = StockOperation.objects.filter(reference=reference.strip()).order_by("-id")
    return list(found.values_list("pk", flat=True)[:FOUND_MAX])


def _products_like(text: str) -> list[int]:
    """Products with this in their SKU or name: the few that a ledger is then read for, by key."""
    found = Product.objects.filter(Q(sku__icontains=text) | Q(name__icontains=text)).order_by("id")
    return list(found.values_list("pk", flat=True)[:FOUND_MAX])


@admin.register(StockOperation)
class StockOperationAdmin(NumberSearch, ReferenceSearch, NewestSearch, ReadOnlyAdmin):
    """Business acts on the ledger: who, why, under which reference. Undone by a reversal, never edited."""

    list_display = ["id", "kind_label", "why", "reference", "line_count", "actor", "occurred_at"]
    list_display_links = ["id", "kind_label"]
    list_select_related = ["actor"]
    list_filter = [("kind", ChoicesDropdownFilter), ("occurred_at", DayRangeFilter)]
    search_fields = ["=reference", "=request_id", "reason"]
    search_help_text = "Reference (ORDER-12) or number; request id or reason among the newest 100,000"
    ordering = ["-id"]
    fields = [
        ("kind_label", "occurred_at"),
        ("why", "reference"),
        ("actor", "request_id"),
        ("reverses_link", "reversed_by_link"),
    ]
    change_form_outer_after_template = "admin/panels/operation.html"
    actions_detail = ["reverse_operation"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockOperation]:
        """With the number of lines; the count runs for the page's rows only."""
        lines = walls.of(StockMovement.objects.filter(operation=OuterRef("pk"))).order_by().values("operation")
        return (
            super()
            .get_queryset(request)
            .annotate(line_total=Subquery(lines.annotate(total=Count("pk")).values("total")))
        )

    @display(description="Kind", ordering="kind", label={"Reversal": "warning", "Shipment": "info", "Return": "info"})
    def kind_label(self, operation: StockOperation) -> str:
        """What kind of act."""
        return operation.get_kind_display()

    @admin.display(description="Reason")
    def why(self, operation: StockOperation) -> str:
        """Shortened."""
        return operation.reason[:80]

    @admin.display(description="Lines")
    def line_count(self, operation: Any) -> int:
        """How many movements."""
        return int(operation.line_total or 0)

    @admin.display(description="Reverses")
    def reverses_link(self, operation: StockOperation) -> str:
        """The operation this one undoes."""
        return _operation_link(operation.reverses_id)

    @admin.display(description="Reversed by")
    def reversed_by_link(self, operation: StockOperation) -> str:
        """The operation that undid this one."""
        return _operation_link(StockOperation.objects.filter(reverses=operation).values_list("id", flat=True).first())

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The operation with its movements."""
        rows = walls.of(StockMovement.objects.filter(operation_id=int(object_id) if object_id.isdecimal() else 0))
        shown, more = cut(rows.select_related("product", "warehouse").order_by("id"), LINES_SHOWN)
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
            for line in shown
        ]
        extra = {**(extra_context or {}), "lines": lines, "more": more}
        return super().change_view(request, object_id, form_url, extra)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Reverse what can be reversed: shipments and returns belong to their order."""
        operation = self.get_object(request, str(object_id))
        if (
            operation is None
            or operation.kind in IRREVERSIBLE
            or StockOperation.objects.filter(reverses=operation).exists()
        ):
            return []
        return super().get_actions_detail(request, object_id)

    def has_post_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may move stock."""
        return bool(request.user.can(STOCK_POST))  # type: ignore[union-attr]  # who is on a staff page is a User

    @service_dialog(
        "Reverse",
        form=ReverseDialog,
        submit="Post the reversal",
        permission="post",
        icon="undo",
        variant=ActionVariant.WARNING,
    )
    def reverse_operation(self, request: HttpRequest, form: ReverseDialog, operation_id: int) -> str:
        """A counter-operation that points at this one is in the ledger."""
        posted = ledger.reverse(operation_id, reason=form.cleaned_data["reason"], actor_id=request.user.pk)
        return (
            f"Operation {operation_id} is reversed by operation {posted.operation_id}"
            f" ({len(posted.movement_ids)} {'movement' if len(posted.movement_ids) == 1 else 'movements'})."
        )


def _operation_link(number: int | None) -> str:
    return (
        link(reverse("admin:inventory_stockoperation_change", args=[number]), f"Operation {number}") if number else "–"
    )


@admin.register(CostChange)
class CostChangeAdmin(ReadOnlyAdmin):
    """How the average cost of products came about, newest first."""

    list_display = ["shown_at", "product_link", "shown_average", "shown_paid", "shown_quantity", "act"]
    list_display_links = ["shown_at"]
    list_select_related = ["product", "movement"]
    list_filter = [("product", AutocompleteSelectFilter), ("effective_at", DayRangeFilter)]
    search_fields = ["product__sku", "product__name"]
    search_help_text = "SKU or product name"
    ordering = ["-id"]
    fields = [("product_link", "shown_at"), ("shown_average", "shown_paid"), ("shown_quantity", "act")]

    @admin.display(description="From", ordering="effective_at")
    def shown_at(self, change: CostChange) -> str:
        """To the minute."""
        return moment_text(change.effective_at)

    @admin.display(description="Product", ordering="product__name")
    def product_link(self, change: CostChange) -> str:
        """To the product's page."""
        return link(reverse("admin:inventory_product_change", args=[change.product_id]), change.product)

    @admin.display(description="Average cost", ordering="average_cost")
    def shown_average(self, change: CostChange) -> str:
        """Of one unit, from then on."""
        return money_text(change.average_cost)

    @admin.display(description="Paid per unit")
    def shown_paid(self, change: CostChange) -> str:
        """The cost on the movement that changed the average."""
        return money_text(change.movement.unit_cost)

    @admin.display(description="Quantity")
    def shown_quantity(self, change: CostChange) -> str:
        """How much moved at that cost."""
        return signed_text(change.movement.quantity)

    @admin.display(description="Operation")
    def act(self, change: CostChange) -> str:
        """What posted it."""
        return _operation_link(change.movement.operation_id)


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    """The ledger, line by line, newest first."""

    list_display = ["shown_at", "product_link", "type_label", "shown_quantity", "shown_balance", "place", "act", "by"]
    list_display_links = ["shown_at"]
    list_select_related = ["product", "warehouse", "operation__actor"]
    list_filter = [
        ("movement_type", ChoicesDropdownFilter),
        ("warehouse", PlaceFilter),
        ("product", AutocompleteSelectFilter),
        ("created_at", DayRangeFilter),
    ]
    search_fields = ["product__sku", "product__name", "=operation__reference"]
    search_help_text = "SKU, product name or reference (ORDER-12)"
    ordering = ["-id"]
    fields = [
        ("product_link", "warehouse"), ("type_label", "shown_at"), ("shown_quantity", "shown_balance"),
        ("shown_cost", "operation_link"), "by",
    ]  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockMovement], search_term: str
    ) -> tuple[Any, bool]:
        """A reference exactly, else SKU or name: the rows are found by key, never by reading the ledger through."""
        if not search_term.strip():
            return queryset, False
        acts = _acts_of(search_term)
        if acts:
            return queryset.filter(operation_id__in=acts), False
        return queryset.filter(product_id__in=_products_like(search_term.strip())), False

    @admin.display(description="When", ordering="created_at")
    def shown_at(self, movement: StockMovement) -> str:
        """To the minute."""
        return moment_text(movement.created_at)

    @admin.display(description="Product", ordering="product__name")
    def product_link(self, movement: StockMovement) -> str:
        """To the product's page."""
        return link(reverse("admin:inventory_product_change", args=[movement.product_id]), movement.product)

    @display(
        description="Type", ordering="movement_type", label={"Sale": "info", "Damaged": "danger", "Purchase": "success"}
    )
    def type_label(self, movement: StockMovement) -> str:
        """Why it moved."""
        return movement.get_movement_type_display()

    @admin.display(description="Quantity", ordering="quantity")
    def shown_quantity(self, movement: StockMovement) -> str:
        """With its sign."""
        return signed_text(movement.quantity)

    @admin.display(description="Balance")
    def shown_balance(self, movement: StockMovement) -> str:
        """On hand in the warehouse right after."""
        return quantity_text(movement.balance_after)

    @admin.display(description="Unit cost")
    def shown_cost(self, movement: StockMovement) -> str:
        """What one unit cost us."""
        return money_text(movement.unit_cost)

    @admin.display(description="Warehouse", ordering="warehouse_id")
    def place(self, movement: StockMovement) -> str:
        """By its code: a list has little room."""
        return movement.warehouse.code

    @admin.display(description="Act")
    def act(self, movement: StockMovement) -> str:
        """By its number."""
        return link(
            reverse("admin:inventory_stockoperation_change", args=[movement.operation_id]), f"#{movement.operation_id}"
        )

    @admin.display(description="Operation")
    def operation_link(self, movement: StockMovement) -> str:
        """To the act it belongs to."""
        return _operation_link(movement.operation_id)

    @admin.display(description="By")
    def by(self, movement: StockMovement) -> str:
        """Who did it."""
        return str(movement.operation.actor or "–")


class PromiseFilter(NamedFilter):
    """Open promises, or those that were kept or released."""

    title = "promise"
    parameter_name = "promise"
    choices_named = {
        "open": ("Open", lambda rows: rows.filter(quantity__gt=0)),
        "done": ("Shipped or released", lambda rows: rows.filter(quantity=0)),
    }


@admin.register(Reservation)
class ReservationAdmin(NumberSearch, ReadOnlyAdmin):
    """What is promised to whom. Made and ended by orders and transfers only."""

    list_display = ["id", "holder", "product_link", "warehouse", "shown_quantity", "created_at"]
    list_select_related = ["level__product", "level__warehouse"]
    list_filter = [PromiseFilter, ("level__warehouse", PlaceFilter), ("created_at", DayRangeFilter)]
    search_fields = ["level__product__sku", "level__product__name"]
    number_fields = ("holder_id",)
    exact_fields = ("level__product__sku",)
    search_help_text = "SKU, product name or number of the order line"
    ordering = ["-id"]
    fields = [("holder", "product_link"), ("warehouse", "shown_quantity"), "created_at"]

    @admin.display(description="Promised to")
    def holder(self, reservation: Reservation) -> str:
        """The order, by its number."""
        return getattr(reservation, "holder_name", None) or _holder_name(reservation, holders([_pair(reservation)]))

    @admin.display(description="Product", ordering="level__product__name")
    def product_link(self, reservation: Reservation) -> str:
        """To the product's page."""
        product = reservation.level.product
        return link(reverse("admin:inventory_product_change", args=[product.pk]), product)

    @admin.display(description="Warehouse")
    def warehouse(self, reservation: Reservation) -> str:
        """Where it stands."""
        return reservation.level.warehouse.name

    @admin.display(description="Still open", ordering="quantity")
    def shown_quantity(self, reservation: Reservation) -> str:
        """What is not shipped or released yet."""
        return quantity_text(reservation.quantity)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The holders of a whole page are named with one query."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        self.prepare_rows(rows)
        changelist.result_list = rows
        return changelist

    def prepare_rows(self, rows: list[Any]) -> None:
        """Name the holders of these rows with one query."""
        named = holders(map(_pair, rows))
        for row in rows:
            row.holder_name = _holder_name(row, named)


def _pair(reservation: Reservation) -> tuple[str, int]:
    return reservation.holder_type, reservation.holder_id


def _holder_name(reservation: Reservation, named: Any) -> str:
    found = named.get(_pair(reservation))
    return link(found.url, found.label) if found else f"{reservation.get_holder_type_display()} {reservation.holder_id}"
