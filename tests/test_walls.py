"""Nobody looks over a wall: a crawler walks every route with every id of a warehouse the asker is not bound to.

A route that is neither walled, nor narrowed, nor on the list of what is the whole shop's (with the reason) fails.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts import services as accounts
from accounts.models import Membership, User
from accounts.principal import Principal
from accounts.websocket import still_allowed
from inventory.models import Product, StockLevel, StockMovement, StockOperation, Warehouse
from inventory.services import ledger, transfers
from inventory.services.ledger import Movement
from orders import services
from orders.models import Order
from orders.services import Item
from tests.client import Api
from tests.routes import BY_NAME, ROUTES
from tests.walled import HIDDEN, HIDDEN_ID, Shop, build
from workbox.core import events, walls
from workbox.core.models import Event
from workbox.jobs import services as jobs
from workbox.jobs.models import Job

pytestmark = pytest.mark.django_db

SHOP = Decimal(1)

# Route → which of the hidden ids its path takes: every method answers 404.
WALLED = {
    "warehouse": "warehouse",
    "stock-movement": "movement",
    "stock-operation": "operation",
    "operation-reverse": "operation",
    "stock-transfer": "transfer",
    "transfer-dispatch": "transfer",
    "transfer-complete": "transfer",
    "transfer-cancel": "transfer",
    "stock-count": "count",
    "count-lines": "count",
    "count-variances": "count",
    "count-close": "count",
    "count-cancel": "count",
    "order": "order",
    "order-confirm": "order",
    "order-cancel": "order",
    "order-ship": "order",
    "order-deliver": "order",
    "order-return": "order",
    "order-timeline": "order",
    "alert": "alert",
    "alert-acknowledge": "alert",
    "alert-resolve": "alert",
    "alert-snooze": "alert",
    "purchase-order": "purchase",
    "purchase-order-send": "purchase",
    "purchase-order-receive": "purchase",
    "purchase-order-cancel": "purchase",
    "purchase-order-close": "purchase",
    "purchase-order-receipts": "purchase",
    "job": "job",
    "job-cancel": "job",
    "job-file": "job",
    "import": "import",
    "import-mapping": "import",
    "import-preview": "import",
    "import-apply": "import",
    "import-reverse": "import",
}
BODIES: dict[str, Any] = {
    "operation-reverse": {"reason": "test"},
    "count-lines": {"product_id": "P", "counted_quantity": 1},
    "order-return": {"reason": "test"},
    "alert-snooze": {"hours": 1},
    "import-mapping": {"mapping": {}},
    "import-reverse": {"reason": "test"},
    "warehouse": {"priority": 5},
    "purchase-order": {"notes": "test"},
}
# Routes whose answer shows the asker's part of a list or of a product: (path's id is a product's.)
NARROWED = {
    "warehouses",
    "product",
    "inventory-item",
    "inventory-history",
    "inventory-changes",
    "product-bins",
    "product-thresholds",
    "inventory-movements",
    "inventory-valuation",
    "stock-movements",
    "stock-operations",
    "stock-transfers",
    "stock-counts",
    "orders",
    "sales",
    "alerts",
    "purchase-orders",
    "availability-explain",
    "events",
    "jobs",
    "imports",
    "export-direct",
}
# Writes that name a warehouse (W) in their body: as for one there is not.
NAMES_A_PLACE: dict[str, Any] = {
    "products": {"name": "New lamp", "price": 1, "stock_quantity": 1, "warehouse_id": "W"},
    "inventory": {"name": "New lamp", "price": 1, "stock_quantity": 1, "warehouse_id": "W"},
    "stock-movements": {"product_id": "P", "movement_type": "purchase", "quantity": 1, "warehouse_id": "W"},
    "inventory-adjust": {"product_id": "P", "quantity": 1, "reason": "test", "warehouse_id": "W"},
    "inventory-bulk-adjust": {"items": [{"product_id": "P", "quantity": 1, "warehouse_id": "W"}], "reason": "test"},
    "stock-movements-bulk": {
        "items": [{"product_id": "P", "movement_type": "purchase", "quantity": 1, "warehouse_id": "W"}]
    },
    "stock-transfers": {"product_id": "P", "quantity": 1, "from_warehouse_id": "A", "to_warehouse_id": "W"},
    "stock-counts": {"warehouse_id": "W"},
    "orders": {"items": [{"product_id": "P", "quantity": 1}], "warehouse_id": "W"},
    "orders-create-pending": {"items": [{"product_id": "P", "quantity": 1}], "warehouse_id": "W"},
    "orders-plan": {"items": [{"product_id": "P", "quantity": 1}], "warehouse_id": "W"},
    "sales": {"items": [{"product_id": "P", "quantity": 1}], "warehouse_id": "W"},
    "purchase-orders": {
        "vendor_id": "V",
        "items": [{"product_id": "P", "quantity": 1, "unit_cost": 1}],
        "warehouse_id": "W",
    },
}
_CATALOGUE = "the catalogue is the whole shop's; totals over all warehouses are the shop's"
_ACCOUNT = "accounts, not stock"
_SYSTEM = "about the server, not about stock"
_FIGURES = "figures over all warehouses are the shop's"
_OWN_FILE = "makes a job of the asker's own; what its file holds has its own test"
# Everything else, and why a wall does not cut it.
WHOLE_SHOP = {
    **dict.fromkeys(
        ("auth-register", "auth-login", "auth-login-json", "auth-refresh", "auth-logout", "auth-me", "users", "user"),
        _ACCOUNT,
    ),
    "user-warehouses": "who is bound where; who is bound may not change it",
    **dict.fromkeys(("health", "health-live", "health-ready", "metrics"), _SYSTEM),
    **dict.fromkeys(
        (
            "products", "product-restore", "inventory", "products-bulk-price", "inventory-low-stock",
            "barcode-scan", "barcode-lookup", "barcode-link", "barcode", "product-barcodes", "categories", "category",
            "units", "unit", "vendors", "vendor", "vendor-restore", "vendor-prices", "vendor-lead-times",
            "product-vendors",
        ),
        _CATALOGUE,
    ),
    **dict.fromkeys(
        (
            "sales-analytics", "sales-comparison", "sales-by-category", "analytics-snapshot", "insights-trends",
            "insights-categories", "insights-stock", "insights-turnover", "insights-ageing", "insights-abc",
            "insights-dead-stock", "insights-patterns", "alert-settings", "predictions-quality",
        ),
        _FIGURES,
    ),
    **dict.fromkeys(
        (
            "webhooks", "webhook", "webhook-rotate", "webhook-test", "webhook-replay", "webhook-deliveries",
            "webhook-again",
        ),
        "deliveries tell the whole shop's news: whoever is bound may not have any (403)",
    ),
    **dict.fromkeys(
        ("predictions-batch", "prediction", "prediction-summary", "replenishment", "replenishment-orders"),
        "narrowed to the asker's places: insights/tests/test_predictions_api.py and test_replenishment.py show it",
    ),
    **dict.fromkeys(
        ("prediction-cache", "predictions-train", "replenishment-levels"),
        "a product's forecast and aims are the whole shop's; what is read of them is narrowed",
    ),
    **dict.fromkeys(("exports", "report-inventory", "report-sales", "report-movements"), _OWN_FILE),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path


@pytest.fixture
def shop(make_product: Callable[..., Product], main: Warehouse, make_user: Callable[..., User]) -> Shop:
    return build(make_product("Lamp", stock=20), main, make_user("admin", "boss"))


@pytest.fixture
def bound(shop: Shop, make_user: Callable[..., User], client_of: Callable[[User], Api]) -> dict[str, Api]:
    """A client per role of somebody bound to the open warehouse."""
    boss = User.objects.get(username="boss")
    found = {}
    for role in ("clerk", "manager", "analyst", "admin"):
        user = make_user(role, f"bound_{role}")
        accounts.bind(boss, user_id=user.pk, warehouse_ids=[shop.open.pk])
        found[role] = client_of(user)
    return found


def test_every_route_is_walled_narrowed_or_the_whole_shops_with_a_reason() -> None:
    known = set(WALLED) | NARROWED | set(NAMES_A_PLACE) | set(WHOLE_SHOP)
    assert {route.name for route in ROUTES} == known


@pytest.mark.parametrize("name", sorted(WALLED))
def test_an_id_behind_the_wall_answers_404_as_one_there_is_not(
    name: str, shop: Shop, bound: dict[str, Api], as_staff: Callable[[str], Api]
) -> None:
    route, body = BY_NAME[name], shop.filled(BODIES.get(name, {}))
    for role, api in bound.items():
        for method in route.methods:
            sent = None if method == "GET" else body
            answer = api(method, route.path(shop.ids[WALLED[name]]), sent)
            if answer.status_code == 403:  # the role alone forbids it
                assert as_staff(role)(method, route.path(shop.ids[WALLED[name]]), sent).status_code == 403
                continue
            nothing = api(method, route.path(shop.ids[WALLED[name]] + 5_000), sent)
            assert (answer.status_code, nothing.status_code) == (404, 404), (role, method, answer.content)
            assert answer.json()["code"] == nothing.json()["code"]
            assert HIDDEN not in answer.content.decode()


@pytest.mark.parametrize("name", sorted(name for name, route in BY_NAME.items() if "GET" in route.methods))
def test_no_answer_shows_anything_from_behind_the_wall(name: str, shop: Shop, bound: dict[str, Api]) -> None:
    if name in WALLED:
        return  # above
    for role, api in bound.items():
        answer = api("GET", path_of(name, shop))
        text = (
            b"".join(answer.streaming_content) if getattr(answer, "streaming", False) else answer.content  # type: ignore[attr-defined]  # of the library's or the test's own object
        ).decode()
        assert HIDDEN not in text, (role, text)
        assert str(HIDDEN_ID) not in text, (role, text)
        if name in NARROWED and answer.status_code != 403:
            assert answer.status_code == 200, (role, text)


@pytest.mark.parametrize("name", sorted((NARROWED | set(WALLED)) - {"job-file"}))
def test_who_is_not_bound_sees_it(name: str, shop: Shop, as_staff: Callable[[str], Api]) -> None:
    """The control: the crawler above does not pass because there is nothing to see."""
    route = BY_NAME[name]
    if "GET" not in route.methods:
        return
    path = route.path(shop.ids[WALLED[name]]) if name in WALLED else path_of(name, shop)
    answer = as_staff("manager")("GET", path)
    assert answer.status_code == 200
    if name in NARROWED:
        streaming = getattr(answer, "streaming", False)
        text = (b"".join(answer.streaming_content) if streaming else answer.content).decode()  # type: ignore[attr-defined]  # of the library's or the test's own object
        if name == "inventory-valuation":
            assert answer.json()["totals"]["on_hand"] == 72
        elif name == "sales":
            assert [row["order_id"] for row in answer.json()["results"]] == [shop.ids["order"]]
        else:
            assert HIDDEN in text or str(HIDDEN_ID) in text


def path_of(name: str, shop: Shop) -> str:
    """A route's path with the shared product's id; an export is of the movements."""
    route = BY_NAME[name]
    if name == "export-direct":
        return "/api/v1/exports/movements.csv"
    return route.path(shop.lamp.pk)


@pytest.mark.parametrize("name", sorted(NAMES_A_PLACE))
def test_a_write_that_names_a_warehouse_behind_the_wall_answers_404(
    name: str, shop: Shop, bound: dict[str, Api]
) -> None:
    levels = sorted(StockLevel.objects.values_list("id", "on_hand", "reserved"))
    for role in ("manager", "admin"):
        answer = bound[role]("POST", BY_NAME[name].path(), shop.filled(NAMES_A_PLACE[name]))
        assert (answer.status_code, answer.json()["type"]) == (404, "WarehouseUnknown"), answer.content
    assert sorted(StockLevel.objects.values_list("id", "on_hand", "reserved")) == levels
    assert not Product.objects.filter(name="New lamp").exists()
    assert Order.objects.count() == 1


def test_the_valuation_and_the_sales_are_of_ones_own_places(shop: Shop, bound: dict[str, Api]) -> None:
    assert bound["clerk"]("GET", "inventory/valuation").json()["totals"]["on_hand"] == 20
    assert bound["clerk"]("GET", "sales").json()["results"] == []


def test_a_filter_by_a_warehouse_behind_the_wall_finds_nothing(shop: Shop, bound: dict[str, Api]) -> None:
    clerk = bound["clerk"]
    for path in ("stock-movements", "stock-operations", "purchase-orders", "alerts", "inventory/movements"):
        assert clerk("GET", f"{path}?warehouse_id={HIDDEN_ID}").json()["results"] == [], path
    assert clerk("GET", f"inventory/valuation?warehouse_id={HIDDEN_ID}").status_code == 404
    assert clerk("GET", f"stock-transfers?from_warehouse_id={HIDDEN_ID}").json()["results"] == []


def test_a_write_that_names_no_place_goes_to_the_first_of_ones_own(
    shop: Shop, make_user: Callable[..., User], client_of: Callable[[User], Api]
) -> None:
    clerk = make_user("clerk", "beta_clerk")
    accounts.bind(User.objects.get(username="boss"), user_id=clerk.pk, warehouse_ids=[HIDDEN_ID, HIDDEN_ID + 1])
    posted = client_of(clerk)("POST", "inventory/adjust", {"product_id": shop.lamp.pk, "quantity": 1, "reason": "x"})
    assert posted.json()["warehouse_id"] == HIDDEN_ID


def test_a_transfer_is_seen_from_both_ends_and_moved_on_by_the_end_that_acts(shop: Shop, bound: dict[str, Api]) -> None:
    coming = transfers.create_transfer(
        {shop.lamp.pk: Decimal(1)}, from_warehouse_id=shop.beta.pk, to_warehouse_id=shop.open.pk
    )
    clerk = bound["clerk"]
    assert clerk("GET", f"stock-transfers/{coming.id}").status_code == 200
    assert clerk("POST", f"stock-transfers/{coming.id}/dispatch").status_code == 404
    assert clerk("POST", f"stock-transfers/{coming.id}/cancel").status_code == 404
    assert clerk("POST", f"stock-transfers/{coming.id}/complete").status_code == 404, "it would be sent, too"
    assert transfers.read_transfer(coming.id).status == "pending"
    transfers.dispatch_transfer(coming.id)
    assert clerk("POST", f"stock-transfers/{coming.id}/complete").json()["status"] == "completed"
    going = transfers.create_transfer(
        {shop.lamp.pk: Decimal(1)}, from_warehouse_id=shop.open.pk, to_warehouse_id=shop.beta.pk
    )
    assert clerk("POST", f"stock-transfers/{going.id}/complete").status_code == 404
    assert clerk("POST", f"stock-transfers/{going.id}/dispatch").json()["status"] == "in_transit"


def test_of_an_operation_in_both_places_only_the_own_lines_are_shown_and_it_is_not_undone(
    shop: Shop, bound: dict[str, Api]
) -> None:
    both = ledger.post(
        [Movement(shop.lamp.pk, place.pk, "purchase", Decimal(1)) for place in (shop.open, shop.beta)]
    ).operation_id
    clerk = bound["clerk"]
    shown = clerk("GET", f"stock-operations/{both}").json()
    assert [row["warehouse_id"] for row in shown["movements"]] == [shop.open.pk]
    listed = {row["id"]: row["movement_count"] for row in clerk("GET", "stock-operations").json()["results"]}
    assert listed[both] == 1
    assert clerk("POST", f"stock-operations/{both}/reverse", {"reason": "x"}).status_code == 404
    assert not StockOperation.objects.filter(reverses_id=both).exists()


def test_a_counter_sale_and_what_comes_back_broken_stay_in_ones_own_places(
    shop: Shop, bound: dict[str, Api], quarantine: Warehouse
) -> None:
    clerk, lamp = bound["clerk"], shop.lamp.pk
    short = clerk("POST", "sales", {"product_id": lamp, "quantity": 21})
    assert (short.status_code, short.json()["code"]) == (400, "insufficient_stock"), "20 of them lie in the open"
    sold = clerk("POST", "sales", {"product_id": lamp, "quantity": 3}).json()
    assert sold["warehouse_id"] == shop.open.pk
    with walls.seen_by(frozenset({shop.open.pk})):
        services.return_order(sold["id"], quantities={lamp: Decimal(2)}, damaged={lamp: Decimal(1)})
    assert not StockLevel.objects.filter(warehouse=quarantine).exists(), "nobody bound to the open puts goods there"
    assert StockLevel.objects.get(product=lamp, warehouse=shop.open).on_hand == 18, "one is back, one written off"


def test_dialogs_and_panels_of_the_admin_end_at_the_wall(shop: Shop, make_user: Callable[..., User]) -> None:
    user = make_user("clerk", "walled_clerk")
    accounts.bind(User.objects.get(username="boss"), user_id=user.pk, warehouse_ids=[shop.open.pk])
    both = ledger.post(
        [Movement(shop.lamp.pk, place.pk, "purchase", Decimal(1)) for place in (shop.open, shop.beta)]
    ).operation_id
    order = services.place_order([Item(shop.lamp.pk, Decimal(60))], user_id=user.pk, confirm=True)
    client = Client()
    client.force_login(user, backend="accounts.roles.RoleBackend")
    dialog = client.get(f"/admin/inventory/stockoperation/{both}/reverse_operation/").content.decode()
    page = client.get(reverse("admin:orders_order_change", args=[order.id])).content.decode()
    assert "in MAIN" in dialog
    assert "in MAIN" in page
    assert HIDDEN not in dialog
    assert HIDDEN not in page


def test_an_order_may_ship_from_anywhere_but_not_from_a_named_place_behind_the_wall(
    shop: Shop, bound: dict[str, Api]
) -> None:
    clerk = bound["clerk"]
    order = clerk("POST", "orders", {"items": [{"product_id": shop.lamp.pk, "quantity": 25}]}).json()
    assert order["status"] == "confirmed"  # 20 here, 5 there
    path = f"orders/{order['id']}/ship"
    assert clerk("POST", path, {"warehouse_id": HIDDEN_ID}).status_code == 404
    assert clerk("POST", path).json()["status"] == "shipped"
    back = {"warehouse_id": HIDDEN_ID, "reason": "x"}
    assert clerk("POST", f"orders/{order['id']}/return", back).status_code == 404
    plan = clerk("POST", "orders/plan", {"items": [{"product_id": shop.lamp.pk, "quantity": 3}]})
    assert str(HIDDEN_ID) not in plan.content.decode()


def test_a_threshold_is_set_in_ones_own_places_alone(shop: Shop, bound: dict[str, Api]) -> None:
    path = f"products/{shop.lamp.pk}/thresholds"
    body = {"thresholds": [{"warehouse_id": HIDDEN_ID, "reorder_threshold": 5}]}
    assert bound["manager"]("PUT", path, body).status_code == 404
    assert StockLevel.objects.get(warehouse=shop.beta).reorder_threshold is None


def test_a_bin_is_set_in_ones_own_places_alone(shop: Shop, bound: dict[str, Api]) -> None:
    body = {"bins": [{"warehouse_id": HIDDEN_ID, "bin": "A-1"}]}
    assert bound["manager"]("PUT", f"products/{shop.lamp.pk}/bins", body).status_code == 404
    assert StockLevel.objects.exclude(bin__in=["", HIDDEN]).count() == 0


def test_a_target_quantity_takes_only_from_ones_own_places(shop: Shop, bound: dict[str, Api]) -> None:
    total = bound["manager"]("GET", f"products/{shop.lamp.pk}").json()["stock_quantity"]
    answer = bound["manager"]("PATCH", f"products/{shop.lamp.pk}", {"stock_quantity": total - 3})
    assert answer.status_code == 200
    last = StockMovement.objects.order_by("-id").first()
    assert last is not None
    assert (last.warehouse_id, last.quantity) == (shop.open.pk, -3)
    short = bound["manager"]("PATCH", f"products/{shop.lamp.pk}", {"stock_quantity": 0})
    assert short.json()["code"] == "insufficient_stock"


@pytest.mark.parametrize("what", ["products", "movements", "orders"])
def test_an_exported_file_holds_nothing_from_behind_the_wall(what: str, shop: Shop, bound: dict[str, Api]) -> None:
    made = bound["manager"]("POST", "exports", {"what": what, "format": "csv"}).json()
    assert jobs.run(made["id"]) or Job.objects.get(pk=made["id"]).state == "done"
    text = b"".join(bound["manager"]("GET", f"jobs/{made['id']}/file").streaming_content).decode()  # type: ignore[attr-defined]  # of the library's or the test's own object
    assert text.strip()
    assert HIDDEN not in text


@pytest.mark.parametrize("kind", ["inventory", "sales", "movements"])
def test_a_report_holds_nothing_from_behind_the_wall(kind: str, shop: Shop, bound: dict[str, Api]) -> None:
    made = bound["manager"]("POST", f"reports/{kind}", {"format": "csv"}).json()
    assert jobs.run(made["id"]) or Job.objects.get(pk=made["id"]).state == "done"
    text = b"".join(bound["manager"]("GET", f"jobs/{made['id']}/file").streaming_content).decode()  # type: ignore[attr-defined]  # of the library's or the test's own object
    assert HIDDEN not in text
    assert str(HIDDEN_ID) not in text


# ---- admin -----------------------------------------------------------------------------------------------------------
HIDDEN_MODELS = {
    "inventory.warehouse": "warehouse",
    "inventory.stockmovement": "movement",
    "inventory.stockoperation": "operation",
    "inventory.transfer": "transfer",
    "inventory.stockcount": "count",
    "orders.order": "order",
    "purchasing.purchaseorder": "purchase",
    "insights.alert": "alert",
    "jobs.job": "job",
    "exchange.import": "import",
}


def pages_of(role: str, *, bound_to: list[int], make_user: Callable[..., User]) -> Client:
    """A browser of somebody with this role."""
    user = make_user(role, f"browsing_{role}")
    accounts.bind(User.objects.get(username="boss"), user_id=user.pk, warehouse_ids=bound_to)
    client = Client()
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("label", sorted(model._meta.label_lower for model in admin.site._registry))
def test_no_list_of_the_admin_shows_anything_from_behind_the_wall(
    label: str, shop: Shop, make_user: Callable[..., User]
) -> None:
    client = pages_of("admin", bound_to=[shop.open.pk], make_user=make_user)
    app, model = label.split(".")
    listed = client.get(reverse(f"admin:{app}_{model}_changelist"))
    assert listed.status_code in (200, 403)
    assert HIDDEN not in text_of(listed)
    assert str(HIDDEN_ID) not in text_of(listed)
    for url in (f"admin:{app}_{model}_add",):
        added = client.get(reverse(url))
        assert HIDDEN not in text_of(added)


@pytest.mark.parametrize("label", sorted(HIDDEN_MODELS))
def test_no_page_of_the_admin_opens_what_is_behind_the_wall(
    label: str, shop: Shop, make_user: Callable[..., User]
) -> None:
    app, model = label.split(".")
    path = reverse(f"admin:{app}_{model}_change", args=[shop.ids[HIDDEN_MODELS[label]]])
    answer = pages_of("admin", bound_to=[shop.open.pk], make_user=make_user).get(path)
    assert answer.status_code == 302  # Django's own "doesn't exist": back to the start
    assert answer.headers["Location"] == reverse("admin:index")
    assert pages_of("manager", bound_to=[], make_user=make_user).get(path).status_code == 200


def test_the_pages_of_a_shared_product_show_ones_own_part(shop: Shop, make_user: Callable[..., User]) -> None:
    client = pages_of("manager", bound_to=[shop.open.pk], make_user=make_user)
    free = pages_of("admin", bound_to=[], make_user=make_user)
    for path in (
        reverse("admin:inventory_product_change", args=[shop.lamp.pk]),
        reverse("product-explain", args=[shop.lamp.pk]),
        reverse("admin:index"),
    ):
        assert HIDDEN not in text_of(client.get(path)), path
        assert HIDDEN in text_of(free.get(path)), path
    begin = text_of(client.get(reverse("live")))
    assert '"orders":[]' in begin
    assert '"orders":[]' not in text_of(free.get(reverse("live")))


def test_the_admins_look_ups_end_at_the_wall(shop: Shop, make_user: Callable[..., User]) -> None:
    asked = {"app_label": "orders", "model_name": "order", "field_name": "customer", "term": ""}
    client = pages_of("manager", bound_to=[shop.open.pk], make_user=make_user)
    assert HIDDEN not in text_of(client.get(reverse("admin:autocomplete"), asked))


# ---- the stream ------------------------------------------------------------------------------------------------------
def test_frames_are_cut_at_the_wall_and_put_together_once_per_walls(shop: Shop) -> None:
    events.sequence_pending()
    told = events.read_after(0)
    mine, both = frozenset({shop.open.pk}), frozenset({shop.open.pk, HIDDEN_ID, HIDDEN_ID + 1})
    heard = [one for fact in told if (one := fact.seen_from(mine)) is not None]
    assert all(str(HIDDEN_ID) not in one.frame() and HIDDEN not in one.frame() for one in heard)
    hidden = {fact.type for fact in told if fact.seen_from(mine) is None}
    assert hidden == {"transfer_updated", "order_placed", "purchase_order_updated"}
    assert [fact.seen_from(None) for fact in told] == told
    assert None not in [fact.seen_from(both) for fact in told]
    stock = [orjson.loads(one.payload) for one in heard if one.type == "inventory_update"]
    assert stock
    assert stock[-1]["stock_quantity"] == 20 + 50 - 2 - 1 + 2  # the totals stay the shop's
    assert [row["warehouse_id"] for row in stock[-1]["by_warehouse"]] == [shop.open.pk]


# ---- who is bound ----------------------------------------------------------------------------------------------------
def test_a_manager_binds_a_clerk_and_the_next_request_knows(
    shop: Shop, manager: Api, as_staff: Callable[..., Api]
) -> None:
    clerk = as_staff("clerk")
    path = f"users/{clerk.user.pk}/warehouses"
    assert (manager("GET", path).json(), len(clerk("GET", "warehouses").json()["results"])) == (
        {"warehouse_ids": []},
        3,
    )
    assert manager("PUT", path, {"warehouse_ids": [shop.open.pk]}).json() == {"warehouse_ids": [shop.open.pk]}
    assert [row["id"] for row in clerk("GET", "warehouses").json()["results"]] == [shop.open.pk]
    assert manager("PUT", path, {"warehouse_ids": []}).status_code == 200
    assert len(clerk("GET", "warehouses").json()["results"]) == 3


def test_who_is_bound_cannot_lift_it_nor_make_an_account_that_is_not(shop: Shop, bound: dict[str, Api]) -> None:
    for role in ("manager", "admin"):
        api = bound[role]
        assert api("PUT", f"users/{api.user.pk}/warehouses", {"warehouse_ids": []}).status_code == 403
        assert api("POST", "users", {"username": "new", "email": "new@example.com"}).status_code == 403
        assert api("POST", "webhooks", {"url": "https://example.com"}).status_code == 403
        assert api("PUT", "alerts/settings", {"alert_threshold_days": 3}).status_code == 403


@pytest.mark.parametrize(("ids", "status"), [([404404], 422), (["x"], 422), ([0], 422), (list(range(1, 60)), 422)])
def test_nobody_is_bound_to_what_is_not_there(
    ids: list[Any], status: int, manager: Api, as_staff: Callable[..., Api]
) -> None:
    clerk = as_staff("clerk")
    answer = manager("PUT", f"users/{clerk.user.pk}/warehouses", {"warehouse_ids": ids})
    assert answer.status_code == status
    assert not Membership.objects.exists()


def test_customers_are_never_bound(shop: Shop, manager: Api, customer: User, buyer: Api) -> None:
    refused = manager("PUT", f"users/{customer.pk}/warehouses", {"warehouse_ids": [shop.open.pk]})
    assert (refused.status_code, refused.json()["code"]) == (400, "not_staff")
    Membership.objects.create(user=customer, warehouse=shop.open)
    assert len(buyer("GET", "warehouses").json()["results"]) == 3


def test_an_admin_binds_an_account_on_its_page_and_its_sockets_are_told(
    shop: Shop, make_user: Callable[..., User], client_of: Callable[[User], Api]
) -> None:
    boss, clerk = User.objects.get(username="boss"), make_user("clerk")
    browser = Client()
    browser.force_login(boss)
    path = reverse("admin:accounts_user_change", args=[clerk.pk])
    form = {"username": "clerk", "email": clerk.email, "full_name": "", "role": "clerk", "is_active": "on"}
    assert browser.post(path, form | {"warehouses": [str(shop.open.pk)]}).status_code == 302
    assert accounts.memberships(clerk.pk) == [shop.open.pk]
    assert Event.objects.filter(type="access_changed", subject_id=clerk.pk).exists()
    assert client_of(clerk)("GET", f"warehouses/{HIDDEN_ID}").status_code == 404
    assert browser.post(path, form).status_code == 302
    assert accounts.memberships(clerk.pk) == []


async def test_a_socket_is_closed_when_its_warehouses_change() -> None:
    """The rights a socket was opened with include the walls; with other walls it has to come again."""
    before = Principal(1, "clerk", "clerk", 0, frozenset(), frozenset({1}))
    now = replace(before, warehouses=frozenset({2}))
    with patch("accounts.websocket.cached_principal", lambda _id, _version: now):
        assert not await still_allowed(before)
        assert await still_allowed(now)
