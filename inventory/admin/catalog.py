"""What products are sorted, measured and scanned by, in the admin: categories, units, barcodes."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from accounts.capabilities import CATALOG_WRITE
from inventory.models import Barcode, Category, UnitOfMeasure
from inventory.services import catalog
from workbox.core.admin import (
    PlainNumbers,
    ServiceAdmin,
    quantity_text,
)


class CatalogWriters:
    """Mix-in: the catalogue is written by those who may write it, and read by all staff."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability."""
        return may(request, CATALOG_WRITE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability."""
        return may(request, CATALOG_WRITE)


def may(request: HttpRequest, capability: str) -> bool:
    """Whether the asker has the capability."""
    return bool(request.user.can(capability))  # type: ignore[union-attr]  # who is on a staff page is a User


@admin.register(Category)
class CategoryAdmin(CatalogWriters, ServiceAdmin):
    """Groups of products."""

    list_display = ["name", "description"]
    search_fields = ["name", "description"]
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        """Through the catalogue service: lists that show its name are made anew."""
        catalog.save_category(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability; a category with products is protected by the database."""
        return may(request, CATALOG_WRITE)


@admin.register(UnitOfMeasure)
class UnitOfMeasureAdmin(CatalogWriters, ServiceAdmin):
    """What one of a product is, and how finely it may be divided."""

    list_display = ["code", "name", "decimal_places"]
    search_fields = ["code", "name"]
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: UnitOfMeasure, form: Any, change: bool) -> None:
        """Through the catalogue service: no unit gets coarser than the stock that is counted in it."""
        catalog.save_unit(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability; a unit in use is protected by the database."""
        return may(request, CATALOG_WRITE)


class BarcodeForm(PlainNumbers, forms.ModelForm):
    """A code and how many units it stands for."""

    class Meta:
        model = Barcode
        fields = ["code", "product", "pack_quantity"]


@admin.register(Barcode)
class BarcodeAdmin(CatalogWriters, ModelAdmin):
    """Which code means how many of which product."""

    form = BarcodeForm
    list_display = ["code", "product", "pack", "created_at"]
    list_select_related = ["product"]
    search_fields = ["=code", "product__sku", "product__name"]
    search_help_text = "Barcode, SKU or product name"
    autocomplete_fields = ["product"]
    show_full_result_count = False

    @admin.display(description="Units per scan", ordering="pack_quantity")
    def pack(self, barcode: Barcode) -> str:
        """How many units one scan means."""
        return quantity_text(barcode.pack_quantity)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability: a code that was stuck on the wrong box is taken off."""
        return may(request, CATALOG_WRITE)


class BarcodeInline(CatalogWriters, TabularInline):
    """A product's barcodes, on its page."""

    model = Barcode
    form = BarcodeForm
    fields = ["code", "pack_quantity"]
    extra = 0

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By capability."""
        return may(request, CATALOG_WRITE)
