"""Many corrections in one call: stock and prices, all of them or each on its own.

The same rules as one by one, at a fraction of the statements. What a rule refuses whatever the stock is, is put aside
before anything is locked, and what is short before anything is written: the rest is taken together. Only where that is
refused all the same is it halved until the refused line is alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from django.db import transaction

from inventory.errors import InsufficientStock, ProductUnknown, Shortage
from inventory.events import inventory_update, product_updated
from inventory.services import ledger
from inventory.services.holds import has_expired, release_expired
from inventory.services.ledger import Movement
from inventory.services.levels import Shelf, hold, read_shelf
from workbox.core import changes as history
from workbox.core import events
from workbox.core.db import TryAgain, execute, in_parts, marks, retrying, transactional, utc_text
from workbox.core.errors import DomainError, RuleViolation

T = TypeVar("T")
ZERO = Decimal(0)
ROWS_MAX = 10_000
PRODUCTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class BulkLine:
    """A line to post, and why; `line.quantity` is signed already."""

    line: Movement
    reason: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a product costs from now on."""

    product_id: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the row at `index`; `error` None: it is done."""

    index: int
    error: DomainError | None = None


@transactional
def post_all(rows: Sequence[BulkLine], *, kind: str) -> list[int]:
    """All lines are in the ledger, or none: one operation per reason and reference; returns the operations' ids.

    Raises as `ledger.post`.
    """
    hold(row.line.product_id for row in rows)  # several operations: lock once, in order
    together: dict[tuple[str, str], list[Movement]] = {}
    for row in rows:
        together.setdefault((row.reason, row.reference), []).append(row.line)
    return [
        ledger.post(lines, kind=kind, reason=reason, reference=reference).operation_id
        for (reason, reference), lines in together.items()
    ]


@transactional
def post_each(rows: Sequence[BulkLine], *, kind: str) -> list[Outcome]:
    """Every line that the rules allow is in the ledger, one after the other; what became of each, in order."""
    errors = ledger.faults_of([row.line for row in rows], kind=kind)
    sound = [index for index in range(len(rows)) if index not in errors]
    errors |= _shortages({index: rows[index].line for index in sound})
    return _each_but(errors, rows, lambda part: post_all(part, kind=kind))


def _shortages(lines: Mapping[int, Movement]) -> dict[int, DomainError]:
    """Which of these lines take more than is there after those before them; their products are held from here on."""
    ids = {line.product_id for line in lines.values()}
    hold(ids)
    if retrying():
        release_expired(ids)
    shelf = read_shelf(ids)
    left: dict[tuple[int, int], Decimal] = {}
    short: dict[int, Shortage] = {}
    for index, line in lines.items():
        place = (line.product_id, line.warehouse_id)
        level = shelf.level(*place)
        free = left.get(place, level.available if level else ZERO)
        if free + line.quantity < 0:
            product = shelf.products[line.product_id]
            short[index] = Shortage(product.id, product.sku, product.name, -line.quantity, free)
        else:
            left[place] = free + line.quantity
    if short and not retrying() and has_expired(one.product_id for one in short.values()):
        raise TryAgain("a hold on what is short is over")
    return {index: InsufficientStock([one]) for index, one in short.items()}


@transactional
def price_all(rows: Sequence[NewPrice]) -> None:
    """These products have their new prices, or none has.

    Expects every product once. Raises ProductUnknown, RuleViolation (a price that is not above zero).
    """
    ids = sorted(row.product_id for row in rows)
    prices = {row.product_id: row.price for row in rows}
    hold(ids)
    shelf = read_shelf(ids)
    _check_prices(sorted(rows, key=lambda row: row.product_id), shelf)
    for part in in_parts(ids, PRODUCTS_AT_ONCE):
        values = [value for one in part for value in (one, prices[one])]
        execute(
            f"UPDATE inventory_product SET price = (CASE id{' WHEN %s THEN %s' * len(part)} END), updated_at = %s"  # noqa: S608  (only placeholders and our own words)
            f" WHERE id IN ({marks(len(part))})",
            [*values, utc_text(), *part],
        )
    history.record(
        change
        for one in ids
        for change in history.differences(
            history.PRODUCT, one, before={"price": shelf.products[one].price}, after={"price": prices[one]}
        )
    )
    for part in in_parts(ids, PRODUCTS_AT_ONCE):
        events.append(
            event
            for one in part
            for product in [shelf.products[one]]
            for event in (
                inventory_update(
                    product_id=one,
                    sku=product.sku,
                    name=product.name,
                    price=prices[one],
                    on_hand=product.on_hand,
                    reserved=product.reserved,
                    available=product.available,
                    version=product.version,
                    levels=[(level.warehouse_id, level.on_hand, level.reserved) for level in shelf.levels[one]],
                ),
                product_updated(
                    product_id=one,
                    sku=product.sku,
                    name=product.name,
                    price=prices[one],
                    is_active=product.is_active,
                ),
            )
        )


@transactional
def price_each(rows: Sequence[NewPrice]) -> list[Outcome]:
    """Every product whose new price the rules allow has it; what became of each, in order."""
    shelf = read_shelf((row.product_id for row in rows), levels=False)
    errors: dict[int, DomainError] = {}
    for index, row in enumerate(rows):
        try:
            _check_prices([row], shelf)
        except DomainError as error:
            errors[index] = error
    hold(row.product_id for index, row in enumerate(rows) if index not in errors)
    return _each_but(errors, rows, price_all)


def _check_prices(rows: Sequence[NewPrice], shelf: Shelf) -> None:
    missing = [row.product_id for row in rows if row.product_id not in shelf.products]
    if missing:
        raise ProductUnknown(
            f"There is no product {', '.join(map(str, missing))}.", fields={"product_id": ["unknown product"]}
        )
    products = [(shelf.products[row.product_id], row.price) for row in rows]
    wrong = [one.sku for one, price in products if price < 0 or (price == 0 and one.is_stocked)]
    if wrong:
        raise RuleViolation(
            f"A price must be above zero: {', '.join(wrong)}.",
            code="price_not_positive",
            fields={"price": ["must be above zero"]},
        )


def _each_but(
    errors: Mapping[int, DomainError], rows: Sequence[T], work: Callable[[Sequence[T]], object]
) -> list[Outcome]:
    """`_each` of the rows that have no error yet; what became of all of them, in order."""
    open_rows = [index for index in range(len(rows)) if index not in errors]
    done = _each([rows[index] for index in open_rows], work)
    found = dict(errors) | {open_rows[one.index]: one.error for one in done}
    return [Outcome(index, found[index]) for index in range(len(rows))]


def _each(rows: Sequence[T], work: Callable[[Sequence[T]], object], first: int = 0) -> list[Outcome]:
    """Do them together; if that is refused, each half by itself. A part that is refused leaves nothing behind."""
    if not rows:
        return []
    try:
        with transaction.atomic():
            work(rows)
    except DomainError as error:
        if len(rows) == 1:
            return [Outcome(first, error)]
        middle = len(rows) // 2
        return [*_each(rows[:middle], work, first), *_each(rows[middle:], work, first + middle)]
    return [Outcome(first + index) for index in range(len(rows))]
