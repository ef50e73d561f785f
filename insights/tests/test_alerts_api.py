"""Alerts over REST: the seed's requests as written, filters, actions, settings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from insights import alerts, watch
from insights.models import Alert, AlertSettings
from inventory.models import Product
from inventory.services import ledger
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
BASES = [(prefix, slash) for prefix in ("/api/v1", "") for slash in ("", "/")]


@pytest.fixture
def three(make_product: MakeProduct) -> dict[str, int]:
    """A warning, a critical alert and a resolved one: SKU → alert id."""
    for sku, stock in (("A", 9), ("B", 2), ("C", 8)):
        make_product(sku, sku=sku, stock=stock)
    found = dict(Alert.objects.values_list("product__sku", "id"))
    alerts.resolve(found["C"])
    return found


def skus(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["sku"] for row in response.json()["results"]]


# ---- the seed's section “Alert Management” ---------------------------------------------------------------------------
@pytest.mark.parametrize(("prefix", "slash"), BASES)
def test_the_seeds_requests_work_as_printed(prefix: str, slash: str, three: dict[str, int], manager: Api) -> None:
    at = f"{prefix}/alerts{slash}"
    assert skus(manager("GET", at)) == ["C", "B", "A"]
    assert skus(manager("GET", f"{at}?status=active")) == ["B", "A"]
    assert skus(manager("GET", f"{at}?alert_type=low_stock&severity=critical")) == ["B"]

    seen = manager("POST", f"{prefix}/alerts/{three['A']}/acknowledge{slash}")
    assert (seen.status_code, seen.json()["status"], seen.json()["acknowledged_by"]) == (200, "acknowledged", "manager")
    assert seen.json()["acknowledged_at"] is not None
    over = manager("POST", f"{prefix}/alerts/{three['A']}/resolve{slash}")
    assert (over.status_code, over.json()["status"], over.json()["resolved_by"]) == (200, "resolved", "manager")
    assert over.json()["resolved_at"] is not None

    settings = f"{prefix}/alerts/settings{slash}"
    assert manager("GET", settings).json()["alert_threshold_days"] == 14
    body = (
        b'{\n    "alert_threshold_days": 14,\n    "low_stock_enabled": true,\n'
        b'    "predicted_depletion_enabled": true\n  }'
    )
    assert manager("PUT", settings, body).status_code == 200


# ---- reading ---------------------------------------------------------------------------------------------------------
def test_an_alert_names_its_product_and_says_why(three: dict[str, int], manager: Api) -> None:
    body = manager("GET", f"alerts/{three['B']}").json()
    product = Product.objects.get(sku="B")
    assert (body["product_id"], body["product"], body["sku"]) == (product.pk, "B", "B")
    assert (body["alert_type"], body["severity"], body["status"]) == ("low_stock", "critical", "active")
    assert (body["current_quantity"], body["threshold"], body["stock_quantity"]) == (2, 10, 2)
    assert body["message"] == "2 of B (B) can be ordered; at or below 10 it has to be reordered."
    assert body["why"] == f"/api/v1/products/{product.pk}/availability/explain"
    assert manager("GET", "alerts/987654321").status_code == 404


def test_filters_combine_and_pages_follow_each_other(three: dict[str, int], manager: Api, main: Any) -> None:
    product_id = Product.objects.get(sku="A").pk
    assert skus(manager("GET", f"alerts?product_id={product_id}&status=ACTIVE")) == ["A"]
    assert skus(manager("GET", f"alerts?product_id={product_id}&severity=critical")) == []
    assert skus(manager("GET", f"alerts?warehouse_id={main.pk}")) == []
    assert skus(manager("GET", "alerts?page=2&page_size=2")) == ["A"]
    assert skus(manager("GET", "alerts?skip=1&limit=1")) == ["B"]
    Alert.objects.filter(id=three["A"]).update(raised_at=datetime.now(UTC) - timedelta(days=3))
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    assert skus(manager("GET", f"alerts?since={yesterday}")) == ["C", "B"]
    ledger.set_quantity(product_id, available=alerts.Decimal(1), reason="Counted")
    watch.check()
    assert skus(manager("GET", f"alerts?warehouse_id={main.pk}&alert_type=unusual_activity")) == ["A"]


@pytest.mark.parametrize(
    "query",
    ["status=open", "alert_type=gossip", "severity=mild", "product_id=x", "warehouse_id=0", "since=soon", "page=0"],
)
def test_an_unknown_value_is_a_422(query: str, manager: Api) -> None:
    response = manager("GET", f"alerts?{query}")
    assert response.status_code == 422
    assert list(response.json()["fields"]) == [query.partition("=")[0]]


def test_a_list_has_an_etag(three: dict[str, int], manager: Api) -> None:
    tag = manager("GET", "alerts").headers["ETag"]
    assert manager("GET", "alerts", If_None_Match=tag).status_code == 304


# ---- actions ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_second_acknowledge_and_a_second_resolve_are_conflicts(
    method: str, three: dict[str, int], manager: Api
) -> None:
    assert manager(method, f"alerts/{three['A']}/acknowledge").status_code == 200
    again = manager(method, f"alerts/{three['A']}/acknowledge")
    assert (again.status_code, again.json()["code"], again.json()["status"]) == (
        409, "already_acknowledged", "acknowledged",
    )  # fmt: skip
    for verb in ("resolve", "acknowledge", "snooze"):
        refused = manager(method, f"alerts/{three['C']}/{verb}", {"hours": 1})
        assert (refused.status_code, refused.json()["code"]) == (409, "already_resolved")
    assert manager(method, "alerts/987654321/resolve").status_code == 404


def test_an_action_sent_twice_under_one_key_happens_once(three: dict[str, int], manager: Api) -> None:
    path = f"alerts/{three['A']}/resolve"
    first = manager("POST", path, {"note": "Bought"}, Idempotency_Key="k")
    second = manager("POST", path, {"note": "Bought"}, Idempotency_Key="k")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert first.json()["note"] == "Bought"
    assert first.json()["resolution"] == "by_hand"


def test_an_action_on_an_outdated_picture_is_refused(three: dict[str, int], manager: Api) -> None:
    tag = manager("GET", f"alerts/{three['A']}").headers["ETag"]
    alerts.acknowledge(three["A"])
    assert manager("POST", f"alerts/{three['A']}/resolve", If_Match=tag).status_code == 412


def test_an_alert_is_snoozed_for_hours_or_until_a_time(three: dict[str, int], manager: Api) -> None:
    path = f"alerts/{three['A']}/snooze"
    body = manager("POST", path, {"hours": 4}).json()
    left = datetime.fromisoformat(body["snoozed_until"]) - datetime.now(UTC)
    assert timedelta(hours=3, minutes=59) < left <= timedelta(hours=4)
    until = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    assert manager("POST", path, {"until": until.isoformat()}).json()["snoozed_until"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    for wrong in ({}, {"hours": 0}, {"hours": 1, "until": until.isoformat()}, {"until": "2020-01-01"}, {"hours": "x"}):
        assert manager("POST", path, wrong).status_code == 422, wrong


# ---- settings --------------------------------------------------------------------------------------------------------
def test_settings_are_kept(manager: Api) -> None:
    changes = {
        "alert_threshold_days": 21,
        "low_stock_enabled": False,
        "unusual_activity_enabled": False,
        "email_notifications_enabled": True,
        "alert_recipient_emails": ["a@example.com", "b@example.com", "a@example.com"],
        "hysteresis_percent": 25,
    }
    answer = manager("PUT", "alerts/settings", changes)
    expected = {
        **changes,
        "alert_recipient_emails": ["a@example.com", "b@example.com"],
        "predicted_depletion_enabled": True,
    }
    assert answer.json() == expected == manager("GET", "alerts/settings").json()
    assert manager("PATCH", "alerts/settings", {"alert_threshold_days": 7}).json() == {
        **expected,
        "alert_threshold_days": 7,
    }
    assert AlertSettings.objects.get().alert_threshold_days == 7


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"alert_threshold_days": 0}, "alert_threshold_days"),
        ({"alert_threshold_days": 91}, "alert_threshold_days"),
        ({"alert_threshold_days": 1.5}, "alert_threshold_days"),
        ({"low_stock_enabled": "perhaps"}, "low_stock_enabled"),
        ({"hysteresis_percent": 101}, "hysteresis_percent"),
        ({"alert_recipient_emails": "a@example.com"}, "alert_recipient_emails"),
        ({"alert_recipient_emails": ["nobody"]}, "alert_recipient_emails"),
        ({"alert_recipient_emails": [f"a{number}@example.com" for number in range(51)]}, "alert_recipient_emails"),
    ],
)
def test_wrong_settings_are_refused_and_nothing_is_changed(body: dict[str, Any], field: str, manager: Api) -> None:
    before = manager("GET", "alerts/settings").json()
    response = manager("PUT", "alerts/settings", body)
    assert (response.status_code, list(response.json()["fields"])) == (422, [field])
    assert manager("GET", "alerts/settings").json() == before


def test_settings_that_moved_are_not_overwritten(manager: Api) -> None:
    tag = manager("GET", "alerts/settings").headers["ETag"]
    assert manager("PUT", "alerts/settings", {"alert_threshold_days": 20}, If_Match=tag).status_code == 200
    assert manager("PUT", "alerts/settings", {"alert_threshold_days": 30}, If_Match=tag).status_code == 412


def test_a_clerk_acknowledges_but_does_not_set(
    three: dict[str, int], make_user: Callable[..., User], as_staff: Callable[[str], Api]
) -> None:
    clerk = as_staff("clerk")
    assert clerk("POST", f"alerts/{three['A']}/acknowledge").status_code == 200
    assert clerk("PUT", "alerts/settings", {"alert_threshold_days": 5}).status_code == 403
    assert as_staff("analyst")("POST", f"alerts/{three['A']}/resolve").status_code == 403
