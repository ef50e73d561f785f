"""Guards in the database itself: stock operations and movements cannot be changed or deleted, whoever sends the SQL.

Installed by `manage.py protect_ledger`, not by a migration: managed databases often withhold the privilege, and a shop
must start without it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from inventory.models import CostChange, StockMovement, StockOperation
from workbox.core.administration import try_statement
from workbox.core.db import is_mysql

TABLES = (CostChange._meta.db_table, StockMovement._meta.db_table, StockOperation._meta.db_table)
MESSAGE = "The stock ledger is only added to: reverse the operation instead."
TEST_PREFIX = "test_"
# Only triggers in a test database look at it, and only the teardown of tests sets it.
TEARDOWN_VARIABLE = "@workbox_test_teardown"


@dataclass(frozen=True, slots=True)
class Guard:
    """One trigger: on which table, against what."""

    name: str
    table: str
    sql: str


def guards(database: str) -> list[Guard]:
    """The triggers that protect the ledger on the configured kind of database; `database` is its name."""
    return list(_mysql_guards(database) if is_mysql() else _sqlite_guards())


def missing_guards() -> list[Guard]:
    """The triggers that are not there."""
    found = _installed()
    return [guard for guard in guards(_database()) if guard.name not in found]


def protect() -> list[str]:
    """Every guard is in place; returns what the server said where it withheld the privilege (empty: all is well)."""
    return [words for guard in missing_guards() if (words := try_statement(guard.sql))]


def unprotect() -> list[str]:
    """No guard is left, for a migration that must rewrite the ledger; returns what the server refused."""
    found = _installed()
    names = [guard.name for guard in guards(_database()) if guard.name in found]
    return [words for name in names if (words := try_statement(f"DROP TRIGGER {name}"))]


def grants(user: str) -> list[str]:
    """What a MySQL account for WorkBox needs, and no more: the ledger's tables can be read and added to only."""
    database = _database()
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
    return [
        f"GRANT {'SELECT, INSERT' if table in TABLES else 'SELECT, INSERT, UPDATE, DELETE'}"
        f" ON `{database}`.`{table}` TO {user};"
        for table in tables
    ]


def _database() -> str:
    return str(connection.settings_dict["NAME"])


def _installed() -> set[str]:
    sql = (
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"
        if is_mysql()
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {name for (name,) in cursor.fetchall()}


def _mysql_guards(database: str) -> Iterator[Guard]:
    refuse = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{MESSAGE}'"
    if database.startswith(TEST_PREFIX):
        refuse = f"IF {TEARDOWN_VARIABLE} IS NULL THEN {refuse}; END IF"
    for table in TABLES:
        for act in ("UPDATE", "DELETE"):  # REPLACE deletes, INSERT … ON DUPLICATE KEY UPDATE updates
            name = f"{table}_no_{act.lower()}"
            yield Guard(name, table, f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW {refuse}")


def _sqlite_guards() -> Iterator[Guard]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    for table in TABLES:
        for act in ("UPDATE", "DELETE"):
            name = f"{table}_no_{act.lower()}"
            yield Guard(name, table, f"CREATE TRIGGER {name} BEFORE {act} ON {table} {refuse}")
        # SQLite's REPLACE deletes without asking the delete trigger.
        name = f"{table}_no_replace"
        taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608  (our own names)
        yield Guard(name, table, f"CREATE TRIGGER {name} BEFORE INSERT ON {table} {taken} {refuse}")
