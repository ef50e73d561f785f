"""`manage.py protect_ledger`: triggers that refuse to change or delete ledger rows, and an app user's grants."""

from argparse import ArgumentParser
from typing import Any

from inventory.services import protection
from workbox.core.commands import FAILED, FINDINGS, OK, WorkBoxCommand
from workbox.core.db import is_mysql

USER = "'workbox_app'@'%'"


class Command(WorkBoxCommand):
    """Install the guards (again: changes nothing), check them, or take them away for a migration.

    Exit code 3 with `--check` when one is missing, 1 when the server withholds the privilege.
    """

    help = "Install triggers that keep stock operations and movements as they are; print the grants of an app user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        action = parser.add_mutually_exclusive_group()
        action.add_argument("--check", action="store_true", help="only say which guards are missing")
        action.add_argument("--remove", action="store_true", help="take the guards away")
        parser.add_argument("--user", default=USER, help=f"the account the grants are printed for (default {USER})")

    def run(self, **options: Any) -> int:
        refused: list[str] = []
        if options["remove"]:
            refused = protection.unprotect()
        elif not options["check"]:
            refused = protection.protect()
        missing = [guard.name for guard in protection.missing_guards()]
        grants = protection.grants(options["user"]) if is_mysql() and not options["remove"] else []
        if options["json"]:
            self.answer({"missing": missing, "refused": refused, "grants": grants})
        else:
            self.tell(missing, refused, grants, removed=options["remove"])
        if refused:
            return FAILED
        return FINDINGS if missing and options["check"] else OK

    def tell(self, missing: list[str], refused: list[str], grants: list[str], *, removed: bool) -> None:
        """The answer in words."""
        if removed:
            self.say("The ledger's guards are gone; run protect_ledger again after the migration.")
        elif missing:
            self.say(f"Missing guards: {', '.join(missing)}")
        else:
            self.say("The ledger is protected: its rows can be added, not changed or deleted.")
        if refused:
            self.say("The server did not allow it; it said:")
            for words in dict.fromkeys(refused):
                self.say(f"  {words}")
            self.say("Ask its administrator for the TRIGGER privilege, or with the binary log on for:")
            self.say("  SET GLOBAL log_bin_trust_function_creators = 1;")
            self.say("Until then the grants below alone keep the application from changing the ledger.")
        if grants:
            self.say("\nAn account that may add to the ledger but not change it (run as administrator):")
            self.say(f"CREATE USER IF NOT EXISTS {grants[0].partition(' TO ')[2].rstrip(';')} IDENTIFIED BY '…';")
            for grant in grants:
                self.say(grant)
