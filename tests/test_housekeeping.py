"""What the nightly tasks forget, and what they keep; every task of the schedule exists."""

from datetime import timedelta
from typing import Any

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import RefreshToken, User
from accounts.tasks import housekeeping as forget_tokens
from accounts.tokens import issue_pair
from conftest import PASSWORD
from workbox.celery import app
from workbox.core.db import utc_text
from workbox.core.events import (
    CATALOG,
    ORDERS,
    STOCK,
    NewEvent,
    append,
    end_of,
    forgotten,
    read_after,
    sequence_pending,
)
from workbox.core.idempotency import forget_old_keys, once, request_hash
from workbox.core.models import Event, IdempotencyKey
from workbox.core.tasks import housekeeping

pytestmark = pytest.mark.django_db


def make_older(table: str, days: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET created_at = %s", [utc_text(timezone.now() - timedelta(days=days))])


def keep_key(name: str) -> None:
    once(lambda: (201, b"{}"), user_id=1, key=name, fingerprint=request_hash("POST", "/", b""))


def test_old_events_are_forgotten_and_an_orders_time_line_stays() -> None:
    append([NewEvent("product_updated", CATALOG, 1), NewEvent("order_placed", ORDERS, 1)])
    sequence_pending()
    make_older("core_event", settings.WORKBOX_EVENT_RETENTION_DAYS + 1)
    append([NewEvent("product_updated", CATALOG, 2)])
    sequence_pending()
    assert housekeeping()["events"] == 1
    assert list(Event.objects.order_by("id").values_list("type", "subject_id")) == [
        ("order_placed", 1),
        ("product_updated", 2),
    ]
    assert forgotten() == end_of(2)
    assert housekeeping()["events"] == 0


def test_what_rode_with_an_orders_fact_is_forgotten_and_the_fact_stays() -> None:
    append([NewEvent("inventory_update", STOCK, 1, {"version": 2}), NewEvent("order_placed", ORDERS, 1)])
    sequence_pending()
    assert [fact.type for fact in read_after(0)] == ["inventory_update", "order_placed"]
    make_older("core_event", settings.WORKBOX_EVENT_RETENTION_DAYS + 1)
    assert housekeeping()["events"] == 1
    assert [fact.type for fact in read_after(0)] == ["order_placed"]
    assert housekeeping()["events"] == 0


def test_keys_are_kept_for_a_day() -> None:
    for number in range(5):
        keep_key(f"old-{number}")
    make_older("core_idempotencykey", 1.1)
    keep_key("new")
    assert forget_old_keys(batch=2) == 5
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["new"]
    assert housekeeping()["idempotency_keys"] == 0


def test_expired_refresh_tokens_go() -> None:
    user = User.objects.create_user("ines", "ines@example.com", PASSWORD)
    issue_pair(user)
    issue_pair(user)
    RefreshToken.objects.filter(pk=RefreshToken.objects.earliest("created_at").pk).update(expires_at=timezone.now())
    assert forget_tokens() == 1
    assert RefreshToken.objects.count() == 1


def test_every_task_of_the_schedule_exists() -> None:
    app.loader.import_default_modules()
    wanted = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert wanted <= set(app.tasks)
    assert len(wanted) >= 4


@pytest.mark.parametrize(
    ("task", "when"),
    [
        ("insights.check_alerts", crontab(minute=0)),  # hourly
        ("insights.auto_resolve_alerts", crontab(hour="*/6", minute=30)),  # every six hours
        ("jobs.reap", 300.0),
    ],
)
def test_the_seeds_schedule_stands(task: str, when: Any) -> None:
    assert [one["schedule"] for one in settings.CELERY_BEAT_SCHEDULE.values() if one["task"] == task] == [when]
