"""Forecasts on real sales, a supermarket's food (m5) and a wholesaler's gifts (or): the figures docs/forecasting.md
states.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [
    pytest.mark.once,
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("WORKBOX_REAL_DATA"), reason="WORKBOX_REAL_DATA names no folder"),
]


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """What the script measures, in a process of its own: its peak memory is the forecasts' alone."""
    command = [sys.executable, "scripts/evaluate_forecasts.py", os.environ["WORKBOX_REAL_DATA"], "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def test_as_many_windows_are_scored_as_the_data_has(figures: dict[str, Any]) -> None:
    assert [figures[name]["scores"]["workbox"]["windows"] for name in ("m5", "or")] == [2184, 7058]


@pytest.mark.parametrize(("name", "most"), [("m5", 0.285), ("or", 0.570)])
def test_the_error_of_a_fortnight(figures: dict[str, Any], name: str, most: float) -> None:
    scores = figures[name]["scores"]
    assert scores["workbox"]["wape"] <= most
    assert scores["workbox"]["wape"] < scores["moving_average"]["wape"] < scores["linear_regression"]["wape"]


@pytest.mark.parametrize(("name", "most"), [("m5", 0.081), ("or", 0.201)])
def test_the_ninth_decile_of_a_fortnight(figures: dict[str, Any], name: str, most: float) -> None:
    scores = figures[name]["scores"]
    assert scores["workbox"]["pinball_p90"] <= most
    assert scores["workbox"]["pinball_p90"] < scores["moving_average"]["pinball_p90"]


@pytest.mark.parametrize("name", ["m5", "or"])
def test_the_intervals_cover_what_they_say(figures: dict[str, Any], name: str) -> None:
    score = figures[name]["scores"]["workbox"]
    assert 0.78 <= score["coverage_80"] <= 0.87
    assert 0.94 <= score["coverage_p95"] <= 0.97


@pytest.mark.parametrize(("name", "least"), [("m5", 0.93), ("or", 0.91)])
def test_a_stockout_does_not_spoil_the_upper_tail(figures: dict[str, Any], name: str, least: float) -> None:
    covered = figures[name]["coverage_p95_after_stockout"]
    assert covered["workbox"] >= least > covered["moving_average"]


@pytest.mark.parametrize(("name", "most"), [("m5", 0.30), ("or", 0.60)])
def test_a_fortnight_of_history_is_enough_to_beat_the_average(figures: dict[str, Any], name: str, most: float) -> None:
    found = figures[name]["with_14_days"]
    assert found["wape"]["workbox"] <= most
    assert found["wape"]["workbox"] <= 0.98 * found["wape"]["moving_average"]
    assert 0.78 <= found["coverage_80"]["workbox"] <= 0.87


@pytest.mark.parametrize(("name", "most"), [("m5", 5.0), ("or", 6.7)])
def test_the_day_stock_runs_out(figures: dict[str, Any], name: str, most: float) -> None:
    found = figures[name]["depletion_error_days"]
    assert found["workbox"] <= most
    assert found["workbox"] < found["moving_average"] < found["linear_regression"]


@pytest.mark.parametrize("name", ["m5", "or"])
def test_less_stock_fills_as_much(figures: dict[str, Any], name: str) -> None:
    found = figures[name]["policy"]
    assert found["workbox"]["fill_rate"] >= 0.95
    assert found["workbox"]["stock_days"] < found["moving_average"]["stock_days"]
    assert found["workbox"]["stock_days"] < found["linear_regression"]["stock_days"]


def test_a_hundred_thousand_skus_on_one_core(figures: dict[str, Any]) -> None:
    assert figures["many"]["cpu_seconds"] <= 30
    assert figures["many"]["peak_megabytes"] <= 400
