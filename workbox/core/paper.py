"""Paper: A4 pages with a heading, facts, text and tables that flow over pages, in a font that knows most scripts.

Knows no product and no order: the rooms above hand over rows of text and get the bytes of a PDF.
"""

import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from workbox.core.symbols import draw_symbol, symbol_for

REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
MISSING = "\N{REPLACEMENT CHARACTER}"  # what stands where the font has no glyph
ELLIPSIS = "…"
MARGIN = 16 * mm
FOOTER = 12 * mm
TEXT_SIZE, SMALL_SIZE, HEAD_SIZE = 9.0, 7.5, 16.0
LEADING = 1.3  # line height ÷ font size
CELL_PAD = 1.4 * mm
CODE_WIDTH = 58 * mm
INK, SOFT, LINE = HexColor("#111827"), HexColor("#6b7280"), HexColor("#d1d5db")
_FONTS = Path(__file__).parent / "fonts"
_NUMBER = re.compile(r"\d[\d.,:/-]*")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_JOINS_RIGHT_TO_LEFT = frozenset({"R", "AL", "NSM", "WS", "CS", "ON", "EN", "AN", "ES", "ET"})


# ---- text ------------------------------------------------------------------------------------------------------------
@cache
def _glyphs(font: str) -> frozenset[int]:
    loaded = TTFont(font, str(_FONTS / f"{font}.ttf"))
    pdfmetrics.registerFont(loaded)
    return frozenset(loaded.face.charToGlyph)


def ready() -> None:
    """Both fonts are known to the PDF library."""
    for font in (REGULAR, BOLD):
        _glyphs(font)


def printable(text: object, font: str = REGULAR) -> str:
    """The text as it is drawn: one line, a visible mark for each character the font lacks, right-to-left words turned.

    Letters of Arabic are not joined: legible, not beautiful.
    """
    known = _glyphs(font)
    shown = "".join(
        " " if one.isspace() else one if ord(one) in known else MISSING
        for one in unicodedata.normalize("NFC", str(text))
        if one.isspace() or unicodedata.category(one) not in {"Cc", "Cf"}
    )
    return shown if shown.isascii() else _turned(shown)


def _turned(text: str) -> str:
    """Runs of right-to-left words in the order in which they are drawn from the left."""
    drawn: list[str] = []
    at = 0
    while at < len(text):
        if unicodedata.bidirectional(text[at]) not in _RIGHT_TO_LEFT:
            drawn.append(text[at])
            at += 1
            continue
        end = at
        while end < len(text) and unicodedata.bidirectional(text[end]) in _JOINS_RIGHT_TO_LEFT:
            end += 1
        while unicodedata.bidirectional(text[end - 1]) not in _RIGHT_TO_LEFT:
            end -= 1
        drawn.append(_NUMBER.sub(lambda found: found.group()[::-1], text[at:end][::-1]))  # numbers run to the right
        at = end
    return "".join(drawn)


def width_of(text: str, font: str, size: float) -> float:
    """In points."""
    width: float = pdfmetrics.stringWidth(text, font, size)
    return width


def wrapped(text: object, font: str, size: float, width: float, *, most: int = 0) -> list[str]:
    """The text in lines no wider than `width`; `most` lines at most (0: as many as it takes), cut with an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in printable(text, font).split():
        together = f"{line} {word}" if line else word
        if width_of(together, font, size) <= width:
            line = together
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, font, size, width)
        lines += full
    lines.append(line)
    if most and len(lines) > most:
        lines = [*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), font, size, width)]
    return lines


def _pieces(word: str, font: str, size: float, width: float) -> list[str]:
    """A word that may be wider than the column, in pieces that are not."""
    pieces, piece = [], ""
    for one in word:
        if piece and width_of(piece + one, font, size) > width:
            pieces.append(piece)
            piece = ""
        piece += one
    return [*pieces, piece]


def _cut(text: str, font: str, size: float, width: float) -> str:
    while text and width_of(text + ELLIPSIS, font, size) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


# ---- pages -----------------------------------------------------------------------------------------------------------
class _CountedCanvas(Canvas):
    """Keeps its pages until it is saved: only then is known how many there are."""

    def __init__(self, *args: Any, foot: Callable[[Any, int, int], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._foot, self._kept = foot, []  # type: ignore[var-annotated]  # a list of page states

    def showPage(self) -> None:  # noqa: N802  (the library's name)
        """The page is kept."""
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Every page gets its foot; then the file is written."""
        kept = self._kept
        for number, page in enumerate(kept, start=1):
            self.__dict__.update(page)
            self._foot(self, number, len(kept))
            super().showPage()
        super().save()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `width` in millimetres, 0 takes what the others leave."""

    title: str
    width: float = 0
    align: str = "left"
    font: str = REGULAR


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `box` draws a frame to write into where a cell is empty, `strong` prints it bold."""

    cells: Sequence[object]
    strong: bool = False
    box: bool = False


@dataclass(slots=True)
class Sheet:
    """One document on A4. Call its parts from top to bottom, then `finish`."""

    title: str
    sender: str = ""
    foot: str = ""
    mark: str = ""  # across every page: DRAFT, CANCELLED
    _file: io.BytesIO = field(default_factory=io.BytesIO)
    _canvas: Any = None
    _y: float = 0

    def __post_init__(self) -> None:
        ready()
        self._canvas = _CountedCanvas(self._file, pagesize=A4, foot=self._draw_foot, invariant=1, lang="en")
        self._canvas.setTitle(self.title)
        self._canvas.setAuthor(self.sender.partition("\n")[0] or "WorkBox")
        self._y = A4[1] - MARGIN

    @property
    def width(self) -> float:
        """Of the text, in points."""
        room: float = A4[0] - 2 * MARGIN
        return room

    # ---- parts ----
    def heading(self, *, code: str = "") -> None:
        """The sender, the document's title, and a code to scan it by at the right."""
        room = self.width - (CODE_WIDTH + 4 * mm if code else 0)
        top = self._y
        for line in filter(None, self.sender.splitlines()):
            self._line(line, size=SMALL_SIZE, color=SOFT, width=room)
        self._y -= 1 * mm
        for line in wrapped(self.title, BOLD, HEAD_SIZE, room):
            self._line(line, font=BOLD, size=HEAD_SIZE, width=room)
        if code:
            symbol = symbol_for(code, width=58 * mm)
            draw_symbol(
                self._canvas, symbol, x=A4[0] - MARGIN - 58 * mm, y=top - 13 * mm, width=58 * mm, height=13 * mm
            )
            self._canvas.setFont(REGULAR, SMALL_SIZE)
            self._canvas.setFillColor(SOFT)
            self._canvas.drawRightString(A4[0] - MARGIN - 2 * mm, top - 16 * mm, printable(code))
            self._y = min(self._y, top - 18 * mm)
        self._y -= 3 * mm

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values in two columns; those without a value are left out."""
        shown = [(name, str(value)) for name, value in pairs if str(value or "").strip()]
        half, label = self.width / 2, 28 * mm
        room = half - label - 4 * mm
        for left in range(0, len(shown), 2):
            pair = shown[left : left + 2]
            cells = [
                [line for part in value.splitlines() for line in wrapped(part, REGULAR, TEXT_SIZE, room)]
                for _, value in pair
            ]
            height = max(map(len, cells)) * TEXT_SIZE * LEADING
            self._need(height)
            for column, ((name, _), lines) in enumerate(zip(pair, cells, strict=True)):
                x = MARGIN + column * half
                self._text(x, self._y - TEXT_SIZE, name, color=SOFT)
                for number, line in enumerate(lines):
                    self._text(x + label, self._y - TEXT_SIZE - number * TEXT_SIZE * LEADING, line)
            self._y -= height + 0.8 * mm
        self._y -= 3 * mm

    def text(self, words: str, *, strong: bool = False) -> None:
        """A paragraph."""
        font = BOLD if strong else REGULAR
        for part in words.splitlines():
            for line in wrapped(part, font, TEXT_SIZE, self.width):
                self._line(line, font=font)
        self._y -= 2 * mm

    def gap(self, millimetres: float) -> None:
        """Room."""
        self._y -= millimetres * mm

    def table(self, columns: Sequence[Column], rows: Iterable[Row]) -> int:
        """Rows under their titles, which come again on every page; returns how many rows there were."""
        rest = self.width - sum(column.width for column in columns) * mm
        open_columns = sum(1 for column in columns if not column.width) or 1
        widths = [column.width * mm or rest / open_columns for column in columns]
        self._need(14 * mm)
        self._titles(columns, widths)
        count = 0
        for row in rows:
            self._row(columns, widths, row)
            count += 1
        self._y -= 3 * mm
        return count

    def finish(self) -> bytes:
        """The PDF."""
        self._canvas.showPage()
        self._canvas.save()
        return self._file.getvalue()

    # ---- drawing ----
    def _need(self, height: float) -> bool:
        """A new page when so much no longer fits on this one; True when one was begun."""
        if self._y - height >= MARGIN + FOOTER:
            return False
        self._canvas.showPage()
        self._y = A4[1] - MARGIN
        return True

    def _text(
        self, x: float, y: float, text: str, *, font: str = REGULAR, size: float = TEXT_SIZE, color: Color = INK
    ) -> None:
        self._canvas.setFont(font, size)
        self._canvas.setFillColor(color)
        self._canvas.drawString(x, y, text)

    def _line(
        self, text: str, *, font: str = REGULAR, size: float = TEXT_SIZE, color: Color = INK, width: float = 0
    ) -> None:
        self._need(size * LEADING)
        shown = wrapped(text, font, size, width, most=1)[0] if width else text
        self._text(MARGIN, self._y - size, shown, font=font, size=size, color=color)
        self._y -= size * LEADING

    def _titles(self, columns: Sequence[Column], widths: Sequence[float]) -> None:
        x = MARGIN
        for column, width in zip(columns, widths, strict=True):
            self._cell(column.title, x, self._y, width, column.align, BOLD, SMALL_SIZE, SOFT)
            x += width
        self._y -= SMALL_SIZE * LEADING + 2 * CELL_PAD
        self._rule(INK)

    def _row(self, columns: Sequence[Column], widths: Sequence[float], row: Row) -> None:
        fonts = [BOLD if row.strong else column.font for column in columns]
        cells = [
            wrapped(cell, font, TEXT_SIZE, width - 2 * CELL_PAD)
            for cell, font, width in zip(row.cells, fonts, widths, strict=True)
        ]
        height = max(map(len, cells)) * TEXT_SIZE * LEADING + 2 * CELL_PAD
        if self._need(height):
            self._titles(columns, widths)
        x = MARGIN
        for column, width, font, lines in zip(columns, widths, fonts, cells, strict=True):
            if row.box and not lines[0]:
                self._canvas.setStrokeColor(SOFT)
                self._canvas.rect(x + CELL_PAD, self._y - height + 0.9 * mm, width - 2 * CELL_PAD, height - 1.8 * mm)
            for number, line in enumerate(lines):
                y = self._y - number * TEXT_SIZE * LEADING
                self._cell(line, x, y, width, column.align, font, TEXT_SIZE, INK)
            x += width
        self._y -= height
        self._rule(LINE)

    def _cell(
        self, text: str, x: float, y: float, width: float, align: str, font: str, size: float, color: Color
    ) -> None:
        self._canvas.setFont(font, size)
        self._canvas.setFillColor(color)
        baseline = y - CELL_PAD - size
        if align == "right":
            self._canvas.drawRightString(x + width - CELL_PAD, baseline, text)
        else:
            self._canvas.drawString(x + CELL_PAD, baseline, text)

    def _rule(self, color: Color) -> None:
        self._canvas.setStrokeColor(color)
        self._canvas.setLineWidth(0.5)
        self._canvas.line(MARGIN, self._y, MARGIN + self.width, self._y)

    def _draw_foot(self, canvas: Any, number: int, count: int) -> None:
        canvas.setFont(REGULAR, SMALL_SIZE)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, MARGIN, wrapped(self.foot or self.title, REGULAR, SMALL_SIZE, 140 * mm, most=1)[0])
        canvas.drawRightString(A4[0] - MARGIN, MARGIN, f"Page {number} of {count}")
        if self.mark:
            canvas.saveState()
            canvas.setFillColor(Color(0.86, 0.15, 0.15, alpha=0.16))
            canvas.setFont(BOLD, 84)
            canvas.translate(A4[0] / 2, A4[1] / 2)
            canvas.rotate(50)
            canvas.drawCentredString(0, -30, printable(self.mark, BOLD))
            canvas.restoreState()
