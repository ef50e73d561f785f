"""The time-line: one story per product, order, warehouse and account, told to those who may see it, and to its end."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import second_factor
from accounts import services as accounts
from accounts.models import ActivityLog, User
from inventory.models import MovementType, Product, StockLevel, Warehouse
from inventory.services import catalog, ledger, warehouses
from inventory.services.bulk import NewPrice, price_all
from inventory.services.ledger import Movement
from orders import services as orders
from orders.services import Item
from orders.services.placing import Draft, place_together
from tests.client import Api
from workbox.core import context, walls
from workbox.core.changes import TEXT_MAX, text_of
from workbox.core.db import transact
from workbox.core.errors import HistoryIsFixed
from workbox.core.models import Event, FieldChange
from workbox.story.entries import NOW, Entry, cursor_of, cut, joined, moment_of
from workbox.story.telling import SUBJECTS, tell

pytestmark = pytest.mark.django_db
D = Decimal
COUNTS_FILE = Path(__file__).parent / "query_counts.json"


@pytest.fixture
def boss(make_user: Callable[..., User]) -> User:
    return make_user("admin", "boss")


def recorded(**narrow: Any) -> list[tuple[str, str, str]]:
    rows = FieldChange.objects.filter(**narrow).order_by("id")
    return list(rows.values_list("field", "before", "after"))


def told(subject: str, subject_id: int, asker: User, **options: Any) -> list[str]:
    """The steps as words: lead, then its lines."""
    steps = tell(subject, subject_id, asker=asker, **options)["steps"]
    return [" | ".join(words(line) for line in (step["lead"], *step["lines"])) for step in steps]


def words(line: dict[str, str]) -> str:
    about = f" of {line['about']}" if line["about"] else ""
    change = f": {line['before']} → {line['after']}" if line["after"] else ""
    return f"{line['text']}{about}{change}"


# ---- values that changed ----
def test_a_products_changed_values_are_kept_with_who_and_what_they_were(
    make_product: Callable[..., Product], boss: User
) -> None:
    lamp = make_product("Lamp", price="9.50", sku="LAMP")
    context.actor_id.set(boss.pk)
    context.request_id.set("r-1")
    catalog.update_product(lamp.pk, changes={"price": D("12.00"), "name": "Lamp", "category": "Light"})
    catalog.retire_product(lamp.pk)
    assert recorded(subject_type="product", subject_id=lamp.pk) == [
        ("price", "9.5", "12"),
        ("category", "", "Light"),
        ("is_active", "yes", "no"),
    ]
    assert set(FieldChange.objects.values_list("actor_id", "request_id")) == {(boss.pk, "r-1")}


def test_a_refused_change_leaves_no_history(make_product: Callable[..., Product]) -> None:
    make_product("Lamp", sku="LAMP")
    other = make_product("Cup", sku="CUP")
    with pytest.raises(Exception, match="in use"):
        catalog.update_product(other.pk, changes={"price": D(3), "sku": "LAMP"})
    assert recorded() == []


def test_many_products_at_once_are_kept_as_one_by_one(make_product: Callable[..., Product]) -> None:
    lamp, cup = make_product("Lamp", price="9.5", category="Light"), make_product("Cup", price="2", category="Kitchen")
    price_all([NewPrice(lamp.pk, D("9.5")), NewPrice(cup.pk, D("2.25"))])
    catalog.update_products(
        {
            lamp.pk: {"price": D("9.5"), "unit_cost": D("4"), "category_id": cup.category_id},
            cup.pk: {"is_stocked": True, "reorder_threshold": D("2.5"), "name": "Mug"},
        }
    )
    assert recorded(subject_id=lamp.pk) == [("unit_cost", "", "4"), ("category", "Light", "Kitchen")]
    assert recorded(subject_id=cup.pk) == [
        ("price", "2", "2.25"),
        ("reorder_threshold", "10", "2.5"),
        ("name", "Cup", "Mug"),
    ]


def test_bins_thresholds_and_a_warehouses_own_values_are_kept(
    make_product: Callable[..., Product], main: Warehouse, annex: Warehouse, manager: Api
) -> None:
    lamp = make_product("Lamp")
    catalog.set_bins(lamp.pk, bins={main.pk: "A-1"})
    catalog.set_bins(lamp.pk, bins={main.pk: "A-2", annex.pk: ""})
    catalog.set_thresholds(lamp.pk, thresholds={annex.pk: D(4)})
    assert recorded(warehouse_id=main.pk) == [("bin", "", "A-1"), ("bin", "A-1", "A-2")]
    assert recorded(warehouse_id=annex.pk) == [("reorder_threshold", "", "4")]
    assert manager("PATCH", f"warehouses/{annex.pk}", {"name": "Attic", "priority": 2}).status_code == 200
    assert manager("PATCH", f"warehouses/{annex.pk}", {"is_sellable": False}).status_code == 200
    assert manager("PATCH", f"warehouses/{annex.pk}", {"is_active": False}).status_code == 200
    warehouses.reopen_warehouse(annex.pk)
    assert recorded(subject_type="warehouse") == [
        ("name", "Annex", "Attic"),
        ("is_sellable", "yes", "no"),
        ("is_active", "yes", "no"),
        ("is_active", "no", "yes"),
    ]


def test_permissions_are_kept_and_secrets_and_addresses_are_not(
    make_user: Callable[..., User], boss: User, main: Warehouse, annex: Warehouse
) -> None:
    clerk = make_user("clerk")
    accounts.update_user(boss, user_id=clerk.pk, role="manager", email="new@example.com", full_name="Ann Example")
    accounts.bind(boss, user_id=clerk.pk, warehouse_ids=[main.pk])
    accounts.bind(boss, user_id=clerk.pk, warehouse_ids=[annex.pk])
    accounts.set_password(clerk, password="another horse battery 7")
    accounts.deactivate(boss, user_id=clerk.pk)
    assert recorded(subject_type="user", subject_id=clerk.pk) == [
        ("full_name", "", "Ann Example"),
        ("email", "", ""),
        ("role", "clerk", "manager"),
        ("warehouse", "", "MAIN Main store"),
        ("warehouse", "MAIN Main store", ""),
        ("warehouse", "", "ANNEX Annex"),
        ("password", "", ""),
        ("is_active", "yes", "no"),
    ]
    assert not FieldChange.objects.filter(after__contains="@").exists()


def test_a_customers_name_is_not_kept(make_user: Callable[..., User], boss: User) -> None:
    customer = make_user("user", "customer")
    accounts.update_user(boss, user_id=customer.pk, full_name="Jo Private")
    accounts.update_profile(customer.pk, full_name="Jo Secret")
    assert recorded(subject_id=customer.pk) == [("full_name", "", ""), ("full_name", "", "")]


def test_a_second_factor_that_is_reset_is_kept(make_user: Callable[..., User], boss: User) -> None:
    clerk = make_user("clerk")
    accounts.reset_second_factor(boss, user_id=clerk.pk)
    assert recorded() == []
    User.objects.filter(pk=clerk.pk).update(second_factor_at=datetime.now(UTC))
    second_factor.reset(clerk.pk)
    assert recorded() == [("second_factor", "on", "off")]


def test_history_is_only_added_to_and_long_values_are_shortened(make_product: Callable[..., Product]) -> None:
    lamp = make_product("Lamp")
    catalog.update_product(lamp.pk, changes={"description": "x" * 900})
    row = FieldChange.objects.get()
    assert (len(row.after), row.after[-1], text_of(D("10.500")), text_of(None)) == (TEXT_MAX, "…", "10.5", "")
    with pytest.raises(HistoryIsFixed):
        row.save()
    with pytest.raises(HistoryIsFixed):
        FieldChange.objects.all().delete()


# ---- the story ----
def test_what_one_request_did_is_one_step_with_before_and_after(
    make_product: Callable[..., Product], boss: User, main: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=20, price="9.50", sku="LAMP")
    context.actor_id.set(boss.pk)
    context.request_id.set("r-buy")
    order = orders.place_order([Item(lamp.pk, D(12))], user_id=None, confirm=True)
    context.request_id.set("r-ship")
    orders.ship_order(order.id, quantities={lamp.pk: D(5)})
    context.request_id.set("r-price")
    catalog.update_product(lamp.pk, changes={"price": D("11.00")})
    found = tell("product", lamp.pk, asker=boss)
    assert told("product", lamp.pk, boss)[:3] == [
        "Price: 9.5 → 11",
        f"Order {order.id}: shipped 5 × Lamp. Now partially shipped."
        f" | Shipment: ORDER-{order.id} | Sale −5 in MAIN: 20 → 15",
        f"Order {order.id}: placed as confirmed, 1 product reserved, 114.00."
        " | Alert raised: Lamp (LAMP): 8 left, the threshold is 10",
    ]
    assert [step["request_id"] for step in found["steps"][:3]] == ["r-price", "r-ship", "r-buy"]
    assert {(step["who"], step["who_url"]) for step in found["steps"][:3]} == {
        ("boss", reverse("admin:accounts_user_change", args=[boss.pk]))
    }
    assert told("order", order.id, boss)[-1] == "Placed as confirmed, 1 product reserved, 114.00."
    assert told("product", lamp.pk, boss, kind="changes")[0] == "Price: 9.5 → 11"
    assert all("Order" not in one for one in told("product", lamp.pk, boss, kind="alerts"))


def test_orders_placed_together_each_tell_what_they_reserved(make_product: Callable[..., Product], boss: User) -> None:
    lamp, chair = make_product("Lamp", stock=20), make_product("Chair", stock=20)
    postage = make_product("Postage", is_stocked=False, price="1.00")
    drafts = [
        Draft([Item(lamp.pk, D(1)), Item(postage.pk, D(1))], user_id=None, confirm=True),
        Draft([Item(lamp.pk, D(2)), Item(chair.pk, D(1)), Item(lamp.pk, D(1))], user_id=None, confirm=True),
    ]
    first, second = transact(lambda: place_together(drafts))
    said = [told("order", one.id, boss)[-1].partition(" reserved")[0] for one in (first, second)]
    assert said == ["Placed as confirmed, 1 product", "Placed as confirmed, 2 products"]


def test_what_somebody_changed_of_accounts_is_told_under_permissions(
    make_product: Callable[..., Product], make_user: Callable[..., User], boss: User, main: Warehouse
) -> None:
    lamp, clerk = make_product("Lamp", sku="LAMP"), make_user("clerk")
    context.actor_id.set(boss.pk)
    catalog.update_product(lamp.pk, changes={"price": D("11.00")})
    accounts.bind(boss, user_id=clerk.pk, warehouse_ids=[main.pk])
    assert "Bound to warehouse of clerk: – → MAIN Main store" in told("user", boss.pk, boss, kind="access")
    assert all("clerk" not in one for one in told("user", boss.pk, boss, kind="changes"))
    assert told("user", boss.pk, boss, kind="changes") != []


def test_an_account_and_a_warehouse_tell_theirs(
    make_product: Callable[..., Product], make_user: Callable[..., User], boss: User, main: Warehouse
) -> None:
    lamp, clerk = make_product("Lamp", sku="LAMP"), make_user("clerk")
    context.actor_id.set(boss.pk)
    context.request_id.set("r-1")
    ledger.adjust(lamp.pk, quantity=D(3), warehouse_id=main.pk, reason="Found", actor_id=boss.pk)
    context.request_id.set("r-2")
    accounts.bind(boss, user_id=clerk.pk, warehouse_ids=[main.pk])
    ActivityLog.objects.create(user=boss, kind="login", ip="192.0.2.9")
    assert told("warehouse", main.pk, boss)[:2] == [
        "Bound to warehouse of clerk: – → MAIN Main store",
        "Adjustment: Found | Adjustment +3 in MAIN of Lamp (LAMP): 0 → 3",
    ]
    assert told("user", clerk.pk, boss)[:1] == ["Bound to warehouse: – → MAIN Main store"]
    assert told("user", boss.pk, boss)[:3] == [
        "Login from 192.0.2.9",
        "Bound to warehouse of clerk: – → MAIN Main store",
        "Adjustment, 1 movement: Found",
    ]


def test_every_entry_is_told_exactly_once_over_all_parts(
    make_product: Callable[..., Product], boss: User, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=100)
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(14):
        place = (main, annex)[number % 2]
        line = Movement(lamp.pk, place.pk, MovementType.ADJUSTMENT, D(1))
        ledger.post([line], reason=f"n{number}", occurred_at=moment)
        moment += timedelta(minutes=number % 3)  # several at the same moment
        catalog.update_product(lamp.pk, changes={"price": D(20 + number)})
    seen: list[str] = []
    before, parts = "", 0
    while parts < 60:
        part = tell("product", lamp.pk, asker=boss, before=before, limit=4)
        seen += [words(line) for step in part["steps"] for line in (step["lead"], *step["lines"])]
        parts += 1
        if not part["more_url"]:
            break
        before = re.search(r"before=(\d+)", part["more_url"]).group(1)  # type: ignore[union-attr]  # it matches
    assert parts > 5
    for number in range(14):
        assert [one for one in seen if one == f"Movement: n{number}"] == [f"Movement: n{number}"]
        assert len([one for one in seen if one.startswith("Price: ") and one.endswith(f"→ {20 + number}")]) == 1


def test_a_story_takes_the_same_statements_however_long_it_is(
    make_product: Callable[..., Product], boss: User, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=500)
    context.actor_id.set(boss.pk)

    def more(count: int) -> None:
        for number in range(count):
            context.request_id.set(f"r-{FieldChange.objects.count()}-{number}")
            ledger.adjust(lamp.pk, quantity=D(1), warehouse_id=annex.pk, reason="x", actor_id=boss.pk)
            catalog.update_product(lamp.pk, changes={"price": D(FieldChange.objects.count() + 1)})
            catalog.set_bins(lamp.pk, bins={main.pk: f"A-{FieldChange.objects.count()}"})
            orders.place_order([Item(lamp.pk, D(2))], user_id=boss.pk, warehouse_id=main.pk)
            ActivityLog.objects.create(user=boss, kind="login")

    def counted() -> dict[str, int]:
        ids = {"product": lamp.pk, "order": orders_of(lamp), "warehouse": main.pk, "user": boss.pk}
        found: dict[str, int] = {}
        assert boss.warehouses is None  # who asks is known
        for subject in SUBJECTS:
            with CaptureQueriesContext(connection) as captured:
                tell(subject, ids[subject], asker=boss)
            found[subject] = len(captured)
        return found

    more(2)
    few = counted()
    more(30)
    assert counted() == few == json.loads(COUNTS_FILE.read_text())["time-line"]


def orders_of(product: Product) -> int:
    return int(product.order_lines.order_by("id").first().order_id)


# ---- who may see what ----
def test_a_bound_person_hears_nothing_of_other_warehouses(
    make_product: Callable[..., Product], make_user: Callable[..., User], boss: User, main: Warehouse, annex: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=50)
    bound = make_user("clerk", "bound")
    accounts.bind(boss, user_id=bound.pk, warehouse_ids=[main.pk])
    ledger.adjust(lamp.pk, quantity=D(7), warehouse_id=annex.pk, reason="Behind the wall")
    catalog.set_bins(lamp.pk, bins={annex.pk: "SECRET-9"})
    orders.place_order([Item(lamp.pk, D(2))], user_id=None, warehouse_id=annex.pk, confirm=True)
    assert "SECRET-9" in str(tell("product", lamp.pk, asker=boss))
    with walls.seen_by(frozenset({main.pk})):
        shown = str(tell("product", lamp.pk, asker=bound))
    assert "Opening stock" in shown
    assert not any(secret in shown for secret in ("SECRET-9", "Behind the wall", "ANNEX", "Order "))
    client = Client()
    client.force_login(bound)
    assert client.get(f"/admin/story/warehouse/{main.pk}/").status_code == 200
    assert client.get(f"/admin/story/warehouse/{annex.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        ("user", {302}),
        ("clerk", {200, 403}),
        ("analyst", {200}),
        ("manager", {200}),
        ("admin", {200}),
    ],
)
def test_each_role_gets_the_time_lines_of_what_it_may_see(
    role: str, statuses: set[int], make_product: Callable[..., Product], make_user: Callable[..., User], main: Warehouse
) -> None:
    lamp, user = make_product("Lamp", stock=20), make_user(role, "asker")
    order = orders.place_order([Item(lamp.pk, D(1))], user_id=user.pk)
    client = Client()
    client.force_login(user)
    ids = {"product": lamp.pk, "order": order.id, "warehouse": main.pk, "user": user.pk}
    found = {subject: client.get(f"/admin/story/{subject}/{number}/").status_code for subject, number in ids.items()}
    assert set(found.values()) == statuses
    assert found["user"] == (403 if role == "clerk" else found["product"])


def test_who_may_not_look_accounts_up_does_not_learn_who_the_customers_are(
    make_product: Callable[..., Product], make_user: Callable[..., User], main: Warehouse, boss: User
) -> None:
    lamp, clerk = make_product("Lamp", stock=20), make_user("clerk")
    customer = User.objects.create_user("jo", "jo@example.com", role="user", full_name="Jo Private")
    context.actor_id.set(customer.pk)
    orders.place_order([Item(lamp.pk, D(1))], user_id=customer.pk)
    context.actor_id.set(boss.pk)
    accounts.bind(boss, user_id=clerk.pk, warehouse_ids=[main.pk])
    assert "Jo Private" in str(tell("product", lamp.pk, asker=boss))
    for subject, number in (("product", lamp.pk), ("warehouse", main.pk)):
        shown = str(tell(subject, number, asker=clerk))
        assert "Jo Private" not in shown
        assert "Bound to warehouse" not in shown
    assert "A customer" in str(tell("product", lamp.pk, asker=clerk))


def test_the_pages_carry_the_story_and_odd_addresses_do_no_harm(
    make_product: Callable[..., Product], boss: User, main: Warehouse
) -> None:
    lamp = make_product("Lamp", stock=20)
    order = orders.place_order([Item(lamp.pk, D(1))], user_id=None)
    client = Client()
    client.force_login(boss)
    for path, words_ in (
        (reverse("admin:inventory_product_change", args=[lamp.pk]), "Opening stock"),
        (reverse("admin:orders_order_change", args=[order.id]), "Placed as"),
        (reverse("admin:inventory_warehouse_change", args=[main.pk]), "Nobody: all staff see every warehouse"),
        (reverse("admin:accounts_user_change", args=[boss.pk]), "Whole time-line"),
    ):
        page = client.get(path)
        assert page.status_code == 200
        assert words_ in page.content.decode()
    base = f"/admin/story/product/{lamp.pk}/"
    for query in ("before=x", "before=-1", f"before={'9' * 19}", "kind=nonsense", "before=٣", "before=1&kind=stock"):
        assert client.get(f"{base}?{query}").status_code == 200
    assert client.get(f"/admin/story/nothing/{lamp.pk}/").status_code == 404
    assert client.get(f"/admin/story/product/{'9' * 25}/").status_code == 404
    assert client.post(base).status_code == 405


# ---- the arithmetic of parts and steps ----
T = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(seconds: int, *, rank: int = 2, request_id: str = "", own: str = "") -> Entry:
    return Entry(T + timedelta(seconds=seconds), "stock", rank, f"{seconds}", own or f"own {seconds}", request_id)


def test_entries_of_one_request_are_one_step_told_by_rank_and_not_across_an_hour() -> None:
    steps = joined(
        [
            entry(0, rank=4, request_id="a"),
            entry(1, rank=0, request_id="a"),
            entry(2, rank=5, request_id="a"),
            entry(3600, request_id="a"),
            entry(5),
        ]
    )
    assert [[one.text for one in step.entries] for step in steps] == [["3600"], ["5"], ["1", "0"]]


def test_a_part_ends_where_a_source_may_have_more() -> None:
    stock, logins = [entry(9), entry(7), entry(7)], [entry(8), entry(1)]
    assert [one.text for one in cut([stock, logins], 3)[0]] == ["9", "8"]
    assert cut([stock, logins], 3)[1] == T + timedelta(seconds=7)
    same = [entry(7), entry(7), entry(7)]
    assert cut([same], 3) == (same, T + timedelta(seconds=7) - timedelta(microseconds=1))
    assert cut([stock, logins], 4)[1] is None
    assert moment_of(cursor_of(T)) == T
    assert [moment_of(odd) for odd in ("", "x", "-1", "9" * 30, "٣")] == [NOW] * 5


def test_old_events_alone_still_tell_that_something_was_saved(make_product: Callable[..., Product], boss: User) -> None:
    lamp = make_product("Lamp", price="9.50", sku="LAMP")
    assert told("product", lamp.pk, boss) == ["Saved as Lamp (LAMP), 9.50"]
    assert Event.objects.filter(topic="catalog").count() == 1
    assert not StockLevel.objects.exists()
