"""The paper of a purchase order, as the vendor gets it. Rows in, the bytes of a PDF out."""

from collections.abc import Sequence

from purchasing.errors import PurchaseOrderUnknown
from purchasing.models import PurchaseOrder, PurchaseOrderLine
from purchasing.states import PurchaseStatus
from workbox.core import walls
from workbox.core.admin import moment_text, money_text, quantity_text, total_text
from workbox.core.paper import Column, Row, Sheet
from workbox.core.papers import sender

MARKS = {PurchaseStatus.DRAFT.value: "DRAFT", PurchaseStatus.CANCELLED.value: "CANCELLED"}


def purchase_order(order_ids: Sequence[int]) -> bytes:
    """What we ask the vendor to bring, where to, until when, at which cost. Raises PurchaseOrderUnknown."""
    found = walls.of(PurchaseOrder.objects.filter(pk__in=order_ids))
    order = found.select_related("vendor", "warehouse", "created_by").first()
    if order is None:
        raise PurchaseOrderUnknown(f"There is no purchase order {', '.join(map(str, order_ids))}.")
    vendor, place = order.vendor, order.warehouse
    lines = PurchaseOrderLine.objects.filter(order=order).select_related("product", "product__unit").order_by("id")
    sheet = Sheet(f"Purchase order · {order}", sender=sender(), mark=MARKS.get(order.status, ""))
    sheet.heading(code=str(order))
    sheet.facts(
        [
            ("Vendor", "\n".join(filter(None, (vendor.name, vendor.address, vendor.contact_email)))),
            ("Deliver to", "\n".join(filter(None, (str(place), place.address)))),
            ("Sent", moment_text(order.sent_at) if order.sent_at else "not yet"),
            ("Expected", order.expected_on.isoformat() if order.expected_on else ""),
            ("Reference", order.reference), ("Ordered by", order.created_by or ""), ("Notes", order.notes),
        ]
    )  # fmt: skip
    rows = [
        Row(
            [
                line.product.sku, line.product.name, quantity_text(line.quantity), line.product.unit.code,
                money_text(line.unit_cost), total_text(line.unit_cost * line.quantity),
            ]
        )
        for line in lines
    ]  # fmt: skip
    total = Row(["", "", "", "", "Total", total_text(order.total_amount)], strong=True)
    sheet.table(
        [
            Column("SKU", 36), Column("Product"), Column("Quantity", 20, "right"), Column("Unit", 14),
            Column("Unit cost", 24, "right"), Column("Amount", 28, "right"),
        ],
        [*rows, total],
    )  # fmt: skip
    return sheet.finish()
