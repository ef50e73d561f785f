"""What pages and the API show of forecasts: a product's prediction with its band, pages of them, how good."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum, When

from insights import curves, facts
from insights.facts import ZERO
from insights.forecasting import HORIZON_DAYS, MODEL_FROM_DAYS, MOVING_AVERAGE, NO_DEMAND, PEER_ESTIMATE, PROVISIONAL
from insights.forecasting import curve as arithmetic
from insights.models import DailyDemand, ForecastCurve, ForecastRun
from insights.panels import EVERYWHERE, calendar_over, read_panel
from insights.predictions import (
    BAND,
    Places,
    Prediction,
    curve_of,
    daily_rate,
    day_of,
    model_of,
    number,
    predict_many,
    stocked_product,
    used_error,
)
from inventory.models import Product, StockLevel, StockMovement
from workbox.core.numbers import as_quantity, plain

FORECAST_DAYS, FORECAST_DAYS_MIN, FORECAST_DAYS_MAX = 90, 7, 365
ERRORS_MAX = 100
DAILY_DAYS = 14


# ---- one prediction as a body ----------------------------------------------------------------------------------------
def prediction_rows(found: Prediction, *, places: Places, days: int) -> list[dict[str, Any]]:
    """Each product's prediction under its public names, with a line per day for so many days."""
    rates, errors, confidence = daily_rate(found.forecast), used_error(found.forecast), found.forecast.confidence_score
    lines = forecast_lines(found, days=days)
    rows = []
    for row, product in enumerate(found.products):
        dates = {name: day_of(found, getattr(found.depletion, name), row) for name in ("p10", "p50", "p90", "expected")}
        supply = found.supply
        rows.append(
            {
                "product_id": product.pk,
                "sku": product.sku,
                "name": product.name,
                "warehouse_id": places.warehouse_id,
                "current_stock": supply.available.get(product.pk, ZERO),
                "predicted_depletion_date": dates["p50"],
                "beyond_horizon": dates["p50"] is None,
                "depletion": dates,
                "confidence_score": number(confidence[row]),
                "daily_consumption_rate": number(rates[row]),
                "forecast": lines[row],
                **model_of(found),
                "model": str(found.forecast.model[row]),
                "status": str(found.forecast.status[row]),
                "days_of_data": int(found.forecast.days[row]),
                "backtest": {
                    "days": 14,
                    "wape": number(found.forecast.model_wape[row]),
                    "moving_average_wape": number(found.forecast.moving_average_wape[row]),
                    "wape_in_use": number(errors[row]),
                },
                "stockout_probability": number(found.probability[row], 4),
                "lead_time_days": number(found.lead.mean[row], 2),
                "lead_time_source": str(found.lead.source[row]),
                "returned_per_day": number(found.forecast.returns[row], 4),
                "inbound": _inbound(found, product.pk),
                "inbound_without_a_day": supply.without_a_day(product.pk, today=found.today),
                "fitted_for": found.run.start_on if found.run else found.today,
                "why": why(found, row),
            }
        )
    return rows


def _inbound(found: Prediction, product_id: int) -> list[dict[str, Any]]:
    return [
        {"date": one.expected_on, "quantity": one.quantity, "purchase_order_id": one.purchase_order_id}
        for one in found.supply.coming.get(product_id, ())
        if one.expected_on is not None and one.expected_on >= found.today
    ]


def forecast_lines(found: Prediction, *, days: int) -> list[list[dict[str, Any]]]:
    """Per product a line per day: units expected with their band, and the stock that is then left with its band."""
    count = len(found.products)
    every = found.forecast.rows(np.repeat(np.arange(count), days))
    daily = found.forecast.daily(days)
    sums = _sums(found, days)
    of_day = {
        q: arithmetic.quantile(
            q, mean=daily.ravel(), dispersion=every.spread(1.0), uplift=every.uplift, is_whole=every.is_whole
        ).reshape(count, days)
        for q in (BAND[0], BAND[-1])
    }
    supply = _supply_by_day(found, days)
    left = {q: np.maximum(supply - sums[q], 0.0) for q in BAND}
    return [
        [
            {
                "date": found.today + timedelta(days=day),
                "units": number(daily[row, day]),
                "units_p10": number(of_day[BAND[0]][row, day]),
                "units_p90": number(of_day[BAND[-1]][row, day]),
                "cumulative_p10": number(sums[0.1][row, day]),
                "cumulative_p50": number(sums[0.5][row, day]),
                "cumulative_p90": number(sums[0.9][row, day]),
                "stock": number(left[0.5][row, day]),
                "stock_p10": number(left[0.9][row, day]),
                "stock_p90": number(left[0.1][row, day]),
            }
            for day in range(days)
        ]
        for row in range(count)
    ]


def _sums(found: Prediction, days: int) -> dict[float, Any]:
    """Quantiles of the demand up to each day (products, days): a fortnight day by day, then a day a week and between
    them a straight line, which is a fifth of the work.
    """
    count = len(found.products)
    looked_at = np.unique(np.r_[1 : min(days, DAILY_DAYS) + 1, min(days, DAILY_DAYS) : days : 7, days])
    some = found.forecast.rows(np.repeat(np.arange(count), len(looked_at)))
    sums = {}
    for q in BAND:
        exact = some.quantile(np.tile(looked_at, count), q).reshape(count, len(looked_at))
        between = np.array([np.interp(np.arange(1, days + 1), looked_at, one) for one in exact])
        sums[q] = np.where(found.forecast.is_whole[:, None], np.round(between), between)
    return sums


def _supply_by_day(found: Prediction, days: int) -> Any:
    ids = [one.pk for one in found.products]
    supply = np.zeros((len(ids), days))
    for row, product_id in enumerate(ids):
        supply[row] = float(found.supply.available.get(product_id, ZERO))
    for one in found.supply.arrivals(ids, today=found.today):
        supply[one.row, max(one.day - 1, 0) :] += one.units
    return supply


def why(found: Prediction, row: int) -> str:
    """One sentence that says what the prediction rests on."""
    product = found.products[row]
    status = str(found.forecast.status[row])
    available = plain(found.supply.available.get(product.pk, ZERO))
    if status == NO_DEMAND or found.forecast.rate[row] <= 0:
        return f"Nothing of it was sold lately while it was in stock, so the {available} available are not used up."
    rate, days = plain(number(daily_rate(found.forecast)[row], 2)), int(found.forecast.days[row])
    if status == PEER_ESTIMATE:
        basis = f"it has {days} days of history, so the {rate} a day are mostly what products of this shop usually sell"
    elif status == PROVISIONAL:
        basis = f"{days} days of history are few, so the {rate} a day lean on how products of this shop went on"
    else:
        uses_average = str(found.forecast.model[row]) == MOVING_AVERAGE
        ours, average = (
            f"{float(one[row]) * 100:.0f} %" for one in (found.forecast.model_wape, found.forecast.moving_average_wape)
        )
        name = "a moving average" if uses_average else "the model"
        basis = (
            f"{rate} are sold a day by {name} over {days} days (past fortnights: the model {ours} off, a 28-day "
            f"average {average})"
        )
    coming = sum((one["quantity"] for one in _inbound(found, product.pk)), ZERO)
    stock = f"{available} available" + (f" and {plain(coming)} due" if coming else "")
    early, middle, late = (day_of(found, getattr(found.depletion, name), row) for name in ("p10", "p50", "p90"))
    if int(found.depletion.p50[row]) == 0:
        return f"None is left: {basis}."
    if middle is None:
        soon = f", with a chance of one in ten on {early} already" if early else ""
        return f"With {stock} it lasts longer than {HORIZON_DAYS} days{soon}: {basis}."
    until = f"{late}" if late else f"more than {HORIZON_DAYS} days from now"
    return f"With {stock} it is used up on {middle}, between {early} and {until} with 80 %: {basis}."


# ---- pages of predictions --------------------------------------------------------------------------------------------
def find_curves(
    run: ForecastRun, places: Places, *, product_ids: Sequence[int] | None = None, min_confidence: float = 0.0
) -> QuerySet[Product]:
    """Products of which the run has a forecast from thirty days of history on that is at least so sure, by id.

    What is judged is the curve that is shown (`curves.read`): of all places together where there is one.
    """
    rows = ForecastCurve.objects.filter(run=run, days__gte=MODEL_FROM_DAYS)
    if places.keys != (EVERYWHERE,):
        rows = rows.filter(place_key__in=places.keys)
    if min_confidence > 0 and len(places.keys) == 1:
        error = Case(When(model=MOVING_AVERAGE, then=F("moving_average_wape")), default=F("model_wape"))
        rows = rows.annotate(error=error).filter(error__lte=1 - min_confidence)
        if places.keys == (EVERYWHERE,):
            whole = ForecastCurve.objects.filter(run=run, product=OuterRef("product"), place_key=EVERYWHERE)
            rows = rows.filter(Q(place_key=EVERYWHERE) | ~Exists(whole))
    elif min_confidence > 0:
        summed = curves.read(run.pk, product_ids, places.keys, start_on=facts.today())
        is_sure = used_error(summed.forecast) <= 1 - min_confidence
        rows = rows.filter(product_id__in=[one for one, sure in zip(summed.product_ids, is_sure, strict=True) if sure])
    found = Product.objects.filter(is_active=True, is_stocked=True, id__in=rows.values("product_id"))
    if product_ids is not None:
        found = found.filter(id__in=product_ids)
    return found.order_by("id")


def batch_rows(ids: Sequence[int], run: ForecastRun, places: Places, *, days: int) -> list[dict[str, Any]]:
    """The predictions of a page of products, from the run's curves and the stock of now."""
    found = curves.read(run.pk, ids, places.keys, start_on=facts.today())
    products = Product.objects.in_bulk(ids)
    known = [products[one] for one in ids if one in products and one in found.product_ids]
    return prediction_rows(predict_many(known, found, places), places=places, days=days) if known else []


def without_forecast(run: ForecastRun | None, places: Places, product_ids: Sequence[int] | None) -> QuerySet[Product]:
    """Stocked products with too little history for a forecast, by id."""
    found = Product.objects.filter(is_active=True, is_stocked=True).order_by("id")
    if product_ids is not None:
        found = found.filter(id__in=product_ids)
    return found if run is None else found.exclude(id__in=find_curves(run, places).values("id"))


def error_rows(products: Sequence[Product], run: ForecastRun | None) -> list[dict[str, Any]]:
    """Why these products have no forecast."""
    rows = ForecastCurve.objects.filter(run=run, product__in=products).order_by() if run is not None else None
    days = dict(rows.values_list("product_id").annotate(days=Max("days"))) if rows is not None else {}
    return [
        {
            "product_id": one.pk,
            "sku": one.sku,
            "error": f"{days.get(one.pk, 0)} days of sales history; a forecast needs {MODEL_FROM_DAYS}.",
            "code": "too_little_history",
            "days_of_data": days.get(one.pk, 0),
            "min_required_days": MODEL_FROM_DAYS,
        }
        for one in products
    ]


# ---- what there is to learn from -------------------------------------------------------------------------------------
def data_summary(product_id: int, places: Places) -> dict[str, Any]:
    """How much history the product has in these places, and its stock. Raises ProductUnknown, RuleViolation."""
    product = stocked_product(product_id)
    curve = curve_of(product_id, places)
    days = int(curve.days[0]) if curve is not None else 0
    rows = DailyDemand.objects.filter(product=product, warehouse_id__in=places.warehouses)
    found = rows.aggregate(
        first=Min("day", filter=Q(units__gt=0)),
        last=Max("day", filter=Q(units__gt=0)),
        asked=Sum("units"),
        most=Max("units"),
        placed=Sum("orders"),
        returned=Sum("returned_units"),
        sale_days=Count("day", distinct=True, filter=Q(units__gt=0)),
    )
    moved = StockMovement.objects.filter(product=product, warehouse_id__in=places.warehouses)
    levels = StockLevel.objects.filter(product=product, warehouse_id__in=places.warehouses)
    stock = levels.aggregate(on_hand=Sum("on_hand"), reserved=Sum("reserved"))
    balances = moved.aggregate(count=Count("id"), lowest=Min("balance_after"), highest=Max("balance_after"))
    units = as_quantity(found["asked"])
    return {
        "product_id": product.pk,
        "has_sufficient_data": days >= MODEL_FROM_DAYS,
        "days_of_data": days,
        "min_required_days": MODEL_FROM_DAYS,
        "total_transactions": balances["count"],
        "total_orders": found["placed"] or 0,
        "date_range": {"start_date": found["first"], "end_date": found["last"]},
        "stock_statistics": {
            "current_stock": as_quantity(stock["on_hand"]) - as_quantity(stock["reserved"]),
            "on_hand": as_quantity(stock["on_hand"]),
            "reserved": as_quantity(stock["reserved"]),
            "lowest_balance": as_quantity(balances["lowest"]),
            "highest_balance": as_quantity(balances["highest"]),
            "days_without_stock": _days_without_stock(product_id, places),
        },
        "demand_statistics": {
            "units": units,
            "days_with_sales": found["sale_days"],
            "largest_day": as_quantity(found["most"]),
            "mean_units_per_sale_day": _share(units, found["sale_days"]),
            "returned_units": as_quantity(found["returned"]),
        },
    }


def _days_without_stock(product_id: int, places: Places) -> int:
    """Open days of the last two years on which nothing of it could be bought in any of these places.

    The history has a row only where something happened; in between a shelf stays as it was.
    """
    calendar = calendar_over(places.warehouses, last_day=facts.today() - timedelta(days=1))
    if calendar is None:
        return 0
    panel = read_panel([product_id], calendar)
    return int(((panel.exposure[0] == 0) & panel.is_open).sum())


def _share(units: Decimal, days: int) -> Decimal:
    return (units / days).quantize(Decimal("0.001")) if days else ZERO


def demand_history(product_id: int, places: Places, *, days: int = 90) -> list[dict[str, Any]]:
    """The last days' demand in these places for charts, a row per day, today left out: units and returns."""
    today = facts.today()
    first = today - timedelta(days=days)
    found: dict[date, dict[str, Any]] = {}
    rows = DailyDemand.objects.filter(
        product_id=product_id, warehouse_id__in=places.warehouses, day__gte=first, day__lt=today
    ).order_by("day")
    for day, units, returned in rows.values_list("day").annotate(u=Sum("units"), r=Sum("returned_units")):
        found[day] = {"units": units, "returned_units": returned}
    empty = {"units": ZERO, "returned_units": ZERO}
    return [{"date": day, **found.get(day, empty)} for number_ in range(days) if (day := first + timedelta(number_))]


# ---- how good they are -----------------------------------------------------------------------------------------------
def quality() -> dict[str, Any]:
    """What past forecasts were worth once their fortnight was over, all together and run by run, and the last backtest.

    Of the whole shop: a run's outcome is not kept per warehouse.
    """
    runs = [one for one in ForecastRun.objects.filter(finished_at__isnull=False).order_by("-id")[:60] if one.outcome]
    scored = [one for one in runs if one.outcome.get("windows")]
    trained = ForecastRun.objects.filter(kind=ForecastRun.Kind.TRAINING, finished_at__isnull=False).order_by("-id")
    last = trained.first()
    return {
        "days": 14,
        "live": _live([one.outcome for one in scored]),
        "runs": [
            {"run_id": one.pk, "start_on": one.start_on, "kind": one.kind, "model_version": one.model_version}
            | {name: one.outcome[name] for name in ("windows", "wape", "bias", "coverage_80", "coverage_p95")}
            for one in scored
        ],
        "backtest": (last.backtest or {}).get("scores") or {} if last else {},
        "calibration": (last.backtest or {}).get("calibration") if last else None,
        "trained_at": last.finished_at if last else None,
        "current_run": _run_body(curves.current_run()),
    }


def _live(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    windows = sum(one["windows"] for one in outcomes)
    sold = sum(one["units_sold"] for one in outcomes)

    def mean(name: str) -> float | None:
        return sum(one[name] * one["windows"] for one in outcomes) / windows if windows else None

    missed = sum((one["wape"] or 0) * one["units_sold"] for one in outcomes)
    return {
        "forecasts": len(outcomes),
        "windows": windows,
        "wape": missed / sold if sold else None,
        "bias": sum(one["units_forecast"] for one in outcomes) / sold - 1 if sold else None,
        "coverage_80": mean("coverage_80"),
        "coverage_p95": mean("coverage_p95"),
    }


def _run_body(run: ForecastRun | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "run_id": run.pk,
        "kind": run.kind,
        "start_on": run.start_on,
        "model_version": run.model_version,
        "curves": run.curves_count,
        "finished_at": run.finished_at,
    }
