"""A product's forecast as a screen shows it: two charts, their figures as a table, and one sentence why."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from insights import predictions
from insights.forecasting import MODEL_FROM_DAYS, NO_DEMAND, PEER_ESTIMATE
from insights.predictions import TooLittleHistory, places_of
from insights.queries_forecasts import demand_history, prediction_rows
from workbox.core.admin import quantity_text
from workbox.core.errors import RuleViolation

HISTORY_DAYS, AHEAD_DAYS = 90, 90
WEEK = 7
DRAWN_MIN_DAYS = 28
LATER = f"more than {predictions.HORIZON_DAYS} days ahead"


def forecast_panel(product_id: int) -> dict[str, Any]:
    """What the forecast panel shows; `state` says whether there is something to draw. Raises ProductUnknown."""
    places = places_of()
    try:
        found = predictions.predict(product_id, places, allow_provisional=True)
    except TooLittleHistory:
        return {
            "state": "no_history",
            "headline": "No sale of it is known to the forecasts yet.",
            "why": "Sales become known within the hour. From the first one on there is an estimate, and with"
            f" {MODEL_FROM_DAYS} days of history a forecast of its own.",
        }
    except RuleViolation as refusal:
        return {"state": refusal.code, "headline": "Nothing is forecast for it.", "why": refusal.detail}
    body = prediction_rows(found, places=places, days=AHEAD_DAYS)[0]
    past = demand_history(product_id, places, days=HISTORY_DAYS)
    return {
        "state": body["status"],
        "headline": _headline(body),
        "note": _note(body),
        "why": body["why"],
        "figures": _figures(body),
        "sold": _sold_chart(past, body["forecast"]),
        "stock": _stock_chart(body),
        "sold_in_words": _sold_in_words(past, body),
        "stock_in_words": _stock_in_words(body),
        "rows": _weeks(past, body["forecast"]),
        "inbound": body["inbound"],
    }


# ---- in words --------------------------------------------------------------------------------------------------------
def _headline(body: dict[str, Any]) -> str:
    middle = body["depletion"]["p50"]
    if body["status"] == NO_DEMAND:
        return "Nothing is sold of it at present."
    if body["current_stock"] <= 0:
        return "None is left."
    return f"Used up on {middle} most likely." if middle else f"It lasts longer than {predictions.HORIZON_DAYS} days."


def _note(body: dict[str, Any]) -> str:
    if body["status"] == PEER_ESTIMATE:
        return (
            f"Provisional: {body['days_of_data']} of {MODEL_FROM_DAYS} days of history. Until then it is mostly what"
            " products of this shop usually sell."
        )
    return ""


def _figures(body: dict[str, Any]) -> list[dict[str, Any]]:
    dates = body["depletion"]
    return [
        {"label": "One in ten: used up by", "text": _day(dates["p10"])},
        {"label": "Half: used up by", "text": _day(dates["p50"])},
        {"label": "Nine in ten: used up by", "text": _day(dates["p90"])},
        {"label": "Sold a day", "text": quantity_text(body["daily_consumption_rate"].quantize(Decimal("0.01")))},
        {"label": "Out before an order arrives", "text": f"{float(body['stockout_probability']) * 100:.0f} %"},
        {"label": "An order takes", "text": f"{quantity_text(body['lead_time_days'].quantize(Decimal('0.1')))} days"},
    ]


def _day(day: date | None) -> str:
    return day.isoformat() if day else LATER


def _sold_in_words(past: Sequence[dict[str, Any]], body: dict[str, Any]) -> str:
    lines = body["forecast"]
    return (
        f"Units a day: {quantity_text(sum((one['units'] for one in past), Decimal(0)))} sold over the last"
        f" {len(past)} days; over the next {len(lines)} between {quantity_text(lines[-1]['cumulative_p10'])} and"
        f" {quantity_text(lines[-1]['cumulative_p90'])} with 80 %, {quantity_text(lines[-1]['cumulative_p50'])} in the"
        " middle."
    )


def _stock_in_words(body: dict[str, Any]) -> str:
    coming = "; ".join(f"{quantity_text(one['quantity'])} due on {one['date']}" for one in body["inbound"])
    dates = body["depletion"]
    return (
        f"Stock to come: {quantity_text(body['current_stock'])} available now, used up on {_day(dates['p50'])}, with"
        f" 80 % between {_day(dates['p10'])} and {_day(dates['p90'])}. On order: {coming or 'nothing with a date'}."
    )


# ---- charts ----------------------------------------------------------------------------------------------------------
def _sold_chart(past: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    gap: list[float | None] = [None] * len(past)

    def ahead(name: str) -> list[float | None]:
        return gap + [float(one[name]) for one in lines]

    return {
        "labels": [one["date"].isoformat() for one in (*past, *lines)],
        "series": [
            {"label": "Sold", "look": "bars", "values": [float(one["units"]) for one in past]},
            {"label": "Lower end", "look": "low", "values": ahead("units_p10")},
            {"label": "With 80 % between", "look": "band", "values": ahead("units_p90")},
            {"label": "Expected", "look": "line", "values": ahead("units")},
        ],
        "unit": "units a day",
    }


def _stock_chart(body: dict[str, Any]) -> dict[str, Any]:
    lines = body["forecast"][: _days_drawn(body)]
    due: dict[date, float] = {}
    for one in body["inbound"]:
        due[one["date"]] = due.get(one["date"], 0.0) + float(one["quantity"])
    series: list[dict[str, Any]] = [
        {"label": "Lower end", "look": "low", "values": [float(one["stock_p10"]) for one in lines]},
        {"label": "With 80 % between", "look": "band", "values": [float(one["stock_p90"]) for one in lines]},
        {"label": "Stock, median", "look": "line", "values": [float(one["stock"]) for one in lines]},
    ]
    if due:
        marks = [due.get(one["date"]) for one in lines]
        series.append({"label": "Delivery due", "look": "marks", "values": marks})
    return {"labels": [one["date"].isoformat() for one in lines], "series": series, "unit": "units"}


def _days_drawn(body: dict[str, Any]) -> int:
    """Until a fortnight after the last stock or delivery: what follows is a line at zero."""
    last_due = max((one["date"] for one in body["inbound"]), default=None)
    last = max(
        (
            number
            for number, one in enumerate(body["forecast"])
            if one["stock_p90"] > 0 or (last_due is not None and one["date"] <= last_due)
        ),
        default=0,
    )
    return max(last + 1 + 2 * WEEK, DRAWN_MIN_DAYS)


def _weeks(past: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The charts' figures week by week, for who does not see them."""
    rows = []
    for start in range(len(past) % WEEK, len(past), WEEK):
        week = past[start : start + WEEK]
        sold = sum((one["units"] for one in week), Decimal(0))
        rows.append({"from": week[0]["date"], "what": "sold", "units": quantity_text(sold)})
    for start in range(0, len(lines), WEEK):
        week = lines[start : start + WEEK]
        expected = sum((one["units"] for one in week), Decimal(0)).quantize(Decimal("0.1"))
        rows.append(
            {
                "from": week[0]["date"],
                "what": "expected",
                "units": quantity_text(expected),
                "stock": quantity_text(week[-1]["stock"]),
                "stock_band": f"{quantity_text(week[-1]['stock_p10'])} – {quantity_text(week[-1]['stock_p90'])}",
            }
        )
    return rows
