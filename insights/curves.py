"""Forecasts in and out of their table: a run's curves written and read in bulk, curves of places put together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import orjson

from insights.forecasting import NO_DEMAND, Forecast, Pool, join
from insights.forecasting.cold_start import ColdStart
from insights.forecasting.spread import HORIZONS_DAYS, PooledSpread
from insights.models import ForecastCurve, ForecastRun
from insights.panels import EVERYWHERE
from workbox.core.db import in_parts, insert_rows

ROWS_PER_STATEMENT = 250
IDS_PER_STATEMENT = 1000
COLUMNS = (
    "rate", "weekdays", "dispersion", "uplift", "returns", "days", "status", "model", "model_wape",
    "moving_average_wape", "is_whole",
)  # fmt: skip
STATUS_ORDER = ("model", "provisional", "peer_estimate", "no_demand")


@dataclass(frozen=True, slots=True)
class Curves:
    """Forecasts of some products, in the order of the ids."""

    product_ids: tuple[int, ...]
    forecast: Forecast

    def rows_of(self) -> dict[int, int]:
        """Product id → its row."""
        return {product_id: row for row, product_id in enumerate(self.product_ids)}


def current_run() -> ForecastRun | None:
    """The run in force."""
    return ForecastRun.objects.filter(finished_at__isnull=False).order_by("-id").first()


# ---- writing ---------------------------------------------------------------------------------------------------------
def write(run_id: int, product_ids: Sequence[int], place_key: int, found: Forecast) -> None:
    """These curves are part of the run. Expects a transaction."""
    rows = [
        (run_id, product_id, place_key or None, place_key, found.start_on.isoformat(), *_cells(found, row))
        for row, product_id in enumerate(product_ids)
    ]
    columns = ("run_id", "product_id", "warehouse_id", "place_key", "start_on", *COLUMNS)
    for part in in_parts(rows, ROWS_PER_STATEMENT):
        insert_rows(ForecastCurve._meta.db_table, columns, part)


def _cells(found: Forecast, row: int) -> tuple[Any, ...]:
    return (
        float(found.rate[row]), _json(found.weekdays[row]), _json(found.dispersion[row]), float(found.uplift[row]),
        float(found.returns[row]), int(found.days[row]), str(found.status[row]), str(found.model[row]),
        _bounded(found.model_wape[row]), _bounded(found.moving_average_wape[row]), bool(found.is_whole[row]),
    )  # fmt: skip


def _json(values: Any) -> str:
    return orjson.dumps([float(one) for one in values]).decode()


def _bounded(value: Any) -> float:
    """An error beyond a thousandfold says no more than that."""
    return float(min(float(value), 1000.0))


# ---- reading ---------------------------------------------------------------------------------------------------------
def read(run_id: int, product_ids: Sequence[int] | None, place_keys: Sequence[int], *, start_on: date) -> Curves:
    """The curves of these products (None: all) in one place, or in several places together, as of `start_on`.

    Of products that sold in several warehouses a run has a curve for all of them together; the only curve of the others
    is that. A curve made some days ago holds on: only its first day moves.
    """
    found = ForecastCurve.objects.filter(run_id=run_id).order_by("product_id", "place_key")
    if EVERYWHERE not in place_keys:
        found = found.filter(place_key__in=place_keys)
    rows: list[tuple[Any, ...]] = []
    for part in [None] if product_ids is None else in_parts(list(product_ids), IDS_PER_STATEMENT):
        wanted = found if part is None else found.filter(product_id__in=part)
        rows += wanted.values_list("product_id", "place_key", *COLUMNS)
    groups: dict[int, list[tuple[Any, ...]]] = {}
    whole = {row[0] for row in rows if row[1] == EVERYWHERE}
    for row in rows:
        if row[0] not in whole or row[1] == EVERYWHERE:
            groups.setdefault(row[0], []).append(row[2:])
    ids = tuple(groups)
    if all(len(one) == 1 for one in groups.values()):
        return Curves(ids, from_rows([groups[one][0] for one in ids], start_on))
    return Curves(ids, join([_summed(from_rows(groups[one], start_on)) for one in ids]))


def from_rows(rows: Sequence[Sequence[Any]], start_on: date) -> Forecast:
    """The forecast of rows as COLUMNS has them."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    named = dict(zip(COLUMNS, columns, strict=True))
    count = len(rows)
    numbers = {
        name: np.array(named[name], float)
        for name in ("rate", "uplift", "returns", "days", "model_wape", "moving_average_wape")
    }
    return Forecast(
        start_on=start_on,
        weekdays=np.array(named["weekdays"], float).reshape(count, 7),
        dispersion=np.array(named["dispersion"], float).reshape(count, 3),
        status=np.array(named["status"], str),
        model=np.array(named["model"], str),
        is_whole=np.array(named["is_whole"], bool),
        **numbers,
    )


def to_rows(found: Forecast) -> list[list[Any]]:
    """The rows of a forecast as COLUMNS has them, ready for JSON."""
    rows = []
    for row in range(len(found.rate)):
        cells = list(_cells(found, row))
        cells[1], cells[2] = found.weekdays[row].tolist(), found.dispersion[row].tolist()
        rows.append(cells)
    return rows


def together(parts: Sequence[Forecast]) -> Forecast | None:
    """One curve of one product's curves in several places; None of none."""
    return _summed(join(list(parts))) if parts else None


def _summed(found: Forecast) -> Forecast:
    """One curve of several places' demand: means and variances add up (the places are taken as independent)."""
    if len(found.rate) == 1:
        return found
    daily = found.rate[:, None] * found.weekdays
    rate = float(found.rate.sum())
    weekdays = daily.sum(axis=0) / rate if rate > 0 else found.weekdays.mean(axis=0)
    means = np.stack([found.mean(days) for days in HORIZONS_DAYS], axis=1)
    weights = means.sum(axis=0)
    dispersion = np.where(
        weights > 0, (found.dispersion * means).sum(axis=0) / np.maximum(weights, 1e-12), found.dispersion.max(axis=0)
    )
    share = found.rate / rate if rate > 0 else np.full(len(found.rate), 1 / len(found.rate))
    status = min((str(one) for one in found.status), key=STATUS_ORDER.index) if rate > 0 else NO_DEMAND
    return Forecast(
        start_on=found.start_on,
        rate=np.array([rate]),
        weekdays=weekdays[None, :],
        dispersion=dispersion[None, :],
        uplift=np.array([float((found.uplift * share).sum())]),
        returns=np.array([float(found.returns.sum())]),
        days=np.array([float(found.days.max())]),
        status=np.array([status]),
        model=found.model[:1],
        model_wape=np.array([float((found.model_wape * share).sum())]),
        moving_average_wape=np.array([float((found.moving_average_wape * share).sum())]),
        is_whole=np.array([bool(found.is_whole.all())]),
    )


# ---- what products share ---------------------------------------------------------------------------------------------
def pool_body(pool: Pool) -> dict[str, Any]:
    """A pool as JSON."""
    return {
        "weekdays": pool.weekdays.tolist(),
        "rate": float(pool.rate),
        "losses": pool.losses.tolist(),
        "base": pool.spread.base.tolist(),
        "slope": pool.spread.slope.tolist(),
        "uplift": float(pool.spread.uplift),
        "cold_start": _as_lists(pool.cold_start),
    }


def _as_lists(found: ColdStart | None) -> dict[str, list[float]] | None:
    return None if found is None else {name: value.tolist() for name, value in asdict(found).items()}


def pool_from(body: Mapping[str, Any]) -> Pool:
    """A pool from JSON."""
    spread = PooledSpread(np.array(body["base"], float), np.array(body["slope"], float), float(body["uplift"]))
    learned = body.get("cold_start")
    return Pool(
        np.array(body["weekdays"], float),
        float(body["rate"]),
        np.array(body["losses"], float),
        spread,
        ColdStart(**{name: np.array(value, float) for name, value in learned.items()}) if learned else None,
    )
