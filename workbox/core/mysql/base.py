"""Django's MySQL backend; transactions begin with BEGIN instead of switching autocommit off before and on after.

Saves one of the three round trips that a transaction costs besides its statements. Everything else is Django's.
"""

# Django looks the driver up in this module; its stubs do not show it.
from django.db.backends.mysql.base import Database  # type: ignore[attr-defined]  # noqa: F401
from django.db.backends.mysql.base import DatabaseWrapper as MySQLWrapper


class DatabaseWrapper(MySQLWrapper):
    """`atomic` calls `_start_transaction_under_autocommit` where a backend has it (as SQLite's does)."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            self.connection.query("BEGIN")
