"""Scores the forecasts on real sales beside a moving average and linear regression: `evaluate_forecasts.py FOLDER
[--json]`.

The folder holds the files its README names (a wholesaler's daily demand, a supermarket's food items); nothing is copied
from it.
"""

import argparse
import csv
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insights.forecasting import (
    Forecast,
    Panel,
    forecast,
    learn_pool,
    make_panel,
    predict_depletion,
    run_backtest,
)
from insights.forecasting.backtest import CONTENDERS
from insights.forecasting.policy import compare_policies, windows
from insights.forecasting.rivals import linear_regression, moving_average

Floats = NDArray[np.float64]
STOCKOUT_DAYS, DAYS_SINCE_STOCKOUT = 10, 4
YOUNG_DAYS = 14
COVER_DAYS, WATCHED_DAYS = (7, 14, 21), 28
RIVALS = {"moving_average": moving_average, "linear_regression": linear_regression}
MANY_SKUS, MANY_DAYS = 100_000, 365


@dataclass(frozen=True)
class Slice:
    """A data set: its panel, and what it is called."""

    name: str
    panel: Panel


def rows_of(path: Path) -> Iterator[list[str]]:
    """The rows of a packed CSV file, without its heading."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        yield from reader


def read_food(folder: Path) -> Slice:
    """Food items of one store (M5), a column a day."""
    units = np.array([row[1:] for row in rows_of(folder / "m5_foods3_tx3_dev.csv.gz")], np.float32)
    return Slice("m5", make_panel(units, first_day=date(2011, 1, 29)))


def read_wholesale(folder: Path) -> Slice:
    """A gift wholesaler's daily demand (Online Retail); a day on which nothing was sold at all was a closed one."""
    first, last = date(2010, 12, 1), date(2011, 9, 30)
    places: dict[str, int] = {}
    cells = []
    for sku, day, count in rows_of(folder / "online_retail_daily_demand_dev.csv.gz"):
        cells.append((places.setdefault(sku, len(places)), (date.fromisoformat(day) - first).days, int(count)))
    units = np.zeros((len(places), (last - first).days + 1), np.float32)
    for row, column, sold in cells:
        units[row, column] = sold
    return Slice("or", make_panel(units, first_day=first, is_open=units.sum(axis=0) > 0))


def after_a_stockout(panel: Panel) -> dict[str, float]:
    """Share of seven-day sums at or under p95 after ten days without stock that ended four days ago."""
    covered: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for known, truth in windows(panel):
        gap = slice(known.days - STOCKOUT_DAYS - DAYS_SINCE_STOCKOUT, known.days - DAYS_SINCE_STOCKOUT)
        units, exposure = known.units.copy(), known.exposure.copy()
        units[:, gap] = 0
        exposure[:, gap] = 0
        seen = replace(known, units=units, exposure=exposure)
        sold = truth[:, :7].sum(axis=1)
        for name, contender in CONTENDERS.items():
            _, quantile = contender(seen)
            covered[name].extend(sold <= np.ceil(quantile(7, 0.95)))
    return {name: float(np.mean(found)) for name, found in covered.items()}


def with_short_history(panel: Panel) -> dict[str, dict[str, float]]:
    """WAPE and coverage of 14-day sums where fourteen days are known; every second SKU is young at a time, the others
    are its pool.
    """
    missed, average_missed, total = 0.0, 0.0, 0.0
    inside: list[float] = []
    for known, truth in windows(panel):
        for half in (0, 1):
            pool = learn_pool(known.rows(slice(1 - half, None, 2)))
            seen = known.rows(slice(half, None, 2)).last(YOUNG_DAYS)
            # A SKU without a sale in them has no history at all yet.
            has_sold = np.asarray(seen.units > 0).any(axis=1)
            sold = truth[half::2, :YOUNG_DAYS].sum(axis=1)[has_sold]
            found = forecast(seen, pool).rows(has_sold)
            missed += float(np.abs(sold - found.mean(YOUNG_DAYS)).sum())
            average_missed += float(np.abs(sold - seen.units[has_sold].sum(axis=1)).sum())
            total += float(sold.sum())
            low, high = (found.quantile(YOUNG_DAYS, q) for q in (0.1, 0.9))
            inside.extend((np.floor(low) <= sold) & (sold <= np.ceil(high)))
    return {
        "wape": {"workbox": missed / total, "moving_average": average_missed / total},
        "coverage_80": {"workbox": float(np.mean(inside))},
    }


def depletion_error(panel: Panel) -> dict[str, float]:
    """Mean error in days of when stock for one, two and three weeks (by the last 90 days) ran out; both sides end at 28
    days.
    """
    missed: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    by_cover: dict[int, list[float]] = {days: [] for days in COVER_DAYS}
    inside: list[float] = []
    for known, truth in windows(panel):
        found = forecast(known)
        demand = {name: np.cumsum(rival(known).expected, axis=1) for name, rival in RIVALS.items()}
        daily = np.asarray(known.units[:, -90:], float).mean(axis=1)
        for days in COVER_DAYS:
            stock = np.ceil(days * daily)
            real = first_day(np.cumsum(truth[:, :WATCHED_DAYS], axis=1), stock)
            ours = predict_depletion(found, stock)
            by_cover[days].extend(np.abs(np.minimum(ours.p50, WATCHED_DAYS) - real))
            inside.extend((ours.p10 <= real) & (real <= ours.p90))
            for name, expected in demand.items():
                missed[name].extend(np.abs(first_day(expected, stock) - real))
    missed["workbox"] = [one for ones in by_cover.values() for one in ones]
    return {
        **{name: float(np.mean(ones)) for name, ones in missed.items()},
        **{f"workbox_{days}_days_of_stock": float(np.mean(ones)) for days, ones in by_cover.items()},
        "coverage_80": float(np.mean(inside)),
    }


def first_day(demand: Floats, stock: Floats) -> NDArray[np.int64]:
    """The first day (1 …) on which demand so far reaches the stock; the last watched day where it does not."""
    reached = demand >= stock[:, None] - 1e-9
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, demand.shape[1])


def of_many(panel: Panel) -> dict[str, float]:
    """Seconds and peak megabytes for 100,000 SKUs × 365 days (these SKUs, over and over), quantiles and depletion
    included.
    """
    base = np.asarray(panel.units[:, -MANY_DAYS:], np.uint16)
    base = np.pad(base, ((0, 0), (MANY_DAYS - base.shape[1], 0)))
    units = np.resize(base, (MANY_SKUS, MANY_DAYS))
    many = make_panel(units, first_day=date(2024, 1, 1), is_open=base.sum(axis=0) > 0)
    started = time.process_time()
    found = forecast(many)
    stock = np.ceil(found.mean(14))
    in_parts(
        found, lambda part, at: [part.quantile(days, q) for days in (7, 14, 28) for q in (0.1, 0.5, 0.9, 0.95)], stock
    )
    in_parts(found, predict_depletion, stock)
    return {
        "cpu_seconds": time.process_time() - started,
        "peak_megabytes": peak_megabytes(),
    }


def peak_megabytes() -> float:
    """The most memory this program has held; `getrusage` would count what its parent held when it forked."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) / 1024


def in_parts(found: Forecast, work: Callable[[Forecast, Floats], object], stock: Floats) -> None:
    """A few thousand SKUs at a time, as the nightly job does it."""
    for start in range(0, len(found.rate), 4096):
        part = slice(start, start + 4096)
        work(found.rows(part), stock[part])


def measure(one: Slice) -> dict[str, object]:
    """Every figure of a data set."""
    return {
        "scores": {name: asdict(score) for name, score in run_backtest(one.panel).scores.items()},
        "coverage_p95_after_stockout": after_a_stockout(one.panel),
        "with_14_days": with_short_history(one.panel),
        "depletion_error_days": depletion_error(one.panel),
        "policy": compare_policies(one.panel),
    }


def show(found: dict[str, object], indent: str = "") -> None:
    """The figures as a table of names and numbers."""
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            show(value, indent + "  ")
        else:
            print(f"{indent}{name:32}{value:>12.4f}" if isinstance(value, float) else f"{indent}{name:32}{value!s:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--only", choices=["m5", "or", "many"], help="one part alone")
    options = parser.parse_args()
    found: dict[str, object] = {}
    if options.only in {None, "many"}:
        found["many"] = of_many(read_wholesale(options.folder).panel)
    if options.only in {None, "m5"}:
        found["m5"] = measure(read_food(options.folder))
    if options.only in {None, "or"}:
        found["or"] = measure(read_wholesale(options.folder))
    if options.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
