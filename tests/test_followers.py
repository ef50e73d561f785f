"""Followers of the event log get every fact, in order; their cursor and what it stands for move together."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from workbox.core import followers
from workbox.core.events import CATALOG, Fact, NewEvent, append, forget_before, sequence_pending
from workbox.core.followers import Follower, follow, lag
from workbox.core.models import EventCursor
from workbox.core.supervised import FAULTS
from workbox.core.tasks import follow as follow_task


def tell(*subjects: int) -> None:
    append(NewEvent("product_updated", CATALOG, one) for one in subjects)
    sequence_pending()


def collecting(seen: list[int]) -> Follower:
    def take(facts: Sequence[Fact]) -> None:
        seen.extend(fact.subject_id for fact in facts)

    return Follower("test", take)


@pytest.mark.django_db
def test_a_new_follower_begins_at_the_head_and_then_gets_every_fact_in_order() -> None:
    seen: list[int] = []
    follower = collecting(seen)
    tell(1, 2)
    assert follow(follower) == 0
    tell(3, 4)
    tell(5)
    assert lag(follower) == 3
    assert follow(follower) == 3
    assert (seen, lag(follower)) == ([3, 4, 5], 0)
    assert follow(follower) == 0


@pytest.mark.django_db
def test_more_than_a_batch_is_taken_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    follower = collecting(seen)
    follow(follower)
    monkeypatch.setattr(followers, "BATCH_ROWS", 2)
    tell(*range(1, 8))
    assert follow(follower) == 7
    assert seen == list(range(1, 8))


@pytest.mark.django_db(transaction=True)
def test_a_follower_that_fails_keeps_its_place_and_leaves_nothing_behind() -> None:
    def take(facts: Sequence[Fact]) -> None:
        EventCursor.objects.create(name=f"written for {facts[0].subject_id}")
        raise ValueError("no")

    follower = Follower("test", take)
    follow(follower)
    tell(1)
    with pytest.raises(ValueError, match="no"):
        follow(follower)
    assert lag(follower) == 1
    assert not EventCursor.objects.filter(name__startswith="written").exists()


@pytest.mark.django_db
def test_the_minute_task_sequences_and_follows(settings: Any) -> None:
    settings.WORKBOX_FOLLOWERS = ["tests.test_followers.COUNTING"]
    follow_task()
    append([NewEvent("product_updated", CATALOG, 9)])
    TAKEN.clear()
    assert follow_task() == 1
    assert TAKEN == [9]


TAKEN: list[int] = []
COUNTING = collecting(TAKEN)


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_hand_each_fact_over_once() -> None:
    seen: list[int] = []
    lock = threading.Lock()

    def take(facts: Sequence[Fact]) -> None:
        with lock:
            seen.extend(fact.subject_id for fact in facts)

    follower = Follower("test", take)
    follow(follower)

    def run() -> None:
        try:
            for _ in range(50):
                follow(follower)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 101):
        tell(number)
    for thread in threads:
        thread.join()
    connections.close_all()
    follow(follower)
    assert seen == list(range(1, 101))


def breaking(_facts: Sequence[Fact]) -> None:
    raise ValueError("poison")


BREAKING = Follower("breaking", breaking)


@pytest.mark.django_db(transaction=True)
def test_a_follower_that_breaks_is_told_of_and_does_not_starve_those_after_it(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WORKBOX_FOLLOWERS = ["tests.test_followers.BREAKING", "tests.test_followers.COUNTING"]
    monkeypatch.setattr(followers, "_paused", {})
    follow_task()
    TAKEN.clear()
    tell(5)
    with capture_logs() as logs:
        assert follow_task() == 1
        tell(6)
        assert follow_task() == 1
    assert TAKEN == [5, 6]
    told = [(one["event"], one["loop"], one["log_level"]) for one in logs]
    assert told == [("background_fault", "follower breaking", "error")], "once: then it is left alone for a while"
    assert (lag(BREAKING), lag(COUNTING)) == (2, 0)
    sample = generate_latest(FAULTS).decode()
    assert 'workbox_background_faults_total{loop="follower breaking"} 1.0' in sample


@pytest.mark.django_db
def test_what_a_follower_has_not_taken_is_not_forgotten(settings: Any) -> None:
    settings.WORKBOX_FOLLOWERS = ["tests.test_followers.COUNTING"]
    follow_task()
    tell(7)
    later = timezone.now() + timedelta(days=1)
    assert forget_before(later, up_to=followers.slowest()) == 0
    follow_task()
    assert forget_before(later, up_to=followers.slowest()) == 1
