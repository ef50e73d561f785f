"""Low stock in one warehouse: a threshold of its own, its own alert."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from insights import watch
from insights.models import Alert
from inventory.models import Product, StockLevel, Warehouse
from inventory.services import ledger
from tests.client import Api

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]


def set_threshold(api: Api, product: Product, place: Warehouse, value: float | None) -> list[dict[str, object]]:
    body = {"thresholds": [{"warehouse_id": place.pk, "reorder_threshold": value}]}
    answer = api("PUT", f"products/{product.pk}/thresholds", body)
    assert answer.status_code == 200, answer.content
    return list(answer.json())


def low() -> list[tuple[int | None, str, str]]:
    """(warehouse, status, severity) of each low-stock alert."""
    rows = Alert.objects.filter(alert_type="low_stock").order_by("id")
    return list(rows.values_list("warehouse_id", "status", "severity"))


@pytest.fixture
def lamp(make_product: MakeProduct, annex: Warehouse) -> Product:
    """A hundred in the main store, ten in the annex."""
    product = make_product("Lamp", stock=100)
    ledger.adjust(product.pk, quantity=Decimal(10), reason="delivered", warehouse_id=annex.pk)
    return product


def test_a_warehouse_that_falls_to_its_own_threshold_raises_its_own_alert(
    lamp: Product, annex: Warehouse, manager: Api
) -> None:
    assert [row["available"] for row in set_threshold(manager, lamp, annex, 6)] == [10]
    assert low() == []
    ledger.adjust(lamp.pk, quantity=Decimal(-4), reason="moved", warehouse_id=annex.pk)
    assert low() == [(annex.pk, "active", "warning")]
    assert "in Annex" in Alert.objects.get().title
    manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 3}], "warehouse_id": annex.pk})
    assert low() == [(annex.pk, "active", "critical")]
    ledger.adjust(lamp.pk, quantity=Decimal(20), reason="delivered", warehouse_id=annex.pk)
    assert low() == [(annex.pk, "resolved", "critical")]


def test_a_new_threshold_counts_at_once_and_without_one_the_alert_ends(
    lamp: Product, annex: Warehouse, manager: Api
) -> None:
    set_threshold(manager, lamp, annex, 10)
    assert low() == [(annex.pk, "active", "warning")]
    assert set_threshold(manager, lamp, annex, None) == []
    watch.auto_resolve()
    assert [status for _, status, _ in low()] == ["resolved"]


def test_the_hourly_check_finds_what_nobody_raised(lamp: Product, annex: Warehouse) -> None:
    StockLevel.objects.filter(product=lamp, warehouse=annex).update(reorder_threshold=50)
    watch.check()
    assert low() == [(annex.pk, "active", "critical")]


def test_a_wrong_threshold_is_refused(lamp: Product, annex: Warehouse, manager: Api) -> None:
    for value, status in ((-1, 422), ("many", 422)):
        body = {"thresholds": [{"warehouse_id": annex.pk, "reorder_threshold": value}]}
        assert manager("PUT", f"products/{lamp.pk}/thresholds", body).status_code == status
    unknown = {"thresholds": [{"warehouse_id": 987654, "reorder_threshold": 1}]}
    assert manager("PUT", f"products/{lamp.pk}/thresholds", unknown).status_code == 404
    assert manager("GET", "products/987654/thresholds").status_code == 404
