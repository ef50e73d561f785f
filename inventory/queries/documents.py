"""Transfers and stock counts as they are searched and listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet

from inventory.models import (
    StockCount,
    Transfer,
    TransferLine,
)
from inventory.queries.moments import moved_since
from workbox.core import walls
from workbox.core.db import execute
from workbox.core.numbers import ID_DIGITS_MAX, as_quantity

# Public name → column; ids follow the order of making.
TRANSFER_ORDER = {"created": "id", "created_at": "id", "id": "id", "status": "status", "completed_at": "completed_at"}
COUNT_ORDER = {"opened": "id", "opened_at": "id", "id": "id", "status": "status", "closed_at": "closed_at"}


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """What a list of transfers shows."""

    status: str | None = None
    product_id: int | None = None
    from_warehouse_id: int | None = None
    to_warehouse_id: int | None = None
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_transfers(wanted: TransferFilter) -> QuerySet[Transfer]:
    """The transfers of a filter.

    `search` is a transfer's number, or a part of its reference, notes, warehouses or of a product on it.
    """
    exact = {
        "status": wanted.status,
        "from_warehouse_id": wanted.from_warehouse_id,
        "to_warehouse_id": wanted.to_warehouse_id,
        "created_at__gte": wanted.created_from,
        "created_at__lte": wanted.created_to,
    }
    found = Transfer.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "from_warehouse_id", "to_warehouse_id")
    if wanted.product_id is not None:
        found = found.filter(lines__product_id=wanted.product_id)
    if wanted.search:
        text = wanted.search
        on_a_line = TransferLine.objects.filter(Q(product__name__icontains=text) | Q(product__sku__icontains=text))
        match = (
            Q(reference__icontains=text)
            | Q(notes__icontains=text)
            | Q(from_warehouse__name__icontains=text)
            | Q(to_warehouse__name__icontains=text)
            | Q(id__in=on_a_line.values("transfer_id"))
        )
        found = found.filter(match | _numbered(text))
    return found


def _numbered(text: str) -> Q:
    """The row with this number, when the text is one."""
    return Q(id=int(text)) if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX else Q(pk__in=[])


def open_transfers(warehouse_id: int) -> QuerySet[Transfer]:
    """Transfers from or to a warehouse that are neither completed nor cancelled."""
    places = Q(from_warehouse_id=warehouse_id) | Q(to_warehouse_id=warehouse_id)
    return Transfer.objects.filter(places, status__in=[Transfer.Status.PENDING, Transfer.Status.IN_TRANSIT])


@dataclass(frozen=True, slots=True)
class CountFilter:
    """What a list of stock counts shows."""

    status: str | None = None
    warehouse_id: int | None = None
    product_id: int | None = None
    search: str = ""
    opened_from: datetime | None = None
    opened_to: datetime | None = None
    order: tuple[str, ...] = ("-id",)


def find_counts(wanted: CountFilter) -> QuerySet[StockCount]:
    """The stock counts of a filter; `search` is a count's number, or a part of its notes or warehouse."""
    exact = {
        "status": wanted.status,
        "warehouse_id": wanted.warehouse_id,
        "opened_at__gte": wanted.opened_from,
        "opened_at__lte": wanted.opened_to,
    }
    found = StockCount.objects.order_by(*wanted.order).filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    found = walls.within(found, "warehouse_id")
    if wanted.product_id is not None:
        found = found.filter(lines__product_id=wanted.product_id)
    if wanted.search:
        text = wanted.search
        found = found.filter(Q(notes__icontains=text) | Q(warehouse__name__icontains=text) | _numbered(text))
    return found


def count_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These stock counts as lists show them, in the order of `ids`: without their lines."""
    columns = {
        "id": "id",
        "warehouse_id": "warehouse_id",
        "warehouse_name": "warehouse__name",
        "status": "status",
        "is_blind": "is_blind",
        "notes": "notes",
        "operation_id": "operation_id",
        "opened_by": "opened_by_id",
        "closed_by": "closed_by_id",
        "opened_at": "opened_at",
        "closed_at": "closed_at",
        "updated_at": "updated_at",
        "line_count": "line_count",
    }
    found = walls.within(StockCount.objects.filter(id__in=ids).order_by(), "warehouse_id").annotate(
        line_count=Count("lines")
    )
    by_id = {row[0]: dict(zip(columns, row, strict=True)) for row in found.values_list(*columns.values())}
    return [by_id[one] for one in ids if one in by_id]


def balances_when_counted(count_id: int) -> dict[int, Decimal]:
    """Product id → what the ledger says was in the count's warehouse at the moment the product was counted.

    Exact, also when movements of the past are recorded late, and one statement for any number of lines. Who is to act
    on the answer holds the products' totals first.
    """
    rows = execute(
        f"SELECT c.product_id, COALESCE(l.on_hand - {moved_since('c.counted_at')}, 0) FROM inventory_countline c"  # noqa: S608  (our own SQL)
        " JOIN inventory_stockcount s ON s.id = c.count_id"
        " LEFT JOIN inventory_stocklevel l ON l.product_id = c.product_id AND l.warehouse_id = s.warehouse_id"
        " WHERE c.count_id = %s",
        [count_id],
    ).fetchall()
    return {product_id: as_quantity(on_hand) for product_id, on_hand in rows}
