"""Runs come into force whole, the last and one a week are kept, and each is compared with what happened."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import orjson
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from insights import curves, demand, facts, panels, predictions, refit, scoring
from insights.models import ForecastCurve, ForecastRun
from insights.tests.conftest import SellDaily
from inventory.models import Product
from tests.client import Api
from workbox.jobs import services as jobs
from workbox.jobs.models import Job, JobState
from workbox.planning import tasks, work

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
STEADY = [2, 3, 1, 2, 4, 0, 2]


@pytest.fixture
def lamp(make_product: MakeProduct, sell_daily: SellDaily) -> Product:
    """Sells two a day since ten weeks."""
    lamp = make_product("Lamp")
    sell_daily(lamp, STEADY * 10, stock=40)
    return lamp


def past_run(days_ago: int, kind: str = "training", *, rate: float = 2.0) -> ForecastRun:
    """A finished run of that day whose only curve is the lamp's."""
    start = facts.today() - timedelta(days=days_ago)
    run = ForecastRun.objects.create(
        kind=kind, start_on=start, model_version="old", started_at=datetime.now(UTC), finished_at=datetime.now(UTC)
    )
    found = refit.fit_one(Product.objects.get().pk)
    assert found is not None
    found.rate[:] = rate
    curves.write(run.pk, [Product.objects.get().pk], 0, found)
    return run


def test_what_is_stored_says_the_same_as_what_was_fitted(lamp: Product) -> None:
    run = refit.refit()
    stored = curves.read(run.pk, [lamp.pk], [panels.EVERYWHERE], start_on=facts.today()).forecast
    fitted = refit.fit_one(lamp.pk)
    assert fitted is not None
    for name, values in fitted.parts().items():
        if values.dtype.kind == "f":
            assert stored.parts()[name] == pytest.approx(values, rel=1e-9), name
        else:
            assert (stored.parts()[name] == values).all(), name


def test_a_run_of_days_ago_holds_on_with_its_weekdays_in_place(lamp: Product) -> None:
    run = refit.refit()
    today = curves.read(run.pk, [lamp.pk], [0], start_on=facts.today()).forecast.daily(14)
    ahead = curves.read(run.pk, [lamp.pk], [0], start_on=facts.today() + timedelta(days=3)).forecast.daily(11)
    assert ahead[0].tolist() == today[0, 3:].tolist()


def test_a_curve_older_than_a_week_is_made_anew(lamp: Product) -> None:
    demand.catch_up()
    past_run(8, rate=50.0)
    found = predictions.curve_of(lamp.pk, predictions.places_of())
    assert found is not None
    assert found.rate[0] < 5
    ForecastRun.objects.update(start_on=facts.today() - timedelta(days=6))
    kept = predictions.curve_of(lamp.pk, predictions.places_of(), use_cache=True)
    assert kept is not None


def test_a_run_that_is_not_finished_is_not_in_force(lamp: Product) -> None:
    first = refit.refit()
    ForecastRun.objects.create(kind="nightly", start_on=facts.today(), model_version="x", started_at=datetime.now(UTC))
    found = curves.current_run()
    assert found is not None
    assert found.pk == first.pk


def test_the_last_run_and_one_a_week_for_half_a_year_are_kept(lamp: Product) -> None:
    demand.catch_up()
    trainings = [past_run(7 * week).pk for week in range(28, 0, -1)]
    nightly = past_run(1, "nightly").pk
    last = refit.refit()
    kept = set(ForecastRun.objects.values_list("id", flat=True))
    assert kept == {*trainings[2:], last.pk}
    assert nightly not in kept
    assert not ForecastCurve.objects.exclude(run_id__in=kept).exists()


def test_past_forecasts_are_compared_with_what_was_sold(lamp: Product, manager: Api) -> None:
    demand.catch_up()
    good, high = past_run(21), past_run(14, rate=4.0)
    young = past_run(13)
    assert scoring.score_kept_runs(facts.today() - timedelta(days=1)) == 2
    for run in (good, high, young):
        run.refresh_from_db()
    assert young.outcome == {}
    assert (good.outcome["windows"], good.outcome["units_sold"]) == (1, 28)
    assert abs(good.outcome["bias"]) < 0.1
    assert good.outcome["coverage_80"] == 1
    assert high.outcome["bias"] == pytest.approx(1, abs=0.2)
    found = manager("GET", "predictions/quality").json()
    assert [one["run_id"] for one in found["runs"]] == [high.pk, good.pk]
    assert (found["live"]["forecasts"], found["live"]["windows"]) == (2, 2)
    assert found["live"]["bias"] == pytest.approx((good.outcome["bias"] + high.outcome["bias"]) / 2)
    assert found["current_run"]["run_id"] == young.pk


def test_a_window_without_stock_proves_nothing(lamp: Product) -> None:
    demand.catch_up()
    run = past_run(14)
    lamp.daily_demand.filter(day__gte=run.start_on).update(in_stock_share=0, is_empty_after=True)
    assert scoring.outcome_of(run)["windows"] == 0


def test_weekly_training_is_on_sundays_at_two_and_the_nightly_refit_on_the_other_days() -> None:
    schedule = settings.CELERY_BEAT_SCHEDULE
    weekly, nightly = (schedule[f"planning-{name}"]["schedule"] for name in ("weekly-training", "nightly-refit"))
    assert (weekly.hour, weekly.minute, weekly.day_of_week) == ({2}, {0}, {0})
    assert nightly.day_of_week == {1, 2, 3, 4, 5, 6}
    assert schedule["planning-hourly-demand"]["schedule"].minute == {10}


def test_the_clock_starts_jobs_with_progress_and_result_and_no_second_while_one_runs(lamp: Product) -> None:
    assert tasks.update_demand() is True
    assert tasks.update_demand() is False
    job = Job.objects.get()
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.kind, job.state, job.result["products"]) == ("demand_update", JobState.DONE, 1)
    assert tasks.update_demand() is False  # nothing happened since
    assert tasks.update_demand_after_bulk() is False
    for task, kind in ((tasks.refit_all, work.REFIT), (tasks.train_all, work.TRAINING)):
        assert task() is True
        job = Job.objects.get(kind=kind)
        jobs.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.result["forecasts"]) == (JobState.DONE, 1)
    assert Job.objects.get(kind=work.TRAINING).result["training_metrics"]["scores"]["workbox"]["windows"] == 0


def test_bulk_work_is_taken_in_at_once(lamp: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = demand.waiting()
    monkeypatch.setattr(work, "BULK_ROWS", rows + 1)
    assert tasks.update_demand_after_bulk() is False
    monkeypatch.setattr(work, "BULK_ROWS", rows)
    assert tasks.update_demand_after_bulk() is True


def test_the_backtest_prints_the_three_contenders(make_product: MakeProduct, sell_daily: SellDaily) -> None:
    for number in range(3):
        sell_daily(make_product(f"P{number}"), STEADY * 18, stock=40)
    out = StringIO()
    call_command("backtest", "--json", stdout=out)
    found = orjson.loads(out.getvalue())
    assert (found["products"], found["days"], found["windows"]) == (3, 126, 3)
    assert set(found["scores"]) == set(found["policy"]) == {"workbox", "moving_average", "linear_regression"}
    assert found["scores"]["workbox"]["wape"] < 0.1
    text = StringIO()
    call_command("backtest", stdout=text)
    assert "WAPE of 14-day sums" in text.getvalue()
    assert "Ordering by them, lead time 7 days" in text.getvalue()


def test_a_young_shop_is_told_what_a_backtest_needs(lamp: Product) -> None:
    out = StringIO()
    call_command("backtest", stdout=out)
    assert "0 windows" in out.getvalue()
    assert "A window needs 90 days" in out.getvalue()


def test_a_run_that_is_at_work_elsewhere_is_left_and_one_given_up_goes(lamp: Product) -> None:
    begun = {"kind": "nightly", "start_on": facts.today(), "model_version": "x"}
    at_work = ForecastRun.objects.create(**begun, started_at=datetime.now(UTC) - timedelta(hours=5))
    given_up = ForecastRun.objects.create(**begun, started_at=datetime.now(UTC) - timedelta(hours=7))
    last = refit.refit()
    assert set(ForecastRun.objects.values_list("id", flat=True)) == {at_work.pk, last.pk}
    assert not ForecastRun.objects.filter(pk=given_up.pk).exists()


def test_a_refit_and_a_training_are_one_at_a_time(lamp: Product) -> None:
    assert tasks.refit_all() is True
    assert tasks.train_all() is False
    job, is_new = work.start(work.TRAINING)
    assert (job.kind, is_new) == (work.REFIT, False)
    jobs.run(job.pk)
    assert tasks.train_all() is True
    assert tasks.refit_all() is False


def test_without_a_run_a_product_is_fitted_with_what_a_few_others_share(
    lamp: Product, make_product: MakeProduct, sell_daily: SellDaily, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        sell_daily(make_product(f"P{number}"), STEADY * 10, stock=40)
    demand.catch_up()
    monkeypatch.setattr(refit, "SAMPLED_AT_ONCE", 3)
    with CaptureQueriesContext(connection) as asked:
        assert refit.fit_one(lamp.pk) is not None
    panels_read = [one["sql"] for one in asked if "in_stock_share" in one["sql"]]
    products = [re.search(r"""["`]product_id["`] IN \(([^)]*)\)""", sql) for sql in panels_read]
    assert sorted(len(one[1].split(",")) for one in products if one) == [1, 3]
