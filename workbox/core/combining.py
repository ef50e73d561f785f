"""Requests that arrive while another one is at work share the next transaction.

A commit costs the database as much for sixteen orders as for one. So of the threads of a process that want the same
kind of work, one leads: it does what has queued up, all at once, while the others wait; then the first who came
meanwhile leads. Nobody waits for company: who finds nobody at work begins at once. What cannot be done together is
undone, and each does their own alone.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import Error

from workbox.core.db import CommitUnknown
from workbox.core.errors import DomainError

A = TypeVar("A")
R = TypeVar("R")

TOGETHER_MAX = 16
# A leader that waits for a lock shall not hold up what has nothing to do with it.
PATIENCE_SECONDS = 0.05


class Apart(Exception):
    """What was tried together was undone: each is to go alone."""


class _Slot(Generic[A, R]):
    """One request in the queue; `wake` is released when its fate is known."""

    __slots__ = ("answer", "ask", "fault", "leads", "size", "taken", "wake")

    def __init__(self, ask: A, size: int) -> None:
        self.ask, self.size = ask, size
        self.answer: R | None = None
        self.fault: CommitUnknown | None = None
        self.leads = self.taken = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Combiner(Generic[A, R]):
    """Does the work of several threads in one go.

    `together` answers several asks, all or nothing, in their order; whatever it raises but CommitUnknown means that
    nothing was done. `size_max` bounds the sum of the sizes of what is done in one go.
    """

    def __init__(self, together: Callable[[Sequence[A]], Sequence[R]], *, size_max: int) -> None:
        self._together, self._size_max = together, size_max
        self._guard = threading.Lock()
        self._queue: list[_Slot[A, R]] = []
        self._is_led = False

    def run(self, ask: A, alone: Callable[[], R], *, size: int = 1) -> R:
        """The answer to `ask`, done with others or by `alone()` in this thread. Raises what `alone` raises."""
        slot: _Slot[A, R] = _Slot(ask, size)
        with self._guard:
            slot.leads, self._is_led = not self._is_led, True
            if not slot.leads:
                self._queue.append(slot)
        if not slot.leads:
            self._wait(slot)
            if slot.fault is not None:
                raise slot.fault
            if slot.answer is not None:
                return slot.answer
            if not slot.leads:
                return alone()
        return self._lead(slot, alone)

    def _wait(self, slot: _Slot[A, R]) -> None:
        if slot.wake.acquire(timeout=PATIENCE_SECONDS):
            return
        with self._guard:
            if not slot.taken and not slot.leads:
                self._queue.remove(slot)
                return
        slot.wake.acquire()

    def _lead(self, slot: _Slot[A, R], alone: Callable[[], R]) -> R:
        others = self._take(slot)
        try:
            if not others:
                return alone()
            self._do([slot, *others])
        finally:
            self._hand_over()
            self._release(others)
        if slot.fault is not None:
            raise slot.fault
        return alone() if slot.answer is None else slot.answer

    def _take(self, slot: _Slot[A, R]) -> list[_Slot[A, R]]:
        """Who goes along: the first in the queue, as many as fit."""
        size = slot.size
        taken: list[_Slot[A, R]] = []
        with self._guard:
            while self._queue and len(taken) + 1 < TOGETHER_MAX and size + self._queue[0].size <= self._size_max:
                one = self._queue.pop(0)
                one.taken = True
                size += one.size
                taken.append(one)
        return taken

    def _do(self, slots: Sequence[_Slot[A, R]]) -> None:
        try:
            answers = self._together([one.ask for one in slots])
        except CommitUnknown as fault:
            for one in slots:
                one.fault = fault
        except (Apart, DomainError, Error):
            return  # nothing was done; each says alone what is wrong with it
        else:
            for one, answer in zip(slots, answers, strict=True):
                one.answer = answer

    def _hand_over(self) -> None:
        with self._guard:
            if not self._queue:
                self._is_led = False
                return
            following = self._queue.pop(0)
            following.leads = True
        following.wake.release()

    @staticmethod
    def _release(slots: Sequence[_Slot[A, R]]) -> None:
        for one in slots:
            one.wake.release()
