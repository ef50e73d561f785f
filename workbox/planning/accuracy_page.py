"""How good the forecasts are, in words and figures, and the button that trains them."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST

from accounts.capabilities import FORECASTS_READ, FORECASTS_WRITE
from insights.models import ForecastRun
from insights.queries_forecasts import quality
from insights.refit import COVER_80, COVER_P95
from workbox.core.admin import NOTHING, moment_text
from workbox.core.api import json_response
from workbox.planning import work
from workbox.planning.progress import told

NAMES = {"workbox": "WorkBox", "moving_average": "28-day average"}
BIAS_SMALL = 0.05
RUNS_SHOWN = 12
WHAT = "training"
OURS = "workbox"
BASELINE = "moving_average"


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """What past forecasts were worth, the last backtest beside the baseline, and how far a training is."""
    _need(request, FORECASTS_READ)
    found = quality()
    context = {
        **admin.site.each_context(request),
        "title": "Accuracy of the forecasts",
        "live": _live(found["live"]) if found["live"]["windows"] else None,
        "wait": _wait(found["current_run"], found["days"]),
        "scores": _scores(found["backtest"]),
        "verdict": _verdict(found["backtest"]),
        "trained_at": moment_text(found["trained_at"]),
        "runs": [_run(one) for one in found["runs"][:RUNS_SHOWN]],
        "chart": _chart(found["runs"]),
        "may_train": _may(request),
        "job": told(work.last(work.TRAINING), WHAT),
        "progress_url": reverse("accuracy-progress"),
    }
    return TemplateResponse(request, "admin/accuracy.html", context)


@require_POST
def train(request: HttpRequest) -> HttpResponse:
    """A training is queued, unless one is under way."""
    _need(request, FORECASTS_WRITE)
    job, is_new = work.start(work.TRAINING, user_id=request.user.pk)
    url = reverse("admin:jobs_job_change", args=[job.pk])
    said = "The training is queued as" if is_new else f"A {work.FITS[job.kind]} is under way already:"
    messages.success(request, format_html('{} <a href="{}" class="underline">job {}</a>.', said, url, job.pk))
    return HttpResponseRedirect(reverse("accuracy"))


@require_GET
def progress(request: HttpRequest) -> HttpResponse:
    """How far the last training is, for the page that waits for it."""
    _need(request, FORECASTS_READ)
    return json_response({"job": told(work.last(work.TRAINING), WHAT)})


def _need(request: HttpRequest, capability: str) -> None:
    if not request.user.can(capability):  # type: ignore[union-attr]  # staff only: never AnonymousUser
        raise PermissionDenied


def _may(request: HttpRequest) -> bool:
    return bool(request.user.can(FORECASTS_WRITE))  # type: ignore[union-attr]  # staff only: never AnonymousUser


# ---- in words --------------------------------------------------------------------------------------------------------
def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share * 100:.0f} %"


def _signed(share: float | None) -> str:
    return NOTHING if share is None else f"{share * 100:+.0f} %".replace("-", "−")


def bias_in_words(bias: float | None) -> str:
    """Whether too much or too little was foretold."""
    if bias is None:
        return "Nothing was sold, so it cannot be said."
    if abs(bias) < BIAS_SMALL:
        return "Forecasts were neither too high nor too low."
    if bias > 0:
        return "Forecasts were too high: stock lies longer than planned."
    return "Forecasts were too low: stock runs out sooner than planned."


def coverage_in_words(share: float | None, fair: tuple[float, float]) -> str:
    """Whether a band held as often as it says."""
    if share is None:
        return "It cannot be said yet."
    if share < fair[0]:
        return "Less often than it says: the band is too narrow, so keep more safety stock."
    if share > fair[1]:
        return "More often than it says: the band is wider than it need be."
    return "As often as it says."


def _live(live: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "label": "Off by (14 days)",
            "text": _percent(live["wape"]),
            "words": "Of what was sold, so much was missed, too high and too low together.",
        },
        {"label": "Bias", "text": _signed(live["bias"]), "words": bias_in_words(live["bias"])},
        {
            "label": "Within the 80 % band",
            "text": _percent(live["coverage_80"]),
            "words": coverage_in_words(live["coverage_80"], COVER_80),
        },
        {
            "label": "Below the 95 % line",
            "text": _percent(live["coverage_p95"]),
            "words": coverage_in_words(live["coverage_p95"], COVER_P95),
        },
    ]


def _wait(run: Mapping[str, Any] | None, days: int) -> str:
    """When there will be something to say about forecasts that were really made."""
    if run is None:
        return "No forecast was made yet. Train the forecasts: once sales of a few weeks are known there are some."
    said = f"Too little is over yet. A training is kept, and compared with what was sold once its {days} days are over"
    if run["kind"] != ForecastRun.Kind.TRAINING:
        return f"{said}: the first figures stand here {days} days after the next training. One is made every Sunday."
    due: date = run["start_on"] + timedelta(days=days)
    return (
        f"{said}. The forecasts in force are a training's of {run['start_on']}: after the night of {due} at the latest"
        " the first figures stand here."
    )


def _scores(backtest: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": NAMES.get(name, name.replace("_", " ").capitalize()),
            "is_ours": name == OURS,
            "windows": one["windows"],
            "wape": _percent(one["wape"]),
            "bias": _signed(one["bias"]),
            "coverage_80": _percent(one["coverage_80"]),
            "coverage_p95": _percent(one["coverage_p95"]),
        }
        for name, one in backtest.items()
        if one["windows"]
    ]


def _verdict(backtest: Mapping[str, Mapping[str, Any]]) -> str:
    ours, baseline = backtest.get(OURS), backtest.get(BASELINE)
    if not ours or not baseline or not ours["windows"] or not baseline["windows"]:
        return ""
    better = baseline["wape"] - ours["wape"]
    told = (
        f"On past fortnights WorkBox was {_percent(ours['wape'])} off, the 28-day average {_percent(baseline['wape'])}"
    )
    if abs(better) < BIAS_SMALL / 10:
        return f"{told}: as good as each other."
    return f"{told}: {'WorkBox is closer' if better > 0 else 'the average is closer'}."


def _run(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "start_on": one["start_on"],
        "url": reverse("admin:insights_forecastrun_change", args=[one["run_id"]]),
        "kind": one["kind"],
        "windows": one["windows"],
        "wape": _percent(one["wape"]),
        "bias": _signed(one["bias"]),
        "coverage_80": _percent(one["coverage_80"]),
        "coverage_p95": _percent(one["coverage_p95"]),
    }


def _chart(runs: list[dict[str, Any]]) -> dict[str, Any]:
    oldest_first = runs[::-1]

    def percents(name: str) -> list[float | None]:
        return [None if one[name] is None else round(one[name] * 100, 1) for one in oldest_first]

    return {
        "labels": [one["start_on"].isoformat() for one in oldest_first],
        "series": [
            {"label": "Off by, %", "look": "line", "values": percents("wape")},
            {"label": "Within the 80 % band, %", "look": "second", "values": percents("coverage_80")},
        ],
        "unit": "%",
    }
