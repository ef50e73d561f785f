"""Predictions: a stored or fresh curve seen against the stock of this moment. Nothing is written but the curve's cache.

`predict` is for one product, `predict_many` for a page of them; both read supply afresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from insights import curve_cache, curves, facts
from insights.curves import Curves
from insights.forecasting import (
    HORIZON_DAYS,
    MODEL_FROM_DAYS,
    MOVING_AVERAGE,
    Depletion,
    Forecast,
    LeadTimes,
    predict_depletion,
    stockout_probability,
)
from insights.forecasting.lead_time import ASSUMED_DAYS
from insights.models import ForecastRun
from insights.panels import EVERYWHERE, sellable_warehouses
from insights.refit import MODEL_TYPE, MODEL_VERSION, fit_one
from insights.supply import Supply, as_lead_times, floats, read_supply
from inventory.errors import ProductUnknown, WarehouseUnknown
from inventory.models import Product, Warehouse
from workbox.core import walls
from workbox.core.errors import RuleViolation

CURVE_HOLDS_DAYS = 7  # a curve older than that is made anew when its product is asked for
BAND = (0.1, 0.5, 0.9)


class TooLittleHistory(RuleViolation):
    """The product has not been for sale for long enough to say anything of its own."""

    code = "too_little_history"


@dataclass(frozen=True, slots=True)
class Places:
    """Where demand and stock are looked at: the asker's sellable warehouses, or one of them."""

    keys: tuple[int, ...]
    warehouses: tuple[int, ...]
    warehouse_id: int | None

    @property
    def name(self) -> str:
        """The keys as text."""
        return "-".join(map(str, self.keys))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is known of some products' future; every array has a row per product, in the order of `products`."""

    products: tuple[Product, ...]
    forecast: Forecast
    supply: Supply
    depletion: Depletion
    lead: LeadTimes
    probability: Any
    run: ForecastRun | None
    today: date


def places_of(warehouse_id: int | None = None) -> Places:
    """The asker's places; raises WarehouseUnknown for one that is not theirs, or not sellable."""
    own = walls.own()
    sellable = [one for one in sellable_warehouses() if own is None or one in own]
    if warehouse_id is not None:
        if warehouse_id not in sellable:
            known = walls.within(Warehouse.objects.filter(pk=warehouse_id), "pk").exists()
            what = "fills no orders; nothing is forecast there" if known else "does not exist"
            raise WarehouseUnknown(f"Warehouse {warehouse_id} {what}.", fields={"warehouse_id": ["unknown warehouse"]})
        return Places((warehouse_id,), (warehouse_id,), warehouse_id)
    return Places((EVERYWHERE,) if own is None else tuple(sellable), tuple(sellable), None)


def stocked_product(product_id: int) -> Product:
    """The product; raises ProductUnknown, RuleViolation for a charge."""
    product = Product.objects.filter(pk=product_id).first()
    if product is None:
        raise ProductUnknown(f"There is no product {product_id}.")
    if not product.is_stocked:
        raise RuleViolation(f"{product.name} ({product.sku}) is a charge; no stock is kept of it.", code="not_stocked")
    return product


def predict(product_id: int, places: Places, *, use_cache: bool = True, allow_provisional: bool = False) -> Prediction:
    """The product's prediction as of now. Raises ProductUnknown, RuleViolation, TooLittleHistory."""
    product = stocked_product(product_id)
    found = curve_of(product_id, places, use_cache=use_cache)
    if not allow_provisional:
        check_history(product, int(found.days[0]) if found is not None else 0)
    if found is None:
        raise TooLittleHistory(_too_little(product, 0), extra=_numbers(0))
    return _seen([product], found, places)


def predict_many(
    products: Sequence[Product], found: Curves, places: Places, *, assumed_days: float = ASSUMED_DAYS
) -> Prediction:
    """The predictions of products that have a curve; `assumed_days`: the lead time where no vendor says one."""
    rows = found.rows_of()
    return _seen(products, found.forecast.rows([rows[one.pk] for one in products]), places, assumed_days=assumed_days)


def check_history(product: Product, days: int) -> None:
    """Raises TooLittleHistory, with the numbers, when the product has not been for sale for thirty days."""
    if days < MODEL_FROM_DAYS:
        raise TooLittleHistory(_too_little(product, days), extra=_numbers(days))


def _too_little(product: Product, days: int) -> str:
    return (
        f"{product.name} ({product.sku}) has {days} days of sales history; a forecast needs {MODEL_FROM_DAYS}. Ask "
        "with allow_provisional=true for an estimate from products like it."
    )


def _numbers(days: int) -> dict[str, int]:
    return {"min_required_days": MODEL_FROM_DAYS, "days_of_data": days}


def _seen(
    products: Sequence[Product], found: Forecast, places: Places, *, assumed_days: float = ASSUMED_DAYS
) -> Prediction:
    ids = [one.pk for one in products]
    today = facts.today()
    supply = read_supply(ids, places.warehouses)
    lead = as_lead_times((supply.fastest(one) for one in ids), assumed_days=assumed_days)
    available = floats(supply.available, ids)
    due = np.array(
        [
            float(supply.due(one, until=today + timedelta(days=int(days)), today=today))
            for one, days in zip(ids, lead.mean, strict=True)
        ]
    )
    moving = floats(supply.in_transit, ids)
    return Prediction(
        products=tuple(products),
        forecast=found,
        supply=supply,
        depletion=predict_depletion(found, available, supply.arrivals(ids, today=today)),
        lead=lead,
        probability=stockout_probability(found, lead, available, due + moving),
        run=curves.current_run(),
        today=today,
    )


# ---- curves ----------------------------------------------------------------------------------------------------------
def curve_of(product_id: int, places: Places, *, use_cache: bool = True) -> Forecast | None:
    """The product's curve: kept for an hour, else as the last run stored it, else fitted now from its history.

    None when nothing was ever sold in these places.
    """
    today = facts.today()
    key, kept = curve_cache.get(product_id, places.name)
    if kept is not None and use_cache and kept["start_on"] == today.isoformat():
        return curves.from_rows(kept["rows"], today)
    found = _stored(product_id, places, today) if use_cache else None
    if found is None:
        found = curves.together([one for place in places.keys if (one := fit_one(product_id, place)) is not None])
    if found is not None:
        curve_cache.put(key, places.name, {"start_on": today.isoformat(), "rows": curves.to_rows(found)})
    return found


def _stored(product_id: int, places: Places, today: date) -> Forecast | None:
    run = curves.current_run()
    if run is None or (today - run.start_on).days > CURVE_HOLDS_DAYS:
        return None
    found = curves.read(run.pk, [product_id], places.keys, start_on=today)
    return found.forecast if found.product_ids else None


# ---- in words and numbers --------------------------------------------------------------------------------------------
def day_of(found: Prediction, days: Any, row: int) -> date | None:
    """The date of a day ahead of that row; None beyond the horizon."""
    day = int(days[row])
    return None if day > HORIZON_DAYS else found.today + timedelta(days=day - 1)


def daily_rate(found: Forecast) -> Any:
    """Units a day over the four weeks ahead."""
    return found.mean(28) / 28


def used_error(found: Forecast) -> Any:
    """WAPE of 14 days of the mean in use."""
    return np.where(found.model == MOVING_AVERAGE, found.moving_average_wape, found.model_wape)


def model_of(found: Prediction) -> dict[str, str]:
    """Which model says so, in which version."""
    return {"model_version": found.run.model_version if found.run else MODEL_VERSION, "model_type": MODEL_TYPE}


def number(value: Any, places: int = 3) -> Decimal:
    """A figure of the arithmetic as an exact number; what is none (a fault) never reaches JSON."""
    one = float(value)
    if not np.isfinite(one):
        raise ArithmeticError(f"{one} is no figure to show")
    return Decimal(str(round(one, places)))
