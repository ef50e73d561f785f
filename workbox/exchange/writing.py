"""Tables as files: CSV and XLSX, row by row, in constant memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from openpyxl import Workbook

from workbox.core.errors import RuleViolation
from workbox.exchange.cells import Cell, as_sheet_cell, as_text

CSV, XLSX = "csv", "xlsx"
FORMATS = (CSV, XLSX)
SHEET_ROWS_MAX = 1_048_576
BOM = "\ufeff"


class Writer(Protocol):
    """Takes rows."""

    def __call__(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append these rows."""


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(header: Sequence[str], chunks: Iterable[Iterable[Sequence[Cell]]], *, bom: bool = False) -> Iterator[str]:
    """The lines of a CSV file, one chunk of rows at a time."""
    writer: Any = csv.writer(_Echo())
    yield (BOM if bom else "") + writer.writerow([as_text(one) for one in header])
    for rows in chunks:
        yield "".join(writer.writerow([as_text(one) for one in row]) for row in rows)


@contextmanager
def writing(path: Path, kind: str, header: Sequence[str], *, bom: bool = False) -> Iterator[Writer]:
    """Write a table of this format to `path`: with its header now, with the rows that the caller hands over."""
    if kind == CSV:
        with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow([as_text(one) for one in header])
            yield lambda rows: lines.writerows([as_text(one) for one in row] for row in rows)
        return
    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("WorkBox")
    sheet.freeze_panes = "A2"
    sheet.append([as_sheet_cell(one) for one in header])

    def append(rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            sheet.append([as_sheet_cell(one) for one in row])

    try:
        yield append
        book.save(path)
    finally:
        book.close()


def check_size(kind: str, count: int) -> None:
    """Raise RuleViolation when a sheet cannot hold so many rows."""
    if kind == XLSX and count >= SHEET_ROWS_MAX:
        raise RuleViolation(
            f"A sheet holds {SHEET_ROWS_MAX - 1:,} rows; ask for CSV, or for less.", code="too_many_rows"
        )
