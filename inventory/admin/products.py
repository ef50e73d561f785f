"""Products in the admin: with their stock, edited by the catalogue service, moved by the ledger, never deleted."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminImageFieldWidget, UnfoldAdminTextareaWidget

from accounts.capabilities import CATALOG_WRITE, STOCK_POST
from inventory.admin.catalog import BarcodeInline, CatalogWriters, may
from inventory.admin.dialogs import (
    AdjustDialog,
    ProductDialog,
    SetQuantityDialog,
    TransferDialog,
    quantity_field,
    warehouse_field,
)
from inventory.admin.labels import PrintsLabels
from inventory.admin.panels import product_panels
from inventory.models import Product, ProductPicture
from inventory.services import catalog, ledger, pictures, transfers
from inventory.services.catalog import OpeningStock
from workbox.core.admin import (
    AttentionFilter,
    NamedFilter,
    PlainNumbers,
    ServiceAdmin,
    acting,
    each,
    money_text,
    quantity_text,
    service_dialog,
)
from workbox.core.db import transact

CAPTION = {"Low": "warning", "Out": "danger", "Retired": "info", "Charge": "info", "In stock": "success"}


class StockStateFilter(AttentionFilter):
    """Which products need buying; without a choice those that do."""

    title = "stock"
    parameter_name = "stock_state"
    default_choice = "low"
    default_words = "products at or below their reorder threshold"
    choices_named = {
        "low": (
            "At or below the reorder threshold",
            lambda rows: rows.filter(is_active=True, is_stocked=True, stock__available__lte=F("reorder_threshold")),
        ),
        "out": (
            "Nothing available",
            lambda rows: rows.filter(is_active=True, is_stocked=True, stock__available__lte=0),
        ),
        "held": ("Something on hand", lambda rows: rows.filter(stock__on_hand__gt=0)),
        "promised": ("Promised to orders", lambda rows: rows.filter(stock__reserved__gt=0)),
        "all": ("All", lambda rows: rows),
    }


class SaleFilter(NamedFilter):
    """For sale or not."""

    title = "sale"
    parameter_name = "sale"
    choices_named = {
        "active": ("For sale", lambda rows: rows.filter(is_active=True)),
        "retired": ("Retired", lambda rows: rows.filter(is_active=False)),
    }


class ProductForm(PlainNumbers, forms.ModelForm):
    """A product's own fields; a new one may bring its opening stock."""

    money_fields = frozenset({"price", "unit_cost"})

    opening_quantity = quantity_field(
        required=False, min_value=Decimal(0), label="Opening stock", help_text="What is on the shelf today."
    )
    opening_warehouse = warehouse_field(
        required=False, label="In warehouse", help_text="Empty: where orders are filled from first."
    )
    picture = forms.FileField(
        required=False,
        widget=UnfoldAdminImageFieldWidget(attrs={"accept": "image/*"}),
        help_text="JPEG, PNG, WebP or GIF, up to 10 MB; a small copy is kept.",
    )

    class Meta:
        model = Product
        fields = [
            "sku", "name", "description", "category", "unit", "price", "unit_cost", "reorder_threshold",
            "reorder_quantity",
            "is_stocked",
        ]  # fmt: skip
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None and "sku" in self.fields:
            self.fields["sku"].required = False
            self.fields["sku"].help_text = "Empty: one is made from the name."
        if self.instance.pk is not None and "picture" in self.fields:
            self.fields["picture"].initial = _Shown.of(self.instance.pk)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A kept picture as the file field shows it."""

    url: str

    @classmethod
    def of(cls, product_id: int) -> "_Shown | None":
        """None: the product has none."""
        version = ProductPicture.objects.filter(pk=product_id).values_list("version", flat=True).first()
        # Another picture has another address, so that browsers may keep it for ever.
        url = f"{reverse('admin:inventory_product_picture', args=[product_id])}?v={version}"
        return cls(url) if version else None

    def __str__(self) -> str:
        return self.url


READ_FIELDSETS = [
    (None, {"fields": [("sku", "name"), ("category", "unit"), "description"]}),
    ("Money", {"fields": [("shown_price", "shown_cost")]}),
    ("Reordering", {"fields": [("shown_threshold", "shown_reorder_quantity"), "is_stocked"]}),
]


@admin.register(Product)
class ProductAdmin(PrintsLabels, CatalogWriters, ServiceAdmin):
    """Products with their stock: edited by the catalogue service, counted by the ledger, retired, never deleted."""

    form = ProductForm
    list_display = ["sku", "name", "category", "shown_price", "available", "on_hand", "reserved", "state"]
    list_display_links = ["sku", "name"]
    list_select_related = ["category", "stock"]
    list_filter = [StockStateFilter, SaleFilter, ("category", RelatedDropdownFilter)]
    search_fields = ["sku", "name", "=barcodes__code"]
    search_help_text = "SKU, name or barcode"
    autocomplete_fields = ["category"]
    inlines = [BarcodeInline]
    fieldsets = [
        (None, {"fields": [("sku", "name"), ("category", "unit"), "description", "picture"]}),
        ("Money", {"fields": [("price", "unit_cost")]}),
        ("Reordering", {"fields": [("reorder_threshold", "reorder_quantity"), "is_stocked"]}),
    ]
    add_fieldsets = [*fieldsets, ("Opening stock", {"fields": [("opening_quantity", "opening_warehouse")]})]
    change_form_outer_before_template = "admin/panels/product_top.html"
    change_form_outer_after_template = "admin/panels/product.html"
    actions = ["retire_selected", "restore_selected", "print_labels_of_selected"]
    actions_detail = ["adjust_stock", "set_stock", "transfer_stock", "retire", "restore"]
    actions_row = ["adjust_stock"]

    # ---- list ----
    @admin.display(description="Price", ordering="price")
    def shown_price(self, product: Product) -> str:
        """With as many places as it needs."""
        return money_text(product.price)

    @admin.display(description="Unit cost")
    def shown_cost(self, product: Product) -> str:
        """As above."""
        return money_text(product.unit_cost)

    @admin.display(description="Reorder threshold")
    def shown_threshold(self, product: Product) -> str:
        """Without idle zeros."""
        return quantity_text(product.reorder_threshold)

    @admin.display(description="Reorder quantity")
    def shown_reorder_quantity(self, product: Product) -> str:
        """Without idle zeros."""
        return quantity_text(product.reorder_quantity)

    @admin.display(description="Available", ordering="stock__available")
    def available(self, product: Product) -> str:
        """On hand and not promised, in sellable warehouses."""
        return quantity_text(product.stock.available)

    @admin.display(description="On hand", ordering="stock__on_hand")
    def on_hand(self, product: Product) -> str:
        """Physically there, in all warehouses."""
        return quantity_text(product.stock.on_hand)

    @admin.display(description="Reserved", ordering="stock__reserved")
    def reserved(self, product: Product) -> str:
        """Promised to orders."""
        return quantity_text(product.stock.reserved)

    @display(description="State", label=CAPTION)
    def state(self, product: Product) -> str:
        """Whether somebody has to do something."""
        if not product.is_active:
            return "Retired"
        if not product.is_stocked:
            return "Charge"
        if product.stock.available <= 0:
            return "Out"
        return "Low" if product.stock.available <= product.reorder_threshold else "In stock"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[Any, bool]:
        """Choosing a product for a form offers those for sale only."""
        if request.path.endswith("/autocomplete/"):
            queryset = queryset.filter(is_active=True)
        return super().get_search_results(request, queryset, search_term)

    # ---- page ----
    def get_urls(self) -> list[Any]:
        """With the picture's."""
        view = self.admin_site.admin_view(self.picture_view, cacheable=True)
        return [path("<int:product_id>/picture/", view, name="inventory_product_picture"), *super().get_urls()]

    def picture_view(self, request: HttpRequest, product_id: int) -> HttpResponse:
        """The picture's bytes. A browser that asks for this very version may keep it."""
        found = ProductPicture.objects.filter(pk=product_id).first() if self.has_view_permission(request) else None
        if found is None:
            raise Http404
        keep = "private, max-age=31536000, immutable" if request.GET.get("v") == found.version else "private, no-cache"
        answer = HttpResponse(bytes(found.content), content_type=pictures.CONTENT_TYPE)
        answer.headers["Cache-Control"] = keep
        return answer

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        """Who may only read sees numbers as people write them."""
        if obj is None or self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return READ_FIELDSETS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        """With the rows every page shows."""
        return super().get_queryset(request).select_related("category", "unit", "stock")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The form with the product's stock, promises and movements around it."""
        product = self.get_object(request, object_id)
        panels = product_panels(product) if product else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "panels": panels})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Retire what is for sale, restore what is not."""
        product = self.get_object(request, str(object_id))
        moving = {"adjust_stock", "set_stock", "transfer_stock"}
        hidden = {"restore"} if product is None or product.is_active else {"retire"} | moving
        if product is not None and not product.is_stocked:
            hidden |= moving
        return [one for one in super().get_actions_detail(request, object_id) if one.path not in hidden]

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Through the catalogue services: their rules, their news, the stock row; all of it or nothing."""
        given = form.cleaned_data
        names = [name for name in (form.changed_data if change else given) if name in ProductForm.Meta.fields]
        values = {name: given[name] for name in names}
        if "category" in values:
            values["category"] = values["category"].name if values["category"] else None
        if "unit" in values:
            values["unit"] = values["unit"].code
        place = given.get("opening_warehouse")
        opening = OpeningStock(given.get("opening_quantity") or Decimal(0), place.pk if place else None)
        picture = given.get("picture")  # None: as it is; False: "clear" was ticked

        def save() -> Product:
            if change:
                saved = catalog.update_product(obj.pk, changes=values)
            else:
                wanted = {**values, "sku": values["sku"] or None}
                saved = catalog.create_product(**wanted, opening=opening, actor_id=request.user.pk)
            if picture is False:
                pictures.remove_picture(saved.pk)
            elif kept:
                pictures.set_picture(saved.pk, kept)
            return saved

        with acting(request):
            kept = pictures.as_kept(picture) if "picture" in form.changed_data and picture else b""
            obj.__dict__.update(transact(save).__dict__)

    # ---- who may ----
    def has_post_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may move stock."""
        return may(request, STOCK_POST)

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may retire and restore."""
        return may(request, CATALOG_WRITE)

    # ---- actions ----
    @service_dialog(
        "Adjust stock", form=AdjustDialog, submit="Post the adjustment", permission="post", icon="exposure",
        variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def adjust_stock(self, request: HttpRequest, form: AdjustDialog, product_id: int) -> str:
        """A signed adjustment with its reason is in the ledger."""
        given = form.cleaned_data
        posted = ledger.adjust(
            product_id,
            quantity=given["quantity"],
            reason=given["reason"],
            warehouse_id=given["warehouse"].pk,
            actor_id=request.user.pk,
        )
        after = posted.stock[product_id]
        return (
            f"{form.product}: {'+' if given['quantity'] > 0 else '−'}{quantity_text(abs(given['quantity']))} in"
            f" {given['warehouse'].name}. Now {quantity_text(after.on_hand)} on hand,"
            f" {quantity_text(after.available)} available."
        )

    @service_dialog(
        "Set quantity", form=SetQuantityDialog, submit="Set the quantity", permission="post", icon="inventory"
    )
    def set_stock(self, request: HttpRequest, form: SetQuantityDialog, product_id: int) -> str:
        """What was counted is what is on hand; the difference is in the ledger."""
        given = form.cleaned_data
        posted = ledger.set_quantity(
            product_id,
            on_hand=given["quantity"],
            compare_quantity=form.seen_in(given["warehouse"]),
            warehouse_id=given["warehouse"].pk,
            reason=given["reason"],
            actor_id=request.user.pk,
        )
        counted = f"{quantity_text(given['quantity'])} on hand in {given['warehouse'].name}"
        if posted is None:
            return f"{form.product}: {counted}, as the books say; nothing to post."
        after = posted.stock[product_id]
        return (
            f"{form.product}: {counted}; {quantity_text(after.available)} available in all"
            f" (operation {posted.operation_id})."
        )

    @service_dialog(
        "Transfer", form=TransferDialog, submit="Make the transfer", permission="post", icon="move_up",
        description="It goes from one of your warehouses to another.",
    )  # fmt: skip
    def transfer_stock(self, request: HttpRequest, form: TransferDialog, product_id: int) -> str:
        """A transfer of this product alone is made, and leaves at once if wanted."""
        given = form.cleaned_data
        source, target, leaves_now = given["from_warehouse"], given["to_warehouse"], given["leaves_now"]

        def move() -> transfers.MovedGoods:
            made = transfers.create_transfer(
                {product_id: given["quantity"]},
                from_warehouse_id=source.pk,
                to_warehouse_id=target.pk,
                actor_id=request.user.pk,
            )
            return transfers.dispatch_transfer(made.id) if leaves_now else made

        made = transact(move)
        return (
            f"Transfer {made.id}: {quantity_text(given['quantity'])} × {form.product} from {source.name} to"
            f" {target.name} {'is in transit' if leaves_now else 'waits to be dispatched'}."
        )

    @service_dialog(
        "Retire", form=ProductDialog, submit="Retire it", permission="write", icon="archive",
        description="It is no longer sold or listed. Its history and its stock stay; it can be restored.",
    )  # fmt: skip
    def retire(self, request: HttpRequest, form: ProductDialog, product_id: int) -> str:
        """The product is no longer for sale."""
        catalog.retire_product(product_id)
        return f"{form.product} is retired."

    @service_dialog(
        "Restore", form=ProductDialog, submit="Restore it", permission="write", icon="unarchive",
        description="It is sold and listed again.", variant=ActionVariant.PRIMARY,
    )  # fmt: skip
    def restore(self, request: HttpRequest, form: ProductDialog, product_id: int) -> str:
        """The product is for sale again."""
        catalog.restore_product(product_id)
        return f"{form.product} is for sale again."

    @admin.action(description="Retire the selected products", permissions=["write"])
    def retire_selected(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Each is no longer for sale."""
        each(
            request, queryset, work=lambda one: catalog.retire_product(one.pk).sku, done="retired", failed="not retired"
        )

    @admin.action(description="Restore the selected products", permissions=["write"])
    def restore_selected(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        """Each is for sale again."""
        each(
            request,
            queryset,
            work=lambda one: catalog.restore_product(one.pk).sku,
            done="restored",
            failed="not restored",
        )
