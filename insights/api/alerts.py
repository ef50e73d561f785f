"""Alerts over REST: the list, one alert, what people do with it, and the settings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import ALERTS_READ, ALERTS_SETTINGS, ALERTS_WRITE
from insights import alerts
from insights.api.schemas import AlertSettingsShape, AlertSettingsWriteShape, AlertShape, ResolveShape, SnoozeShape
from insights.models import Alert, AlertSettings, AlertStatus, AlertType, Severity
from insights.models.alerts import DAYS_MAX, DAYS_MIN, HYSTERESIS_PERCENT_MAX, NOTE_LENGTH
from workbox.core import walls
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.db import transact
from workbox.core.errors import NotFound
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query

SWITCHES = (
    "low_stock_enabled",
    "predicted_depletion_enabled",
    "unusual_activity_enabled",
    "email_notifications_enabled",
)
ALERT_EXAMPLE = {
    "id": 1,
    "alert_type": "low_stock",
    "severity": "critical",
    "status": "active",
    "product_id": 2,
    "product": "Cable",
    "sku": "CABLE-2M",
    "warehouse_id": None,
    "warehouse": None,
    "title": "Cable (CABLE-2M): 3 left, the threshold is 10",
    "message": "3 of Cable (CABLE-2M) can be ordered; at or below 10 it has to be reordered.",
    "current_quantity": 3,
    "threshold": 10,
    "stock_quantity": 3,
    "daily_units": None,
    "days_left": None,
    "predicted_on": None,
    "happened_on": None,
    "movement_id": None,
    "raised_at": "2026-01-15T10:30:00Z",
    "last_seen_at": "2026-01-15T10:30:00Z",
    "times_raised": 1,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "snoozed_until": None,
    "resolved_at": None,
    "resolved_by": None,
    "resolution": None,
    "note": "",
    "why": "/api/v1/products/2/availability/explain",
}
SETTINGS_EXAMPLE = {
    "alert_threshold_days": 14,
    "low_stock_enabled": True,
    "predicted_depletion_enabled": True,
    "unusual_activity_enabled": True,
    "email_notifications_enabled": False,
    "alert_recipient_emails": [],
    "hysteresis_percent": 10,
}


def alert_rows(ids: list[int]) -> list[dict[str, Any]]:
    """These alerts under their public names, in the order of `ids`."""
    joined = Alert.objects.select_related("product__stock", "warehouse", "acknowledged_by", "resolved_by")
    found = walls.within(joined, "warehouse_id", or_none=True).in_bulk(ids)
    return [alert_body(found[one]) for one in ids if one in found]


def alert_body(alert: Alert) -> dict[str, Any]:
    """An alert as the API shows it."""
    return {
        "id": alert.pk,
        "alert_type": alert.alert_type,
        "severity": alert.severity,
        "status": alert.status,
        "product_id": alert.product_id,
        "product": alert.product.name,
        "sku": alert.product.sku,
        "warehouse_id": alert.warehouse_id,
        "warehouse": alert.warehouse.name if alert.warehouse else None,
        "title": alert.title,
        "message": alert.message,
        "current_quantity": alert.current_quantity,
        "threshold": alert.threshold,
        "stock_quantity": alert.product.stock.available,
        "daily_units": alert.daily_units,
        "days_left": alert.days_left,
        "predicted_on": alert.predicted_on,
        "happened_on": alert.happened_on,
        "movement_id": alert.movement_id,
        "raised_at": alert.raised_at,
        "last_seen_at": alert.last_seen_at,
        "times_raised": alert.times_raised,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by.username if alert.acknowledged_by else None,
        "snoozed_until": alert.snoozed_until,
        "resolved_at": alert.resolved_at,
        "resolved_by": alert.resolved_by.username if alert.resolved_by else None,
        "resolution": alert.resolution or None,
        "note": alert.note,
        "why": f"/api/v1/products/{alert.product_id}/availability/explain",
    }


def fetch(alert_id: int) -> dict[str, Any]:
    """The alert's body; raises NotFound."""
    rows = alert_rows([alert_id])
    if not rows:
        raise NotFound(f"There is no alert {alert_id}.")
    return rows[0]


class AlertsView(ApiView):
    """All alerts, newest first."""

    required_capabilities = {"GET": ALERTS_READ}
    pagination_class = Page

    @extend_schema(
        summary="List alerts",
        description="Newest first; filters combine.",
        parameters=[
            in_query("status", enum=AlertStatus.values),
            in_query("alert_type", enum=AlertType.values),
            in_query("severity", enum=Severity.values),
            in_query("product_id", int),
            in_query("warehouse_id", int, text="Alerts about one warehouse; most are about a product in all of them."),
            in_query("since", text="Raised from this date or time on (ISO 8601)."),
        ],
        responses={200: AlertShape(many=True)},
        examples=[answered(ALERT_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List alerts."""
        query = Query(request.GET)
        wanted: dict[str, Any] = {
            "status": query.choice("status", AlertStatus.values),
            "alert_type": query.choice("alert_type", AlertType.values),
            "severity": query.choice("severity", Severity.values),
            "product_id": query.identifier("product_id"),
            "warehouse_id": query.identifier("warehouse_id"),
            "raised_at__gte": query.moment("since"),
        }
        query.check()
        found: QuerySet[Alert] = Alert.objects.filter(
            **{name: value for name, value in wanted.items() if value is not None}
        )
        found = walls.within(found, "warehouse_id", or_none=True)
        return conditional(request, to_json(read_page(request, found.order_by("-id"), alert_rows)))


class AlertView(ApiView):
    """One alert."""

    required_capabilities = {"GET": ALERTS_READ}

    @extend_schema(
        summary="Get an alert",
        parameters=[in_path("alert_id")],
        responses={200: AlertShape},
        examples=[answered(ALERT_EXAMPLE)],
    )
    def get(self, request: Request, alert_id: str) -> HttpResponse:
        """Get an alert."""
        return conditional(request, to_json(fetch(int(alert_id))))


class AlertAction(ActionView):
    """Base of what people do with an alert."""

    required_capabilities = ActionView.needs(ALERTS_WRITE)

    def done(self, request: Request, alert_id: str, work: Callable[[int], None]) -> HttpResponse:
        """The alert after `work`, which happens once per Idempotency-Key."""
        number = int(alert_id)

        def act() -> tuple[int, Any]:
            if walls.own() is not None:
                fetch(number)  # what is behind a wall is not there
            check_if_match(request, lambda: fetch(number))
            work(number)
            return 200, fetch(number)

        return self.idempotent(act)


@action_schema(
    summary="Acknowledge an alert",
    description="Somebody takes care; the alert stays open. An acknowledged or resolved one: 409.",
    parameters=[in_path("alert_id"), IDEMPOTENCY, IF_MATCH],
    request=None,
    responses={200: AlertShape},
    examples=[answered(ALERT_EXAMPLE | {"status": "acknowledged"})],
)
class AcknowledgeView(AlertAction):
    """Somebody takes care."""

    def act(self, request: Request, alert_id: str) -> HttpResponse:
        """The alert is acknowledged."""
        read_object(request)  # what it says does not matter, but it has to be a body
        return self.done(request, alert_id, alerts.acknowledge)


@action_schema(
    summary="Resolve an alert",
    description="It is over. While its reason still holds it may come back after a day. A resolved one: 409.",
    parameters=[in_path("alert_id"), IDEMPOTENCY, IF_MATCH],
    request=ResolveShape,
    responses={200: AlertShape},
    examples=[asked({"note": "Ordered by phone"}), answered(ALERT_EXAMPLE | {"status": "resolved"})],
)
class ResolveView(AlertAction):
    """It is over."""

    def act(self, request: Request, alert_id: str) -> HttpResponse:
        """The alert is resolved."""
        fields = Fields(read_object(request))
        note = fields.text("note", max_length=NOTE_LENGTH)
        fields.check()
        return self.done(request, alert_id, lambda number: alerts.resolve(number, note=note))


@action_schema(
    summary="Snooze an alert",
    description="Nobody is bothered with it for a while: it stays open, but out of mails and the admin's first list.",
    parameters=[in_path("alert_id"), IDEMPOTENCY, IF_MATCH],
    request=SnoozeShape,
    responses={200: AlertShape},
    examples=[asked({"hours": 24}), answered(ALERT_EXAMPLE | {"snoozed_until": "2026-01-16T10:30:00Z"})],
)
class SnoozeView(AlertAction):
    """Not now."""

    def act(self, request: Request, alert_id: str) -> HttpResponse:
        """The alert is quiet until then."""
        fields = Fields(read_object(request))
        if not walls.within(Alert.objects.filter(pk=int(alert_id)), "warehouse_id", or_none=True).exists():
            raise NotFound(f"There is no alert {alert_id}.")
        until = fields.moment("until")
        hours = fields.whole("hours", low=1, high=alerts.SNOOZE_HOURS_MAX, default=0)
        if fields.has("until") == fields.has("hours"):
            fields.fault("until", "say until when, or for how many hours")
        fields.check()
        moment = until or datetime.now(UTC) + timedelta(hours=hours)
        return self.done(request, alert_id, lambda number: alerts.snooze(number, until=moment))


# ---- settings --------------------------------------------------------------------------------------------------------
def settings_body(found: AlertSettings) -> dict[str, Any]:
    """The settings as the API shows them."""
    return {name: getattr(found, name) for name in SETTINGS_EXAMPLE}


def read_settings(body: dict[str, Any]) -> dict[str, Any]:
    """What the body says of the settings."""
    fields = Fields(body)
    changes: dict[str, Any] = {name: fields.boolean(name) for name in SWITCHES if fields.has(name)}
    if fields.has("alert_threshold_days"):
        changes["alert_threshold_days"] = fields.whole(
            "alert_threshold_days", low=DAYS_MIN, high=DAYS_MAX, default=DAYS_MIN
        )
    if fields.has("hysteresis_percent"):
        changes["hysteresis_percent"] = fields.whole(
            "hysteresis_percent", low=0, high=HYSTERESIS_PERCENT_MAX, default=0
        )
    if fields.has("alert_recipient_emails"):
        changes["alert_recipient_emails"] = body["alert_recipient_emails"]
    fields.check()
    return changes


class AlertSettingsView(ApiView):
    """When alerts are raised and who is mailed."""

    required_capabilities = {"GET": ALERTS_READ, "PUT": ALERTS_SETTINGS, "PATCH": ALERTS_SETTINGS}

    @extend_schema(
        summary="Get the alert settings",
        responses={200: AlertSettingsShape},
        examples=[answered(SETTINGS_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the alert settings."""
        return conditional(request, to_json(settings_body(AlertSettings.current())))

    @extend_schema(
        summary="Change the alert settings (partial body allowed)",
        parameters=[IF_MATCH],
        request=AlertSettingsWriteShape,
        responses={200: AlertSettingsShape},
        examples=[
            asked({"alert_threshold_days": 14, "low_stock_enabled": True, "predicted_depletion_enabled": True}),
            answered(SETTINGS_EXAMPLE),
        ],
    )
    def put(self, request: Request) -> HttpResponse:
        """Change the alert settings."""
        return self.changed(request)

    @extend_schema(
        summary="Change the alert settings",
        description="The same as PUT.",
        parameters=[IF_MATCH],
        request=AlertSettingsWriteShape,
        responses={200: AlertSettingsShape},
        examples=[asked({"alert_threshold_days": 21}), answered(SETTINGS_EXAMPLE | {"alert_threshold_days": 21})],
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change the alert settings."""
        return self.changed(request)

    @staticmethod
    def changed(request: Request) -> HttpResponse:
        """The settings with new values."""
        changes = read_settings(read_object(request))

        def work() -> dict[str, Any]:
            check_if_match(request, lambda: settings_body(alerts.hold_settings()))
            return settings_body(alerts.change_settings(changes))

        return conditional(request, to_json(transact(work)))
