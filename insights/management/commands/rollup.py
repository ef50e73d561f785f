"""`manage.py rollup`: brings the daily figures up to date, computes them again, or checks them."""

from argparse import ArgumentParser
from typing import Any

from insights import sales
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand, progress

SHOWN = 100


class Command(WorkBoxCommand):
    """Keep the daily sales figures."""

    help = "Bring the daily sales figures up to date; compute them all again, or check them against the orders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rebuild", action="store_true", help="compute every day again")
        what.add_argument(
            "--check",
            action="store_true",
            help="take what is new, then name the rows that differ and leave them, exit code 3",
        )

    def run(self, **options: Any) -> int:
        if options["check"]:
            return self._check(as_json=options["json"])
        with progress() as begin:
            changed = sales.rebuild(begin("days", sales.days_kept())) if options["rebuild"] else None
        facts = 0 if options["rebuild"] else sales.catch_up()
        if options["json"]:
            self.answer({"rebuilt": options["rebuild"], "rows_changed": changed, "facts_taken": facts})
        elif options["rebuild"]:
            self.say(f"Every day was computed again: {changed:,} rows had to change.")
        else:
            self.say(f"The daily figures are up to date: {facts:,} facts taken.")
        return OK

    def _check(self, *, as_json: bool) -> int:
        found = []
        sales.catch_up()  # what nobody has looked at yet is no difference
        with progress() as begin:
            for drift in sales.drifts(begin("days", sales.days_kept())):
                found.append(drift)
                if len(found) == SHOWN:
                    break
        if as_json:
            rows = [{"day": one.day, "what": one.what, "kept": one.kept, "computed": one.computed} for one in found]
            self.answer({"clean": not found, "differences": rows})
        elif found:
            for one in found:
                self.say(str(one))
        else:
            self.say("The daily figures are what orders and returns say.")
        return FINDINGS if found else OK
