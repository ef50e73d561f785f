"""Service: how true past forecasts were. Each kept run is compared with what was sold once its fortnight is over."""

from datetime import date, timedelta
from typing import Any

import numpy as np

from insights import curves
from insights.models import ForecastRun
from insights.panels import EVERYWHERE, calendar_of, read_panel
from workbox.core.db import in_parts

WINDOW_DAYS, TAIL_DAYS = 14, 7
IN_STOCK_SHARE = 0.8
PRODUCTS_PER_PANEL = 1000


def score_kept_runs(last_day: date) -> int:
    """Runs whose fourteen days are over and that have no outcome yet have one; returns how many."""
    over = ForecastRun.objects.filter(
        finished_at__isnull=False, outcome={}, start_on__lte=last_day - timedelta(days=WINDOW_DAYS - 1)
    )
    scored = 0
    for run in over.order_by("id"):
        run.outcome = outcome_of(run)
        run.save(update_fields=["outcome"])
        scored += 1
    return scored


def outcome_of(run: ForecastRun) -> dict[str, Any]:
    """WAPE, bias and coverage of the run's products over its fourteen days.

    A product that was out of stock on more than a fifth of the open days proves nothing and is left out.
    """
    last = run.start_on + timedelta(days=WINDOW_DAYS - 1)
    calendar = calendar_of(EVERYWHERE, last_day=last)
    sums = dict.fromkeys(("windows", "sold", "forecast", "missed", "covered", "under_tail"), 0.0)
    if calendar is not None:
        found = curves.read(run.pk, None, [EVERYWHERE], start_on=run.start_on)
        for start, ids in zip(
            range(0, len(found.product_ids), PRODUCTS_PER_PANEL), in_parts(found.product_ids, PRODUCTS_PER_PANEL),
            strict=True,
        ):  # fmt: skip
            panel = read_panel(ids, calendar)
            part = found.forecast.rows(slice(start, start + len(ids)))
            ahead = slice(max(panel.days - WINDOW_DAYS, 0), panel.days)
            there = np.asarray(panel.exposure[:, ahead], float).sum(axis=1)
            used = np.flatnonzero((there >= IN_STOCK_SHARE * panel.is_open[ahead].sum()) & (part.rate > 0))
            _add(sums, part.rows(used), np.asarray(panel.units[used, ahead], float))
    sold, windows = max(sums["sold"], 1e-9), max(sums["windows"], 1.0)
    return {
        "windows": int(sums["windows"]),
        "units_sold": sums["sold"],
        "units_forecast": sums["forecast"],
        "wape": sums["missed"] / sold if sums["sold"] else None,
        "bias": sums["forecast"] / sold - 1 if sums["sold"] else None,
        "coverage_80": sums["covered"] / windows if sums["windows"] else None,
        "coverage_p95": sums["under_tail"] / windows if sums["windows"] else None,
    }


def _add(sums: dict[str, float], found: Any, truth: Any) -> None:
    if not len(truth):
        return
    sold, expected = truth.sum(axis=1), found.mean(WINDOW_DAYS)
    low, high = found.quantile(WINDOW_DAYS, 0.1), found.quantile(WINDOW_DAYS, 0.9)
    sums["windows"] += len(truth)
    sums["sold"] += float(sold.sum())
    sums["forecast"] += float(expected.sum())
    sums["missed"] += float(np.abs(sold - expected).sum())
    sums["covered"] += int(((sold >= np.floor(low)) & (sold <= np.ceil(high))).sum())
    sums["under_tail"] += int((truth[:, :TAIL_DAYS].sum(axis=1) <= np.ceil(found.quantile(TAIL_DAYS, 0.95))).sum())
