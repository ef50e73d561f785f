"""Compares the books with the file, day by day: units and money sold and taken back, and units adjusted."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection

from inventory.models import StockOperation
from orders.importing.plan import LOOKUP_SIZE, Survey, reference_of
from orders.importing.rows import Invoice, Row, read_days, sort_rows
from workbox.core.db import marks
from workbox.core.numbers import as_money, as_quantity

ZERO = Decimal(0)


@dataclass(slots=True)
class DayTotals:
    """One day's figures; units are of stocked products, money includes charges."""

    units_sold: Decimal = ZERO
    money_sold: Decimal = ZERO
    units_returned: Decimal = ZERO
    money_returned: Decimal = ZERO
    units_adjusted: Decimal = ZERO

    def as_dict(self) -> dict[str, Decimal]:
        """Figure by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


Days = dict[date, DayTotals]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The file's figures and the books', and the days on which they differ."""

    file: Days
    books: Days

    @property
    def differing_days(self) -> list[date]:
        """Days whose figures are not equal, to the last unit and cent."""
        return sorted(day for day in self.file | self.books if self.file.get(day) != self.books.get(day))

    def totals(self) -> dict[str, Any]:
        """Sums over all days, of the file and of the books."""
        return {name: _sum(days).as_dict() for name, days in (("file", self.file), ("books", self.books))}


def reconcile(path: Path, found: Survey) -> Reconciliation:
    """Count the file again and add up what the books hold under its invoices' numbers."""
    in_file, in_books = _days(), _days()
    numbers: list[str] = []
    for day in read_days(path, found.row_counts):
        for invoice in day.invoices:
            _count(invoice, in_file)
            numbers.append(invoice.number)
    for start in range(0, len(numbers), LOOKUP_SIZE):
        _add_up(numbers[start : start + LOOKUP_SIZE], in_books)
    return Reconciliation(dict(in_file), dict(in_books))


def _days() -> "defaultdict[date, DayTotals]":
    return defaultdict(DayTotals)


def _sum(days: Days) -> DayTotals:
    total = DayTotals()
    for figures in days.values():
        for name, value in figures.as_dict().items():
            setattr(total, name, getattr(total, name) + value)
    return total


def _count(invoice: Invoice, days: "defaultdict[date, DayTotals]") -> None:
    rows = sort_rows(invoice)
    if not rows.taken:
        return
    figures = days[invoice.at.date()]
    figures.units_sold += _units(rows.sold)
    figures.money_sold += sum((row.quantity * row.price for row in rows.sold), ZERO)
    figures.units_returned -= _units(rows.returned)
    figures.money_returned -= sum((row.quantity * row.price for row in rows.returned), ZERO)
    figures.units_adjusted += _units(rows.adjusted)


def _units(rows: Sequence[Row]) -> Decimal:
    return sum((row.quantity for row in rows if not row.is_charge), ZERO)


_UNITS = "SUM(CASE WHEN p.is_stocked THEN l.quantity ELSE 0 END)"
_MONEY = "ROUND(SUM(ROUND(l.quantity * l.unit_price, 4)), 4)"


def _add_up(numbers: Sequence[str], days: "defaultdict[date, DayTotals]") -> None:
    product = "JOIN inventory_product p ON p.id = l.product_id"
    lines = f"FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id {product}"
    given = f"FROM orders_return r JOIN orders_returnline l ON l.goods_return_id = r.id {product}"
    for sold_at, units, money in _grouped(f"o.placed_at, {_UNITS}, {_MONEY} {lines}", "o.external_reference", numbers):
        days[sold_at].units_sold += as_quantity(units)
        days[sold_at].money_sold += as_money(money)
    cancelled = f"o.cancelled_at, {_UNITS}, {_MONEY} {lines}"
    for ended_at, units, money in _grouped(cancelled, "o.cancelled_at IS NOT NULL AND o.external_reference", numbers):
        days[ended_at].units_returned += as_quantity(units)
        days[ended_at].money_returned += as_money(money)
    for back_at, units, money in _grouped(
        f"r.returned_at, {_UNITS}, {_MONEY} {given}", "r.external_reference", numbers
    ):
        days[back_at].units_returned += as_quantity(units)
        days[back_at].money_returned += as_money(money)
    moved = "FROM inventory_stockoperation o JOIN inventory_stockmovement m ON m.operation_id = o.id"
    kind = f"o.kind = '{StockOperation.Kind.ADJUSTMENT.value}' AND o.reference"
    references = [reference_of(number) for number in numbers]
    for moved_at, units, _ in _grouped(f"o.occurred_at, SUM(m.quantity), 0 {moved}", kind, references):
        days[moved_at].units_adjusted += as_quantity(units)


def _grouped(selected: str, condition: str, values: Sequence[str]) -> Iterator[tuple[date, Any, Any]]:
    """(day, units, money) of the selected rows; the first selected column is the moment that gives the day."""
    moment, _, rest = selected.partition(",")
    sql = f"SELECT DATE({moment}),{rest} WHERE {condition} IN ({marks(len(values))}) GROUP BY DATE({moment})"
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        for day, units, money in cursor.fetchall():
            yield date.fromisoformat(day) if isinstance(day, str) else day, units, money
