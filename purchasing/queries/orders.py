"""Reads of purchase orders: lists, receipts, what is on its way, and whether the books agree with themselves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet

from inventory.models import StockMovement
from inventory.queries import Difference, movement_rows
from purchasing.models import PurchaseOrder, PurchaseOrderLine, Receipt
from purchasing.states import ON_ORDER, PurchaseStatus
from workbox.core import walls
from workbox.core.numbers import as_quantity

PURCHASE_ORDER = {
    "created": "id",
    "created_at": "id",
    "id": "id",
    "expected_on": "expected_on",
    "total": "total_amount",
    "total_amount": "total_amount",
}


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """What a list of purchase orders shows."""

    vendor_id: int | None = None
    warehouse_id: int | None = None
    product_id: int | None = None
    status: str | None = None
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_purchase_orders(wanted: PurchaseFilter) -> QuerySet[PurchaseOrder]:
    """The purchase orders of a filter; `search`: a number (12 or PO-12), or a part of vendor, reference, product."""
    exact = {
        "vendor_id": wanted.vendor_id,
        "warehouse_id": wanted.warehouse_id,
        "status": wanted.status,
        "created_at__gte": wanted.created_from,
        "created_at__lte": wanted.created_to,
    }
    found = PurchaseOrder.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "warehouse_id")
    if wanted.product_id is not None:
        naming = PurchaseOrderLine.objects.filter(product_id=wanted.product_id)
        found = found.filter(id__in=naming.values("order_id"))
    return found.filter(_matches(wanted.search)) if wanted.search else found


def _matches(text: str) -> Q:
    on_a_line = PurchaseOrderLine.objects.filter(Q(product__name__icontains=text) | Q(product__sku__icontains=text))
    match = (
        Q(vendor__name__icontains=text)
        | Q(reference__icontains=text)
        | Q(notes__icontains=text)
        | Q(id__in=on_a_line.values("order_id"))
    )
    number = text.upper().removeprefix("PO-")
    return match | Q(id=int(number)) if number.isascii() and number.isdigit() and len(number) <= 18 else match


def purchase_order_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These purchase orders with their lines under their public names, in the order of `ids`, in two statements."""
    found = PurchaseOrder.objects.filter(id__in=ids).select_related("vendor", "warehouse")
    orders = walls.within(found, "warehouse_id").in_bulk()
    lines: dict[int, list[dict[str, Any]]] = {}
    for line in PurchaseOrderLine.objects.filter(order_id__in=ids).select_related("product").order_by("id"):
        lines.setdefault(line.order_id, []).append(
            {
                "id": line.pk,
                "product_id": line.product_id,
                "sku": line.product.sku,
                "name": line.product.name,
                "quantity": line.quantity,
                "unit_cost": line.unit_cost,
                "received_quantity": line.received_quantity,
            }
        )
    return [_order_row(orders[one], lines.get(one, [])) for one in ids if one in orders]


def _order_row(order: PurchaseOrder, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": order.pk,
        "number": str(order),
        "vendor_id": order.vendor_id,
        "vendor_name": order.vendor.name,
        "warehouse_id": order.warehouse_id,
        "warehouse_name": order.warehouse.name,
        "status": order.status,
        "total_amount": order.total_amount,
        "items": lines,
        "reference": order.reference,
        "notes": order.notes,
        "expected_on": order.expected_on,
        "created_by": order.created_by_id,
        "created_at": order.created_at,
        "sent_at": order.sent_at,
        "received_at": order.received_at,
        "closed_at": order.closed_at,
        "cancelled_at": order.cancelled_at,
        "updated_at": order.updated_at,
    }


def find_receipts(order_id: int) -> QuerySet[Receipt]:
    """What came in on a purchase order, newest first."""
    return Receipt.objects.filter(order_id=order_id).order_by("-id")


def receipt_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These receipts with the movements they posted, in the order of `ids`, in three statements."""
    found = Receipt.objects.in_bulk(ids)
    operations = [row.operation_id for row in found.values()]
    movements = StockMovement.objects.filter(operation_id__in=operations).order_by("id").values_list("id", flat=True)
    lines: dict[int, list[dict[str, Any]]] = {}
    for row in movement_rows(list(movements)):
        lines.setdefault(row["operation_id"], []).append(
            {
                "movement_id": row["id"],
                "product_id": row["product_id"],
                "sku": row["sku"],
                "name": row["product_name"],
                "quantity": row["quantity"],
                "unit_cost": row["unit_cost"],
                "total_cost": row["total_cost"],
            }
        )
    return [
        {
            "id": row.pk,
            "purchase_order_id": row.order_id,
            "operation_id": row.operation_id,
            "received_by": row.received_by_id,
            "received_at": row.received_at,
            "items": lines.get(row.operation_id, []),
        }
        for row in (found[one] for one in ids if one in found)
    ]


# ---- what is on its way ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Incoming:
    """So many of a product are still to come on one purchase order; `expected_on` None: nobody said when."""

    product_id: int
    quantity: Decimal
    expected_on: date | None
    purchase_order_id: int
    vendor_id: int
    warehouse_id: int


def incoming(product_ids: Iterable[int] | None = None) -> list[Incoming]:
    """What is to come, the next first, then what has no date; overdue orders keep the date they missed."""
    rows = PurchaseOrderLine.objects.filter(order__status__in=sorted(ON_ORDER), received_quantity__lt=F("quantity"))
    if product_ids is not None:
        rows = rows.filter(product_id__in=set(product_ids))
    rows = rows.order_by(F("order__expected_on").asc(nulls_last=True), "order_id", "id")
    return [
        Incoming(
            product_id=line.product_id,
            quantity=line.quantity - line.received_quantity,
            expected_on=line.order.expected_on,
            purchase_order_id=line.order_id,
            vendor_id=line.order.vendor_id,
            warehouse_id=line.order.warehouse_id,
        )
        for line in rows.select_related("order")
    ]


# ---- do the books agree with themselves? -----------------------------------------------------------------------------
_NOTHING_CAME = ", ".join(
    f"'{one.value}'" for one in (PurchaseStatus.DRAFT, PurchaseStatus.SENT, PurchaseStatus.CANCELLED)
)
# Each statement answers (what, id, product id or 0, kept, computed) for the rows that differ.
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "what a purchase order's lines say was received is what its receipts moved",
        "SELECT 'purchase order', both_sides.order_id, product_id, SUM(kept), ROUND(SUM(computed), 3) FROM ("
        " SELECT order_id, product_id, received_quantity AS kept, 0 AS computed FROM purchasing_purchaseorderline"
        " UNION ALL"
        " SELECT r.order_id, m.product_id, 0, m.quantity FROM purchasing_receipt r"
        "  JOIN inventory_stockmovement m ON m.operation_id = r.operation_id"
        " UNION ALL"
        " SELECT r.order_id, m.product_id, 0, m.quantity FROM purchasing_receipt r"
        "  JOIN inventory_stockoperation u ON u.reverses_id = r.operation_id"
        "  JOIN inventory_stockmovement m ON m.operation_id = u.id"
        ") both_sides GROUP BY both_sides.order_id, product_id HAVING ROUND(SUM(kept) - SUM(computed), 3) <> 0",
    ),
    (
        "a purchase order's total is the sum of its lines",
        "SELECT 'purchase order', o.id, 0, o.total_amount, ROUND(COALESCE(SUM(l.quantity * l.unit_cost), 0), 4)"
        " FROM purchasing_purchaseorder o LEFT JOIN purchasing_purchaseorderline l ON l.order_id = o.id"
        " GROUP BY o.id, o.total_amount"
        " HAVING ABS(o.total_amount - COALESCE(SUM(l.quantity * l.unit_cost), 0)) >= 0.0001",
    ),
    (
        "nothing came in on a purchase order that is a draft, sent or cancelled",
        "SELECT 'purchase order', o.id, l.product_id, l.received_quantity, 0 FROM purchasing_purchaseorder o"  # noqa: S608  (our names)
        " JOIN purchasing_purchaseorderline l ON l.order_id = o.id"
        f" WHERE o.status IN ({_NOTHING_CAME}) AND l.received_quantity <> 0",
    ),
    (
        "a received purchase order has all of every line, unless it was closed short",
        "SELECT 'purchase order', o.id, l.product_id, l.received_quantity, l.quantity"
        " FROM purchasing_purchaseorder o JOIN purchasing_purchaseorderline l ON l.order_id = o.id"
        " WHERE o.status = 'received' AND o.closed_at IS NULL AND l.received_quantity < l.quantity",
    ),
    (
        "of a partially received purchase order something came and something is open",
        "SELECT 'purchase order', o.id, 0, SUM(l.received_quantity), SUM(l.quantity)"
        " FROM purchasing_purchaseorder o JOIN purchasing_purchaseorderline l ON l.order_id = o.id"
        " WHERE o.status = 'partially_received' GROUP BY o.id"
        " HAVING SUM(l.received_quantity) = 0"
        " OR SUM(CASE WHEN l.received_quantity < l.quantity THEN 1 ELSE 0 END) = 0",
    ),
)
PURCHASE_CHECK_NAMES = tuple(name for name, _ in _CHECKS)


def purchase_differences() -> Iterator[Difference]:
    """Every kept number of a purchase order that its receipts or lines do not add up to."""
    for rule, sql in _CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            for what, row_id, product_id, kept, computed in cursor.fetchall():
                row = f"{what} {row_id}" + (f", product {product_id}" if product_id else "")
                yield Difference(rule, row, as_quantity(kept), as_quantity(computed))
