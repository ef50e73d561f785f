"""`manage.py import_sales FILE`: a wholesaler's sales history enters the books through the services."""

import csv
import resource
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orders.importing.book import book, warehouse_for
from orders.importing.plan import Plan, Survey, plan, survey
from orders.importing.reconcile import reconcile
from orders.importing.rows import Refusal
from workbox.core.commands import FINDINGS, OK, Tick, WorkBoxCommand, progress
from workbox.core.numbers import plain
from workbox.core.spreadsheets import escaped

Begin = Callable[[str, int | None], Tick]


class Command(WorkBoxCommand):
    """Import sales in the Online Retail format (plain or gzip): run it again at any time, it finishes what is missing.

    Every row is taken over or listed as refused; refused rows alone are no failure. With `--reconcile` the exit code
    is 3 when a day's units or money differ between the file and the books.
    """

    help = "Import sales in the Online Retail format: products, customers, orders, returns, adjustments, opening stock."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="CSV, plain or gzip")
        parser.add_argument("--warehouse", metavar="CODE", help="where the goods left from (default: by priority)")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen; write nothing")
        parser.add_argument("--refused", type=Path, metavar="FILE", help="write the refused rows to this CSV file")
        parser.add_argument("--reconcile", action="store_true", help="compare the books with the file day by day")

    def run(self, **options: Any) -> int:
        path: Path = options["file"]
        began = time.monotonic()
        with progress() as begin:
            found = survey(path, begin("Reading", None))
            warehouse = warehouse_for(options["warehouse"], create=not options["dry_run"])
            with _refusals(options["refused"]) as refuse:
                tick = begin("Planning", found.rows)
                planned = plan(path, found, warehouse.pk if warehouse else None, tick=tick, refuse=refuse)
            if warehouse is not None and not options["dry_run"]:
                book(path, found, planned, warehouse, stage=_stages(begin, found, planned))
            compared = reconcile(path, found) if options["reconcile"] else None
        body: dict[str, Any] = _body(planned, dry_run=options["dry_run"], seconds=time.monotonic() - began)
        if compared is not None:
            days = [day.isoformat() for day in compared.differing_days]
            body["reconciliation"] = {"days": len(compared.file), "differing_days": days, **compared.totals()}
        if options["json"]:
            self.answer(body)
        else:
            self.tell(body, planned)
        return FINDINGS if compared is not None and compared.differing_days else OK

    def tell(self, body: dict[str, Any], planned: Plan) -> None:
        """The answer in words."""
        self.say(f"{body['rows']:,} rows: {body['taken']:,} taken, {body['refused']:,} refused.")
        if body["already_there"]:
            self.say(f"{body['already_there']:,} of the rows taken were in the books already.")
        verb = "would be" if body["dry_run"] else "were"
        for what, count in sorted(planned.papers.items()):
            self.say(f"  {count:,} {what} {verb} recorded")
        for reason, count in planned.refused_by_reason.most_common():
            self.say(f"  refused {count:,}: {reason}")
        for one in planned.refused_examples:
            self.say(f"    line {one.number}, invoice {one.invoice}, code {one.code}: {one.reason}")
        if planned.refused > len(planned.refused_examples):
            self.say("    … --refused FILE lists them all")
        self.say(f"{body['seconds']:.1f} s, {body['rows_per_second']:,} rows/s, at most {body['peak_memory_mb']} MB")
        if "reconciliation" in body:
            self.tell_reconciliation(body["reconciliation"])

    def tell_reconciliation(self, found: dict[str, Any]) -> None:
        """File and books side by side."""
        self.say(f"{'':<16}{'file':>18}{'books':>18}")
        for name, in_file in found["file"].items():
            self.say(f"{name:<16}{plain(in_file):>18}{plain(found['books'][name]):>18}")
        differing = found["differing_days"]
        self.say(f"{found['days']} days, {len(differing)} differ{': ' if differing else ''}{', '.join(differing[:10])}")


def _stages(begin: Begin, found: Survey, planned: Plan) -> Callable[[str], Tick]:
    totals = {"products": ("Products", len(found.names)), "papers": ("Booking", planned.rows)}
    return lambda name: begin(*totals[name])


def _body(planned: Plan, *, dry_run: bool, seconds: float) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "rows": planned.rows,
        "taken": planned.taken,
        "already_there": planned.known,
        "refused": planned.refused,
        "refused_by_reason": dict(planned.refused_by_reason),
        "papers": dict(planned.papers),
        "products_with_opening_stock": len(planned.opening),
        "opening_units": sum(planned.opening.values()),
        "seconds": round(seconds, 1),
        "rows_per_second": int(planned.rows / seconds) if seconds else 0,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


@contextmanager
def _refusals(path: Path | None) -> Iterator[Callable[[Refusal], None] | None]:
    """A function that writes refused rows to the file, None without a file."""
    if path is None:
        yield None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "InvoiceNo", "StockCode", "reason"])
        yield lambda one: writer.writerow([one.number, *map(escaped, (one.invoice, one.code, one.reason))])
