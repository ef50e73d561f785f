"""What to order today: reorder point, order-up-to level and a quantity the vendor will sell, the cheapest per day."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from insights.forecasting import curve
from insights.forecasting.curve import HORIZON_DAYS, NO_DEMAND, Forecast
from insights.forecasting.distributions import Bools, Floats
from insights.forecasting.lead_time import LeadTimes, demand_over

SERVICE_LEVEL = 0.95
HOLDING_COST_PER_YEAR = 0.25
_DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms n SKUs are bought.

    `minimum` and `pack` (n): the fewest units and the multiple; `break_from` and `break_price` (n, k): the unit price
    from that many units on, ascending, rows filled up with infinity; without them the price does not matter.
    """

    minimum: Floats
    pack: Floats
    break_from: Floats
    break_price: Floats


def make_terms(
    skus: int,
    *,
    minimum: ArrayLike = 1.0,
    pack: ArrayLike = 1.0,
    break_from: ArrayLike | None = None,
    break_price: ArrayLike | None = None,
) -> Terms:
    """Terms of so many SKUs; one number stands for all of them."""
    nothing = np.zeros((skus, 0))
    return Terms(
        minimum=np.broadcast_to(np.asarray(minimum, float), (skus,)),
        pack=np.broadcast_to(np.asarray(pack, float), (skus,)),
        break_from=nothing if break_from is None else np.asarray(break_from, float),
        break_price=nothing if break_price is None else np.asarray(break_price, float),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """For each SKU (n): order when the position is at or below `reorder_point`, up to `order_up_to`; `quantity` is what
    to order now (0: nothing), `unit_price` what a unit then costs (0 where no price is known), `safety_stock` what the
    reorder point holds beyond mean demand.
    """

    reorder_point: Floats
    safety_stock: Floats
    order_up_to: Floats
    quantity: Floats
    unit_price: Floats


def plan(
    forecast: Forecast,
    position: ArrayLike,
    lead: LeadTimes,
    terms: Terms,
    *,
    service_level: float = SERVICE_LEVEL,
    review_days: float = 1.0,
    cycle_days: float = 7.0,
) -> Plan:
    """The plan for each SKU, given its position: on hand − reserved + on order (drafts too) + in transit.

    Reorder point = the service-level quantile of demand over lead time + review; order-up-to = that + mean demand of
    the order cycle. What has no demand is not ordered.
    """
    over = demand_over(forecast, lead, review_days=review_days)
    point = curve.quantile(
        service_level, mean=over.mean, dispersion=over.dispersion, uplift=forecast.uplift, is_whole=forecast.is_whole
    )
    point = np.where(forecast.is_whole, np.ceil(point), point)
    up_to = point + forecast.mean(cycle_days)
    up_to = np.where(forecast.is_whole, np.ceil(up_to), up_to)
    at_hand = np.asarray(position, float)
    missing = up_to - at_hand
    is_due = (at_hand <= point) & (missing > 0) & (forecast.status != NO_DEMAND) & (forecast.rate > 0)
    daily = np.maximum(forecast.rate * forecast.weekdays.mean(axis=1), 1e-9)
    quantity, price = _cheapest(np.maximum(missing, terms.minimum), daily, terms)
    return Plan(point, point - over.mean, up_to, np.where(is_due, quantity, 0.0), np.where(is_due, price, 0.0))


def _cheapest(needed: Floats, daily: Floats, terms: Terms) -> tuple[Floats, Floats]:
    """Of the needed quantity and each price break above it, the one that costs least per day: its units plus holding
    them.

    Cost per day = price × daily demand + holding share × price × quantity / 2 / 365 (quantity discounts after Hadley &
    Whitin 1963). A break worth more than ninety days of demand is never taken.
    """
    best = _round_up(needed, terms.pack)
    best_price = _price_of(best, terms)
    best_cost = _cost_per_day(best, best_price, daily)
    for start in terms.break_from.T:
        is_possible = np.isfinite(start) & (start > needed)
        candidate = _round_up(np.where(is_possible, start, needed), terms.pack)
        price = _price_of(candidate, terms)
        cost = _cost_per_day(candidate, price, daily)
        is_better: Bools = is_possible & (candidate <= HORIZON_DAYS * daily) & (cost < best_cost)
        best, best_price = np.where(is_better, candidate, best), np.where(is_better, price, best_price)
        best_cost = np.where(is_better, cost, best_cost)
    return best, best_price


def _round_up(quantity: Floats, pack: Floats) -> Floats:
    """Whole packs; a rounding error of the division does not add one."""
    return np.asarray(np.ceil(quantity / pack - 1e-9) * pack)


def _price_of(quantity: Floats, terms: Terms) -> Floats:
    if not terms.break_from.shape[1]:
        return np.zeros(quantity.shape)
    reached = (terms.break_from <= quantity[:, None] + 1e-9).sum(axis=1) - 1
    return np.asarray(terms.break_price[np.arange(len(quantity)), np.maximum(reached, 0)])


def _cost_per_day(quantity: Floats, price: Floats, daily: Floats) -> Floats:
    return np.asarray(price * daily + HOLDING_COST_PER_YEAR * price * quantity / 2 / _DAYS_PER_YEAR)
