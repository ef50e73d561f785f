"""The figures over REST: exact numbers for a small shop, today included the moment it happens."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from insights import facts, queries_sales, sales
from insights.models import DailyTotal
from insights.queries_sales import Period, boundaries, compare
from inventory.models import MovementType, Product, StockOperation, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from orders import services
from orders.services import Item
from tests.client import Api
from workbox.core.followers import follow_all

pytestmark = pytest.mark.django_db
D = Decimal
MakeProduct = Callable[..., Product]
NOW = datetime.now(UTC)
TODAY = NOW.date()


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def on(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def sell(*items: tuple[Product, int], days_ago: int = 0) -> services.PlacedOrder:
    return services.place_order([Item(one.pk, D(count)) for one, count in items], user_id=None, placed_at=ago(days_ago))


@pytest.fixture
def shop(make_product: MakeProduct) -> dict[str, Product]:
    """Two toys, a lamp and a thing without a category; sales of today, yesterday, ten and sixty days ago."""
    found = {
        "bear": make_product("Bear", stock=100, price="10", category="Toys"),
        "kite": make_product("Kite", stock=100, price="5", category="Toys"),
        "lamp": make_product("Lamp", stock=100, price="100", category="Light"),
        "thing": make_product("Thing", stock=100, price="1"),
    }
    sell((found["bear"], 2), (found["kite"], 2), days_ago=60)
    sell((found["bear"], 1), (found["kite"], 1), days_ago=10)
    sell((found["lamp"], 1), days_ago=1)
    sell((found["thing"], 3), (found["bear"], 1))
    return found


def get(api: Api, path: str) -> Any:
    answer = api("GET", path)
    assert answer.status_code == 200, answer.content
    return answer.json()


# ---- analytics -------------------------------------------------------------------------------------------------------
def test_analytics_counts_revenue_orders_and_units_of_the_period(shop: dict[str, Product], manager: Api) -> None:
    assert get(manager, f"sales/analytics?start_date={on(10)}&end_date={on(0)}") == {
        "period": {"start_date": on(10), "end_date": on(0)},
        "total_revenue": 128,
        "total_sales": 3,
        "average_order_value": 42.6667,
        "units": 7,
        "returned_units": 0,
        "refunds": 0,
        "net_revenue": 128,
    }
    assert get(manager, f"sales/analytics?start_date={on(60)}&end_date={on(60)}")["total_revenue"] == 30
    assert get(manager, f"sales/analytics?start_date={on(59)}&end_date={on(11)}")["total_sales"] == 0


def test_the_default_period_is_thirty_days_with_today(shop: dict[str, Product], manager: Api) -> None:
    found = get(manager, "sales/analytics")
    assert found["period"] == {"start_date": on(29), "end_date": on(0)}
    assert found["total_revenue"] == 128


def test_an_order_of_two_toys_is_one_sale_of_the_category(shop: dict[str, Product], manager: Api) -> None:
    found = get(manager, f"sales/analytics?category=toys&start_date={on(60)}")
    assert (found["total_revenue"], found["total_sales"], found["units"]) == (55, 3, 7)
    found = get(manager, f"sales/analytics?product_id={shop['bear'].pk}&start_date={on(60)}")
    assert (found["total_revenue"], found["total_sales"], found["units"]) == (40, 3, 4)
    assert get(manager, "sales/analytics?category=nothing")["total_sales"] == 0


def test_today_shows_at_once_though_no_follower_ran(shop: dict[str, Product], manager: Api) -> None:
    before = get(manager, f"sales/analytics?start_date={on(0)}")["total_revenue"]
    order = sell((shop["lamp"], 2))
    assert get(manager, f"sales/analytics?start_date={on(0)}")["total_revenue"] == before + 200
    services.cancel_order(order.id, reason="oops")
    assert get(manager, f"sales/analytics?start_date={on(0)}")["total_revenue"] == before


def test_a_return_is_a_refund_and_not_a_smaller_sale(shop: dict[str, Product], manager: Api) -> None:
    order = sell((shop["lamp"], 2))
    services.ship_order(order.id)
    services.return_order(order.id, quantities={shop["lamp"].pk: D(1)}, reason="broken")
    found = get(manager, f"sales/analytics?category=Light&start_date={on(0)}")
    assert [found[name] for name in ("total_revenue", "returned_units", "refunds", "net_revenue")] == [200, 1, 100, 100]


def test_days_before_today_come_from_the_rollup(shop: dict[str, Product], manager: Api) -> None:
    get(manager, "sales/analytics")
    DailyTotal.objects.filter(day=TODAY - timedelta(days=1)).update(revenue=777)
    assert get(manager, f"sales/analytics?start_date={on(1)}&end_date={on(1)}")["total_revenue"] == 777


def test_the_first_read_of_an_old_installation_builds_the_rollup(shop: dict[str, Product], manager: Api) -> None:
    assert not DailyTotal.objects.exists()
    assert get(manager, f"sales/analytics?start_date={on(60)}&end_date={on(1)}")["total_sales"] == 3
    assert list(sales.drifts()) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (f"sales/analytics?start_date={on(1)}&end_date={on(2)}", "start_date"),
        ("sales/analytics?start_date=yesterday", "start_date"),
        ("sales/by-category?end_date=2026-02-30", "end_date"),
        ("sales/analytics?category=Toys&product_id=1", "product_id"),
        ("sales/revenue/comparison?period=fortnightly", "period"),
        ("insights/sales-trends?days=0", "days"),
        ("insights/sales-trends?days=367", "days"),
        ("insights/dead-stock?days=x", "days"),
        ("insights/turnover?group=vendor", "group"),
        ("insights/stock-management?status=empty", "status"),
        ("insights/movement-patterns?start_date=2020-01-01&end_date=2026-01-01", "start_date"),
    ],
)
def test_a_wrong_period_or_word_is_a_422_that_names_it(query: str, field: str, manager: Api) -> None:
    answer = manager("GET", query)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


def test_an_unknown_product_is_not_found(manager: Api) -> None:
    answer = manager("GET", "sales/analytics?product_id=987654321")
    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


@pytest.mark.parametrize(
    "path", ["/sales/analytics", "/sales/analytics/", "/api/v1/insights/sales-trends/", "/analytics/snapshot/"]
)
def test_with_and_without_prefix_and_slash(path: str, manager: Api) -> None:
    assert manager("GET", path).status_code == 200


# ---- per category, per day -------------------------------------------------------------------------------------------
def test_by_category_is_a_bare_list_with_most_revenue_first(shop: dict[str, Product], manager: Api) -> None:
    found = get(manager, f"sales/by-category?start_date={on(60)}&end_date={on(0)}")
    assert [(row["category"], row["total_revenue"], row["total_sales"]) for row in found] == [
        ("Light", 100, 1), ("Toys", 55, 3), (None, 3, 1),
    ]  # fmt: skip
    whole = get(manager, f"sales/analytics?start_date={on(60)}&end_date={on(0)}")["total_revenue"]
    assert sum(row["total_revenue"] for row in found) == whole


def test_trends_fill_days_without_sales_with_zeros(shop: dict[str, Product], manager: Api) -> None:
    assert get(manager, "insights/sales-trends?days=3") == {
        "period": "3 days",
        "daily_breakdown": [
            {"date": on(2), "sales": 0, "orders": 0, "units": 0},
            {"date": on(1), "sales": 100, "orders": 1, "units": 1},
            {"date": on(0), "sales": 13, "orders": 1, "units": 4},
        ],
    }
    assert len(get(manager, "insights/sales-trends")["daily_breakdown"]) == 7


def test_category_performance_looks_back_thirty_days(shop: dict[str, Product], manager: Api) -> None:
    assert get(manager, "insights/category-performance") == [
        {"category": "Light", "orders": 1, "revenue": 100, "avg_order_value": 100, "units": 1},
        {"category": "Toys", "orders": 2, "revenue": 25, "avg_order_value": 12.5, "units": 3},
        {"category": None, "orders": 1, "revenue": 3, "avg_order_value": 3, "units": 3},
    ]


# ---- comparison ------------------------------------------------------------------------------------------------------
def test_the_comparison_over_rest(shop: dict[str, Product], manager: Api) -> None:
    found = get(manager, "sales/revenue/comparison")
    assert found | {"previous_to_date": None, "change_to_date_percentage": None} == {
        "period": "daily",
        "current_revenue": 13,
        "previous_revenue": 100,
        "change_percentage": -87,
        "previous_to_date": None,
        "change_to_date_percentage": None,
        "current_period": {"start_date": on(0), "end_date": on(0)},
        "previous_period": {"start_date": on(1), "end_date": on(1)},
    }


def test_growth_from_nothing_is_null(make_product: MakeProduct, manager: Api) -> None:
    sell((make_product(stock=5), 1))
    assert get(manager, "sales/revenue/comparison?period=ANNUAL")["period"] == "annual"
    found = get(manager, "sales/revenue/comparison?period=daily")
    assert (found["current_revenue"], found["previous_revenue"], found["change_percentage"]) == (10, 0, None)


DATES = date.fromisoformat


@pytest.mark.parametrize(
    ("kind", "today", "current", "previous", "twin"),
    [
        ("daily", "2024-03-01", "2024-03-01 2024-03-01", "2024-02-29 2024-02-29", ("2024-02-29", False)),
        ("weekly", "2026-11-22", "2026-11-16 2026-11-22", "2026-11-09 2026-11-15", ("2026-11-15", False)),  # Sunday
        ("weekly", "2026-11-23", "2026-11-23 2026-11-23", "2026-11-16 2026-11-22", ("2026-11-16", False)),  # Monday
        ("monthly", "2026-03-15", "2026-03-01 2026-03-15", "2026-02-01 2026-02-28", ("2026-02-15", False)),
        ("monthly", "2026-03-31", "2026-03-01 2026-03-31", "2026-02-01 2026-02-28", None),
        ("monthly", "2026-01-02", "2026-01-01 2026-01-02", "2025-12-01 2025-12-31", ("2025-12-02", False)),
        ("annual", "2024-02-29", "2024-01-01 2024-02-29", "2023-01-01 2023-12-31", ("2023-02-28", True)),
        ("annual", "2025-03-01", "2025-01-01 2025-03-01", "2024-01-01 2024-12-31", ("2024-03-01", False)),
    ],
)
def test_where_periods_begin_and_end(
    kind: str, today: str, current: str, previous: str, twin: tuple[str, bool] | None
) -> None:
    expected = [Period(*map(DATES, text.split())) for text in (current, previous)]
    assert boundaries(kind, DATES(today)) == (*expected, twin and (DATES(twin[0]), twin[1]))


def test_to_date_counts_as_far_into_the_period_before_as_we_are_into_this_one(
    make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp = make_product(stock=99)
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
    monkeypatch.setattr(facts, "today", noon.date)  # the wall clock, not our code
    for count, moment in (
        (1, noon - timedelta(days=9)),  # Monday of the week before
        (2, noon - timedelta(days=7, seconds=1)),
        (4, noon - timedelta(days=7)),  # not yet over as far as we are
        (8, noon - timedelta(days=3, hours=12, seconds=1)),  # the last second of that week but one
        (16, noon - timedelta(days=2)),
    ):
        services.place_order([Item(lamp.pk, D(count))], user_id=None, placed_at=moment)
    sales.rebuild()
    found = compare("weekly", noon)
    assert (found.current_revenue, found.previous_revenue, found.previous_to_date_revenue) == (160, 150, 30)


# ---- products --------------------------------------------------------------------------------------------------------
def test_stock_management_tells_status_and_days_left(shop: dict[str, Product], manager: Api) -> None:
    Product.objects.filter(pk=shop["bear"].pk).update(reorder_threshold=96)
    found = get(manager, "insights/stock-management")
    rows = {row["product"]: row for row in found["results"]}
    assert found["count"] == 4
    assert rows["Bear"] == {
        "product_id": shop["bear"].pk,
        "product": "Bear",
        "sku": shop["bear"].sku,
        "category": "Toys",
        "current_stock": 96,
        "monthly_sales": 2,
        "status": "Low",
        "estimated_days_left": 1440,
    }
    assert (rows["Kite"]["status"], rows["Kite"]["monthly_sales"]) == ("Good", 1), "only its own sales count"
    assert [row["product"] for row in get(manager, "insights/stock-management?status=low")["results"]] == ["Bear"]


def test_a_product_that_never_sold_has_no_days_left(make_product: MakeProduct, manager: Api) -> None:
    make_product(stock=5)
    assert get(manager, "insights/stock-management")["results"][0]["estimated_days_left"] is None


def test_turnover_is_units_sold_by_average_stock(make_product: MakeProduct, main: Warehouse, manager: Api) -> None:
    lamp = make_product(stock=0, category="Light")
    bought(lamp, main, 100, 50)
    order = sell((lamp, 40), days_ago=5)
    services.ship_order(order.id, shipped_at=ago(5))
    row = get(manager, "insights/turnover")["results"][0]
    assert {name: row[name] for name in ("units_sold", "opening_stock", "closing_stock", "average_stock")} == {
        "units_sold": 40, "opening_stock": 100, "closing_stock": 60, "average_stock": 80,
    }  # fmt: skip
    assert (row["turnover"], row["days_of_cover"]) == (0.5, 45)
    by_category = get(manager, "insights/turnover?group=category")
    assert by_category["count"] == 1
    assert by_category["results"][0] | {"category": "Light"} == {
        name: value for name, value in row.items() if name not in ("product", "product_id", "sku")
    }
    earlier = get(manager, f"insights/turnover?start_date={on(60)}&end_date={on(6)}")["results"][0]
    assert (earlier["opening_stock"], earlier["closing_stock"], earlier["units_sold"]) == (0, 100, 0)
    assert (earlier["turnover"], earlier["days_of_cover"]) == (0, None)


def bought(product: Product, place: Warehouse, count: int, days_ago: int) -> None:
    ledger.post(
        [Movement(product.pk, place.pk, MovementType.PURCHASE, D(count))],
        kind=StockOperation.Kind.MOVEMENT,
        occurred_at=ago(days_ago),
    )


def test_ageing_takes_what_came_in_last_as_still_there(
    make_product: MakeProduct, main: Warehouse, manager: Api
) -> None:
    lamp = make_product(stock=0)
    for count, days in ((10, 400), (10, 120), (10, 31), (10, 30), (10, 0)):
        bought(lamp, main, count, days)
    order = sell((lamp, 12))
    services.ship_order(order.id)
    row = get(manager, "insights/ageing")["results"][0]
    assert {band["days"]: band["quantity"] for band in row["bands"]} == {
        "0-30": 20, "31-60": 10, "61-90": 0, "91-180": 8, "181+": 0,
    }  # fmt: skip
    assert (row["on_hand"], row["last_inbound_at"][:10]) == (38, on(0))


def test_abc_classes_by_the_share_of_those_before(make_product: MakeProduct, manager: Api) -> None:
    for name, price in (("One", 700), ("Two", 200), ("Three", 60), ("Four", 40)):
        sell((make_product(name, stock=1, price=price), 1))
    make_product("Unsold", stock=1)
    found = get(manager, "insights/abc?page_size=3")
    assert [(row["product"], row["abc_class"], row["share"], row["cumulative_share"]) for row in found["results"]] == [
        ("One", "A", 70, 70), ("Two", "A", 20, 90), ("Three", "B", 6, 96),
    ]  # fmt: skip
    assert found["classes"] == {
        "A": {"products": 2, "revenue": 900},
        "B": {"products": 1, "revenue": 60},
        "C": {"products": 1, "revenue": 40},
    }
    assert (found["count"], found["next"] is not None) == (4, True)


def test_dead_stock_neither_sold_nor_came_in(make_product: MakeProduct, main: Warehouse, manager: Api) -> None:
    dead, sold, new, old = (make_product(name, stock=0, unit_cost=D(3)) for name in ("Dead", "Sold", "New", "Old"))
    for one in (dead, sold, old):
        bought(one, main, 10, 100)
    bought(new, main, 10, 5)
    sell((sold, 1))
    sell((old, 1), days_ago=95)
    found = get(manager, "insights/dead-stock")["results"]
    assert [(row["product"], row["on_hand"], row["stock_value"], row["last_sold_on"]) for row in found] == [
        ("Dead", 10, 30, None), ("Old", 10, 30, on(95)),
    ]  # fmt: skip
    assert [row["product"] for row in get(manager, "insights/dead-stock?days=96")["results"]] == ["Dead"]


def test_a_transfer_makes_nothing_younger_and_wakes_nothing(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse, manager: Api
) -> None:
    lamp = make_product(stock=0)
    bought(lamp, main, 10, 100)
    ledger.post(
        [
            Movement(lamp.pk, main.pk, MovementType.TRANSFER_OUT, D(-10)),
            Movement(lamp.pk, annex.pk, MovementType.TRANSFER_IN, D(10)),
        ],
        kind=StockOperation.Kind.TRANSFER,
    )
    row = get(manager, "insights/ageing")["results"][0]
    assert {band["days"]: band["quantity"] for band in row["bands"] if band["quantity"]} == {"91-180": 10}
    assert [row["product"] for row in get(manager, "insights/dead-stock")["results"]] == ["Lamp"]


def test_movement_patterns_add_up_per_day_and_weekday(make_product: MakeProduct, main: Warehouse, manager: Api) -> None:
    lamp, other = make_product(stock=0), make_product("Other", stock=0)
    bought(lamp, main, 10, 8)
    bought(lamp, main, 5, 1)
    bought(other, main, 1, 1)
    ledger.adjust(lamp.pk, quantity=D(-2), reason="lost")
    found = get(manager, f"insights/movement-patterns?start_date={on(8)}")
    assert [row["units"]["purchase"] for row in found["by_day"]] == [10, 0, 0, 0, 0, 0, 0, 6, 0]
    assert found["by_day"][-1]["units"]["adjustment"] == -2
    weekday = f"{ago(1):%A}"
    assert {row["weekday"]: row["units"]["purchase"] for row in found["by_weekday"]}[weekday] == 16
    only = get(manager, f"insights/movement-patterns?start_date={on(8)}&product_id={other.pk}")
    assert sum(row["units"]["purchase"] for row in only["by_day"]) == 1


# ---- dashboard -------------------------------------------------------------------------------------------------------
def test_the_snapshot_has_the_seeds_keys(shop: dict[str, Product], manager: Api) -> None:
    ledger.adjust(shop["kite"].pk, quantity=D(-90), reason="lost")
    ledger.adjust(shop["thing"].pk, quantity=D(-97), reason="lost")
    found = get(manager, "analytics/snapshot")
    assert found.pop("updated_at")[:10] == on(0)
    assert found == {
        "daily_snapshot": {"today_sales": 13, "yesterday_sales": 100, "growth": -87},
        "inventory_alerts": [
            {"product": "Thing", "current_stock": 0, "min_required": 10, "product_id": shop["thing"].pk},
            {"product": "Kite", "current_stock": 7, "min_required": 10, "product_id": shop["kite"].pk},
        ],
        "inventory_alerts_total": 2,
        "top_performers": [
            {"product": "Lamp", "product_id": shop["lamp"].pk, "units_sold": 1, "revenue": 100},
            {"product": "Bear", "product_id": shop["bear"].pk, "units_sold": 2, "revenue": 20},
            {"product": "Kite", "product_id": shop["kite"].pk, "units_sold": 1, "revenue": 5},
            {"product": "Thing", "product_id": shop["thing"].pk, "units_sold": 3, "revenue": 3},
        ],
    }


def test_the_best_five_are_found_among_yesterdays_best_and_todays(make_product: MakeProduct, manager: Api) -> None:
    products = [make_product(f"P{number}", stock=99, price=1) for number in range(8)]
    for number, product in enumerate(products):
        sell((product, 10 + number), days_ago=2)
    sell((products[0], 20))
    found = get(manager, "analytics/snapshot")["top_performers"]
    assert [(row["product"], row["revenue"]) for row in found] == [
        ("P0", 30), ("P7", 17), ("P6", 16), ("P5", 15), ("P4", 14),
    ]  # fmt: skip


def test_at_most_fifty_alerts_are_shown_and_all_are_counted(make_product: MakeProduct, manager: Api) -> None:
    for number in range(52):
        make_product(f"P{number}", stock=0)
    found = get(manager, "analytics/snapshot")
    assert (len(found["inventory_alerts"]), found["inventory_alerts_total"]) == (50, 52)


def test_a_rollup_that_follows_and_one_built_anew_show_the_same(shop: dict[str, Product], manager: Api) -> None:
    sales.rebuild()
    order = sell((shop["lamp"], 3), days_ago=4)
    services.cancel_order(order.id, reason="x")
    sell((shop["bear"], 3), days_ago=4)
    follow_all()
    followed = get(manager, f"sales/by-category?start_date={on(60)}")
    assert sales.rebuild() == 0
    assert get(manager, f"sales/by-category?start_date={on(60)}") == followed


def test_the_figures_need_few_statements_however_long_the_period(
    shop: dict[str, Product], django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    sales.rebuild()
    with django_assert_max_num_queries(5):
        found = queries_sales.totals(Period(TODAY - timedelta(days=3000), TODAY))
    assert found.orders == 4
