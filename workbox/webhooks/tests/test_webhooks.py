"""Webhooks: who is told, signed how, tried again when, and what may not be reached."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from inventory.models import Product
from inventory.services import ledger
from tests.client import Api
from workbox.core.events import head, sequence_pending
from workbox.core.followers import follow
from workbox.core.models import IdempotencyKey
from workbox.webhooks import outside, services
from workbox.webhooks.models import Attempt, Delivery, Endpoint
from workbox.webhooks.outside import Unreachable
from workbox.webhooks.services import FOLLOWER, WAITS_SECONDS
from workbox.webhooks.tasks import deliver_due
from workbox.webhooks.tests.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOKS_ALLOW_HTTP = True
    settings.WEBHOOKS_ALLOW_NETWORKS = ["127.0.0.0/8"]
    follow(FOLLOWER)
    with receiving() as found:
        yield found


@pytest.fixture
def hook(receiver: Receiver, manager: Api) -> dict[str, Any]:
    answer = manager("POST", "webhooks", {"url": receiver.url, "topics": ["stock"]})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def happen(product: Product) -> None:
    """A stock fact becomes true and the follower sees it."""
    ledger.adjust(product.pk, quantity=Decimal(1), reason="found")
    sequence_pending()
    follow(FOLLOWER)


def make_due() -> None:
    Delivery.objects.filter(state="pending").update(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))


def test_a_fact_arrives_once_signed_as_the_standard_says(
    receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct
) -> None:
    lamp = make_product("Lamp", stock=2)
    sequence_pending()
    follow(FOLLOWER)
    deliver_due()
    receiver.received.clear()
    happen(lamp)
    assert deliver_due() == 1
    ((headers, body),) = receiver.received
    told = Webhook(hook["secret"]).verify(body, headers)
    assert (told["type"], told["data"]["inventory_id"], told["data"]["stock_quantity"]) == (
        "inventory_update",
        lamp.pk,
        3,
    )
    assert told["cursor"] == Delivery.objects.latest("id").cursor <= head()
    with pytest.raises(WebhookVerificationError):
        Webhook(services.new_secret()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(body.replace(b"3", b"4"), headers)
    assert deliver_due() == 0
    delivery = Delivery.objects.latest("id")
    assert (delivery.state, delivery.attempts, delivery.log.get().status) == ("delivered", 1, 204)


def test_a_fact_told_twice_to_the_follower_makes_one_delivery(
    receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct
) -> None:
    happen(make_product("Lamp"))
    before = Delivery.objects.count()
    services.replay(hook["id"], since=0)
    assert Delivery.objects.count() == before > 0


def test_only_the_topics_asked_for_are_sent(receiver: Receiver, manager: Api, make_product: MakeProduct) -> None:
    manager("POST", "webhooks", {"url": receiver.url, "topics": ["orders"]})
    lamp = make_product("Lamp", stock=5)
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]})
    sequence_pending()
    follow(FOLLOWER)
    deliver_due()
    assert [json.loads(body)["type"] for _, body in receiver.received] == ["order_placed"]


def test_a_failure_is_tried_again_under_the_same_id_after_growing_waits(
    receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct
) -> None:
    lamp = make_product("Lamp")
    sequence_pending()
    follow(FOLLOWER)
    deliver_due()
    receiver.received.clear()
    receiver.answers = [500, 503, 302, 200]
    happen(lamp)
    waits = []
    for _ in range(4):
        make_due()
        began = datetime.now(UTC)
        assert deliver_due() == 1
        row = Delivery.objects.latest("id")
        if row.next_attempt_at is not None:
            waits.append((row.next_attempt_at - began).total_seconds())
    for wait, planned in zip(waits, WAITS_SECONDS, strict=False):
        assert 0.79 * planned < wait < 1.21 * planned + 1
    assert len(waits) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert (row.state, row.attempts) == ("delivered", 4)
    assert list(Attempt.objects.filter(delivery=row).order_by("id").values_list("status", flat=True)) == [
        500, 503, 302, 200,
    ]  # fmt: skip


def test_the_waits_cover_a_day() -> None:
    assert timedelta(hours=23) < timedelta(seconds=sum(WAITS_SECONDS)) <= timedelta(hours=24)
    assert {services.wait_seconds(0) for _ in range(20)} != {WAITS_SECONDS[0]}, "jitter"


def test_after_a_day_a_delivery_has_failed_and_a_silent_endpoint_is_switched_off(
    receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct, manager: Api
) -> None:
    receiver.answers = [500]
    lamp = make_product("Lamp")
    sequence_pending()
    follow(FOLLOWER)
    for _ in range(len(WAITS_SECONDS) + 2):
        make_due()
        deliver_due()
    row = Delivery.objects.latest("id")
    assert (row.state, row.attempts) == ("failed", len(WAITS_SECONDS) + 1)
    shown = manager("GET", f"webhooks/{hook['id']}").json()
    assert (shown["is_active"], bool(shown["disabled_reason"])) == (False, True)
    happen(lamp)
    assert Delivery.objects.latest("id").pk == row.pk, "nothing is queued for an endpoint that is off"
    receiver.answers = [200]
    assert manager("PATCH", f"webhooks/{hook['id']}", {"is_active": True}).json()["disabled_reason"] == ""
    assert manager("POST", f"webhooks/{hook['id']}/replay", {"since": row.cursor}).json() == {
        "deliveries": 1,
        "next_since": None,
    }
    assert manager("POST", f"webhooks/{hook['id']}/deliveries/{row.pk}/replay").json()["state"] == "pending"
    assert deliver_due() == 2
    states = manager("GET", f"webhooks/{hook['id']}/deliveries").json()["results"]
    assert {one["state"] for one in states} == {"delivered"}


def test_gone_means_never_again(receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct) -> None:
    receiver.answers = [410]
    happen(make_product("Lamp"))
    deliver_due()
    assert not Endpoint.objects.get().is_active


def test_two_workers_send_a_delivery_once(receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct) -> None:
    happen(make_product("Lamp"))
    first, second = (list(services.due(datetime.now(UTC))) for _ in range(2))
    assert [services._claim(one) for one in first] == [True] * len(first)
    assert [services._claim(one) for one in second] == [False] * len(second)


def test_the_secret_is_shown_once_and_rotated(receiver: Receiver, hook: dict[str, Any], manager: Api) -> None:
    assert hook["secret"].startswith("whsec_")
    assert "secret" not in manager("GET", f"webhooks/{hook['id']}").json()
    assert "secret" not in manager("GET", "webhooks").json()["results"][0]
    new = manager("POST", f"webhooks/{hook['id']}/rotate-secret").json()["secret"]
    assert new != hook["secret"]
    manager("POST", f"webhooks/{hook['id']}/test")
    deliver_due()
    headers, body = receiver.received[-1]
    assert Webhook(new).verify(body, headers)["type"] == "webhook_test"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.5/x",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/",
        "https://[::ffff:10.0.0.5]/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://[64:ff9b::10.0.0.5]/",
        "https://[2002:a00:5::]/",
        "https://[::10.0.0.5]/",
        "https://example.com:22/",
        "https://user:pass@example.com/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "https://",
        "https://example.com:99999/",
        "",
    ],
)
def test_what_must_not_be_called_is_refused(url: str, manager: Api) -> None:
    answer = manager("POST", "webhooks", {"url": url, "topics": ["stock"]})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["url"])
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"url": "https://example.com/", "topics": []},
        {"url": "https://example.com/", "topics": ["weather"]},
        {"url": "https://example.com/", "topics": "stock"},
        {"url": "https://example.com/"},
        {"topics": ["stock"]},
    ],
)
def test_an_endpoint_needs_a_url_and_topics_that_exist(body: dict[str, Any], manager: Api) -> None:
    assert manager("POST", "webhooks", body).status_code == 422


def test_a_name_that_leads_inside_is_not_called(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOKS_ALLOW_HTTP = True

    def inside(*args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.5")]

    monkeypatch.setattr(socket, "getaddrinfo", inside)  # the name server is outside the process
    with pytest.raises(Unreachable, match="private network"):
        outside.post("http://example.com/", b"{}", {})


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.answers, receiver.location = [302], receiver.url
    assert outside.post(receiver.url, b"{}", {}).status == 302
    assert len(receiver.received) == 1


def test_old_deliveries_are_forgotten(receiver: Receiver, hook: dict[str, Any], make_product: MakeProduct) -> None:
    happen(make_product("Lamp"))
    deliver_due()
    Delivery.objects.update(created_at=datetime.now(UTC) - timedelta(days=services.KEPT_DAYS + 1))
    count = Delivery.objects.count()
    assert services.forget_old() == count > 0
    assert not Attempt.objects.exists()


def test_a_replayed_answer_shows_no_secret_and_none_is_kept_with_it(receiver: Receiver, manager: Api) -> None:
    body = {"url": receiver.url, "topics": ["stock"]}
    made, twin = (manager("POST", "webhooks", body, Idempotency_Key="hook") for _ in range(2))
    secret = made.json()["secret"]
    assert secret == Endpoint.objects.get().secret
    assert (twin.status_code, twin["Idempotency-Replayed"], twin.json()) == (
        201,
        "true",
        made.json() | {"secret": None},
    )
    path = f"webhooks/{made.json()['id']}/rotate-secret"
    turned, again = (manager("POST", path, {}, Idempotency_Key="turn") for _ in range(2))
    assert (turned.json()["secret"], again.json()["secret"]) == (Endpoint.objects.get().secret, None)
    assert not IdempotencyKey.objects.filter(body__contains="whsec_").exists()


def test_a_dead_receiver_costs_the_others_one_attempt(
    receiver: Receiver, hook: dict[str, Any], manager: Api, make_product: MakeProduct
) -> None:
    receiver.answers = [500]
    with receiving() as other:
        second = manager("POST", "webhooks", {"url": other.url, "topics": ["stock"]}).json()
        lamp = make_product("Lamp")
        for _ in range(5):
            happen(lamp)
        count = Delivery.objects.filter(endpoint_id=second["id"]).count()
        assert deliver_due() == 1 + count
        assert (len(receiver.received), len(other.received)) == (1, count)
        assert Delivery.objects.filter(endpoint_id=hook["id"], attempts=0).count() == count - 1
        receiver.answers = [204]
        make_due()
        assert deliver_due() == count  # what waited behind the failure goes out with the next round


def test_endpoints_take_turns(
    receiver: Receiver, hook: dict[str, Any], manager: Api, make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = manager("POST", "webhooks", {"url": receiver.url + "2", "topics": ["stock"]}).json()
    happen(make_product("Lamp"))
    happen(make_product("Rug"))
    count = Delivery.objects.count()
    monkeypatch.setattr(services, "DUE_OF_ENDPOINT", 1)
    assert deliver_due() == count
    order = [headers["webhook-id"].split("_")[1] for headers, _ in receiver.received]
    assert order == [str(hook["id"]), str(second["id"])] * (count // 2)


def test_a_url_with_letters_of_any_script_is_called_percent_encoded(receiver: Receiver) -> None:
    url = receiver.url.replace("/hook", "/häken/%20?größe=1 2")
    assert outside.post(url, b"{}", {}).status == 204
    assert receiver.paths == ["/h%C3%A4ken/%20?gr%C3%B6%C3%9Fe=1%202"]


def test_an_address_that_cannot_be_sent_is_unreachable_and_no_crash(receiver: Receiver) -> None:
    with pytest.raises(Unreachable):
        outside.post("http://" + "a" * 64 + ".example/", b"{}", {})


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_comes_drop_by_drop_is_cut_off(
    part: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "TIMEOUT_SECONDS", 0.4)
    receiver.drips = part
    began = time.monotonic()
    with pytest.raises(Unreachable, match="TimeoutError"):
        outside.post(receiver.url, b"{}", {})
    assert time.monotonic() - began < 1.5


def test_a_replay_takes_so_many_facts_and_says_where_to_go_on(
    receiver: Receiver, hook: dict[str, Any], manager: Api, make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp = make_product("Lamp")
    for _ in range(4):
        happen(lamp)
    everything = services.replay(hook["id"], since=0)
    assert everything[1] is None
    monkeypatch.setattr(services, "REPLAY_MAX", 3)
    monkeypatch.setattr(services, "REPLAY_ROWS", 2)
    since: int | None = 0
    counts = []
    while since is not None:
        answer = manager("POST", f"webhooks/{hook['id']}/replay", {"since": since})
        counts.append(answer.json()["deliveries"])
        since = answer.json()["next_since"]
    assert len(counts) > 1
    assert sum(counts) == everything[0]
