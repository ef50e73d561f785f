"""`manage.py setup`: from an empty database server to a shop one can log in to."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import Error, connection, connections

from accounts.capabilities import Role
from accounts.models import User
from workbox.core.commands import OK, WorkBoxCommand

# The same text for both quoting styles would be SQL made of the operator's words: a database name is checked instead.
NAME_SHAPE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


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
            name = options["admin"].partition("@")[0]
            admin = User.objects.create_user(name, options["admin"], options["password"], role=Role.ADMIN.value)
        if options["demo"]:
            call_command("demo", password=options["password"], verbosity=0)
        if options["json"]:
            self.answer({"database_created": made, "admin": admin.username if admin else None})
            return OK
        self.say("The database was created." if made else "The database is there.")
        self.say("Every migration is applied.")
        if admin:
            self.say(f"Admin account {admin.username} ({admin.email}) is ready.")
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
