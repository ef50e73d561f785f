"""Service: train one product, and say in the seed's words what came of it."""

from datetime import UTC, datetime
from typing import Any

from insights import curves, facts
from insights.models import ForecastCurve, ForecastRun
from insights.predictions import check_history, curve_of, daily_rate, number, places_of, stocked_product
from insights.refit import MODEL_TYPE, MODEL_VERSION, retrain_one
from inventory.models import Product
from workbox.core import walls
from workbox.core.db import transactional


@transactional
def train_product(product_id: int, *, force: bool = False) -> dict[str, Any]:
    """The product's forecast is fitted anew, unless it was today already; returns how good it is.

    Expects that the history was built (`demand.ensure_built`, which takes minutes and transactions of its own). Raises
    ProductUnknown, RuleViolation for a charge, TooLittleHistory.
    """
    product = stocked_product(product_id)
    with walls.seen_by(None):  # a curve is the whole shop's; who may see which part of it is another matter
        run = curves.current_run()
        if run is None or force or not _is_of_today(run, product_id):
            run, is_new = retrain_one(product_id), True
        else:
            is_new = False
        return _told(product, run, is_new=is_new)


def _is_of_today(run: ForecastRun, product_id: int) -> bool:
    return ForecastCurve.objects.filter(run=run, product_id=product_id, start_on=facts.today()).exists()


def _told(product: Product, run: ForecastRun | None, *, is_new: bool) -> dict[str, Any]:
    found = curve_of(product.pk, places_of(), use_cache=not is_new)
    days = int(found.days[0]) if found is not None else 0
    check_history(product, days)
    name = f"{product.name} ({product.sku})"
    metrics: dict[str, Any] = {}
    if found is not None:
        metrics = {
            "wape_14_days": number(found.model_wape[0]),
            "moving_average_wape_14_days": number(found.moving_average_wape[0]),
            "confidence_score": number(found.confidence_score[0]),
            "days_of_data": days,
            "daily_consumption_rate": number(daily_rate(found)[0]),
            "status": str(found.status[0]),
            "model": str(found.model[0]),
        }
    trained = f"{name} was trained on {days} days of history."
    return {
        "success": True,
        "message": trained if is_new else f"{name} was trained today already; force_retrain trains it again.",
        "product_id": product.pk,
        "model_version": run.model_version if run is not None else MODEL_VERSION,
        "model_type": MODEL_TYPE,
        "training_metrics": metrics,
        "trained_at": datetime.now(UTC) if is_new or run is None else run.finished_at,
    }
