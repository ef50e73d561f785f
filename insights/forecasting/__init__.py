"""Forecasts of demand and what follows from them, in numpy alone: no Django, no database, every SKU at once.

`make_panel` → `learn_pool` → `forecast` → `predict_depletion`, `stockout_probability`, `plan`; `run_backtest` says what
it is worth.
"""

from insights.forecasting.backtest import Backtest, Score, run_backtest
from insights.forecasting.curve import (
    HORIZON_DAYS,
    MODEL,
    MOVING_AVERAGE,
    NO_DEMAND,
    PEER_ESTIMATE,
    PROVISIONAL,
    WORKBOX,
    Forecast,
    join,
)
from insights.forecasting.depletion import (
    BEYOND_HORIZON,
    Arrival,
    Depletion,
    predict_depletion,
    stockout_probability,
)
from insights.forecasting.fit import MODEL_FROM_DAYS, PROVISIONAL_FROM_DAYS, Pool, forecast, learn_pool
from insights.forecasting.lead_time import LeadTimes, demand_over
from insights.forecasting.panel import Panel, UnusablePanel, make_panel
from insights.forecasting.replenishment import Plan, Terms, make_terms, plan

__all__ = [
    "BEYOND_HORIZON",
    "HORIZON_DAYS",
    "MODEL",
    "MODEL_FROM_DAYS",
    "MOVING_AVERAGE",
    "NO_DEMAND",
    "PEER_ESTIMATE",
    "PROVISIONAL",
    "PROVISIONAL_FROM_DAYS",
    "WORKBOX",
    "Arrival",
    "Backtest",
    "Depletion",
    "Forecast",
    "LeadTimes",
    "Panel",
    "Plan",
    "Pool",
    "Score",
    "Terms",
    "UnusablePanel",
    "demand_over",
    "forecast",
    "join",
    "learn_pool",
    "make_panel",
    "make_terms",
    "plan",
    "predict_depletion",
    "run_backtest",
    "stockout_probability",
]
