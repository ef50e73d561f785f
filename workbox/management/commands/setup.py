"""`manage.py setup`: from an empty database server to a shop one can log in to."""

from argparse import ArgumentParser
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import Error, connection, connections

from accounts.capabilities import Role
from accounts.models import User
from accounts.services import create_user
from inventory.models import Product
from orders.models import Order
from workbox.core.commands import OK, WorkBoxCommand

# The same text for both quoting styles would be SQL made of the operator's words: a database name is checked instead.
NAME_SHAPE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever may run commands on the server may make an admin."""

    id: int = 0
    role: str = Role.ADMIN.value

    def can(self, capability: str) -> bool:
        """Everything."""
        return True


class Command(WorkBoxCommand):
    """Create the MySQL database when it is missing, migrate, and make an admin or the demo when asked to.

    Running it again changes nothing that is there.
    """

    help = "Create the database when it is missing, migrate it, and offer an admin account and the demo shop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--admin", metavar="EMAIL", help="make an admin account (asks for nothing: see --password)")
        parser.add_argument("--password", help="the admin's password, or the demo users'")
        parser.add_argument("--demo", action="store_true", help="fill an empty shop with the demo")

    def run(self, **options: Any) -> int:
        if (options["admin"] or options["demo"]) and not options["password"]:
            raise CommandError("--admin and --demo need --password.")
        made = create_database()
        call_command("migrate", interactive=False, verbosity=0)
        admin = None
        if options["admin"] and not User.objects.filter(email__iexact=options["admin"]).exists():
            admin = create_user(
                Operator(), username="", email=options["admin"], password=options["password"], role=Role.ADMIN.value
            )
        is_empty = not Product.objects.exists() and not Order.objects.exists()
        has_demo = bool(options["demo"] and is_empty)
        if has_demo:
            words = StringIO() if options["json"] else self.stdout  # one document, not two
            call_command("demo", password=options["password"], stdout=words)
        if options["json"]:
            self.answer({"database_created": made, "admin": admin.username if admin else None, "demo_loaded": has_demo})
            return OK
        self.say("The database was created." if made else "The database is there.")
        self.say("Every migration is applied.")
        if admin:
            self.say(f"Admin account {admin.username} ({admin.email}) is ready.")
        if options["demo"] and not has_demo:
            self.say("The shop is not empty: the demo was left out. manage.py demo finishes one that was interrupted.")
        if not User.objects.filter(role=Role.ADMIN.value).exists():
            self.say("There is no admin yet: manage.py setup --admin you@example.com --password …")
        return OK


def create_database() -> bool:
    """Create the configured MySQL database if the server has none of that name; True when it did.

    SQLite makes its file by itself. Raises CommandError with what to check when the server refuses.
    """
    if connection.vendor != "mysql":
        return False
    name = str(connection.settings_dict["NAME"])
    if not set(name) <= NAME_SHAPE:
        raise ImproperlyConfigured(f"The database name {name!r} has characters that a name should not have.")
    server = connections["default"].copy()
    server.settings_dict = {**connection.settings_dict, "NAME": ""}
    try:
        with server.cursor() as cursor:
            cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [name])
            if cursor.fetchone() is not None:
                return False
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    except Error as error:
        raise CommandError(
            f"The server did not let us create {name}: {error}."
            " Is it running, and are DB_HOST, DB_USER and DB_PASSWORD right?"
        ) from error
    finally:
        server.close()
    return True
