"""What WorkBox's commands share: `--json`, progress on standard error, and what their exit codes mean.

0 done, nothing to say · 1 failed · 2 called wrongly (as argparse has it) · 3 done, and there are findings.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from workbox.core.errors import DomainError
from workbox.core.numbers import to_json

OK, FAILED, USAGE, FINDINGS = 0, 1, 2, 3
PLAIN_INTERVAL_SECONDS = 5.0
Tick = Callable[[int], None]


class WorkBoxCommand(BaseCommand):
    """A command that answers in words or, with `--json`, as one JSON document on standard output.

    `run` does the work and returns the exit code; a DomainError it raises becomes one sentence and exit code 1.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer as one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = self.run(**options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=FAILED) from error
        if code != OK:
            sys.exit(code)

    def run(self, **options: Any) -> int:
        """Do the work; returns OK or FINDINGS."""
        raise NotImplementedError

    def say(self, text: str = "") -> None:
        """One line of the answer in words."""
        self.stdout.write(text)

    def answer(self, body: Any) -> None:
        """The answer for `--json`."""
        self.stdout.write(to_json(body).decode())


class RateColumn(TextColumn):
    """How many per second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """The task's present speed."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="dim")


@contextmanager
def progress(stream: TextIO | None = None) -> Iterator[Callable[[str, int | None], Tick]]:
    """Progress on standard error: bars with rate and time left on a terminal, else a plain line every few seconds.

    Gives a function (what, total) → tick; `tick(done)` tells how far that part has come.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda what, total: _plain(stream, what, total)
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as bars:

        def begin(what: str, total: int | None) -> Tick:
            task = bars.add_task(what, total=total)
            return lambda done: bars.update(task, completed=done)

        yield begin


def _plain(stream: TextIO, what: str, total: int | None) -> Tick:
    began = last = time.monotonic()
    first: int | None = None

    def tick(done: int) -> None:
        nonlocal last, first
        first = done if first is None else first
        now = time.monotonic()
        if now - last < PLAIN_INTERVAL_SECONDS:
            return
        last = now
        rate = (done - first) / (now - began)
        of = f" of {total:,}" if total else ""
        left = f", {(total - done) / rate:.0f} s left" if total and rate else ""
        stream.write(f"{what}: {done:,}{of} ({rate:,.0f}/s{left})\n")
        stream.flush()

    return tick
