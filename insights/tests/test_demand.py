"""The daily demand is what orders and the ledger say, whatever happens and however often it is told."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from insights import demand, facts, panels
from insights.demand_facts import demand_of
from insights.models import DailyDemand, TradingDay
from insights.tests.conftest import SellDaily, days_ago, stock_up
from inventory.models import Product, Warehouse
from inventory.services import ledger, transfers
from inventory.services.ledger import Movement
from orders import services
from orders.history import PastLine, PastOrder, PastReturn, record_history
from orders.models import Customer
from orders.services import Item
from workbox.core.models import EventCursor

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal


def rows(product: Product) -> list[tuple[str, int, Decimal, int, Decimal]]:
    """(warehouse, days ago, units, orders, returned) of the days on which something was ordered or brought back."""
    today = facts.today()
    found = DailyDemand.objects.filter(product=product).order_by("day", "warehouse__code")
    return [
        (one.warehouse.code, (today - one.day).days, one.units, one.orders, one.returned_units)
        for one in found.select_related("warehouse")
        if one.units or one.returned_units
    ]


def place(product: Product, units: object, *, ago: int, **options: object) -> int:
    items = [Item(product.pk, D(str(units)))]
    return services.place_order(items, user_id=None, placed_at=days_ago(ago), **options).id  # type: ignore[arg-type]  # what the case names


def test_demand_stands_on_the_day_of_the_order_in_the_place_it_is_filled_from(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product(stock=5)
    stock_up(lamp, 5, place=annex, ago=1)
    order = place(lamp, 5, ago=3)
    place(lamp, 2, ago=3)  # nothing is left in the main store
    demand.catch_up()
    assert rows(lamp) == [("ANNEX", 3, D(2), 1, 0), ("MAIN", 3, D(5), 1, 0)]
    services.ship_order(order, shipped_at=days_ago(0, 0))
    demand.catch_up()
    assert rows(lamp) == [("ANNEX", 3, D(2), 1, 0), ("MAIN", 3, D(5), 1, 0)]


def test_a_pending_order_is_no_demand_and_a_cancelled_one_never_was(make_product: MakeProduct) -> None:
    lamp = make_product(stock=50)
    order = place(lamp, 40, ago=2, confirm=False)
    demand.catch_up()
    assert rows(lamp) == []
    services.confirm_order(order)
    demand.catch_up()
    assert rows(lamp) == [("MAIN", 2, D(40), 1, 0)]
    services.cancel_order(order, reason="a slip of the finger")
    demand.catch_up()
    assert rows(lamp) == []


def test_goods_that_come_back_are_a_figure_of_their_own(make_product: MakeProduct) -> None:
    lamp = make_product(stock=9)
    order = place(lamp, 4, ago=3)
    services.ship_order(order)
    services.return_order(order, quantities={lamp.pk: D(4)}, reason="broken", returned_at=days_ago(1))
    demand.catch_up()
    assert rows(lamp) == [("MAIN", 3, D(4), 1, 0), ("MAIN", 1, 0, 0, D(4))]


def test_an_imported_credit_note_over_a_whole_line_is_a_cancellation_dated_back(
    make_product: MakeProduct, main: Warehouse
) -> None:
    lamp, customer = make_product(), Customer.objects.create(code="C1")
    stock_up(lamp, 100, place=main, ago=20)

    def order(reference: str, units: int, ago: int) -> PastOrder:
        return PastOrder(reference, days_ago(ago), [PastLine(lamp.pk, D(units), D(1))], customer.pk)

    def back(reference: str, units: int, ago: int) -> PastReturn:
        return PastReturn(reference, days_ago(ago), [PastLine(lamp.pk, D(units), D(1))], customer.pk)

    papers = [order("A", 30, 9), order("B", 7, 8), back("C-A", 7, 5), back("C-B", 10, 4)]
    record_history(papers, warehouse_id=main.pk)
    demand.catch_up()
    # 7 of B never were wanted; 10 of the 30 came back later.
    assert rows(lamp) == [("MAIN", 9, D(30), 1, 0), ("MAIN", 4, 0, 0, D(10))]


def test_transfers_corrections_and_charges_are_no_demand(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    lamp, postage = make_product(stock=9), make_product("Postage", is_stocked=False)
    moved = transfers.create_transfer({lamp.pk: D(3)}, from_warehouse_id=main.pk, to_warehouse_id=annex.pk)
    transfers.complete_transfer(moved.id)
    ledger.adjust(lamp.pk, quantity=D(-2), warehouse_id=main.pk, reason="broken")
    place(postage, 1, ago=1)
    demand.catch_up()
    assert rows(lamp) == rows(postage) == []


def test_the_share_of_the_day_in_stock_follows_the_ledgers_balance(make_product: MakeProduct, main: Warehouse) -> None:
    lamp = make_product()
    stock_up(lamp, 4, place=main, ago=10)  # at one o'clock
    record_history(
        [PastOrder("A", days_ago(8, 6), [PastLine(lamp.pk, D(4), D(1))])], warehouse_id=main.pk
    )  # gone at six
    stock_up(lamp, 9, place=main, ago=5)
    demand.catch_up()
    found = DailyDemand.objects.order_by("day").values_list("in_stock_share", "is_empty_after")
    assert list(found) == [(D("0.9583"), False), (D("0.2500"), True), (D("0.9583"), False)]
    calendar = panels.calendar_of(panels.EVERYWHERE, last_day=facts.today() - timedelta(days=1))
    assert calendar is not None
    panel = panels.read_panel([lamp.pk], calendar)
    # From the first sale: a quarter day, two days of nothing, the delivery, and stock ever since.
    assert [round(float(one), 2) for one in panel.exposure[0]] == [0.25, 0.0, 0.0, 0.96, 1.0, 1.0, 1.0, 1.0]
    assert panel.units[0].tolist() == [4.0, 0, 0, 0, 0, 0, 0, 0]


def test_a_panel_adds_up_places_and_has_a_row_for_what_never_sold(
    make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    new, lamp = make_product("New"), make_product()
    for place, units in ((main, "1.5"), (annex, "2")):
        DailyDemand.objects.create(
            product=lamp, warehouse=place, day=days_ago(3, 0).date(), units=D(units), returned_units=1, orders=1,
            in_stock_share=D("0.25"),
        )  # fmt: skip
        TradingDay.objects.create(warehouse=place, day=days_ago(3, 0).date(), lines=1)
    calendar = panels.calendar_of(panels.EVERYWHERE, last_day=days_ago(1, 0).date())
    assert calendar is not None
    panel = panels.read_panel([new.pk, lamp.pk], calendar)
    assert panel.units.tolist() == [[0, 0, 0], [3.5, 0, 0]]
    assert panel.returned.tolist() == [[0, 0, 0], [2, 0, 0]]
    assert panel.exposure.tolist() == [[0, 0, 0], [0.25, 1, 1]]
    assert panels.read_panel([new.pk], calendar).units.tolist() == [[0, 0, 0]]
    assert panels.read_panel([], calendar).skus == 0


def test_an_entry_that_comes_late_is_where_it_belongs(
    make_product: MakeProduct, main: Warehouse, sell_daily: SellDaily
) -> None:
    lamp = make_product()
    sell_daily(lamp, [3, 0, 0, 0, 0])
    demand.catch_up()
    assert DailyDemand.objects.filter(is_empty_after=True).count() == 1
    stock_up(lamp, 5, place=main, ago=5)  # was forgotten: it lay there all the time
    demand.catch_up()
    assert not DailyDemand.objects.filter(is_empty_after=True).exists()
    assert list(demand.drifts()) == []


def test_what_an_import_computed_as_opening_stock_proves_no_empty_shelf(
    make_product: MakeProduct, main: Warehouse
) -> None:
    lamp = make_product()
    line = [Movement(lamp.pk, main.pk, "purchase", D(3))]
    ledger.post_past([ledger.PastOperation("opening", line, days_ago(9), "computed", "IMPORT-OPENING")])
    record_history([PastOrder("A", days_ago(8), [PastLine(lamp.pk, D(3), D(1))])], warehouse_id=main.pk)
    demand.catch_up()
    assert not DailyDemand.objects.filter(is_empty_after=True).exists()
    stock_up(lamp, 2, place=main, ago=4)  # from here on the ledger knows
    record_history([PastOrder("B", days_ago(3), [PastLine(lamp.pk, D(2), D(1))])], warehouse_id=main.pk)
    demand.catch_up()
    empty = DailyDemand.objects.get(is_empty_after=True)
    assert (facts.today() - empty.day).days == 3


@pytest.mark.parametrize("seed", range(4))
def test_step_by_step_comes_to_the_same_as_all_at_once(
    seed: int, make_product: MakeProduct, main: Warehouse, annex: Warehouse
) -> None:
    chance = random.Random(seed)
    demand.rebuild()
    products = [make_product(f"P{number}", stock=20) for number in range(3)]
    orders: list[int] = []
    for _ in range(25):
        product, ago = chance.choice(products), chance.randrange(0, 12)
        step = chance.randrange(6)
        if step == 0:
            stock_up(product, chance.randrange(1, 9), place=chance.choice([main, annex]), ago=ago)
        elif step == 1 and orders:
            order = orders.pop(chance.randrange(len(orders)))
            services.ship_order(order)
            services.return_order(order, reason="no", returned_at=days_ago(chance.randrange(0, 3)))
        elif step == 2 and orders:
            services.cancel_order(orders.pop(), reason="no")
        else:
            product.refresh_from_db()
            if product.stock.available >= 2:
                orders.append(place(product, chance.randrange(1, 3), ago=ago))
        if chance.random() < 0.3:
            demand.catch_up()
    demand.catch_up()
    assert list(demand.drifts()) == []
    lines = dict(TradingDay.objects.values_list("day", "lines"))
    kept = set(TradingDay.objects.values_list("warehouse_id", "day", "lines"))
    demand.rebuild()
    assert set(TradingDay.objects.values_list("warehouse_id", "day", "lines")) == kept
    assert lines


def test_a_fact_told_twice_changes_nothing_and_a_row_changed_by_hand_is_found(
    make_product: MakeProduct, sell_daily: SellDaily
) -> None:
    lamp = make_product()
    sell_daily(lamp, [2, 3])
    demand.catch_up()
    ids = list(DailyDemand.objects.order_by("id").values_list("id", flat=True))
    EventCursor.objects.filter(name=demand.NAME).update(seq=0)
    assert demand.catch_up() == 1
    assert list(DailyDemand.objects.order_by("id").values_list("id", flat=True)) == ids
    DailyDemand.objects.filter(units=3).update(units=4)
    found = list(demand.drifts())
    assert [(one.kept.units, one.computed.units) for one in found if one.kept and one.computed] == [(D(4), D(3))]
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("demand", "--check", "--json", stdout=out)
    assert (ended.value.code, json.loads(out.getvalue())["clean"]) == (3, False)
    call_command("demand", "--rebuild", stdout=StringIO())
    assert list(demand.drifts()) == []


def test_a_day_without_a_line_is_a_closed_one_only_where_lines_are_many() -> None:
    busy = np.array([9.0, 9, 9, 9, 9, 0, 0] * 8)
    quiet = busy / 9
    assert panels.open_days(busy).tolist() == (busy > 0).tolist()
    assert panels.open_days(quiet).all()


def test_returns_alone_negative_days_and_case_variants_make_honest_rows(
    make_product: MakeProduct, main: Warehouse
) -> None:
    upper, lower = make_product("Bag", sku="85123A"), make_product("Bag too", sku="85123a")
    papers = [
        PastReturn("C1", days_ago(5), [PastLine(upper.pk, D(6), D(1))]),
        PastOrder("A", days_ago(4), [PastLine(lower.pk, D(2), D(1))]),
        PastReturn("C2", days_ago(4), [PastLine(lower.pk, D(5), D(1))]),
    ]
    stock_up(lower, 2, place=main, ago=6)
    record_history(papers, warehouse_id=main.pk)
    demand.catch_up()
    assert rows(upper) == [("MAIN", 5, 0, 0, D(6))]
    assert rows(lower) == [("MAIN", 4, D(2), 1, D(5))]
    assert demand_of([upper.pk]).keys() == {(upper.pk, main.pk, facts.today() - timedelta(days=5))}
