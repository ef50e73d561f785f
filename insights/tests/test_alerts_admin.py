"""Alerts in the admin: the list shows what needs attention, dialogs act, the settings form keeps what it is told."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from insights import alerts
from insights.models import Alert, AlertSettings
from inventory.models import Product

pytestmark = pytest.mark.django_db
Browser = Callable[[str], Client]
LIST = "admin:insights_alert_changelist"


@pytest.fixture
def browser(make_user: Callable[..., User]) -> Browser:
    def log_in(role: str) -> Client:
        client = Client()
        user = User.objects.filter(username=role).first() or make_user(role)
        client.force_login(user, backend="accounts.roles.RoleBackend")
        return client

    return log_in


@pytest.fixture
def four(make_product: Callable[..., Product]) -> dict[str, int]:
    """Active, acknowledged, snoozed and resolved: SKU → alert id."""
    for sku in ("ACTIVE", "SEEN", "ASLEEP", "OVER"):
        make_product(sku.title(), sku=sku, stock=9)
    found = dict(Alert.objects.values_list("product__sku", "id"))
    alerts.acknowledge(found["SEEN"])
    alerts.snooze(found["ASLEEP"], until=datetime.now(UTC) + timedelta(hours=1))
    alerts.resolve(found["OVER"])
    return found


def act(client: Client, step: str, pk: int, **fields: Any) -> HttpResponse:
    url = reverse(f"admin:insights_alert_{step}", args=[pk])
    return client.post(url, {"_form_submitted": "on", **fields}, headers={"HX-Request": "true"})


def shown(client: Client, query: str = "") -> set[str]:
    page = client.get(reverse(LIST) + query)
    return {alert.product.sku for alert in page.context["cl"].result_list}


def test_the_list_begins_with_what_needs_attention(four: dict[str, int], browser: Browser) -> None:
    clerk = browser("clerk")
    assert shown(clerk) == {"ACTIVE", "SEEN"}
    assert shown(clerk, "?attention=open") == {"ACTIVE", "SEEN", "ASLEEP"}
    assert shown(clerk, "?attention=all") == {"ACTIVE", "SEEN", "ASLEEP", "OVER"}
    assert shown(clerk, "?status__exact=resolved") == {"OVER"}
    assert shown(clerk, "?q=OVER") == {"OVER"}


def test_a_clerk_acknowledges_snoozes_and_resolves_by_dialogs(four: dict[str, int], browser: Browser) -> None:
    clerk, number = browser("clerk"), four["ACTIVE"]
    assert clerk.get(reverse("admin:insights_alert_acknowledge", args=[number])).status_code == 200
    assert Alert.objects.get(pk=number).status == "active"
    act(clerk, "acknowledge", number)
    assert Alert.objects.get(pk=number).acknowledged_by.username == "clerk"
    assert "has been acknowledged already" in act(clerk, "acknowledge", number).content.decode()
    act(clerk, "snooze", number, hours="72")
    left = Alert.objects.get(pk=number).snoozed_until - datetime.now(UTC)
    assert timedelta(hours=71) < left <= timedelta(hours=72)
    act(clerk, "resolve", number, note="Ordered by phone")
    alert = Alert.objects.get(pk=number)
    assert (alert.status, alert.note, alert.resolved_by.username) == ("resolved", "Ordered by phone", "clerk")
    assert "has been resolved already" in act(clerk, "resolve", number).content.decode()


def test_an_analyst_only_looks(four: dict[str, int], browser: Browser) -> None:
    analyst = browser("analyst")
    page = analyst.get(reverse("admin:insights_alert_change", args=[four["ACTIVE"]]))
    assert page.status_code == 200
    assert (
        reverse("admin:inventory_product_change", args=[Product.objects.get(sku="ACTIVE").pk]) in page.content.decode()
    )
    for step in ("acknowledge", "snooze", "resolve"):
        assert act(analyst, step, four["ACTIVE"], hours="4").status_code == 403
    assert Alert.objects.get(pk=four["ACTIVE"]).status == "active"


def test_several_are_resolved_at_once_and_each_says_why_not(four: dict[str, int], browser: Browser) -> None:
    page = browser("clerk").post(
        reverse(LIST) + "?attention=all",
        {"action": "resolve_selected", "_selected_action": [four["ACTIVE"], four["OVER"]]},
        follow=True,
    )
    assert "1 resolved: Active (ACTIVE): 9 left" in page.content.decode()
    assert "has been resolved already" in page.content.decode()


def shown_before(page: str) -> dict[str, str]:
    """What the page carries of the values it shows."""
    return dict(re.findall(r'<input type="hidden" name="(initial-\w+)" value="([^"]*)"', page))


def test_the_settings_form_keeps_what_a_manager_says(browser: Browser) -> None:
    AlertSettings.objects.get_or_create(pk=AlertSettings.ROW)
    url = reverse("admin:insights_alertsettings_change", args=[AlertSettings.ROW])
    given = {
        "low_stock_enabled": "on", "alert_threshold_days": "21", "hysteresis_percent": "5",
        "email_notifications_enabled": "on", "alert_recipient_emails": "a@example.com\nb@example.com",
    }  # fmt: skip
    manager = browser("manager")
    page = manager.get(url).content.decode()
    assert "a@example" not in page
    given |= shown_before(page)
    refused = manager.post(url, given | {"alert_recipient_emails": "nobody"}).content.decode()
    assert "“nobody” is no e-mail address." in refused
    assert manager.post(url, given | {"alert_threshold_days": "91"}).status_code == 200
    assert AlertSettings.objects.get().alert_threshold_days == 14
    assert manager.post(url, given).status_code == 302
    kept = AlertSettings.objects.get()
    assert (kept.alert_threshold_days, kept.hysteresis_percent, kept.predicted_depletion_enabled) == (21, 5, False)
    assert kept.alert_recipient_emails == ["a@example.com", "b@example.com"]
    assert "a@example.com\nb@example.com" in manager.get(url).content.decode()
    assert browser("clerk").post(url, given).status_code == 403


def test_two_tabs_change_different_settings_and_both_stay(browser: Browser) -> None:
    AlertSettings.objects.get_or_create(pk=AlertSettings.ROW)
    url = reverse("admin:insights_alertsettings_change", args=[AlertSettings.ROW])
    manager = browser("manager")
    page = manager.get(url).content.decode()
    shown = shown_before(page)
    fields = {"low_stock_enabled": "on", "predicted_depletion_enabled": "on", "unusual_activity_enabled": "on"}
    fields |= {"alert_threshold_days": "14", "hysteresis_percent": "10", "alert_recipient_emails": ""}
    assert shown["initial-alert_threshold_days"] == "14"
    assert manager.post(url, shown | fields | {"alert_threshold_days": "21"}).status_code == 302
    assert manager.post(url, shown | fields | {"hysteresis_percent": "5"}).status_code == 302
    kept = AlertSettings.objects.get()
    assert (kept.alert_threshold_days, kept.hysteresis_percent) == (21, 5)
