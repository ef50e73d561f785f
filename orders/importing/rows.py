"""Reads the file row by row, and says of every row what it is: sold, returned, adjusted, or refused with a reason."""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from io import BufferedReader
from pathlib import Path

from workbox.core.errors import Invalid
from workbox.core.numbers import MONEY_MAX, MONEY_PLACES, QUANTITY_MAX, has_places, parse_decimal

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
# Postage, carriage, manual entries, discounts, samples, fees, vouchers: sold like products, but no stock is kept.
CHARGE_CODE = re.compile(r"POST|DOT|M|m|C2|D|S|BANK CHARGES|AMAZONFEE|CRUK|B|gift_0001_\d+|DCGS.*")
CODE_LENGTH_MAX = 64
GZIP_MAGIC = b"\x1f\x8b"
DATE_STYLES = ("%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an invoice as the file has it; `quantity` keeps its sign."""

    number: int
    invoice: str
    code: str
    description: str
    quantity: Decimal
    at: datetime
    price: Decimal
    customer: str
    country: str

    @property
    def is_charge(self) -> bool:
        """True for codes that stand for money only."""
        return CHARGE_CODE.fullmatch(self.code) is not None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is not taken over: where it stands and why."""

    number: int
    invoice: str
    code: str
    reason: str


@dataclass(slots=True)
class Invoice:
    """All rows under one number. Its customer and time are those of its first row."""

    number: str
    rows: list[Row] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        """When it was written."""
        return self.rows[0].at

    @property
    def customer(self) -> str:
        """The customer's code, empty when the file names none."""
        return self.rows[0].customer

    @property
    def is_cancellation(self) -> bool:
        """A credit note: something is taken back."""
        return self.number[:1] in "Cc"


@dataclass(slots=True)
class Sorted:
    """An invoice's rows by what they do to the books."""

    sold: list[Row] = field(default_factory=list)
    returned: list[Row] = field(default_factory=list)
    adjusted: list[Row] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """How many rows enter the books."""
        return len(self.sold) + len(self.returned) + len(self.adjusted)


def sort_rows(invoice: Invoice) -> Sorted:
    """What each row of the invoice is; every row ends up in exactly one list."""
    found = Sorted()
    is_sale = any(row.price > 0 and row.quantity > 0 for row in invoice.rows) or bool(invoice.customer)
    for row in invoice.rows:
        reason = _why_not(row, invoice, is_sale=is_sale)
        if reason:
            found.refused.append(Refusal(row.number, row.invoice, row.code, reason))
        elif invoice.is_cancellation:
            found.returned.append(row)
        elif row.quantity > 0 and is_sale:
            found.sold.append(row)
        else:
            found.adjusted.append(row)
    return found


def _why_not(row: Row, invoice: Invoice, *, is_sale: bool) -> str:
    """Why the row may not enter the books; empty when it may."""
    if invoice.number[:1] in "Aa":
        return "bad debt is bookkeeping: no goods moved and nothing was sold"
    if row.price < 0:
        return "the price is negative"
    if invoice.is_cancellation:
        return "a cancellation must have a negative quantity" if row.quantity > 0 else ""
    if row.quantity < 0 and row.price > 0:
        return "a negative quantity with a price is neither a sale, a cancellation nor an adjustment"
    if row.price == 0 and row.is_charge and not (row.quantity > 0 and is_sale):
        return "a charge without a price changes neither stock nor money"
    return ""


# ---- reading ---------------------------------------------------------------------------------------------------------
def read_rows(path: Path) -> Iterator[Row | Refusal]:
    """The file's rows in order, each with its line number; memory does not grow with the file.

    Raises Invalid when it is no such file: not there, cut off, no CSV, or without the columns.
    """
    try:
        with _open(path) as file:
            reader = csv.reader(_decoded(file))
            places = _places(next(reader, []))
            for cells in reader:
                if cells:
                    yield _row(reader.line_num, cells, places)
    except (OSError, EOFError, csv.Error) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        is_packed = file.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if is_packed else path.open("rb")


def _decoded(file: Iterable[bytes]) -> Iterator[str]:
    """Lines as text: UTF-8, and Windows' Western set for the lines that are not (the file's older editions)."""
    for number, line in enumerate(file):
        try:
            text = line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError:
            text = line.decode("cp1252", errors="replace")
        yield text


def _places(header: Sequence[str]) -> tuple[int, ...]:
    names = [name.strip().replace(" ", "").lower() for name in header]
    wanted = {"invoiceno": "invoice", "unitprice": "price"}  # as the second edition of the data names them
    places = []
    for column in COLUMNS:
        found = [key for key in (column.lower(), wanted.get(column.lower(), "")) if key in names]
        if not found:
            raise Invalid(f"This is no file in the Online Retail format: the column {column} is missing.")
        places.append(names.index(found[0]))
    return tuple(places)


def _row(number: int, cells: Sequence[str], places: Sequence[int]) -> Row | Refusal:
    if len(cells) <= max(places):
        return Refusal(number, cells[0], "", f"only {len(cells)} columns")
    invoice, code, description, quantity_text, at_text, price_text, customer, country = (cells[one] for one in places)
    invoice, code = invoice.strip(), code.strip()
    quantity, price, at = parse_decimal(quantity_text), parse_decimal(price_text), _moment(at_text)
    if quantity is None or price is None or at is None:
        text = "quantity" if quantity is None else "price" if price is None else "date"
        return Refusal(number, invoice, code, f"the {text} cannot be read")
    reason = _unusable(invoice, code, quantity, price)
    if reason:
        return Refusal(number, invoice, code, reason)
    customer = customer.strip().removesuffix(".0")
    return Row(number, invoice, code, description.strip(), quantity, at, price, customer, country.strip())


def _unusable(invoice: str, code: str, quantity: Decimal, price: Decimal) -> str:
    if not invoice or not code:
        return "no invoice number" if not invoice else "no stock code"
    if len(code) > CODE_LENGTH_MAX or len(invoice) > CODE_LENGTH_MAX:
        return f"a number or code is longer than {CODE_LENGTH_MAX} characters"
    if quantity == 0 or not has_places(quantity, 0) or abs(quantity) > QUANTITY_MAX:
        return "the quantity must be a whole number other than zero, at most a thousand million"
    if not has_places(price, MONEY_PLACES) or abs(price) > MONEY_MAX:
        return f"the price has more than {MONEY_PLACES} decimal places or is too large"
    return ""


def _moment(text: str) -> datetime | None:
    """The file's local time, kept as it stands and called UTC, so that a day in the books is a day in the file."""
    text = text.strip()
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        pass
    for style in DATE_STYLES:
        try:
            return datetime.strptime(text, style).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


# ---- rows to invoices, invoices to days ------------------------------------------------------------------------------
@dataclass(slots=True)
class Day:
    """The invoices that were complete on one day, in the file's order, and the rows refused meanwhile."""

    invoices: list[Invoice] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def read_days(path: Path, row_counts: Counter[str]) -> Iterator[Day]:
    """The file day by day. `row_counts` (usable rows per invoice) says when one is complete: its rows may lie apart."""
    day, started = Day(), None
    open_: dict[str, Invoice] = {}
    for row in read_rows(path):
        if isinstance(row, Refusal):
            day.refused.append(row)
            continue
        if started is not None and row.at.date() != started:
            yield day
            day = Day()
        started = row.at.date()
        invoice = open_.setdefault(row.invoice, Invoice(row.invoice))
        invoice.rows.append(row)
        if len(invoice.rows) == row_counts[row.invoice]:
            day.invoices.append(open_.pop(row.invoice))
    yield day
