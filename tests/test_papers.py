"""Papers: every printed code reads back with an independent decoder, pages are numbered, walls and roles hold."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pyzbar.pyzbar import decode

from accounts.models import Membership, User
from inventory.documents import Pick, count_sheet, pick_list
from inventory.labels import BEST, CODE128, EAN13, LAYOUTS, QR, ZPL, LabelOrder, print_labels
from inventory.models import Barcode, Product, StockLevel, Warehouse
from inventory.queries.printing import LabelRow, label_rows
from inventory.services import counts, ledger, transfers
from inventory.services.counts import Found
from orders import services
from orders.documents import invoice
from orders.models import Customer
from orders.services import Item
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order
from tests.client import Api
from workbox.core.errors import Invalid
from workbox.core.paper import BOLD, MISSING, Column, Row, Sheet, printable, wrapped

D = Decimal
SECONDS_FOR_200 = 2.0
CODES = {"CODE128": CODE128, "EAN13": EAN13, "QRCODE": QR}


def text_of(pdf: bytes) -> list[str]:
    """The words of each page."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]


def codes_of(pdf: bytes, *, dpi: int = 300) -> list[tuple[str, str]]:
    """What zbar reads on the pages: kind and text."""
    found = []
    for page in pypdfium2.PdfDocument(pdf):
        picture = page.render(scale=dpi / 72, grayscale=True).to_pil()
        found += [(CODES[one.type], one.data.decode()) for one in decode(picture)]
    return found


def label(sku: str, *, name: str = "Desk lamp", ean13: str = "") -> LabelRow:
    return LabelRow(1, sku, name, D("49.9"), "piece", ean13)


# ---- labels ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("sku", ["LAMP-01", "aB-c/12", "x~^>_1", "$%&+.#", "0123456789", "lower case"])
def test_every_sku_reads_back_from_every_label(layout: str, sku: str) -> None:
    rows = [label(sku), label("OTHER-2")]
    for kind in (CODE128, QR):
        read = codes_of(print_labels(rows, LabelOrder(layout, kind)), dpi=400)
        assert sorted(text for _, text in read) == sorted([sku, "OTHER-2"])
    assert {found for found, _ in read} == {QR}


@pytest.mark.parametrize("layout", ["a4-3x8", "a4-2x7", "a4-5x13", "roll-50x30"])
def test_an_ean13_reads_back(layout: str) -> None:
    row = label("LAMP-01", name="A rather long name that needs two lines on a label", ean13="4006381333931")
    assert codes_of(print_labels([row], LabelOrder(layout, EAN13)), dpi=400) == [(EAN13, "4006381333931")]


def test_a_sku_too_long_for_bars_or_not_of_ascii_is_printed_as_qr() -> None:
    skus = ["S" * 64, "ŻARÓWKA-λ"]
    read = codes_of(print_labels([label(sku) for sku in skus], LabelOrder(kind=CODE128)))
    assert sorted(read) == sorted((QR, sku) for sku in skus)


def test_the_best_code_is_the_linked_ean13_of_a_single_unit(make_product: Callable[..., Product]) -> None:
    lamp, box = make_product("Lamp", sku="LAMP"), make_product("Box", sku="BOX")
    Barcode.objects.create(code="4006381333931", product=lamp)
    Barcode.objects.create(code="036000291452", product=box)  # UPC-A
    Barcode.objects.create(code="5901234123457", product=box, pack_quantity=D(12))
    rows = label_rows([box.pk, lamp.pk, 99999])
    assert [(row.sku, row.ean13) for row in rows] == [("BOX", "0036000291452"), ("LAMP", "4006381333931")]
    assert [text for _, text in codes_of(print_labels(rows, LabelOrder(kind=BEST)))] == [
        "0036000291452", "4006381333931",
    ]  # fmt: skip


def test_a_sheet_holds_24_labels_and_begins_after_those_that_are_gone() -> None:
    pages = pypdfium2.PdfDocument(print_labels([label(f"L-{one:02d}") for one in range(24)], LabelOrder(skip=3)))
    found = [decode(page.render(scale=4, grayscale=True).to_pil()) for page in pages]
    assert [len({one.data for one in page}) for page in found] == [21, 3]
    assert min(one.rect.top for one in found[0]) > 37 / 25.4 * 72 * 4  # nothing in the first row


def test_without_an_ean13_the_refusal_names_the_product_and_what_to_do() -> None:
    with pytest.raises(Invalid, match=r"No EAN-13 is linked to Desk lamp \(LAMP-01\)\. Link one on the product's page"):
        print_labels([label("LAMP-01")], LabelOrder(kind=EAN13))
    with pytest.raises(Invalid, match="are 2100 labels; print at most 2000"):
        print_labels([label(f"L{number}") for number in range(7)], LabelOrder(copies=300))
    with pytest.raises(Invalid, match="Choose at least one product"):
        print_labels([], LabelOrder())


@pytest.mark.parametrize("kind", [CODE128, EAN13, QR])
def test_two_hundred_labels_take_less_than_two_seconds(kind: str) -> None:
    rows = [
        label(f"Lamp-{number:05d}", name=f"Лампа настольная № {number}", ean13="4006381333931") for number in range(200)
    ]
    begun = time.process_time()  # our work alone: other tests run on this machine at the same time
    pdf = print_labels(rows, LabelOrder(kind=kind))
    took = time.process_time() - begun
    assert len(pypdfium2.PdfDocument(pdf)) == 9
    assert took < SECONDS_FOR_200, f"{took:.2f} s"


def test_zpl_spells_text_and_commands_exactly() -> None:
    zpl = print_labels([label("aB^~_1>", name="Żółta ^XZ")], LabelOrder(ZPL, CODE128, copies=3)).decode()
    assert zpl.startswith("^XA^CI28^PW400^LL240^PQ3")
    assert zpl.endswith("^XZ\n")
    assert zpl.count("^XZ") == 1
    assert "^FH^FDŻółta _5EXZ^FS" in zpl
    assert "^BY2^BCN,74,N,N,N^FD>:aB><>=_1>0^FS" in zpl
    assert "^FH^FDaB_5E_7E_5F1>^FS" in zpl
    assert "^FH^FD49.90^FS" in zpl
    ean = print_labels([label("LAMP-01", ean13="4006381333931")], LabelOrder(ZPL, EAN13)).decode()
    assert "^BY2^BEN,74,Y,N^FD400638133393^FS" in ean
    assert "^FH^FDLAMP-01^FS" in ean
    long = print_labels([label("S" * 30)], LabelOrder(ZPL, CODE128)).decode()
    assert f"^BQN,2,6^FH^FDMA,{'S' * 30}^FS" in long


# ---- text ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Καφενείο", "Καφενείο"),
        ("Лампа", "Лампа"),
        ("Żółć", "Żółć"),
        ("中文 lamp", f"{MISSING}{MISSING} lamp"),
        ("a\tb\nc\x00d", "a b cd"),
        ("שלום 12 עולם!", "םלוע 12 םולש!"),
    ],
)
def test_words_of_every_script_are_drawn_or_visibly_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_words_are_broken_and_lines_cut_with_an_ellipsis() -> None:
    Sheet("x")
    assert "".join(wrapped("x" * 500, BOLD, 9, 100)) == "x" * 500
    lines = wrapped("one two three " * 20, BOLD, 9, 100, most=2)
    assert (len(lines), lines[1][-1]) == (2, "…")


def test_a_table_flows_over_pages_that_are_numbered_under_their_titles() -> None:
    sheet = Sheet("Lines", sender="Nordic Lamps\nHarbour 1")
    sheet.heading(code="ORDER-12")
    sheet.table([Column("SKU", 30), Column("Product")], [Row([f"S-{n:03d}", "Лампа " * 12]) for n in range(200)])
    pdf = sheet.finish()
    pages = text_of(pdf)
    assert len(pages) > 4
    assert all(f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, start=1))
    assert all("Product" in page for page in pages)
    assert [page.count("S-") for page in pages if "S-" in page] != [200]
    assert sum(page.count("S-") for page in pages) == 200
    assert codes_of(pdf) == [(CODE128, "ORDER-12")]


def test_a_pick_list_follows_the_bins_and_sums_a_product() -> None:
    picks = [
        Pick("Main", "B-02", "BOX", "Box", D(1), "#1"),
        Pick("Main", "", "MUG", "Mug", D(2), "#1"),
        Pick("Main", "A-10", "LAMP", "Lamp", D(3), "#2"),
    ]
    page = text_of(pick_list("Pick list", picks))[0]
    assert page.index("A-10") < page.index("B-02") < page.index("MUG")
    assert "Main: 3 places, 6 units" in page


# ---- in the admin ----------------------------------------------------------------------------------------------------
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="accounts.roles.RoleBackend")
    return client


def paper(client: Client, label_: str, number: int, name: str) -> Any:
    return client.get(reverse(f"admin:{label_}_paper", args=[number, name]))


@pytest.fixture
def papers(
    make_product: Callable[..., Product], make_user: Callable[..., User], annex: Warehouse, main: Warehouse
) -> dict[str, Any]:
    """An order, a purchase order, a transfer and a count of lamps and boxes, with their numbers."""
    for role in ("user", "clerk", "manager", "analyst", "admin"):
        make_user(role)
    lamp = make_product("Лампа, латунь", stock=10, sku="LAMP", price="49.90")
    box = make_product("Box", stock=50, sku="BOX", price="0.05")
    StockLevel.objects.filter(product=lamp).update(bin="B-02")
    StockLevel.objects.filter(product=box).update(bin="A-01")
    cafe = Customer.objects.create(code="C-1", name="Καφενείο Ελλάς", country="Greece")
    items = [Item(lamp.pk, D(2)), Item(box.pk, D(7))]
    order = services.place_order(items, user_id=None, customer_id=cafe.pk, confirm=True)
    vendor = vendors.create_vendor({"name": "Łódź Lampy"})
    bought = create_purchase_order(vendor.pk, [PurchaseItem(lamp.pk, D(20), D("12.5"))])
    moved = transfers.create_transfer({lamp.pk: D(1)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    return {"lamp": lamp, "box": box, "order": order.id, "purchase": bought.pk, "transfer": moved.id, "main": main}


def places(made: dict[str, Any]) -> list[tuple[str, int, str]]:
    count = counts.open_count(made["main"].pk)
    return [
        ("orders_order", made["order"], "pick-list"),
        ("orders_order", made["order"], "packing-slip"),
        ("orders_order", made["order"], "invoice"),
        ("purchasing_purchaseorder", made["purchase"], "order"),
        ("inventory_transfer", made["transfer"], "slip"),
        ("inventory_stockcount", count.id, "sheet"),
    ]


@pytest.mark.parametrize("role", ["clerk", "manager", "analyst", "admin"])
def test_staff_print_every_paper_which_the_browser_shows_and_keeps_nowhere(papers: dict[str, Any], role: str) -> None:
    client = browser(User.objects.get(username=role))
    names = []
    for place in places(papers):
        answer = paper(client, *place)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert "no-store" in answer["Cache-Control"]
        assert answer.content.startswith(b"%PDF-")
        names.append(answer["Content-Disposition"])
    assert names[2] == f'inline; filename="invoice-order-{papers["order"]}.pdf"'
    assert client.post(reverse("admin:orders_order_paper", args=[papers["order"], "invoice"])).status_code == 405


def test_customers_and_strangers_print_nothing(papers: dict[str, Any]) -> None:
    customer = browser(User.objects.get(username="user"))
    for place in places(papers):
        assert [paper(client, *place).status_code for client in (customer, Client())] == [302, 302]
    assert customer.get(reverse("admin:inventory_product_labels")).status_code == 302


def test_papers_end_at_the_walls(papers: dict[str, Any], annex: Warehouse) -> None:
    bound = User.objects.get(username="clerk")
    Membership.objects.create(user=bound, warehouse_id=annex.pk)
    count = counts.open_count(papers["main"].pk)
    client = browser(bound)
    assert paper(client, "inventory_stockcount", count.id, "sheet").status_code == 404
    assert paper(client, "purchasing_purchaseorder", papers["purchase"], "order").status_code == 404
    # The order is everybody's to see, but what lies elsewhere is not theirs to pick.
    page = text_of(paper(client, "orders_order", papers["order"], "pick-list").content)[0]
    assert "LAMP" not in page
    assert "Nothing is reserved to be picked" in page


def test_the_papers_say_what_the_books_say(papers: dict[str, Any]) -> None:
    client, number = browser(User.objects.get(username="clerk")), papers["order"]
    services.ship_order(number, quantities={papers["box"].pk: D(3)})
    pick = text_of(paper(client, "orders_order", number, "pick-list").content)[0]
    assert pick.index("A-01") < pick.index("B-02")
    assert "2 places, 6 units" in pick
    assert codes_of(paper(client, "orders_order", number, "pick-list").content) == [(CODE128, f"ORDER-{number}")]
    slip = text_of(paper(client, "orders_order", number, "packing-slip").content)[0]
    assert ["Καφενείο Ελλάς" in slip, "3 units shipped" in slip, "49.90" in slip] == [True, True, False]
    bill = text_of(paper(client, "orders_order", number, "invoice").content)[0]
    assert [word in bill for word in ("99.80", "0.35", "100.15", "Лампа, латунь")] == [True] * 4
    bought = paper(client, "purchasing_purchaseorder", papers["purchase"], "order").content
    assert [word in text_of(bought)[0] for word in ("Łódź Lampy", "DRAFT", "250.00", "12.50")] == [True] * 4
    assert codes_of(bought) == [(CODE128, f"PO-{papers['purchase']}")]
    moved = text_of(paper(client, "inventory_transfer", papers["transfer"], "slip").content)[0]
    assert [word in moved for word in ("B-02", "MAIN", "ANNEX", "1 line, 1 units")] == [True] * 4


def test_an_invoice_of_a_pending_order_says_what_to_do_first(papers: dict[str, Any]) -> None:
    pending = services.place_order([Item(papers["lamp"].pk, D(1))], user_id=None, confirm=False)
    client = browser(User.objects.get(username="clerk"))
    answer = client.get(reverse("admin:orders_order_paper", args=[pending.id, "invoice"]), follow=True)
    assert f"Order {pending.id} is pending; it cannot be invoiced. Confirm it first." in answer.content.decode()
    page = client.get(reverse("admin:orders_order_change", args=[pending.id])).content.decode()
    assert ["/paper/invoice/" in page, "/paper/packing-slip/" in page] == [False, True]


def test_a_blind_count_sheet_shows_no_book_numbers_until_it_is_closed(papers: dict[str, Any]) -> None:
    ledger.adjust(papers["lamp"].pk, quantity=D(4311), reason="found", warehouse_id=papers["main"].pk)
    blind, seen = (counts.open_count(papers["main"].pk, is_blind=is_blind) for is_blind in (True, False))
    assert "4,321" in text_of(count_sheet([seen.id]))[0]
    StockLevel.objects.filter(product=papers["box"]).update(bin="")
    page = text_of(count_sheet([blind.id]))[0]
    assert page.index("LAMP") < page.index("BOX")  # what has no bin comes last
    assert ["4,321" in page, "Books" in page, "Blind" in page, "LAMP" in page] == [False, False, True, True]
    counts.record(blind.id, [Found(papers["lamp"].pk, D(4321))])
    counts.close_count(blind.id)
    assert "Books" in text_of(count_sheet([blind.id]))[0]


def test_the_pick_list_of_a_selection_is_one_walk(papers: dict[str, Any]) -> None:
    other = services.place_order([Item(papers["lamp"].pk, D(3))], user_id=None, confirm=True)
    client = browser(User.objects.get(username="clerk"))
    chosen = {"action": "print_pick_list", "_selected_action": [papers["order"], other.id]}
    answer = client.post(reverse("admin:orders_order_changelist"), chosen)
    page = text_of(answer.content)[0]
    assert f"#{papers['order']} × 2, #{other.id} × 3" in " ".join(page.split())
    assert page.count("LAMP") == 1


def test_selected_products_go_to_the_label_page_and_from_there_to_paper(papers: dict[str, Any]) -> None:
    client = browser(User.objects.get(username="clerk"))
    ids = [papers["lamp"].pk, papers["box"].pk]
    sent = client.post(
        reverse("admin:inventory_product_changelist"),
        {"action": "print_labels_of_selected", "_selected_action": ids},
    )
    assert sent["Location"] == f"{reverse('admin:inventory_product_labels')}?ids={ids[1]},{ids[0]}"
    assert "Labels of" in client.get(sent["Location"]).content.decode()
    url = reverse("admin:inventory_product_labels_print")
    wanted = {"ids": f"{ids[1]},{ids[0]}", "layout": "a4-3x8", "kind": "best", "copies": "2", "lines": ["name"]}
    printed = client.get(url, wanted).content
    assert [text for _, text in codes_of(printed)] == ["BOX", "LAMP"]  # zbar tells equal codes of a page once
    assert [text_of(printed)[0].count(name) for name in ("Box", "Лампа")] == [2, 2]
    zpl = client.get(url, wanted | {"layout": ZPL})
    assert zpl["Content-Disposition"] == 'attachment; filename="labels-zpl-50x30.zpl"'
    refused = client.get(url, wanted | {"kind": "ean13"})
    assert (refused.status_code, "No EAN-13 is linked to Box (BOX)" in refused.content.decode()) == (422, True)
    assert client.get(url, wanted | {"copies": "0"}).status_code == 422
    assert client.get(url, {"ids": "1'--"}).status_code == 422


def test_a_bin_is_set_in_a_dialog_and_a_new_level_has_none(papers: dict[str, Any], annex: Warehouse) -> None:
    ledger.adjust(papers["box"].pk, quantity=D(1), reason="found", warehouse_id=annex.pk)
    level = StockLevel.objects.get(product=papers["box"], warehouse=annex)
    assert level.bin == ""
    url = reverse("admin:inventory_stocklevel_set_bin", args=[level.pk])
    body = {"_form_submitted": "on", "bin": " C-7 "}
    assert browser(User.objects.get(username="analyst")).post(url, body).status_code == 403
    browser(User.objects.get(username="clerk")).post(url, body)
    level.refresh_from_db()
    assert level.bin == "C-7"


def test_bins_are_read_and_set_over_the_api(
    papers: dict[str, Any], as_staff: Callable[[str], Api], annex: Warehouse, main: Warehouse
) -> None:
    path = f"products/{papers['lamp'].pk}/bins"
    answer = as_staff("clerk")("PUT", path, {"bins": [{"warehouse_id": annex.pk, "bin": " C-1 "}]})
    expected = [
        {"warehouse_id": main.pk, "warehouse_name": "Main store", "bin": "B-02"},
        {"warehouse_id": annex.pk, "warehouse_name": "Annex", "bin": "C-1"},
    ]
    assert (answer.status_code, answer.json()) == (200, expected)
    as_staff("clerk")("PUT", path, {"bins": [{"warehouse_id": main.pk, "bin": ""}]})
    assert as_staff("analyst")("GET", path).json() == expected[1:]
    wrong = as_staff("clerk")("PUT", path, {"bins": [{"warehouse_id": main.pk, "bin": "x" * 41}]})
    assert (wrong.status_code, wrong.json()["fields"]) == (422, {"bins.0.bin": ["may have at most 40 characters"]})


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def test_papers_run_a_constant_number_of_statements(
    papers: dict[str, Any], make_product: Callable[..., Product]
) -> None:
    client = browser(User.objects.get(username="admin"))
    more = [make_product(f"P{number}", stock=5, sku=f"P{number}") for number in range(30)]
    big = services.place_order([Item(one.pk, D(1)) for one in more], user_id=None, confirm=True)
    vendor = vendors.create_vendor({"name": "Second"})
    bought = create_purchase_order(vendor.pk, [PurchaseItem(one.pk, D(1), D(1)) for one in more])
    for name in ("pick-list", "packing-slip", "invoice"):
        few, many = (
            queries(lambda number=number, name=name: paper(client, "orders_order", number, name))
            for number in (papers["order"], big.id)
        )
        assert few == many
    few, many = (
        queries(lambda number=number: paper(client, "purchasing_purchaseorder", number, "order"))
        for number in (papers["purchase"], bought.pk)
    )
    assert few == many
    assert queries(lambda: label_rows([one.pk for one in more])) == queries(lambda: label_rows([more[0].pk])) == 2


@pytest.mark.django_db
def test_the_amounts_of_an_invoice_add_up_to_its_total(make_product: Callable[..., Product]) -> None:
    nut, pin, tack = (
        make_product(name, stock=9, price=f"0.00{cost}") for name, cost in (("Nut", 5), ("Pin", 4), ("Tack", 4))
    )

    def bill(*products: Product) -> tuple[int, bool]:
        order = services.place_order([Item(one.pk, D(1)) for one in products], user_id=None, confirm=True)
        words = text_of(invoice([order.id]))[0].split()
        return words.count("0.01"), "Rounding" in words

    assert bill(nut) == (2, False), "half a cent is rounded up, on the line as in the total"
    assert bill(pin, tack) == (2, True), "0.00 and 0.00, in all 0.01: the rounding has a row"
