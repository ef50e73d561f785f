"""Service: fit all products anew (nightly), with a backtest (weekly), or one of them; and how true past runs were.

A run's curves are written some hundred products per transaction and come into force together when the run is finished.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Q

from insights import curve_cache, curves, demand, facts, replenishment
from insights.forecasting import Backtest, Forecast, Panel, forecast, learn_pool, run_backtest
from insights.models import ForecastCurve, ForecastRun
from insights.panels import EVERYWHERE, Calendar, calendar_of, read_panel, sellable_warehouses, sold_products
from insights.scoring import score_kept_runs
from workbox.core.db import after_commit, in_parts, transact

MODEL_VERSION = "nb-2026.2"
MODEL_TYPE = "negative_binomial_exponential_smoothing"
CURVES_PER_TRANSACTION = 500
PRODUCTS_PER_PANEL = 1000
SAMPLED = 4000
SAMPLED_AT_ONCE = 200  # while there is no run: enough for a typical weekday and rate, and one request can wait for it
WEEKS_KEPT = 26
GIVEN_UP = timedelta(hours=6)  # an unfinished run that began so long before was left by its worker
COVER_80, COVER_P95 = (0.78, 0.87), (0.94, 0.97)
Tick = Callable[[int, int, str], None]


def _silent(_done: int, _total: int, _what: str) -> None:
    """Nobody listens."""


def refit(kind: str = ForecastRun.Kind.NIGHTLY, *, tick: Tick = _silent) -> ForecastRun:
    """Every product that was sold has a new curve; the run is in force when this returns.

    The demand is brought up to date before, past runs are scored and the suggestions are worked out anew after.
    `tick(done, total, what)` hears how far it is.
    """
    demand.catch_up(lambda done: tick(done, 0, "demand"))
    last_day = facts.today() - timedelta(days=1)
    run = ForecastRun.objects.create(
        kind=kind, start_on=facts.today(), model_version=MODEL_VERSION, started_at=datetime.now(UTC)
    )
    pools: dict[str, Any] = {}
    calendars = _calendars(last_day)
    wanted = {one.place_key: sold_products(one) for one in calendars}
    in_several = _in_several({key: ids for key, ids in wanted.items() if key != EVERYWHERE})
    total = sum(len(ids) for key, ids in wanted.items() if key != EVERYWHERE) + len(in_several)
    done = 0
    for calendar in calendars:
        pool = learn_pool(read_panel(_sample(wanted[calendar.place_key]), calendar))
        pools[str(calendar.place_key)] = curves.pool_body(pool)
        ids = sorted(in_several) if calendar.place_key == EVERYWHERE else wanted[calendar.place_key]
        for part in in_parts(ids, PRODUCTS_PER_PANEL):
            _write(run, part, calendar, forecast(read_panel(part, calendar), pool))
            done += len(part)
            tick(done, total, "forecasts")
    if kind == ForecastRun.Kind.TRAINING:
        tick(done, total, "backtest")
        panel = whole_panel(calendars)
        run.backtest = backtest_body(run_backtest(panel)) if panel is not None else {}
    run.pool, run.curves_count, run.finished_at = pools, done, datetime.now(UTC)
    run.save(update_fields=["pool", "curves_count", "finished_at", "backtest"])
    curve_cache.forget_all()
    _prune(run)
    score_kept_runs(last_day)
    replenishment.refresh(tick=lambda planned: tick(planned, total, "suggestions"))
    return run


def fit_one(product_id: int, place_key: int = EVERYWHERE) -> Forecast | None:
    """The product's forecast from its history as it is kept now; None when nothing was ever sold in that place."""
    calendar = calendar_of(place_key, last_day=facts.today() - timedelta(days=1))
    if calendar is None:
        return None
    run = curves.current_run()
    body = (run.pool.get(str(place_key)) or run.pool.get(str(EVERYWHERE))) if run is not None else None
    panel = read_panel([product_id], calendar)
    some = _sample(sold_products(calendar), SAMPLED_AT_ONCE) if not body else []
    return forecast(panel, curves.pool_from(body) if body else learn_pool(read_panel(some, calendar)))


def retrain_one(product_id: int) -> ForecastRun | None:
    """The product's curves of the run in force are made anew from its history as of now; returns the run, if any."""
    demand.recompute([product_id])
    run = curves.current_run()
    if run is None:
        return None
    places = [EVERYWHERE, *sellable_warehouses()]
    fitted = [(key, found) for key in places if (found := fit_one(product_id, key)) is not None]
    parts = [(key, found) for key, found in fitted if key != EVERYWHERE and found.rate[0] > 0]
    wholes = [one for one in fitted if one[0] == EVERYWHERE]
    kept = [*wholes, *parts] if len(parts) > 1 else parts or wholes

    def work() -> None:
        ForecastCurve.objects.filter(run_id=run.pk, product_id=product_id).delete()
        for key, found in kept:
            curves.write(run.pk, [product_id], key, found)

    transact(work)
    after_commit(curve_cache.forget_all)
    return run


def whole_panel(calendars: Sequence[Calendar] | None = None) -> Panel | None:
    """The whole shop's history, or that of an evenly spaced sample of 4,000 products; None when nothing was sold."""
    found = _calendars(facts.today() - timedelta(days=1)) if calendars is None else calendars
    whole = next((one for one in found if one.place_key == EVERYWHERE), None)
    return None if whole is None else read_panel(_sample(sold_products(whole)), whole)


def backtest_body(found: Backtest) -> dict[str, Any]:
    """Scores by contender, and whether the intervals cover what they say; empty scores: nothing could be scored."""
    scores = {name: asdict(score) for name, score in found.scores.items()}
    ours = found.scores.get("workbox")
    if ours is None or not ours.windows:
        return {"scores": scores, "calibration": None}
    return {
        "scores": scores,
        "calibration": {
            "coverage_80": ours.coverage_80,
            "coverage_80_is_fair": COVER_80[0] <= ours.coverage_80 <= COVER_80[1],
            "coverage_p95": ours.coverage_p95,
            "coverage_p95_is_fair": COVER_P95[0] <= ours.coverage_p95 <= COVER_P95[1],
        },
    }


def _calendars(last_day: date) -> list[Calendar]:
    places = [EVERYWHERE, *sellable_warehouses()]
    return [found for key in places if (found := calendar_of(key, last_day=last_day)) is not None]


def _in_several(wanted: dict[int, list[int]]) -> set[int]:
    seen: set[int] = set()
    found: set[int] = set()
    for ids in wanted.values():
        found |= seen & set(ids)
        seen |= set(ids)
    return found


def _sample(ids: Sequence[int], most: int = SAMPLED) -> list[int]:
    if len(ids) <= most:
        return list(ids)
    return [ids[place] for place in np.linspace(0, len(ids) - 1, most).astype(int)]


def _write(run: ForecastRun, ids: Sequence[int], calendar: Calendar, found: Forecast) -> None:
    for start in range(0, len(ids), CURVES_PER_TRANSACTION):
        part = slice(start, start + CURVES_PER_TRANSACTION)
        some, curve = ids[part], found.rows(part)
        transact(lambda some=some, curve=curve: curves.write(run.pk, some, calendar.place_key, curve))  # type: ignore[misc]  # a default binds it


def _prune(run: ForecastRun) -> None:
    """What is neither in force nor one of the last 26 weeks' trainings goes, a run's curves in steps."""
    kept = list(
        ForecastRun.objects.filter(kind=ForecastRun.Kind.TRAINING, finished_at__isnull=False)
        .order_by("-id")
        .values_list("id", flat=True)[:WEEKS_KEPT]
    )
    # One that is not finished may be at work still, in another process: only what was given up goes.
    over = Q(finished_at__isnull=False) | Q(started_at__lt=run.started_at - GIVEN_UP)
    for old in ForecastRun.objects.filter(over, id__lt=run.pk).exclude(id__in=kept).order_by("id"):
        while ids := list(ForecastCurve.objects.filter(run=old).order_by("id").values_list("id", flat=True)[:1000]):
            ForecastCurve.objects.filter(id__in=ids).delete()
        old.delete()
