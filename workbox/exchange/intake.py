"""Files that come in: known by what is in them, bounded before they are parsed, read row by row.

A file is bytes of a stranger: 20 MB at most, 50,000 rows, 100 columns; an XLSX is looked at as an archive first, so
that one which unpacks to gigabytes is refused unread. XML entities are refused by defusedxml, which openpyxl uses.
"""

import csv
import secrets
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from workbox.exchange.cells import from_file
from workbox.exchange.errors import FileRefused
from workbox.exchange.models import folder
from workbox.exchange.writing import CSV, XLSX

FILE_BYTES_MAX = 20 * 1024 * 1024
ROWS_MAX = 50_000
COLUMNS_MAX = 100
CELL_LENGTH_MAX = 5000
UNPACKED_BYTES_MAX = 150 * 1024 * 1024
MEMBERS_MAX = 1000
BLANK_LINES_MAX = 100_000
ZIP_MAGIC = b"PK\x03\x04"
SNIFFED_BYTES = 64 * 1024
_TORN = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, DefusedXmlException, KeyError, ValueError,
    TypeError, IndexError, AttributeError, EOFError, OverflowError, NotImplementedError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Received:
    """A file as it lies in our folder."""

    file_name: str
    format: str
    columns: list[str]


def keep(chunks: Iterable[bytes]) -> Path:
    """The bytes lie in a file of our own naming; raises FileRefused beyond FILE_BYTES_MAX."""
    folder().mkdir(parents=True, exist_ok=True)
    path, size = folder() / secrets.token_hex(16), 0
    with path.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > FILE_BYTES_MAX:
                path.unlink()
                raise FileRefused("The file is larger than 20 MB.", code="too_large")
            file.write(chunk)
    return path


def receive(path: Path) -> Received:
    """What kind of file this is and what its columns are called; raises FileRefused (and forgets the file)."""
    try:
        kind = sniff(path)
        with closing(rows_of(path, kind)) as rows:
            header = [one.strip() for one in next(rows, (0, []))[1]]
        if not any(header):
            raise FileRefused("The file is empty: its first line has to name the columns.", code="empty_file")
        twice = sorted({name for name in header if name and header.count(name) > 1})
        if twice:
            raise FileRefused(f"Two columns are called {twice[0]!r}.", code="duplicate_column")
    except FileRefused:
        path.unlink(missing_ok=True)
        raise
    return Received(path.name, kind, header)


def sniff(path: Path) -> str:
    """`csv` or `xlsx`, by content; the file's name and the client's content type say nothing. Raises FileRefused."""
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    if head.startswith(ZIP_MAGIC):
        _check_archive(path)
        return XLSX
    if b"\x00" in head or head.startswith((b"%PDF", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")):
        raise FileRefused("This is neither CSV nor XLSX; save it as one of them.", code="unknown_format")
    return CSV


def _check_archive(path: Path) -> None:
    """An XLSX that is one, and is not much larger than it looks; nothing is unpacked for it."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _TORN as error:
        raise FileRefused("The file is a torn archive.", code="torn_file") from error
    if len(members) > MEMBERS_MAX or sum(one.file_size for one in members) > UNPACKED_BYTES_MAX:
        raise FileRefused("The file would unpack to more than 150 MB.", code="unpacks_too_large")
    if "xl/workbook.xml" not in {one.filename for one in members}:
        raise FileRefused("This archive is no XLSX file.", code="unknown_format")


def rows_of(path: Path, kind: str) -> Generator[tuple[int, list[str]], None, None]:
    """(line number, cells as text) of every line that is not empty, the header first; raises FileRefused."""
    blank = 0
    lines = _csv_rows(path) if kind == CSV else _sheet_rows(path)
    for index, (number, cells) in enumerate(_refusing(lines)):
        if len(cells) > COLUMNS_MAX and any(cells[COLUMNS_MAX:]):
            raise FileRefused(f"Line {number} has more than {COLUMNS_MAX} columns.", code="too_wide")
        cells = cells[:COLUMNS_MAX]
        if not any(cells):
            blank += 1
            if blank > BLANK_LINES_MAX:
                raise FileRefused("The file is mostly empty lines.", code="too_many_rows")
            continue
        if index - blank > ROWS_MAX:
            raise FileRefused(f"The file has more than {ROWS_MAX:,} rows; split it.", code="too_many_rows")
        yield number, cells


def _refusing(lines: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """What a parser says of a file that is not what it should be, as a FileRefused."""
    while True:
        try:
            line = next(lines, None)
        except FileRefused:
            raise
        except (csv.Error, UnicodeDecodeError, *_TORN) as error:
            raise FileRefused(f"The file cannot be read: {type(error).__name__}.", code="torn_file") from error
        if line is None:
            return
        yield line


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    encoding = _encoding(path)
    first = head.decode(encoding, errors="replace").splitlines()[:1]
    delimiter = max(",;\t|", key=first[0].count) if first else ","
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        for cells in reader:
            yield reader.line_num, [from_file(one[: CELL_LENGTH_MAX + 1]) for one in cells]


def _encoding(path: Path) -> str:
    """UTF-8 with or without a mark; what is not UTF-8 is taken for what Excel writes in the West."""
    with path.open("rb") as file:
        try:
            for line in file:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _sheet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open("rb") as file:  # openpyxl judges a path by its ending
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            sheet: Any = book.worksheets[0]
            sheet.reset_dimensions()  # a file may say that its one row is a million columns wide
            rows = sheet.iter_rows(values_only=True, max_col=COLUMNS_MAX + 1)
            for number, cells in enumerate(rows, start=1):
                yield number, [from_file(one)[: CELL_LENGTH_MAX + 1] for one in cells]
        finally:
            book.close()


def read_mapped(
    path: Path, kind: str, columns: Sequence[str], mapping: dict[str, str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, our field → text) of every row, blank cells left out."""
    places = {name: columns.index(column) for name, column in mapping.items() if column in columns}
    for number, cells in islice(rows_of(path, kind), 1, None):
        yield number, {name: cells[at] for name, at in places.items() if at < len(cells) and cells[at].strip()}
