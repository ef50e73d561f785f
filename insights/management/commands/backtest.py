"""`manage.py backtest`: what the forecasts would have been worth on this installation's own past days."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from insights import demand, refit
from insights.forecasting import run_backtest
from insights.forecasting.policy import LEAD_DAYS, TARGET_FILL, compare_policies
from workbox.core.commands import OK, WorkBoxCommand, progress
from workbox.core.errors import RuleViolation

NAMES = {"workbox": "WorkBox", "moving_average": "moving average 28", "linear_regression": "linear regression 90"}
ROWS = (
    ("wape", "WAPE of 14-day sums"),
    ("pinball_p90", "pinball p90 of 14 days per unit"),
    ("coverage_80", "80 % interval of 14 days covers"),
    ("coverage_p95", "p95 of 7 days covers"),
    ("bias", "bias of 14-day sums"),
)
POLICY_ROWS = (
    ("fill_at_nominal_95", "fill at a nominal 95 %"),
    ("stock_days_at_nominal_95", "stock in days of demand at that"),
    ("stock_days", "stock in days of demand for a real 95 % fill"),
)


class Command(WorkBoxCommand):
    """Score the forecasts beside a moving average and linear regression, on this shop's demand."""

    help = "Stand at four past days, forecast with what was known, and compare with what came; three contenders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--no-policy", action="store_true", help="leave out the simulation of ordering by them")

    def run(self, **options: Any) -> int:
        with progress() as begin:
            demand.catch_up(begin("demand", None))
        panel = refit.whole_panel()
        if panel is None:
            raise RuleViolation("Nothing was sold yet; there is nothing to test forecasts on.")
        found = run_backtest(panel)
        windows = found.scores["workbox"].windows
        scores = {name: asdict(score) for name, score in found.scores.items()}
        policy = {} if options["no_policy"] or not windows else compare_policies(panel)
        body = {"products": panel.skus, "days": panel.days, "windows": windows, "scores": scores, "policy": policy}
        if options["json"]:
            self.answer(body)
        else:
            self.tell(body)
        return OK

    def tell(self, body: dict[str, Any]) -> None:
        """The table of docs/forecasting.md."""
        self.say(f"{body['products']:,} products over {body['days']} days, {body['windows']:,} windows.")
        if not body["windows"]:
            self.say("A window needs 90 days since a product's first sale, eight sale days in them, and 28 days after.")
            return
        self.say(f"{'':<48}" + "".join(f"{name:>22}" for name in NAMES.values()))
        for key, title in ROWS:
            self.say(f"{title:<48}" + "".join(f"{body['scores'][name][key]:>22.3f}" for name in NAMES))
        if body["policy"]:
            self.say(f"Ordering by them, lead time {LEAD_DAYS} days, looked at daily ({TARGET_FILL:.0%} fill wanted):")
            for key, title in POLICY_ROWS:
                self.say(f"{title:<48}" + "".join(f"{body['policy'][name][key]:>22.3f}" for name in NAMES))
