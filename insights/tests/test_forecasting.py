"""Forecasts on small made-up sales: the level, the spread, the words, when stock runs out and what to order."""

import math
import subprocess
import sys
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.forecasting import (
    BEYOND_HORIZON,
    Arrival,
    Forecast,
    LeadTimes,
    UnusablePanel,
    demand_over,
    forecast,
    join,
    learn_pool,
    make_panel,
    make_terms,
    plan,
    predict_depletion,
    run_backtest,
    stockout_probability,
)
from insights.forecasting.distributions import (
    gamma_cdf,
    gamma_quantile,
    log_gamma,
    negative_binomial_cdf,
    negative_binomial_quantile,
)
from insights.forecasting.panel import read_history
from insights.forecasting.rivals import linear_regression, moving_average

pytestmark = pytest.mark.once

MONDAY = date(2026, 1, 5)


def random_units(skus: int = 30, days: int = 140, *, mean: float = 3, seed: int = 1) -> Any:
    return np.random.default_rng(seed).poisson(mean, (skus, days)).astype(float)


def of_rate(
    *rates: float, dispersion: float = 1.5, weekdays: Any = None, status: str = "model", **values: Any
) -> Forecast:
    """A forecast made by hand: these units a day from a Monday on."""
    count = len(rates)
    parts: dict[str, Any] = {
        "start_on": MONDAY,
        "rate": np.array(rates, float),
        "weekdays": np.ones((count, 7)) if weekdays is None else np.tile(weekdays, (count, 1)),
        "dispersion": np.full((count, 3), dispersion),
        "uplift": np.ones(count),
        "returns": np.zeros(count),
        "days": np.full(count, 100.0),
        "status": np.array([status] * count),
        "model": np.array(["workbox"] * count),
        "model_wape": np.full(count, 0.25),
        "moving_average_wape": np.full(count, 0.5),
        "is_whole": np.ones(count, bool),
    }
    return Forecast(**{**parts, **values})


# ---- probabilities ---------------------------------------------------------------------------------------------------
def test_log_gamma_is_what_the_standard_library_says() -> None:
    points = [1e-6, 0.1, 0.49, 0.5, 1.0, 1.5, 2.0, 10.0, 171.0, 1e4, 1e6]
    assert log_gamma(points) == pytest.approx([math.lgamma(one) for one in points], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("mean", [0.01, 0.5, 3.0, 20.0, 60.0])
@pytest.mark.parametrize("dispersion", [1.02, 1.5, 3.0, 20.0, 300.0])
def test_the_negative_binomial_is_the_sum_of_its_masses(mean: float, dispersion: float) -> None:
    shape = mean / (dispersion - 1)
    masses = [
        math.exp(
            math.lgamma(k + shape)
            - math.lgamma(k + 1)
            - math.lgamma(shape)
            - shape * math.log(dispersion)
            + k * math.log(1 - 1 / dispersion)
        )
        for k in range(200)
    ]
    counts = np.array([0, 1, 5, 20, 50, 199])
    expected = [math.fsum(masses[: k + 1]) for k in counts]
    assert negative_binomial_cdf(counts, mean, dispersion) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [1, 2, 5, 30, 99, 100, 150, 1000])
@pytest.mark.parametrize("sds", [-2.0, 0.0, 0.5, 2.0, 4.0])
def test_the_gamma_of_a_whole_shape_is_a_sum_of_poisson_masses(shape: int, sds: float) -> None:
    x = max(shape + sds * math.sqrt(shape), 0.1)
    tail = math.fsum(math.exp(-x + k * math.log(x) - math.lgamma(k + 1)) for k in range(shape))
    assert gamma_cdf(x, shape) == pytest.approx(1 - tail, abs=1e-9)


def test_the_gamma_of_one_half_is_the_error_function() -> None:
    points = [0.01, 0.5, 1.0, 5.0]
    assert gamma_cdf(points, 0.5) == pytest.approx([math.erf(math.sqrt(one)) for one in points], abs=1e-9)


def test_gamma_quantiles_are_those_of_the_chi_square_tables() -> None:
    # Half a chi-square of k degrees of freedom is a gamma variable of shape k / 2 (Abramowitz & Stegun, table 26.8).
    assert 2 * gamma_quantile(0.95, [0.5, 5.0, 15.0]) == pytest.approx([3.841459, 18.307038, 43.772972], abs=1e-6)
    assert 2 * gamma_quantile(0.05, [5.0, 50.0]) == pytest.approx([3.940299, 77.929465], abs=1e-6)


def test_a_quantile_is_the_smallest_count_that_reaches_its_probability() -> None:
    mean, dispersion = np.meshgrid([0.05, 0.7, 4.0, 33.0, 60.0], [1.02, 1.4, 4.0, 50.0])
    for q in (0.1, 0.5, 0.9, 0.99):
        found = negative_binomial_quantile(q, mean, dispersion)
        assert (negative_binomial_cdf(found, mean, dispersion) >= q - 1e-9).all()
        assert (negative_binomial_cdf(found - 1, mean, dispersion) < q).all()


# ---- the panel -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("units", "values"),
    [
        ([1.0, 2.0], {}),
        ([[1.0, math.nan]], {}),
        ([[1.0, math.inf]], {}),
        ([[1.0, 2.0]], {"exposure": [[1.0, 1.5]]}),
        ([[1.0, 2.0]], {"exposure": [1.0]}),
        ([[1.0, 2.0]], {"is_open": [True]}),
        ([[1.0, 2.0]], {"returned": [[1.0]]}),
        ([[1.0, 2.0]], {"known_from": [0, 1]}),
    ],
)
def test_arrays_that_do_not_fit_or_are_no_numbers_are_refused(units: Any, values: Any) -> None:
    with pytest.raises(UnusablePanel):
        make_panel(units, first_day=MONDAY, **values)


def test_a_panel_without_skus_has_an_empty_forecast() -> None:
    assert forecast(make_panel(np.zeros((0, 50)), first_day=MONDAY)).rate.shape == (0,)


# ---- the level -------------------------------------------------------------------------------------------------------
def test_steady_sales_go_on() -> None:
    found = forecast(make_panel(np.full((5, 140), 4.0), first_day=MONDAY))
    assert found.mean(14) == pytest.approx([56] * 5, rel=1e-3)
    assert found.start_on == date(2026, 5, 25)
    assert found.confidence_score == pytest.approx([1] * 5, abs=0.01)


def test_days_without_stock_say_nothing_about_demand() -> None:
    units, exposure = np.full((5, 140), 4.0), np.ones((5, 140))
    units[0, 120:135] = 0
    seen_as_zero = forecast(make_panel(units, first_day=MONDAY)).mean(7)[0]
    exposure[0, 120:135] = 0
    assert forecast(make_panel(units, first_day=MONDAY, exposure=exposure)).mean(7)[0] == pytest.approx(28, rel=0.01)
    assert seen_as_zero < 24


def test_half_a_day_in_stock_counts_half() -> None:
    units, exposure = np.full((5, 140), 4.0), np.ones((5, 140))
    units[0], exposure[0] = 2, 0.5
    assert forecast(make_panel(units, first_day=MONDAY, exposure=exposure)).mean(7)[0] == pytest.approx(28, rel=0.01)


def test_what_is_ordered_while_nothing_stands_there_is_a_whole_day_of_demand() -> None:
    units, exposure = np.full((5, 140), 4.0), np.ones((5, 140))
    exposure[0, 100:] = 0
    assert forecast(make_panel(units, first_day=MONDAY, exposure=exposure)).mean(7)[0] == pytest.approx(28, rel=0.01)


def test_a_weekday_the_shop_is_closed_sells_nothing_and_the_others_keep_their_pattern() -> None:
    pattern = np.array([2, 2, 2, 2, 8, 4, 0])
    units = np.tile(pattern, (20, 20)).astype(float)
    is_open = np.tile(pattern > 0, 20)
    found = forecast(make_panel(units, first_day=MONDAY, is_open=is_open))
    assert found.daily(7)[0] == pytest.approx(pattern, abs=0.2)
    assert found.weekdays[0, 6] == 0
    later = forecast(make_panel(units[:, :-3], first_day=MONDAY, is_open=is_open[:-3]))
    assert later.daily(7)[0] == pytest.approx(np.roll(pattern, 3), abs=0.2)
    assert later.weekdays[0].argmax() == 4


def test_a_giant_order_moves_the_upper_tail_and_hardly_the_level() -> None:
    units = random_units()
    before = forecast(make_panel(units, first_day=MONDAY))
    units[0, 130] += 1000
    after = forecast(make_panel(units, first_day=MONDAY))
    assert after.mean(14)[0] < 1.2 * before.mean(14)[0]
    assert after.quantile(14, 0.95)[0] > 1.5 * before.quantile(14, 0.95)[0]


def test_a_giant_order_among_few_does_not_excuse_itself() -> None:
    units = np.zeros((1, 70))
    units[0, [5, 30, 60]] = [2, 2, 900]
    assert read_history(make_panel(units, first_day=MONDAY)).capped.max() == pytest.approx(4.5)


def test_where_the_moving_average_was_nearer_eight_times_running_its_mean_is_used() -> None:
    # Two good weeks, two bad: what sold last says the opposite of the fortnight to come.
    weeks = np.tile([9, 9, 1, 1], 8)
    units = np.concatenate([random_units(20, 224), np.repeat(weeks, 7)[None, :]])
    found = forecast(make_panel(units, first_day=MONDAY))
    assert found.model[-1] == "moving_average"
    assert found.mean(28)[-1] == pytest.approx(140, rel=0.02)
    assert found.moving_average_wape[-1] < found.model_wape[-1]
    assert found.confidence_score[-1] == pytest.approx(1 - found.moving_average_wape[-1])
    assert (found.model[:-1] == "workbox").sum() > 15


def test_one_sku_with_the_pool_is_forecast_as_among_all() -> None:
    panel = make_panel(random_units(40), first_day=MONDAY)
    pool = learn_pool(panel)
    together = forecast(panel, pool)
    for name, parts in join([forecast(panel.rows([row]), pool) for row in range(40)]).parts().items():
        np.testing.assert_array_equal(parts, together.parts()[name]) if parts.dtype.kind in "Ub" else (
            np.testing.assert_allclose(parts, together.parts()[name], rtol=1e-4)
        )


def test_a_pool_learnt_on_another_day_keeps_its_weekdays() -> None:
    panel = make_panel(np.tile([2.0, 2, 2, 2, 8, 4, 1], (20, 20)), first_day=MONDAY)
    found = forecast(panel.until(137), learn_pool(panel))
    assert found.daily(7)[0] == pytest.approx([8, 4, 1, 2, 2, 2, 2], abs=0.3)


# ---- what is honest to say -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("days", "status"),
    [(1, "peer_estimate"), (13, "peer_estimate"), (14, "provisional"), (29, "provisional"), (30, "model")],
)
def test_the_word_depends_on_the_days_of_history(days: int, status: str) -> None:
    units = random_units(20)
    units[0] = 0
    units[0, -days:] = 1
    found = forecast(make_panel(units, first_day=MONDAY))
    assert (found.status[0], found.days[0]) == (status, days)


def test_days_out_of_stock_are_no_history() -> None:
    units, exposure = random_units(20, 40) + 1, np.ones((20, 40))
    exposure[0, 10:25] = units[0, 10:25] = 0
    found = forecast(make_panel(units, first_day=MONDAY, exposure=exposure))
    assert (found.status[0], found.days[0]) == ("provisional", 25)


def test_what_did_not_sell_in_ninety_days_in_stock_has_no_demand() -> None:
    units, exposure = random_units(20), np.ones((20, 140))
    units[:2, 50:] = 0
    units[:2, 49] = 1
    exposure[1, 100:] = 0
    found = forecast(make_panel(units, first_day=MONDAY, exposure=exposure))
    assert list(found.status[:2]) == ["no_demand", "model"]
    assert found.rate[0] == 0
    assert found.quantile(28, 0.95)[0] == 0
    assert found.rate[1] > 0


def test_having_no_demand_outlasts_a_stockout() -> None:
    units, exposure = random_units(20), np.ones((20, 140))
    units[0, 10:] = 0
    exposure[0, 105:] = 0
    found = forecast(make_panel(units, first_day=MONDAY, exposure=exposure))
    assert (found.status[0], found.rate[0], found.model[0]) == ("no_demand", 0, "workbox")


def test_what_comes_back_is_not_less_demand() -> None:
    units = np.full((5, 140), 4.0)
    units[0, 137] = -50
    found = forecast(make_panel(units, first_day=MONDAY))
    assert found.mean(7)[0] > 22
    assert found.returns[0] == pytest.approx(50 / 140)


def test_a_young_sku_leans_on_the_pool_and_is_less_certain() -> None:
    units = random_units(30)
    units[0, :-3] = 0
    units[0, -3:] = 3
    found = forecast(make_panel(units, first_day=MONDAY))
    assert found.status[0] == "peer_estimate"
    assert found.confidence_score[0] < found.confidence_score[1:].mean()
    assert found.mean(14)[0] == pytest.approx(42, rel=0.1)
    assert found.dispersion[0, 1] > 1.5 * found.dispersion[1:, 1].mean()


@pytest.mark.parametrize("kind", ["nothing", "came back only", "negative only"])
def test_what_never_sold_has_no_demand_and_no_accuracy(kind: str) -> None:
    units, returned = random_units(10), np.zeros((10, 140))
    units[0] = -1 if kind == "negative only" else 0
    returned[0] = 1 if kind == "came back only" else 0
    found = forecast(make_panel(units, first_day=MONDAY, returned=returned))
    assert (found.status[0], found.rate[0], found.confidence_score[0]) == ("no_demand", 0, 0)
    assert found.returns[0] == (0 if kind == "nothing" else 1)


@settings(max_examples=40, deadline=None)
@given(
    skus=st.integers(1, 4),
    days=st.integers(0, 60),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.0, 0.001, 1.0, 1e5]),
    stocked=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_no_panel_makes_anything_but_numbers(skus: int, days: int, seed: int, scale: float, stocked: float) -> None:
    rng = np.random.default_rng(seed)
    units = rng.poisson(0.7, (skus, days)) * scale - (rng.random((skus, days)) < 0.05)
    exposure = (rng.random((skus, days)) < stocked) * 1.0
    found = forecast(make_panel(units, first_day=MONDAY, exposure=exposure))
    for name, part in found.parts().items():
        assert part.dtype.kind in "Ub" or np.isfinite(part).all(), name
    for q in (0.1, 0.5, 0.9, 0.99):
        assert np.isfinite(found.quantile(28, q)).all()
    assert (found.dispersion >= 1).all()
    assert ((found.confidence_score >= 0) & (found.confidence_score <= 1)).all()


def test_forecasting_does_without_django() -> None:
    code = "import sys, insights.forecasting; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- the curve -------------------------------------------------------------------------------------------------------
def test_the_mean_of_any_days_is_the_sum_of_the_days() -> None:
    found = of_rate(2, 5, weekdays=[1, 1, 1, 1, 2, 1, 0], start_on=date(2026, 1, 8))
    daily = found.daily(30)
    assert list(daily[0, :4]) == [2, 4, 2, 0]
    assert found.mean(0) == pytest.approx([0, 0])
    assert found.mean(30) == pytest.approx(daily.sum(axis=1))
    assert found.mean([1.5, 9]) == pytest.approx([4, 50])


def test_the_spread_is_the_measured_one_at_the_measured_days_and_grows_between() -> None:
    found = of_rate(1, dispersion=2)
    curve = found.rows(slice(None))
    curve.dispersion[:] = [[2, 3, 4]]
    assert [curve.spread(days)[0] for days in (7, 14, 28)] == pytest.approx([2, 3, 4])
    assert curve.spread(10)[0] == pytest.approx(2 * 1.5 ** math.log2(10 / 7))
    assert curve.spread(1)[0] < 2
    assert curve.spread(90)[0] > 4


def test_few_units_are_counted_and_many_are_measured() -> None:
    assert of_rate(1, dispersion=2).quantile(10, 0.9) == [16]
    # Mean 100, variance 200: gamma of shape 50 and scale 2, twice half the chi-square of 100 degrees of freedom.
    assert of_rate(10, dispersion=2).quantile(10, 0.95) == pytest.approx([124.342113], abs=1e-5)
    assert of_rate(0.5, dispersion=2, is_whole=np.array([False])).quantile(2, 0.5)[0] == pytest.approx(
        2 * 0.2274682, abs=1e-5
    )


def test_a_probability_is_the_inverse_of_the_quantile() -> None:
    found = of_rate(2, dispersion=3, uplift=np.array([1.3]))
    for q in (0.5, 0.9, 0.95, 0.99):
        units = found.quantile(14, q)
        assert found.probability_of_at_least(units + 1, 14)[0] <= 1 - q + 1e-9
        assert found.probability_of_at_least(units, 14)[0] >= 1 - q - 1e-9


# ---- lead times ------------------------------------------------------------------------------------------------------
def test_an_uncertain_lead_time_adds_to_the_variance() -> None:
    over = demand_over(of_rate(2, dispersion=1.5), LeadTimes(np.array([6.0]), np.array([3.0]), np.array(["quoted"])))
    assert over.mean == pytest.approx([12])
    assert over.dispersion * over.mean == pytest.approx([1.5 * 12 + 4 * 9])


# ---- running out -----------------------------------------------------------------------------------------------------
def test_stock_runs_out_early_at_worst_and_late_at_best() -> None:
    found = predict_depletion(of_rate(2, 2, 0.01, 0), [40, 0, 1000, 5])
    assert list(found.expected) == [20, 0, BEYOND_HORIZON, BEYOND_HORIZON]
    assert found.p10[0] < found.p50[0] < found.p90[0]
    assert found.p50[0] in {20, 21}
    assert list(found.p10[1:]) == [0, BEYOND_HORIZON, BEYOND_HORIZON]


def test_the_day_is_the_first_on_which_the_probability_is_reached() -> None:
    found = of_rate(2, dispersion=2)
    for stock in range(1, 120, 7):
        day = predict_depletion(found, [stock]).p50[0]
        chances = [found.probability_of_at_least([stock], one)[0] for one in (day - 1, day)]
        assert chances[0] < 0.5 <= chances[1]


def test_what_arrives_in_time_postpones_the_day_and_what_comes_late_does_not() -> None:
    found = of_rate(2, 2, 2, 2)
    arrivals = [Arrival(0, 20, 20), Arrival(1, 21, 20), Arrival(2, 5, 10), Arrival(2, 12, 10), Arrival(3, 200, 99)]
    assert list(predict_depletion(found, [40, 40, 40, 40], arrivals).expected) == [30, 20, 30, 20]


def test_beyond_the_horizon_there_is_no_date() -> None:
    assert predict_depletion(of_rate(1), [10_000]).p50[0] == BEYOND_HORIZON
    with pytest.raises(UnusablePanel):
        predict_depletion(of_rate(1), [math.nan])


def test_the_chance_to_run_out_before_new_stock_comes() -> None:
    found = of_rate(2, 2, 2, 2, 0)
    lead = LeadTimes(np.full(5, 7.0), np.full(5, 2.1), np.array(["quoted"] * 5))
    chances = stockout_probability(found, lead, [0, 14, 40, 0, 0], due=[0, 0, 0, 40, 0])
    assert chances[[0, 4]] == pytest.approx([1, 0])
    assert 0.4 < chances[1] < 0.6
    assert chances[2] == chances[3] < 0.02


# ---- ordering --------------------------------------------------------------------------------------------------------
def exact_lead(count: int, days: float = 6) -> LeadTimes:
    return LeadTimes(np.full(count, days), np.zeros(count), np.array(["receipts"] * count))


def test_the_reorder_point_is_the_quantile_over_lead_time_and_review() -> None:
    found = of_rate(1, dispersion=2)
    made = plan(found, [0], exact_lead(1, 9), make_terms(1), service_level=0.9, review_days=1, cycle_days=7)
    assert (made.reorder_point[0], made.safety_stock[0], made.order_up_to[0]) == (16, 6, 23)
    assert made.quantity[0] == 23


def test_a_position_above_the_reorder_point_orders_nothing() -> None:
    made = plan(of_rate(1, 1, 1), [16, 17, 30], exact_lead(3, 9), make_terms(3), service_level=0.9)
    assert made.reorder_point[0] < 17
    assert list(made.quantity[1:]) == [0, 0]


def test_what_has_no_demand_is_not_ordered() -> None:
    made = plan(of_rate(0, 1, status="no_demand"), [0, 0], exact_lead(2), make_terms(2, minimum=10))
    assert list(made.quantity) == [0, 0]


def test_the_quantity_is_whole_packs_and_at_least_the_minimum() -> None:
    terms = make_terms(3, minimum=[1, 50, 50], pack=[12, 1, 12])
    made = plan(of_rate(1, 1, 1, dispersion=2), [0] * 3, exact_lead(3, 9), terms, service_level=0.9)
    assert list(made.quantity) == [24, 50, 60]


def test_a_price_break_is_taken_where_it_is_cheaper_per_day() -> None:
    starts = np.array([[1, 40, math.inf], [1, 40, math.inf], [1, 200, math.inf], [1, 40, 60]])
    prices = np.array([[10, 9, math.inf], [10, 9.999, math.inf], [10, 1, math.inf], [10, 9, 8]])
    terms = make_terms(4, break_from=starts, break_price=prices)
    made = plan(of_rate(*[1.0] * 4, dispersion=2), [0] * 4, exact_lead(4, 9), terms, service_level=0.9)
    # The second saves less than holding costs, the third is more than ninety days of demand.
    assert list(made.quantity) == [40, 23, 23, 60]
    assert list(made.unit_price) == [9, 10, 10, 8]


# ---- what it was worth -----------------------------------------------------------------------------------------------
def test_steady_sales_are_foretold_without_error() -> None:
    found = run_backtest(make_panel(np.full((3, 210), 4.0), first_day=MONDAY))
    assert found.scores["workbox"].windows == 12
    assert found.scores["workbox"].wape == pytest.approx(0, abs=0.01)
    assert found.scores["moving_average"].wape == 0
    assert found.scores["workbox"].coverage_80 == found.scores["workbox"].coverage_p95 == 1
    assert found.confidence_score == pytest.approx([1] * 3, abs=0.01)


def test_a_backtest_knows_nothing_of_the_days_ahead() -> None:
    units = np.full((4, 140), 4.0)
    units[:, 112:] = 8
    found = run_backtest(make_panel(units, first_day=MONDAY), origins=[112])
    assert found.scores["workbox"].wape == pytest.approx(0.5, abs=0.01)
    assert found.scores["workbox"].bias == pytest.approx(-0.5, abs=0.01)
    assert found.wape == pytest.approx([0.5] * 4, abs=0.01)
    assert found.scores["moving_average"].pinball_p90 == pytest.approx(0.9 * 0.5)


def test_windows_without_stock_prove_nothing() -> None:
    units, exposure = np.full((2, 210), 4.0), np.ones((2, 210))
    exposure[0, 182:192] = units[0, 182:192] = 0
    found = run_backtest(make_panel(units, first_day=MONDAY, exposure=exposure), origins=[182])
    assert found.scores["workbox"].windows == 1
    assert list(found.wape < 0.02) == [False, True]


def test_the_rivals_are_what_their_names_say() -> None:
    panel = make_panel(np.arange(100.0)[None, :], first_day=MONDAY)
    assert linear_regression(panel).expected[0, :3] == pytest.approx([100, 101, 102])
    assert moving_average(panel).expected[0, 0] == pytest.approx(np.arange(72, 100).mean())
    assert moving_average(panel).quantile(4, 0.5)[0] == pytest.approx(4 * 85.5, abs=0.1)


def test_a_few_skus_looked_at_day_by_day_come_to_the_same_as_bisected(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    units = chance.poisson(chance.uniform(0.1, 5, 40)[:, None], (40, 200)).astype(float)
    found, stock = forecast(make_panel(units, first_day=MONDAY)), chance.integers(0, 80, 40).astype(float)
    coming = [
        Arrival(int(row), int(day), float(count))
        for row, day, count in zip(
            chance.integers(0, 40, 50), chance.integers(1, 100, 50), chance.integers(0, 40, 50), strict=True
        )
    ]
    bisected = predict_depletion(found, stock, coming)
    monkeypatch.setattr("insights.forecasting.depletion._FEW", 1000)
    looked_at = predict_depletion(found, stock, coming)
    for name in ("p10", "p50", "p90", "expected"):
        assert getattr(looked_at, name).tolist() == getattr(bisected, name).tolist(), name


def test_what_comes_back_is_counted_per_day_it_was_for_sale() -> None:
    units, returned = np.zeros((1, 200)), np.zeros((1, 200))
    units[0, 160:], returned[0, 180] = 3, 20
    panel = make_panel(units, first_day=MONDAY, returned=returned)
    assert forecast(panel).returns[0] == pytest.approx(20 / 40)
