"""Codes that a scanner reads: which symbol can carry a text in so much room, and drawing it.

The encoders are the PDF library's; here is only decided which one, how fine, and where.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode import qrencoder
from reportlab.graphics.barcode.code128 import Code128
from reportlab.graphics.barcode.eanbc import Ean13BarcodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import black
from reportlab.lib.units import mm

CODE128, EAN13, QR = "code128", "ean13", "qr"
MODULE_MIN = 0.19 * mm  # finer bars than that no ordinary scanner reads (7.5 mil)
MODULE_MAX = 0.5 * mm
QUIET_MODULES = 10
QR_QUIET_MODULES = 4
EAN_MODULES = 95 + 2 * 11
ASCII_FIRST, ASCII_LAST = 32, 126
QR_LENGTH_MAX = 300


class _Utf8(qrencoder.QR8bitByte):
    """Bytes that say they are UTF-8 (ECI 26): without, some scanners take them for Japanese."""

    ECI_MODE, UTF8, ECI_BITS = 0b0111, 26, 12

    @property
    def bitlength(self) -> int:
        """With the announcement."""
        return int(super().bitlength) + self.ECI_BITS

    def write(self, buffer: Any, version: int) -> None:
        """The announcement, then the bytes."""
        buffer.put(self.ECI_MODE, 4)
        buffer.put(self.UTF8, 8)
        super().write(buffer, version)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A text and the kind of code that carries it."""

    kind: str
    text: str


def _code128(text: str, module: float, height: float) -> Any:
    return Code128(text, barWidth=module, barHeight=height, quiet=False)


def fits_code128(text: str, *, width: float) -> bool:
    """True when Code 128 can spell the text with bars that a scanner can tell apart in `width` points."""
    if not text or any(not ASCII_FIRST <= ord(one) <= ASCII_LAST for one in text):
        return False
    modules = _code128(text, 1, 1).width + 2 * QUIET_MODULES
    return bool(width / modules >= MODULE_MIN)


def symbol_for(text: str, *, width: float, kind: str = CODE128) -> Symbol:
    """The wanted kind where it can carry the text in `width` points, else QR, which carries any."""
    if kind == EAN13 or (kind == CODE128 and fits_code128(text, width=width)):
        return Symbol(kind, text)
    return Symbol(QR, text[:QR_LENGTH_MAX])


def draw_symbol(canvas: Any, symbol: Symbol, *, x: float, y: float, width: float, height: float) -> None:
    """Draw it into the box whose lower left corner is (x, y), with its quiet zones inside."""
    canvas.setFillColor(black)
    if symbol.kind == QR:
        _draw_qr(canvas, symbol.text, x=x, y=y, width=width, height=height)
    elif symbol.kind == EAN13:
        _draw_ean13(canvas, symbol.text, x=x, y=y, width=width, height=height)
    else:
        modules = _code128(symbol.text, 1, 1).width
        module = min(width / (modules + 2 * QUIET_MODULES), MODULE_MAX)
        _code128(symbol.text, module, height).drawOn(canvas, x + (width - modules * module) / 2, y)


def _draw_ean13(canvas: Any, text: str, *, x: float, y: float, width: float, height: float) -> None:
    module = min(width / EAN_MODULES, MODULE_MAX)
    bars = Ean13BarcodeWidget(text, barWidth=module, barHeight=height, humanReadable=False, quiet=False)
    drawing = Drawing(module * EAN_MODULES, height)
    drawing.add(bars)
    renderPDF.draw(drawing, canvas, x + (width - 95 * module) / 2, y)


@lru_cache(maxsize=256)
def _qr_rows(text: str) -> tuple[tuple[bool, ...], ...]:
    """The code's modules from the top; kept, because copies of a label come one after another."""
    code = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    code.addData((qrencoder.QR8bitByte if text.isascii() else _Utf8)(text.encode()))
    code.make()
    return tuple(tuple(map(bool, row)) for row in code.modules)


def _draw_qr(canvas: Any, text: str, *, x: float, y: float, width: float, height: float) -> None:
    rows = _qr_rows(text)
    side = min(width, height)
    module = side / (len(rows) + 2 * QR_QUIET_MODULES)
    left = x + (width - len(rows) * module) / 2
    top = y + height - (height - len(rows) * module) / 2
    path = canvas.beginPath()
    for number, row in enumerate(rows):
        start = None
        for column, dark in enumerate([*row, False]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:  # neighbours in one stroke: no hairlines, half the size
                path.rect(left + start * module, top - (number + 1) * module, (column - start) * module, module)
                start = None
    canvas.drawPath(path, stroke=0, fill=1)
