"""Service: place orders, one alone or several that share a transaction.

Several at once cost the database a fraction of as many transactions: one statement of each kind, one COMMIT. They are
taken together or not at all; whoever calls `place_together` then places each of them alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.models import User
from inventory.errors import ProductUnknown, WarehouseUnknown
from inventory.models import Warehouse
from inventory.services import ledger, reservations
from inventory.services.holds import hold_for
from inventory.services.levels import Shelf, StockAfter, read_shelf, stock_events
from inventory.services.reservations import Demand
from orders.errors import EmptyOrder
from orders.events import order_placed
from orders.models import Order, OrderLine
from orders.services.placed import Item, PlacedLine, PlacedOrder
from orders.states import OrderStatus
from workbox.core import events, walls
from workbox.core.db import as_utc, execute, insert_parents, insert_rows, marks, transact, utc_text
from workbox.core.errors import Invalid, RuleViolation
from workbox.core.numbers import MONEY_MAX

ZERO = Decimal(0)
LINES_MAX = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """An order about to be placed. `by` says who asked, and in which request, where that is not who acts now."""

    items: Sequence[Item]
    user_id: int | None
    confirm: bool
    warehouse_id: int | None = None
    channel: str = Order.Channel.API
    customer_id: int | None = None
    placed_at: datetime | None = None
    external_reference: str | None = None
    notes: str = ""
    hold_minutes: int | None = None
    agreed: str | None = None
    by: events.By | None = None

    @property
    def takes_stock(self) -> bool:
        """True when stock is promised at once, for good or for a while."""
        return self.confirm or self.hold_minutes is not None


def place_order(
    items: Sequence[Item],
    *,
    user_id: int | None,
    confirm: bool | None = None,
    warehouse_id: int | None = None,
    channel: str = Order.Channel.API,
    customer_id: int | None = None,
    placed_at: datetime | None = None,
    external_reference: str | None = None,
    notes: str = "",
    lines_max: int = LINES_MAX,
    hold_minutes: int | None = None,
    agreed: str | None = None,
) -> PlacedOrder:
    """A new order at today's prices; by default confirmed at once, so its stock is promised (`available` falls).

    All or nothing. `confirm` None follows `WORKBOX_ORDERS_AUTO_CONFIRM`. `hold_minutes` promises the stock of a pending
    order for that long. `agreed` is the token of a plan (`orders.plans`). Raises EmptyOrder, Invalid (too many lines,
    precision, a hold on a confirmed order), ProductUnknown, WarehouseUnknown, InsufficientStock with every short
    product, PlanOutdated.
    """
    if not items:
        raise EmptyOrder("An order needs at least one line.", fields={"items": ["must not be empty"]})
    if len(items) > lines_max:
        raise Invalid(f"An order may have at most {lines_max} lines.", fields={"items": [f"at most {lines_max}"]})
    wants_confirm = settings.WORKBOX_ORDERS_AUTO_CONFIRM if confirm is None else confirm
    if hold_minutes is not None and wants_confirm:
        raise Invalid(
            "Only a pending order can be held for a while; a confirmed one has its stock for good.",
            fields={"hold_minutes": ["only with confirm: false"]},
        )
    draft = Draft(
        items, user_id, wants_confirm, warehouse_id, channel, customer_id, placed_at, external_reference, notes,
        hold_minutes, agreed,
    )  # fmt: skip
    return transact(lambda: place_together([draft])[0])


def place_together(drafts: Sequence[Draft]) -> list[PlacedOrder]:
    """Place these orders, all of them or none, in as many statements as one takes; expects the caller's transaction.

    More than one: all confirmed or all pending, from any warehouse, without a hold or an agreed plan. Raises what
    `place_order` raises, whichever order is at fault.
    """
    for draft in drafts:
        _check_quantities(draft)
    takes_stock = drafts[0].takes_stock
    wanted = reservations.sum_by_product((item.product_id, item.quantity) for draft in drafts for item in draft.items)
    shelf, claimed = reservations.claim(wanted) if takes_stock else (read_shelf(wanted, levels=False), False)
    for draft in drafts:
        _check_items(draft, shelf)
    placed = _insert(drafts, shelf)
    news: list[events.NewEvent] = []
    if takes_stock:
        lines = [line for order in placed for line in order.lines]
        after = promise_lines(lines, shelf, drafts[0].warehouse_id, claimed=claimed, agreed=drafts[0].agreed)
        news += stock_events(shelf, after)
    if drafts[0].hold_minutes is not None:
        placed[0] = replace(placed[0], hold_expires_at=_hold(placed[0].id, placed[0].lines, drafts[0].hold_minutes))
    for draft, order in zip(drafts, placed, strict=True):
        news.append(
            order_placed(
                order_id=order.id,
                user_id=order.user_id,
                status=order.status,
                total_amount=order.total_amount,
                items=_event_items(order.lines),
                warehouse_id=order.warehouse_id,
                by=draft.by,
            )
        )
    events.append(news)
    return placed


def _check_quantities(draft: Draft) -> None:
    for index, item in enumerate(draft.items):
        if item.quantity <= 0:
            raise Invalid("A quantity must be above zero.", fields={f"items.{index}.quantity": ["must be above zero"]})


def _insert(drafts: Sequence[Draft], shelf: Shelf) -> list[PlacedOrder]:
    """The rows of these orders and of their lines, at the prices on the shelf."""
    now = datetime.now(UTC)
    now_text = utc_text(now)
    prices = [_prices(draft, shelf) for draft in drafts]
    totals = [_total(draft, asked) for draft, asked in zip(drafts, prices, strict=True)]
    rows = []
    for draft, total in zip(drafts, totals, strict=True):
        placed_text = now_text if draft.placed_at is None else utc_text(draft.placed_at)
        status = OrderStatus.CONFIRMED if draft.confirm else OrderStatus.PENDING
        rows.append(
            (
                draft.user_id, draft.customer_id, draft.warehouse_id, status.value, draft.channel, total,
                draft.external_reference, draft.notes, placed_text,
                placed_text if draft.confirm else None, now_text, now_text,
            )
        )  # fmt: skip
    parents = insert_parents(
        Order._meta.db_table,
        (
            "user_id", "customer_id", "warehouse_id", "status", "channel", "total_amount", "external_reference",
            "notes", "placed_at", "confirmed_at", "created_at", "updated_at",
        ),
        rows,
    )  # fmt: skip
    line_ids = iter(
        insert_rows(
            OrderLine._meta.db_table,
            ("order_id", "product_id", "quantity", "unit_price", "shipped_quantity", "returned_quantity"),
            [
                (parent, item.product_id, item.quantity, price, 0, 0)
                for parent, draft, asked in zip(parents, drafts, prices, strict=True)
                for item, price in zip(draft.items, asked, strict=True)
            ],
        )
    )
    return [
        _placed(
            draft, int(getattr(parent, "lastrowid", parent)), row[3], total, now,
            tuple(
                PlacedLine(
                    next(line_ids), item.product_id, shelf.products[item.product_id].sku,
                    shelf.products[item.product_id].name, item.quantity, price,
                )
                for item, price in zip(draft.items, asked, strict=True)
            ),
        )
        for draft, parent, row, total, asked in zip(drafts, parents, rows, totals, prices, strict=True)
    ]  # fmt: skip


def _prices(draft: Draft, shelf: Shelf) -> list[Decimal]:
    return [
        shelf.products[item.product_id].price if item.unit_price is None else item.unit_price for item in draft.items
    ]


def _total(draft: Draft, prices: Sequence[Decimal]) -> Decimal:
    total = sum((price * item.quantity for price, item in zip(prices, draft.items, strict=True)), ZERO)
    if abs(total) > MONEY_MAX * 1000:
        raise Invalid("The order's total is beyond what this shop can book.", fields={"items": ["total too large"]})
    return total


def _placed(
    draft: Draft, order_id: int, status: str, total: Decimal, now: datetime, lines: tuple[PlacedLine, ...]
) -> PlacedOrder:
    placed_at = draft.placed_at or now
    return PlacedOrder(
        id=order_id,
        user_id=draft.user_id,
        customer_id=draft.customer_id,
        warehouse_id=draft.warehouse_id,
        status=status,
        channel=draft.channel,
        total_amount=total,
        notes=draft.notes,
        placed_at=placed_at,
        confirmed_at=placed_at if draft.confirm else None,
        shipped_at=None,
        delivered_at=None,
        cancelled_at=None,
        updated_at=now,
        lines=lines,
    )


def _hold(order_id: int, lines: Sequence[PlacedLine], minutes: int) -> datetime | None:
    hold_for((line.id for line in lines), seconds=minutes * 60)
    execute(
        "UPDATE orders_order SET hold_expires_at = (SELECT MIN(h.expires_at) FROM inventory_hold h"  # noqa: S608  (only placeholders)
        " JOIN inventory_reservation r ON r.id = h.reservation_id WHERE r.holder_type = 'order_line'"
        f" AND r.holder_id IN ({marks(len(lines))})) WHERE id = %s",
        [*(line.id for line in lines), order_id],
    )
    return as_utc(execute("SELECT hold_expires_at FROM orders_order WHERE id = %s", [order_id]).fetchone()[0])


def _check_items(draft: Draft, shelf: Shelf) -> None:
    missing = sorted({item.product_id for item in draft.items if item.product_id not in shelf.products})
    retired = sorted({one.id for one in shelf.products.values() if not one.is_active})
    if missing or (retired and draft.channel != Order.Channel.IMPORT):
        wrong = [*missing, *retired]
        raise ProductUnknown(
            f"There is no product {', '.join(map(str, wrong))} for sale.",
            fields={"items": [f"unknown product {one}" for one in wrong]},
        )
    for index, item in enumerate(draft.items):
        ledger.check_quantity(item.quantity, shelf.products[item.product_id], name=f"items.{index}.quantity")
    if draft.warehouse_id is not None:
        _check_warehouse(draft.warehouse_id)


def _check_warehouse(warehouse_id: int) -> None:
    place = Warehouse.objects.filter(id=warehouse_id, is_active=True).first()
    if place is None or walls.hides(warehouse_id):
        raise WarehouseUnknown(
            f"There is no open warehouse {warehouse_id}.", fields={"warehouse_id": ["unknown warehouse"]}
        )
    if not place.is_sellable:
        raise RuleViolation(
            f"{place.name} does not sell; what lies there is not for orders.",
            code="warehouse_not_sellable",
            fields={"warehouse_id": ["not sellable"]},
        )


def _event_items(lines: Sequence[PlacedLine]) -> list[dict[str, Any]]:
    return [
        {"inventory_id": line.product_id, "name": line.name, "quantity": line.quantity, "unit_price": line.unit_price}
        for line in lines
    ]


def promise_lines(
    lines: Sequence[PlacedLine],
    shelf: Shelf,
    warehouse_id: int | None,
    *,
    claimed: bool,
    agreed: str | None = None,
) -> dict[int, StockAfter]:
    """Reserve what these order lines want, all or nothing; `shelf` and `claimed` come from `reservations.claim`."""
    demands = [
        Demand(line.id, line.product_id, line.quantity) for line in lines if shelf.products[line.product_id].is_stocked
    ]
    if not demands:
        return {}
    return reservations.reserve(demands, shelf, warehouse_id=warehouse_id, claimed=claimed, agreed=agreed)


def require_user(user_id: int) -> None:
    """Raise Invalid unless this user exists and is active (staff ordering for others name them)."""
    if not User.objects.filter(id=user_id, is_active=True).exists():
        raise Invalid(f"There is no active user {user_id}.", fields={"user_id": ["unknown user"]})
