"""Column types that behave the same on SQLite and MySQL."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import BuiltinLookup, IContains, IExact, IStartsWith

from workbox.core.numbers import MONEY_PLACES, QUANTITY_PLACES


class ExactCharField(models.CharField):
    """Text that is equal only when every character is: MySQL's default collation equates 'a', 'A' and 'a '."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            mariadb = getattr(connection, "mysql_is_mariadb", False)
            parameters["collation"] = "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"
        return parameters


class _AnyCase(BuiltinLookup):
    """Makes a case-insensitive lookup hold on an ExactCharField: MySQL's LIKE follows the column's collation."""

    def process_lhs(self, compiler: Any, connection: Any, lhs: Any = None) -> tuple[str, Any]:
        sql, parameters = super().process_lhs(compiler, connection, lhs)
        return (f"LOWER({sql})" if connection.vendor == "mysql" else sql), parameters

    def process_rhs(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        sql, parameters = super().process_rhs(compiler, connection)
        if connection.vendor == "mysql":
            parameters = tuple(one.lower() if isinstance(one, str) else one for one in parameters)
        return sql, parameters


@ExactCharField.register_lookup
class AnyCaseContains(_AnyCase, IContains):
    """`icontains`."""


@ExactCharField.register_lookup
class AnyCaseStartsWith(_AnyCase, IStartsWith):
    """`istartswith`."""


@ExactCharField.register_lookup
class AnyCaseExact(_AnyCase, IExact):
    """`iexact`."""


class QuantityField(models.DecimalField):
    """How many, in the product's unit of measure; three decimal places are kept."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_digits": 15, "decimal_places": QUANTITY_PLACES} | kwargs))


class MoneyField(models.DecimalField):
    """An amount in the shop's one currency; four decimal places are kept (wholesale prices go below a cent)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_digits": 19, "decimal_places": MONEY_PLACES} | kwargs))
