"""Statements that an administrator runs and a server may refuse: triggers, variables, grants."""

from django.db import OperationalError, ProgrammingError, connection

from workbox.core.db import error_code

# Access denied (to the database, table, column), needs SUPER, needs log_bin_trust_function_creators.
PRIVILEGE_CODES = frozenset({1044, 1142, 1143, 1227, 1370, 1419})


def try_statement(sql: str) -> str:
    """Run one statement; returns the server's words when it withholds the privilege, else an empty text.

    Managed databases often allow no triggers: the caller reports that instead of failing.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    except (OperationalError, ProgrammingError) as error:
        if error_code(error) not in PRIVILEGE_CODES:
            raise
        return str(error.args[-1])
    return ""
