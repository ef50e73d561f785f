"""The page behind a product's “Why this number?”: the same explanation as the API's, for people."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from insights.explain import explain
from inventory.errors import ProductUnknown
from workbox.core.admin import moment_text, quantity_text, signed_text


@require_GET
def explain_page(request: HttpRequest, product_id: int) -> HttpResponse:
    """Every document behind the product's available stock."""
    if not request.user.has_perm("inventory.view_product"):
        raise PermissionDenied
    try:
        found = explain(product_id)
    except ProductUnknown as error:
        raise Http404(str(error)) from error
    shown = {
        **admin.site.each_context(request),
        "title": f"Why {quantity_text(found['stock_quantity'])} available? {found['name']} ({found['sku']})",
        "product_url": reverse("admin:inventory_product_change", args=[product_id]),
        "found": found,
        **explained(found),
    }
    return TemplateResponse(request, "admin/explain.html", shown)


def explained(found: dict[str, Any]) -> dict[str, Any]:
    """An explanation in words and links: the parts of the sum, the warehouses, the documents behind them."""
    return {
        "parts": [
            {"label": part["what"], "quantity": signed_text(part["quantity"])} for part in found["equation"]["parts"]
        ],
        "available": quantity_text(found["stock_quantity"]),
        "warehouses": [_warehouse(row) for row in found["warehouses"]],
        "documents": [*map(_reservation, found["reservations"]), *map(_transit, found["in_transit"])],
        "incoming": [_incoming(row) for row in found["incoming"]],
    }


def _warehouse(row: dict[str, Any]) -> dict[str, Any]:
    last = row["last_operation"]
    return {
        "name": row["warehouse_name"],
        "on_hand": quantity_text(row["on_hand"]),
        "reserved": quantity_text(row["reserved"]),
        "available": quantity_text(row["available"]) if row["is_sellable"] else "not for sale",
        "operation": last["operation_id"] if last else None,
        "operation_url": reverse("admin:inventory_stockoperation_change", args=[last["operation_id"]]) if last else "",
        "operation_text": f"{last['kind']} {signed_text(last['quantity'])}, {moment_text(last['created_at'])}"
        if last
        else "",
    }


def _reservation(row: dict[str, Any]) -> dict[str, Any]:
    model, number = ("orders_order", row["order_id"]) if row["kind"] == "order" else (
        "inventory_transfer", row["transfer_id"],
    )  # fmt: skip
    until = f", held until {moment_text(row['hold_expires_at'])}" if row["hold_expires_at"] else ""
    return {
        "label": f"{row['kind'].capitalize()} {number}",
        "url": reverse(f"admin:{model}_change", args=[number]) if number else "",
        "who": row["customer"] or "–",
        "state": f"{(row['status'] or 'unknown').replace('_', ' ')}{until}{' (over)' if row['is_expired'] else ''}",
        "where": row["warehouse_name"],
        "quantity": f"{quantity_text(row['quantity'])} reserved",
    }


def _transit(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": f"Transfer {row['transfer_id']}",
        "url": reverse("admin:inventory_transfer_change", args=[row["transfer_id"]]),
        "who": "–",
        "state": "in transit",
        "where": f"{row['from_warehouse_name']} → {row['to_warehouse_name']}",
        "quantity": f"{quantity_text(row['quantity'])} on the way",
    }


def _incoming(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": f"PO-{row['purchase_order_id']}",
        "url": reverse("admin:purchasing_purchaseorder_change", args=[row["purchase_order_id"]]),
        "vendor": row["vendor_name"],
        "where": row["warehouse_name"],
        "quantity": quantity_text(row["quantity"]),
        "expected": row["expected_on"] or "no date",
    }
