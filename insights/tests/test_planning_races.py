"""Two at one suggestion, and a history kept by many at once, on MariaDB; beside a negative control."""

import time
from decimal import Decimal

import pytest
from django.db import transaction

from insights import demand, refit, replenishment
from insights.models import DailyDemand, ServiceLevel, Suggestion
from insights.replenishment import Chosen, order_suggestions
from insights.tests.conftest import days_ago, now
from inventory.models import Product, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from orders import services
from orders.history import PastLine, PastOrder, record_history
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


def due() -> list[Product]:
    """Products that sold for weeks, are nearly gone and have a vendor, with their curves in force."""
    _, products = drills.shop(products=6, stock=0)
    place = Warehouse.objects.get(code="DRILL")
    vendor = vendors.create_vendor({"name": "Drill vendor"}).pk
    for one in products:
        vendors.add_price(vendor, NewPrice(product_id=one.pk, unit_price=D(1)))
        line = Movement(one.pk, place.pk, "purchase", D(150))
        ledger.post([line], occurred_at=days_ago(50), reason="Delivery")
        papers = [
            PastOrder(f"D-{one.pk}-{ago}", days_ago(ago), [PastLine(one.pk, D(3), D(10))]) for ago in range(1, 49)
        ]
        record_history(papers, warehouse_id=place.pk)
    refit.refit()
    assert Suggestion.objects.count() == len(products)
    return products


def test_two_refreshes_at_once_make_each_suggestion_once() -> None:
    products = due()

    def work_out() -> str:
        replenishment.refresh()
        return "done"

    for _ in range(8):
        Suggestion.objects.all().delete()
        assert drills.in_threads([work_out] * 3, threads=3) == {"done": 3}
        assert Suggestion.objects.count() == len(products)


def test_control_two_who_look_for_suggestions_that_are_not_there_hold_nothing() -> None:
    (made, *_) = suggestions()
    Suggestion.objects.all().delete()

    def work_out() -> str:
        with transaction.atomic():
            if not list(Suggestion.objects.select_for_update().filter(product_id=made.product_id)):
                time.sleep(0.1)
                row = Suggestion(**{one.attname: getattr(made, one.attname) for one in Suggestion._meta.fields})
                row.pk = None
                row.save(force_insert=True)
        return "done"

    outcomes = drills.in_threads([work_out] * 2, threads=2)
    assert outcomes["done"] == 1, outcomes
    assert Suggestion.objects.count() == 1


def test_two_who_give_a_product_its_first_level_leave_one() -> None:
    _, products = drills.shop(products=10, stock=0)

    def give(product: Product, level: str) -> str:
        replenishment.set_service_level(D(level), product_id=product.pk)
        return "given"

    acts = [lambda one=one, level=level: give(one, level) for one in products for level in ("0.9", "0.95")]
    assert drills.in_threads(acts, threads=6) == {"given": 20}
    assert ServiceLevel.objects.count() == 10
