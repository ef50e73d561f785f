"""The demo: the same believable shop for everybody, through the services, and harmless to run twice."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Max, Min
from django.utils import timezone

from accounts.models import User
from conftest import PASSWORD
from insights.models import ForecastCurve, Suggestion
from inventory.models import (
    Barcode,
    MovementType,
    Product,
    ProductStock,
    StockCount,
    StockMovement,
    Transfer,
    Warehouse,
)
from orders.history import record_history
from orders.models import Order, Return
from purchasing.models import PriceBreak, PurchaseOrder, Vendor, VendorPrice
from purchasing.queries import purchase_differences, vendor_lead_times
from workbox.core.models import Event
from workbox.demo.catalogue import PRODUCTS_MAX, articles, ean13
from workbox.demo.story import BroughtBack, Correction, Sale, tell

# Names, SKUs, barcodes and addresses of the seed documents: their examples are replayed on top of the demo.
SEED_WORDS = {"laptop", "laptop computer", "widget a", "hoodie", "test prod", "product name", "updated product name"}
SEED_CODES = {"WDG-001", "LAPTOP-001", "012345678905"}


def load(**options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("demo", password=PASSWORD, json=True, stdout=out, **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_story_is_the_same_every_time_and_never_sells_what_is_not_there() -> None:
    story = tell(articles(40), orders=600, first_weekday=2)
    assert story == tell(articles(40), orders=600, first_weekday=2)
    stock = dict(story.opening)
    for act in story.acts:
        if isinstance(act, Sale):
            for sku, quantity in act.lines:
                if sku != "DELIVERY":
                    stock[sku, act.place] -= quantity
                    assert stock[sku, act.place] >= 0, (act, sku)
        elif isinstance(act, Correction):
            stock[act.sku, act.place] += act.quantity
            assert stock[act.sku, act.place] >= 0, act
    assert [act.at for act in story.acts] == sorted(act.at for act in story.acts)
    assert any(isinstance(act, BroughtBack) for act in story.acts)


def test_the_weeks_have_their_pattern() -> None:
    story = tell(articles(40), orders=2000, first_weekday=0)
    per_weekday = [0] * 7
    for act in story.acts:
        if isinstance(act, Sale):
            per_weekday[act.at // (24 * 60) % 7] += 1
    assert per_weekday[5] == max(per_weekday)  # Saturday
    assert per_weekday[6] == min(per_weekday)  # Sunday


def test_every_article_has_its_own_sku_name_and_barcode() -> None:
    everything = articles(PRODUCTS_MAX)
    assert len({one.sku for one in everything}) == PRODUCTS_MAX == len({one.barcode for one in everything})
    assert len({one.name for one in everything}) == PRODUCTS_MAX
    assert ean13("400638133393") == "4006381333931"
    assert not {one.name.lower() for one in everything} & SEED_WORDS
    assert not {code for one in everything for code in (one.sku, one.barcode)} & SEED_CODES


@pytest.mark.django_db
def test_the_demo_is_a_believable_shop() -> None:
    answer = load(orders=300)
    assert {user["username"] for user in answer["users"]} == set(User.objects.values_list("username", flat=True))
    assert all(user.check_password(PASSWORD) for user in User.objects.all())
    assert Warehouse.objects.filter(is_sellable=True).count() == 2
    assert Warehouse.objects.filter(is_sellable=False).count() == 1
    assert Product.objects.filter(is_stocked=True).count() == 40 == Barcode.objects.count()
    span = StockMovement.objects.aggregate(first=Min("created_at"), last=Max("created_at"))
    assert span["last"] - span["first"] > timedelta(days=60)
    assert span["last"] <= timezone.now()
    assert set(StockMovement.objects.values_list("movement_type", flat=True)) >= {
        MovementType.PURCHASE,
        MovementType.SALE,
        MovementType.RETURN,
        MovementType.ADJUSTMENT,
        MovementType.DAMAGED,
    }
    assert answer["low_stock"] >= 3
    assert set(answer["orders_by_status"]) >= {"pending", "confirmed", "partially_shipped", "delivered", "cancelled"}
    assert Return.objects.exists()
    by_status = dict(PurchaseOrder.objects.values_list("status").annotate(Count("id")))
    assert (by_status["sent"], by_status["draft"]) == (1, 1)
    assert by_status["received"] > 20
    times = vendor_lead_times(Vendor.objects.values_list("id", flat=True))
    assert len(times) == 4
    assert sum(one.is_measured for one in times.values()) == 3
    assert VendorPrice.objects.filter(is_current__isnull=True).exists()
    assert PriceBreak.objects.exists()
    assert list(purchase_differences()) == []
    assert Suggestion.objects.count() >= 5
    forecasts = ForecastCurve.objects.filter(status="model", days__gte=30)
    assert forecasts.values("product").distinct().count() >= 30
    assert set(Transfer.objects.values_list("status", flat=True)) == {"completed", "in_transit", "pending"}
    assert StockCount.objects.get().status == "closed"
    assert ProductStock.objects.filter(reserved__gt=0).exists()
    assert not User.objects.filter(email__in=["user@example.com", "john@example.com"]).exists()


@pytest.mark.django_db
def test_running_the_demo_again_changes_nothing_whatever_is_asked() -> None:
    load(orders=60, products=10)
    before = (
        Order.objects.count(),
        StockMovement.objects.count(),
        Event.objects.count(),
        PurchaseOrder.objects.count(),
    )
    load(orders=500, products=30)
    assert (
        Order.objects.count(),
        StockMovement.objects.count(),
        Event.objects.count(),
        PurchaseOrder.objects.count(),
    ) == before
    assert Product.objects.filter(is_stocked=True).count() == 10


@pytest.mark.django_db
def test_an_interrupted_demo_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return record_history(*args, **kwargs)

    monkeypatch.setattr("workbox.demo.stage.record_history", dies)
    with pytest.raises(KeyboardInterrupt):
        load(orders=120, products=12)
    halfway = Order.objects.count()
    monkeypatch.setattr("workbox.demo.stage.record_history", record_history)
    assert load(orders=120, products=12)["orders"] > halfway
    opened = StockMovement.objects.earliest("id").created_at
    story = tell(articles(12), orders=120, first_weekday=opened.weekday())
    assert Order.objects.count() == len([act for act in story.acts if isinstance(act, Sale)])


@pytest.mark.django_db
def test_the_demo_does_not_take_over_somebody_elses_account() -> None:
    User.objects.create_user("admin", "boss@example.org", PASSWORD, role="admin")
    with pytest.raises(CommandError, match="belongs to boss@"):
        load()
    assert not Product.objects.exists()


@pytest.mark.django_db
def test_a_weak_password_is_refused() -> None:
    with pytest.raises(CommandError, match="too weak"):
        call_command("demo", password="12345")
    assert not User.objects.exists()
