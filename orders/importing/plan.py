"""Decides what the file means for the books as they are now, without writing: what is new, and what stock it needs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from inventory.models import StockLevel, StockOperation
from orders.importing.rows import CHARGE_CODE, Day, Invoice, Refusal, Row, Sorted, read_days, read_rows, sort_rows
from orders.models import Order, Return
from orders.states import OrderStatus
from workbox.core.commands import Tick

ZERO = Decimal(0)
EXAMPLES_MAX = 20
LOOKUP_SIZE = 500


def reference_of(number: str) -> str:
    """The stock operation's reference of an imported invoice that is no order."""
    return f"IMPORT-{number}"


@dataclass(slots=True)
class Survey:
    """What one reading of the file tells: its invoices' sizes, its products and its customers."""

    rows: int = 0
    first_at: datetime | None = None
    row_counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    prices: dict[str, Decimal] = field(default_factory=dict)
    countries: dict[str, str] = field(default_factory=dict)

    def name_of(self, code: str) -> str:
        """The description most used when the product was sold."""
        names = self.names[code].most_common(1)
        return names[0][0] if names else f"Product {code}"


def survey(path: Path, tick: Tick) -> Survey:
    """Read the whole file once; a file that cannot be read to its end is found out here, before anything is written."""
    found = Survey()
    for row in read_rows(path):
        found.rows += 1
        tick(found.rows)
        if isinstance(row, Refusal):
            continue
        found.row_counts[row.invoice] += 1
        found.first_at = min(found.first_at or row.at, row.at)
        names = found.names[row.code]
        if row.price > 0 and row.description:
            names[row.description] += 1
        if row.price > 0 and row.quantity > 0:
            found.prices[row.code] = row.price
        if row.customer:
            found.countries.setdefault(row.customer, row.country)
    return found


@dataclass(slots=True)
class Paper:
    """One invoice with its rows sorted. `cancelled_by`: it was called off whole, the same day, by that credit note."""

    invoice: Invoice
    rows: Sorted
    is_known: bool = False
    cancelled_by: Invoice | None = None
    cancels: bool = False


def read_papers(path: Path, found: Survey) -> Iterator[tuple[list[Paper], list[Refusal]]]:
    """Day by day: the papers in the file's order, each marked as known or new, and the rows refused while reading."""
    for day in read_days(path, found.row_counts):
        yield _papers(day), day.refused


def _papers(day: Day) -> list[Paper]:
    papers = [Paper(invoice, sort_rows(invoice)) for invoice in day.invoices]
    numbers = [invoice.number for invoice in day.invoices]
    statuses: dict[str, str] = {}
    others: set[str] = set()
    for start in range(0, len(numbers), LOOKUP_SIZE):
        some = numbers[start : start + LOOKUP_SIZE]
        references = Order.objects.filter(external_reference__in=some).values_list("external_reference", "status")
        statuses.update((number, status) for number, status in references if number is not None)
        others |= _booked_otherwise(some)
    for paper in papers:
        paper.is_known = paper.invoice.number in statuses or paper.invoice.number in others
    _pair_cancellations(papers, statuses)
    return papers


def _booked_otherwise(numbers: Sequence[str]) -> set[str]:
    returns = Return.objects.filter(external_reference__in=numbers).values_list("external_reference", flat=True)
    by_reference = {reference_of(number): number for number in numbers}
    adjusted = StockOperation.objects.filter(
        reference__in=list(by_reference), kind=StockOperation.Kind.ADJUSTMENT
    ).values_list("reference", flat=True)
    return {number for number in returns if number} | {by_reference[one] for one in adjusted if one in by_reference}


def _pair_cancellations(papers: Sequence[Paper], statuses: Mapping[str, str]) -> None:
    """An order that a credit note of the same day takes back whole, to the last price, never left the house."""
    open_: dict[tuple[str, frozenset[tuple[object, int]]], list[Paper]] = defaultdict(list)
    for paper in papers:
        invoice, status = paper.invoice, statuses.get(paper.invoice.number)
        if not invoice.customer or paper.rows.refused:
            continue
        if invoice.is_cancellation:
            orders = open_[invoice.customer, _contents(paper.rows.returned)]
            # A note that is booked as a return stays one (its order was delivered in an earlier import).
            if orders and not paper.is_known:
                order = orders.pop()
                order.cancelled_by, paper.cancels, paper.is_known = invoice, True, order.is_known
        elif paper.rows.sold and not paper.rows.adjusted and status in (None, OrderStatus.CANCELLED.value):
            open_[invoice.customer, _contents(paper.rows.sold)].append(paper)


def _contents(rows: Iterable[Row]) -> frozenset[tuple[object, int]]:
    return frozenset(Counter((row.code, abs(row.quantity), row.price) for row in rows).items())


# ---- the plan --------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Plan:
    """What an import would do. Rows are taken (now or in an earlier run) or refused, and nothing else."""

    rows: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    refused_examples: list[Refusal] = field(default_factory=list)
    papers: Counter[str] = field(default_factory=Counter)
    opening: dict[str, Decimal] = field(default_factory=dict)

    def count(self, paper: Paper) -> None:
        """Add one paper's rows."""
        self.taken += paper.rows.taken
        self.known += paper.rows.taken if paper.is_known else 0
        kind = _kind(paper)
        if kind and not paper.is_known:
            self.papers[kind] += 1

    def refuse(self, refusal: Refusal) -> None:
        """Add a refused row."""
        self.refused += 1
        self.refused_by_reason[refusal.reason] += 1
        if len(self.refused_examples) < EXAMPLES_MAX:
            self.refused_examples.append(refusal)


def _kind(paper: Paper) -> str:
    if paper.cancelled_by:
        return "orders cancelled the same day"
    if paper.rows.sold:
        return "orders delivered"
    if paper.cancels:
        return ""
    return "returns" if paper.rows.returned else "stock adjustments" if paper.rows.adjusted else ""


def plan(
    path: Path, found: Survey, warehouse_id: int | None, *, tick: Tick, refuse: Callable[[Refusal], None] | None = None
) -> Plan:
    """Walk through the file as the import will; how deep a product's stock would fall is its opening stock.

    What is available in the warehouse now counts, so a run that was interrupted plans nothing it has already done.
    """
    made = Plan(rows=found.rows)
    balances = _available(warehouse_id)
    lowest: dict[str, Decimal] = {}
    for papers, unread in read_papers(path, found):
        for refusal in [*unread, *(one for paper in papers for one in paper.rows.refused)]:
            made.refuse(refusal)
            if refuse:
                refuse(refusal)
        for paper in papers:
            made.count(paper)
            for code, change in _stock_changes(paper):
                balances[code] = balances.get(code, ZERO) + change
                lowest[code] = min(lowest.get(code, ZERO), balances[code])
        tick(made.taken + made.refused)
    made.opening = {code: -one for code, one in sorted(lowest.items()) if one < 0}
    if made.taken + made.refused != made.rows:
        raise RuntimeError(f"{made.rows} rows were read, but {made.taken} are taken and {made.refused} refused")
    return made


def _available(warehouse_id: int | None) -> dict[str, Decimal]:
    if warehouse_id is None:
        return {}
    levels = StockLevel.objects.filter(warehouse_id=warehouse_id).values_list("product__sku", "on_hand", "reserved")
    return {sku: on_hand - reserved for sku, on_hand, reserved in levels}


def _stock_changes(paper: Paper) -> Iterator[tuple[str, Decimal]]:
    """What the paper does to the shelf, row by row; nothing for known ones and for those that cancelled each other."""
    if paper.is_known or paper.cancelled_by or paper.cancels:
        return
    for row in paper.rows.sold:
        if not CHARGE_CODE.fullmatch(row.code):
            yield row.code, -row.quantity
    for row in paper.rows.adjusted:
        yield row.code, row.quantity
    for row in paper.rows.returned:
        if not CHARGE_CODE.fullmatch(row.code):
            yield row.code, -row.quantity
