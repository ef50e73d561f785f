"""The ledger as it is listed: movements and the operations they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet

from inventory.models import (
    StockMovement,
    StockOperation,
)
from workbox.core import walls
from workbox.core.db import marks
from workbox.core.numbers import as_quantity

_MOVEMENT_COLUMNS = {
    "id": "id",
    "operation_id": "operation_id",
    "product_id": "product_id",
    "product_name": "product__name",
    "sku": "product__sku",
    "warehouse_id": "warehouse_id",
    "warehouse_name": "warehouse__name",
    "movement_type": "movement_type",
    "quantity": "quantity",
    "unit_cost": "unit_cost",
    "balance_after": "balance_after",
    "reference_number": "operation__reference",
    "reason": "operation__reason",
    "created_by": "operation__actor_id",
    "created_at": "created_at",
}


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """What a list of movements shows; they stand in the order they were posted, newest first unless told otherwise."""

    product_id: int | None = None
    warehouse_id: int | None = None
    movement_type: str | None = None
    reference: str = ""
    search: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None
    newest_first: bool = True


def find_movements(wanted: MovementFilter) -> QuerySet[StockMovement]:
    """The movements of a filter; `search` looks in product, SKU, warehouse, reference and reason, in any case."""
    found: QuerySet[StockMovement] = StockMovement.objects.order_by("-id" if wanted.newest_first else "id")
    exact = {
        "product_id": wanted.product_id,
        "warehouse_id": wanted.warehouse_id,
        "movement_type": wanted.movement_type,
        "operation__reference": wanted.reference or None,
        "created_at__gte": wanted.created_from,
        "created_at__lte": wanted.created_to,
    }
    found = walls.within(found, "warehouse_id").filter(
        **{column: value for column, value in exact.items() if value is not None}
    )
    if wanted.search:
        text = wanted.search
        found = found.filter(
            Q(product__name__icontains=text)
            | Q(product__sku__icontains=text)
            | Q(warehouse__name__icontains=text)
            | Q(operation__reference__icontains=text)
            | Q(operation__reason__icontains=text)
        )
    return found


def movement_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These movements under their public names, in the order of `ids`; `total_cost` is unit cost × quantity moved."""
    by_id = {}
    found = walls.within(StockMovement.objects.filter(id__in=ids).order_by(), "warehouse_id")
    for row in found.values_list(*_MOVEMENT_COLUMNS.values()):
        shown = by_id[row[0]] = dict(zip(_MOVEMENT_COLUMNS, row, strict=True))
        cost = shown["unit_cost"]
        shown["total_cost"] = None if cost is None else cost * abs(shown["quantity"])
    return [by_id[one] for one in ids if one in by_id]


def history_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """Like `movement_rows`, with `balance`: the product's on-hand over all warehouses right after each movement.

    One index look-up per movement and warehouse, not a replay: each level's last balance up to that movement is stored.
    """
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, SUM((SELECT x.balance_after FROM inventory_stockmovement x"  # noqa: S608  (only placeholders)
            " WHERE x.warehouse_id = l.warehouse_id AND x.product_id = m.product_id AND x.id <= m.id"
            " ORDER BY x.id DESC LIMIT 1))"
            " FROM inventory_stockmovement m JOIN inventory_stocklevel l ON l.product_id = m.product_id"
            f" WHERE m.id IN ({marks(len(ids))}) GROUP BY m.id",
            list(ids),
        )
        balances = {row[0]: as_quantity(row[1]) for row in cursor.fetchall()}
    return [row | {"balance": balances[row["id"]]} for row in movement_rows(ids)]


_OPERATION_COLUMNS = {
    "id": "id",
    "kind": "kind",
    "reason": "reason",
    "reference_number": "reference",
    "created_by": "actor_id",
    "request_id": "request_id",
    "reverses_id": "reverses_id",
    "reversed_by": "reversed_by",
    "occurred_at": "occurred_at",
    "created_at": "created_at",
}


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What a list of stock operations shows, newest first; the dates are when it happened."""

    kind: str | None = None
    product_id: int | None = None
    warehouse_id: int | None = None
    actor_id: int | None = None
    reference: str = ""
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    newest_first: bool = True


def find_operations(wanted: OperationFilter) -> QuerySet[StockOperation]:
    """The stock operations of a filter."""
    exact = {
        "kind": wanted.kind,
        "actor_id": wanted.actor_id,
        "reference": wanted.reference or None,
        "occurred_at__gte": wanted.occurred_from,
        "occurred_at__lte": wanted.occurred_to,
    }
    found = StockOperation.objects.order_by("-id" if wanted.newest_first else "id").filter(
        **{name: one for name, one in exact.items() if one is not None}
    )
    moved = {"product_id": wanted.product_id, "warehouse_id": wanted.warehouse_id}
    narrow = {name: one for name, one in moved.items() if one is not None}
    if not narrow:
        return operations_seen(found)
    moves = walls.within(StockMovement.objects.filter(**narrow), "warehouse_id")
    return found.filter(id__in=moves.values("operation_id"))


def operations_seen(found: QuerySet[StockOperation]) -> QuerySet[StockOperation]:
    """Those operations that moved anything inside the asker's walls."""
    if walls.own() is None:
        return found
    return found.filter(id__in=walls.within(StockMovement.objects.all(), "warehouse_id").values("operation_id"))


def operation_rows(ids: Sequence[int]) -> list[dict[str, Any]]:
    """These operations as lists show them, in the order of `ids`: how many movements instead of which."""
    found = (
        StockOperation.objects.filter(id__in=ids)
        .order_by()
        .annotate(movement_count=Count("movements", filter=walls.inside("movements__warehouse_id") or None))
    )
    columns = [*_OPERATION_COLUMNS, "movement_count"]
    rows = found.values_list(*_OPERATION_COLUMNS.values(), "movement_count")
    by_id = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    return [by_id[one] for one in ids if one in by_id]


def operation_detail(operation_id: int) -> dict[str, Any] | None:
    """One stock operation with its movements, or None; `reversed_by` is the operation that undid it, if any did."""
    row = (
        operations_seen(StockOperation.objects.filter(id=operation_id))
        .values_list(*_OPERATION_COLUMNS.values())
        .first()
    )
    if row is None:
        return None
    ids = StockMovement.objects.filter(operation_id=operation_id).order_by("id").values_list("id", flat=True)
    return dict(zip(_OPERATION_COLUMNS, row, strict=True)) | {"movements": movement_rows(list(ids))}
