"""What the planning jobs do, and who starts them: people over REST, the clock through Celery."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from insights import demand, refit, replenishment
from insights.models import ForecastRun, PlanningSettings
from workbox.core.db import transactional
from workbox.jobs import services
from workbox.jobs.models import Job, JobState
from workbox.jobs.services import Outcome, Progress

DEMAND, REFIT, TRAINING, SUGGESTIONS = "demand_update", "forecast_refit", "forecast_training", "suggestions_refresh"
# Both fit all products and bring the new curves into force: one at a time.
FITS = {REFIT: "refit", TRAINING: "training"}
BULK_ROWS = 2000  # so many event rows in five minutes are bulk work


@transactional
def start(kind: str, *, user_id: int | None = None) -> tuple[Job, bool]:
    """The shop's job of this kind that waits or runs, whoever asked for it, or a new one; True when it is new.

    Twice the same fit at once would be twice the work for the same answer; a refit and a training count as one kind.
    Of two who ask in the same moment the planning row lets one look after the other has written.
    """
    PlanningSettings.objects.get_or_create(pk=PlanningSettings.ROW)
    PlanningSettings.objects.select_for_update().get(pk=PlanningSettings.ROW)
    alive = Job.objects.filter(
        kind__in=list(FITS) if kind in FITS else [kind],
        state__in=[JobState.QUEUED, JobState.RUNNING],
        created_at__gte=timezone.now() - timedelta(hours=6),
    )
    found = alive.order_by("-id").first()
    return (found, False) if found is not None else (services.start(kind, {}, user_id=user_id), True)


def last(kind: str) -> Job | None:
    """The newest job of this kind."""
    return Job.objects.filter(kind=kind).order_by("-id").first()


def run_demand(job: Job, progress: Progress) -> Outcome:
    """The job `demand_update`: the daily demand knows every fact of the log."""
    began, rows = time.monotonic(), demand.waiting()
    products = demand.catch_up(lambda done: progress(done, None, "products"))
    return Outcome({"event_rows": rows, "products": products, "seconds": round(time.monotonic() - began, 2)})


def run_refit(job: Job, progress: Progress) -> Outcome:
    """The job `forecast_refit`: every product has a new forecast."""
    return _fitted(ForecastRun.Kind.NIGHTLY, progress)


def run_training(job: Job, progress: Progress) -> Outcome:
    """The job `forecast_training`: a refit, and what the forecasts would have been worth on past days."""
    return _fitted(ForecastRun.Kind.TRAINING, progress)


def run_suggestions(job: Job, progress: Progress) -> Outcome:
    """The job `suggestions_refresh`: every suggestion is what curves, stock and orders say now."""
    began = time.monotonic()
    count = replenishment.refresh(tick=lambda done: progress(done, None, "products"))
    return Outcome({"suggestions": count, "seconds": round(time.monotonic() - began, 2)})


def _fitted(kind: str, progress: Progress) -> Outcome:
    began = time.monotonic()
    run = refit.refit(kind, tick=_tick(progress))
    result: dict[str, Any] = {
        "run_id": run.pk,
        "start_on": run.start_on,
        "model_version": run.model_version,
        "forecasts": run.curves_count,
        "seconds": round(time.monotonic() - began, 2),
    }
    if run.backtest:
        result["training_metrics"] = run.backtest
    return Outcome(result)


def _tick(progress: Progress) -> Callable[[int, int, str], None]:
    return lambda done, total, what: progress(done, max(total, done) or None, what)
