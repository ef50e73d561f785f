"""Files: what goes out cannot hurt a spreadsheet, what comes in cannot hurt us."""

import csv
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inventory.models import Product, Warehouse
from tests.client import Api
from workbox.core.spreadsheets import escaped, unescaped
from workbox.exchange import intake
from workbox.exchange.models import Import
from workbox.exchange.reports import generate_inventory_report
from workbox.jobs.models import Job
from workbox.jobs.tests.doing import work_off

pytestmark = pytest.mark.django_db
DANGEROUS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "''@x")


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_a_spreadsheet_would_run_is_escaped_and_comes_back_as_it_was(text: str) -> None:
    assert escaped(text) == f"'{text}"
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize("text", ["", "plain", "'quoted'", "a=b", "1-2", "–5"])
def test_harmless_text_is_left_alone(text: str) -> None:
    assert (escaped(text), unescaped(text)) == (text, text)


def test_an_export_at_once_escapes_text_and_leaves_numbers(make_product: Callable[..., Product], manager: Api) -> None:
    make_product('=HYPERLINK("http://x")', sku="-5", price="0.5", stock=3)
    response = manager("GET", "exports/products.csv?bom=true&search=hyper")
    assert response.status_code == 200
    assert response["Content-Disposition"] == 'attachment; filename="products.csv"'
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeffsku,name,")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (row["sku"], row["name"], row["price"]) == ("'-5", '\'=HYPERLINK("http://x")', "0.5")
    assert row["on_hand MAIN"] == "3"
    assert manager("GET", "exports/secrets.csv").status_code == 404
    assert manager("GET", "exports/products.csv?low_stock=maybe").status_code == 422


def test_an_export_at_once_ends_where_jobs_begin(
    make_product: Callable[..., Product], manager: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "AB":
        make_product(name)
    monkeypatch.setattr("workbox.exchange.api.exports.DIRECT_ROWS_MAX", 1)
    refused = manager("GET", "exports/products.csv")
    assert (refused.status_code, refused.json()["code"]) == (400, "too_many_rows")


def test_no_cell_of_a_sheet_is_a_formula(make_product: Callable[..., Product], manager: Api) -> None:
    for index, name in enumerate(DANGEROUS):
        make_product(f"{name} {index}".strip(), price="9.9999", sku=f"S{index}")
    manager("POST", "exports", {"what": "products", "format": "xlsx"})
    (job,) = work_off()
    sheet = openpyxl.load_workbook(job.path).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "b", "inlineStr"}
    prices = {row[5].value for row in sheet.iter_rows(min_row=2)}
    assert prices == {9.9999}


def test_a_report_of_stock_tells_what_it_is_worth(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP", stock=4, unit_cost=2)
    make_product("Mug", sku="MUG", stock=40)
    job = generate_inventory_report(manager.user.pk, {"low_stock": True})
    work_off()
    job.refresh_from_db()
    assert (job.kind, job.state, job.result, job.download_name) == (
        "report", "done", {"rows": 1}, "inventory-report.csv",
    )  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(job.path.read_text()))
    assert (row["sku"], row["on_hand"], row["stock_value"], row["is_low"]) == ("LAMP", "4", "8", "true")


@pytest.mark.parametrize("what", ["inventory", "sales", "movements"])
def test_every_report_is_made_in_both_formats(what: str, make_product: Callable[..., Product], manager: Api) -> None:
    lamp = make_product("Lamp", stock=4)
    manager("POST", "sales", {"product_id": lamp.pk, "quantity": 1})
    for kind in ("csv", "xlsx"):
        response = manager("POST", f"reports/{what}", {"format": kind})
        assert response.status_code == 202
        assert response["Location"] == f"/api/v1/jobs/{response.json()['id']}"
        (job,) = work_off()
        assert (job.state, job.error) == ("done", "")
        assert job.result["rows"] >= 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("exports", {}, "what"),
        ("exports", {"what": "users"}, "what"),
        ("exports", {"what": "products", "format": "pdf"}, "format"),
        ("exports", {"what": "orders", "status": "eaten"}, "status"),
        ("exports", {"what": "orders", "filters": {"status": "eaten"}}, "status"),
        ("exports", {"what": "orders", "filters": []}, "filters"),
        ("reports/sales", {"product_id": "x"}, "product_id"),
    ],
)
def test_a_wrong_request_queues_nothing(path: str, body: Any, field: str, manager: Api) -> None:
    response = manager("POST", path, body)
    assert (response.status_code, list(response.json()["fields"])) == (422, [field])
    assert not Job.objects.exists()


# ---- what comes in ---------------------------------------------------------------------------------------------------
def zipped(*members: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def sheet_of(rows: list[list[Any]]) -> bytes:
    book, packed = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(packed)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"%PDF-1.7 \x00", "unknown_format"),
        (b"sku\x00name", "unknown_format"),
        (b"PK\x03\x04 torn", "torn_file"),
        (zipped(("word/document.xml", b"x")), "unknown_format"),
        (zipped(*((f"{one}.xml", b"") for one in range(1001))), "unpacks_too_large"),
        (zipped(("xl/workbook.xml", b"<a/>")), "torn_file"),
        (b"sku,name,sku\n1,2,3\n", "duplicate_column"),
        (b'sku,"na', "torn_file"),
        (b",".join([b"c"] * 101), "too_wide"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_and_not_kept(
    content: bytes, code: str, manager: Api, var_dir: Path
) -> None:
    response = manager("POST", "imports?what=products", content)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert list(intake.folder().iterdir()) == []
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("declared", "status"),
    [(b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>', 400), (b"", 202)],
)
def test_entities_in_a_sheet_are_refused(
    declared: bytes, status: int, manager: Api, main: Warehouse, var_dir: Path
) -> None:
    good, packed = zipfile.ZipFile(io.BytesIO(sheet_of([["sku"], ["A"]]))), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in good.namelist():
            content = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = declared + content
            archive.writestr(name, content)
    response = manager("POST", "imports?what=products", packed.getvalue())
    assert response.status_code == status
    assert status == 202 or response.json()["code"] == "torn_file"


def test_a_small_archive_that_unpacks_to_gigabytes_is_refused_at_once(var_dir: Path) -> None:
    """In a process of its own, so that its memory can be measured; 4 GiB are declared by 42 kB and more."""
    bomb = var_dir / "bomb"
    zeros = b"\0" * (64 * 1024 * 1024)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("xl/workbook.xml", b"<a/>")
        archive.writestr("xl/worksheets/sheet1.xml", zeros)
    raw = bytearray(bomb.read_bytes())
    for magic, offset in ((b"PK\x01\x02", 24),):  # the central directory's word on the unpacked size
        at = raw.rfind(magic)
        raw[at + offset : at + offset + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    bomb.write_bytes(raw)
    program = (
        "import resource, sys, time; sys.path.insert(0, '.')\n"
        "import django; django.setup()\n"
        "from pathlib import Path; from workbox.exchange import intake, errors\n"
        "before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()\n"
        "try: intake.receive(Path(sys.argv[1])); said = 'taken'\n"
        "except errors.FileRefused as error: said = error.code\n"
        "took = time.monotonic() - began\n"
        "print(said, took < 1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(bomb)], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["unpacks_too_large", "True", "True"]
    assert not bomb.exists()


def test_rows_beyond_the_limit_are_refused(manager: Api, monkeypatch: pytest.MonkeyPatch, main: Warehouse) -> None:
    monkeypatch.setattr(intake, "ROWS_MAX", 3)
    for rows, state in ((3, "ready"), (4, "refused")):
        text = "sku,name,price\n" + "".join(f"S{one},N,1\n" for one in range(rows))
        number = manager("POST", "imports?what=products", text.encode()).json()["id"]
        work_off()
        assert manager("GET", f"imports/{number}").json()["state"] == state


def test_a_file_beyond_20_mb_is_refused_while_it_is_read(manager: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    big = b"sku\n" + b"x" * (20 * 1024 * 1024)
    response = manager("POST", "imports?what=products", big)
    assert (response.status_code, response.json()["code"]) == (400, "too_large")
    assert list(intake.folder().iterdir()) == []


def test_a_sheet_that_claims_a_million_columns_is_read_in_its_own_size(manager: Api, main: Warehouse) -> None:
    good, packed = zipfile.ZipFile(io.BytesIO(sheet_of([["sku", "name", "price"], ["A", "A", 1.5]]))), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in good.namelist():
            archive.writestr(name, good.read(name).replace(b"A1:C2", b"A1:XFD1048576"))
    began = time.monotonic()
    number = manager("POST", "imports?what=products", packed.getvalue()).json()["id"]
    work_off()
    assert manager("GET", f"imports/{number}").json()["counts"]["new"] == 1
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "content",
    [
        "sku;name;price\nÄ;Ünï;1.5\n".encode("cp1252"),
        "\ufeffsku\tname\tprice\r\nÄ\tÜnï\t1.5\r\n".encode(),
        sheet_of([["sku", "name", "price"], ["Ä", "Ünï", 1.5]]),
    ],
)
def test_a_form_upload_of_every_usual_spelling_is_read(content: bytes, manager: Api, main: Warehouse) -> None:
    file = SimpleUploadedFile("../../etc/passwd", content)
    response = Client().post("/api/v1/imports", {"what": "products", "file": file}, headers=manager.headers)
    assert response.status_code == 202, response.content
    assert response.json()["original_name"] == "passwd"
    work_off()
    row = Import.objects.get().rows.get()
    assert (row.status, row.values["name"], row.values["price"]) == ("new", "Ünï", "1.5")
