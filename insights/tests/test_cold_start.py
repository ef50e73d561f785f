"""What the pool's own fortnights teach about a SKU that is known for one: only where there is something to learn."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from insights import curves
from insights.forecasting import forecast, learn_pool, make_panel
from insights.forecasting.cold_start import traits
from insights.forecasting.panel import Panel, read_history

pytestmark = pytest.mark.once

MONDAY = date(2026, 1, 5)
GIANT = 60.0


def bulk_panel(skus: int = 120, days: int = 252, *, seed: int = 1) -> Panel:
    """A wholesaler: two units a day, and on one day in twelve a giant order that says nothing about the next days."""
    chance = np.random.default_rng(seed)
    units = chance.poisson(2, (skus, days)) + GIANT * (chance.random((skus, days)) < 1 / 12)
    return make_panel(units.astype(float), first_day=MONDAY)


def young(*last: float, days: int = 14) -> Panel:
    """One SKU of whose days the last sold these, and the others two units each."""
    units = np.full((1, days), 2.0)
    units[0, days - len(last) :] = last
    return make_panel(units, first_day=MONDAY)


def factor(panel: Panel, pool: Any) -> float:
    """What the first fortnight changed about the rate."""
    return float(forecast(panel, pool).rate[0] / forecast(panel, replace(pool, cold_start=None)).rate[0])


def test_two_giant_orders_in_a_fortnight_are_not_taken_for_a_level() -> None:
    pool = learn_pool(bulk_panel())
    assert pool.cold_start is not None
    twice = factor(young(GIANT, 2, 2, GIANT), pool)
    assert twice < 0.9
    assert factor(young(GIANT), pool) > twice


def test_what_was_learned_is_nearer_on_skus_that_taught_nothing() -> None:
    pool = learn_pool(bulk_panel())
    others = bulk_panel(400, seed=2)
    seen, sold = others.until(238).last(14), others.units[:, 238:].sum(axis=1)
    plain = forecast(seen, replace(pool, cold_start=None))
    missed, plainly_missed = (np.abs(sold - one.mean(14)).sum() for one in (forecast(seen, pool), plain))
    assert missed < 0.97 * plainly_missed


def test_the_level_moves_and_what_is_possible_stays() -> None:
    pool, panel = learn_pool(bulk_panel()), young(GIANT, 2, 2, GIANT)
    now, plain = forecast(panel, pool), forecast(panel, replace(pool, cold_start=None))
    assert now.mean(14) * now.spread(14) == pytest.approx(plain.mean(14) * plain.spread(14))
    assert now.mean(14) * now.uplift == pytest.approx(plain.mean(14) * plain.uplift)


@pytest.mark.parametrize(("days", "share"), [(7, 0.5), (14, 1), (22, 0.5), (30, 0), (60, 0)])
def test_it_counts_most_at_a_fortnight_and_wears_off_until_the_model_knows_enough(days: int, share: float) -> None:
    pool = learn_pool(bulk_panel())
    panel = young(GIANT, 2, GIANT, days=days)
    assert pool.cold_start is not None
    rate = forecast(panel, replace(pool, cold_start=None)).rate
    history = read_history(panel)
    whole = pool.cold_start.factor(replace(history, days=np.array([14.0])), rate) - 1
    assert abs(whole[0]) > 0.02
    assert pool.cold_start.factor(history, rate) - 1 == pytest.approx(share * whole)


def test_nothing_is_changed_where_nothing_was_sold_lately() -> None:
    pool = learn_pool(bulk_panel())
    units = np.zeros((1, 20))
    units[0, 0] = GIANT
    assert factor(make_panel(units, first_day=MONDAY), pool) == 1


def test_a_week_without_stock_is_no_week_without_sales() -> None:
    units, exposure = np.full((2, 14), 3.0), np.ones((2, 14))
    units[:, 7:] = 0
    exposure[0, 7:] = 0
    panel = make_panel(units, first_day=MONDAY, exposure=exposure, known_from=np.zeros(2))
    found = traits(read_history(panel), np.full(2, 3.0))
    assert found[0] == pytest.approx([np.log(3), 1, 1, np.log(2)])
    assert found[1] == pytest.approx([np.log(3), 0.5, 0, np.log(2) / 2])


def test_what_holds_in_all_but_one_quarter_is_not_relied_on() -> None:
    panel = bulk_panel()
    assert learn_pool(panel).cold_start is not None
    units = panel.units.copy()
    units[:, -56:] = np.tile(units[:, -70:-56], 4)  # of late every fortnight is as the one before, giant orders and all
    assert learn_pool(make_panel(units, first_day=MONDAY)).cold_start is None


@pytest.mark.parametrize("kind", ["steady", "five weeks", "empty", "one day"])
def test_where_nothing_can_be_learned_the_level_stays(kind: str) -> None:
    chance = np.random.default_rng(3)
    units = {
        "steady": np.full((80, 252), 4.0),
        "five weeks": chance.poisson(2, (80, 35)) * 9.0,
        "empty": np.zeros((5, 252)),
        "one day": np.ones((5, 1)),
    }[kind]
    assert learn_pool(make_panel(units, first_day=MONDAY)).cold_start is None


def test_a_pool_is_the_same_after_its_journey_through_json() -> None:
    pool = learn_pool(bulk_panel())
    back = curves.pool_from(curves.pool_body(pool))
    panel = young(GIANT, 2, 2, GIANT)
    assert factor(panel, back) == factor(panel, pool) < 0.9
    older = {name: value for name, value in curves.pool_body(pool).items() if name != "cold_start"}
    assert curves.pool_from(older).cold_start is None
