"""The facts inventory tells the world, with the keys their frames show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from workbox.core.events import CATALOG, STOCK, TRANSFERS, NewEvent


@dataclass(frozen=True, slots=True)
class PlaceAside:
    """One warehouse that has a threshold of its own for the product; `available_before` as in StockAside."""

    warehouse_id: int
    warehouse_name: str
    reorder_threshold: Decimal
    available: Decimal
    available_before: Decimal | None


@dataclass(frozen=True, slots=True)
class StockAside:
    """What a listener may want to know beside an `inventory_update`.

    `available_before` is None when the fact does not come from a change of stock; `is_watched`: stock of it is kept and
    it is on sale.
    """

    reorder_threshold: Decimal
    is_watched: bool
    available_before: Decimal | None
    places: tuple[PlaceAside, ...] = ()


def inventory_update(
    *,
    product_id: int,
    sku: str,
    name: str,
    price: Decimal,
    on_hand: Decimal,
    reserved: Decimal,
    available: Decimal,
    version: int,
    levels: Iterable[tuple[int, Decimal, Decimal]],
    aside: StockAside | None = None,
) -> NewEvent:
    """A product's stock (and price) as it is now, in all and per warehouse.

    `levels` are (warehouse id, on hand, reserved).
    """
    payload: dict[str, Any] = {
        "inventory_id": product_id,
        "name": name,
        "stock_quantity": available,
        "price": price,
        "sku": sku,
        "on_hand": on_hand,
        "reserved": reserved,
        "version": version,
        "by_warehouse": [
            {"warehouse_id": warehouse_id, "quantity": there, "reserved": promised, "available": there - promised}
            for warehouse_id, there, promised in levels
        ],
    }
    return NewEvent("inventory_update", STOCK, product_id, payload, aside=aside)


def product_updated(*, product_id: int, sku: str, name: str, price: Decimal, is_active: bool) -> NewEvent:
    """A product was made, edited, retired or restored."""
    payload = {"inventory_id": product_id, "sku": sku, "name": name, "price": price, "is_active": is_active}
    return NewEvent("product_updated", CATALOG, product_id, payload)


def transfer_updated(
    *,
    transfer_id: int,
    status: str,
    previous_status: str | None,
    reference: str,
    from_warehouse_id: int,
    to_warehouse_id: int,
    items: Iterable[Mapping[str, Any]],
) -> NewEvent:
    """A transfer was made, sent, completed or cancelled; `items` say per product how many and what became of them."""
    payload: dict[str, Any] = {
        "transfer_id": transfer_id,
        "status": status,
        "previous_status": previous_status,
        "transfer_reference": reference,
        "from_warehouse_id": from_warehouse_id,
        "to_warehouse_id": to_warehouse_id,
        "items": list(items),
    }
    return NewEvent("transfer_updated", TRANSFERS, transfer_id, payload)
