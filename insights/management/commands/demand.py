"""`manage.py demand`: brings the daily demand up to date, computes it again, or checks it."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from insights import demand
from inventory.models import Product
from workbox.core.commands import FINDINGS, OK, WorkBoxCommand, progress

SHOWN = 100


class Command(WorkBoxCommand):
    """Keep the demand history that forecasts learn from."""

    help = "Bring the daily demand up to date; compute it all again, or check it against orders and the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rebuild", action="store_true", help="compute every product again")
        what.add_argument(
            "--check",
            action="store_true",
            help="take what is new, then name the rows that differ and leave them, exit code 3",
        )

    def run(self, **options: Any) -> int:
        if options["check"]:
            return self._check(as_json=options["json"])
        with progress() as begin:
            tick = begin("products", Product.objects.count())
            products = demand.rebuild(tick) if options["rebuild"] else demand.catch_up(tick)
        if options["json"]:
            self.answer({"rebuilt": options["rebuild"], "products": products, **demand.summary()})
        else:
            self.say(f"The daily demand is up to date: {products:,} products were computed again.")
        return OK

    def _check(self, *, as_json: bool) -> int:
        found = []
        demand.catch_up()  # what nobody has looked at yet is no difference
        with progress() as begin:
            for drift in demand.drifts(begin("products", Product.objects.count())):
                found.append(drift)
                if len(found) == SHOWN:
                    break
        if as_json:
            self.answer({"clean": not found, "differences": [asdict(one) for one in found]})
        elif found:
            for one in found:
                self.say(str(one))
        else:
            self.say("The daily demand is what orders and the ledger say.")
        return FINDINGS if found else OK
