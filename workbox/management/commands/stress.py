"""`manage.py stress`: try to break the promises on your own database server, in a database of its own."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection

from workbox.core.commands import FINDINGS, OK, USAGE, WorkBoxCommand, progress
from workbox.core.db import is_mysql
from workbox.drills import DRILLS, Report

THREADS, THREADS_MAX, SQLITE_THREADS = 64, 512, 8
# A drill's own word for its threads, and what share of `--threads` it takes.
SHARES: dict[str, tuple[str, int]] = {
    "oversell": ("threads", 1),
    "contention": ("threads", 1),
    "twins": ("threads", 1),
    "transitions": ("threads", 16),  # three steps race, each on so many threads
    "stream": ("writers", 4),
}
SQLITE_WORDS = "SQLite has one writer at a time: these figures show that the rules hold, not that they survive a race."


class Command(WorkBoxCommand):
    """Run the drills in a temporary database on the configured server; it is removed afterwards.

    Exit code 3 when a promise was broken.
    """

    help = "Run the concurrency drills in a temporary database on the configured server and print what they saw."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--threads", type=int, default=THREADS, help=f"how many at once (default {THREADS})")
        parser.add_argument("--drill", action="append", choices=sorted(DRILLS), help="only this one (may be repeated)")
        parser.add_argument("--yes", action="store_true", help="do not ask before loading a shared server")

    def run(self, **options: Any) -> int:
        threads = min(max(options["threads"], 1), THREADS_MAX if is_mysql() else SQLITE_THREADS)
        if is_mysql() and not options["yes"] and not self.allowed(threads):
            return USAGE
        reports: list[Report] = []
        names = options["drill"] or list(DRILLS)
        with temporary_database() as database, progress() as begin:
            tick = begin("Drills", len(names))
            for done, name in enumerate(names, 1):
                word, share = SHARES[name]
                reports.append(DRILLS[name](**{word: max(threads // share, 1)}))
                tick(done)
        body = {
            "server": _server(),
            "database": database,
            "threads": threads,
            "proves_concurrency": is_mysql(),
            "kept": all(report.kept for report in reports),
            "drills": [_as_dict(report) for report in reports],
        }
        if options["json"]:
            self.answer(body)
        else:
            self.tell(body)
        return OK if body["kept"] else FINDINGS

    def allowed(self, threads: int) -> bool:
        """Ask, because the drills take the whole server for a minute; without a terminal `--yes` has to be given."""
        if not sys.stdin.isatty():
            self.stderr.write(f"This loads {_server()} with {threads} threads; add --yes if that is meant.")
            return False
        answer = input(f"This loads {_server()} with {threads} threads for about a minute. Go on? [y/N] ")
        return answer.strip().lower() in ("y", "yes")

    def tell(self, body: dict[str, Any]) -> None:
        """The answer in words."""
        self.say(f"{body['server']}, {body['threads']} threads, in the temporary database {body['database']}")
        for drill in body["drills"]:
            self.say(f"\n{drill['name']}: {drill['promise']} — {'KEPT' if drill['kept'] else 'BROKEN'}")
            self.say(
                f"  {drill['seconds']} s; {', '.join(f'{name} {value}' for name, value in drill['figures'].items())}"
            )
            for sentence in drill["broken"]:
                self.say(f"  broken: {sentence}")
        if not body["proves_concurrency"]:
            self.say(f"\n{SQLITE_WORDS}")


def _as_dict(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "promise": report.promise,
        "figures": report.figures,
        "seconds": round(report.seconds, 2),
        "kept": report.kept,
        "broken": report.broken,
    }


def _server() -> str:
    config = connection.settings_dict
    place = f" at {config['HOST']}:{config['PORT']}" if config.get("HOST") else ""
    return f"{connection.display_name}{place}"


@contextmanager
def temporary_database() -> Iterator[str]:
    """Everything inside runs in a fresh, migrated database with a name nobody else uses; it is gone afterwards."""
    before = connection.settings_dict["NAME"]
    name = f"workbox_stress_{uuid4().hex[:8]}"
    test = connection.settings_dict["TEST"]
    kept = test.get("NAME")
    test["NAME"] = name if is_mysql() else str(Path(settings.VAR_DIR) / f"{name}.sqlite3")
    create: Callable[..., str] = connection.creation.create_test_db
    create(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield name
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
        test["NAME"] = kept
        for leftover in Path(settings.VAR_DIR).glob(f"{name}.sqlite3*"):
            leftover.unlink()
