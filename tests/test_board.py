"""The order board on the server: what stands on it, which steps it takes for whom, and what it refuses in words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import services as accounts
from accounts.models import Membership, User
from inventory.errors import InsufficientStock
from inventory.models import Hold, Product, ProductStock, Warehouse
from inventory.services import ledger
from orders import services
from orders.models import Order
from orders.services import Item
from workbox.core.models import Event
from workbox.desk import cards

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def lamp(make_product: Callable[..., Product], make_user: Callable[..., User]) -> Product:
    """Ten lamps in the main store, and somebody of every role."""
    for role in ("user", "clerk", "manager", "analyst", "admin"):
        make_user(role)
    return make_product("Lamp", stock=10, price="9.50", sku="LAMP")


def browser(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name), backend="accounts.roles.RoleBackend")
    return client


def place(product: Product, count: int, *, confirm: bool = False, **options: Any) -> int:
    return services.place_order([Item(product.pk, D(count))], user_id=None, confirm=confirm, **options).id


def column(client: Client, status: str) -> dict[str, Any]:
    answer = client.get(reverse("board-cards"))
    return next(one for one in answer.context["columns"] if one["status"] == status)


def take(client: Client, order_id: int, step: str, **fields: str) -> Any:
    return client.post(reverse("board-step", args=[order_id, step]), fields)


def status(order_id: int) -> str:
    return Order.objects.get(pk=order_id).status


def test_each_order_stands_in_the_column_of_its_status_oldest_first(lamp: Product) -> None:
    first, second, ready = place(lamp, 1), place(lamp, 1), place(lamp, 2, confirm=True)
    client = browser("clerk")
    assert [card["id"] for card in column(client, "pending")["cards"]] == [first, second]
    assert [card["id"] for card in column(client, "confirmed")["cards"]] == [ready]
    assert column(client, "pending")["count"] == "2"


def test_a_full_column_shows_the_first_and_links_to_all_with_the_same_number(
    lamp: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "CARDS_MAX", 2)
    ids = [place(lamp, 1) for _ in range(3)]
    client = browser("clerk")
    found = column(client, "pending")
    assert [card["id"] for card in found["cards"]] == ids[:2]
    assert found["hidden"] == "1 more in the list"
    assert client.get(found["url"]).context["cl"].result_count == int(found["count"]) == 3


def test_a_short_line_says_by_how_much(lamp: Product, make_product: Callable[..., Product]) -> None:
    order = services.place_order(
        [Item(lamp.pk, D(8)), Item(make_product("Chair", stock=5).pk, D(1)), Item(lamp.pk, D(5))],
        user_id=None,
        confirm=False,
    )
    (card,) = column(browser("clerk"), "pending")["cards"]
    assert (card["id"], card["short_count"]) == (order.id, 1)
    assert [(line["quantity"], line["short"]) for line in card["lines"]] == [("5", "3"), ("8", ""), ("1", "")]


def test_a_shortage_counts_only_what_the_order_may_be_filled_from(
    lamp: Product, main: Warehouse, annex: Warehouse
) -> None:
    ledger.adjust(lamp.pk, quantity=D(4), warehouse_id=annex.pk, reason="found")
    anywhere, there = place(lamp, 12), place(lamp, 6, warehouse_id=annex.pk)
    short = {card["id"]: card["lines"][0]["short"] for card in column(browser("clerk"), "pending")["cards"]}
    assert short == {anywhere: "", there: "2"}
    with pytest.raises(InsufficientStock):
        services.confirm_order(there)
    assert services.confirm_order(anywhere).status == "confirmed"


def test_what_an_order_holds_is_not_short(lamp: Product) -> None:
    held = place(lamp, 10, hold_minutes=30)
    assert ProductStock.objects.get(product=lamp).available == 0
    other = place(lamp, 1)
    short = {card["id"]: card["lines"][0]["short"] for card in column(browser("clerk"), "pending")["cards"]}
    assert short == {held: "", other: "1"}


def test_an_order_goes_from_column_to_column_with_numbers_and_the_user_as_actor(lamp: Product) -> None:
    order, client = place(lamp, 4), browser("clerk")
    said = [take(client, order, step).json()["detail"] for step in ("confirm", "ship", "deliver")]
    assert said == [
        f"Order {order} is confirmed: 4 units on 1 line reserved.",
        f"Order {order}: 4 units shipped. It is shipped now.",
        f"Order {order} is delivered: 4 units on 1 line.",
    ]
    assert status(order) == "delivered"
    steps = Event.objects.filter(topic="orders", subject_id=order, type="order_updated")
    assert set(steps.values_list("actor_id", flat=True)) == {User.objects.get(username="clerk").pk}


def test_a_cancelled_order_keeps_the_reason_and_gives_its_stock_back(lamp: Product) -> None:
    order = place(lamp, 4, confirm=True)
    assert take(browser("clerk"), order, "cancel", reason="Ordered twice").status_code == 200
    assert (status(order), ProductStock.objects.get(product=lamp).available) == ("cancelled", 10)
    told = Event.objects.filter(topic="orders", subject_id=order).order_by("-id")[0]
    assert json.loads(told.payload)["reason"] == "Ordered twice"


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("ship", 409, "is pending; it cannot be shipped."),
        ("deliver", 409, "is pending; it cannot be delivered."),
        ("confirm", 400, "LAMP"),
    ],
)
def test_what_the_service_refuses_is_answered_in_its_words_and_changes_nothing(
    lamp: Product, step: str, code: int, words: str
) -> None:
    order = place(lamp, 11)
    answer = take(browser("clerk"), order, step)
    assert (answer.status_code, words in answer.json()["detail"]) == (code, True)
    assert (status(order), ProductStock.objects.get(product=lamp).reserved) == ("pending", 0)


@pytest.mark.parametrize(("role", "code"), [("user", 302), ("analyst", 403), ("clerk", 200), ("manager", 200)])
def test_a_step_asks_for_its_capability(lamp: Product, role: str, code: int) -> None:
    order, client = place(lamp, 1), browser(role)
    assert take(client, order, "confirm").status_code == code
    assert client.post(reverse("board-bulk", args=["confirm"]), {"order": [order]}).status_code == code
    assert status(order) == ("confirmed" if code == 200 else "pending")


def test_an_analyst_sees_the_board_without_its_buttons(lamp: Product) -> None:
    place(lamp, 1)
    page = browser("analyst").get(reverse("board")).content.decode()
    assert 'id="card-' in page
    assert 'data-step="confirm" tabindex' not in page
    assert 'data-bulk="confirm"' not in page


def test_only_a_post_with_the_token_moves_an_order(lamp: Product) -> None:
    order = place(lamp, 1)
    assert browser("clerk").get(reverse("board-step", args=[order, "confirm"])).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="clerk"), backend="accounts.roles.RoleBackend")
    assert take(strict, order, "confirm").status_code == 403
    assert status(order) == "pending"


def test_behind_a_wall_there_is_no_order(lamp: Product, main: Warehouse, annex: Warehouse) -> None:
    ledger.adjust(lamp.pk, quantity=D(4), warehouse_id=annex.pk, reason="found")
    here, there = place(lamp, 1, warehouse_id=main.pk), place(lamp, 1, warehouse_id=annex.pk)
    clerk = User.objects.get(username="clerk")
    accounts.bind(User.objects.get(username="admin"), user_id=clerk.pk, warehouse_ids=[main.pk])
    client = browser("clerk")
    assert [card["id"] for card in column(client, "pending")["cards"]] == [here]
    assert take(client, there, "confirm").status_code == 404
    answer = client.post(reverse("board-bulk", args=["confirm"]), {"order": [here, there]}).json()
    assert [row["is_done"] for row in answer["results"]] == [True, False]
    assert answer["results"][1]["detail"] == f"There is no order {there}."
    assert (status(here), status(there)) == ("confirmed", "pending")


def test_a_selection_is_done_order_by_order(lamp: Product) -> None:
    fits, too_much, fits_too = place(lamp, 6), place(lamp, 11), place(lamp, 4)
    answer = browser("clerk").post(reverse("board-bulk", args=["confirm"]), {"order": [fits, too_much, fits_too]})
    assert answer.json()["detail"] == "2 of 3 orders confirmed."
    assert [row["is_done"] for row in answer.json()["results"]] == [True, False, True]
    assert [status(one) for one in (fits, too_much, fits_too)] == ["confirmed", "pending", "confirmed"]


@pytest.mark.parametrize("given", [[], ["x"], ["9" * 30], [str(n) for n in range(101)]])
def test_a_selection_that_makes_no_sense_is_refused_in_words(lamp: Product, given: list[str]) -> None:
    answer = browser("clerk").post(reverse("board-bulk", args=["confirm"]), {"order": given})
    assert (answer.status_code, answer.json()["detail"]) in {
        (400, f"Select 1 to 100 orders; these are {len(given)}."),
        (200, "0 of 1 order confirmed."),
    }


@pytest.mark.parametrize("path", ["orders/1/steal/", "bulk/cancel/", "bulk/steal/"])
def test_a_step_that_nobody_knows_is_not_found(lamp: Product, path: str) -> None:
    assert browser("admin").post(f"/admin/board/{path}", {"order": ["1"]}).status_code == 404


def test_the_board_runs_as_many_queries_for_many_orders_as_for_few(lamp: Product) -> None:
    client, counts = browser("clerk"), []
    for more in (2, 12):
        for _ in range(more):
            place(lamp, 1, confirm=more == 2)
            place(lamp, 1)
        client.get(reverse("board-cards"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("board-cards"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_empty_board_says_how_to_begin(make_user: Callable[..., User]) -> None:
    make_user("clerk")
    page = browser("clerk").get(reverse("board")).content.decode()
    assert "There is no order yet." in page
    assert reverse("admin:orders_order_add") in page


def test_a_shop_whose_orders_are_all_past_is_not_told_that_it_has_none(lamp: Product) -> None:
    order = place(lamp, 1)
    services.cancel_order(order)
    Order.objects.update(updated_at=datetime.now(UTC) - timedelta(days=8))
    page = browser("clerk").get(reverse("board-cards")).content.decode()
    assert "Nothing cancelled in the last 7 days." in page
    assert "There is no order yet." not in page


def test_a_past_column_shows_what_moved_last_and_says_how_many_more(
    lamp: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "CARDS_MAX", 2)
    ids = [place(lamp, 1) for _ in range(4)]
    for order in (ids[3], ids[1], ids[2], ids[0]):  # cancelled in this order, whatever their numbers
        services.cancel_order(order)
    Order.objects.filter(pk=ids[3]).update(updated_at=datetime.now(UTC) - timedelta(days=8))
    found = column(browser("clerk"), "cancelled")
    assert [card["id"] for card in found["cards"]] == [ids[0], ids[2]]
    assert (found["count"], found["hidden"]) == ("4", "1 more in the list")


def test_a_hold_that_is_over_makes_nobody_short(lamp: Product) -> None:
    lapsed, other = place(lamp, 6, hold_minutes=30), place(lamp, 8)

    def short() -> dict[int, str]:
        return {card["id"]: card["lines"][0]["short"] for card in column(browser("clerk"), "pending")["cards"]}

    assert short() == {lapsed: "", other: "4"}
    Hold.objects.update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    assert short() == {lapsed: "", other: ""}
    assert services.confirm_order(other).status == "confirmed"
    assert short() == {lapsed: "4"}


def test_who_is_bound_to_a_warehouse_sees_no_shortage_that_another_one_fills(
    lamp: Product, annex: Warehouse, main: Warehouse
) -> None:
    clerk = User.objects.get(username="clerk")
    Membership.objects.create(user=clerk, warehouse=annex)
    anywhere, there = place(lamp, 6), place(lamp, 6, warehouse_id=annex.pk)
    short = {card["id"]: card["lines"][0]["short"] for card in column(browser("clerk"), "pending")["cards"]}
    assert short == {anywhere: "", there: "6"}
