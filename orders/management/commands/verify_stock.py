"""`manage.py verify_stock`: recompute every kept number of stock and orders from the rows that explain it."""

import time
from argparse import ArgumentParser
from itertools import chain
from typing import Any

from inventory.queries import CHECK_NAMES, Difference, stock_differences
from orders.queries import ORDER_CHECK_NAMES, order_differences
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand

SHOWN = 20


class Command(WorkBoxCommand):
    """Exit code 0: every balance, promise and total adds up. 3: not, and the first rows that differ are named."""

    help = "Recompute every balance, reservation, total, shipment and return, and name the first rows that differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--show", type=int, default=SHOWN, help=f"name so many rows (default {SHOWN})")

    def run(self, **options: Any) -> int:
        began = time.monotonic()
        shown: list[Difference] = []
        count = 0
        for found in chain(stock_differences(), order_differences()):
            count += 1
            if len(shown) < options["show"]:
                shown.append(found)
        checks = [*CHECK_NAMES, *ORDER_CHECK_NAMES]
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
