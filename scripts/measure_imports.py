#!/usr/bin/env python3
"""How long a file of ten thousand products takes: preview, apply (new, changed), reverse, export, on an empty database.

    python scripts/services.py run -- python scripts/measure_imports.py [ROWS] [--profile STEP]

Without a server it measures SQLite. It is for throwaway databases; what it writes goes through the jobs, as a worker
would do them.
"""

import argparse
import cProfile
import csv
import os
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings_test")

import django

django.setup()  # the models below can only be imported after it

from django.core.management import call_command  # noqa: E402  (after django.setup)
from django.db import connection  # noqa: E402  (after django.setup)

from inventory.models import Product, Warehouse  # noqa: E402  (after django.setup)
from workbox.exchange import imports  # noqa: E402  (after django.setup)
from workbox.exchange.exports import read_request, start_export  # noqa: E402  (after django.setup)
from workbox.exchange.intake import keep, receive  # noqa: E402  (after django.setup)
from workbox.exchange.models import Import  # noqa: E402  (after django.setup)
from workbox.exchange.tables import EXPORTS  # noqa: E402  (after django.setup)
from workbox.jobs import services as jobs  # noqa: E402  (after django.setup)
from workbox.jobs.models import Job  # noqa: E402  (after django.setup)

ROWS = 10_000
COLUMNS = (
    "sku", "name", "description", "category", "price", "unit_cost", "reorder_threshold", "on_hand MAIN",
    "on_hand ANNEX",
)  # fmt: skip


def file_of(rows: int, *, raised: int) -> bytes:
    """A list of products in twenty categories and two warehouses; `raised` makes every price and quantity another."""
    lines: list[str] = []

    class Lines:
        def write(self, text: str) -> None:
            lines.append(text)

    writer = csv.writer(Lines())
    writer.writerow(COLUMNS)
    for one in range(rows):
        names = f"SKU-{one:06}", f"Product {one}", f"What there is to say of product {one}", f"Category {one % 20}"
        numbers = f"{10 + one % 90 + raised}.50", f"{5 + one % 40}.25", one % 12, 20 + one % 30 + raised, 5 + raised
        writer.writerow(names + numbers)
    return "".join(lines).encode()


def do(job_id: int | None) -> Job:
    """The job is done here and now; stops the whole when it fails."""
    jobs.run(job_id or 0)
    done = Job.objects.get(pk=job_id or 0)
    if done.state != "done":
        sys.exit(f"{done.kind} is {done.state}: {done.error}")
    return done


class Measuring:
    """Prints what each step takes; profiles the one that was asked for."""

    def __init__(self, profiled: str) -> None:
        self._profiled = profiled

    def __call__(self, step: str, work: Callable[[], object]) -> None:
        """Do it and print the seconds."""
        profile = cProfile.Profile() if step == self._profiled else None
        began = time.perf_counter()
        if profile:
            profile.enable()
        work()
        if profile:
            profile.disable()
        print(f"{step:<18} {time.perf_counter() - began:6.2f} s", flush=True)
        if profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def uploaded(content: bytes) -> Import:
    """The file as it is right after its upload."""
    return imports.receive_import(receive(keep([content])), what="products", original_name="p.csv", user_id=None)


def preview(found: Import) -> None:
    """The rows are compared."""
    do(found.job_id)


def apply(found: Import) -> None:
    """The rows are written."""
    do(imports.start_apply(found.pk, mode=imports.ALL_OR_NOTHING, user_id=None).job_id)


def reverse(found: Import) -> None:
    """The rows are taken back."""
    do(imports.start_reverse(found.pk, reason="measured", user_id=None).job_id)


def main() -> None:
    """Upload, preview, apply, the same changed, take it back, export; print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    parser.add_argument("--profile", default="", help="the step whose functions are listed, such as 'apply new'")
    asked = parser.parse_args()
    call_command("migrate", verbosity=0)
    if Product.objects.exists():
        sys.exit("This database has products; give me an empty one.")
    for priority, code in enumerate(("MAIN", "ANNEX")):
        Warehouse.objects.create(name=code.title(), code=code, priority=priority)
    measure = Measuring(asked.profile)
    print(f"{asked.rows:,} products, two warehouses, {connection.vendor}")
    new = uploaded(file_of(asked.rows, raised=0))
    measure("preview new", lambda: preview(new))
    measure("apply new", lambda: apply(new))
    changed = uploaded(file_of(asked.rows, raised=1))
    measure("preview changed", lambda: preview(changed))
    measure("apply changed", lambda: apply(changed))
    measure("reverse changed", lambda: reverse(changed))
    same = uploaded(file_of(asked.rows, raised=0))
    measure("preview unchanged", lambda: preview(same))
    for kind in ("csv", "xlsx"):
        queued = start_export(read_request({"what": "products", "format": kind}, EXPORTS), user_id=None)
        measure(f"export {kind}", lambda queued=queued: do(queued.pk))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    same.refresh_from_db()
    if (same.new_count, same.changed_count, same.unchanged_count) != (0, 0, asked.rows):
        sys.exit("What was reversed is not what it was before.")


if __name__ == "__main__":
    main()
