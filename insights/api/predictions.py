"""Predictions over REST: one product, a page of them, what there is to learn from, and how good forecasts were."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import FORECASTS_READ, FORECASTS_WRITE
from insights import curve_cache, curves, demand
from insights.api.planning_shapes import (
    PREDICTION_EXAMPLE,
    QUALITY_EXAMPLE,
    SUMMARY_EXAMPLE,
    BatchShape,
    PredictionShape,
    QualityShape,
    SummaryShape,
)
from insights.predictions import places_of, predict, stocked_product
from insights.queries_forecasts import (
    ERRORS_MAX,
    FORECAST_DAYS,
    FORECAST_DAYS_MAX,
    FORECAST_DAYS_MIN,
    batch_rows,
    data_summary,
    error_rows,
    find_curves,
    prediction_rows,
    quality,
    without_forecast,
)
from workbox.core.api import ApiView, conditional, page_body, read_window
from workbox.core.numbers import to_json
from workbox.core.reading import Query
from workbox.core.schema import answered, in_path, in_query

BATCH_DAYS = 14
BATCH_IDS_MAX = 1000
PLACE = in_query("warehouse_id", int, text="Of one warehouse; all that one may see unless told.")
DAYS = in_query(
    "forecast_days", int, text=f"Days ahead, {FORECAST_DAYS_MIN} to {FORECAST_DAYS_MAX}; {FORECAST_DAYS} unless told."
)


class PredictionView(ApiView):
    """One product's prediction."""

    required_capabilities = {"GET": FORECASTS_READ}

    @extend_schema(
        summary="When a product runs out",
        description=(
            "The forecast is kept for an hour; the dates come from it and the stock of this moment. With less than "
            "30 days of history: 400 (`too_little_history`, with `min_required_days` and `days_of_data`), unless "
            "`allow_provisional`."
        ),
        parameters=[
            in_path("product_id"),
            DAYS,
            in_query("use_cache", bool, text="False: fit it anew from the demand kept. True unless told."),
            in_query("allow_provisional", bool, text="An estimate is welcome; `status` says what it rests on."),
            PLACE,
        ],
        responses={200: PredictionShape},
        examples=[answered(PREDICTION_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """When a product runs out."""
        query = Query(request.GET)
        days = query.whole("forecast_days", low=FORECAST_DAYS_MIN, high=FORECAST_DAYS_MAX, default=FORECAST_DAYS)
        use_cache = query.boolean("use_cache", default=True)
        provisional = query.boolean("allow_provisional", default=False)
        warehouse_id = query.identifier("warehouse_id")
        query.check()
        demand.ensure_built()
        places = places_of(warehouse_id)
        found = predict(int(product_id), places, use_cache=bool(use_cache), allow_provisional=bool(provisional))
        return conditional(request, to_json(prediction_rows(found, places=places, days=days)[0]))


class BatchView(ApiView):
    """All products' predictions, page by page."""

    required_capabilities = {"GET": FORECASTS_READ}

    @extend_schema(
        summary="When products run out",
        description=(
            "From the last run's forecasts and the stock of this moment, in pages (`page`, `page_size`, or `skip`, "
            "`limit`). Until a first run was made there are none: `POST /predictions/train`."
        ),
        parameters=[
            in_query("product_ids", text="These only, separated by commas."),
            in_query("min_confidence", float, text="From 0 to 1."),
            in_query("forecast_days", int, text=f"As for one product; {BATCH_DAYS} unless told."),
            in_query("use_cache", bool, text="Accepted for the sake of clients; the last run's forecasts are used."),
            PLACE,
            *(in_query(name, int, text="As in every list.") for name in ("page", "page_size", "skip", "limit")),
        ],
        responses={200: BatchShape},
        examples=[
            answered(
                {
                    "total_products": 2,
                    "successful_predictions": 1,
                    "failed_predictions": 1,
                    "below_confidence": 0,
                    "next": None,
                    "previous": None,
                    "predictions": [PREDICTION_EXAMPLE],
                    "errors": [
                        {
                            "product_id": 9,
                            "sku": "NEW-1",
                            "error": "3 days of sales history; a forecast needs 30.",
                            "code": "too_little_history",
                            "days_of_data": 3,
                            "min_required_days": 30,
                        }
                    ],
                }
            )
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        """When products run out."""
        query = Query(request.GET)
        days = query.whole("forecast_days", low=FORECAST_DAYS_MIN, high=FORECAST_DAYS_MAX, default=BATCH_DAYS)
        confidence = read_share(query, "min_confidence")
        product_ids = read_ids(query, request)
        warehouse_id = query.identifier("warehouse_id")
        query.boolean("use_cache", default=True)
        query.check()
        offset, limit = read_window(request.GET)
        places, run = places_of(warehouse_id), curves.current_run()
        failed = without_forecast(run, places, product_ids)
        failed_count, below, count = failed.count(), 0, 0
        rows: list[Any] = []
        if run is not None:
            sure = find_curves(run, places, product_ids=product_ids, min_confidence=confidence)
            count = sure.count()
            below = find_curves(run, places, product_ids=product_ids).count() - count if confidence else 0
            ids = list(sure.values_list("id", flat=True)[offset : offset + limit])
            rows = batch_rows(ids, run, places, days=days)
        page = page_body(request, rows, count, offset, limit)
        body = {
            "total_products": count + below + failed_count,
            "successful_predictions": count,
            "failed_predictions": failed_count,
            "below_confidence": below,
            "next": page["next"],
            "previous": page["previous"],
            "predictions": rows,
            "errors": error_rows(list(failed[:ERRORS_MAX]), run),
        }
        return conditional(request, to_json(body))


def read_share(query: Query, name: str) -> float:
    """A share from 0 to 1; 0 unless told."""
    found = query.money(name)
    if found is not None and not 0 <= found <= 1:
        query.fault(name, "must be a number from 0 to 1")
    return float(found or 0)


def read_ids(query: Query, request: Request) -> list[int] | None:
    """`product_ids=1,2` or the parameter several times; None: not asked for."""
    raw = ",".join(request.GET.getlist("product_ids"))
    if not raw:
        return None
    parts = [one.strip() for one in raw.split(",") if one.strip()]
    if len(parts) > BATCH_IDS_MAX or not all(one.isascii() and one.isdigit() and len(one) <= 18 for one in parts):
        query.fault("product_ids", f"must be at most {BATCH_IDS_MAX} ids separated by commas")
        return None
    return [int(one) for one in parts]


class SummaryView(ApiView):
    """What there is to learn from."""

    required_capabilities = {"GET": FORECASTS_READ}

    @extend_schema(
        summary="How much history a product has",
        description="Days count from the first sale, those on which it was out of stock left out.",
        parameters=[in_path("product_id"), PLACE],
        responses={200: SummaryShape},
        examples=[answered(SUMMARY_EXAMPLE)],
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """How much history a product has."""
        query = Query(request.GET)
        warehouse_id = query.identifier("warehouse_id")
        query.check()
        demand.ensure_built()
        return conditional(request, to_json(data_summary(int(product_id), places_of(warehouse_id))))


class CacheView(ApiView):
    """The forecast that is kept for an hour."""

    required_capabilities = {"DELETE": FORECASTS_WRITE}

    @extend_schema(
        summary="Forget a product's kept forecast",
        description="The next question reads it anew. 204 also when none was kept.",
        parameters=[in_path("product_id")],
        responses={204: None},
    )
    def delete(self, request: Request, product_id: str) -> HttpResponse:
        """Forget a product's kept forecast."""
        curve_cache.forget(stocked_product(int(product_id)).pk)
        return HttpResponse(status=204)


class QualityView(ApiView):
    """How true past forecasts were."""

    required_capabilities = {"GET": FORECASTS_READ}

    @extend_schema(
        summary="How good the forecasts were",
        description=(
            "Each week's forecasts are kept for 26 weeks and compared with what was sold in their fourteen days: "
            "error, bias, and how often the 80 % interval and the 95th percentile (of seven days) held. Beside it the "
            "last training's backtest with a moving average and linear regression."
        ),
        responses={200: QualityShape},
        examples=[answered(QUALITY_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """How good the forecasts were."""
        return conditional(request, to_json(quality()))
