"""Alerts that a product may run out before an order arrives: raised by the forecast, ended with hysteresis."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from insights import predictions, refit, watch
from insights.models import Alert, AlertSettings, AlertStatus
from insights.reasons import Named, chance_of_running_out
from insights.tests.conftest import SellDaily
from inventory.models import Product, Warehouse
from inventory.services import ledger
from purchasing.services import vendors
from purchasing.services.vendors import NewPrice

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
LAMP = Named(1, "L-1", "Lamp")
STEADY = [2, 3, 1, 2, 4, 0, 2] * 6


@pytest.mark.parametrize(
    ("chance", "open_severity", "expected"),
    [
        (0.19, "", None),
        (0.20, "", "warning"),
        (0.49, "", "warning"),
        (0.50, "", "critical"),
        (0.10, "warning", "warning"),
        (0.09, "warning", None),
        (0.26, "critical", "critical"),
        (0.24, "critical", "warning"),
        (0.09, "critical", None),
    ],
)
def test_the_levels_and_their_hysteresis(chance: float, open_severity: str, expected: str | None) -> None:
    found = chance_of_running_out(
        LAMP, chance=chance, available=D(9), daily_units=D(2), lead_time_days=D(7), on=None, place=(3, "Main store"),
        open_severity=open_severity,
    )  # fmt: skip
    assert (found.severity if found else None) == expected


def test_what_is_used_up_is_low_on_stock_and_not_predicted() -> None:
    known = {"chance": 1.0, "daily_units": D(2), "lead_time_days": D(7), "on": None, "place": (3, "Main store")}
    assert chance_of_running_out(LAMP, available=D(0), **known) is None  # type: ignore[arg-type]  # what the case names


@pytest.fixture
def lamp(make_product: MakeProduct, sell_daily: SellDaily) -> Product:
    """Sells two a day, the vendor needs five days; ten are left; forecast."""
    lamp = make_product("Lamp", sku="LAMP", reorder_threshold=D(0))
    sell_daily(lamp, STEADY, stock=10)
    vendor = vendors.create_vendor({"name": "Mill"}).pk
    vendors.add_price(vendor, NewPrice(product_id=lamp.pk, unit_price=D(1), lead_time_days=5))
    refit.refit()
    return lamp


def depletions() -> list[Alert]:
    return list(Alert.objects.filter(alert_type="predicted_depletion").order_by("id"))


def chance(product: Product) -> float:
    return float(predictions.predict(product.pk, predictions.places_of()).probability[0])


def test_the_forecast_raises_one_alert_per_product_and_warehouse(lamp: Product, main: Warehouse) -> None:
    assert chance(lamp) >= 0.5
    watch.check()
    watch.check()
    (alert,) = depletions()
    assert (alert.severity, alert.warehouse_id, alert.current_quantity, alert.threshold) == ("critical", main.pk, 10, 5)
    assert alert.predicted_on is not None
    assert "in Main store with" in alert.title
    assert "an order takes 5 days" in alert.message


def test_it_ends_when_the_chance_falls_below_half_the_level_and_not_before(lamp: Product, main: Warehouse) -> None:
    watch.check()
    for _ in range(30):  # one more lamp at a time
        watch.auto_resolve()
        (alert,) = depletions()
        if alert.status == AlertStatus.RESOLVED:
            break
        last = chance(lamp)
        ledger.adjust(lamp.pk, quantity=D(1), warehouse_id=main.pk, reason="Found")
    assert alert.note == "The stock lasts longer again."
    assert last >= 0.1 > chance(lamp)


def test_what_is_sold_out_meanwhile_is_told_so(lamp: Product, main: Warehouse) -> None:
    watch.check()
    ledger.adjust(lamp.pk, quantity=D(-10), warehouse_id=main.pk, reason="Gone")
    watch.auto_resolve()
    assert [(one.status, one.note) for one in depletions()] == [("resolved", "It has run out.")]


def test_switched_off_nothing_is_raised_and_what_is_open_ends(lamp: Product) -> None:
    watch.check()
    AlertSettings.objects.update_or_create(pk=1, defaults={"predicted_depletion_enabled": False})
    watch.auto_resolve()
    assert [one.status for one in depletions()] == ["resolved"]


def test_a_moving_average_speaks_until_there_is_a_forecast(
    make_product: MakeProduct, sell_daily: SellDaily, main: Warehouse
) -> None:
    bulb = make_product("Bulb", sku="BULB", reorder_threshold=D(0))
    sell_daily(bulb, STEADY, stock=4)
    watch.check()
    assert [one.warehouse_id for one in depletions()] == [None]
    refit.refit()
    watch.check()
    watch.auto_resolve()
    assert [(one.warehouse_id, one.status) for one in depletions()] == [(None, "resolved"), (main.pk, "active")]
    assert depletions()[0].note == "It is told of per warehouse now, by the forecast."
