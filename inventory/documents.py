"""Papers of the warehouse: pick list, count sheet, transfer slip. Rows in, the bytes of a PDF out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from inventory.errors import CountUnknown, TransferUnknown
from inventory.models import StockCount, Transfer, TransferLine
from inventory.queries.printing import COUNT_ROWS_MAX, bins_of, count_sheet_rows
from workbox.core import walls
from workbox.core.admin import moment_text, quantity_text
from workbox.core.paper import BOLD, Column, Row, Sheet

ZERO = Decimal(0)
NO_BIN = "–"


@dataclass(frozen=True, slots=True)
class Pick:
    """So many of a product to take from a place, for the documents that want it (`ORDER-3 × 2`)."""

    warehouse: str
    bin: str
    sku: str
    name: str
    quantity: Decimal
    wanted_by: str = ""


def pick_list(title: str, picks: Sequence[Pick], *, code: str = "", notes: str = "") -> bytes:
    """What to take, warehouse by warehouse in the order of the bins, with a box to tick."""
    sheet = Sheet(title)
    sheet.heading(code=code)
    if notes:
        sheet.text(notes)
    if not picks:
        sheet.text("Nothing is reserved to be picked: confirm the orders first, or they are shipped already.")
    columns = [
        Column("Bin", 24, font=BOLD), Column("SKU", 34), Column("Product"), Column("For", 30),
        Column("Take", 18, "right", BOLD), Column("Done", 14),
    ]  # fmt: skip
    ordered = sorted(picks, key=lambda one: (one.warehouse, one.bin == "", one.bin, one.sku))
    for warehouse in dict.fromkeys(one.warehouse for one in ordered):
        here = [one for one in ordered if one.warehouse == warehouse]
        units = sum((one.quantity for one in here), ZERO)
        sheet.text(
            f"{warehouse}: {len(here)} {'place' if len(here) == 1 else 'places'}, {quantity_text(units)} units",
            strong=True,
        )
        sheet.table(
            columns,
            (
                Row([one.bin or NO_BIN, one.sku, one.name, one.wanted_by, quantity_text(one.quantity), ""], box=True)
                for one in here
            ),
        )
    return sheet.finish()


def count_sheet(count_ids: Sequence[int]) -> bytes:
    """A form to count on, in the order of the bins; an open blind count shows nobody what the books say.

    Raises CountUnknown.
    """
    count = walls.of(StockCount.objects.filter(pk__in=count_ids)).select_related("warehouse", "opened_by").first()
    if count is None:
        raise CountUnknown(f"There is no stock count {', '.join(map(str, count_ids))}.")
    shows_books = not (count.is_blind and count.status == StockCount.Status.OPEN)
    rows = count_sheet_rows(count.pk, count.warehouse_id)
    sheet = Sheet(f"Count sheet · {count}", foot=f"{count} · {count.warehouse}")
    sheet.heading(code=f"COUNT-{count.pk}")
    sheet.facts(
        [
            ("Warehouse", count.warehouse), ("Opened", moment_text(count.opened_at)), ("Notes", count.notes),
            ("Opened by", count.opened_by or ""), ("Counted by", "______________________"),
            ("Mode", "" if shows_books else "Blind: write down what you find"),
        ]
    )  # fmt: skip
    columns = [Column("Bin", 24, font=BOLD), Column("SKU", 36), Column("Product"), Column("Unit", 14)]
    columns += [Column("Books", 20, "right")] if shows_books else []
    columns += [Column("Found", 24, "right")]
    if rows:
        sheet.table(
            columns,
            (
                Row(
                    [
                        one.bin or NO_BIN, one.sku, one.name, one.unit,
                        *([quantity_text(one.expected)] if shows_books else []),
                        "" if one.counted is None else quantity_text(one.counted),
                    ],
                    box=True,
                )
                for one in rows
            ),
        )  # fmt: skip
    else:
        sheet.text("Nothing has a place in this warehouse yet: write down what you find.")
    if len(rows) >= COUNT_ROWS_MAX:
        sheet.text(f"Only the first {COUNT_ROWS_MAX:,} products are printed; scan the rest.", strong=True)
    return sheet.finish()


def transfer_slip(transfer_ids: Sequence[int]) -> bytes:
    """What moves from where to where, and where it stands at the source. Raises TransferUnknown."""
    found = walls.of(Transfer.objects.filter(pk__in=transfer_ids)).select_related("from_warehouse", "to_warehouse")
    transfer = found.first()
    if transfer is None:
        raise TransferUnknown(f"There is no transfer {', '.join(map(str, transfer_ids))}.")
    lines = list(TransferLine.objects.filter(transfer=transfer).select_related("product").order_by("id"))
    bins = bins_of((line.product_id, transfer.from_warehouse_id) for line in lines)
    sheet = Sheet(f"Transfer slip · {transfer}", mark="CANCELLED" if transfer.status == "cancelled" else "")
    sheet.heading(code=f"TRANSFER-{transfer.pk}")
    sheet.facts(
        [
            ("From", _place(transfer.from_warehouse)), ("To", _place(transfer.to_warehouse)),
            ("Status", transfer.get_status_display()), ("Made", moment_text(transfer.created_at)),
            ("Reference", transfer.reference), ("Notes", transfer.notes),
        ]
    )  # fmt: skip
    placed = sorted(
        ((bins.get((line.product_id, transfer.from_warehouse_id), ""), line) for line in lines), key=_by_bin
    )
    sheet.table(
        [
            Column("Bin", 24, font=BOLD), Column("SKU", 36), Column("Product"), Column("Quantity", 22, "right", BOLD),
            Column("Arrived", 22),
        ],
        (
            Row([where or NO_BIN, line.product.sku, line.product.name, quantity_text(line.quantity), ""], box=True)
            for where, line in placed
        ),
    )  # fmt: skip
    units = sum((line.quantity for line in lines), ZERO)
    sheet.text(f"{len(lines)} {'line' if len(lines) == 1 else 'lines'}, {quantity_text(units)} units.", strong=True)
    return sheet.finish()


def _by_bin(placed: tuple[str, TransferLine]) -> tuple[bool, str, str]:
    return placed[0] == "", placed[0], placed[1].product.sku


def _place(warehouse: object) -> str:
    return "\n".join(filter(None, (str(warehouse), getattr(warehouse, "address", ""))))


def summed(picks: Iterable[Pick]) -> list[Pick]:
    """Picks of one product at one place together, with all who want it."""
    together: dict[tuple[str, str, str], list[Pick]] = {}
    for one in picks:
        together.setdefault((one.warehouse, one.bin, one.sku), []).append(one)
    return [
        Pick(
            where, bin_, sku, found[0].name, sum((one.quantity for one in found), ZERO),
            found[0].wanted_by
            if len(found) == 1
            else ", ".join(f"{one.wanted_by} × {quantity_text(one.quantity)}" for one in found),
        )
        for (where, bin_, sku), found in together.items()
    ]  # fmt: skip
