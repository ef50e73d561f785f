"""Orders and customers in the admin: every step of an order is a service behind a dialog; its form is only read."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldBooleanSwitchWidget

from accounts.capabilities import ORDERS_FULFIL, ORDERS_MANAGE
from inventory.models import Reservation
from orders import services
from orders.admin.dialogs import ZERO, CancelDialog, OrderDialog, ReturnDialog, ShipDialog
from orders.admin.panels import order_panels
from orders.documents import invoice, order_pick_list, packing_slip
from orders.models import Customer, Order, OrderLine
from orders.services import Item, PlacedOrder
from orders.states import CAN_CANCEL, CAN_CONFIRM, CAN_DELIVER, CAN_RETURN, CAN_SHIP, OPEN, SOLD, OrderStatus
from workbox.core.admin import (
    HOLDERS,
    AttentionFilter,
    CappedPaginator,
    DayRangeFilter,
    Holder,
    NumberSearch,
    PlaceFilter,
    ServiceAdmin,
    acting,
    each,
    moment_text,
    quantity_text,
    service_dialog,
    total_text,
)
from workbox.core.papers import Paper, PrintsPapers, print_selected

STATUS_LABELS = {
    OrderStatus.PENDING.value: "warning",
    OrderStatus.CONFIRMED.value: "info",
    OrderStatus.PARTIALLY_SHIPPED.value: "primary",
    OrderStatus.SHIPPED.value: "success",
    OrderStatus.DELIVERED.value: "success",
    OrderStatus.CANCELLED.value: "danger",
}


def order_holders(line_ids: Iterable[int]) -> dict[int, Holder]:
    """Which orders these lines belong to."""
    rows = OrderLine.objects.filter(id__in=list(line_ids)).values_list("id", "order_id")
    return {
        line_id: Holder(f"Order {order_id}", reverse("admin:orders_order_change", args=[order_id]))
        for line_id, order_id in rows
    }


HOLDERS[Reservation.Holder.ORDER_LINE.value] = order_holders


@admin.register(Customer)
class CustomerAdmin(ModelAdmin):
    """Who buys."""

    list_display = ["code", "name", "email", "country", "created_at"]
    list_display_links = ["code", "name"]
    list_filter = [("created_at", DayRangeFilter)]
    list_filter_submit = True
    search_fields = ["code", "name", "email"]
    show_full_result_count = False
    fieldsets = [(None, {"fields": [("code", "name"), ("email", "country")]})]


class StageFilter(AttentionFilter):
    """Orders by what is to be done with them; without a choice those that need a step."""

    title = "stage"
    parameter_name = "stage"
    default_choice = "open"
    default_words = "open orders, those that need a step"
    choices_named = {
        "open": ("Open: not all shipped yet", lambda rows: rows.filter(status__in=OPEN)),
        "ship": ("To ship", lambda rows: rows.filter(status__in=CAN_SHIP)),
        "sold": ("Sold: confirmed or further", lambda rows: rows.filter(status__in=SOLD)),
        "all": ("All", lambda rows: rows),
    }


class OrderLineInline(TabularInline):
    """The lines of a new order."""

    model = OrderLine
    fields = ["product", "quantity"]
    autocomplete_fields = ["product"]
    extra = 3

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With the order."""
        return bool(request.user.can(ORDERS_MANAGE))  # type: ignore[union-attr]  # who is on a staff page is a User


class OrderForm(forms.ModelForm):
    """A new order for somebody."""

    confirm = forms.BooleanField(
        required=False,
        initial=True,
        label="Confirm at once",
        help_text="Promises the stock now, the whole order or nothing. Off: the order waits as pending.",
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = Order
        fields = ["customer", "user", "warehouse", "notes"]


@admin.register(Order)
class OrderAdmin(PrintsPapers, NumberSearch, ServiceAdmin):
    """Sales orders: found by number, customer or SKU; moved on by dialogs; never edited, never deleted."""

    form = OrderForm
    paginator = CappedPaginator
    list_display = ["number", "status_label", "buyer", "shown_total", "line_count", "channel", "placed"]
    list_display_links = ["number"]
    list_select_related = ["customer", "user"]
    list_filter = [
        StageFilter,
        ("status", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("warehouse", PlaceFilter),
        ("placed_at", DayRangeFilter),
    ]
    search_fields = [
        "customer__name",
        "customer__code",
        "user__username_key",
        "user__email",
        "=external_reference",
        "lines__product__sku",
    ]
    search_help_text = "Order number, customer, user, reference or SKU"
    exact_fields = ("external_reference", "customer__code", "lines__product__sku")
    number_prefix = "ORDER-"
    ordering = ["-id"]
    inlines = [OrderLineInline]
    autocomplete_fields = ["customer", "user"]
    add_fieldsets = [(None, {"fields": [("customer", "user"), ("warehouse", "confirm"), "notes"]})]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_text", "shown_total"), ("customer", "user"), ("placed_at", "confirmed_at"),
                    ("shipped_at", "delivered_at"),
                    ("warehouse", "channel"), ("external_reference", "notes"),
                ]
            },
        )
    ]  # fmt: skip
    change_form_outer_after_template = "admin/panels/order.html"
    papers = {
        "pick-list": Paper("Pick list", order_pick_list, "checklist", lambda order: order.status in CAN_SHIP),
        "packing-slip": Paper("Packing slip", packing_slip, "package_2"),
        "invoice": Paper("Invoice", invoice, "receipt_long", lambda order: order.status in SOLD),
    }
    actions = ["confirm_selected", "ship_selected", "print_pick_list"]
    actions_detail = ["confirm", "ship", "deliver", "return_goods", "cancel"]

    # ---- list ----
    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """With the number of lines; the count runs for the page's rows only."""
        lines = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order").annotate(total=Count("pk"))
        return super().get_queryset(request).annotate(line_total=Subquery(lines.values("total")))

    @admin.display(description="Order", ordering="id")
    def number(self, order: Order) -> str:
        """Its number."""
        return f"#{order.pk}"

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, order: Order) -> tuple[str, str]:
        """In colour."""
        return order.status, order.get_status_display()

    @admin.display(description="Status")
    def status_text(self, order: Order) -> SafeString:
        """The same on the order's page."""
        return format_html('<span class="wb-badge wb-status-{}">{}</span>', order.status, order.get_status_display())

    @admin.display(description="Customer")
    def buyer(self, order: Order) -> str:
        """The customer, or the user who ordered."""
        return str(order.customer or order.user or "–")

    @admin.display(description="Total", ordering="total_amount")
    def shown_total(self, order: Order) -> str:
        """What they pay."""
        return total_text(order.total_amount)

    @admin.display(description="Lines")
    def line_count(self, order: Any) -> int:
        """How many lines."""
        return int(order.line_total or 0)

    @admin.display(description="Placed", ordering="placed_at")
    def placed(self, order: Order) -> str:
        """To the minute."""
        return moment_text(order.placed_at)

    # ---- page ----
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may order for others."""
        return self.has_manage_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never on the form: an order moves on by its steps."""
        return False

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may confirm and cancel."""
        return bool(request.user.can(ORDERS_MANAGE))  # type: ignore[union-attr]  # who is on a staff page is a User

    def has_fulfil_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may ship, deliver and take back."""
        return bool(request.user.can(ORDERS_FULFIL))  # type: ignore[union-attr]  # who is on a staff page is a User

    def get_inlines(self, request: HttpRequest, obj: Order | None) -> Any:
        """Lines are entered once; afterwards the page shows them with what was shipped and returned."""
        return [] if obj is not None else super().get_inlines(request, obj)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """Without the field `user` for who may not look users up."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "user" in form.base_fields and not request.user.has_perm("accounts.view_user"):
            del form.base_fields["user"]
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> Any:
        """As above."""
        if obj is None and not request.user.has_perm("accounts.view_user"):
            return [(None, {"fields": ["customer", ("warehouse", "confirm"), "notes"]})]
        return super().get_fieldsets(request, obj)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button: an order is placed, and cannot be saved and edited on."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The order with its lines, shipments, returns and time-line."""
        order = self.get_object(request, object_id)
        panels = order_panels(order) if order else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "panels": panels})

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """An order is placed with its lines, in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> None:
        """Place the order: prices, stock and news are the service's."""
        items = []
        for formset in formsets:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []
            items += [
                Item(given["product"].pk, given["quantity"])
                for given in (one.cleaned_data for one in formset.forms)
                if given.get("product") and not given.get("DELETE")
            ]
        given = form.cleaned_data
        chosen = {name: given[name].pk if given.get(name) else None for name in ("customer", "user", "warehouse")}
        with acting(request):
            placed = services.place_order(
                items,
                user_id=chosen["user"],
                confirm=given["confirm"],
                warehouse_id=chosen["warehouse"],
                channel=Order.Channel.ADMIN,
                customer_id=chosen["customer"],
                notes=given["notes"],
            )
        form.instance.__dict__.update(Order.objects.get(pk=placed.id).__dict__)

    def response_add(self, request: HttpRequest, obj: Order, post_url_continue: str | None = None) -> Any:
        """To the new order."""
        self.message_user(request, f"{obj} is {obj.get_status_display().lower()}: {total_text(obj.total_amount)}.")
        return HttpResponseRedirect(reverse("admin:orders_order_change", args=[obj.pk]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the steps the order's status allows."""
        order = self.get_object(request, str(object_id))
        status = order.status if order else ""
        steps = {
            "confirm": CAN_CONFIRM,
            "ship": CAN_SHIP,
            "deliver": CAN_DELIVER,
            "return_goods": CAN_RETURN,
            "cancel": CAN_CANCEL,
        }
        return [one for one in super().get_actions_detail(request, object_id) if status in steps[one.path]]

    # ---- steps ----
    @service_dialog(
        "Confirm", form=OrderDialog, submit="Confirm the order", permission="manage", icon="check_circle",
        variant=ActionVariant.PRIMARY, description="Stock for every line is reserved, or nothing is.",
    )  # fmt: skip
    def confirm(self, request: HttpRequest, form: OrderDialog, order_id: int) -> str:
        """The order's stock is promised."""
        order = services.confirm_order(order_id)
        return f"Order {order_id} is confirmed: {_items(order)} reserved."

    @service_dialog(
        "Ship",
        form=ShipDialog,
        submit="Ship",
        permission="fulfil",
        icon="local_shipping",
        variant=ActionVariant.PRIMARY,
    )
    def ship(self, request: HttpRequest, form: ShipDialog, order_id: int) -> str:
        """Goods have left."""
        place = form.cleaned_data["warehouse"]
        order = services.ship_order(order_id, quantities=form.wanted(), warehouse_id=place.pk if place else None)
        shipped = sum(form.quantities().values(), ZERO)
        return f"Order {order_id}: {quantity_text(shipped)} units shipped. It is {_status(order)} now."

    @service_dialog(
        "Deliver", form=OrderDialog, submit="Mark as delivered", permission="fulfil", icon="task_alt",
        variant=ActionVariant.PRIMARY, description="The customer has the goods.",
    )  # fmt: skip
    def deliver(self, request: HttpRequest, form: OrderDialog, order_id: int) -> str:
        """The customer has the goods."""
        order = services.deliver_order(order_id)
        return f"Order {order_id} is delivered: {_items(order)}."

    @service_dialog("Return", form=ReturnDialog, submit="Take back", permission="fulfil", icon="assignment_return")
    def return_goods(self, request: HttpRequest, form: ReturnDialog, order_id: int) -> str:
        """Goods are back on a shelf."""
        place = form.cleaned_data["warehouse"]
        services.return_order(
            order_id,
            quantities=form.quantities(),
            warehouse_id=place.pk if place else None,
            reason=form.cleaned_data["reason"],
        )
        back = sum(form.quantities().values(), ZERO)
        where = place.name if place else "the first warehouse"
        return f"Order {order_id}: {quantity_text(back)} units came back into {where}."

    @service_dialog(
        "Cancel", form=CancelDialog, submit="Cancel the order", permission="manage", icon="cancel",
        variant=ActionVariant.DANGER,
        description="What it still has reserved becomes available again.",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, form: CancelDialog, order_id: int) -> str:
        """The order is off."""
        order = services.cancel_order(order_id, reason=form.cleaned_data["reason"])
        return f"Order {order_id} is cancelled: {_items(order)} released."

    @admin.action(description="Confirm the selected orders", permissions=["manage"])
    def confirm_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Each is confirmed, or says why not."""
        each(
            request, queryset.order_by("id"), work=lambda order: f"#{services.confirm_order(order.pk).id}",
            done="confirmed", failed="not confirmed",
        )  # fmt: skip

    @admin.action(description="Ship the selected orders", permissions=["fulfil"])
    def ship_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """All that is open of each is shipped, or it says why not."""
        each(
            request, queryset.order_by("id"), work=lambda order: f"#{services.ship_order(order.pk).id}",
            done="shipped", failed="not shipped",
        )  # fmt: skip

    @admin.action(description="Print the pick list of the selected orders", permissions=["view"])
    def print_pick_list(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        """One walk through the warehouse for all of them."""
        ids = queryset.values_list("pk", flat=True)
        return print_selected(request, ids, draw=order_pick_list, name="Pick list")


def _items(order: PlacedOrder) -> str:
    lines = len(order.lines)
    units = sum((line.quantity for line in order.lines), ZERO)
    return f"{quantity_text(units)} units on {lines} {'line' if lines == 1 else 'lines'}"


def _status(order: PlacedOrder) -> str:
    return str(OrderStatus(order.status).label).lower()
