"""Importing a wholesaler's sales: every quirk of the format in a small file, and (marked real_data) the real ones."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inventory.models import Product, ProductStock, StockMovement, StockOperation, Warehouse
from orders.importing import book as booking
from orders.models import Customer, Order, OrderLine, Return, ReturnLine
from workbox.core.models import Event

D = Decimal
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
QUIRKS = HEADER + (
    # 2: an order of a known customer; the same code twice, an exact double, codes that differ in case only, postage
    "500001,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    "500001,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    "500001,85123a,white heart,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    '500001,71053,"LANTERN, ""METAL""",3,2010-12-01 08:27:00,0.001,17850.0,United Kingdom\n'
    "500001,POST,POSTAGE,1,2010-12-01 08:27:00,18.0,17850.0,France\n"
    # 7: a giant error that is cancelled whole, the same day
    "500002,22222,CERAMIC JAR,74215,2010-12-01 10:00:00,1.04,12346.0,United Kingdom\n"
    "C500003,22222,CERAMIC JAR,-74215,2010-12-01 10:17:00,1.04,12346.0,United Kingdom\n"
    # 9: a sale without a customer, torn apart by another invoice; a gift on it
    "500004,PADS,PADS TO MATCH,2,2010-12-01 11:00:00,0.5,,EIRE\n"
    "500005,71053,METAL LANTERN,1,2010-12-01 11:01:00,3.39,17850.0,United Kingdom\n"
    "500004,71053,METAL LANTERN,1,2010-12-01 11:00:00,0.0,,EIRE\n"
    # 12: adjustments: lost with a remark, lost without, found
    "500006,71053,wet pallet,-10,2010-12-02 09:00:00,0.0,,United Kingdom\n"
    "500007,71053,,-1,2010-12-02 09:01:00,0.0,,United Kingdom\n"
    "500008,22139,found,56,2010-12-02 09:02:00,0.0,,United Kingdom\n"
    # 15: a return of an earlier order (partly at its price), more than was bought, and something never bought
    "C500009,85123A,WHITE HEART,-13,2010-12-02 10:00:00,2.55,17850.0,United Kingdom\n"
    "C500009,22139,NEVER SOLD,-4,2010-12-02 10:00:00,4.25,17850.0,United Kingdom\n"
    # 17: a discount and a bank charge: money without goods
    "C500010,D,Discount,-1,2010-12-02 11:00:00,27.5,14527.0,United Kingdom\n"
    "C500011,BANK CHARGES,Bank Charges,-1,2010-12-02 12:00:00,95.38,,United Kingdom\n"
    # 19: refused, each for its own reason
    "A563185,B,Adjust bad debt,1,2010-12-03 09:00:00,11062.06,,United Kingdom\n"
    "500012,71053,METAL LANTERN,1,2010-12-03 09:00:00,-1.0,,United Kingdom\n"
    "500013,POST,,1000,2010-12-03 09:00:00,0.0,,United Kingdom\n"
    "500014,DCGS0055,,-1,2010-12-03 09:00:00,0.0,,United Kingdom\n"
    "500015,71053,METAL LANTERN,0,2010-12-03 09:00:00,3.39,,United Kingdom\n"
    "500016,71053,METAL LANTERN,many,2010-12-03 09:00:00,3.39,,United Kingdom\n"
    "500017,71053,METAL LANTERN,1,yesterday,3.39,,United Kingdom\n"
    "C500018,71053,METAL LANTERN,1,2010-12-03 09:00:00,3.39,,United Kingdom\n"
    "500019,71053,METAL LANTERN,-1,2010-12-03 09:00:00,3.39,,United Kingdom\n"
    ",71053,METAL LANTERN,1,2010-12-03 09:00:00,3.39,,United Kingdom\n"
    "500020,71053\n"
    # 30: the last good one
    "500021,gift_0001_20,Dotcomgiftshop Voucher,1,2010-12-03 10:00:00,16.67,,United Kingdom\n"
)
ROWS, REFUSED = 29, 11


@pytest.fixture
def quirks(tmp_path: Path) -> Path:
    path = tmp_path / "quirks.csv"
    path.write_text(QUIRKS)
    return path


def run(path: Path, *options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_sales", str(path), "--json", *options, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def books() -> dict[str, list[Any]]:
    """Everything the import writes, without ids and times of recording."""
    return {
        "products": list(Product.objects.order_by("sku").values_list("sku", "name", "price", "is_stocked")),
        "stock": list(ProductStock.objects.order_by("product__sku").values_list("product__sku", "on_hand", "reserved")),
        "customers": list(Customer.objects.order_by("code").values_list("code", "country")),
        "orders": list(
            Order.objects.order_by("external_reference").values_list(
                "external_reference", "status", "total_amount", "placed_at", "cancelled_at", "customer__code", "notes"
            )
        ),
        "lines": list(
            OrderLine.objects.order_by("order__external_reference", "id").values_list(
                "order__external_reference", "product__sku", "quantity", "unit_price", "returned_quantity"
            )
        ),
        "returns": list(
            ReturnLine.objects.order_by("goods_return__external_reference", "id").values_list(
                "goods_return__external_reference",
                "goods_return__order__external_reference",
                "product__sku",
                "quantity",
                "unit_price",
            )
        ),
        "movements": list(
            StockMovement.objects.order_by("product__sku", "id").values_list(
                "product__sku", "movement_type", "quantity", "balance_after", "created_at", "operation__reason"
            )
        ),
    }


# ---- the independent count: plain csv, no code shared with the importer ----------------------------------------------
CHARGES = {"POST", "DOT", "M", "m", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "B"}


def counted(lines: Iterable[str]) -> dict[date, list[Decimal]]:
    """Day → units sold, money sold, units taken back, money given back, units adjusted."""
    rows = [row for row in csv.DictReader(lines) if usable(row)]
    selling = {r["InvoiceNo"] for r in rows if r["CustomerID"] or (D(r["UnitPrice"]) > 0 and D(r["Quantity"]) > 0)}
    first_day: dict[str, date] = {}
    days: dict[date, list[Decimal]] = defaultdict(lambda: [D(0)] * 5)
    for row in rows:
        day = first_day.setdefault(row["InvoiceNo"], date.fromisoformat(row["InvoiceDate"][:10]))
        quantity, price, code = D(row["Quantity"]), D(row["UnitPrice"]), row["StockCode"]
        units = D(0) if code in CHARGES or code.startswith(("gift_0001_", "DCGS")) else quantity
        changes = [D(0)] * 5
        if row["InvoiceNo"].startswith("C"):
            changes[2:4] = [-units, -quantity * price]
        elif quantity > 0 and row["InvoiceNo"] in selling:
            changes[0:2] = [units, quantity * price]
        else:
            changes[4] = units
        days[day] = [a + b for a, b in zip(days[day], changes, strict=True)]
    return dict(days)


def usable(row: dict[str, str]) -> bool:
    """What decision 0004 takes over."""
    try:
        quantity, price = D(row["Quantity"]), D(row["UnitPrice"])
        date.fromisoformat(row["InvoiceDate"][:10])
    except (ArithmeticError, TypeError, ValueError):
        return False
    invoice, code = row["InvoiceNo"], row["StockCode"]
    if not invoice or invoice.startswith("A") or price < 0 or quantity == 0:
        return False
    if invoice.startswith("C"):
        return quantity < 0
    is_charge = code in CHARGES or code.startswith(("gift_0001_", "DCGS"))
    if price == 0 and is_charge:
        return quantity > 0 and bool(row["CustomerID"])
    return not (quantity < 0 and price > 0)


def booked() -> dict[date, list[Decimal]]:
    """The same figures from the tables."""
    days: dict[date, list[Decimal]] = defaultdict(lambda: [D(0)] * 5)

    def add(moment: Any, place: int, value: Decimal) -> None:
        days[moment.date()][place] += value

    lines = OrderLine.objects.values_list(
        "order__placed_at", "order__cancelled_at", "product__is_stocked", "quantity", "unit_price"
    )
    for placed_at, cancelled_at, is_stocked, quantity, price in lines:
        add(placed_at, 0, quantity if is_stocked else D(0))
        add(placed_at, 1, quantity * price)
        if cancelled_at:
            add(cancelled_at, 2, quantity if is_stocked else D(0))
            add(cancelled_at, 3, quantity * price)
    given_back = ReturnLine.objects.values_list(
        "goods_return__returned_at", "product__is_stocked", "quantity", "unit_price"
    )
    for returned_at, is_stocked, quantity, price in given_back:
        add(returned_at, 2, quantity if is_stocked else D(0))
        add(returned_at, 3, quantity * price)
    moved = StockMovement.objects.filter(movement_type="adjustment").values_list("created_at", "quantity")
    for moved_at, quantity in moved:
        add(moved_at, 4, quantity)
    return dict(days)


# ---- tests -----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_every_row_is_taken_or_refused_with_line_and_reason(quirks: Path, tmp_path: Path) -> None:
    answer = run(quirks, "--refused", str(tmp_path / "refused.csv"))
    assert (answer["rows"], answer["refused"], answer["taken"]) == (ROWS, REFUSED, ROWS - REFUSED)
    with (tmp_path / "refused.csv").open() as file:
        refused = {int(row["line"]): row["reason"] for row in csv.DictReader(file)}
    assert sorted(refused) == list(range(19, 30))
    assert refused[19] == "bad debt is bookkeeping: no goods moved and nothing was sold"
    assert refused[24] == "the quantity cannot be read"
    assert refused[29] == "only 2 columns"
    assert sum(answer["refused_by_reason"].values()) == REFUSED


@pytest.mark.django_db
def test_units_and_money_per_day_equal_an_independent_count(quirks: Path) -> None:
    answer = run(quirks, "--reconcile")
    assert booked() == counted(QUIRKS.splitlines())
    assert answer["reconciliation"]["differing_days"] == []
    assert answer["reconciliation"]["file"] == answer["reconciliation"]["books"]


@pytest.mark.django_db
def test_an_order_keeps_its_time_prices_and_every_line(quirks: Path) -> None:
    run(quirks)
    order = Order.objects.get(external_reference="500001")
    assert (order.status, order.channel, order.total_amount) == ("delivered", "import", D("53.703"))
    moments = {order.placed_at, order.confirmed_at, order.shipped_at, order.delivered_at}
    assert [moment.isoformat() for moment in moments if moment] == ["2010-12-01T08:26:00+00:00"]
    lines = order.lines.values_list("product__sku", "quantity", "unit_price", "shipped_quantity")
    assert list(lines) == [
        ("85123A", 6, D("2.55"), 6),
        ("85123A", 6, D("2.55"), 6),
        ("85123a", 2, D("2.55"), 2),
        ("71053", 3, D("0.001"), 3),
        ("POST", 1, D(18), 1),
    ]
    sold = StockMovement.objects.filter(operation__shipment__order=order).order_by("id")
    assert list(sold.values_list("product__sku", "quantity")) == [
        ("85123A", -6),
        ("85123A", -6),
        ("85123a", -2),
        ("71053", -3),
    ]
    assert not Product.objects.get(sku="POST").is_stocked
    assert Product.objects.get(sku="PADS").is_stocked
    assert Product.objects.get(sku="71053").price == D("3.39")


@pytest.mark.django_db
def test_an_order_cancelled_whole_on_its_day_never_moved_stock(quirks: Path) -> None:
    run(quirks)
    order = Order.objects.get(external_reference="500002")
    assert (order.status, order.notes) == ("cancelled", "Cancelled by C500003")
    assert not StockMovement.objects.filter(product__sku="22222").exists()
    assert not Return.objects.filter(external_reference="C500003").exists()


@pytest.mark.django_db
def test_a_return_finds_its_order_and_what_finds_none_is_booked_all_the_same(quirks: Path) -> None:
    run(quirks)
    parts = Return.objects.filter(external_reference="C500009").order_by("id")
    assert [(one.order and one.order.external_reference, one.refund_amount) for one in parts] == [
        ("500001", D("30.60")),
        (None, D("19.55")),
    ]
    assert list(parts[1].lines.values_list("product__sku", "quantity", "order_line")) == [
        ("85123A", 1, None),
        ("22139", 4, None),
    ]
    back = StockMovement.objects.filter(movement_type="return").values_list("product__sku", "quantity")
    assert sorted(back) == [("22139", 4), ("85123A", 1), ("85123A", 6), ("85123A", 6)]
    discount = Return.objects.get(external_reference="C500010")
    assert (discount.reason, discount.refund_amount, discount.operation) == ("Discount", D("27.5"), None)


@pytest.mark.django_db
def test_adjustments_carry_the_remark(quirks: Path) -> None:
    run(quirks)
    made = StockOperation.objects.filter(kind="adjustment").order_by("id")
    assert list(made.values_list("reference", "reason", "movements__quantity")) == [
        ("IMPORT-500006", "wet pallet", -10),
        ("IMPORT-500007", "No remark in the imported file", -1),
        ("IMPORT-500008", "found", 56),
    ]


@pytest.mark.django_db
def test_opening_stock_is_as_deep_as_the_file_digs_and_no_deeper(quirks: Path) -> None:
    run(quirks)
    opening = StockMovement.objects.filter(operation__kind="opening")
    assert dict(opening.values_list("product__sku", "quantity")) == {"71053": 16, "85123A": 12, "85123a": 2, "PADS": 2}
    assert {moment.isoformat() for moment in opening.values_list("created_at", flat=True)} == {
        "2010-11-30T08:26:00+00:00"
    }
    stock = dict(ProductStock.objects.filter(on_hand__gt=0).values_list("product__sku", "on_hand"))
    assert stock == {"22139": 60, "85123A": 13}


@pytest.mark.django_db
def test_a_second_run_changes_nothing(quirks: Path, tmp_path: Path) -> None:
    run(quirks)
    before, events = books(), Event.objects.count()
    packed = tmp_path / "quirks.csv.gz"
    packed.write_bytes(gzip.compress(QUIRKS.encode()))
    answer = run(packed)
    assert (answer["already_there"], answer["papers"], answer["products_with_opening_stock"]) == (ROWS - REFUSED, {}, 0)
    assert (books(), Event.objects.count()) == (before, events)


@pytest.mark.django_db
def test_a_dry_run_writes_nothing(quirks: Path) -> None:
    answer = run(quirks, "--dry-run")
    assert (answer["taken"], answer["papers"]["orders delivered"]) == (ROWS - REFUSED, 4)
    assert not Product.objects.exists()
    assert not Warehouse.objects.exists()


@pytest.mark.django_db
def test_a_longer_file_adds_only_what_is_new(quirks: Path, tmp_path: Path) -> None:
    run(quirks)
    more = (
        "500030,71053,METAL LANTERN,5,2010-12-04 08:00:00,3.39,17850.0,United Kingdom\n"
        "500031,22139,X,50,2010-12-04 08:00:00,1,,United Kingdom\n"
    )
    longer = tmp_path / "longer.csv"
    longer.write_text(QUIRKS + more)
    answer = run(longer, "--reconcile")
    assert (answer["papers"], answer["opening_units"]) == ({"orders delivered": 2}, 5)
    assert ProductStock.objects.get(product__sku="22139").on_hand == 10


@pytest.mark.django_db
@pytest.mark.parametrize("killed_after", [0, 1, 2, 3])
def test_interrupted_anywhere_and_run_again_the_end_is_the_same(
    quirks: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    monkeypatch.setattr(booking, "BATCH_ROWS", 2)
    monkeypatch.setattr(booking, "BATCH_PRODUCTS", 3)
    record, calls = booking.record_history, 0

    def dies(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        if calls == killed_after:
            raise KeyboardInterrupt
        calls += 1
        record(*args, **kwargs)

    monkeypatch.setattr(booking, "record_history", dies)
    with pytest.raises(KeyboardInterrupt):
        run(quirks)
    monkeypatch.setattr(booking, "record_history", record)
    answer = run(quirks, "--reconcile")
    assert answer["reconciliation"]["differing_days"] == []
    assert booked() == counted(QUIRKS.splitlines())
    stock = dict(ProductStock.objects.filter(on_hand__gt=0).values_list("product__sku", "on_hand"))
    assert stock == {"22139": 60, "85123A": 13}


@pytest.mark.django_db
def test_an_order_of_a_thousand_lines_is_one_order(tmp_path: Path) -> None:
    line = "600001,{0},THING {0},1,2010-12-01 08:00:00,1.25,,United Kingdom\n"
    path = tmp_path / "long.csv"
    path.write_text(HEADER + "".join(line.format(10000 + number) for number in range(1114)))
    run(path)
    assert Order.objects.get().lines.count() == 1114
    assert Order.objects.get().total_amount == D("1392.50")


@pytest.mark.django_db
def test_no_refused_row_is_a_formula(quirks: Path, tmp_path: Path) -> None:
    quirks.write_text(QUIRKS.replace("500016,71053", "=5+1,@71053"))
    run(quirks, "--refused", str(tmp_path / "refused.csv"))
    with (tmp_path / "refused.csv").open() as file:
        rows = [(row["InvoiceNo"], row["StockCode"]) for row in csv.DictReader(file)]
    assert ("'=5+1", "'@71053") in rows
    assert not any(cell.startswith(("=", "@")) for row in rows for cell in row)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b,c\n1,2,3\n", "column InvoiceNo is missing"),
        (gzip.compress(QUIRKS.encode())[:-20], "cannot be read"),
        (b"", "column InvoiceNo is missing"),
    ],
)
def test_a_file_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message) as refused:
        run(path)
    assert refused.value.returncode == 1
    assert not Product.objects.exists()


@pytest.mark.django_db
def test_an_unknown_warehouse_is_named_with_the_known_ones(quirks: Path, main: Warehouse) -> None:
    with pytest.raises(CommandError, match="no warehouse NORTH; known: MAIN"):
        run(quirks, "--warehouse", "NORTH")
    run(quirks, "--warehouse", "MAIN")
    assert set(Order.objects.values_list("warehouse__code", flat=True)) == {"MAIN"}


@pytest.mark.django_db
def test_western_text_and_other_date_styles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    header = "\ufeffInvoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    path.write_bytes(header.encode() + "1,22086,CAFÉ £5,1,12/1/2010 8:26,2.5,,EIRE\n".encode("cp1252"))
    run(path)
    assert Product.objects.get().name == "CAFÉ £5"
    assert Order.objects.get().placed_at.isoformat() == "2010-12-01T08:26:00+00:00"


# ---- the real files --------------------------------------------------------------------------------------------------
needs_files = pytest.mark.skipif(not os.environ.get("WORKBOX_REAL_DATA"), reason="WORKBOX_REAL_DATA names no folder")


def real(name: str) -> Path:
    return Path(os.environ["WORKBOX_REAL_DATA"]) / name


@pytest.mark.real_data
@pytest.mark.slow
@needs_files
@pytest.mark.django_db
def test_two_real_weeks_reconcile() -> None:
    path = real("online_retail_sample_2w.csv.gz")
    answer = run(path, "--reconcile")
    assert answer["taken"] + answer["refused"] == answer["rows"] == 24_383
    with gzip.open(path, "rt") as file:
        assert booked() == counted(file)
    assert answer["reconciliation"]["differing_days"] == []


@pytest.mark.real_data
@pytest.mark.slow
@needs_files
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_and_run_again_the_books_are_the_same(tmp_path: Path) -> None:
    path = real("online_retail_sample_2w.csv.gz")
    environment = {**os.environ, **database_of_this_test()}
    command = [sys.executable, "manage.py", "import_sales", str(path), "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: Order.objects.count() > 300)
    process.kill()
    process.wait()
    assert 300 < Order.objects.count() < 877
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert Order.objects.count() == 878
    with gzip.open(path, "rt") as file:
        assert booked() == counted(file)


def database_of_this_test() -> dict[str, str]:
    """The address of the test's own database, for a process of its own."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return {"DATABASE_URL": f"sqlite:///{Path(settings['NAME']).resolve()}"}
    user = settings["USER"] + (f":{settings['PASSWORD']}" if settings["PASSWORD"] else "")
    return {"DATABASE_URL": f"mysql://{user}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"}


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
