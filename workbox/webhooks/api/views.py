"""Webhooks over REST: endpoints, their deliveries, tests and replays."""

from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.capabilities import WEBHOOKS_WRITE
from workbox.core.api import ActionView, ApiView, Page, check_if_match, conditional, read_object, read_page
from workbox.core.db import transact
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import IDEMPOTENCY, IF_MATCH, action_schema, answered, asked, in_path, in_query
from workbox.webhooks import outside, services
from workbox.webhooks.api.schemas import (
    DeliveryShape,
    ReplayedShape,
    ReplayShape,
    WebhookSecretShape,
    WebhookShape,
    WebhookWriteShape,
)
from workbox.webhooks.models import Attempt, Delivery, Endpoint

EXAMPLE = {
    "id": 1,
    "url": "https://example.com/hooks/workbox",
    "description": "Our shop front",
    "topics": ["orders", "stock"],
    "is_active": True,
    "disabled_reason": "",
    "created_at": "2026-01-15T10:30:00Z",
}
SECRET_EXAMPLE = EXAMPLE | {"secret": "whsec_…"}
DELIVERY_EXAMPLE = {
    "id": 7,
    "message_id": "msg_1_45999",
    "event_type": "order_placed",
    "cursor": 45999,
    "state": "delivered",
    "attempts": 1,
    "next_attempt_at": None,
    "delivered_at": "2026-01-15T10:30:02Z",
    "created_at": "2026-01-15T10:30:01Z",
    "last_status": 204,
    "last_error": "",
}
HOOK, STATES = in_path("webhook_id"), Delivery.State.values


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as answers show it: without its secret."""
    names = ("id", "url", "description", "topics", "is_active", "disabled_reason", "created_at")
    return {name: getattr(endpoint, name) for name in names}


def delivery_rows(ids: list[int]) -> list[dict[str, Any]]:
    """These deliveries with how their last attempt went."""
    found = Delivery.objects.in_bulk(ids)
    last = {one.delivery_id: one for one in Attempt.objects.filter(delivery_id__in=ids).order_by("id")}
    return [_delivery_body(found[one], last.get(one)) for one in ids if one in found]


def _delivery_body(delivery: Delivery, last: Attempt | None) -> dict[str, Any]:
    names = (
        "id", "message_id", "event_type", "cursor", "state", "attempts",
        "next_attempt_at", "delivered_at", "created_at",
    )  # fmt: skip
    return {name: getattr(delivery, name) for name in names} | {
        "last_status": last.status if last else None,
        "last_error": last.error if last else "",
    }


def read_endpoint(request: Request, *, creating: bool) -> dict[str, Any]:
    """What the body says of an endpoint. Raises Invalid."""
    fields = Fields(read_object(request))
    values: dict[str, Any] = {}
    if creating:
        fields.require("url", "topics")
    for name, length in (("url", 500), ("description", 200)):
        if fields.has(name):
            values[name] = fields.text(name, max_length=length)
    if fields.has("is_active"):
        values["is_active"] = fields.boolean("is_active")
    if fields.has("topics"):
        values["topics"] = fields.texts("topics", most=20, max_length=20)
    fields.check()
    if "url" in values:
        outside.check_url(values["url"])
    if "topics" in values:
        values["topics"] = services.check_topics(values["topics"])
    return values


def shown_once(answer: HttpResponse, secret: str) -> HttpResponse:
    """The answer with the secret, which is not kept with it: a replay under the same Idempotency-Key says null."""
    if "Idempotency-Replayed" not in answer.headers:
        answer.content = to_json(orjson.loads(answer.content) | {"secret": secret})
    return answer


class WebhooksView(ApiView):
    """All endpoints."""

    required_capabilities = {"GET": WEBHOOKS_WRITE, "POST": WEBHOOKS_WRITE}
    pagination_class = Page

    @extend_schema(summary="List webhooks", responses={200: WebhookShape(many=True)}, examples=[answered(EXAMPLE)])
    def get(self, request: Request) -> HttpResponse:
        """List webhooks."""

        def rows(ids: list[int]) -> list[Any]:
            found = Endpoint.objects.in_bulk(ids)
            return [body_of(found[one]) for one in ids if one in found]

        return conditional(request, to_json(read_page(request, Endpoint.objects.order_by("-id"), rows)))

    @extend_schema(
        summary="Create a webhook",
        description=(
            "Facts of its `topics` are POSTed there, signed as Standard Webhooks says; the `secret` to check them with"
            " is shown this once: an answer replayed under the same Idempotency-Key has null in its place. Private"
            " networks are refused."
        ),
        parameters=[IDEMPOTENCY],
        request=WebhookWriteShape,
        responses={201: WebhookSecretShape},
        examples=[
            asked({"url": "https://example.com/hooks/workbox", "topics": ["orders", "stock"]}),
            answered(SECRET_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a webhook."""
        values, secret = read_endpoint(request, creating=True), services.new_secret()

        def work() -> tuple[int, Any]:
            made = Endpoint.objects.create(**values, secret=secret, created_by_id=request.user.id)
            return 201, body_of(made) | {"secret": None}

        return shown_once(self.idempotent(work), secret)


class WebhookView(ApiView):
    """One endpoint."""

    required_capabilities = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), WEBHOOKS_WRITE)

    @extend_schema(
        summary="Get a webhook", parameters=[HOOK], responses={200: WebhookShape}, examples=[answered(EXAMPLE)]
    )
    def get(self, request: Request, webhook_id: str) -> HttpResponse:
        """Get a webhook."""
        return conditional(request, to_json(body_of(services.require(int(webhook_id)))))

    @extend_schema(
        summary="Change a webhook (partial body allowed)",
        parameters=[HOOK, IF_MATCH],
        request=WebhookWriteShape,
        responses={200: WebhookShape},
        examples=[asked({"is_active": True}), answered(EXAMPLE)],
    )
    def put(self, request: Request, webhook_id: str) -> HttpResponse:
        """Change a webhook."""
        return self.changed(request, int(webhook_id))

    @extend_schema(
        summary="Change a webhook",
        description="The same as PUT.",
        parameters=[HOOK, IF_MATCH],
        request=WebhookWriteShape,
        responses={200: WebhookShape},
        examples=[asked({"is_active": True}), answered(EXAMPLE)],
    )
    def patch(self, request: Request, webhook_id: str) -> HttpResponse:
        """Change a webhook."""
        return self.changed(request, int(webhook_id))

    def changed(self, request: Request, webhook_id: int) -> HttpResponse:
        """The endpoint with new values; switching it on again forgets why it was off."""
        values = read_endpoint(request, creating=False)

        def work() -> tuple[int, Any]:
            row = Endpoint.objects.select_for_update().filter(pk=webhook_id).first() or services.require(webhook_id)
            check_if_match(request, lambda: body_of(row))
            for name, value in values.items():
                setattr(row, name, value)
            if values.get("is_active"):
                row.disabled_reason = ""
            row.save()
            return 200, body_of(row)

        return self.idempotent(work)

    @extend_schema(
        summary="Delete a webhook",
        description="With its deliveries; nothing more is sent there.",
        parameters=[HOOK],
        responses={204: None},
    )
    def delete(self, request: Request, webhook_id: str) -> HttpResponse:
        """Delete a webhook."""
        transact(lambda: services.require(int(webhook_id)).delete())
        return HttpResponse(status=204)


@action_schema(
    summary="Give a webhook a new secret",
    description=(
        "The old one is no longer used from now on; the new one is shown this once, and is null in an answer replayed"
        " under the same Idempotency-Key."
    ),
    parameters=[HOOK],
    request=None,
    responses={200: WebhookSecretShape},
    examples=[answered(SECRET_EXAMPLE)],
)
class RotateView(ActionView):
    """A new secret."""

    required_capabilities = ActionView.needs(WEBHOOKS_WRITE)

    def act(self, request: Request, webhook_id: str) -> HttpResponse:
        """Rotate."""
        read_object(request)
        secret = services.new_secret()

        def work() -> tuple[int, Any]:
            row = services.require(int(webhook_id))
            row.secret = secret
            row.save(update_fields=["secret"])
            return 200, body_of(row) | {"secret": None}

        return shown_once(self.idempotent(work), secret)


@action_schema(
    summary="Send a test to a webhook",
    description="A `webhook_test` delivery, sent with the next round.",
    parameters=[HOOK, IDEMPOTENCY],
    request=None,
    responses={202: DeliveryShape},
    examples=[answered(DELIVERY_EXAMPLE | {"event_type": "webhook_test", "cursor": 0}, 202)],
)
class TestView(ActionView):
    """A message that means nothing but that messages arrive."""

    required_capabilities = ActionView.needs(WEBHOOKS_WRITE)

    def act(self, request: Request, webhook_id: str) -> HttpResponse:
        """Send a test."""
        read_object(request)
        return self.idempotent(lambda: (202, _delivery_body(services.send_test(int(webhook_id)), None)))


@action_schema(
    summary="Deliver past facts to a webhook again",
    description=(
        "Every fact of its topics after the cursor `since`, with the same `webhook-id` as before. A long log takes"
        " several requests: as long as `next_since` is not null, ask again with it."
    ),
    parameters=[HOOK, IDEMPOTENCY],
    request=ReplayShape,
    responses={202: ReplayedShape},
    examples=[asked({"since": 45000}), answered({"deliveries": 12, "next_since": None}, 202)],
)
class ReplayView(ActionView):
    """From a cursor on."""

    required_capabilities = ActionView.needs(WEBHOOKS_WRITE)

    def act(self, request: Request, webhook_id: str) -> HttpResponse:
        """Replay."""
        fields = Fields(read_object(request))
        fields.require("since")
        since = fields.whole("since", low=0, high=2**62, default=0)
        fields.check()

        def work() -> tuple[int, Any]:
            count, next_since = services.replay(int(webhook_id), since=since)
            return 202, {"deliveries": count, "next_since": next_since}

        return self.idempotent(work)


class DeliveriesView(ApiView):
    """What an endpoint was sent."""

    required_capabilities = {"GET": WEBHOOKS_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List a webhook's deliveries",
        description="Newest first; `state=failed` shows what to look after.",
        parameters=[HOOK, in_query("state", enum=STATES), in_query("event_type")],
        responses={200: DeliveryShape(many=True)},
        examples=[answered(DELIVERY_EXAMPLE)],
    )
    def get(self, request: Request, webhook_id: str) -> HttpResponse:
        """List deliveries."""
        query = Query(request.GET)
        state, kind = query.choice("state", STATES), query.text("event_type", max_length=40)
        query.check()
        found = Delivery.objects.filter(endpoint=services.require(int(webhook_id))).order_by("-id")
        if state:
            found = found.filter(state=state)
        if kind:
            found = found.filter(event_type=kind)
        return conditional(request, to_json(read_page(request, found, delivery_rows)))


@action_schema(
    summary="Send one delivery again",
    parameters=[HOOK, in_path("delivery_id"), IDEMPOTENCY],
    request=None,
    responses={202: DeliveryShape},
    examples=[answered(DELIVERY_EXAMPLE | {"state": "pending"}, 202)],
)
class AgainView(ActionView):
    """One more time."""

    required_capabilities = ActionView.needs(WEBHOOKS_WRITE)

    def act(self, request: Request, webhook_id: str, delivery_id: str) -> HttpResponse:
        """Send it again."""
        read_object(request)

        def work() -> tuple[int, Any]:
            found = services.deliver_again(int(webhook_id), int(delivery_id))
            return 202, _delivery_body(found, Attempt.objects.filter(delivery=found).first())

        return self.idempotent(work)
