"""Two at one suggestion, and a history kept by many at once, on MariaDB; beside a negative control."""

import time
from decimal import Decimal

import pytest
from django.db import transaction

from insights import demand
from insights.models import DailyDemand, Suggestion
from insights.replenishment import Chosen, order_suggestions
from insights.tests.conftest import days_ago, now
from inventory.models import Product, Warehouse
from orders import services
from orders.services import Item
from purchasing.models import PurchaseOrder
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem, create_purchase_order
from purchasing.services.vendors import NewPrice
from workbox import drills
from workbox.jobs.models import Job, JobState
from workbox.planning import work

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
D = Decimal
ROUNDS = 30


def suggestions() -> list[Suggestion]:
    _, products = drills.shop(products=ROUNDS, stock=0)
    vendor = vendors.create_vendor({"name": "Drill vendor"}).pk
    place = Warehouse.objects.order_by("priority").values_list("id", flat=True)[0]
    for one in products:
        vendors.add_price(vendor, NewPrice(product_id=one.pk, unit_price=D(1)))
    numbers = dict.fromkeys(
        (
            "quantity", "unit_price", "available", "position", "reorder_point", "safety_stock", "order_up_to",
            "daily_units", "lead_time_days", "margin_at_risk",
        ),
        D(1),
    )  # fmt: skip
    rest = {"service_level": D("0.9"), "stockout_probability": D("0.5"), "order_by": now().date(), "reason": "x"}
    return [
        Suggestion.objects.create(
            product=one, warehouse_id=place, vendor_id=vendor, created_at=now(), updated_at=now(), **numbers, **rest
        )
        for one in products
    ]


def test_two_who_order_the_same_suggestion_order_it_once() -> None:
    made = suggestions()

    def order(one: Suggestion) -> str:
        order_suggestions([Chosen(one.pk)])
        return "ordered"

    outcomes = drills.in_threads([lambda one=one: order(one) for one in made for _ in range(2)], threads=8)
    assert outcomes == {"ordered": ROUNDS, "SuggestionUnknown": ROUNDS}
    assert PurchaseOrder.objects.count() == ROUNDS


def test_control_looking_before_holding_orders_it_twice() -> None:
    made = suggestions()

    def order(one: Suggestion) -> str:
        with transaction.atomic():
            found = Suggestion.objects.filter(pk=one.pk).first()
            if found is None:
                return "gone"
            time.sleep(0.01)
            item = PurchaseItem(found.product_id, found.quantity)
            create_purchase_order(found.vendor_id, [item], warehouse_id=found.warehouse_id)
            Suggestion.objects.filter(pk=found.pk).delete()
            return "ordered"

    outcomes = drills.in_threads([lambda one=one: order(one) for one in made for _ in range(2)], threads=8)
    assert outcomes["ordered"] > ROUNDS, outcomes


def test_many_who_ask_for_a_training_start_one() -> None:
    boss, _ = drills.shop(products=1, stock=0)

    def ask() -> str:
        return "new" if work.start(work.TRAINING, user_id=boss.pk)[1] else "named"

    outcomes = [drills.in_threads([ask] * 8, threads=8)]
    Job.objects.update(state=JobState.CANCELLED, finished_at=now())
    outcomes.append(drills.in_threads([ask] * 8, threads=8))
    assert outcomes == [{"new": 1, "named": 7}] * 2


def test_many_who_keep_the_history_while_orders_come_end_with_what_is_true() -> None:
    _, products = drills.shop(products=4, stock=500)
    demand.rebuild()

    def sell(product: Product, number: int) -> str:
        services.place_order([Item(product.pk, D(1))], user_id=None, placed_at=days_ago(number % 5))
        return "sold"

    def keep() -> str:
        demand.catch_up()
        return "kept"

    work = [lambda number=number: sell(products[number % 4], number) for number in range(80)]
    work[::8] = [keep for _ in work[::8]]
    outcomes = drills.in_threads(work, threads=8)
    assert outcomes == {"sold": 70, "kept": 10}
    demand.catch_up()
    assert list(demand.drifts()) == []
    assert sum(DailyDemand.objects.values_list("units", flat=True)) == 70
