"""Django's MySQL backend with two short cuts for the hot path; everything else is Django's.

Transactions begin with BEGIN instead of switching autocommit off before and on after, which saves a round trip; and
`direct` runs a statement without the two cursors that would otherwise stand between it and the wire.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError

# Django looks the driver up in this module; its stubs do not show it.
from django.db.backends.mysql.base import CursorWrapper, Database  # type: ignore[attr-defined]
from django.db.backends.mysql.base import DatabaseWrapper as MySQLWrapper


class Answer:
    """What a direct statement came to: rows read, rows matched, the first id given out."""

    __slots__ = ("_rows", "lastrowid", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int, lastrowid: int) -> None:
        self._rows, self.rowcount, self.lastrowid = rows, rowcount, lastrowid

    def fetchall(self) -> Sequence[Any]:
        """All rows."""
        return self._rows

    def fetchone(self) -> Any:
        """The first row, None when there is none."""
        return self._rows[0] if self._rows else None


class DatabaseWrapper(MySQLWrapper):
    """`atomic` calls `_start_transaction_under_autocommit` where a backend has it (as SQLite's does)."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            self.connection.query("BEGIN")

    def direct(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """Run one statement with the values written into it (text escaped by the driver); errors are Django's."""
        self.ensure_connection()
        self.validate_no_broken_transaction()
        wire: Any = self.connection
        text = sql % tuple([_LITERALS.get(type(value), _other)(value, wire) for value in values])
        with self.wrap_database_errors:
            try:
                wire.query(text.encode())
                result = wire.store_result()
            except Database.OperationalError as error:
                if error.args[0] in CursorWrapper.codes_for_integrityerror:
                    raise IntegrityError(*error.args) from error
                raise
            rows = () if result is None else result.fetch_row(0)
        return Answer(rows, wire.affected_rows(), wire.insert_id())


def _text(value: str, wire: Any) -> str:
    written: bytes = wire.string_literal(value.encode())
    return written.decode()


def _other(value: Any, wire: Any) -> str:
    written: bytes = wire.literal(value)
    return written.decode()


_LITERALS: dict[type, Callable[[Any, Any], str]] = {
    int: lambda value, _: str(value),
    str: _text,
    Decimal: lambda value, _: format(value, "f"),
    type(None): lambda _, __: "NULL",
    bool: lambda value, _: "1" if value else "0",
}
