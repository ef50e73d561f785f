"""Imports: what a file would change is shown first, written once, and taken back."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import Category, Product, StockLevel, StockOperation, Warehouse
from orders.models import Customer, Order
from orders.services import Item, place_order
from purchasing.models import Vendor, VendorPrice
from purchasing.services.vendors import NewPrice, add_price, create_vendor
from tests.client import Api
from workbox.core import walls
from workbox.exchange import imports
from workbox.exchange.errors import WrongStep
from workbox.exchange.kinds import Movements, Orders, Products
from workbox.exchange.kinds.base import Line
from workbox.exchange.models import Import, ImportRow
from workbox.jobs.models import Job, JobState
from workbox.jobs.services import Progress
from workbox.jobs.tests.doing import work_off

pytestmark = pytest.mark.django_db
D = Decimal


def upload(api: Api, what: str, text: str | bytes) -> int:
    """Upload a file and let its preview be made; returns the import's id."""
    number = upload_only(api, what, text)
    work_off()
    return number


def upload_only(api: Api, what: str, text: str | bytes) -> int:
    """Upload a file; its preview waits for a worker."""
    body = text.encode() if isinstance(text, str) else text
    response = api("POST", f"imports?what={what}&name=file.csv", body)
    assert response.status_code == 202, response.content
    assert response["Location"] == f"/api/v1/jobs/{response.json()['job']['id']}"
    return int(response.json()["id"])


def preview(api: Api, number: int) -> dict[str, dict[str, Any]]:
    rows = api("GET", f"imports/{number}/preview?page_size=100").json()["results"]
    return {row["key"]: row for row in rows}


def apply(api: Api, number: int, mode: str = "all_or_nothing") -> dict[str, Any]:
    response = api("POST", f"imports/{number}/apply", {"mode": mode})
    assert response.status_code == 202, response.content
    (job,) = work_off()
    return {"state": job.state, "error": job.error, **job.result}


def reverse(api: Api, number: int) -> dict[str, Any]:
    response = api("POST", f"imports/{number}/reverse", {"reason": "wrong list"})
    assert response.status_code == 202, response.content
    (job,) = work_off()
    return {"state": job.state, "error": job.error, **job.result}


# ---- products --------------------------------------------------------------------------------------------------------
def test_a_preview_tells_new_changed_unchanged_and_wrong_rows_and_writes_nothing(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", stock=5, price="9.50")
    make_product("Mug", sku="MUG", stock=2, price="3")
    text = "SKU,Product name,Unit price,Current stock\nLAMP,Lamp,9.75,7\nMUG,Mug,3,2\nBOX,Box,4,1\nBAD,,-1,x\n"
    number = upload(manager, "products", text)
    shown = manager("GET", f"imports/{number}").json()
    assert shown["state"] == "ready"
    assert shown["mapping"] == {
        "sku": "SKU", "name": "Product name", "price": "Unit price", "stock_quantity": "Current stock",
    }  # fmt: skip
    assert shown["counts"] == {"new": 1, "changed": 1, "unchanged": 1, "error": 1}
    rows = preview(manager, number)
    assert rows["LAMP"]["changes"] == {
        "price": {"before": 9.5, "after": 9.75},
        "on_hand MAIN": {"before": 5, "after": 7},
    }
    assert (rows["MUG"]["status"], rows["MUG"]["changes"]) == ("unchanged", {})
    assert rows["BOX"]["status"] == "new"
    assert set(rows["BAD"]["errors"]) == {"name", "price"}
    assert rows["BAD"]["line"] == 5
    assert Product.objects.count() == 2
    assert Product.objects.get(sku="LAMP").price == D("9.5")


def test_an_applied_import_is_one_operation_and_one_reversible_act(
    make_product: Callable[..., Product], manager: Api, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5, price="9.50", category="Old")
    text = (
        "sku,name,price,category,on_hand MAIN,on_hand ANNEX\n"
        "LAMP,Lamp,10,New,3,4\n"
        "BOX,Box,4,New,,6\n"
    )  # fmt: skip
    number = upload(manager, "products", text)
    before = StockOperation.objects.count()
    result = apply(manager, number)
    assert (result["state"], result["applied"], result["left_out"]) == ("done", 2, 0)
    (operation_id,) = result["operation_ids"]
    assert StockOperation.objects.count() == before + 1
    operation = StockOperation.objects.get(pk=operation_id)
    assert (operation.kind, operation.actor_id) == ("import", manager.user.pk)
    lamp.refresh_from_db()
    assert (lamp.price, lamp.category and lamp.category.name) == (D(10), "New")
    stock = {(level.product.sku, level.warehouse.code): level.on_hand for level in StockLevel.objects.all()}
    assert stock == {("LAMP", "MAIN"): 3, ("LAMP", "ANNEX"): 4, ("BOX", "ANNEX"): 6}

    again = manager("POST", f"imports/{number}/apply", {})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_step")

    result = reverse(manager, number)
    assert (result["state"], result["reversal"]) == ("done", {"reversed": 2, "kept": 0, "kept_rows": []})
    lamp.refresh_from_db()
    assert (lamp.price, lamp.category and lamp.category.name) == (D("9.5"), "Old")
    assert not Product.objects.get(sku="BOX").is_active
    assert StockOperation.objects.get(reverses_id=operation_id).reason == "wrong list"
    stock = {(level.product.sku, level.warehouse.code): level.on_hand for level in StockLevel.objects.all()}
    assert stock == {("LAMP", "MAIN"): 5, ("LAMP", "ANNEX"): 0, ("BOX", "ANNEX"): 0}
    assert manager("POST", f"imports/{number}/reverse", {"reason": "r"}).status_code == 409


def test_a_row_that_changed_since_is_not_reversed_and_is_named(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp, mug = make_product("Lamp", sku="LAMP", price=1), make_product("Mug", sku="MUG", price=1)
    number = upload(manager, "products", "sku,price\nLAMP,2\nMUG,2\n")
    apply(manager, number)
    manager("PATCH", f"products/{mug.pk}", {"price": 3})
    result = reverse(manager, number)
    assert result["reversal"] == {"reversed": 1, "kept": 1, "kept_rows": [{"line": 3, "key": "MUG"}]}
    assert [Product.objects.get(pk=one.pk).price for one in (lamp, mug)] == [1, 3]


def test_a_row_that_moved_after_the_preview_is_left_out_or_stops_everything(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5)
    make_product("Mug", sku="MUG", stock=5)
    text = "sku,on_hand MAIN\nLAMP,8\nMUG,8\n"
    number, other = upload(manager, "products", text), upload(manager, "products", text)
    manager("POST", "inventory/adjust", {"product_id": lamp.pk, "quantity": -1, "reason": "broken"})
    refused = apply(manager, number)
    assert (refused["state"], refused["code"]) == ("failed", "rows_in_error")
    assert list(StockLevel.objects.order_by("product__sku").values_list("on_hand", flat=True)) == [4, 5]
    assert manager("GET", f"imports/{number}").json()["state"] == "ready"
    result = apply(manager, other, "valid_only")
    assert (result["applied"], result["left_out"], result["left_out_lines"]) == (1, 1, [2])
    assert list(StockLevel.objects.order_by("product__sku").values_list("on_hand", flat=True)) == [4, 8]


def test_all_or_nothing_writes_nothing_when_a_row_is_wrong(manager: Api, main: Warehouse) -> None:
    number = upload(manager, "products", "sku,name,price\nA,A,1\nB,,1\n")
    assert apply(manager, number)["state"] == "failed"
    assert Product.objects.count() == 0
    assert apply(manager, number, "valid_only")["applied"] == 1
    assert Product.objects.get().sku == "A"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",A,1,piece,1", "sku"),
        ("A,,1,piece,1", "name"),
        ("A,A,,piece,1", "price"),
        ("A,A,0,piece,1", "price"),
        ("A,A,1.23456,piece,1", "price"),
        ("A,A,1e400,piece,1", "price"),
        ("A,A,1,parsec,1", "unit_of_measure"),
        ("A,A,1,piece,1.5", "stock_quantity"),
        ("A,A,1,piece,-1", "stock_quantity"),
        ("A,A,1,piece,NaN", "stock_quantity"),
        ("LAMP,Lamp,1,piece,", "sku"),
        ("A\x01,A,1,piece,1", "sku"),
    ],
)
def test_a_wrong_cell_is_named(row: str, field: str, make_product: Callable[..., Product], manager: Api) -> None:
    text = f"sku,name,price,unit,stock\nLAMP,Lamp,5,piece,\n{row}\n"
    number = upload(manager, "products", text)
    wrong = ImportRow.objects.get(owner_id=number, number=3)
    assert (wrong.status, list(wrong.errors)) == ("error", [field])


def test_promised_stock_is_not_counted_away(make_product: Callable[..., Product], manager: Api) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5)
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 4}]})
    number = upload(manager, "products", "sku,on_hand MAIN\nLAMP,3\n")
    assert preview(manager, number)["LAMP"]["errors"] == {"on_hand MAIN": ["4 of it are promised to orders"]}


def test_available_stock_is_taken_from_several_warehouses_and_added_to_one(
    make_product: Callable[..., Product], manager: Api, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5)
    manager("POST", "inventory/adjust", {"product_id": lamp.pk, "quantity": 5, "warehouse_id": annex.pk, "reason": "r"})
    apply(manager, upload(manager, "products", "sku,stock_quantity\nLAMP,3\n"))
    assert list(StockLevel.objects.order_by("warehouse__priority").values_list("on_hand", flat=True)) == [0, 3]
    apply(manager, upload(manager, "products", "sku,quantity\nLAMP,7\n"))
    assert list(StockLevel.objects.order_by("warehouse__priority").values_list("on_hand", flat=True)) == [4, 3]
    apply(manager, upload(manager, "products", "sku,quantity,warehouse\nLAMP,1,annex\n"))
    assert list(StockLevel.objects.order_by("warehouse__priority").values_list("on_hand", flat=True)) == [4, 1]


def test_columns_are_mapped_by_hand(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP", price=1)
    number = upload(manager, "products", "Artikelnummer,Preis\nLAMP,2\n")
    shown = manager("GET", f"imports/{number}").json()
    assert (shown["state"], shown["mapping"]) == ("refused", {})
    assert "sku" in shown["job"]["error"]
    wrong = manager("PUT", f"imports/{number}/mapping", {"mapping": {"sku": "No such column", "colour": "Preis"}})
    assert (wrong.status_code, set(wrong.json()["fields"])) == (422, {"mapping.sku", "mapping.colour"})
    mapped = manager("PUT", f"imports/{number}/mapping", {"mapping": {"sku": "Artikelnummer", "price": "Preis"}})
    assert mapped.status_code == 202
    assert manager("GET", f"imports/{number}/preview").json()["code"] == "wrong_step"
    work_off()
    assert preview(manager, number)["LAMP"]["changes"] == {"price": {"before": 1, "after": 2}}


def test_an_upload_sent_twice_is_one_import(manager: Api, main: Warehouse) -> None:
    answers = [
        manager("POST", "imports?what=products", b"sku,name,price\nA,A,1\n", Idempotency_Key="k") for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Import.objects.count() == 1
    other = manager("POST", "imports?what=products", b"sku,name,price\nB,B,1\n", Idempotency_Key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_job_that_runs_again_after_its_commit_changes_nothing(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", stock=5)
    number = upload(manager, "products", "sku,on_hand MAIN\nLAMP,8\n")
    manager("POST", f"imports/{number}/apply", {})
    (job,) = work_off()
    first = dict(job.result)
    # As after a worker that was killed between COMMIT and the end of its job.
    type(job).objects.filter(pk=job.pk).update(state=JobState.QUEUED, finished_at=None, result={})
    (job,) = work_off()
    assert (job.state, job.result) == (JobState.DONE, first)
    assert StockLevel.objects.get().on_hand == 8
    assert StockOperation.objects.filter(kind="import").count() == 1


def late(job_id: int) -> tuple[Job, Progress]:
    """A worker that is past its last look at the job, and still believes it to be its own."""
    Job.objects.filter(pk=job_id).update(state=JobState.RUNNING, finished_at=None, cancel_requested=False)
    job = Job.objects.get(pk=job_id)
    return job, Progress(job.pk, job.attempt)


def test_a_cancelled_applys_late_worker_writes_nothing(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP", stock=5)
    number = upload(manager, "products", "sku,on_hand MAIN\nLAMP,8\n")
    first = manager("POST", f"imports/{number}/apply", {}).json()["job"]["id"]
    manager("POST", f"jobs/{first}/cancel", {})
    second = manager("POST", f"imports/{number}/apply", {}).json()["job"]["id"]
    with pytest.raises(WrongStep):
        imports.run_apply(*late(first))
    assert (StockLevel.objects.get().on_hand, Import.objects.get().state) == (5, "ready")
    Job.objects.filter(pk=first).update(state=JobState.CANCELLED, finished_at=timezone.now())
    (done,) = work_off()
    assert (done.pk, done.state, StockLevel.objects.get().on_hand) == (second, "done", 8)


def test_a_late_preview_does_not_make_an_applied_import_ready_again(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", stock=5)
    number = upload(manager, "products", "sku,on_hand MAIN\nLAMP,8\n")
    previewed = Import.objects.get().job_id
    assert previewed is not None
    apply(manager, number)
    imports.run_preview(*late(previewed))
    assert Import.objects.get().state == "applied"
    assert [(row.status, row.outcome) for row in ImportRow.objects.all()] == [("changed", "applied")]


def test_a_busy_import_takes_no_second_job(manager: Api, main: Warehouse) -> None:
    number = upload(manager, "products", "sku,name,price\nA,A,1\n")
    assert manager("POST", f"imports/{number}/apply", {}).status_code == 202
    for path, body in (("apply", {}), ("reverse", {"reason": "r"})):
        assert manager("POST", f"imports/{number}/{path}", body).status_code == 409
    assert manager("PUT", f"imports/{number}/mapping", {"mapping": {}}).json()["code"] == "import_busy"


def test_nothing_is_half_written_when_applying_breaks(
    make_product: Callable[..., Product], manager: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_product("Lamp", sku="LAMP", stock=5, price=1)
    number = upload(manager, "products", "sku,name,price,on_hand MAIN\nLAMP,Lamp,2,8\nBOX,Box,1,1\n")
    manager("POST", f"imports/{number}/apply", {})
    monkeypatch.setattr(imports, "_close", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work_off()
    assert Product.objects.get().price == 1
    assert StockLevel.objects.get().on_hand == 5
    assert not ImportRow.objects.exclude(outcome="").exists()


def test_rows_cost_no_statements_of_their_own(main: Warehouse, annex: Warehouse, manager: Api) -> None:
    def file(first: int, rows: int, price: int) -> str:
        lines = [
            f"S{one},Name {one},C{one % 3},{price},{price},{40 + price},{40 + price}"
            for one in range(first, first + rows)
        ]
        return "sku,name,category,price,unit_cost,on_hand MAIN,on_hand ANNEX\n" + "\n".join(lines)

    def count(text: str) -> list[int]:
        with CaptureQueriesContext(connection) as previewing:
            number = upload(manager, "products", text)
        with CaptureQueriesContext(connection) as applying:
            apply(manager, number)
        assert ImportRow.objects.filter(owner_id=number, outcome="applied").count() == text.count("S")
        with CaptureQueriesContext(connection) as reversing:
            reverse(manager, number)
        return [len(previewing), len(applying), len(reversing)]

    count(file(0, 3, 1))  # makes the categories
    assert count(file(10, 5, 2)) == count(file(20, 80, 2))
    apply(manager, upload(manager, "products", file(200, 80, 2)))
    assert count(file(200, 5, 3)) == count(file(210, 70, 4))


def test_the_pages_of_an_import_and_its_job_say_their_state_in_words(
    make_product: Callable[..., Product], manager: Api, client: Client
) -> None:
    make_product("Lamp", sku="LAMP", stock=5)
    number = upload(manager, "products", "sku,on_hand MAIN\nLAMP,8\n")
    client.force_login(manager.user)
    page = client.get(f"/admin/exchange/import/{number}/change/").content.decode()
    assert "Ready to apply" in page
    assert "(&#x27;ready&#x27;" not in page
    page = client.get(f"/admin/jobs/job/{Import.objects.get().job_id}/change/").content.decode()
    assert "Done" in page
    assert "(&#x27;done&#x27;" not in page


def test_the_preview_shows_each_difference_in_its_colour(
    make_product: Callable[..., Product], manager: Api, client: Client
) -> None:
    make_product("Lamp", sku="LAMP", stock=5)
    make_product("Mug", sku="MUG", stock=2)
    text = "sku,name,price,on_hand MAIN\nLAMP,,,8\nMUG,,,2\nTEA,Tea,3,\nBAD,Bad,x,\n"
    number = upload(manager, "products", text)
    client.force_login(manager.user)
    page = client.get(f"/admin/exchange/import/{number}/change/").content.decode()
    rows = dict(re.findall(r'<tr class="wb-diff-row wb-diff-(\w+)">(.*?)</tr>', page, re.DOTALL))
    assert {status: key for status, row in rows.items() for key in ("LAMP", "MUG", "TEA", "BAD") if key in row} == {
        "changed": "LAMP", "unchanged": "MUG", "new": "TEA", "error": "BAD",
    }  # fmt: skip
    assert re.search(r"<del>5</del> → <ins>8</ins>", rows["changed"])
    assert "<ins>Tea</ins>" in rows["new"]
    assert re.search(r'<p class="wb-out">price: .+</p>', rows["error"])
    styles = (Path(django_settings.BASE_DIR) / "workbox/static/workbox/admin.css").read_text()
    assert all(f".wb-diff-{status}" in styles for status in ("new", "changed", "error"))


# ---- the other kinds -------------------------------------------------------------------------------------------------
def test_vendors_are_known_by_their_name_in_any_spelling(manager: Api) -> None:
    create_vendor({"name": "Northwind Mill", "contact_phone": "1"})
    number = upload(manager, "vendors", "Supplier,Phone,E-mail\n northwind  MILL,2,\nNew Ltd,,a@b.co\nBad,,nonsense\n")
    rows = preview(manager, number)
    assert rows["northwind MILL"]["changes"]["contact_phone"] == {"before": "1", "after": "2"}
    assert rows["Bad"]["errors"] == {"contact_email": ["is no e-mail address"]}
    apply(manager, number, "valid_only")
    assert dict(Vendor.objects.values_list("name", "contact_phone")) == {"northwind MILL": "2", "New Ltd": ""}
    reverse(manager, number)
    assert dict(Vendor.objects.values_list("name", "is_active")) == {"Northwind Mill": True, "New Ltd": False}


def test_a_new_price_closes_the_one_before_and_a_reversal_adds_a_third(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp, mug = make_product("Lamp", sku="LAMP"), make_product("Mug", sku="MUG")
    vendor = create_vendor({"name": "Mill"})
    add_price(vendor.pk, NewPrice(lamp.pk, D("4"), pack_quantity=D(6), breaks=[(D(10), D("3.5"))]))
    number = upload(manager, "prices", "vendor,sku,price\nMILL,LAMP,4.25\nMill,MUG,1\nNobody,MUG,1\n")
    assert manager("GET", f"imports/{number}").json()["counts"] == {"new": 1, "changed": 1, "unchanged": 0, "error": 1}
    apply(manager, number, "valid_only")
    now = VendorPrice.objects.get(product=lamp, is_current=True)
    assert (now.unit_price, now.pack_quantity, now.breaks.get().unit_price) == (D("4.25"), 6, D("3.5"))
    reverse(manager, number)
    prices = VendorPrice.objects.filter(product=lamp).order_by("id").values_list("unit_price", "is_current")
    assert list(prices) == [(4, None), (D("4.25"), None), (4, True)]
    assert list(VendorPrice.objects.filter(product=mug).values_list("is_current", flat=True)) == [None]


def test_movements_are_appended_and_a_known_one_is_only_compared(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5)
    known = lamp.movements.get()
    text = (
        "id,date,sku,warehouse,type,qty,reason\n"
        f"{known.pk},,LAMP,MAIN,purchase,5,\n"
        f"{known.pk},,LAMP,MAIN,purchase,6,\n"
        ",2026-01-02T03:04:05Z,LAMP,MAIN,sale,2,sold\n"
        ",2026-01-02T03:04:05Z,LAMP,,adjustment,3,found\n"
        ",,LAMP,MAIN,transfer_in,3,\n"
    )
    number = upload(manager, "movements", text)
    statuses = list(ImportRow.objects.filter(owner_id=number).order_by("number").values_list("status", flat=True))
    assert statuses == ["unchanged", "error", "new", "new", "error"]
    result = apply(manager, number, "valid_only")
    assert (result["applied"], len(result["operation_ids"])) == (2, 2)
    assert StockLevel.objects.get().on_hand == 6
    sold = lamp.movements.get(movement_type="sale")
    assert (sold.quantity, sold.created_at.isoformat()) == (-2, "2026-01-02T03:04:05+00:00")
    reverse(manager, number)
    assert StockLevel.objects.get().on_hand == 5


def test_movements_of_many_dates_are_taken_back_as_one_act_or_not_at_all(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp, mug = make_product("Lamp", sku="LAMP", stock=5), make_product("Mug", sku="MUG", stock=0)
    text = "date,sku,type,qty\n2026-01-02,LAMP,purchase,3\n2026-01-03,MUG,purchase,4\n2026-01-04,LAMP,sale,1\n"
    number = upload(manager, "movements", text)
    operations = apply(manager, number)["operation_ids"]
    assert len(operations) == 3
    sold = {"product_id": mug.pk, "quantity": 2, "movement_type": "sale"}
    sale = manager("POST", "stock-movements", sold).json()
    before = StockOperation.objects.count()

    failed = reverse(manager, number)  # the second of the three would leave less than nothing
    assert (failed["state"], StockOperation.objects.count()) == ("failed", before)
    assert Import.objects.get(pk=number).state == "applied"
    assert not StockOperation.objects.filter(reverses__in=operations).exists()
    assert dict(StockLevel.objects.values_list("product__sku", "on_hand")) == {"LAMP": 7, "MUG": 2}

    manager("POST", f"inventory/operations/{sale['operation_id']}/reverse", {"reason": "came back"})
    assert reverse(manager, number)["state"] == "done"
    assert Import.objects.get(pk=number).state == "reversed"
    assert sorted(StockOperation.objects.filter(reverses__in=operations).values_list("reverses", flat=True)) == sorted(
        operations
    )
    assert dict(StockLevel.objects.values_list("product__sku", "on_hand")) == {"LAMP": 5, "MUG": 0}
    assert manager("POST", f"imports/{number}/reverse", {"reason": "twice"}).status_code == 409
    assert lamp.movements.count() == 1 + 2 + 2


def test_movements_of_what_is_not_there_are_left_out_by_name(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", stock=1)
    make_product("Mug", sku="MUG", stock=9)
    number = upload(manager, "movements", "sku,type,qty\nLAMP,sale,2\nMUG,sale,2\n")
    assert apply(manager, number)["state"] == "failed"
    assert apply(manager, number, "valid_only")["left_out_lines"] == [2]
    assert dict(StockLevel.objects.values_list("product__sku", "on_hand")) == {"LAMP": 1, "MUG": 7}


def test_orders_are_placed_under_their_reference_and_cancelled_by_a_reversal(
    make_product: Callable[..., Product], manager: Api
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=5, price=10)
    Customer.objects.create(code="C1")
    text = (
        "reference,customer,sku,qty,price,status\n"
        "R1,C1,LAMP,2,9,confirmed\nR1,C1,LAMP,1,,confirmed\nR2,,LAMP,1,,\nR3,,LAMP,1,,shipped\nR4,,LAMP,1,,\nR4,,NONE,1,,\n"
    )
    number = upload(manager, "orders", text)
    statuses = list(ImportRow.objects.filter(owner_id=number).order_by("number").values_list("status", flat=True))
    assert statuses == ["new", "new", "new", "error", "error", "error"]
    assert len(apply(manager, number, "valid_only")["order_ids"]) == 2
    made = {one.external_reference: one for one in Order.objects.all()}
    assert {name: (one.status, one.total_amount) for name, one in made.items()} == {
        "R1": ("confirmed", 28),
        "R2": ("pending", 10),
    }
    assert StockLevel.objects.get(product=lamp).reserved == 3
    again = upload(manager, "orders", "reference,sku,qty,status\nR2,LAMP,1,pending\nR1,LAMP,9,\n")
    statuses = list(ImportRow.objects.filter(owner_id=again).order_by("number").values_list("status", flat=True))
    assert statuses == ["unchanged", "error"]
    reverse(manager, number)
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    assert StockLevel.objects.get(product=lamp).reserved == 0


def test_a_reference_may_look_like_an_id(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP", stock=9, price=10)
    first = manager("POST", "orders", {"items": [{"product_id": Product.objects.get().pk, "quantity": 1}]}).json()
    text = f"reference,sku,qty\n#{first['id']},LAMP,2\n#\u00b2,LAMP,1\n# 7,LAMP,1\n"
    number = upload(manager, "orders", text)
    assert manager("GET", f"imports/{number}").json()["counts"] == {"new": 3, "changed": 0, "unchanged": 0, "error": 0}
    assert len(apply(manager, number)["order_ids"]) == 3
    again = upload(manager, "orders", text)
    assert manager("GET", f"imports/{again}").json()["counts"]["unchanged"] == 3
    assert reverse(manager, number)["reversal"]["reversed"] == 3
    assert Order.objects.get(pk=first["id"]).status != "cancelled"


def test_known_orders_are_compared_in_as_many_statements_however_many_they_are(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", stock=99, price=10)
    apply(manager, upload(manager, "orders", "reference,sku,qty\n" + "".join(f"R{n},LAMP,1\n" for n in range(9))))
    counts = []
    for many in (2, 9):
        kind = Orders()
        lines = [Line(n, {"external_reference": f"R{n}", "sku": "LAMP", "quantity": "1"}) for n in range(many)]
        with CaptureQueriesContext(connection) as asked:
            assert {row.status for row in kind.plan(lines)} == {"unchanged"}
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_an_order_beyond_the_walls_is_not_compared_and_its_reference_is_taken(
    make_product: Callable[..., Product], main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", sku="LAMP", stock=9, price=10)
    hidden = place_order([Item(lamp.pk, D(1))], user_id=None, warehouse_id=main.pk, external_reference="R1").id
    row = {"sku": "LAMP", "quantity": "1"}
    with walls.seen_by(frozenset({annex.pk})):
        one, other = Orders().plan(
            [Line(2, row | {"order_id": str(hidden)}), Line(3, row | {"external_reference": "R1"})]
        )
    assert one.errors == {"order_id": ["there is no such order; leave the id empty and give an external_reference"]}
    assert other.errors == {"external_reference": ["is in use already; give the order another one"]}


def test_products_are_held_whatever_space_stands_around_their_sku(
    make_product: Callable[..., Product], main: Warehouse
) -> None:
    make_product("Lamp", sku="LAMP", stock=9)
    for kind in (Products(), Movements()):
        with CaptureQueriesContext(connection) as asked:
            kind.hold([Line(2, {"sku": " LAMP "})])
        assert any("'LAMP'" in one["sql"] for one in asked)


def test_who_is_bound_names_the_warehouse_of_a_stock_quantity(
    make_product: Callable[..., Product], main: Warehouse, annex: Warehouse
) -> None:
    make_product("Lamp", sku="LAMP", stock=9)
    row = {"sku": "LAMP", "stock_quantity": "5"}
    with walls.seen_by(frozenset({annex.pk})):
        vague, named = Products().plan([Line(2, row)]), Products().plan([Line(2, row | {"warehouse": "ANNEX"})])
    assert list(vague[0].errors) == ["stock_quantity"]
    assert named[0].values == {"on_hand ANNEX": D(5)}


def test_price_breaks_are_judged_as_the_service_does(make_product: Callable[..., Product], manager: Api) -> None:
    make_product("Lamp", sku="LAMP")
    create_vendor({"name": "Mill"})
    for breaks in ("1e27: 1", "1.5: 1", "5: 1e27", "5: 1; 5: 2"):
        number = upload(manager, "prices", f"vendor,sku,price,breaks\nMill,LAMP,4,{breaks}\n")
        (row,) = ImportRow.objects.filter(owner_id=number)
        assert (row.status, list(row.errors)) == ("error", ["price_breaks"]), breaks


def test_a_price_of_a_long_name_is_set_and_taken_back(make_product: Callable[..., Product], manager: Api) -> None:
    lamp = make_product("Lamp", sku="L" * 60)
    create_vendor({"name": "M" * 200})
    number = upload(manager, "prices", f"vendor,sku,price\n{'M' * 200},{lamp.sku},4\n")
    assert apply(manager, number)["applied"] == 1
    assert VendorPrice.objects.get().product_id == lamp.pk
    assert reverse(manager, number)["reversal"]["reversed"] == 1


def test_an_import_whose_file_is_gone_says_to_upload_it_again(
    make_product: Callable[..., Product], manager: Api
) -> None:
    make_product("Lamp", sku="LAMP", price=1)
    number = upload(manager, "products", "sku,price\nLAMP,2\n")
    waiting = upload_only(manager, "products", "sku,price\nLAMP,3\n")
    assert imports.clear_old_files(kept=timedelta(seconds=-5)) == 2
    refused = manager("PUT", f"imports/{number}/mapping", {"mapping": {"price": None}})
    assert (refused.status_code, refused.json()["code"]) == (409, "file_gone")
    assert "upload it again" in refused.json()["detail"]
    (job,) = work_off()
    assert (job.state, job.result["code"]) == ("failed", "file_gone")
    assert Import.objects.get(pk=waiting).state == "refused"
    assert apply(manager, number)["applied"] == 1  # what was previewed needs the file no more


# ---- round trips -----------------------------------------------------------------------------------------------------
@pytest.fixture
def strange_shop(make_product: Callable[..., Product], manager: Api, kilogram: Any, annex: Warehouse) -> None:
    """Names and numbers that a careless exporter would spoil."""
    make_product("=1+1", sku="-SKU", stock=3, price="0.0125", category="@home", description='a,b;"c"\nd\r\ne')
    make_product("'=quoted", sku="007", stock=0, price="1234567.8901", description="\ttab")
    make_product("Ünïcödé 灯 😀", sku="+49", stock="2.125", price="3", unit="kg", unit_cost=D("1.5"))
    make_product("Line\nbreak", sku="1e5", stock=1, price="5")
    Category.objects.create(name="Unused")
    products = {one.sku: one for one in Product.objects.all()}
    vendor = create_vendor({"name": "=cmd|' /C calc'!A0", "notes": "-1", "address": "@street; 5"})
    create_vendor({"name": "Plain", "contact_email": "a@example.com"})
    add_price(vendor.pk, NewPrice(products["+49"].pk, D("1.2345"), breaks=[(D("10.5"), D("1")), (D(50), D("0.5"))]))
    add_price(vendor.pk, NewPrice(products["-SKU"].pk, D("2"), shipping_cost=D("3.5"), shipping_basis="unit"))
    for one in products.values():
        manager("POST", "orders", {"items": [{"product_id": one.pk, "quantity": 1}], "notes": "=2", "confirm": False})
    manager("POST", "inventory/adjust", {"product_id": products["+49"].pk, "quantity": -0.125, "reason": "=x"})


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
@pytest.mark.parametrize("what", ["products", "vendors", "prices", "orders", "movements"])
def test_bringing_an_export_in_again_changes_nothing(
    what: str, file_format: str, strange_shop: None, manager: Api, var_dir: Path
) -> None:
    assert manager("POST", "exports", {"what": what, "format": file_format}).status_code == 202
    (job,) = work_off()
    assert (job.state, job.error) == ("done", "")
    number = upload(manager, what, job.path.read_bytes())
    shown = manager("GET", f"imports/{number}").json()
    assert shown["job"]["error"] is None
    assert shown["counts"] == {"new": 0, "changed": 0, "unchanged": job.result["rows"], "error": 0}, [
        (row.number, row.status, row.raw, row.values, row.before, row.errors)
        for row in ImportRow.objects.filter(owner_id=number).exclude(status="unchanged")
    ]
    assert job.result["rows"] > 1
    operations = StockOperation.objects.count()
    assert apply(manager, number)["applied"] == 0
    assert StockOperation.objects.count() == operations
