"""`manage.py verify_purchasing`: recompute every kept number of purchase orders from the rows that explain it.

Beside `verify_stock` and not in it: that one stands in orders, which never looks at purchasing.
"""

import time
from argparse import ArgumentParser
from typing import Any

from inventory.queries import Difference
from purchasing.queries import PURCHASE_CHECK_NAMES, purchase_differences
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand

SHOWN = 20


class Command(WorkBoxCommand):
    """Exit code 0: every receipt, status and total adds up. 3: not, and the first rows that differ are named."""

    help = "Recompute what purchase orders received, their totals and statuses, and name the first rows that differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--show", type=int, default=SHOWN, help=f"name so many rows (default {SHOWN})")

    def run(self, **options: Any) -> int:
        began = time.monotonic()
        shown: list[Difference] = []
        count = 0
        for found in purchase_differences():
            count += 1
            if len(shown) < options["show"]:
                shown.append(found)
        checks = list(PURCHASE_CHECK_NAMES)
        seconds = round(time.monotonic() - began, 2)
        if options["json"]:
            findings = [one.as_dict() for one in shown]
            self.answer(
                {"clean": not count, "checks": checks, "count": count, "findings": findings, "seconds": seconds}
            )
        elif count:
            self.say(f"{count} kept numbers differ from their rows:")
            for one in shown:
                self.say(f"  {one}")
        else:
            self.say(f"The books balance: {len(checks)} checks in {seconds} s.")
        return FINDINGS if count else OK
