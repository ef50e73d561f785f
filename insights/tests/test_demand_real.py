"""A wholesaler's stream through `import_sales` and a nightly refit: the demand it gives beside the cleaned one.

The cleaned file's rules, found by trying them on the stream: paid lines above zero, codes in upper case; a credit note
line takes back the latest earlier sale of the same customer, code and exact quantity. Its cancellations reach into the
months after the stream ends. What differs from WorkBox's own rules is counted here, cell by cell.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Sum

from insights import demand, refit
from insights.models import DailyDemand
from orders.importing.rows import CHARGE_CODE
from workbox.core.numbers import as_quantity

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("WORKBOX_REAL_DATA"), reason="WORKBOX_REAL_DATA names no folder"),
]
CLEANED, TWO_WEEKS, WHOLE = (
    f"online_retail_{name}.csv.gz" for name in ("daily_demand_dev", "sample_2w", "dev")
)  # fmt: skip
Cell = tuple[str, date]
Panel = dict[Cell, int]


def rows_of(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(Path(os.environ["WORKBOX_REAL_DATA"]) / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def cleaned() -> Panel:
    return {(row["sku"], date.fromisoformat(row["date"])): int(row["units"]) for row in rows_of(CLEANED)}


def by_its_rules(name: str) -> Panel:
    """The cleaned file's rules on the stream itself."""
    found: dict[Cell, int] = defaultdict(int)
    open_: dict[tuple[str, str, int], list[date]] = defaultdict(list)
    for row in rows_of(name):
        units, code, day = int(row["Quantity"]), row["StockCode"].upper(), date.fromisoformat(row["InvoiceDate"][:10])
        if units > 0 and float(row["UnitPrice"]) > 0:
            found[code, day] += units
            open_[row["CustomerID"], code, units].append(day)
        elif units < 0 and row["InvoiceNo"].startswith("C") and open_[row["CustomerID"], code, -units]:
            found[code, open_[row["CustomerID"], code, -units].pop()] += units
    return found


def free_lines(name: str) -> Panel:
    """What was given away beside paid lines or to a named customer: WorkBox counts it, it leaves the shelf."""
    invoices: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(name):
        invoices[row["InvoiceNo"]].append(row)
    found: dict[Cell, int] = defaultdict(int)
    for rows in invoices.values():
        is_sale = bool(rows[0]["CustomerID"]) or any(
            float(row["UnitPrice"]) > 0 and int(row["Quantity"]) > 0 for row in rows
        )
        for row in rows:
            if is_sale and float(row["UnitPrice"]) == 0 and int(row["Quantity"]) > 0:
                day = date.fromisoformat(rows[0]["InvoiceDate"][:10])
                found[row["StockCode"].upper(), day] += int(row["Quantity"])
    return found


def kept() -> Panel:
    """WorkBox's history, codes that differ in case alone put together as the cleaned file does."""
    found: dict[Cell, int] = defaultdict(int)
    rows = DailyDemand.objects.filter(units__gt=0).order_by().values_list("product__sku", "day")
    for sku, day, units in rows.annotate(sold=Sum("units")):
        found[sku.upper(), day] += int(as_quantity(units))
    return found


def differences(one: Panel, other: Panel, cells: set[Cell]) -> Panel:
    return {cell: one.get(cell, 0) - other.get(cell, 0) for cell in cells if one.get(cell, 0) != other.get(cell, 0)}


def compare(name: str) -> dict[str, Any]:
    """Cells and units by which WorkBox differs from the cleaned file, by cause."""
    file, ours, theirs, free = cleaned(), kept(), by_its_rules(name), free_lines(name)
    skus, days = {sku for sku, _ in file}, {day for _, day in theirs}
    cells = {
        cell
        for cell in {*file, *ours, *theirs}
        if cell[0] in skus and cell[1] in days and not CHARGE_CODE.fullmatch(cell[0])
    }
    later = differences(theirs, file, cells)
    rest = {}
    for cell in cells:
        left = ours.get(cell, 0) - theirs.get(cell, 0) - free.get(cell, 0)
        if left:
            rest[cell] = left
    return {
        "cells": len(cells),
        "units": sum(file.get(cell, 0) for cell in cells),
        "equal": sum(ours.get(cell, 0) == file.get(cell, 0) for cell in cells),
        "cancelled after the stream's end": (len(later), sum(later.values())),
        "given away": (len(given := [free[cell] for cell in cells if free.get(cell)]), sum(given)),
        "matched to another sale": (len(rest), sum(rest.values())),
    }


def imported(name: str) -> None:
    call_command("import_sales", str(Path(os.environ["WORKBOX_REAL_DATA"]) / name), "--json", stdout=StringIO())
    demand.catch_up()


def test_two_weeks_through_the_importer_give_the_cleaned_demand_but_for_what_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported(TWO_WEEKS)
    assert compare(TWO_WEEKS) == {
        "cells": 11_679,
        "units": 279_244,
        "equal": 11_523,
        "cancelled after the stream's end": (152, 998),
        "given away": (2, 460),
        "matched to another sale": (2, 0),
    }
    assert list(demand.drifts()) == []
    monkeypatch.setattr("insights.facts.today", lambda: date(2011, 10, 1))
    run = refit.refit()
    assert run.curves_count > 2000


@pytest.mark.skipif(not os.environ.get("WORKBOX_REAL_WHOLE"), reason="takes a quarter of an hour: WORKBOX_REAL_WHOLE=1")
def test_ten_months_give_the_cleaned_demand_but_for_what_is_listed() -> None:
    imported(WHOLE)
    assert compare(WHOLE) == {
        "cells": 200_824,
        "units": 3_773_693,
        "equal": 199_765,
        "cancelled after the stream's end": (351, 3292),
        "given away": (353, 2294),
        "matched to another sale": (361, 2794),
    }
