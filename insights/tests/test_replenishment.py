"""What to order today: the right quantity from the right vendor, once; suggestions go when they are ordered."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import services as accounts
from accounts.models import User
from insights import curves, facts, refit, replenishment
from insights.models import PlanningSettings, Suggestion
from insights.panels import EVERYWHERE
from insights.replenishment import Chosen, SuggestionUnknown, order_suggestions
from insights.tests.conftest import SellDaily
from inventory.models import Product, Warehouse
from inventory.services import ledger
from purchasing.models import PurchaseOrder, PurchaseOrderLine
from purchasing.services import orders as purchases
from purchasing.services import vendors
from purchasing.services.orders import PurchaseItem
from purchasing.services.vendors import NewPrice
from tests.client import Api
from workbox.core.errors import Invalid

pytestmark = pytest.mark.django_db
MakeProduct = Callable[..., Product]
D = Decimal
STEADY = [2, 3, 1, 2, 4, 0, 2] * 6


def offer(product: Product, name: str = "Mill", **terms: object) -> int:
    values = {"unit_price": D(4), "lead_time_days": 7} | terms
    vendor = vendors.create_vendor({"name": name}).pk
    vendors.add_price(vendor, NewPrice(product_id=product.pk, **values))  # type: ignore[arg-type]  # what the case names
    return vendor


@pytest.fixture
def lamp(make_product: MakeProduct, sell_daily: SellDaily) -> Product:
    """Sells two a day, at ten; twelve are left."""
    lamp = make_product("Lamp", sku="LAMP", price="10", category="Light")
    sell_daily(lamp, STEADY, stock=12)
    return lamp


def suggested() -> Suggestion:
    refit.refit()
    return Suggestion.objects.get()


def test_a_product_below_its_reorder_point_is_suggested_with_every_number(lamp: Product, main: Warehouse) -> None:
    vendor = offer(lamp)
    found = suggested()
    assert (found.product_id, found.warehouse_id, found.vendor_id) == (lamp.pk, main.pk, vendor)
    assert (found.available, found.position, found.unit_price, found.lead_time_days) == (12, 12, 4, 7)
    assert 18 <= found.reorder_point <= 30  # two a day over eight days, and what 95 % take
    assert found.order_up_to - found.reorder_point in {D(13), D(14), D(15)}
    assert found.quantity == found.order_up_to - 12
    assert found.safety_stock == pytest.approx(found.reorder_point - 8 * found.daily_units, abs=1)
    assert found.stockout_probability > D("0.5")
    assert found.order_by == facts.today()
    assert 0 < found.margin_at_risk < 6 * 30
    assert found.offers[0]["is_recommended"] is True
    assert found.reason.startswith("12 available, 0 to come; ")


def test_with_enough_stock_or_without_demand_nothing_is_suggested(
    lamp: Product, make_product: MakeProduct, main: Warehouse
) -> None:
    offer(lamp)
    idle = make_product("Idle", stock=0)
    offer(idle, "Other mill")
    ledger.adjust(lamp.pk, quantity=D(60), warehouse_id=main.pk, reason="Found")
    refit.refit()
    assert not Suggestion.objects.exists()


def test_minimum_and_packs_are_kept_and_a_price_break_is_taken_where_it_pays(lamp: Product) -> None:
    offer(lamp, minimum_order_quantity=D(10), pack_quantity=D(12), breaks=[(D(48), D("3.50"))])
    found = suggested()
    assert (found.quantity, found.unit_price) == (48, D("3.50"))
    assert found.quantity % 12 == 0


def test_a_break_worth_more_than_ninety_days_is_left(lamp: Product) -> None:
    offer(lamp, breaks=[(D(500), D("0.50"))])
    found = suggested()
    assert found.quantity < 48
    assert found.unit_price == 4


def test_every_vendor_makes_an_offer_and_purchasings_rule_chooses(lamp: Product) -> None:
    cheap, near = offer(lamp, "Cheap", unit_price=D(4)), offer(lamp, "Near", unit_price=D("4.10"), lead_time_days=2)
    found = suggested()
    assert found.vendor_id == near  # within 3 % of the cheapest, and five days faster
    offers = {one["vendor_id"]: one for one in found.offers}
    assert offers[cheap]["is_recommended"] is False
    assert offers[cheap]["quantity"] > offers[near]["quantity"]
    assert {one["lead_time_days"] for one in found.offers} == {2, 7}


def test_drafts_count_and_what_is_ordered_disappears_at_once(lamp: Product, main: Warehouse, manager: Api) -> None:
    vendor = offer(lamp)
    suggested()
    assert manager("GET", "replenishment").json()["count"] == 1
    draft = purchases.create_purchase_order(vendor, [PurchaseItem(lamp.pk, D(40))], warehouse_id=main.pk)
    assert manager("GET", "replenishment").json()["results"] == []
    purchases.cancel_purchase_order(draft.pk)
    assert manager("GET", "replenishment").json()["count"] == 1
    draft = purchases.create_purchase_order(vendor, [PurchaseItem(lamp.pk, D(5))], warehouse_id=main.pk)
    replenishment.refresh()  # five are not enough: the rest is suggested in the same row
    rows = manager("GET", "replenishment").json()["results"]
    assert [(row["position"], row["quantity"]) for row in rows] == [(17, rows[0]["order_up_to"] - 17)]
    purchases.change_purchase_order(draft.pk, {}, items=[PurchaseItem(lamp.pk, D(40))])
    replenishment.refresh()
    assert not Suggestion.objects.exists()


def test_suggestions_are_rewritten_in_place(lamp: Product, main: Warehouse) -> None:
    offer(lamp)
    before = suggested()
    ledger.adjust(lamp.pk, quantity=D(-4), warehouse_id=main.pk, reason="Broken")
    assert replenishment.refresh() == 1
    after = Suggestion.objects.get()
    assert (after.pk, after.created_at) == (before.pk, before.created_at)
    assert after.quantity == before.quantity + 4


def test_ordering_makes_one_draft_per_vendor_with_edited_quantities(
    lamp: Product, make_product: MakeProduct, sell_daily: SellDaily, manager: Api, main: Warehouse
) -> None:
    bulb, rope = make_product("Bulb", sku="BULB"), make_product("Rope", sku="ROPE")
    for one in (bulb, rope):
        sell_daily(one, STEADY, stock=3)
    mill = offer(lamp)
    vendors.add_price(mill, NewPrice(product_id=bulb.pk, unit_price=D(2), lead_time_days=7))
    walk = offer(rope, "Rope walk", unit_price=D(1))
    refit.refit()
    rows = {row["sku"]: row for row in manager("GET", "replenishment").json()["results"]}
    assert set(rows) == {"LAMP", "BULB", "ROPE"}
    asked = [{"id": rows["LAMP"]["id"], "quantity": 99}, {"id": rows["BULB"]["id"]}, {"id": rows["ROPE"]["id"]}]
    answer = manager("POST", "replenishment/orders", {"suggestions": asked}, Idempotency_Key="k1")
    assert answer.status_code == 201
    made = answer.json()["purchase_orders"]
    assert [(one["vendor_id"], one["status"], one["warehouse_id"]) for one in made] == [
        (mill, "draft", main.pk),
        (walk, "draft", main.pk),
    ]
    assert {(line["sku"], line["quantity"]) for one in made for line in one["items"]} == {
        ("LAMP", 99),
        ("BULB", rows["BULB"]["quantity"]),
        ("ROPE", rows["ROPE"]["quantity"]),
    }
    assert not Suggestion.objects.exists()
    again = manager("POST", "replenishment/orders", {"suggestions": asked}, Idempotency_Key="k1")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (answer.json(), "true")
    other = manager("POST", "replenishment/orders", {"suggestions": asked}, Idempotency_Key="k2")
    assert (other.status_code, other.json()["code"]) == (404, "suggestion_unknown")
    assert PurchaseOrder.objects.count() == 2


def test_nothing_is_ordered_when_one_of_them_cannot_be(lamp: Product) -> None:
    offer(lamp)
    found = suggested()
    with pytest.raises(SuggestionUnknown):
        order_suggestions([Chosen(found.pk), Chosen(987654321)])
    with pytest.raises(Invalid):
        order_suggestions([Chosen(found.pk), Chosen(found.pk)])
    with pytest.raises(Invalid):
        order_suggestions([])
    with pytest.raises(Invalid):
        order_suggestions([Chosen(found.pk, vendor_id=987654321)])
    assert Suggestion.objects.count() == 1
    assert not PurchaseOrderLine.objects.exists()


def test_another_vendor_of_the_offers_may_be_chosen(lamp: Product) -> None:
    offer(lamp, "Near", lead_time_days=2)
    dear = offer(lamp, "Dear", unit_price=D(9))
    found = suggested()
    (made,) = order_suggestions([Chosen(found.pk, D(7), dear)])
    line = PurchaseOrderLine.objects.get(order_id=made)
    assert (line.order.vendor_id, line.quantity, line.unit_cost) == (dear, 7, 9)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "suggestions"),
        ({"suggestions": [{}]}, "suggestions.0.id"),
        ({"suggestions": [{"id": 1, "quantity": 0}]}, "suggestions.0.quantity"),
        ({"suggestions": [{"id": 1, "quantity": -2}]}, "suggestions.0.quantity"),
        ({"suggestions": "all"}, "suggestions"),
        ({"suggestions": []}, "suggestions"),
    ],
)
def test_an_order_of_nothing_sensible_is_refused(body: dict[str, object], field: str, manager: Api) -> None:
    answer = manager("POST", "replenishment/orders", body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


# ---- service levels ----
def test_the_products_level_goes_before_its_categorys_and_that_before_the_shops(lamp: Product, manager: Api) -> None:
    offer(lamp)
    points = [suggested().reorder_point]
    path = "replenishment/service-levels"
    for body in (
        {"service_level": 0.97},
        {"category": "light", "service_level": 0.98},
        {"product_id": lamp.pk, "service_level": 0.995},
    ):
        assert manager("PUT", path, body).status_code == 200
        replenishment.refresh()
        points.append(Suggestion.objects.get().reorder_point)
    assert points == sorted(points)
    assert len(set(points)) >= 3
    kept = manager("GET", path).json()
    assert kept["service_level"] == 0.97
    assert kept["categories"] == [{"category": "Light", "service_level": 0.98}]
    assert kept["products"] == [{"product_id": lamp.pk, "sku": "LAMP", "service_level": 0.995}]
    assert manager("PUT", path, {"product_id": lamp.pk, "service_level": None}).json()["products"] == []
    assert PlanningSettings.current().service_level == D("0.97")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"service_level": 0.4}, 422),
        ({"service_level": 1}, 422),
        ({"service_level": "high"}, 422),
        ({"service_level": 0.95, "category": "No such"}, 404),
        ({"service_level": 0.95, "product_id": 987654321}, 404),
        ({"category": "Light"}, 422),
        ({"category": "Light", "product_id": 1, "service_level": 0.9}, 422),
        ({"cycle_days": 0}, 422),
        ({"review_days": 61}, 422),
        ({"category": "Light", "service_level": 0.9, "review_days": 2}, 422),
        ({"product_id": 1, "service_level": 0.9, "cycle_days": 2}, 422),
    ],
)
def test_a_service_level_that_is_no_chance_is_refused(body: dict[str, object], status: int, manager: Api) -> None:
    assert manager("PUT", "replenishment/service-levels", body).status_code == status
    assert PlanningSettings.current().service_level == D("0.95")


# ---- lists and walls ----
def test_the_list_is_sorted_filtered_and_ends_at_the_walls(
    lamp: Product,
    make_product: MakeProduct,
    sell_daily: SellDaily,
    annex: Warehouse,
    manager: Api,
    make_user: Callable[..., User],
    client_of: Callable[[User], Api],
) -> None:
    gem = make_product("Gem", sku="GEM", price="500")
    sell_daily(gem, STEADY, stock=2, place=annex)
    offer(lamp)
    offer(gem, "Gem mine")
    refit.refit()

    def skus(query: str, api: Api = manager) -> list[str]:
        return [row["sku"] for row in api("GET", f"replenishment?{query}").json()["results"]]

    assert skus("") == ["GEM", "LAMP"]  # most margin at risk first
    assert skus("sort_by=margin_at_risk_asc") == ["LAMP", "GEM"]
    assert skus("category=light") == skus(f"product_id={lamp.pk}") == skus("search=lam") == ["LAMP"]
    assert skus(f"warehouse_id={annex.pk}") == skus("search=mine") == ["GEM"]
    boss, bound = make_user("admin", "boss"), make_user("manager", "bound")
    accounts.bind(boss, user_id=bound.pk, warehouse_ids=[lamp.levels.get().warehouse_id])
    assert skus("", client_of(bound)) == ["LAMP"]
    hidden = Suggestion.objects.get(product=gem).pk
    answer = client_of(bound)("POST", "replenishment/orders", {"suggestions": [{"id": hidden}]})
    assert (answer.status_code, answer.json()["code"]) == (404, "suggestion_unknown")
    assert client_of(bound)("PUT", "replenishment/service-levels", {"service_level": 0.9}).status_code == 403


def test_what_is_on_its_way_counts_before_it_is_due(lamp: Product, main: Warehouse) -> None:
    vendor = offer(lamp)
    before = suggested()
    made = purchases.create_purchase_order(
        vendor, [PurchaseItem(lamp.pk, D(6))], warehouse_id=main.pk, expected_on=facts.today() + timedelta(days=1)
    )
    purchases.send_purchase_order(made.pk)
    replenishment.refresh()
    after = Suggestion.objects.get()
    assert (after.position, after.quantity) == (18, before.quantity - 6)
    assert after.stockout_probability < before.stockout_probability
    assert after.margin_at_risk < before.margin_at_risk


def test_the_steps_of_an_order_that_was_counted_hide_nothing(lamp: Product, main: Warehouse, manager: Api) -> None:
    vendor = offer(lamp)
    draft = purchases.create_purchase_order(vendor, [PurchaseItem(lamp.pk, D(5))], warehouse_id=main.pk)
    suggested()  # five are not enough

    def shown() -> int:
        return int(manager("GET", "replenishment").json()["count"])

    assert shown() == 1
    purchases.change_purchase_order(draft.pk, {"notes": "call before noon"})
    purchases.send_purchase_order(draft.pk)
    assert shown() == 1
    more = purchases.create_purchase_order(vendor, [PurchaseItem(lamp.pk, D(1))], warehouse_id=main.pk)
    assert shown() == 0
    replenishment.refresh()
    assert shown() == 1
    purchases.change_purchase_order(more.pk, {}, items=[PurchaseItem(lamp.pk, D(30))])
    assert shown() == 0


def test_nothing_is_suggested_for_a_closed_warehouse_whose_sales_still_count(
    lamp: Product, sell_daily: SellDaily, annex: Warehouse, main: Warehouse
) -> None:
    offer(lamp)
    sell_daily(lamp, STEADY, stock=3, place=annex)
    refit.refit()
    assert set(Suggestion.objects.values_list("warehouse_id", flat=True)) == {main.pk, annex.pk}
    rate = curve_rate(lamp)
    Warehouse.objects.filter(pk=annex.pk).update(is_active=False)
    refit.refit()
    assert set(Suggestion.objects.values_list("warehouse_id", flat=True)) == {main.pk}
    assert curve_rate(lamp) == pytest.approx(rate)


def curve_rate(product: Product) -> float:
    run = curves.current_run()
    assert run is not None
    return float(curves.read(run.pk, [product.pk], [EVERYWHERE], start_on=facts.today()).forecast.rate[0])
