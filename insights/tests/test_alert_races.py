"""Thirty-two orders cross a threshold at once on MariaDB: one alert is open, and no order notices."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from insights import alerts, watch
from insights.models import OPEN, Alert
from inventory.models import Product
from inventory.services import ledger
from orders import services
from orders.services import Item
from workbox import drills
from workbox.core.models import Event

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
THREADS = 32


def _order(product: Product, user_id: int) -> Callable[[], str]:
    return lambda: "placed" if services.place_order([Item(product.pk, Decimal(1))], user_id=user_id) else ""


def test_orders_that_cross_a_threshold_at_once_open_one_alert_and_none_fails() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=40)
    before = drills.deadlocks_so_far()
    outcomes = drills.in_threads([_order(lamp, buyer.pk)] * 38, threads=THREADS)
    assert outcomes == {"placed": 38}
    assert drills.deadlocks_so_far() == before
    assert list(Alert.objects.values_list("product_id", "severity", "status")) == [(lamp.pk, "critical", "active")]
    assert Event.objects.filter(type="alert_raised").count() == 1


def test_orders_checks_and_people_at_once_leave_at_most_one_open_alert_per_product() -> None:
    buyer, made = drills.shop(products=6, stock=30)
    number = [0]

    def people() -> str:
        for alert in Alert.objects.filter(OPEN)[:3]:
            try:
                alerts.resolve(alert.pk)
            except alerts.Conflict:
                return "resolved"
        return "resolved"

    def check() -> str:
        watch.check()
        return "checked"

    def bring() -> str:
        number[0] += 1
        product = made[number[0] % len(made)]
        ledger.set_quantity(product.pk, available=Decimal(30), reason="Delivery")
        return "brought"

    orders = [_order(made[index % 6], buyer.pk) for index in range(120)]
    acts = [
        act
        for index, order in enumerate(orders)
        for act in (order, *((people, check, bring) if index % 6 == 0 else ()))
    ]
    before = drills.deadlocks_so_far()
    outcomes = drills.in_threads(acts, threads=THREADS)
    assert outcomes == {"placed": 120, "resolved": 20, "checked": 20, "brought": 20}
    assert drills.deadlocks_so_far() == before
    keys = list(Alert.objects.filter(OPEN).values_list("subject", flat=True))
    assert len(keys) == len(set(keys))


def test_raising_one_reason_at_once_without_holding_the_product_makes_one_alert() -> None:
    _, (lamp,) = drills.shop(products=1, stock=40)
    reason = alerts.low_stock(alerts.named(lamp), available=Decimal(1), threshold=Decimal(10))
    assert reason is not None

    def act() -> str:
        with transaction.atomic():
            return f"told {len(alerts.raise_alerts([reason]))}"

    outcomes = drills.in_threads([act] * THREADS, threads=THREADS)
    assert Alert.objects.count() == 1
    assert outcomes["told 1"] == 1


def test_control_looking_before_writing_without_the_unique_key_makes_several() -> None:
    _, (lamp,) = drills.shop(products=1, stock=40)
    now = datetime.now(UTC)

    def act() -> str:
        with transaction.atomic():
            if Alert.objects.filter(product=lamp).exists():
                return "seen"
            time.sleep(0.002)
            Alert.objects.create(
                alert_type="low_stock", severity="warning", status="resolved", product=lamp, subject="s", open_key=None,
                title="t", message="m", current_quantity=1, threshold=10, raised_at=now, last_seen_at=now,
                resolved_at=now,
            )  # fmt: skip
        return "raised"

    outcomes = drills.in_threads([act] * THREADS, threads=THREADS)
    assert Alert.objects.count() == outcomes["raised"] > 1
