"""Low-stock alerts in the movement's own transaction, what people do with alerts, and what screens hear of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from insights import alert_mail, alerts, watch
from insights.models import OPEN, Alert, AlertSettings
from inventory.errors import InsufficientStock
from inventory.models import MovementType, Product, Warehouse
from inventory.services import catalog, ledger
from inventory.services.ledger import Movement
from orders import services
from orders.services import Item
from tests.client import Api
from workbox.core.errors import Conflict
from workbox.core.models import Event

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


def only() -> Alert:
    """The one alert there is."""
    return Alert.objects.get()


def put(product: Product, available: int) -> None:
    """The product's available stock becomes this."""
    ledger.set_quantity(product.pk, available=D(available), reason="Counted")


def order(product: Product, quantity: int) -> None:
    """Somebody orders it."""
    services.place_order([Item(product.pk, D(quantity))], user_id=None)


def told() -> list[str]:
    """The types of the alert facts in the log, in order."""
    return list(Event.objects.filter(topic="alerts").order_by("id").values_list("type", flat=True))


# ---- raised in the movement's transaction ----------------------------------------------------------------------------
def test_an_order_that_takes_the_stock_to_the_threshold_raises_one_alert(make_product: MakeProduct) -> None:
    lamp = make_product(stock=12, sku="L-1", reorder_threshold=D(10))
    order(lamp, 1)
    assert not Alert.objects.exists()
    order(lamp, 1)

    alert = only()
    assert (alert.alert_type, alert.severity, alert.status) == ("low_stock", "warning", "active")
    assert (alert.product_id, alert.warehouse_id, alert.current_quantity, alert.threshold) == (lamp.pk, None, 10, 10)
    assert alert.title == "Lamp (L-1): 10 left, the threshold is 10"
    assert alert.open_key == alert.subject == f"low_stock:product:{lamp.pk}:warehouse:-"
    assert told() == ["alert_raised"]


def test_it_becomes_critical_at_half_the_threshold_and_stays_one_alert(make_product: MakeProduct) -> None:
    lamp = make_product(stock=12, reorder_threshold=D(10))
    for quantity in (4, 1, 2, 1):  # 8, 7, 5, 4
        order(lamp, quantity)
    assert (only().severity, only().current_quantity) == ("critical", 5)
    assert told() == ["alert_raised", "alert_updated"]


def test_an_order_that_fails_leaves_no_alert(make_product: MakeProduct) -> None:
    lamp, rare = make_product(stock=12, reorder_threshold=D(10)), make_product("Rare", stock=20, reorder_threshold=D(0))

    with pytest.raises(InsufficientStock):
        services.place_order([Item(lamp.pk, D(5)), Item(rare.pk, D(21))], user_id=None)
    assert not Alert.objects.exists()


def test_a_first_delivery_below_the_threshold_is_low_from_the_start(make_product: MakeProduct) -> None:
    make_product(stock=3, reorder_threshold=D(10))
    assert (only().severity, only().current_quantity) == ("critical", 3)


def test_a_product_without_stock_is_no_news_until_the_hourly_check(make_product: MakeProduct) -> None:
    make_product(stock=0)
    assert not Alert.objects.exists()
    watch.check()
    assert only().title.endswith("none left, the threshold is 10")


def test_stock_well_above_the_threshold_resolves_the_alert_at_once_and_a_little_above_does_not(
    make_product: MakeProduct,
) -> None:
    lamp = make_product(stock=9, reorder_threshold=D(10))
    put(lamp, 11)
    assert only().status == "active"
    put(lamp, 12)
    alert = only()
    assert (alert.status, alert.resolution, alert.note, alert.open_key) == (
        "resolved", "auto", "12 are available again.", None,
    )  # fmt: skip
    assert told() == ["alert_raised", "alert_resolved"]


def test_a_retired_product_needs_no_alert(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    catalog.retire_product(lamp.pk)
    assert (only().status, only().note) == ("resolved", "The product is no longer sold.")


def test_a_new_threshold_raises_the_alert_in_the_same_transaction(make_product: MakeProduct) -> None:
    lamp = make_product(stock=30)
    catalog.update_product(lamp.pk, changes={"reorder_threshold": D(40)})
    assert (only().threshold, only().current_quantity) == (40, 30)


def test_switched_off_nothing_is_raised_and_what_is_open_ends(make_product: MakeProduct) -> None:
    make_product(stock=9)
    alerts.change_settings({"low_stock_enabled": False})
    make_product("Other", stock=1)
    watch.check()
    assert Alert.objects.count() == 1
    assert watch.auto_resolve() == 1
    assert only().note == "Alerts of this kind are switched off."


# The statements of one are those of all.
@pytest.mark.parametrize(
    ("low", "high"), [(2, 50), *(pytest.param(*one, marks=pytest.mark.once) for one in ((9, 11), (10, 11), (10, 12)))]
)
def test_stock_that_oscillates_around_the_threshold_makes_one_alert_and_one_mail(
    low: int, high: int, make_product: MakeProduct, main: Warehouse
) -> None:
    lamp = make_product(stock=high, reorder_threshold=D(10))
    alerts.change_settings({"email_notifications_enabled": True, "alert_recipient_emails": ["a@example.com"]})
    step = D(high - low)
    for number in range(1000):
        change = -step if number % 2 == 0 else step
        ledger.post([Movement(lamp.pk, main.pk, MovementType.ADJUSTMENT, change)], reason="Counted")
        if number % 100 == 0:
            alert_mail.send_digest()
    assert Alert.objects.count() == 1
    assert len(mail.outbox) == 1


def test_orders_far_from_the_threshold_take_no_further_statement(
    make_product: MakeProduct, manager: Api, settings: object
) -> None:
    lamp = make_product(stock=500)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]}).status_code == 201
        return len(captured)

    statements()  # a connection asks for its id step once
    heard = statements()
    settings.WORKBOX_EVENT_LISTENERS = []
    assert heard == statements()


def test_an_order_of_a_product_that_is_low_already_takes_none_either(
    make_product: MakeProduct, manager: Api, settings: object
) -> None:
    lamp = make_product(stock=9)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 1}]}).status_code == 201
        return len(captured)

    statements()  # a connection asks for its id step once
    heard = statements()
    settings.WORKBOX_EVENT_LISTENERS = []
    assert heard == statements()


# ---- one open alert per subject --------------------------------------------------------------------------------------
def test_the_database_refuses_a_second_open_alert(make_product: MakeProduct) -> None:
    make_product(stock=9)
    twin = only()
    twin.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


@pytest.mark.parametrize("change", [{"open_key": None}, {"status": "resolved"}, {"status": "acknowledged"}])
def test_the_database_refuses_an_alert_that_contradicts_itself(
    change: dict[str, object], make_product: MakeProduct
) -> None:
    make_product(stock=9)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.update(**change)


def test_an_alert_that_comes_back_within_a_day_is_the_same_one(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    put(lamp, 50)
    put(lamp, 8)
    assert (only().status, only().times_raised, only().resolved_at, only().note) == ("active", 2, None, "")
    put(lamp, 50)
    Alert.objects.update(resolved_at=datetime.now(UTC) - timedelta(hours=25))
    put(lamp, 8)
    assert list(Alert.objects.order_by("id").values_list("status", "times_raised")) == [("resolved", 2), ("active", 1)]


def test_what_was_resolved_by_hand_stays_resolved_for_a_day_unless_the_stock_falls_anew(
    make_product: MakeProduct,
) -> None:
    lamp = make_product(stock=9)
    alerts.resolve(only().pk, note="Ordered by phone")
    watch.check()
    assert (only().status, only().resolution) == ("resolved", "by_hand")
    put(lamp, 50)
    put(lamp, 9)
    assert only().status == "active"
    alerts.resolve(only().pk)
    Alert.objects.update(resolved_at=datetime.now(UTC) - timedelta(hours=25))
    watch.check()
    low = Alert.objects.filter(alert_type="low_stock")
    assert (low.count(), low.filter(OPEN).count()) == (2, 1)


def test_the_check_refreshes_an_open_alert_and_tells_only_what_changed(make_product: MakeProduct) -> None:
    lamp = make_product(stock=10)
    order(lamp, 1)
    assert only().current_quantity == 10
    assert watch.check()["low_stock"] == 0
    assert only().current_quantity == 9
    assert told() == ["alert_raised"]


# ---- by hand ---------------------------------------------------------------------------------------------------------
def test_an_alert_is_acknowledged_once_resolved_once_and_nothing_afterwards(
    make_product: MakeProduct, manager: Api
) -> None:
    make_product(stock=9)
    number = only().pk
    alerts.acknowledge(number, actor_id=manager.user.pk)
    assert (only().status, only().acknowledged_by) == ("acknowledged", manager.user)
    with pytest.raises(Conflict):
        alerts.acknowledge(number)
    alerts.resolve(number, note="Bought", actor_id=manager.user.pk)
    assert (only().status, only().resolved_by, only().note) == ("resolved", manager.user, "Bought")
    for act in (alerts.acknowledge, alerts.resolve):
        with pytest.raises(Conflict):
            act(number)
    with pytest.raises(Conflict):
        alerts.snooze(number, until=datetime.now(UTC) + timedelta(hours=1))
    assert told() == ["alert_raised", "alert_updated", "alert_resolved"]


def test_the_frames_say_all_there_is_to_know(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9, sku="L-1")
    payload = Event.objects.get(type="alert_raised").payload
    assert f'"alert_id":{only().pk},' in payload
    assert f'"product_id":{lamp.pk},"sku":"L-1","product":"Lamp","warehouse_id":null' in payload
    assert '"current_quantity":9,"threshold":10' in payload


# ---- mail ------------------------------------------------------------------------------------------------------------
def test_every_recipient_gets_one_mail_with_all_new_alerts_and_nothing_twice(make_product: MakeProduct) -> None:
    addresses = ["a@example.com", "b@example.com"]
    alerts.change_settings({"email_notifications_enabled": True, "alert_recipient_emails": addresses})
    make_product(stock=9, sku="L-1")
    make_product("Cable", stock=1, sku="C-1")
    assert alert_mail.send_digest() == 2
    assert [one.to for one in mail.outbox] == [["a@example.com"], ["b@example.com"]]
    assert mail.outbox[0].subject == "WorkBox: 2 stock alerts"
    assert "Lamp (L-1): 9 left" in mail.outbox[0].body
    assert "Cable (C-1): 1 left" in mail.outbox[0].body
    assert alert_mail.send_digest() == 0
    make_product("Plug", stock=2, sku="P-1")
    assert alert_mail.send_digest() == 2
    assert mail.outbox[-1].subject == "WorkBox: Plug (P-1): 2 left, the threshold is 10"


def test_no_mail_while_switched_off_snoozed_or_resolved(make_product: MakeProduct) -> None:
    lamp, cable = make_product(stock=9), make_product("Cable", stock=9)
    assert alert_mail.send_digest() == 0
    alerts.snooze(Alert.objects.get(product=lamp).pk, until=datetime.now(UTC) + timedelta(hours=1))
    alerts.resolve(Alert.objects.get(product=cable).pk)
    alerts.change_settings({"email_notifications_enabled": True, "alert_recipient_emails": ["a@example.com"]})
    assert alert_mail.send_digest() == 0
    assert mail.outbox == []


def test_when_no_mail_could_be_sent_the_next_run_tries_again(
    make_product: MakeProduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_product(stock=9)
    alerts.change_settings({"email_notifications_enabled": True, "alert_recipient_emails": ["a@example.com"]})

    def refuse(*_: object, **__: object) -> int:
        raise ConnectionRefusedError("no mail server")

    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMessage.send", refuse)
        assert alert_mail.send_digest() == 0
    assert alert_mail.send_digest() == 1
    assert AlertSettings.objects.count() == 1


def test_a_product_whose_name_has_a_line_break_is_mailed_all_the_same(make_product: MakeProduct) -> None:
    alerts.change_settings({"email_notifications_enabled": True, "alert_recipient_emails": ["a@example.com"]})
    make_product("Two\nlines", stock=9, sku="T-1")
    assert alert_mail.send_digest() == 1
    assert mail.outbox[0].subject == "WorkBox: Two lines (T-1): 9 left, the threshold is 10"
