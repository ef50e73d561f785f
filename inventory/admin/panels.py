"""What a product's page shows beside its form: stock per warehouse, promises, last movements with their balance."""

from typing import Any

from django.urls import reverse

from inventory.models import Product, Reservation, StockLevel, StockMovement
from inventory.queries import history_rows
from workbox.core import walls
from workbox.core.admin import holders, moment_text, money_text, quantity_text, signed_text

MOVEMENTS_SHOWN = 20
PROMISES_SHOWN = 20


def product_panels(product: Product) -> dict[str, Any]:
    """The context of `admin/panels/product.html`: a fixed number of queries, whatever the product's history."""
    return {
        "stock": _stock(product),
        "promises": _promises(product),
        "movements": _movements(product),
        "movements_url": f"{reverse('admin:inventory_stockmovement_changelist')}?product__id__exact={product.pk}",
    }


def _stock(product: Product) -> dict[str, Any]:
    levels = (
        walls.of(StockLevel.objects.filter(product=product))
        .select_related("warehouse")
        .order_by("warehouse__priority", "warehouse_id")
    )
    total = product.stock
    return {
        "available": quantity_text(total.available),
        "on_hand": quantity_text(total.on_hand),
        "reserved": quantity_text(total.reserved),
        "threshold": quantity_text(product.reorder_threshold),
        "unit": product.unit.code,
        "is_low": product.is_stocked and total.available <= product.reorder_threshold,
        "rows": [
            {
                "warehouse": level.warehouse,
                "url": reverse("admin:inventory_warehouse_change", args=[level.warehouse_id]),
                "on_hand": quantity_text(level.on_hand),
                "reserved": quantity_text(level.reserved),
                "available": quantity_text(level.available) if level.warehouse.is_sellable else "not for sale",
            }
            for level in levels
        ],
    }


def _promises(product: Product) -> list[dict[str, Any]]:
    rows = list(
        walls.of(Reservation.objects.filter(level__product=product, quantity__gt=0))
        .select_related("level__warehouse")
        .order_by("-id")[:PROMISES_SHOWN]
    )
    named = holders((row.holder_type, row.holder_id) for row in rows)
    return [
        {
            "holder": named.get((row.holder_type, row.holder_id)),
            "name": f"{row.get_holder_type_display()} {row.holder_id}",
            "quantity": quantity_text(row.quantity),
            "warehouse": row.level.warehouse.code,
            "since": moment_text(row.created_at),
        }
        for row in rows
    ]


def _movements(product: Product) -> list[dict[str, Any]]:
    ids = list(
        walls.of(StockMovement.objects.filter(product=product))
        .order_by("-id")
        .values_list("id", flat=True)[:MOVEMENTS_SHOWN]
    )
    labels = dict(StockMovement._meta.get_field("movement_type").flatchoices)
    return [
        {
            "at": moment_text(row["created_at"]),
            "type": labels.get(row["movement_type"], row["movement_type"]),
            "quantity": signed_text(row["quantity"]),
            "is_in": row["quantity"] > 0,
            "warehouse": row["warehouse_name"],
            "balance": quantity_text(row["balance"]),
            "cost": money_text(row["unit_cost"]),
            "why": " · ".join(filter(None, (row["reference_number"], row["reason"]))),
            "url": reverse("admin:inventory_stockoperation_change", args=[row["operation_id"]]),
            "operation": row["operation_id"],
        }
        for row in history_rows(ids)
    ]
