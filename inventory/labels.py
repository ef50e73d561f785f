"""Product labels: on sheets of A4, one by one on a roll, or as ZPL for a label printer. Rows in, bytes out."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from inventory.queries.printing import LabelRow
from workbox.core.admin import money_text
from workbox.core.errors import Invalid
from workbox.core.paper import BOLD, INK, LEADING, REGULAR, ready, width_of, wrapped
from workbox.core.symbols import CODE128, EAN13, QR, Symbol, draw_symbol, symbol_for

LABELS_MAX = 2000
COPIES_MAX = 500
NAMES_IN_REFUSAL = 5
BEST = "best"
KINDS = {
    BEST: "EAN-13 where one is linked, else Code 128 of the SKU",
    CODE128: "Code 128 of the SKU",
    EAN13: "EAN-13",
    QR: "QR code of the SKU",
}
LINES = {"name": "Name", "sku": "SKU", "price": "Price", "unit": "Unit"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How labels lie on a page; all in millimetres. `pad` keeps print away from the label's edge."""

    title: str
    page: tuple[float, float]
    size: tuple[float, float]
    grid: tuple[int, int] = (1, 1)  # columns, rows
    corner: tuple[float, float] = (0, 0)  # left, top
    gap: float = 0  # between columns
    pad: float = 2
    font: float = 8

    @property
    def per_page(self) -> int:
        """How many labels are on one."""
        return self.grid[0] * self.grid[1]


A4 = (210.0, 297.0)
LAYOUTS = {
    "a4-3x8": Layout("A4 sheet, 3 × 8 (70 × 37 mm)", A4, (70, 37), (3, 8), (0, 0.5), pad=5, font=9),
    "a4-2x7": Layout("A4 sheet, 2 × 7 (99 × 38 mm)", A4, (99.1, 38.1), (2, 7), (4.65, 15.15), 2.5, pad=4, font=10),
    "a4-5x13": Layout("A4 sheet, 5 × 13 (38 × 21 mm)", A4, (38.1, 21.2), (5, 13), (4.75, 10.7), 2.5, pad=1.5, font=6),
    "roll-50x30": Layout("Roll, 50 × 30 mm", (50, 30), (50, 30)),
}
ZPL = "zpl-50x30"
ZPL_TITLE = "ZPL for a label printer, 50 × 30 mm at 203 dpi"


@dataclass(frozen=True, slots=True)
class LabelOrder:
    """What to print: layout, code, how many of each, which words, and how many labels of the sheet are gone."""

    layout: str = "a4-3x8"
    kind: str = BEST
    copies: int = 1
    lines: tuple[str, ...] = ("name", "sku", "price")
    skip: int = 0


def print_labels(rows: Sequence[LabelRow], order: LabelOrder) -> bytes:
    """The labels as a PDF, or as ZPL text for the layout ZPL. Raises Invalid: nothing to print, too many, no EAN-13."""
    _check(rows, order)
    return _zpl(rows, order).encode() if order.layout == ZPL else _pdf(rows, order)


def _check(rows: Sequence[LabelRow], order: LabelOrder) -> None:
    if not rows:
        raise Invalid("Choose at least one product to print labels for.")
    if len(rows) * order.copies > LABELS_MAX:
        raise Invalid(
            f"{len(rows)} products × {order.copies} are {len(rows) * order.copies} labels; print at most {LABELS_MAX}"
            " at once.",
            fields={"copies": [f"at most {LABELS_MAX // len(rows)}"]},
        )
    bare = [row for row in rows if not row.ean13] if order.kind == EAN13 else []
    if bare:
        names = ", ".join(f"{row.name} ({row.sku})" for row in bare[:NAMES_IN_REFUSAL])
        more = f" and {len(bare) - NAMES_IN_REFUSAL} more" if len(bare) > NAMES_IN_REFUSAL else ""
        raise Invalid(
            f"No EAN-13 is linked to {names}{more}. Link one on the product's page, or choose another code.",
            fields={"kind": ["no EAN-13"]},
        )


def _text_of(row: LabelRow, kind: str) -> tuple[str, str]:
    """Kind and text of the code on this row's label."""
    if kind in {EAN13, BEST} and row.ean13:
        return EAN13, row.ean13
    return (CODE128 if kind == BEST else kind), row.sku


def _words(row: LabelRow, order: LabelOrder, code: str) -> tuple[str, str, str]:
    """Above the code: the name; below it at the left and at the right: SKU (unless the code says it), price."""
    left = row.sku if "sku" in order.lines and code != row.sku else ""
    unit = f" / {row.unit}" if "unit" in order.lines else ""
    right = f"{money_text(row.price)}{unit}" if "price" in order.lines else row.unit if unit else ""
    return (row.name if "name" in order.lines else ""), left, right


# ---- PDF -------------------------------------------------------------------------------------------------------------
def _pdf(rows: Sequence[LabelRow], order: LabelOrder) -> bytes:
    ready()
    layout = LAYOUTS[order.layout]
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(layout.page[0] * mm, layout.page[1] * mm), invariant=1, lang="en")
    canvas.setTitle("Labels")
    corners = _corners(layout, order.skip)
    page = 0
    for row in rows:
        for _ in range(order.copies):
            on_page, x, y = next(corners)
            if on_page != page:
                canvas.showPage()
                page = on_page
            _label(canvas, layout, row, order, x, y)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def _corners(layout: Layout, skip: int) -> Iterator[tuple[int, float, float]]:
    """Page and lower left corner of one label after another, in points."""
    width, height = layout.size
    columns = layout.grid[0]
    at = skip % layout.per_page
    while True:
        page, place = divmod(at, layout.per_page)
        down, across = divmod(place, columns)
        x = layout.corner[0] + across * (width + layout.gap)
        y = layout.page[1] - layout.corner[1] - (down + 1) * height
        yield page, x * mm, y * mm
        at += 1


def _label(canvas: Any, layout: Layout, row: LabelRow, order: LabelOrder, x: float, y: float) -> None:
    pad, size = layout.pad * mm, layout.font
    width, height = layout.size[0] * mm - 2 * pad, layout.size[1] * mm - 2 * pad
    kind, text = _text_of(row, order.kind)
    symbol = symbol_for(text, width=width, kind=kind)
    name, left, right = _words(row, order, text)
    if symbol.kind == QR:
        _beside(canvas, symbol, (name, text, left, right), x + pad, y + pad, width, height, size)
        return
    top = y + pad + height
    for line in wrapped(name, BOLD, size, width, most=2) if name else ():
        _say(canvas, line, x + pad, top - size, font=BOLD, size=size)
        top -= size * LEADING
    foot = y + pad
    if left or right:
        room = width - (width_of(right, BOLD, size) + 2 * mm if right else 0)
        _say(canvas, wrapped(left, REGULAR, size, room, most=1)[0], x + pad, foot + size * 0.25, size=size)
        canvas.setFont(BOLD, size)
        canvas.drawRightString(x + pad + width, foot + size * 0.25, right)
        foot += size * LEADING
    small = size * 0.85
    canvas.setFont(REGULAR, small)
    canvas.drawCentredString(x + pad + width / 2, foot + small * 0.25, wrapped(text, REGULAR, small, width, most=1)[0])
    foot += small * LEADING
    # The quiet zones may lie in the label's padding, where nothing is printed anyway.
    draw_symbol(canvas, symbol, x=x + pad, y=foot, width=width, height=max(top - foot - 1 * mm, 4 * mm))


def _beside(
    canvas: Any, symbol: Symbol, words: Sequence[str], x: float, y: float, width: float, height: float, size: float
) -> None:
    """A QR code at the left, its words beside it."""
    side = min(height, width * 0.48)
    draw_symbol(canvas, symbol, x=x, y=y + height - side, width=side, height=side)
    name, text, left, right = words
    room = width - side - 1 * mm
    at = y + height
    for word, font, most in ((name, BOLD, 3), (text, REGULAR, 2), (left, REGULAR, 1), (right, BOLD, 1)):
        for line in wrapped(word, font, size, room, most=most) if word else ():
            if at - size >= y:
                _say(canvas, line, x + side + 1 * mm, at - size, font=font, size=size)
            at -= size * LEADING


def _say(canvas: Any, text: str, x: float, y: float, *, font: str = REGULAR, size: float) -> None:
    canvas.setFillColor(INK)
    canvas.setFont(font, size)
    canvas.drawString(x, y, text)


# ---- ZPL -------------------------------------------------------------------------------------------------------------
DOTS = {"width": 400, "height": 240, "pad": 16}  # 50 × 30 mm at 8 dots per millimetre
BAR_DOTS = 2
CODE128_MODULES_PER_CHARACTER, CODE128_MODULES_AROUND = 11, 35
ZPL_NAME_LENGTH = 40
CODE128_IN_ZPL = {">": ">0", "^": "><", "~": ">="}


def _field(text: str) -> str:
    """Text inside a field that is declared hexadecimal (`^FH`): what ZPL would take for a command is spelled out."""
    return "".join(f"_{ord(one):02X}" if one in "^~_\\" else one for one in " ".join(text.split()))


def _zpl(rows: Sequence[LabelRow], order: LabelOrder) -> str:
    return "".join(_zpl_label(row, order) for row in rows)


def _zpl_label(row: LabelRow, order: LabelOrder) -> str:
    kind, text = _text_of(row, order.kind)
    symbol = _zpl_symbol(kind, text)
    name, left, right = _words(row, order, text)
    pad, inner = DOTS["pad"], DOTS["width"] - 2 * DOTS["pad"]
    parts = ["^XA", "^CI28", f"^PW{DOTS['width']}", f"^LL{DOTS['height']}", f"^PQ{order.copies}"]
    beside = symbol.kind == QR
    if name:
        x, room = (pad + 190, inner - 190) if beside else (pad, inner)
        parts.append(f"^FO{x},{pad}^A0N,26,26^FB{room},2,0,L^FH^FD{_field(name[:ZPL_NAME_LENGTH])}^FS")
    if beside:
        parts.append(f"^FO{pad},{pad}^BQN,2,6^FH^FDMA,{_field(text)}^FS")
        parts.append(f"^FO{pad + 190},{pad + 66}^A0N,22,22^FB{inner - 190},2,0,L^FH^FD{_field(text)}^FS")
    elif symbol.kind == EAN13:
        parts.append(f"^FO{pad + 60},{pad + 62}^BY2^BEN,74,Y,N^FD{text[:12]}^FS")
    else:
        spelled = "".join(CODE128_IN_ZPL.get(one, one) for one in text)
        parts.append(f"^FO{pad},{pad + 62}^BY{BAR_DOTS}^BCN,74,N,N,N^FD>:{spelled}^FS")
        parts.append(f"^FO{pad},{pad + 142}^A0N,20,20^FB{inner},1,0,C^FH^FD{_field(text)}^FS")
    if left:
        parts.append(f"^FO{pad},{DOTS['height'] - 38}^A0N,24,24^FH^FD{_field(left)}^FS")
    if right:
        parts.append(f"^FO{pad},{DOTS['height'] - 38}^A0N,26,26^FB{inner},1,0,R^FH^FD{_field(right)}^FS")
    return "".join([*parts, "^XZ\n"])


def _zpl_symbol(kind: str, text: str) -> Symbol:
    """As on paper, but a bar is a whole number of dots: what does not fit with two becomes a QR code."""
    modules = len(text) * CODE128_MODULES_PER_CHARACTER + CODE128_MODULES_AROUND
    fits = modules * BAR_DOTS <= DOTS["width"] - 2 * DOTS["pad"]
    return symbol_for(text, width=DOTS["width"] * mm, kind=kind if fits or kind != CODE128 else QR)
