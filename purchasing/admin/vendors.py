"""Vendors in the admin: their prices in force and lead times on their page, a dialog for a new price, the history."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts.capabilities import PURCHASING_WRITE
from purchasing.admin.dialogs import AddPriceDialog, VendorDialog
from purchasing.models import PriceBreak, Vendor, VendorPrice
from purchasing.queries import vendor_lead_times
from purchasing.services import vendors
from workbox.core.admin import (
    DayRangeFilter,
    NamedFilter,
    NumberSearch,
    ReadOnlyAdmin,
    ServiceAdmin,
    acting,
    link,
    moment_text,
    money_text,
    quantity_text,
    service_dialog,
)
from workbox.core.numbers import plain

PRICES_SHOWN = 200


def may(request: HttpRequest, capability: str) -> bool:
    """True when the person at the screen has the capability."""
    return bool(request.user.can(capability))  # type: ignore[union-attr]  # nobody else gets here


class StateFilter(NamedFilter):
    """Vendors we buy from, or former ones."""

    title = "state"
    parameter_name = "state"
    choices_named = {
        "active": ("We buy there", lambda rows: rows.filter(is_active=True)),
        "retired": ("Retired", lambda rows: rows.filter(is_active=False)),
    }


class VendorForm(forms.ModelForm):
    """A vendor as a person writes it."""

    class Meta:
        model = Vendor
        fields = ["name", "quoted_lead_time_days", "contact_email", "contact_phone", "address", "notes"]


@admin.register(Vendor)
class VendorAdmin(ServiceAdmin):
    """Who we buy from."""

    form = VendorForm
    list_display = ["name", "state", "contact_email", "contact_phone", "quoted_lead_time_days", "created_at"]
    list_filter = [StateFilter, ("created_at", DayRangeFilter)]
    search_fields = ["name", "contact_email", "contact_phone", "notes"]
    search_help_text = "Name, e-mail address, phone or notes"
    ordering = ["name"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "quoted_lead_time_days"), ("contact_email", "contact_phone"), ("address", "notes"),
                ]
            },
        )
    ]  # fmt: skip
    change_form_outer_after_template = "admin/panels/vendor.html"
    actions_detail = ["add_price", "retire", "restore"]

    @display(description="State", label={"Active": "success", "Retired": "info"})
    def state(self, vendor: Vendor) -> str:
        """Whether we buy there."""
        return "Active" if vendor.is_active else "Retired"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Vendor], search_term: str
    ) -> tuple[Any, bool]:
        """Choosing a vendor for a form offers those we buy from only."""
        if request.path.endswith("/autocomplete/"):
            queryset = queryset.filter(is_active=True)
        return super().get_search_results(request, queryset, search_term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By capability."""
        return self.has_write_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability."""
        return self.has_write_permission(request)

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may write vendors and prices."""
        return may(request, PURCHASING_WRITE)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The form with prices in force and lead time."""
        vendor = self.get_object(request, object_id)
        panels = _panels(vendor) if vendor else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "panels": panels})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Retire whom we buy from, restore whom we do not."""
        vendor = self.get_object(request, str(object_id))
        hidden = {"restore"} if vendor is None or vendor.is_active else {"retire", "add_price"}
        return [one for one in super().get_actions_detail(request, object_id) if one.path not in hidden]

    def save_model(self, request: HttpRequest, obj: Vendor, form: Any, change: bool) -> None:
        """Through the service: one name each."""
        values = {name: form.cleaned_data[name] for name in (form.changed_data if change else form.cleaned_data)}
        with acting(request):
            saved = vendors.change_vendor(obj.pk, values) if change else vendors.create_vendor(values)
        obj.__dict__.update(saved.__dict__)

    @service_dialog(
        "Add price", form=AddPriceDialog, submit="Add the price", permission="write", icon="sell",
        variant=ActionVariant.PRIMARY, description="The price before it is closed and stays in the history.",
    )  # fmt: skip
    def add_price(self, request: HttpRequest, form: AddPriceDialog, vendor_id: int) -> str:
        """The vendor asks this from now on."""
        price = vendors.add_price(vendor_id, form.price())
        return f"{form.vendor}: {money_text(price.unit_price)} for {form.cleaned_data['sku']} from now on."

    @service_dialog(
        "Retire", form=VendorDialog, submit="Retire it", permission="write", icon="archive",
        description="Nothing new is bought there. Prices, orders and receipts stay; it can be restored.",
    )  # fmt: skip
    def retire(self, request: HttpRequest, form: VendorDialog, vendor_id: int) -> str:
        """Nothing new is bought there."""
        vendors.retire_vendor(vendor_id)
        return f"{form.vendor} is retired."

    @service_dialog(
        "Restore", form=VendorDialog, submit="Restore it", permission="write", icon="unarchive",
        description="It may be bought from again.", variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def restore(self, request: HttpRequest, form: VendorDialog, vendor_id: int) -> str:
        """It may be bought from again."""
        vendors.restore_vendor(vendor_id)
        return f"{form.vendor} may be bought from again."


def _panels(vendor: Vendor) -> dict[str, Any]:
    rows = (
        VendorPrice.objects.filter(vendor=vendor, is_current=True).select_related("product").order_by("product__name")
    )
    time = vendor_lead_times([vendor.pk])[vendor.pk]
    told = (
        f"Measured over {time.receipts} receipts: {plain(time.mean_days)} ± {plain(time.sd_days)} days."
        if time.is_measured
        else f"As quoted: {plain(time.mean_days)} days; measured from five receipts on ({time.receipts} so far)."
    )
    return {
        "lead_time": told,
        "history_url": f"{reverse('admin:purchasing_vendorprice_changelist')}?vendor__id__exact={vendor.pk}",
        "prices": [
            {
                "product": row.product.name,
                "sku": row.product.sku,
                "url": reverse("admin:inventory_product_change", args=[row.product_id]),
                "price": money_text(row.unit_price),
                "lead_time": f"{row.lead_time_days} days",
                "minimum": quantity_text(row.minimum_order_quantity),
                "pack": quantity_text(row.pack_quantity),
                "shipping": f"{money_text(row.shipping_cost)} {row.get_shipping_basis_display()}"
                if row.shipping_cost
                else "free",
                "since": moment_text(row.valid_from),
            }
            for row in rows[:PRICES_SHOWN]
        ],
    }


class InForceFilter(NamedFilter):
    """Prices in force, or those that were."""

    title = "in force"
    parameter_name = "current"
    choices_named = {
        "yes": ("In force", lambda rows: rows.filter(is_current=True)),
        "no": ("Closed", lambda rows: rows.filter(is_current__isnull=True)),
    }


class PriceBreakInline(TabularInline):
    """A price's breaks, to read."""

    model = PriceBreak
    fields = readonly_fields = ["shown_quantity", "shown_price"]
    hide_title = True

    @admin.display(description="From quantity")
    def shown_quantity(self, row: PriceBreak) -> str:
        """From how many on."""
        return quantity_text(row.from_quantity)

    @admin.display(description="Unit price")
    def shown_price(self, row: PriceBreak) -> str:
        """What one costs then."""
        return money_text(row.unit_price)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(VendorPrice)
class VendorPriceAdmin(NumberSearch, ReadOnlyAdmin):
    """What vendors ask and asked: history, added to on the vendor's page."""

    list_display = ["product_name", "vendor_link", "price", "lead_time_days", "minimum", "in_force", "valid_from"]
    list_display_links = ["product_name"]
    list_select_related = ["vendor", "product"]
    list_filter = [InForceFilter, ("vendor", RelatedDropdownFilter), ("valid_from", DayRangeFilter)]
    search_fields = ["product__name", "product__sku", "vendor__name"]
    search_help_text = "Product, SKU or vendor"
    exact_fields = ("product__sku",)
    ordering = ["-id"]
    inlines = [PriceBreakInline]
    fields = [
        ("product_name", "vendor_link"), ("price", "lead_time_days"), ("minimum", "pack"),
        ("shown_shipping", "shipping_basis"), ("valid_from", "valid_to"),
    ]  # fmt: skip
    readonly_fields = ["product_name", "vendor_link", "price", "minimum", "pack", "shown_shipping"]

    @admin.display(description="Product", ordering="product__name")
    def product_name(self, row: VendorPrice) -> str:
        """What."""
        return str(row.product)

    @admin.display(description="Vendor", ordering="vendor__name")
    def vendor_link(self, row: VendorPrice) -> str:
        """From whom."""
        return link(reverse("admin:purchasing_vendor_change", args=[row.vendor_id]), row.vendor)

    @admin.display(description="Unit price", ordering="unit_price")
    def price(self, row: VendorPrice) -> str:
        """For how much."""
        return money_text(row.unit_price)

    @admin.display(description="Minimum order", ordering="minimum_order_quantity")
    def minimum(self, row: VendorPrice) -> str:
        """At least so many."""
        return quantity_text(row.minimum_order_quantity)

    @admin.display(description="Pack")
    def pack(self, row: VendorPrice) -> str:
        """In multiples of this."""
        return quantity_text(row.pack_quantity)

    @admin.display(description="Shipping")
    def shown_shipping(self, row: VendorPrice) -> str:
        """What bringing it costs."""
        return money_text(row.shipping_cost)

    @display(description="In force", label={"In force": "success", "Closed": "info"})
    def in_force(self, row: VendorPrice) -> str:
        """Whether it holds now."""
        return "In force" if row.is_current else "Closed"
