"""Stock as of a past moment on MariaDB: by index, at the same cost whatever the ledger's length, under many writers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from inventory.models import MovementType, Product, StockLevel, StockMovement, StockOperation, Warehouse
from inventory.queries import stock_differences
from inventory.queries.moments import levels_at, levels_then
from inventory.services import ledger
from inventory.services.ledger import Movement, PastOperation
from workbox import drills

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
MakeProduct = Callable[..., Product]
D = Decimal
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def history(products: list[Product], warehouse: Warehouse, *, days: range) -> None:
    """A piece of each product per day comes in."""
    ledger.post_past(
        [
            PastOperation(
                StockOperation.Kind.IMPORT,
                [Movement(one.pk, warehouse.pk, MovementType.PURCHASE, D(1)) for one in products],
                NOON + timedelta(days=day),
            )
            for day in days
        ]
    )


def rows_read(products: list[Product], moment: datetime) -> int:
    """How many index and table entries the server touches for a page of levels."""
    ids = [one.pk for one in products]
    with connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
        levels_at(ids, moment)
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


def test_a_page_is_an_index_look_up_per_level_however_long_the_ledger(
    make_product: MakeProduct, main: Warehouse
) -> None:
    products = [make_product(f"P{number}") for number in range(20)]
    history(products, main, days=range(10))
    few = rows_read(products, NOON + timedelta(days=4))
    history(products, main, days=range(10, 200))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE inventory_stockmovement")
        cursor.fetchall()
        sql, values = levels_then(NOON + timedelta(days=4), [one.pk for one in products])
        cursor.execute(f"EXPLAIN {sql}", values)
        names = [column[0] for column in cursor.description]
        plan = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    by_table = {row["table"]: row for row in plan if row["table"] in ("m", "b", "inventory_stockmovement")}
    assert by_table["inventory_stockmovement"]["key"] == "movement_of_level_by_time"
    assert "Using index for group-by" in by_table["inventory_stockmovement"]["Extra"]
    assert (by_table["m"]["key"], by_table["b"]["key"]) == ("movement_of_level_by_time", "PRIMARY")
    assert rows_read(products, NOON + timedelta(days=100)) <= few * 1.3
    assert not StockLevel.objects.filter(has_late_entries=True).exists()


def test_the_moments_of_a_hot_shelf_follow_their_ids(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product("Lamp", stock=1)
    line = Movement(lamp.pk, main.pk, MovementType.PURCHASE, D(1))
    outcome = drills.in_threads([lambda: str(ledger.post([line]) and "posted") for _ in range(200)], threads=16)
    assert outcome == {"posted": 200}
    moments = list(StockMovement.objects.filter(product=lamp).order_by("id").values_list("created_at", flat=True))
    assert moments == sorted(moments)
    assert not StockLevel.objects.get(product=lamp).has_late_entries
    assert list(stock_differences()) == []
