"""Writes what the plan says through the services, in small transactions, so that a killed run is simply run again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from inventory.models import MovementType, Product, StockOperation, Warehouse
from inventory.services import ledger
from inventory.services.catalog import create_products
from inventory.services.ledger import Movement, PastOperation
from orders.history import Past, PastAdjustment, PastLine, PastOrder, PastReturn, record_history
from orders.importing.plan import Paper, Plan, Survey, read_papers, reference_of
from orders.importing.rows import CHARGE_CODE, Row
from orders.models import Customer
from workbox.core.commands import Tick
from workbox.core.errors import NotFound, RuleViolation

BATCH_ROWS = 1000
BATCH_PRODUCTS = 200
OPENING_REFERENCE = "IMPORT-OPENING"
NAME_LENGTH_MAX, REASON_LENGTH_MAX, COUNTRY_LENGTH_MAX = 200, 500, 60


def warehouse_for(code: str | None, *, create: bool) -> Warehouse | None:
    """The open, selling warehouse with that code, or the default one; the first import of an empty shop opens MAIN.

    Without `create` an empty shop answers None. Raises NotFound for an unknown code, RuleViolation for a place that
    does not sell.
    """
    if code:
        found = Warehouse.objects.filter(code=code).first()
        if found is None:
            known = ", ".join(Warehouse.objects.order_by("priority").values_list("code", flat=True)) or "none yet"
            raise NotFound(f"There is no warehouse {code}; known: {known}.")
        if not (found.is_sellable and found.is_active):
            raise RuleViolation(f"Warehouse {code} does not sell; sales cannot have left from there.")
        return found
    if Warehouse.objects.exists():
        return ledger.default_warehouse()
    return Warehouse.objects.create(code="MAIN", name="Main warehouse", priority=1) if create else None


@dataclass(slots=True)
class Booking:
    """Everything the writing needs to know: where, and which id a code has."""

    warehouse_id: int
    products: dict[str, int]
    customers: dict[str, int]


def book(path: Path, found: Survey, planned: Plan, warehouse: Warehouse, *, stage: Callable[[str], Tick]) -> None:
    """The file is in the books: products, customers, opening stock, then every paper in the file's order.

    Each batch is one transaction that leaves nothing half done; what earlier runs wrote is recognised by its reference.
    Raises RuntimeError unless exactly the planned rows were written.
    """
    products = _ensure_products(found, stage("products"))
    booking = Booking(warehouse.pk, products, _ensure_customers(found))
    _open_stock(found, planned, booking)
    tick = stage("papers")
    written = planned.known + planned.refused
    tick(written)
    for papers, _ in read_papers(path, found):
        for batch in _batches(papers):
            record_history(list(_past(batch, booking, found)), warehouse_id=warehouse.pk)
            written += sum(paper.rows.taken for paper in batch)
            tick(written)
    if written != planned.rows:
        raise RuntimeError(f"{planned.rows} rows were planned and {written} written; was the file changed meanwhile?")


def _ensure_products(found: Survey, tick: Tick) -> dict[str, int]:
    """Every code is a product: named as it was mostly sold, at its last price; charges keep no stock."""
    known = dict(Product.objects.values_list("sku", "id"))
    missing = sorted(found.names.keys() - known.keys())

    for some in _chunks(missing, BATCH_PRODUCTS):
        new = [
            Product(
                sku=code,
                name=found.name_of(code)[:NAME_LENGTH_MAX],
                price=found.prices.get(code, Decimal(0)),
                is_stocked=CHARGE_CODE.fullmatch(code) is None,
            )
            for code in some
        ]
        known |= create_products(new)
        tick(len(known))
    return {code: known[code] for code in found.names}


def _ensure_customers(found: Survey) -> dict[str, int]:
    known = dict(Customer.objects.values_list("code", "id"))
    missing = sorted(found.countries.keys() - known.keys())
    new = [Customer(code=code, country=found.countries[code][:COUNTRY_LENGTH_MAX]) for code in missing]
    Customer.objects.bulk_create(new, batch_size=BATCH_ROWS, ignore_conflicts=True)
    return dict(Customer.objects.values_list("code", "id")) if new else known


def _open_stock(found: Survey, planned: Plan, booking: Booking) -> None:
    """What must have been there before the first paper, dated the day before it."""
    if found.first_at is None:
        return
    eve = found.first_at - timedelta(days=1)
    for some in _chunks(sorted(planned.opening), BATCH_ROWS):
        lines = [
            Movement(booking.products[code], booking.warehouse_id, MovementType.PURCHASE, planned.opening[code])
            for code in some
        ]
        reason = "Opening stock computed from the imported sales"
        ledger.post_past([PastOperation(StockOperation.Kind.OPENING, lines, eve, reason, OPENING_REFERENCE)])


def _batches(papers: Iterable[Paper]) -> Iterator[list[Paper]]:
    """New papers in their order, about BATCH_ROWS rows at a time."""
    batch: list[Paper] = []
    rows = 0
    for paper in papers:
        if paper.is_known:
            continue
        batch.append(paper)
        rows += paper.rows.taken
        if rows >= BATCH_ROWS:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch


def _past(papers: Iterable[Paper], booking: Booking, found: Survey) -> Iterator[Past]:
    for paper in papers:
        invoice, rows = paper.invoice, paper.rows
        customer_id = booking.customers.get(invoice.customer)
        if rows.sold:
            cancelled_by = paper.cancelled_by
            country = "" if invoice.customer else invoice.rows[0].country
            yield PastOrder(
                invoice.number,
                invoice.at,
                _lines(rows.sold, booking),
                customer_id,
                notes=f"Cancelled by {cancelled_by.number}" if cancelled_by else country,
                cancelled_at=max(cancelled_by.at, invoice.at) if cancelled_by else None,
            )
        if rows.returned and not paper.cancels:
            reason = "; ".join(dict.fromkeys(row.description for row in rows.returned if row.is_charge))
            lines = _lines(rows.returned, booking)
            yield PastReturn(invoice.number, invoice.at, lines, customer_id, reason[:REASON_LENGTH_MAX])
        for row in rows.adjusted:
            reason = row.description or "No remark in the imported file"
            product_id = booking.products[row.code]
            yield PastAdjustment(reference_of(invoice.number), invoice.at, product_id, row.quantity, reason)


def _lines(rows: Sequence[Row], booking: Booking) -> list[PastLine]:
    return [PastLine(booking.products[row.code], abs(row.quantity), row.price) for row in rows]


def _chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
