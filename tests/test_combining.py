"""Requests that share a transaction: who leads, who goes along, and what becomes of each when one of them cannot."""

import threading
import time
from collections.abc import Sequence

import pytest

from workbox.core import combining
from workbox.core.combining import Apart, Combiner
from workbox.core.db import CommitUnknown
from workbox.core.errors import Conflict

ALONE_SECONDS_MAX = 2.0


class Bakery:
    """Bakes what is asked for; the first batch waits at `door`, so that others queue up meanwhile."""

    def __init__(self, *, size_max: int = 100) -> None:
        self.batches: list[list[int]] = []
        self.singles: list[int] = []
        self.fault: BaseException | None = None
        self.door, self.inside = threading.Event(), threading.Event()
        self.combiner: Combiner[int, str] = Combiner(self.bake, size_max=size_max)

    def bake(self, asks: Sequence[int]) -> list[str]:
        self.batches.append(list(asks))
        if self.fault is not None:
            raise self.fault
        return [f"loaf {one} of {len(asks)}" for one in asks]

    def ask(self, number: int, *, size: int = 1) -> str:
        def alone() -> str:
            if number == 0:
                self.inside.set()
                assert self.door.wait(10)
            self.singles.append(number)
            return f"loaf {number}"

        return self.combiner.run(number, alone, size=size)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives up the queue, however slow the machine."""
    monkeypatch.setattr(combining, "PATIENCE_SECONDS", 30)


def asked(bakery: Bakery, numbers: Sequence[int], *, size: int = 1) -> dict[int, str | BaseException]:
    """What number 0, who holds the lead, and the others, who came meanwhile in this order, got."""
    got: dict[int, str | BaseException] = {}

    def one(number: int) -> None:
        try:
            got[number] = bakery.ask(number, size=size)
        except (Conflict, CommitUnknown, ZeroDivisionError) as error:
            got[number] = error

    threads = [threading.Thread(target=one, args=[number]) for number in [0, *numbers]]
    threads[0].start()
    assert bakery.inside.wait(10)
    for place, thread in enumerate(threads[1:], 1):
        thread.start()
        while len(bakery.combiner._queue) < place:
            time.sleep(0.001)
    bakery.door.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return got


def test_who_finds_nobody_at_work_goes_alone_at_once() -> None:
    bakery = Bakery()
    bakery.door.set()
    assert [bakery.ask(0), bakery.ask(7)] == ["loaf 0", "loaf 7"]
    assert (bakery.batches, bakery.singles) == ([], [0, 7])


@pytest.mark.usefixtures("patient")
def test_those_who_come_meanwhile_are_served_together_in_their_order() -> None:
    bakery = Bakery()
    assert asked(bakery, [1, 2, 3]) == {0: "loaf 0", 1: "loaf 1 of 3", 2: "loaf 2 of 3", 3: "loaf 3 of 3"}
    assert (bakery.batches, bakery.singles) == ([[1, 2, 3]], [0])


@pytest.mark.usefixtures("patient")
def test_no_more_go_together_than_fit() -> None:
    bakery = Bakery(size_max=5)
    assert set(asked(bakery, [1, 2, 3], size=2).values()) == {"loaf 0", "loaf 1 of 2", "loaf 2 of 2", "loaf 3"}
    assert bakery.batches == [[1, 2]]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("fault", [Apart(), Conflict("one of them cannot")], ids=["apart", "refused"])
def test_what_cannot_be_done_together_is_done_by_each_alone(fault: Exception) -> None:
    bakery = Bakery()
    bakery.fault = fault
    assert asked(bakery, [1, 2, 3]) == {number: f"loaf {number}" for number in range(4)}
    assert sorted(bakery.singles) == [0, 1, 2, 3]


@pytest.mark.usefixtures("patient")
def test_nobody_tries_again_after_a_commit_of_which_nothing_is_known() -> None:
    bakery = Bakery()
    bakery.fault = CommitUnknown("the line went dead")
    got = asked(bakery, [1, 2])
    assert (got[1], got[2], bakery.singles) == (bakery.fault, bakery.fault, [0])


@pytest.mark.usefixtures("patient")
def test_a_fault_of_ours_is_seen_once_and_the_others_get_on() -> None:
    bakery = Bakery()
    bakery.fault = ZeroDivisionError()
    got = asked(bakery, [1, 2])
    assert (got[1], got[2], bakery.singles) == (bakery.fault, "loaf 2", [0, 2])
    assert bakery.ask(5) == "loaf 5"


def test_who_waits_too_long_for_the_leader_goes_alone() -> None:
    bakery = Bakery()
    leader = threading.Thread(target=bakery.ask, args=[0])
    leader.start()
    assert bakery.inside.wait(10)
    began = time.monotonic()
    assert bakery.ask(1) == "loaf 1"
    assert time.monotonic() - began < ALONE_SECONDS_MAX
    bakery.door.set()
    leader.join(10)
    assert (bakery.batches, bakery.singles) == ([], [1, 0])
