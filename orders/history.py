"""Service: take over finished business from another system's books, many papers in one transaction.

The outcome is the same as if each order had been placed, shipped and delivered, each return booked and each adjustment
posted one after the other; only the number of statements differs (decision 0004). Stock moves through the ledger's own
`post_past`. Living orders belong to `orders.services`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection

from inventory.models import MovementType, StockOperation
from inventory.services import ledger
from inventory.services.ledger import Movement, PastOperation
from inventory.services.levels import Shelf, read_shelf
from orders.errors import EmptyOrder
from orders.events import order_updated, return_booked
from orders.models import Order, OrderLine, Return, ReturnLine, Shipment
from orders.states import CAN_RETURN, OrderStatus
from workbox.core import events
from workbox.core.db import insert_rows, marks, transactional, utc_text
from workbox.core.numbers import as_money, as_quantity

ZERO = Decimal(0)
Kind = StockOperation.Kind


@dataclass(frozen=True, slots=True)
class PastLine:
    """So many of a product at the price of the time."""

    product_id: int
    quantity: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order that was delivered, or called off before it left (`cancelled_at`); `reference` is its old number.

    Shipped and delivered when placed, unless the other moments are given.
    """

    reference: str | None
    placed_at: datetime
    lines: Sequence[PastLine]
    customer_id: int | None = None
    user_id: int | None = None
    channel: str = Order.Channel.IMPORT
    notes: str = ""
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None

    @property
    def total(self) -> Decimal:
        """What the customer paid."""
        return sum((line.quantity * line.unit_price for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class PastReturn:
    """A credit note: goods (or charges) a customer got money back for, at the prices on the note."""

    reference: str
    returned_at: datetime
    lines: Sequence[PastLine]
    customer_id: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PastAdjustment:
    """Stock that was found (+) or lost (−), and why."""

    reference: str
    occurred_at: datetime
    product_id: int
    quantity: Decimal
    reason: str


Past = PastOrder | PastReturn | PastAdjustment


@dataclass(frozen=True, slots=True)
class _SoldLine:
    """An order line as stored; `open` is what has not come back yet."""

    id: int
    order_id: int
    product_id: int
    unit_price: Decimal
    open: Decimal
    user_id: int | None
    status: str
    total_amount: Decimal


@dataclass(frozen=True, slots=True)
class _CreditLine:
    """A part of a credit note's line, on the order line it was sold on if that is known."""

    line: PastLine
    quantity: Decimal
    order_line_id: int | None


@dataclass(slots=True)
class _Credit:
    """The part of a credit note that concerns one order, or no order we know."""

    paper: PastReturn
    sold: _SoldLine | None
    lines: list[_CreditLine] = field(default_factory=list)

    @property
    def refund(self) -> Decimal:
        """What the customer got back for this part."""
        return sum((part.quantity * part.line.unit_price for part in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One stock operation to be, and the paper (of an order: its id; of a return: its part) it belongs to."""

    paper: "Past"
    operation: PastOperation
    order_id: int | None = None
    credit: _Credit | None = None


@transactional
def record_history(papers: Sequence[Past], *, warehouse_id: int) -> None:
    """These papers are in the books, in their order, stock and money included: all of them or none.

    A return finds the customer's latest earlier order of the product that still has something to bring back, one with
    the same price first; what finds none is booked as a return without an order. Raises EmptyOrder, IntegrityError for
    a reference in use, InsufficientStock when the shelf would fall below zero or below what is promised on the way.
    """
    shelf = read_shelf(line.product_id for paper in papers for line in _lines_of(paper))
    order_ids = _insert_orders([paper for paper in papers if isinstance(paper, PastOrder)], shelf, warehouse_id)
    entries = _entries(papers, order_ids, shelf, warehouse_id)
    moving = [entry.operation for entry in entries if entry.operation.movements]
    posted = iter(ledger.post_past(moving) if moving else [])
    operation_ids = [next(posted) if entry.operation.movements else None for entry in entries]
    _insert_shipments(entries, operation_ids)
    _insert_returns([(entry.credit, one) for entry, one in zip(entries, operation_ids, strict=True) if entry.credit])
    events.append(_news(entries))


def _entries(papers: Sequence[Past], order_ids: Sequence[int], shelf: Shelf, warehouse_id: int) -> list[_Entry]:
    credits_of = _match_returns(papers, order_ids)
    upcoming = iter(order_ids)
    entries: list[_Entry] = []
    for paper in papers:
        if isinstance(paper, PastReturn):
            entries += [
                _Entry(paper, _return_operation(credit, shelf, warehouse_id), credit=credit)
                for credit in credits_of[id(paper)]
            ]
        else:
            order_id = next(upcoming) if isinstance(paper, PastOrder) else None
            entries.append(_Entry(paper, _operation(paper, order_id, shelf, warehouse_id), order_id))
    return entries


def _lines_of(paper: Past) -> Sequence[PastLine]:
    return [PastLine(paper.product_id, paper.quantity, ZERO)] if isinstance(paper, PastAdjustment) else paper.lines


def _insert_orders(orders: Sequence[PastOrder], shelf: Shelf, warehouse_id: int) -> list[int]:
    if not orders:
        return []
    for order in orders:
        if not order.lines:
            raise EmptyOrder(f"Order {order.reference} has no lines.")
        for line in order.lines:
            ledger.check_quantity(line.quantity, shelf.products[line.product_id])
    now = utc_text()
    order_ids = insert_rows(
        Order._meta.db_table,
        (
            "user_id", "customer_id", "warehouse_id", "status", "channel", "total_amount", "external_reference",
            "notes", "placed_at", "confirmed_at", "shipped_at", "delivered_at", "cancelled_at", "created_at",
            "updated_at",
        ),
        [
            (
                one.user_id, one.customer_id, warehouse_id, _status(one).value, one.channel, one.total, one.reference,
                one.notes, utc_text(one.placed_at), utc_text(one.placed_at), *_later_moments(one), now, now,
            )
            for one in orders
        ],
    )  # fmt: skip
    insert_rows(
        OrderLine._meta.db_table,
        ("order_id", "product_id", "quantity", "unit_price", "shipped_quantity", "returned_quantity"),
        [
            (order_id, line.product_id, line.quantity, line.unit_price, 0 if one.cancelled_at else line.quantity, 0)
            for order_id, one in zip(order_ids, orders, strict=True)
            for line in one.lines
        ],
    )
    return order_ids


def _status(order: PastOrder) -> OrderStatus:
    return OrderStatus.CANCELLED if order.cancelled_at else OrderStatus.DELIVERED


def _later_moments(order: PastOrder) -> tuple[str | None, str | None, str | None]:
    """When it was shipped, delivered, cancelled."""
    if order.cancelled_at:
        return None, None, utc_text(order.cancelled_at)
    shipped_at = order.shipped_at or order.placed_at
    return utc_text(shipped_at), utc_text(order.delivered_at or shipped_at), None


def _operation(
    paper: PastOrder | PastAdjustment, order_id: int | None, shelf: Shelf, warehouse_id: int
) -> PastOperation:
    """The stock side of a paper; without movements when nothing moved."""
    if isinstance(paper, PastAdjustment):
        line = Movement(paper.product_id, warehouse_id, MovementType.ADJUSTMENT, paper.quantity)
        return PastOperation(Kind.ADJUSTMENT, [line], paper.occurred_at, paper.reason, paper.reference)
    lines = [] if paper.cancelled_at else [one for one in paper.lines if shelf.products[one.product_id].is_stocked]
    sold = [Movement(one.product_id, warehouse_id, MovementType.SALE, -one.quantity) for one in lines]
    return PastOperation(Kind.SHIPMENT, sold, paper.shipped_at or paper.placed_at, reference=f"ORDER-{order_id}")


def _return_operation(credit: _Credit, shelf: Shelf, warehouse_id: int) -> PastOperation:
    back = [
        Movement(one.line.product_id, warehouse_id, MovementType.RETURN, one.quantity)
        for one in credit.lines
        if shelf.products[one.line.product_id].is_stocked
    ]
    reference = f"ORDER-{credit.sold.order_id}" if credit.sold else f"IMPORT-{credit.paper.reference}"
    return PastOperation(Kind.RETURN, back, credit.paper.returned_at, credit.paper.reason, reference)


# ---- which order a return belongs to ---------------------------------------------------------------------------------
def _match_returns(papers: Sequence[Past], order_ids: Sequence[int]) -> dict[int, list[_Credit]]:
    """For each return among the papers (by identity): its parts, per order they belong to."""
    returns = [paper for paper in papers if isinstance(paper, PastReturn)]
    sold = _returnable(returns)
    matched: dict[int, list[_Credit]] = {}
    given: dict[int, Decimal] = {}
    done = 0
    for paper in papers:
        if isinstance(paper, PastOrder):
            done += 1
        elif isinstance(paper, PastReturn):
            # Orders of this very batch that follow the return on paper are not earlier ones.
            first_later = order_ids[done] if done < len(order_ids) else None
            matched[id(paper)] = _credits(paper, sold, given, first_later)
    return matched


def _credits(
    paper: PastReturn,
    sold: Mapping[tuple[int, int], Sequence[_SoldLine]],
    given: dict[int, Decimal],
    first_later: int | None,
) -> list[_Credit]:
    found: dict[int | None, _Credit] = {}

    def book(line: PastLine, quantity: Decimal, on: _SoldLine | None) -> None:
        credit = found.setdefault(on.order_id if on else None, _Credit(paper, on))
        credit.lines.append(_CreditLine(line, quantity, on.id if on else None))

    for line in paper.lines:
        needed = line.quantity
        earlier = [
            one
            for one in sold.get((paper.customer_id or 0, line.product_id), ())
            if first_later is None or one.order_id < first_later
        ]
        earlier.sort(key=lambda one: (one.unit_price != line.unit_price, -one.order_id, one.id))
        for one in earlier:
            taken = min(needed, one.open - given.get(one.id, ZERO))
            if taken > 0:
                given[one.id] = given.get(one.id, ZERO) + taken
                book(line, taken, one)
                needed -= taken
        if needed > 0:
            book(line, needed, None)
    return list(found.values())


def _returnable(returns: Sequence[PastReturn]) -> dict[tuple[int, int], list[_SoldLine]]:
    """(customer, product) → what they bought and did not bring back yet; the orders stay locked."""
    customers = sorted({one.customer_id for one in returns if one.customer_id is not None})
    products = sorted({line.product_id for one in returns for line in one.lines})
    sold: dict[tuple[int, int], list[_SoldLine]] = {}
    if not customers:
        return sold
    suffix = " FOR UPDATE" if connection.features.has_select_for_update else ""
    statuses = sorted(one.value for one in CAN_RETURN)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.customer_id, l.id, l.order_id, l.product_id, l.unit_price, l.shipped_quantity,"  # noqa: S608  (only placeholders and our own words)
            " l.returned_quantity, o.user_id, o.status, o.total_amount"
            " FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id"
            f" WHERE o.customer_id IN ({marks(len(customers))}) AND o.status IN ({marks(len(statuses))})"
            f" AND l.product_id IN ({marks(len(products))}) AND l.shipped_quantity > l.returned_quantity"
            f" ORDER BY o.id, l.id{suffix}",
            [*customers, *statuses, *products],
        )
        for row in cursor.fetchall():
            open_ = as_quantity(row[5]) - as_quantity(row[6])
            line = _SoldLine(row[1], row[2], row[3], as_money(row[4]), open_, row[7], row[8], as_money(row[9]))
            sold.setdefault((row[0], line.product_id), []).append(line)
    return sold


# ---- what is written after the stock has moved -----------------------------------------------------------------------
def _insert_shipments(entries: Sequence[_Entry], operation_ids: Sequence[int | None]) -> None:
    rows = [
        (entry.order_id, operation_id, utc_text(entry.paper.shipped_at or entry.paper.placed_at))
        for entry, operation_id in zip(entries, operation_ids, strict=True)
        if isinstance(entry.paper, PastOrder) and not entry.paper.cancelled_at
    ]
    if rows:
        insert_rows(Shipment._meta.db_table, ("order_id", "operation_id", "shipped_at"), rows)


def _insert_returns(credits_: Sequence[tuple[_Credit, int | None]]) -> None:
    if not credits_:
        return
    ids = insert_rows(
        Return._meta.db_table,
        ("order_id", "customer_id", "operation_id", "external_reference", "reason", "refund_amount", "returned_at"),
        [
            (
                one.sold.order_id if one.sold else None, one.paper.customer_id, operation_id,
                one.paper.reference, one.paper.reason,
                one.refund, utc_text(one.paper.returned_at),
            )
            for one, operation_id in credits_
        ],
    )  # fmt: skip
    parts = [(return_id, part) for return_id, (one, _) in zip(ids, credits_, strict=True) for part in one.lines]
    insert_rows(
        ReturnLine._meta.db_table,
        ("goods_return_id", "order_line_id", "product_id", "quantity", "damaged_quantity", "unit_price"),
        [
            (one, part.order_line_id, part.line.product_id, part.quantity, ZERO, part.line.unit_price)
            for one, part in parts
        ],
    )
    _mark_returned([(part.order_line_id, part.quantity) for _, part in parts if part.order_line_id is not None])


def _mark_returned(amounts: Sequence[tuple[int, Decimal]]) -> None:
    totals: dict[int, Decimal] = {}
    for line_id, quantity in amounts:
        totals[line_id] = totals.get(line_id, ZERO) + quantity
    if not totals:
        return
    values = [value for pair in totals.items() for value in pair]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_orderline SET returned_quantity = ROUND(returned_quantity + (CASE id"  # noqa: S608  (only placeholders and our own words)
            f"{' WHEN %s THEN %s' * len(totals)} END), 3) WHERE id IN ({marks(len(totals))})",
            [*values, *totals],
        )


def _news(entries: Sequence[_Entry]) -> list[events.NewEvent]:
    """One fact per order and per return: followers of the log learn of them, time-lines are not empty."""
    news = []
    for entry in entries:
        if isinstance(entry.paper, PastOrder) and entry.order_id is not None:
            news.append(
                order_updated(
                    order_id=entry.order_id,
                    user_id=entry.paper.user_id,
                    status=_status(entry.paper).value,
                    previous_status="",
                    total_amount=entry.paper.total,
                    placed_at=entry.paper.placed_at,
                )
            )
        elif entry.credit is not None and entry.credit.sold is not None:
            sold = entry.credit.sold
            news.append(
                order_updated(
                    order_id=sold.order_id,
                    user_id=sold.user_id,
                    status=sold.status,
                    previous_status=sold.status,
                    total_amount=sold.total_amount,
                    returned=[
                        {"inventory_id": one.line.product_id, "quantity": one.quantity} for one in entry.credit.lines
                    ],
                    reason=entry.credit.paper.reason,
                )
            )
        elif entry.credit is not None:
            paper = entry.credit.paper
            news.append(
                return_booked(
                    reference=paper.reference,
                    customer_id=paper.customer_id,
                    refund_amount=entry.credit.refund,
                    returned_at=paper.returned_at,
                    returned=[
                        {"inventory_id": one.line.product_id, "quantity": one.quantity} for one in entry.credit.lines
                    ],
                    reason=paper.reason,
                )
            )
    return news
