"""Replenishment and accuracy in the admin: lists, filters, orders, settings, trainings; roles, walls, statements."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from insights import facts, refit
from insights.models import ForecastRun, PlanningSettings, ServiceLevel, Suggestion
from insights.refit import COVER_80
from insights.tests.conftest import SellDaily, sell_daily  # noqa: F401  (a fixture)
from inventory.models import Product, Warehouse
from inventory.services import ledger
from purchasing.models import PurchaseOrder, PurchaseOrderLine
from purchasing.services import vendors
from purchasing.services.vendors import NewPrice
from workbox.jobs import services as jobs
from workbox.jobs.models import Job
from workbox.planning.accuracy_page import bias_in_words, coverage_in_words

pytestmark = pytest.mark.django_db
D = Decimal
LIST, ORDER, REFRESH, REFRESHING, LEVELS = (
    f"/admin/replenishment/{name}" for name in ("", "order/", "refresh/", "progress/", "levels/")
)
ACCURACY, TRAIN, PROGRESS = (f"/admin/accuracy/{name}" for name in ("", "train/", "progress/"))
STEADY = [2, 3, 1, 2, 4, 0, 2] * 6
COUNTS = json.loads((Path(__file__).parent / "query_counts.json").read_text())


@pytest.fixture
def browser(make_user: Callable[..., User]) -> Callable[..., Client]:
    def make(role: str = "manager") -> Client:
        client = Client()
        client.force_login(User.objects.filter(username=role).first() or make_user(role))
        return client

    return make


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    return make_product("Lamp", sku="LAMP", price="10", category="Light")


def suggest(product: Product, place: Warehouse, vendor_id: int, **values: object) -> Suggestion:
    """A suggestion as a refresh would leave it, of ten pieces at four."""
    offers = [
        {"vendor_id": vendor_id, "vendor_name": "Mill", "quantity": 10, "unit_price": 4, "lead_time_days": 7},
        *values.pop("offers", []),  # type: ignore[misc]  # bound by the default
    ]
    defaults = {
        "quantity": D(10), "unit_price": D(4), "available": D(3), "position": D(5), "reorder_point": D(20),
        "safety_stock": D(5), "order_up_to": D(30), "daily_units": D(2), "service_level": D("0.95"),
        "lead_time_days": D(7), "stockout_probability": D("0.4"), "order_by": facts.today(),
        "margin_at_risk": D(50), "reason": "Three are left.",
    }  # fmt: skip
    now = timezone.now()
    return Suggestion.objects.create(
        product=product, warehouse=place, vendor_id=vendor_id, offers=offers, created_at=now, updated_at=now,
        **(defaults | values),
    )  # fmt: skip


def offer(product: Product, name: str = "Mill", **terms: object) -> int:
    vendor = vendors.create_vendor({"name": name}).pk
    vendors.add_price(vendor, NewPrice(product_id=product.pk, **({"unit_price": D(4), "lead_time_days": 7} | terms)))  # type: ignore[arg-type]  # what the case names
    return vendor


def words(answer: HttpResponse) -> str:
    assert answer.status_code == 200, answer.content[:300]
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


# ---- the list --------------------------------------------------------------------------------------------------------
def test_the_most_margin_at_risk_stands_first_and_every_number_is_there(
    browser: Callable[..., Client], lamp: Product, make_product: Callable[..., Product], main: Warehouse
) -> None:
    vendor = offer(lamp, minimum_order_quantity=D(6), pack_quantity=D(2), breaks=[(D(50), D("3.5"))])
    chair = make_product("Chair", sku="CHAIR")
    suggest(chair, main, vendor, margin_at_risk=D(20))
    suggest(lamp, main, vendor)
    answer = browser("clerk").get(LIST)
    rows = answer.context["rows"]
    assert [one["sku"] for one in rows] == ["LAMP", "CHAIR"]
    assert (rows[0]["quantity"], rows[0]["total"], rows[0]["price"], rows[0]["risk"]) == (
        "10",
        "40.00",
        "4.00",
        "50.00",
    )
    assert (rows[0]["available"], rows[0]["coming"], rows[0]["chance"]) == ("3", "2", "40 %")
    assert rows[0]["terms"] == {
        str(vendor): {"name": "Mill", "minimum": 6.0, "pack": 2.0, "prices": [[0.0, 4.0], [50.0, 3.5]]}
    }
    assert (answer.context["count"], answer.context["cost"], answer.context["risk"]) == (2, "80.00", "70.00")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=lam", ["LAMP"]),
        ("category=Light", ["LAMP"]),
        ("vendor={vendor}", ["LAMP"]),
        ("warehouse={annex}", ["CHAIR"]),
        ("q=lam&warehouse={annex}", []),
        ("vendor=x&warehouse=%27", ["LAMP", "CHAIR"]),
        ("page=999", ["LAMP", "CHAIR"]),
    ],
)
def test_filters_narrow_the_list(
    browser: Callable[..., Client],
    lamp: Product,
    make_product: Callable[..., Product],
    main: Warehouse,
    annex: Warehouse,
    query: str,
    found: list[str],
) -> None:
    mill, weaver = offer(lamp), vendors.create_vendor({"name": "Weaver"}).pk
    suggest(lamp, main, mill)
    suggest(make_product("Chair", sku="CHAIR"), annex, weaver, margin_at_risk=D(20))
    answer = browser().get(f"{LIST}?{query.format(vendor=mill, annex=annex.pk)}")
    assert [one["sku"] for one in answer.context["rows"]] == found
    if not found:
        assert "No suggestion fits these filters." in words(answer)


def test_an_empty_list_says_how_to_begin(browser: Callable[..., Client], main: Warehouse) -> None:
    assert "There is no forecast yet." in words(browser().get(LIST))
    ForecastRun.objects.create(
        kind="nightly", start_on=facts.today(), model_version="x", started_at=timezone.now(), finished_at=timezone.now()
    )
    assert "every product with a vendor price lasts until its next order" in words(browser().get(LIST))


def test_the_list_takes_the_checked_in_number_of_statements(
    browser: Callable[..., Client], make_product: Callable[..., Product], main: Warehouse
) -> None:
    client = browser()

    def count(more: int) -> int:
        for _ in range(more):
            number = Product.objects.count()
            product = make_product(f"P{number}")
            suggest(product, main, offer(product, f"V{number}"))
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        assert [one["sql"] for one in captured if not one["sql"].startswith("SELECT")] == []
        return len(captured)

    count(1)
    assert (count(2), count(8)) == (COUNTS["admin/replenishment"],) * 2


# ---- ordering --------------------------------------------------------------------------------------------------------
def test_the_chosen_become_drafts_by_vendor_with_edited_quantities(
    browser: Callable[..., Client], lamp: Product, make_product: Callable[..., Product], main: Warehouse
) -> None:
    chair, mug = make_product("Chair", sku="CHAIR"), make_product("Mug", sku="MUG")
    mill, weaver = offer(lamp), offer(chair, "Weaver", unit_price=D(7))
    vendors.add_price(mill, NewPrice(product_id=mug.pk, unit_price=D(1)))
    first, second, third = suggest(lamp, main, mill), suggest(chair, main, weaver), suggest(mug, main, mill)
    client = browser()
    answer = client.post(
        ORDER,
        {
            "chosen": [first.pk, second.pk],
            f"quantity_{first.pk}": "12", f"vendor_{first.pk}": mill, f"quantity_{second.pk}": "5",
            f"quantity_{third.pk}": "99",
        },
        follow=True,
    )  # fmt: skip
    lines = PurchaseOrderLine.objects.select_related("order").order_by("order_id")
    assert [(one.product_id, one.quantity, one.unit_cost, one.order.vendor_id, one.order.status) for one in lines] == [
        (lamp.pk, 12, 4, mill, "draft"),
        (chair.pk, 5, 7, weaver, "draft"),
    ]
    one, two = PurchaseOrder.objects.order_by("id")
    assert (
        f"2 purchase orders are drafted from 2 suggestions: PO-{one.pk} (Mill, Main store: 1 line, 48.00),"
        f" PO-{two.pk} (Weaver, Main store: 1 line, 35.00)."
    ) in words(answer).replace(" (", " (").replace(" ,", ",")
    assert f"/admin/purchasing/purchaseorder/{one.pk}/change/" in answer.content.decode()
    assert list(Suggestion.objects.values_list("pk", flat=True)) == [third.pk]


def test_another_vendor_of_the_offers_may_be_chosen(
    browser: Callable[..., Client], lamp: Product, main: Warehouse
) -> None:
    mill, weaver = offer(lamp), offer(lamp, "Weaver", unit_price=D(5))
    other = {"vendor_id": weaver, "vendor_name": "Weaver", "quantity": 10, "unit_price": 5, "lead_time_days": 2}
    one = suggest(lamp, main, mill, offers=[other])
    browser().post(ORDER, {"chosen": one.pk, f"quantity_{one.pk}": "10", f"vendor_{one.pk}": weaver})
    assert PurchaseOrder.objects.get().vendor_id == weaver


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("abc", "Nothing is ordered: “abc” is no quantity: write a number above zero, such as 24."),
        ("0", "“0” is no quantity"),
        ("-4", "“-4” is no quantity"),
        ("", "“” is no quantity"),
        ("NaN", "“NaN” is no quantity"),
        ("1e999", "“1e999” is no quantity"),
        ("1.5", "Nothing is ordered: "),
    ],
)
def test_a_wrong_quantity_orders_nothing_and_stays_in_its_field(
    browser: Callable[..., Client], lamp: Product, main: Warehouse, written: str, told: str
) -> None:
    one = suggest(lamp, main, offer(lamp))
    answer = browser().post(ORDER, {"chosen": one.pk, f"quantity_{one.pk}": written})
    assert told in words(answer)
    assert (answer.context["rows"][0]["quantity"], answer.context["rows"][0]["is_chosen"]) == (written, True)
    assert not PurchaseOrder.objects.exists()


def test_without_a_choice_and_with_one_that_is_gone_nothing_is_ordered(
    browser: Callable[..., Client], lamp: Product, make_product: Callable[..., Product], main: Warehouse
) -> None:
    vendor = offer(lamp)
    one, gone = suggest(lamp, main, vendor), suggest(make_product("Chair"), main, vendor)
    client = browser()
    assert "Nothing is ordered: tick what is to be ordered first." in words(client.post(ORDER, {}))
    Suggestion.objects.filter(pk=gone.pk).delete()
    chosen = {"chosen": [one.pk, gone.pk], f"quantity_{one.pk}": "4", f"quantity_{gone.pk}": "4"}
    assert "it was ordered meanwhile, or is no longer needed. The list below is as it is now." in words(
        client.post(ORDER, chosen)
    )
    assert not PurchaseOrder.objects.exists()
    assert Suggestion.objects.filter(pk=one.pk).exists()


def test_a_refresh_works_the_suggestions_out_anew(
    browser: Callable[..., Client],
    lamp: Product,
    main: Warehouse,
    sell_daily: SellDaily,  # noqa: F811  (a fixture)
) -> None:
    client = browser()
    assert "train the forecasts first." in words(client.post(REFRESH, follow=True))
    sell_daily(lamp, STEADY, stock=12)
    offer(lamp)
    refit.refit()
    assert Suggestion.objects.count() == 1
    ledger.adjust(lamp.pk, quantity=D(90), warehouse_id=main.pk, reason="Found")
    assert client.get(REFRESHING).json() == {"job": None}
    told = words(client.post(f"{REFRESH}?q=x", follow=True))
    job = Job.objects.get(kind="suggestions_refresh")
    assert f"The suggestions are worked out anew as job {job.pk} ." in told
    assert "A refresh waits for a worker." in told
    assert Suggestion.objects.count() == 1
    assert "They are being worked out already" in words(browser("admin").post(REFRESH, follow=True))
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["suggestions"]) == ("done", 0)
    assert client.get(REFRESHING).json()["job"]["is_over"] is True
    assert "The last refresh ended on" in words(client.get(LIST))
    assert not Suggestion.objects.exists()


def test_a_refresh_by_somebody_bound_to_one_warehouse_is_the_whole_shops(
    browser: Callable[..., Client],
    lamp: Product,
    main: Warehouse,
    annex: Warehouse,
    sell_daily: SellDaily,  # noqa: F811  (a fixture)
    make_user: Callable[..., User],
) -> None:
    sell_daily(lamp, STEADY, stock=12)
    offer(lamp)
    refit.refit()
    assert Suggestion.objects.filter(warehouse=main).exists()
    client = browser()
    bound = User.objects.get(username="manager")
    accounts.bind(make_user("admin", "boss"), user_id=bound.pk, warehouse_ids=[annex.pk])
    client.post(REFRESH)
    jobs.run(Job.objects.get(kind="suggestions_refresh").pk)
    assert Suggestion.objects.filter(warehouse=main).exists()
    assert "Lamp" not in words(client.get(LIST))


# ---- settings --------------------------------------------------------------------------------------------------------
def test_levels_are_set_for_the_shop_a_category_and_a_product_and_taken_back(
    browser: Callable[..., Client], lamp: Product
) -> None:
    client = browser()
    sent = {"_form_submitted": "True"}
    client.post(LEVELS, sent | {"level": "97.5", "review_days": "2", "cycle_days": "14"})
    now = PlanningSettings.current()
    assert (now.service_level, now.review_days, now.cycle_days) == (D("0.975"), 2, 14)
    client.post(LEVELS, sent | {"level": "99", "category": lamp.category_id})
    client.post(LEVELS, sent | {"level": "90", "sku": "LAMP"})
    assert "The shop 97.5 %; of their own: Light 99 %, LAMP 90 %." in words(client.get(LEVELS))
    client.post(LEVELS, sent | {"level": "", "sku": "LAMP"})
    assert list(ServiceLevel.objects.values_list("category_id", "product_id")) == [(lamp.category_id, None)]
    assert "Lamp (LAMP) has the shop&#x27;s level again." in words(client.get(LIST)).replace("'", "&#x27;")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"level": ""}, "The whole shop needs a level, such as 95."),
        ({"level": "100"}, "less than or equal to 99.9"),
        ({"level": "x"}, "Enter a number."),
        ({"level": "95", "sku": "NOPE"}, "No product has the SKU NOPE."),
        ({"level": "95", "sku": "LAMP", "category": "own"}, "Name a category or a product, not both."),
        ({"level": "95", "cycle_days": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_level_is_explained_and_changes_nothing(
    browser: Callable[..., Client], lamp: Product, given: dict[str, object], told: str
) -> None:
    sent = {"_form_submitted": "True"} | given
    if given.get("category"):
        sent["category"] = lamp.category_id
    assert told in words(browser().post(LEVELS, sent))
    assert not ServiceLevel.objects.exists()
    assert PlanningSettings.current().service_level == D("0.95")


# ---- accuracy --------------------------------------------------------------------------------------------------------
def test_before_there_are_figures_the_page_says_when_there_will_be(
    browser: Callable[..., Client], main: Warehouse
) -> None:
    client = browser("clerk")
    assert "No forecast was made yet." in words(client.get(ACCURACY))
    now = timezone.now()
    ForecastRun.objects.create(
        kind="nightly", start_on="2026-11-20", model_version="x", started_at=now, finished_at=now
    )
    told = words(client.get(ACCURACY))
    assert "the first figures stand here 14 days after the next training" in told  # a nightly one is not kept so long
    assert "No training yet." in told
    assert "Train the forecasts" not in re.sub(r"<h\d.*?</h\d>", "", told)
    ForecastRun.objects.create(
        kind="training", start_on="2026-11-20", model_version="x", started_at=now, finished_at=now
    )
    told = words(client.get(ACCURACY))
    assert "The forecasts in force are a training's of 2026-11-20" in told.replace("&#x27;", "'")
    assert "after the night of 2026-12-04 at the latest" in told


def test_live_figures_and_the_backtest_stand_in_words_beside_the_baseline(
    browser: Callable[..., Client], main: Warehouse
) -> None:
    now = timezone.now()
    score = {"windows": 40, "wape": 0.28, "pinball_p90": 0.1, "coverage_80": 0.81, "coverage_p95": 0.95, "bias": -0.04}
    outcome = {
        "windows": 40, "wape": 0.3, "bias": 0.12, "coverage_80": 0.7, "coverage_p95": 0.95,
        "units_sold": 100, "units_forecast": 112,
    }  # fmt: skip
    for day in ("2026-10-04", "2026-10-11"):
        ForecastRun.objects.create(
            kind="training", start_on=day, model_version="x", started_at=now, finished_at=now, outcome=outcome,
            backtest={"scores": {"workbox": score, "moving_average": score | {"wape": 0.34}}, "calibration": None},
        )  # fmt: skip
    answer = browser().get(ACCURACY)
    told = words(answer)
    assert [(one["text"], one["words"][:32]) for one in answer.context["live"]] == [
        ("30 %", "Of what was sold, so much was mi"),
        ("+12 %", "Forecasts were too high: stock l"),
        ("70 %", "Less often than it says: the ban"),
        ("95 %", "As often as it says."),
    ]
    assert "On past fortnights WorkBox was 28 % off, the 28-day average 34 %: WorkBox is closer." in told
    assert [one["name"] for one in answer.context["scores"]] == ["WorkBox", "28-day average"]
    assert answer.context["chart"]["series"][0]["values"] == [30.0, 30.0]


@pytest.mark.parametrize(
    ("bias", "told"),
    [
        (None, "Nothing was sold, so it cannot be said."),
        (0.049, "Forecasts were neither too high nor too low."),
        (0.05, "Forecasts were too high: stock lies longer than planned."),
        (-0.2, "Forecasts were too low: stock runs out sooner than planned."),
    ],
)
def test_bias_is_said_in_words(bias: float | None, told: str) -> None:
    assert bias_in_words(bias) == told


@pytest.mark.parametrize(
    ("share", "told"),
    [(None, "It cannot"), (0.77, "Less often"), (0.78, "As often"), (0.87, "As often"), (0.88, "More often")],
)
def test_coverage_is_said_in_words(share: float | None, told: str) -> None:
    assert coverage_in_words(share, COVER_80).startswith(told)


def test_a_training_is_queued_once_done_by_a_worker_and_its_end_is_shown(
    browser: Callable[..., Client],
    lamp: Product,
    sell_daily: SellDaily,  # noqa: F811  (a fixture)
) -> None:
    sell_daily(lamp, STEADY, stock=12)
    client = browser()
    assert client.get(PROGRESS).json() == {"job": None}
    told = words(client.post(TRAIN, follow=True))
    job = Job.objects.get()
    assert f"The training is queued as job {job.pk} ." in told
    assert (job.kind, job.created_by.username) == ("forecast_training", "manager")
    assert "A training is under way already" in words(browser("admin").post(TRAIN, follow=True))
    assert Job.objects.count() == 1
    assert client.get(PROGRESS).json()["job"] == {
        "id": job.pk, "state": "queued", "progress": 0, "text": "A training waits for a worker.", "is_over": False,
    }  # fmt: skip
    jobs.run(job.pk)
    ended = client.get(PROGRESS).json()["job"]
    assert (ended["state"], ended["progress"], ended["is_over"]) == ("done", 100, True)
    told = words(client.get(ACCURACY))
    assert "The last training ended on" in told
    assert "too little history to test on" in told


def test_the_accuracy_page_takes_the_checked_in_number_of_statements(
    browser: Callable[..., Client], main: Warehouse
) -> None:
    client = browser()
    with CaptureQueriesContext(connection) as captured:
        client.get(ACCURACY)
    assert len(captured) == COUNTS["admin/accuracy"]


# ---- who may ---------------------------------------------------------------------------------------------------------
def test_pages_and_acts_follow_the_role(browser: Callable[..., Client], main: Warehouse) -> None:
    def statuses(role: str) -> list[int]:
        client = browser(role)
        gets = [client.get(path).status_code for path in (LIST, REFRESHING, ACCURACY, PROGRESS, LEVELS)]
        return gets + [client.post(path).status_code for path in (ORDER, REFRESH, LEVELS, TRAIN)]

    refused, allowed = [200] * 4 + [403] * 5, [200] * 6 + [302, 200, 302]
    assert {role: statuses(role) for role in ("user", "clerk", "analyst", "manager", "admin")} == {
        "user": [302] * 9, "clerk": refused, "analyst": refused, "manager": allowed, "admin": allowed,
    }  # fmt: skip


@pytest.mark.parametrize("path", [ORDER, REFRESH, TRAIN])
def test_a_get_changes_nothing(browser: Callable[..., Client], path: str) -> None:
    assert browser().get(path).status_code == 405


def test_nobody_orders_or_sees_over_a_wall(
    browser: Callable[..., Client], lamp: Product, main: Warehouse, annex: Warehouse, make_user: Callable[..., User]
) -> None:
    vendor = offer(lamp)
    mine, theirs = suggest(lamp, main, vendor), suggest(lamp, annex, vendor, margin_at_risk=D(99))
    bound = make_user("manager")
    accounts.bind(make_user("admin", "boss"), user_id=bound.pk, warehouse_ids=[main.pk])
    client = browser()
    answer = client.get(LIST)
    assert [one["id"] for one in answer.context["rows"]] == [mine.pk]
    assert (answer.context["cost"], answer.context["risk"], answer.context["count"]) == ("40.00", "50.00", 1)
    assert "Annex" not in words(answer)
    assert client.get(f"{LIST}?warehouse={annex.pk}").context["rows"] == []
    refused = client.post(ORDER, {"chosen": theirs.pk, f"quantity_{theirs.pk}": "5"})
    assert f"There is no suggestion {theirs.pk}" in words(refused)
    assert not PurchaseOrder.objects.exists()
    assert client.get(LEVELS).status_code == 403
    assert answer.context["may_set"] is False
