"""Promise 3: ledger rows and events never change or vanish, whoever tries: the ORM, raw SQL, a cascade."""

import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import ProtectedError

from inventory.models import Product, ProductStock, StockMovement, StockOperation
from inventory.services import protection
from inventory.services.catalog import update_products
from inventory.services.ledger import adjust
from tests.client import Api
from workbox.core.errors import Conflict, HistoryIsFixed
from workbox.core.events import append
from workbox.core.models import Event

MakeProduct = Callable[..., Product]
HISTORY = (StockMovement, StockOperation, Event)
FIELD = {StockMovement: "quantity", StockOperation: "reason", Event: "type"}


def everything() -> list[list[tuple[Any, ...]]]:
    return [list(model.objects.order_by("id").values_list()) for model in HISTORY]


ORM_ATTACKS: dict[str, Callable[[type[models.Model]], Any]] = {
    "save": lambda model: model.objects.earliest("id").save(),
    "delete": lambda model: model.objects.earliest("id").delete(),
    "update": lambda model: model.objects.update(**{FIELD[model]: "7"}),
    "delete many": lambda model: model.objects.all().delete(),
    "bulk update": lambda model: model.objects.bulk_update(model.objects.all(), [FIELD[model]]),
    "update or create": lambda model: model.objects.update_or_create(id=1, defaults={FIELD[model]: "7"}),
    "upsert": lambda model: model.objects.bulk_create(
        list(model.objects.all()), update_conflicts=True, update_fields=[FIELD[model]], unique_fields=["id"]
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("model", HISTORY, ids=lambda model: model.__name__)
@pytest.mark.parametrize("attack", ORM_ATTACKS.values(), ids=ORM_ATTACKS)
def test_the_orm_refuses(make_product: MakeProduct, model: type[models.Model], attack: Any) -> None:
    make_product(stock=5)
    before = everything()
    with pytest.raises(HistoryIsFixed):
        attack(model)
    assert everything() == before


@pytest.mark.django_db
def test_a_row_built_anew_over_an_old_number_is_refused(make_product: MakeProduct) -> None:
    make_product(stock=5)
    before = everything()
    row = StockMovement.objects.earliest("id")
    forged = StockMovement(**{field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields})
    forged.quantity *= 2
    with pytest.raises(IntegrityError), transaction.atomic():
        forged.save()
    assert everything() == before


@pytest.mark.django_db
def test_a_related_set_and_a_cascade_are_refused(make_product: MakeProduct) -> None:
    product = make_product(stock=5)
    before = everything()
    with pytest.raises(HistoryIsFixed):
        StockOperation.objects.earliest("id").movements.all().delete()
    with pytest.raises(ProtectedError):
        product.delete()
    assert everything() == before


@pytest.mark.django_db
def test_new_events_may_still_be_written(make_product: MakeProduct) -> None:
    make_product(stock=1)
    append([])
    assert Event.objects.exists()


# ---- in the database itself ------------------------------------------------------------------------------------------
@pytest.fixture
def protected(transactional_db: None) -> Iterator[None]:
    """The guards are installed for one test; the teardown uses the variable that only test databases know."""
    assert protection.protect() == []
    yield
    protection.unprotect()


SQL_ATTACKS = {
    "update": "UPDATE {table} SET {column} = {column} WHERE id = {id}",
    "delete": "DELETE FROM {table} WHERE id = {id}",
    "replace": "REPLACE INTO {table} SELECT * FROM {table} WHERE id = {id}",
}
if connection.vendor == "mysql":
    SQL_ATTACKS["upsert"] = (
        "INSERT INTO {table} SELECT * FROM {table} old WHERE old.id = {id}"
        " ON DUPLICATE KEY UPDATE {table}.{column} = {table}.{column}"
    )


@pytest.mark.usefixtures("protected")
@pytest.mark.parametrize("model", [StockMovement, StockOperation], ids=lambda model: model.__name__)
@pytest.mark.parametrize("attack", SQL_ATTACKS.values(), ids=SQL_ATTACKS)
def test_raw_sql_is_refused(make_product: MakeProduct, model: type[models.Model], attack: str) -> None:
    make_product(stock=5)
    before = everything()
    row_id = model._base_manager.latest("id").pk
    sql = attack.format(table=model._meta.db_table, column=FIELD[model], id=row_id)
    with pytest.raises(DatabaseError, match="only added to") as refused, connection.cursor() as cursor:
        cursor.execute(sql)
    assert refused.value.args
    assert everything() == before


@pytest.mark.usefixtures("protected")
def test_selling_and_counting_go_on_under_guard(make_product: MakeProduct) -> None:
    product = make_product(stock=5)
    adjust(product.pk, quantity=Decimal(-2), reason="Shelf count")
    assert ProductStock.objects.get(product=product).on_hand == 3
    assert protection.missing_guards() == []
    assert protection.protect() == []


@pytest.mark.usefixtures("protected")
def test_the_command_says_what_is_missing() -> None:
    assert check() == ([], 0)
    call_command("protect_ledger", remove=True, stdout=io.StringIO())
    missing, code = check()
    assert code == 3
    assert len(missing) == len(protection.guards("shop")) == (6 if connection.vendor == "mysql" else 9)
    call_command("protect_ledger", stdout=io.StringIO())
    assert check() == ([], 0)


def check() -> tuple[list[str], int]:
    out = io.StringIO()
    code = 0
    try:
        call_command("protect_ledger", "--check", "--json", stdout=out)
    except SystemExit as left:
        code = int(left.code or 0)
    return json.loads(out.getvalue())["missing"], code


@pytest.mark.mariadb
@pytest.mark.usefixtures("protected")
def test_only_a_test_database_lets_its_teardown_delete(make_product: MakeProduct) -> None:
    make_product(stock=5)
    make_product("Cable", stock=0)
    with connection.cursor() as cursor:
        cursor.execute(f"SET {protection.TEARDOWN_VARIABLE} = 1")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        cursor.execute("DELETE FROM inventory_stockmovement")
        cursor.execute("DELETE FROM inventory_stocklevel")
        cursor.execute("UPDATE inventory_productstock SET on_hand = 0, available = 0")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
        cursor.execute(f"SET {protection.TEARDOWN_VARIABLE} = NULL")
    assert not StockMovement.objects.exists()
    assert all(protection.TEARDOWN_VARIABLE not in guard.sql for guard in protection.guards("workbox_db"))
    assert all(protection.TEARDOWN_VARIABLE in guard.sql for guard in protection.guards("test_workbox_db"))


@pytest.mark.mariadb
@pytest.mark.django_db
def test_the_grants_let_the_application_read_and_add_only() -> None:
    lines = protection.grants("'app'@'%'")
    ledger = [line for line in lines if any(f"`{table}`" in line for table in protection.TABLES)]
    assert len(ledger) == 3
    assert all(line.startswith("GRANT SELECT, INSERT ON ") for line in ledger)
    assert len(lines) > 20


@pytest.mark.mariadb
@pytest.mark.usefixtures("protected")
def test_an_application_user_can_neither_truncate_nor_drop_the_guards(make_product: MakeProduct) -> None:
    make_product(stock=5)
    user = "'wb_app_test'@'%'"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'app-test'")
        for line in protection.grants(user):
            cursor.execute(line)
    try:
        before = everything()
        app = connection.copy()
        app.settings_dict = {**connection.settings_dict, "USER": "wb_app_test", "PASSWORD": "app-test"}
        for sql in (
            "TRUNCATE inventory_stockmovement",
            "DROP TRIGGER inventory_stockmovement_no_delete",
            "DELETE FROM inventory_stockmovement",
            "UPDATE inventory_stockmovement SET quantity = 1",
            "SET GLOBAL log_bin_trust_function_creators = 1",
        ):
            with pytest.raises(DatabaseError, match=re.compile("denied|Access")), app.cursor() as cursor:
                cursor.execute(sql)
        app.close()
        assert everything() == before
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP USER {user}")


@pytest.mark.django_db
def test_a_product_with_stock_does_not_become_a_charge(make_product: Callable[..., Product], manager: Api) -> None:
    """An order would promise its stock in the totals and nowhere else, for good: found by fuzzing."""
    lamp = make_product("Lamp", stock=2)
    for change in ({"is_stocked": False}, {"is_stocked": False, "name": "Fee"}):
        refused = manager("PATCH", f"products/{lamp.pk}", change)
        assert (refused.status_code, refused.json()["code"]) == (409, "stock_held")
    with pytest.raises(Conflict):
        update_products({lamp.pk: {"is_stocked": False}})
    lamp.refresh_from_db()
    assert (lamp.is_stocked, lamp.name) == (True, "Lamp")
    manager("POST", "inventory/adjust", {"product_id": lamp.pk, "quantity": -2, "reason": "gone"})
    assert manager("PATCH", f"products/{lamp.pk}", {"is_stocked": False}).status_code == 200
    sold = manager("POST", "sales", {"product_id": lamp.pk, "quantity": 2})
    assert (sold.status_code, lamp.movements.count()) == (201, 2)
