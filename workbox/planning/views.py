"""Training over REST: one product at once, all of them as a job."""

from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request

from accounts.capabilities import FORECASTS_WRITE
from insights import demand
from insights.training import train_product
from workbox.core import walls
from workbox.core.api import ApiView, read_object
from workbox.core.reading import Fields
from workbox.core.routes import route
from workbox.core.schema import IDEMPOTENCY, answered, asked
from workbox.jobs.api.schemas import QUEUED_EXAMPLE, JobShape
from workbox.jobs.api.views import located
from workbox.jobs.models import job_body
from workbox.planning import work

TRAINED_EXAMPLE = {
    "success": True,
    "message": "Cable (CABLE-2M) was trained on 74 days of history.",
    "product_id": 2,
    "model_version": "nb-2026.2",
    "model_type": "negative_binomial_exponential_smoothing",
    "training_metrics": {
        "wape_14_days": 0.26,
        "moving_average_wape_14_days": 0.31,
        "confidence_score": 0.74,
        "days_of_data": 74,
        "daily_consumption_rate": 3.36,
        "status": "model",
        "model": "workbox",
    },
    "trained_at": "2026-01-15T10:30:00Z",
}


class TrainShape(s.Serializer[Any]):
    """What to train."""

    product_id = s.IntegerField(required=False, help_text="This product alone, at once; all of them as a job without.")
    force_retrain = s.BooleanField(required=False, help_text="Also when it was trained today already.")


class TrainedShape(s.Serializer[Any]):
    """What came of it."""

    success = s.BooleanField()
    message = s.CharField()
    product_id = s.IntegerField()
    model_version = s.CharField()
    model_type = s.CharField()
    training_metrics = s.JSONField()
    trained_at = s.DateTimeField()


class TrainingShape(s.Serializer[Any]):
    """A training of all products was queued, or is under way."""

    success = s.BooleanField()
    message = s.CharField()
    job = JobShape()


class TrainView(ApiView):
    """Forecasts are made anew."""

    required_capabilities = {"POST": FORECASTS_WRITE}

    @extend_schema(
        summary="Train the forecasts",
        description=(
            "With `product_id` at once (200). Without, a job (202, `Location`) that fits all products and tests the "
            "forecasts on past days; a training or refit that runs already is named instead of a second. Less than 30 "
            "days of history: 400 with the numbers."
        ),
        parameters=[IDEMPOTENCY],
        request=TrainShape,
        responses={200: TrainedShape, 202: TrainingShape},
        examples=[
            asked({"product_id": 2, "force_retrain": False}),
            answered(TRAINED_EXAMPLE),
            answered({"success": True, "message": "The training was queued.", "job": QUEUED_EXAMPLE}, 202),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Train the forecasts."""
        fields = Fields(read_object(request))
        product_id = fields.identifier("product_id")
        force = bool(fields.boolean("force_retrain", default=False))
        fields.check()
        if product_id is not None:
            with walls.seen_by(None):  # the history is the whole shop's
                demand.ensure_built()  # before the transaction that holds the Idempotency-Key
            return self.idempotent(lambda: (200, train_product(product_id, force=force)))
        user_id = cast(int, self.request.user.id)
        return located(self.idempotent(lambda: (202, _queued(user_id))))


def _queued(user_id: int) -> dict[str, Any]:
    job, is_new = work.start(work.TRAINING, user_id=user_id)
    message = "The training was queued." if is_new else f"A {work.FITS[job.kind]} is under way already."
    return {"success": True, "message": message, "job": job_body(job)}


urlpatterns = [route("predictions/train", TrainView.as_view(), "predictions-train")]
