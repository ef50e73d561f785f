"""Lists in one's own way: what they show by themselves, kept filters, exports; the search behind Ctrl+K; home."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from accounts import services as accounts
from accounts.models import User
from inventory.models import Barcode, Product, ProductStock, Warehouse
from inventory.services import ledger
from orders import services
from orders.models import Order
from orders.services import Item
from tests.test_admin import AWKWARD, browser, fingerprint, registered, shop, url
from workbox.core.admin import money_text
from workbox.desk import lists
from workbox.desk.models import SavedFilter
from workbox.desk.services import FILTERS_MAX

__all__ = ["shop"]
pytestmark = pytest.mark.django_db
D = Decimal


def taken_out(client: Client, label: str, kind: str = "csv", **query: str) -> Any:
    return client.get(reverse("desk-export", args=[label, kind]), query)


def rows_of(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def found(client: Client, text: str) -> list[str]:
    answer = client.get("/admin/search/", {"extended": "1", "s": text})
    return [one.title for one in answer.context["results"]] if answer.context else []


# ---- lists -----------------------------------------------------------------------------------------------------------
def test_no_list_has_more_than_eight_columns() -> None:
    widths = {label: len(model_admin.list_display) for label, model_admin in registered().items()}
    assert {label: width for label, width in widths.items() if width > 8} == {}
    assert len(widths) > 30


def test_lists_show_what_needs_attention_and_all_on_request(shop: None) -> None:
    client = browser("admin")
    shown = {}
    for label, everything in (
        ("orders.order", "stage=all"),
        ("inventory.product", "stock_state=all"),
        ("inventory.stocklevel", "held=all"),
        ("purchasing.purchaseorder", "stage=all"),
        ("insights.alert", "attention=all"),
        ("webhooks.delivery", "attention=all"),
        ("jobs.job", "attention=all"),
    ):
        page = client.get(url(label, "changelist"))
        every = client.get(f"{url(label, 'changelist')}?{everything}").context["cl"].result_count
        assert every == registered()[label].model.objects.count()
        assert f"?{everything}" in page.content.decode()
        shown[label] = every - page.context["cl"].result_count
    assert {label for label, hidden in shown.items() if hidden > 0} >= {"orders.order", "inventory.product"}
    statuses = {order.status for order in client.get(url("orders.order", "changelist")).context["cl"].result_list}
    assert statuses == {"pending", "confirmed", "partially_shipped"}


def test_a_search_looks_at_everything_and_a_selection_means_its_rows(shop: None) -> None:
    client, delivered = browser("admin"), Order.objects.get(status="delivered")
    searched = client.get(url("orders.order", "changelist"), {"q": str(delivered.pk)})
    assert [order.pk for order in searched.context["cl"].result_list] == [delivered.pk]
    every = {"action": "confirm_selected", "_selected_action": [delivered.pk], "select_across": "0"}
    page = client.post(url("orders.order", "changelist"), every, follow=True)
    assert f"Order {delivered.pk} is delivered; it cannot be confirmed." in page.content.decode()


def test_all_of_them_means_all_that_are_shown(shop: None) -> None:
    client = browser("admin")
    low = {product.pk for product in client.get(url("inventory.product", "changelist")).context["cl"].result_list}
    body = {"action": "retire_selected", "_selected_action": [min(low)], "select_across": "1"}
    client.post(url("inventory.product", "changelist"), body)
    assert set(Product.objects.filter(is_active=False).values_list("pk", flat=True)) <= low


def test_a_ledger_too_long_to_count_goes_on_by_key(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbox.core.admin.COUNT_MAX", 3)
    client = browser("admin")
    page = client.get(url("inventory.stockmovement", "changelist"))
    last = list(page.context["cl"].result_list)[-1].pk
    assert f'href="?id__lt={last}"' in page.content.decode()
    older = client.get(url("inventory.stockmovement", "changelist"), {"id__lt": str(last)})
    assert all(movement.pk < last for movement in older.context["cl"].result_list)


def test_movements_are_found_by_reference_sku_and_name(shop: None) -> None:
    client = browser("clerk")

    def skus(text: str) -> set[str]:
        rows = client.get(url("inventory.stockmovement", "changelist"), {"q": text}).context["cl"].result_list
        return {movement.product.sku for movement in rows}

    fourth = Order.objects.order_by("id")[3]
    assert skus(f"ORDER-{fourth.pk}") == {"LAMP-01"}
    assert skus("lamp") == {"LAMP-01", "LAMP-02"}
    assert skus("nothing like it") == set()


# ---- saved filters ---------------------------------------------------------------------------------------------------
def keep(client: Client, name: str, query: str, label: str = "orders.order") -> Any:
    return client.post(reverse("desk-filter-save"), {"list_of": label, "name": name, "query": query})


def test_a_filter_is_kept_for_who_kept_it_and_deleted(shop: None) -> None:
    clerk, other = browser("clerk"), browser("manager")
    answer = keep(clerk, " Big  ones ", "status__exact=pending&p=2&channel__exact=&o=-4")
    assert answer["Location"] == f"{url('orders.order', 'changelist')}?o=-4&status__exact=pending"
    kept = SavedFilter.objects.get()
    assert (kept.user.username, kept.name, kept.query) == ("clerk", "Big ones", "o=-4&status__exact=pending")
    assert "Big ones" in clerk.get(url("orders.order", "changelist")).content.decode()
    assert "Big ones" not in other.get(url("orders.order", "changelist")).content.decode()
    gone = {"list_of": "orders.order"}
    assert other.post(reverse("desk-filter-delete", args=[kept.pk]), gone).status_code == 404
    assert clerk.post(reverse("desk-filter-delete", args=[kept.pk]), gone).status_code == 302
    assert not SavedFilter.objects.exists()


def test_a_name_used_again_replaces_its_filter(shop: None) -> None:
    client = browser("clerk")
    keep(client, "Mine", "status__exact=pending"), keep(client, "Mine", "status__exact=shipped")
    assert [one.query for one in SavedFilter.objects.all()] == ["status__exact=shipped"]


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("", "q=x", "Give the filter a name of 1 to 60 characters."),
        ("x" * 61, "q=x", "Give the filter a name of 1 to 60 characters."),
        ("Mine", "p=2", "Filter, search or sort the list first; then keep that under a name."),
        ("Mine", "q=" + "x" * 1001, "Filter, search or sort the list first; then keep that under a name."),
    ],
)
def test_a_filter_that_cannot_be_kept_is_refused_in_words(shop: None, name: str, query: str, words: str) -> None:
    client = browser("clerk")
    keep(client, name, query)
    assert words in [str(message) for message in client.get("/admin/").context["messages"]]
    assert not SavedFilter.objects.exists()


def test_there_is_an_end_to_filters(shop: None) -> None:
    client = browser("clerk")
    for number in range(FILTERS_MAX + 1):
        keep(client, f"Filter {number}", "q=x")
    assert SavedFilter.objects.count() == FILTERS_MAX


def test_a_filter_is_kept_of_lists_one_may_see_only(shop: None) -> None:
    assert keep(browser("clerk"), "Mine", "q=x", "accounts.user").status_code == 403
    assert keep(browser("clerk"), "Mine", "q=x", "sessions.session").status_code == 404
    assert keep(browser("user"), "Mine", "q=x").status_code == 302
    assert not SavedFilter.objects.exists()


def test_a_list_has_one_name(shop: None) -> None:
    client = browser("clerk")
    assert keep(client, "Mine", "q=x", "orders.ORDER").status_code == 404
    assert taken_out(client, "orders.ORDER").status_code == 404
    assert not SavedFilter.objects.exists()


# ---- exports ---------------------------------------------------------------------------------------------------------
def test_an_export_of_a_filter_that_cannot_be_read_says_so(shop: None) -> None:
    client = browser("manager")
    answer = taken_out(client, "orders.order", id__lt="x")
    assert (answer.status_code, answer["Location"]) == (302, url("orders.order", "changelist"))
    said = [str(one) for one in client.get("/admin/").context["messages"]]
    assert said == ["This filter cannot be read, so nothing was taken out. Choose it from the list again."]


def test_an_export_is_exactly_what_is_shown(shop: None) -> None:
    client, query = browser("manager"), {"status__exact": "pending", "o": "4", "q": ""}
    shown = client.get(url("orders.order", "changelist"), query).context["cl"].result_list
    header, *rows = rows_of(taken_out(client, "orders.order", **query))
    assert header == ["Order", "Status", "Customer", "Total", "Lines", "Channel", "Placed"]
    assert [row[0] for row in rows] == [str(order.pk) for order in shown]
    assert [D(row[3]) for row in rows] == [order.total_amount for order in shown]
    assert {row[1] for row in rows} == {"Pending"}
    by_default = rows_of(taken_out(client, "orders.order"))[1:]
    assert len(by_default) == client.get(url("orders.order", "changelist")).context["cl"].result_count


def test_a_sheet_holds_numbers_and_a_formula_stays_text(shop: None) -> None:
    Product.objects.filter(sku="LAMP-02").update(name="=HYPERLINK(1)")
    client = browser("manager")
    sheet = load_workbook(io.BytesIO(b"".join(taken_out(client, "inventory.product", "xlsx", q="LAMP-02")))).active
    assert sheet is not None
    header, row = list(sheet.iter_rows(values_only=True))
    shown = dict(zip(header, row, strict=True))
    assert (shown["Sku"], shown["Name"], shown["Price"], shown["On hand"]) == ("LAMP-02", "'=HYPERLINK(1)", 129, 10)
    assert rows_of(taken_out(client, "inventory.product", q="LAMP-02"))[1][1] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(("role", "code"), [("user", 302), ("clerk", 403), ("analyst", 200), ("admin", 200)])
def test_an_export_asks_for_its_capability(shop: None, role: str, code: int) -> None:
    answer = taken_out(browser(role), "orders.order")
    assert answer.status_code == code
    assert b"desk/export" not in browser("clerk").get(url("orders.order", "changelist")).content


def test_an_export_ends_at_the_walls_even_while_it_is_streamed(shop: None) -> None:
    main, annex = Warehouse.objects.get(code="MAIN"), Warehouse.objects.get(code="ANNEX")
    chair = Product.objects.get(sku="CHAIR-01")
    there = services.place_order([Item(chair.pk, D(1))], user_id=None, confirm=False, warehouse_id=annex.pk).id
    accounts.bind(
        User.objects.get(username="admin"), user_id=User.objects.get(username="manager").pk, warehouse_ids=[main.pk]
    )
    numbers = [row[0] for row in rows_of(taken_out(browser("manager"), "orders.order", stage="all"))]
    assert str(there) not in numbers
    places = {row[2] for row in rows_of(taken_out(browser("manager"), "inventory.stocklevel", held="all"))[1:]}
    assert places == {"MAIN Main store"}


def test_what_is_too_long_says_how_to_get_it(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "ROWS_MAX", 2)
    client = browser("manager")
    answer = taken_out(client, "orders.order", stage="all")
    assert (answer.status_code, answer["Location"]) == (302, f"{url('orders.order', 'changelist')}?stage=all")
    assert "These are more than 2 rows." in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("role", ["clerk", "manager", "analyst", "admin"])
def test_every_list_is_taken_out_without_a_write_or_an_error(shop: None, role: str) -> None:
    client, user, before, wrong = browser(role), User.objects.get(username=role), fingerprint(), []
    for label, model_admin in registered().items():
        sees = user.has_perm(f"{model_admin.opts.app_label}.view_{model_admin.opts.model_name}")
        for kind, query in (("csv", {}), ("xlsx", {"q": AWKWARD[0]}), ("csv", {"all": ""})):
            answer = taken_out(client, label, kind, **query)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            if answer.status_code != (200 if sees and role != "clerk" else 403) or not body:
                wrong.append((label, kind, answer.status_code))
    assert wrong == []
    assert fingerprint() == before


@pytest.mark.parametrize("path", ["no.model/csv/", "orders/csv/", "orders.order/pdf/", "orders.orderline/csv/"])
def test_what_is_no_list_is_not_found(shop: None, path: str) -> None:
    assert browser("admin").get(f"/admin/desk/export/{path}").status_code == 404


# ---- Ctrl+K ----------------------------------------------------------------------------------------------------------
def test_the_search_finds_by_number_code_prefix_and_word(shop: None) -> None:
    client = browser("clerk")
    chair = Product.objects.get(sku="CHAIR-01")
    number = Order.objects.order_by("id")[2].pk
    assert found(client, f"#{number}")[0] == f"Order {number}"
    assert found(client, f"order {number}")[0] == f"Order {number}"
    assert found(client, Barcode.objects.get(product=chair).code) == ["Folding chair"]
    assert found(client, "LAMP-0") == ["Desk lamp, brass", "Floor lamp, oak"]
    assert found(client, "lamp-02") == ["Floor lamp, oak"]
    assert found(client, "chair") == [
        "Folding chair",
        "Office chair with a rather long name that has to fit on a phone",
    ]
    assert found(client, "Corner") == ["Corner Café"]
    assert found(client, "C-1002") == ["Hotel Meridian"]
    assert found(client, "Shipments") == ["Shipments"]
    assert found(client, "") == []


@pytest.mark.parametrize("text", [*AWKWARD, "'", "\\", "x" * 500, "\x00"])
def test_any_text_may_be_searched_for(shop: None, text: str) -> None:
    assert browser("admin").get("/admin/search/", {"extended": "1", "s": text}).status_code == 200


def test_the_search_finds_nothing_behind_a_wall_and_forgets_at_once(shop: None) -> None:
    annex, chair = Warehouse.objects.get(code="ANNEX"), Product.objects.get(sku="CHAIR-01")
    there = services.place_order([Item(chair.pk, D(1))], user_id=None, confirm=False, warehouse_id=annex.pk).id
    client, clerk = browser("clerk"), User.objects.get(username="clerk")
    assert found(client, f"#{there}") == [f"Order {there}"]
    main = Warehouse.objects.get(code="MAIN")
    accounts.bind(User.objects.get(username="admin"), user_id=clerk.pk, warehouse_ids=[main.pk])
    assert found(client, f"#{there}") == []
    assert browser("user").get("/admin/search/", {"s": "lamp"}).status_code == 302


# ---- home ------------------------------------------------------------------------------------------------------------
def test_every_figure_of_the_home_page_is_the_number_of_the_list_behind_it(shop: None) -> None:
    ledger.adjust(Product.objects.get(sku="BEANS").pk, quantity=D("-23.5"), reason="Spilt")
    client = browser("manager")
    home = client.get("/admin/").context["home"]

    def listed(address: str) -> int:
        return int(client.get(address).context["cl"].result_count)

    orders = home["orders"]
    assert orders["to_ship"] == listed(orders["to_ship_url"]) == 2
    assert [age["count"] for age in orders["ages"]] == [listed(age["url"]) for age in orders["ages"]]
    assert sum(age["count"] for age in orders["ages"]) == orders["total"] == listed(orders["url"])
    assert home["depletions"]["total"] == listed(home["depletions"]["url"])
    assert int(home["worth"]["products"]) == listed(home["worth"]["url"]) == 10
    assert int(home["sales"]["week_orders"]) == listed(home["sales"]["week_url"])
    assert int(home["month"]["orders"]) == listed(home["month"]["url"]) > 0
    assert home["month"]["rows"][-1]["orders"] == int(home["sales"]["orders"])


def test_the_stock_is_worth_what_is_on_hand_at_average_cost(shop: None) -> None:
    wanted = sum(
        (row.on_hand * row.average_cost for row in ProductStock.objects.filter(average_cost__isnull=False)), D(0)
    )
    assert wanted > 0
    assert browser("manager").get("/admin/").context["home"]["worth"]["value"] == money_text(wanted.quantize(D("0.01")))


def test_behind_walls_the_home_page_counts_what_is_inside(shop: None) -> None:
    main, annex = Warehouse.objects.get(code="MAIN"), Warehouse.objects.get(code="ANNEX")
    chair = Product.objects.get(sku="CHAIR-01")
    services.place_order([Item(chair.pk, D(1))], user_id=None, confirm=True, warehouse_id=annex.pk)
    free = browser("clerk").get("/admin/").context["home"]
    clerk = User.objects.get(username="clerk")
    accounts.bind(User.objects.get(username="admin"), user_id=clerk.pk, warehouse_ids=[main.pk])
    client = browser("clerk")
    bound = client.get("/admin/").context["home"]
    assert bound["orders"]["total"] == free["orders"]["total"] - 1
    assert bound["orders"]["total"] == client.get(bound["orders"]["url"]).context["cl"].result_count
    assert int(bound["worth"]["products"]) == client.get(bound["worth"]["url"]).context["cl"].result_count
    assert (bound["month"], bound["top"]) == (None, [])


def test_the_first_steps_lead_to_what_is_missing_and_end(make_user: Any, make_product: Any) -> None:
    make_user("admin"), make_user("analyst")
    steps = browser("admin").get("/admin/").context["home"]["start"]
    assert [step["is_done"] for step in steps] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]  # the first warehouse is there
    assert all(step["url"] for step in steps)
    assert {step["url"] for step in browser("analyst").get("/admin/").context["home"]["start"]} == {""}
    lamp = make_product("Lamp", stock=3)
    steps = browser("admin").get("/admin/").context["home"]["start"]
    assert [step["is_done"] for step in steps] == [True, False, True, True, True, False]
    services.place_order([Item(lamp.pk, D(1))], user_id=None)
    assert browser("admin").get("/admin/").context["home"]["start"] == []


def test_the_figures_alone_are_those_of_the_page(shop: None) -> None:
    client = browser("analyst")
    page, alone = client.get("/admin/").content.decode(), client.get(reverse("home-figures")).content.decode()
    assert "Revenue today" in alone
    assert alone.strip().splitlines()[-1].strip() in page
    assert Client().get(reverse("home-figures")).status_code == 302
