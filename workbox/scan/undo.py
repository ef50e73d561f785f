"""The undo of a scan: what it made is taken back by a counter-act of the same service; nothing is edited or deleted."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from inventory.models import Product
from inventory.services import counts, ledger
from inventory.services.counts import Found
from purchasing.services.receipts import undo_receipt
from workbox.core.admin import quantity_text
from workbox.core.errors import NotFound
from workbox.scan.modes import moved

REASON = "Undo of a scan"


def undo(told: Mapping[str, Any]) -> dict[str, Any]:
    """Take back what the scan with this answer made; raises NotFound when it made nothing that can be."""
    made = told.get("made") or {}
    work = next((work for name, work in _WAYS.items() if name in made), None)
    if work is None:
        raise NotFound("This scan booked nothing that could be taken back here.", code="nothing_to_undo")
    return {"mode": told["mode"], "text": work(made), "undo": False}


def _operation(made: Mapping[str, Any]) -> str:
    posted = ledger.reverse(made["operation_id"], reason=REASON)
    product = next(iter(posted.shelf.products.values()))
    on_hand = quantity_text(posted.stock[product.id].on_hand)
    return f"Taken back: {product.name} ({product.sku}), {on_hand} on hand now."


def _receipt(made: Mapping[str, Any]) -> str:
    order = undo_receipt(made["receipt_id"], reason=REASON)
    return f"Taken back: the receipt on {order}, which is {order.get_status_display().lower()} now."


def _count(made: Mapping[str, Any]) -> str:
    former = made["former"]
    before = (
        Found(made["product_id"], Decimal(str(former["quantity"])), at=datetime.fromisoformat(former["at"]))
        if former
        else None
    )
    left = Decimal(str(made["left"]))
    counts.take_back(made["count_id"], made["product_id"], left=left, former=before)
    product = Product.objects.get(pk=made["product_id"])
    now = f"{quantity_text(before.quantity)} counted as before" if before else "not counted"
    return f"Taken back: {product.name} ({product.sku}) is {now}."


def _transfer(made: Mapping[str, Any]) -> str:
    quantity = Decimal(str(made["quantity"]))
    moved(
        made["product_id"], quantity, source=made["target"], target=made["source"],
        notes=f"{REASON}: transfer {made['transfer_id']}",
    )  # fmt: skip
    product = Product.objects.get(pk=made["product_id"])
    return f"Taken back: {quantity_text(quantity)} × {product.name} ({product.sku}) came back."


_WAYS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "operation_id": _operation, "receipt_id": _receipt, "count_id": _count, "transfer_id": _transfer,
}  # fmt: skip
