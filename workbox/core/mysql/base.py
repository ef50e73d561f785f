"""Django's MySQL backend with two short cuts for the hot path; everything else is Django's.

`direct` runs a statement without the two cursors that would otherwise stand between it and the wire. `later` keeps a
statement back until the next one, or COMMIT, takes it along in the same packet: a round trip costs the two processes as
much as a small statement. BEGIN always waits like that.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError

# Django looks the driver up in this module; its stubs do not show it.
from django.db.backends.mysql.base import CursorWrapper, Database  # type: ignore[attr-defined]  # the stubs leave them out
from django.db.backends.mysql.base import DatabaseWrapper as MySQLWrapper


class Answer:
    """What a statement came to: rows read, rows matched, the first id given out. Empty until the statement was sent."""

    __slots__ = ("_rows", "failed", "lastrowid", "rowcount")

    def __init__(self) -> None:
        self._rows: Sequence[Any] = ()
        self.rowcount = self.lastrowid = 0
        self.failed = False

    def take(self, wire: Any) -> None:
        """Read the server's answer off the wire."""
        result = wire.store_result()
        self._rows = () if result is None else result.fetch_row(0)
        self.rowcount, self.lastrowid = wire.affected_rows(), wire.insert_id()

    def fetchall(self) -> Sequence[Any]:
        """All rows."""
        return self._rows

    def fetchone(self) -> Any:
        """The first row, None when there is none."""
        return self._rows[0] if self._rows else None


class Cursor(CursorWrapper):
    """Django's cursor; what was kept back goes first."""

    def __init__(self, cursor: Any, database: "DatabaseWrapper") -> None:
        super().__init__(cursor)
        self._database = database

    def execute(self, query: str, args: Any = None) -> Any:
        self._database.flush()
        return super().execute(query, args)

    def executemany(self, query: str, args: Any) -> Any:
        self._database.flush()
        return super().executemany(query, args)


class DatabaseWrapper(MySQLWrapper):
    """`atomic` calls `_start_transaction_under_autocommit` where a backend has it (as SQLite's does)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[tuple[str, Answer]] = []

    def direct(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """Run one statement with the values written into it (text escaped by the driver); errors are Django's."""
        answer = self._keep(sql, values)
        self.flush()
        return answer

    def later(self, sql: str, values: Sequence[Any] = ()) -> Answer:
        """Run a statement of this transaction with the next one, or with COMMIT; its answer is empty until then.

        An error of the statement is raised there, and marks this answer as `failed`.
        """
        if not self.in_atomic_block:
            return self.direct(sql, values)
        return self._keep(sql, values)

    def _keep(self, sql: str, values: Sequence[Any]) -> Answer:
        if self.connection is None:
            self.ensure_connection()
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        wire, answer = self.connection, Answer()
        text = sql % tuple([value if type(value) is int else self._literal(value, wire) for value in values])
        self._waiting.append((text, answer))
        return answer

    def _literal(self, value: Any, wire: Any) -> Any:
        if type(value) is not Answer:
            return _LITERALS.get(type(value), _other)(value, wire)
        if self._waiting and self._waiting[-1][1] is value:
            return "LAST_INSERT_ID()"  # the server knows it when it gets there: it is the statement before this one
        self.flush()
        return value.lastrowid

    def flush(self) -> None:
        """Send what was kept back, in one packet; the server stops at the first statement that fails."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        wire: Any = self.connection
        answer = waiting[0][1]
        try:
            wire.query(";".join([text for text, _ in waiting]).encode())
            answer.take(wire)
            for _, answer in waiting[1:]:
                wire.next_result()
                answer.take(wire)
        except Database.Error as error:
            answer.failed = True
            if error.args and error.args[0] in CursorWrapper.codes_for_integrityerror:
                raise IntegrityError(*error.args) from error
            with self.wrap_database_errors:
                raise

    def create_cursor(self, name: Any = None) -> Any:
        return Cursor(self.connection.cursor(), self)

    def _start_transaction_under_autocommit(self) -> None:
        self._waiting.append(("BEGIN", Answer()))

    def _commit(self) -> None:
        if len(self._waiting) == 1 and self._waiting[0][0] == "BEGIN":
            self._waiting = []  # nothing was done
        elif self._waiting:
            self._waiting.append(("COMMIT", Answer()))
            self.flush()
        else:
            super()._commit()  # type: ignore[misc]  # the stubs leave Django's own methods out

    def _rollback(self) -> None:
        began = not (self._waiting and self._waiting[0][0] == "BEGIN")
        self._waiting = []
        if began:
            super()._rollback()  # type: ignore[misc]  # the stubs leave Django's own methods out

    def _savepoint_rollback(self, sid: str) -> None:
        self._waiting = []  # kept back since the savepoint, which was sent
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # the stubs leave Django's own methods out

    def _close(self) -> None:
        self._waiting = []
        super()._close()  # type: ignore[misc]  # the stubs leave Django's own methods out


def _text(value: str, wire: Any) -> str:
    written: bytes = wire.string_literal(value.encode())
    return written.decode()


def _other(value: Any, wire: Any) -> str:
    written: bytes = wire.literal(value)
    return written.decode()


_LITERALS: dict[type, Callable[[Any, Any], str]] = {
    str: _text,
    Decimal: lambda value, _: format(value, "f"),
    type(None): lambda _, __: "NULL",
    bool: lambda value, _: "1" if value else "0",
}
