"""The daily figures are what orders and returns say, whatever happens and however often it is told."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from insights import facts, sales
from insights.models import DailyCategorySales, DailySales, DailyTotal
from insights.tasks import verify_rollup
from inventory.models import Product, Warehouse
from inventory.services.catalog import update_product
from orders import services
from orders.history import PastLine, PastOrder, PastReturn, record_history
from orders.services import Item
from workbox.core import events
from workbox.core.followers import follow, follow_all, registered
from workbox.core.models import EventCursor

pytestmark = pytest.mark.django_db
D = Decimal
MakeProduct = Callable[..., Product]
MEASURES = ("units", "orders", "revenue", "returned_units", "refunds")
DAY = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def built(db: None) -> None:
    """A rollup that was built when there was nothing."""
    sales.rebuild()


def sell(*items: tuple[Product, int], at: datetime = AT, **options: Any) -> services.PlacedOrder:
    return services.place_order([Item(one.pk, D(count)) for one, count in items], user_id=None, placed_at=at, **options)


def kept() -> list[tuple[Any, ...]]:
    """Every row of the three tables without its id."""
    return [
        *DailySales.objects.order_by("day", "product_id").values_list("day", "product_id", "category__name", *MEASURES),
        *DailyCategorySales.objects.order_by("day", "category_key").values_list("day", "category_key", *MEASURES),
        *DailyTotal.objects.order_by("day").values_list("day", *MEASURES),
    ]


def test_the_follower_is_registered() -> None:
    assert sales.follower in registered()


def test_an_order_of_two_products_counts_once_in_the_total_and_once_per_product_and_category(
    built: None, make_product: MakeProduct
) -> None:
    lamp, bulb = make_product(stock=9, price="10", category="Light"), make_product("Bulb", stock=9, category="Light")
    sell((lamp, 2), (bulb, 1))
    sell((lamp, 1))
    follow_all()
    light = lamp.category_id
    assert kept() == [
        (DAY, lamp.pk, "Light", 3, 2, 30, 0, 0),
        (DAY, bulb.pk, "Light", 1, 1, 10, 0, 0),
        (DAY, light, 4, 2, 40, 0, 0),
        (DAY, 4, 2, 40, 0, 0),
    ]


def test_a_pending_order_counts_when_it_is_confirmed_and_no_more_when_it_is_cancelled(
    built: None, make_product: MakeProduct
) -> None:
    lamp = make_product(stock=9)
    order = sell((lamp, 2), confirm=False)
    follow_all()
    assert kept() == []
    services.confirm_order(order.id)
    follow_all()
    assert DailyTotal.objects.get().orders == 1
    services.cancel_order(order.id, reason="changed their mind")
    follow_all()
    assert kept() == []


def test_a_return_counts_on_its_own_day(built: None, make_product: MakeProduct) -> None:
    lamp = make_product(stock=9, price="2.50")
    order = sell((lamp, 4))
    services.ship_order(order.id, shipped_at=AT)
    services.return_order(order.id, quantities={lamp.pk: D(3)}, reason="broken", returned_at=AT + timedelta(seconds=1))
    follow_all()
    rows = DailyTotal.objects.order_by("day").values_list("day", *MEASURES)
    assert list(rows) == [(DAY, 4, 1, 10, 0, 0), (DAY + timedelta(days=1), 0, 0, 0, 3, D("7.5"))]


def test_a_fact_told_twice_changes_nothing(built: None, make_product: MakeProduct) -> None:
    sell((make_product(stock=9), 2))
    follow_all()
    before, ids = kept(), list(DailySales.objects.values_list("id", flat=True))
    EventCursor.objects.filter(name=sales.NAME).update(seq=0)
    assert follow(sales.follower) > 0
    assert (kept(), list(DailySales.objects.values_list("id", flat=True))) == (before, ids)


def test_a_product_that_moves_to_another_category_takes_its_past_along(built: None, make_product: MakeProduct) -> None:
    lamp = make_product(stock=9, category="Light")
    sell((lamp, 1))
    follow_all()
    update_product(lamp.pk, changes={"category": "Garden"})
    follow_all()
    lamp.refresh_from_db()
    assert lamp.category is not None
    assert lamp.category.name == "Garden"
    assert DailyCategorySales.objects.get().category_key == lamp.category_id
    assert DailySales.objects.get().category_id == lamp.category_id


def test_imported_history_reaches_the_rollup_even_a_return_without_an_order(
    built: None, make_product: MakeProduct, main: Warehouse
) -> None:
    lamp = make_product(stock=9)
    line = PastLine(lamp.pk, D(2), D(5))
    record_history(
        [PastOrder("A1", AT, [line]), PastReturn("C1", AT + timedelta(days=3), [PastLine(lamp.pk, D(1), D(4))])],
        warehouse_id=main.pk,
    )
    follow_all()
    assert list(DailySales.objects.order_by("day").values_list("day", *MEASURES)) == [
        (DAY, 2, 1, 10, 0, 0),
        (DAY + timedelta(days=3), 0, 0, 0, 1, 4),
    ]
    assert list(sales.drifts()) == []


def test_an_installation_that_followed_but_never_built_is_completed_by_the_first_read(
    make_product: MakeProduct,
) -> None:
    lamp = make_product(stock=9)
    sell((lamp, 1), at=AT - timedelta(days=400))
    sell((lamp, 2))
    follow_all()  # a follower without a place begins at the head: it was told nothing of these
    assert not DailyTotal.objects.exists()
    sell((lamp, 3), at=AT + timedelta(days=1))
    follow_all()
    assert list(DailyTotal.objects.values_list("units", flat=True)) == [3]
    sales.ensure_built()
    assert list(DailyTotal.objects.order_by("day").values_list("units", flat=True)) == [1, 2, 3]


def test_rebuild_repairs_what_was_spoilt_and_removes_what_is_too_much(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    sell((lamp, 1))
    sales.rebuild()
    right = kept()
    DailySales.objects.update(units=7)
    DailyTotal.objects.create(day=DAY - timedelta(days=30), units=1, orders=1, revenue=1)
    ticks: list[int] = []
    assert sales.rebuild(ticks.append) == 2
    assert (kept(), sorted(ticks)) == (right, ticks)
    assert sales.rebuild() == 0


def test_check_names_the_first_row_that_differs_and_says_so_by_its_exit_code(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    sell((lamp, 2))
    call_command("rollup", "--rebuild", stdout=StringIO())
    out = StringIO()
    call_command("rollup", "--check", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"clean": True, "differences": []}
    DailySales.objects.update(units=7)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rollup", "--check", stdout=out)
    assert ended.value.code == 3
    assert out.getvalue().startswith(f"2026-03-02, product {lamp.pk}: kept category_id None, units 7")
    assert DailySales.objects.get().units == 7, "a check changes nothing"


def test_the_nightly_task_builds_and_counts_what_differs(make_product: MakeProduct) -> None:
    sell((make_product(stock=9), 2))
    assert (verify_rollup(), DailyTotal.objects.count()) == (0, 1)
    DailyTotal.objects.update(revenue=1)
    assert verify_rollup() == 1


def test_the_command_without_options_brings_it_up_to_date(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    sell((lamp, 2))
    call_command("rollup", stdout=StringIO())
    sell((lamp, 1))
    out = StringIO()
    call_command("rollup", "--json", stdout=out)
    assert json.loads(out.getvalue())["facts_taken"] >= 1
    assert DailyTotal.objects.get().units == 3


def test_many_days_take_as_many_statements_as_one(
    make_product: MakeProduct, django_assert_num_queries: Callable[[int], Any]
) -> None:
    lamp = make_product(stock=99)
    for number in range(20):
        sell((lamp, 1), at=AT + timedelta(days=number % 5 * 2))
    for count in (1, 10):
        with django_assert_num_queries(4):
            facts.figures_of([DAY + timedelta(days=number) for number in range(count)])


def test_kilograms_and_prices_below_a_cent_add_up_exactly(
    built: None, make_product: MakeProduct, kilogram: object
) -> None:
    cheese = make_product("Cheese", stock=99, price="9.9999", unit="kg")
    for _ in range(3):
        services.place_order([Item(cheese.pk, D("0.333"))], user_id=None, placed_at=AT)
    follow_all()
    assert DailyTotal.objects.values_list("units", "revenue").get() == (D("0.999"), D("9.9899"))


def test_the_demo_leaves_the_rollup_filled(make_user: Callable[..., User]) -> None:
    call_command("demo", "--password", "correct horse battery", "--orders", "40", "--products", "10", stdout=StringIO())
    assert DailyTotal.objects.count() > 10
    assert list(sales.drifts()) == []
    assert events.head() // events.PLACES == EventCursor.objects.get(name=sales.NAME).seq


def test_a_move_to_another_category_takes_every_day_along_as_if_computed_anew(
    built: None, make_product: MakeProduct
) -> None:
    lamp, bulb = make_product(stock=99, category="Light"), make_product("Bulb", stock=99, category="Light")
    tree, loose = make_product("Tree", stock=99, category="Garden"), make_product("Loose", stock=99)
    for number in range(9):
        at = AT + timedelta(days=number * 3)
        sell((lamp, 2), (bulb, 1), (tree, 1), at=at)
        sell((lamp, 1), (loose, 1), at=at)
        sell((lamp, 1), at=at)
    order = sell((lamp, 4), (tree, 1))
    services.ship_order(order.id, shipped_at=AT)
    services.return_order(order.id, quantities={lamp.pk: D(3)}, reason="broken", returned_at=AT + timedelta(days=1))
    follow_all()
    for category in ("Garden", None, "Light"):
        update_product(lamp.pk, changes={"category": category})
        follow_all()
        assert list(sales.drifts()) == [], category


def test_a_move_looks_at_orders_once_however_many_days_they_are(
    built: None, make_product: MakeProduct, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    lamp = make_product(stock=99, category="Light")
    for number in range(30):
        sell((lamp, 1), at=AT + timedelta(days=number * 2))
    follow_all()
    Product.objects.filter(pk=lamp.pk).update(category=make_product("Tree", category="Garden").category)
    with django_assert_max_num_queries(12):
        sales._move({lamp.pk})
    assert list(sales.drifts()) == []


def test_an_order_that_lands_between_two_statements_is_no_error(
    make_product: MakeProduct,
) -> None:
    lamp = make_product(stock=9, category="Light")
    seen: list[str] = []

    def watched(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        if len(seen) == 2:  # after the first statement has counted, before the last two do
            sell((lamp, 1))
        return run(sql, params, many, context)

    with connection.execute_wrapper(watched):
        found = facts.figures_of([DAY])
    assert (found.totals[DAY].orders, found.totals[DAY].units) == (1, 0)


def test_a_check_takes_what_is_new_first(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    sell((lamp, 2))
    call_command("rollup", "--rebuild", stdout=StringIO())
    call_command("demand", "--rebuild", stdout=StringIO())
    sell((lamp, 1))
    for name in ("rollup", "demand"):
        out = StringIO()
        call_command(name, "--check", "--json", stdout=out)
        assert json.loads(out.getvalue()) == {"clean": True, "differences": []}
