"""The checks that run by the clock: predicted depletion, unusual activity, and what is over."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from insights import alerts, facts, queries_alerts, watch
from insights.models import Alert, DailySales
from insights.reasons import Named, days_left, depletion, zone
from inventory.models import Product, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
LAMP = Named(1, "L-1", "Lamp")
TODAY = date(2026, 5, 1)


def sold(product: Product, units: object, *, days: range) -> None:
    """So many units on each of these days ago, in the rollup as orders would have put them."""
    today = facts.today()
    DailySales.objects.bulk_create(
        [DailySales(day=today - timedelta(days=ago), product=product, units=D(str(units)), orders=1) for ago in days]
    )


@pytest.fixture(autouse=True)
def _the_rollup_is_what_the_test_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insights.sales.catch_up", lambda: 0)


def of_kind(kind: str) -> list[Alert]:
    return list(Alert.objects.filter(alert_type=kind).order_by("id"))


# ---- arithmetic ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("available", "threshold", "expected"),
    [(11, 10, 0), (10, 10, 1), (6, 10, 1), (5, 10, 2), (0, 0, 2), (1, 0, 0), (0, 1, 2)],
)
def test_how_low_stock_is(available: int, threshold: int, expected: int) -> None:
    assert zone(D(available), D(threshold)) == expected


@pytest.mark.parametrize(
    ("available", "rate", "severity", "left", "on"),
    [
        (20, 2, "warning", D("10.0"), date(2026, 5, 11)),
        (14, 2, "critical", D("7.0"), date(2026, 5, 8)),
        (28, 2, "warning", D("14.0"), date(2026, 5, 15)),
        (3, 2, "critical", D("1.5"), date(2026, 5, 2)),
    ],
)
def test_when_stock_is_used_up(available: int, rate: int, severity: str, left: Decimal, on: date) -> None:
    found = depletion(LAMP, available=D(available), daily_units=D(rate), today=TODAY, within_days=14, lead_time_days=0)
    assert found is not None
    assert (found.severity, found.days_left, found.predicted_on, found.daily_units) == (severity, left, on, rate)


def test_what_lasts_does_not_sell_or_is_gone_is_not_predicted() -> None:
    for available, rate in ((29, 2), (5, 0), (0, 2)):
        known = {"available": D(available), "daily_units": D(rate), "today": TODAY}
        assert depletion(LAMP, **known, within_days=14, lead_time_days=0) is None
    assert days_left(D(5), D(0)) is None


def test_within_the_lead_time_it_is_critical() -> None:
    found = depletion(LAMP, available=D(20), daily_units=D(2), today=TODAY, within_days=14, lead_time_days=10)
    assert found is not None
    assert found.severity == "critical"
    assert "a vendor needs 10 days" in found.message


def test_a_day_without_stock_is_no_day_without_demand() -> None:
    first = TODAY - timedelta(days=5)
    day = [TODAY - timedelta(days=ago) for ago in range(6)]  # day[1] is yesterday
    moved = {day[5]: D(10), day[4]: D(-10), day[2]: D(7)}  # there, gone, gone, back, there
    assert queries_alerts.days_in_stock(D(7), moved, {}, first, TODAY) == 4
    assert queries_alerts.days_in_stock(D(7), {}, {}, first, TODAY) == 5
    assert queries_alerts.days_in_stock(D(0), {}, {day[3]: D(1)}, first, TODAY) == 1


def test_what_is_usual() -> None:
    history = [(TODAY - timedelta(days=ago), D(2)) for ago in range(60, 0, -1)]
    assert queries_alerts.usual_sales(history, TODAY) == (D(2), D("6.000"))
    assert queries_alerts.usual_sales(history[-13:], TODAY) is None
    assert queries_alerts.usual_sales([], TODAY) is None
    mixed = [(one, D(4) if number % 2 else D(0)) for number, (one, _) in enumerate(history)]
    assert queries_alerts.usual_sales(mixed, TODAY) == (D(2), D("10.000"))  # mean 2, deviation 2


# ---- predicted depletion ---------------------------------------------------------------------------------------------
def test_a_product_that_runs_out_within_the_threshold_days_is_predicted(make_product: MakeProduct) -> None:
    lamp = make_product(stock=40, sku="L-1")
    sold(lamp, 4, days=range(1, 29))
    assert watch.check() == {"low_stock": 0, "predicted_depletion": 1, "unusual_activity": 0}
    (alert,) = of_kind("predicted_depletion")
    assert (alert.severity, alert.days_left, alert.daily_units, alert.threshold) == ("warning", 10, 4, 14)
    assert alert.predicted_on == facts.today() + timedelta(days=10)
    assert alert.title == f"Lamp (L-1) runs out in 10 days, on {alert.predicted_on}"
    assert watch.check()["predicted_depletion"] == 0
    assert Alert.objects.count() == 1


def test_the_threshold_days_decide(make_product: MakeProduct) -> None:
    sold(make_product(stock=40), 4, days=range(1, 29))
    alerts.change_settings({"alert_threshold_days": 9})
    watch.check()
    assert of_kind("predicted_depletion") == []
    alerts.change_settings({"alert_threshold_days": 10, "predicted_depletion_enabled": False})
    watch.check()
    assert of_kind("predicted_depletion") == []


def test_few_days_of_sales_say_too_little(make_product: MakeProduct) -> None:
    sold(make_product(stock=40), 4, days=range(1, 7))
    watch.check()
    assert of_kind("predicted_depletion") == []


def test_a_depletion_alert_ends_when_the_stock_lasts_longer_again(make_product: MakeProduct) -> None:
    lamp = make_product(stock=40)
    sold(lamp, 4, days=range(1, 29))
    watch.check()
    ledger.set_quantity(lamp.pk, available=D(58), reason="Delivery")  # 14.5 days: within the hysteresis of 14
    assert watch.auto_resolve() == 0
    ledger.set_quantity(lamp.pk, available=D(64), reason="Delivery")
    assert watch.auto_resolve() == 1
    assert (of_kind("predicted_depletion")[0].status, of_kind("predicted_depletion")[0].note) == (
        "resolved", "The stock lasts longer again.",
    )  # fmt: skip


# ---- unusual activity ------------------------------------------------------------------------------------------------
def test_a_day_of_unusual_sales_is_raised_once(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9000, sku="L-1")
    sold(lamp, 2, days=range(1, 61))
    sold(lamp, 7, days=range(1))
    assert watch.check()["unusual_activity"] == 1
    (alert,) = of_kind("unusual_activity")
    assert (alert.severity, alert.current_quantity, alert.threshold) == ("warning", 7, 6)
    assert alert.happened_on == facts.today()
    assert alert.title == f"Lamp (L-1): 7 sold on {facts.today()}, usually 2 a day"
    alerts.resolve(alert.pk)
    Alert.objects.update(resolved_at=datetime.now(UTC) - timedelta(hours=30))
    watch.check()
    assert Alert.objects.count() == 1
    assert Alert.objects.get().status == "resolved"


def test_three_times_the_mean_is_not_unusual_yet(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9000)
    sold(lamp, 2, days=range(1, 61))
    sold(lamp, 6, days=range(1))
    watch.check()
    assert of_kind("unusual_activity") == []


@pytest.mark.parametrize(("taken", "severity"), [(31, "warning"), (100, "critical"), (30, None)])
def test_a_large_write_off_is_raised_for_its_warehouse(
    taken: int, severity: str | None, make_product: MakeProduct, main: Warehouse
) -> None:
    lamp = make_product(stock=100, sku="L-1", reorder_threshold=D(0))
    lines = [Movement(lamp.pk, main.pk, "adjustment", D(-taken))]
    posted = ledger.post(lines, kind="adjustment", reason="Water damage")
    watch.check()
    found = of_kind("unusual_activity")
    if severity is None:
        assert found == []
        return
    assert [(one.severity, one.warehouse_id, one.movement_id) for one in found] == [
        (severity, main.pk, posted.movement_ids[0])
    ]
    assert found[0].title == f"Lamp (L-1): {taken} of 100 written off in Main store"


def test_what_is_sold_moved_or_reversed_is_no_write_off(
    make_product: MakeProduct, main: Warehouse, manager: Api
) -> None:
    lamp = make_product(stock=100, reorder_threshold=D(0))
    manager("POST", "sales", {"product_id": lamp.pk, "quantity": 60})
    posted = ledger.post([Movement(lamp.pk, main.pk, "adjustment", D(50))], kind="adjustment", reason="Found")
    ledger.reverse(posted.operation_id, reason="Typing error")
    watch.check()
    assert of_kind("unusual_activity") == []


def test_unusual_activity_ends_after_three_days(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9000)
    sold(lamp, 2, days=range(1, 61))
    sold(lamp, 7, days=range(1))
    watch.check()
    assert watch.auto_resolve() == 0
    Alert.objects.update(last_seen_at=datetime.now(UTC) - timedelta(hours=73))
    assert watch.auto_resolve() == 1
    assert of_kind("unusual_activity")[0].resolution == "auto"


# ---- what is over ----------------------------------------------------------------------------------------------------
def test_the_six_hourly_job_ends_low_stock_just_above_the_threshold(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    assert watch.auto_resolve() == 0
    ledger.set_quantity(lamp.pk, available=D(11), reason="Found")
    assert watch.auto_resolve() == 1
    assert (of_kind("low_stock")[0].status, of_kind("low_stock")[0].note) == ("resolved", "11 are available again.")


def test_every_product_is_found_however_many_there_are(
    make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHUNK", 2)
    for number in range(5):
        make_product(f"P{number}", stock=0)
    assert watch.check()["low_stock"] == 5
    assert watch.check()["low_stock"] == 0
