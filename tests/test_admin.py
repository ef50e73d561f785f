"""The admin as every role: nothing breaks, nobody changes what is not theirs, no GET writes, steps are services."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from accounts import tokens
from accounts.models import ActivityLog, User
from conftest import PASSWORD
from insights import refit, sales
from insights.dashboard import growth_text
from insights.models import (
    AlertSettings,
    ForecastCurve,
    ForecastRun,
    PlanningSettings,
    ServiceLevel,
    Suggestion,
)
from inventory.models import (
    Barcode,
    Category,
    Product,
    ProductStock,
    StockLevel,
    StockMovement,
    StockOperation,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services import catalog, counts, ledger, transfers
from inventory.services.counts import Found
from inventory.services.ledger import Movement
from orders import services
from orders.models import Customer, Order, OrderLine, Return, Shipment
from orders.services import Item
from purchasing.models import Vendor
from tests.browser import world
from workbox.core import events
from workbox.core.admin import COUNT_MAX, CappedPaginator, money_text, quantity_text, signed_text, total_text
from workbox.core.models import Event, EventCursor, IdempotencyKey
from workbox.exchange.models import Import
from workbox.jobs.models import Job
from workbox.webhooks.models import Endpoint
from workbox.webhooks.services import new_secret, send_test

pytestmark = pytest.mark.django_db
D = Decimal
ROLES = ("user", "clerk", "manager", "analyst", "admin")
COUNTS_FILE = Path(__file__).parent / "query_counts.json"
UPDATE_COUNTS = bool(os.environ.get("UPDATE_QUERY_COUNTS"))
STAFF = {"clerk", "manager", "analyst", "admin"}
# Who sees an app's lists, who may add a row of a model; what is not named here nobody adds.
SEES = {
    "inventory": STAFF,
    "orders": STAFF,
    "insights": STAFF,
    "purchasing": STAFF,
    "core": {"clerk", "analyst", "admin"},
    "core.idempotencykey": {"admin"},
    "accounts": {"manager", "analyst", "admin"},
    "webhooks": {"manager", "admin"},
    "jobs": {"manager", "analyst", "admin"},
    "exchange": {"manager", "admin"},
    "axes": {"admin"},
    "django_celery_beat": {"admin"},
    "accounts.refreshtoken": {"analyst", "admin"},
    "accounts.activitylog": {"analyst", "admin"},
}
WRITERS = {"manager", "admin"}
ADDS = {
    "inventory.category": WRITERS,
    "inventory.unitofmeasure": WRITERS,
    "inventory.product": WRITERS,
    "inventory.barcode": WRITERS,
    "inventory.warehouse": WRITERS,
    "inventory.transfer": {"clerk", "manager", "admin"},
    "inventory.stockcount": {"clerk", "manager", "admin"},
    "orders.customer": WRITERS,
    "orders.order": {"clerk", "manager", "admin"},
    "purchasing.vendor": WRITERS,
    "purchasing.purchaseorder": WRITERS,
    "accounts.user": WRITERS,
    "webhooks.endpoint": WRITERS,
    "exchange.import": WRITERS,
}
READ_ONLY = (
    "inventory.stocklevel",
    "inventory.stockoperation",
    "inventory.stockmovement",
    "inventory.costchange",
    "inventory.reservation",
    "orders.shipment",
    "orders.return",
    "insights.alert",
    "insights.dailysales",
    "insights.dailycategorysales",
    "insights.dailytotal",
    "insights.dailydemand",
    "insights.tradingday",
    "insights.forecastrun",
    "insights.forecastcurve",
    "insights.suggestion",
    "insights.planningsettings",
    "insights.servicelevel",
    "purchasing.vendorprice",
    "purchasing.receipt",
    "jobs.job",
    "core.event",
    "core.eventcursor",
    "core.fieldchange",
    "core.idempotencykey",
    "axes.accessattempt",
    "webhooks.delivery",
)
HAS_HISTORY = (
    "inventory.product",
    "inventory.warehouse",
    "inventory.transfer",
    "inventory.stockcount",
    "orders.order",
    "purchasing.vendor",
    "purchasing.purchaseorder",
    "exchange.import",
    *READ_ONLY,
)
AWKWARD = ("1", "LAMP-01", "ORDER-2", "9" * 30, "4006381300001", "%'", "٣")


@pytest.fixture
def shop(db: None) -> None:
    """A shop with a history; one row at least in every list."""
    fill_shop()


def fill_shop() -> None:
    """As above, in whatever database is configured."""
    world.make_shop()
    world.make_purchases(Product.objects.get(sku="LAMP-02"), "Bright & Sons")
    user = User.objects.get(username="clerk")
    tokens.issue_pair(user)
    ActivityLog.objects.create(user=user, kind="login", ip="192.0.2.1")
    catalog.update_product(Product.objects.get(sku="LAMP-01").pk, changes={"price": D("51.90")})
    IdempotencyKey.objects.create(user_id=user.pk, key="k-1", request_hash="x", created_at=datetime.now(UTC))
    EventCursor.objects.create(name="reader")
    job = Job.objects.create(kind="export", created_by=User.objects.get(username="analyst"))
    Import.objects.create(what="products", format="csv", columns=["sku"], job=job)
    AccessAttempt.objects.create(username="clerk", ip_address="192.0.2.1", failures_since_start=1)
    crontab = CrontabSchedule.objects.create(minute="0", hour="3")
    PeriodicTask.objects.create(name="nightly", task="inventory.verify_stock", crontab=crontab)
    AlertSettings.objects.get_or_create(pk=AlertSettings.ROW)
    sales.rebuild()
    refit.refit()
    lamp = Product.objects.get(sku="LAMP-02")
    run = ForecastRun.objects.get()
    add_plans(lamp, run)
    Job.objects.update(created_by=User.objects.get(username="analyst"))  # who knows of own jobs only
    Endpoint.objects.create(url="https://example.com/hook", topics=["stock"], secret=new_secret())
    send_test(Endpoint.objects.get().pk)


def add_plans(product: Product, run: ForecastRun) -> None:
    """One row in each list of plans, whether the shop's few orders are enough for one or not."""
    values: dict[str, Any] = dict.fromkeys(("rate", "uplift", "returns", "model_wape", "moving_average_wape"), 1.0)
    words = {"status": "model", "model": "workbox", "weekdays": [1] * 7, "dispersion": [1] * 3, "is_whole": True}
    ForecastCurve.objects.get_or_create(
        run=run, product=product, place_key=0, defaults={"start_on": run.start_on, "days": 40} | values | words
    )
    PlanningSettings.objects.get_or_create(pk=PlanningSettings.ROW)
    ServiceLevel.objects.create(product=product, service_level=D("0.9"))
    numbers: dict[str, Any] = dict.fromkeys(
        (
            "quantity", "unit_price", "available", "position", "reorder_point", "safety_stock", "order_up_to",
            "daily_units", "lead_time_days", "margin_at_risk",
        ),
        D(1),
    )  # fmt: skip
    now = datetime.now(UTC)
    Suggestion.objects.get_or_create(
        product=product,
        warehouse=Warehouse.objects.get(code="ANNEX"),
        defaults=numbers
        | {"vendor": Vendor.objects.first(), "service_level": D("0.9"), "stockout_probability": D("0.5")}
        | {"order_by": run.start_on, "reason": "x", "created_at": now, "updated_at": now},
    )


def browser(role: str, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(User.objects.get(username=role), backend="accounts.roles.RoleBackend")
    return client


def url(label: str, page: str, *arguments: Any) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=arguments)


def registered() -> dict[str, Any]:
    return {model._meta.label_lower: model_admin for model, model_admin in admin.site._registry.items()}


def steps(model_admin: Any) -> list[Any]:
    """Every Unfold action that is reached by a URL."""
    return [
        *model_admin._get_base_actions_detail(),
        *model_admin._get_base_actions_row(),
        *model_admin._get_base_actions_list(),
    ]


def filter_queries(model_admin: Any, user: User) -> Iterator[dict[str, str]]:
    """Each choice of each filter of a changelist as a query string."""
    request = RequestFactory().get("/")
    request.user = user
    for spec in model_admin.get_changelist_instance(request).filter_specs:
        name = getattr(spec, "parameter_name", None) or getattr(spec, "lookup_kwarg", None)
        values = [str(value) for value, *_ in getattr(spec, "lookup_choices", ())] or ["1", "0"]
        if type(spec).__name__ == "DayRangeFilter":
            yield {f"{name}_from": "2020-01-01", f"{name}_to": "2099-12-31"}
            yield {f"{name}_from": "rubbish"}
        elif type(spec).__name__ == "ChoicesDropdownFilter":
            yield from ({name: value} for value, _ in spec.field.flatchoices)
        else:
            yield from ({name: value} for value in values[:4])


def fingerprint() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the sessions'."""
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table != "django_session":
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                found[table] = sorted(cursor.fetchall(), key=repr)
    return found


def walk(client: Client, user: User, label: str, model_admin: Any) -> Iterator[tuple[str, HttpResponse]]:
    """GET every page of one model."""
    base = url(label, "changelist")
    queries: list[dict[str, str]] = [{}, {"p": "2"}, {"all": ""}, {"o": "1.-2"}, *({"q": text} for text in AWKWARD)]
    if user.is_staff and user.has_perm(f"{model_admin.opts.app_label}.view_{model_admin.opts.model_name}"):
        queries += filter_queries(model_admin, user)
    for query in queries:
        yield "changelist", client.get(base, query)
    yield "add", client.get(url(label, "add"))
    first = model_admin.model._default_manager.order_by("pk").first()
    assert first is not None, f"the shop of this test has no {label}"
    for page in ("change", "history", "delete"):
        yield page, client.get(url(label, page, first.pk))
    for step in steps(model_admin):
        yield "step", client.get(reverse(f"admin:{step.action_name}", args=[first.pk]))


# The admin's and the clerk's pages run every statement that the analyst's and the manager's do.
WALKERS = [pytest.param(one, marks=pytest.mark.once if one in {"analyst", "manager"} else []) for one in ROLES]


@pytest.mark.parametrize("role", WALKERS)
def test_every_page_answers_each_role_as_the_table_says_and_writes_nothing(shop: None, role: str) -> None:
    client, user = browser(role), User.objects.get(username=role)
    before, wrong = fingerprint(), []
    for label, model_admin in registered().items():
        for page, answer in walk(client, user, label, model_admin):
            sees = role in (SEES.get(label) or SEES[model_admin.opts.app_label])
            if role == "user":
                expected = {302}
            elif page == "add":
                expected = {200} if role in ADDS.get(label, ()) else {403}
            elif page == "step":
                expected = {200, 403} if sees else {403}
            elif page == "delete":
                expected = {403} if label in HAS_HISTORY or not sees else {200, 403}
            else:
                # A page number that does not exist leads back to the list.
                expected = {200, 302} if sees and page == "changelist" else {200} if sees else {403}
            if answer.status_code not in expected:
                wrong.append(
                    (label, page, answer.request["PATH_INFO"], answer.request["QUERY_STRING"], answer.status_code)
                )
    assert wrong == []
    assert fingerprint() == before


@pytest.mark.parametrize("role", ROLES)
def test_home_and_live_page_are_for_staff(shop: None, role: str) -> None:
    client, before = browser(role), fingerprint()
    pages = [client.get(path) for path in ("/admin/", "/live/")]
    rows = client.get("/live/rows/", {"q": "lamp"})
    if role == "user":
        assert [page.status_code for page in pages] == [302, 302]
        assert pages[1]["Location"] == "/admin/login/?next=/live/"
        assert rows.status_code == 401
    else:
        assert [page.status_code for page in pages] == [200, 200]
        assert [row["sku"] for row in rows.json()["products"]] == ["LAMP-01", "LAMP-02"]
    assert fingerprint() == before


def test_what_changes_something_is_behind_a_dialog_that_posts() -> None:
    found = {step.action_name: step.dialog for model_admin in registered().values() for step in steps(model_admin)}
    assert len(found) >= 12
    assert [name for name, dialog in found.items() if not dialog] == []


def test_a_post_without_the_csrf_token_is_refused(shop: None) -> None:
    order = Order.objects.filter(status="pending").first()
    client = browser("admin", enforce_csrf_checks=True)
    answer = client.post(url("orders.order", "confirm", order.pk), {"_form_submitted": "on"})
    order.refresh_from_db()
    assert (answer.status_code, order.status) == (403, "pending")


@pytest.mark.parametrize("label", READ_ONLY)
def test_history_is_never_written_by_hand_not_even_by_an_admin(shop: None, label: str) -> None:
    client, model = browser("admin"), registered()[label].model
    row = model._default_manager.order_by("pk").first()
    before = fingerprint()
    assert client.post(url(label, "add"), {}).status_code == 403
    assert client.post(url(label, "change", row.pk), {"quantity": "999", "seq": "1"}).status_code == 403
    assert client.post(url(label, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(url(label, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert fingerprint() == before


@pytest.mark.parametrize("label", ["inventory.product", "inventory.warehouse", "orders.order"])
def test_nothing_with_a_history_is_deleted(shop: None, label: str) -> None:
    client, model = browser("admin"), registered()[label].model
    count, row = model.objects.count(), model.objects.first()
    assert client.post(url(label, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(url(label, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.count() == count


# ---- steps ----
def act(client: Client, label: str, step: str, pk: int, **fields: Any) -> HttpResponse:
    return client.post(url(label, step, pk), {"_form_submitted": "on", **fields}, headers={"HX-Request": "true"})


def said(client: Client) -> list[str]:
    """The messages the next page shows."""
    return [str(message) for message in client.get("/admin/").context["messages"]]


@pytest.fixture
def world_of_one(make_user: Callable[..., User], make_product: Callable[..., Product], annex: Warehouse) -> Product:
    """A lamp, ten of it in the main store, and somebody of every role."""
    for role in ROLES:
        make_user(role)
    return make_product("Lamp", stock=10, price="9.50", sku="LAMP")


def placed(product: Product, count: int = 4, *, confirm: bool) -> Order:
    return Order.objects.get(pk=services.place_order([Item(product.pk, D(count))], user_id=None, confirm=confirm).id)


def stock(product: Product) -> tuple[Decimal, Decimal, Decimal]:
    row = ProductStock.objects.get(product=product)
    return row.on_hand, row.reserved, row.available


def test_an_order_is_confirmed_shipped_delivered_and_taken_back(
    world_of_one: Product, main: Warehouse, annex: Warehouse
) -> None:
    lamp, order, client = world_of_one, placed(world_of_one, confirm=False), browser("clerk")
    quantity = f"quantity_{lamp.pk}"

    answer = act(client, "orders.order", "confirm", order.pk)
    assert (answer.status_code, "HX-Redirect" in answer.headers) == (200, True)
    assert stock(lamp) == (10, 4, 6)
    assert said(client) == [f"Order {order.pk} is confirmed: 4 units on 1 line reserved."]

    act(client, "orders.order", "ship", order.pk, **{quantity: "3", "warehouse": main.pk})
    order.refresh_from_db()
    assert (order.status, stock(lamp)) == ("partially_shipped", (7, 1, 6))
    act(client, "orders.order", "ship", order.pk, **{quantity: "1"})
    act(client, "orders.order", "deliver", order.pk)
    order.refresh_from_db()
    assert (order.status, stock(lamp), Shipment.objects.count()) == ("delivered", (6, 0, 6), 2)

    act(client, "orders.order", "return_goods", order.pk, **{quantity: "2", "warehouse": annex.pk, "reason": "Chipped"})
    assert OrderLine.objects.get(order=order).returned_quantity == 2
    assert StockLevel.objects.get(product=lamp, warehouse=annex).on_hand == 2
    back = Return.objects.get(order=order)
    assert back.refund_amount == D("19")
    page = client.get(url("orders.return", "change", back.pk)).content.decode()
    assert [words for words in ("What came back", "LAMP", "9.50", f"Order {order.pk}") if words not in page] == []
    clerk = User.objects.get(username="clerk").pk
    assert set(Event.objects.filter(topic="orders", type="order_updated").values_list("actor_id", flat=True)) == {clerk}
    assert set(StockOperation.objects.exclude(kind="opening").values_list("actor_id", flat=True)) == {clerk}


def test_a_step_the_status_forbids_says_so_in_the_dialog(world_of_one: Product) -> None:
    order, client = placed(world_of_one, confirm=True), browser("clerk")
    page = act(client, "orders.order", "confirm", order.pk).content.decode()
    assert f"Order {order.pk} is confirmed; it cannot be confirmed." in page
    assert "HX-Redirect" not in page


def test_a_shortage_names_what_is_short_and_changes_nothing(world_of_one: Product) -> None:
    order, client = placed(world_of_one, 11, confirm=False), browser("manager")
    page = act(client, "orders.order", "confirm", order.pk).content.decode()
    order.refresh_from_db()
    assert "Lamp (LAMP): Available: 10, Requested: 11" in page
    assert (order.status, stock(world_of_one)) == ("pending", (10, 0, 10))


def test_more_than_is_open_or_nothing_cannot_be_shipped(world_of_one: Product) -> None:
    order, client = placed(world_of_one, confirm=True), browser("clerk")
    field = f"quantity_{world_of_one.pk}"
    assert "less than or equal to 4" in act(client, "orders.order", "ship", order.pk, **{field: "5"}).content.decode()
    assert "at least one product" in act(client, "orders.order", "ship", order.pk, **{field: "0"}).content.decode()
    assert stock(world_of_one) == (10, 4, 6)


def test_cancel_releases_and_keeps_the_reason(world_of_one: Product) -> None:
    order, client = placed(world_of_one, confirm=True), browser("manager")
    act(client, "orders.order", "cancel", order.pk, reason="Ordered twice")
    order.refresh_from_db()
    assert (order.status, stock(world_of_one)) == ("cancelled", (10, 0, 10))
    page = client.get(url("orders.order", "change", order.pk)).content.decode()
    assert "Reason: Ordered twice" in page


@pytest.mark.parametrize("step", ["confirm", "cancel", "ship", "deliver", "return_goods"])
def test_an_analyst_takes_no_step(world_of_one: Product, step: str) -> None:
    order, client = placed(world_of_one, confirm=False), browser("analyst")
    before = fingerprint()
    assert act(client, "orders.order", step, order.pk).status_code == 403
    assert fingerprint() == before


def test_an_order_that_is_not_there_is_a_404(world_of_one: Product) -> None:
    client = browser("clerk")
    assert [client.get(url("orders.order", "ship", number)).status_code for number in (99, "x", "9" * 30)] == [404] * 3


def test_selected_orders_are_confirmed_and_shipped_each_with_its_own_result(world_of_one: Product) -> None:
    client = browser("clerk")
    first, second, third = (placed(world_of_one, count, confirm=False) for count in (6, 6, 3))
    chosen = {"_selected_action": [first.pk, second.pk, third.pk]}
    client.post(url("orders.order", "changelist"), {"action": "confirm_selected", **chosen})
    texts = said(client)
    assert texts[0] == f"2 confirmed: #{first.pk}, #{third.pk}."
    assert texts[1].startswith(f"Order {second.pk}: Insufficient stock.")
    client.post(url("orders.order", "changelist"), {"action": "ship_selected", **chosen})
    assert [Order.objects.get(pk=one.pk).status for one in (first, second, third)] == ["shipped", "pending", "shipped"]
    assert stock(world_of_one) == (1, 0, 1)


def lines_form(*rows: tuple[int, str], **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"lines-TOTAL_FORMS": len(rows), "lines-INITIAL_FORMS": 0, "notes": "", **fields}
    for index, (product_id, quantity) in enumerate(rows):
        body |= {f"lines-{index}-product": product_id, f"lines-{index}-quantity": quantity}
    return body


def test_an_order_is_placed_from_its_form(world_of_one: Product, make_product: Callable[..., Product]) -> None:
    cable = make_product("Cable", stock=5, price="2.00", sku="CABLE")
    buyer, client = Customer.objects.create(code="C-1", name="Café"), browser("clerk")
    body = lines_form((world_of_one.pk, "2"), (cable.pk, "5"), customer=buyer.pk, confirm="on", notes="Ring twice")
    answer = client.post(url("orders.order", "add"), body)
    order = Order.objects.get()
    assert answer["Location"] == url("orders.order", "change", order.pk)
    assert (order.status, order.channel, order.customer_id, order.total_amount) == (
        "confirmed",
        "admin",
        buyer.pk,
        D(29),
    )
    assert stock(cable) == (5, 5, 0)
    assert Event.objects.get(type="order_placed").actor_id == User.objects.get(username="clerk").pk


def test_a_refused_order_keeps_what_was_typed(world_of_one: Product) -> None:
    client = browser("manager")
    page = client.post(
        url("orders.order", "add"), lines_form((world_of_one.pk, "11"), confirm="on", notes="Ring twice")
    )
    assert (page.status_code, Order.objects.count()) == (200, 0)
    text = page.content.decode()
    assert "Lamp (LAMP): Available: 10, Requested: 11" in text
    assert "Ring twice" in text
    empty = client.post(url("orders.order", "add"), lines_form(confirm="on"))
    assert "An order needs at least one line." in empty.content.decode()


def test_stock_is_adjusted_counted_and_reversed_through_the_ledger(world_of_one: Product, main: Warehouse) -> None:
    lamp, client, clerk = world_of_one, browser("clerk"), User.objects.get(username="clerk").pk
    act(client, "inventory.product", "adjust_stock", lamp.pk, warehouse=main.pk, quantity="-3", reason="Dropped")
    assert stock(lamp) == (7, 0, 7)
    assert said(client) == ["Lamp (LAMP): −3 in Main store. Now 7 on hand, 7 available."]
    operation = StockOperation.objects.get(kind="adjustment")
    assert (operation.actor_id, operation.reason) == (clerk, "Dropped")

    act(
        client,
        "inventory.product",
        "set_stock",
        lamp.pk,
        warehouse=main.pk,
        quantity="9",
        reason="",
        seen=f"{main.pk}:7",
    )
    assert stock(lamp) == (9, 0, 9)
    stale = act(client, "inventory.product", "set_stock", lamp.pk, warehouse=main.pk, quantity="1", seen=f"{main.pk}:7")
    assert "The quantity is 9 now, not 7" in stale.content.decode()

    act(client, "inventory.stockoperation", "reverse_operation", operation.pk, reason="Found again")
    assert StockOperation.objects.get(reverses=operation).actor_id == clerk
    assert stock(lamp) == (12, 0, 12)
    again = act(client, "inventory.stockoperation", "reverse_operation", operation.pk, reason="Twice")
    assert "HX-Redirect" not in again.headers
    assert stock(lamp) == (12, 0, 12)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"quantity": "0"}, "must not be zero"),
        ({"quantity": "0.5"}, "whole number"),
        ({"reason": " "}, "required"),
        ({"quantity": "-11"}, "Available: 10"),
    ],
)
def test_a_wrong_adjustment_is_explained(
    world_of_one: Product, main: Warehouse, fields: dict[str, str], words: str
) -> None:
    body = {"warehouse": main.pk, "quantity": "1", "reason": "Found", **fields}
    assert words in act(browser("clerk"), "inventory.product", "adjust_stock", world_of_one.pk, **body).content.decode()
    assert StockMovement.objects.count() == 1


def test_a_product_is_made_edited_retired_and_restored_by_its_service(world_of_one: Product, main: Warehouse) -> None:
    client, unit = browser("manager"), UnitOfMeasure.objects.get(code="piece")
    lighting = Category.objects.create(name="Lighting")
    body = {
        "sku": "",
        "name": "Spot",
        "description": "",
        "category": lighting.pk,
        "unit": unit.pk,
        "price": "3.5",
        "unit_cost": "",
        "reorder_threshold": "2",
        "reorder_quantity": "0",
        "is_stocked": "on",
        "opening_quantity": "6",
        "opening_warehouse": main.pk,
        "barcodes-TOTAL_FORMS": 1,
        "barcodes-INITIAL_FORMS": 0,
        "barcodes-0-code": "123",
        "barcodes-0-pack_quantity": "1",
    }
    assert client.post(url("inventory.product", "add"), body).status_code == 302
    spot = Product.objects.get(name="Spot")
    assert (spot.sku[:5], stock(spot), Barcode.objects.get().product) == ("SPOT-", (6, 0, 6), spot)
    assert StockOperation.objects.filter(kind="opening", actor__username="manager").count() == 1

    edit = body | {"sku": spot.sku, "price": "4", "category": "", "barcodes-TOTAL_FORMS": 0}
    assert client.post(url("inventory.product", "change", spot.pk), edit).status_code == 302
    spot.refresh_from_db()
    assert (spot.price, spot.category) == (D(4), None)
    told = Event.objects.filter(type="product_updated", subject_id=spot.pk).first().companions
    assert json.loads(told.removeprefix(f"inventory_update {spot.pk} "))["price"] == 4
    assert Event.objects.filter(type="product_updated", subject_id=spot.pk, actor_id__isnull=False).count() == 2
    twin = client.post(url("inventory.product", "change", spot.pk), edit | {"sku": "LAMP"})
    assert "already exists" in twin.content.decode()

    act(client, "inventory.product", "retire", spot.pk)
    assert not Product.objects.get(pk=spot.pk).is_active
    act(client, "inventory.product", "restore", spot.pk)
    client.post(url("inventory.product", "changelist"), {"action": "retire_selected", "_selected_action": [spot.pk]})
    assert not Product.objects.get(pk=spot.pk).is_active


def test_a_clerk_does_not_edit_the_catalogue(world_of_one: Product) -> None:
    client = browser("clerk")
    assert client.post(url("inventory.product", "change", world_of_one.pk), {"price": "1"}).status_code == 403
    assert act(client, "inventory.product", "retire", world_of_one.pk).status_code == 403
    page = client.get(url("inventory.product", "change", world_of_one.pk)).content.decode()
    assert "Adjust stock" in page
    assert 'name="price"' not in page


def test_a_warehouse_that_no_longer_sells_takes_its_stock_off_sale(world_of_one: Product, main: Warehouse) -> None:
    client = browser("manager")
    body = {"name": "Main hall", "code": "MAIN", "address": "", "priority": "1"}
    assert client.post(url("inventory.warehouse", "change", main.pk), body).status_code == 302
    main.refresh_from_db()
    assert (main.name, main.is_sellable, stock(world_of_one)) == ("Main hall", False, (10, 0, 0))
    client.post(url("inventory.warehouse", "change", main.pk), body | {"is_sellable": "on"})
    placed(world_of_one, confirm=True)
    refused = client.post(url("inventory.warehouse", "change", main.pk), body)
    assert "Orders hold stock in this warehouse" in refused.content.decode()
    assert "still stock in this warehouse" in act(client, "inventory.warehouse", "close", main.pk).content.decode()


def test_an_empty_warehouse_is_closed_and_opened_again(world_of_one: Product, annex: Warehouse) -> None:
    client = browser("manager")
    act(client, "inventory.warehouse", "close", annex.pk)
    assert not Warehouse.objects.get(pk=annex.pk).is_active
    act(client, "inventory.warehouse", "reopen", annex.pk)
    assert Warehouse.objects.get(pk=annex.pk).is_active


# ---- pages ----
def test_the_product_page_tells_stock_promises_and_movements(world_of_one: Product) -> None:
    order = placed(world_of_one, confirm=True)
    ledger.adjust(world_of_one.pk, quantity=D(-2), reason="Dropped")
    panels = browser("analyst").get(url("inventory.product", "change", world_of_one.pk)).context["panels"]
    assert (panels["stock"]["on_hand"], panels["stock"]["reserved"], panels["stock"]["available"]) == ("8", "4", "4")
    assert [row["holder"].label for row in panels["promises"]] == [f"Order {order.pk}"]
    assert [(row["quantity"], row["balance"]) for row in panels["movements"]] == [("−2", "8"), ("+10", "10")]


def test_the_home_page_counts_what_its_links_list(shop: None) -> None:
    client = browser("manager")
    home = client.get("/admin/").context["home"]
    assert home["orders"]["total"] == client.get(home["orders"]["url"]).context["cl"].result_count > 0
    for status in home["orders"]["statuses"]:
        assert int(status["count"]) == client.get(status["url"]).context["cl"].result_count > 0
    assert home["low"]["total"] == client.get(home["low"]["url"]).context["cl"].result_count > 0
    assert int(home["sales"]["orders"]) == client.get(home["sales"]["url"]).context["cl"].result_count > 0
    assert (
        int(home["sales"]["yesterday_orders"])
        == client.get(home["sales"]["yesterday_url"]).context["cl"].result_count
        > 0
    )


def test_an_empty_shop_is_told_how_to_begin(make_user: Callable[..., User]) -> None:
    make_user("admin")
    page = browser("admin").get("/admin/").content.decode()
    assert "Create a warehouse" in page
    assert "Nothing has moved yet" in page


def test_the_sidebar_offers_what_the_role_may_see(shop: None) -> None:
    clerk, chief = (browser(role).get("/admin/").content.decode() for role in ("clerk", "admin"))
    assert "Failed logins" not in clerk
    assert "Failed logins" in chief


def test_what_is_not_ones_own_is_a_page_with_a_sentence(shop: None) -> None:
    client = browser("clerk")
    for path, status, words in (
        ("/admin/roles/", 403, "Your role does not allow this"),
        ("/admin/story/product/999999/", 404, "There is nothing here"),
    ):
        answer = client.get(path)
        page = answer.content.decode()
        assert (answer.status_code, words in page, "workbox/icon.svg" in page) == (status, True, True)


@pytest.mark.parametrize("role", ["clerk", "manager", "analyst", "admin"])
def test_each_link_of_the_sidebar_opens(shop: None, role: str) -> None:
    client = browser(role)
    groups = client.get("/admin/").context["sidebar_navigation"]
    links = [str(item["link"]) for group in groups for item in group["items"]]
    assert len(links) > 20
    assert {link: status for link in links if (status := client.get(link).status_code) != 200} == {}
    assert ("/admin/roles/" in links) == (role != "clerk")


def test_the_login_page_lets_staff_in_and_customers_not(make_user: Callable[..., User]) -> None:
    make_user("user"), make_user("clerk")
    client = Client()
    page = client.post("/admin/login/", {"username": "user", "password": PASSWORD})
    assert "This account is for customers" in page.content.decode()
    assert client.get("/admin/").status_code == 302
    entered = client.post(
        "/admin/login/?next=/live/", {"username": "CLERK@example.com", "password": PASSWORD, "next": "/live/"}
    )
    assert entered["Location"] == "/live/"


def test_a_lockout_is_a_page_with_a_sentence_and_an_admin_ends_it(
    make_user: Callable[..., User], settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    make_user("clerk"), make_user("admin")
    client = Client()
    answers = [client.post("/admin/login/", {"username": "clerk", "password": "wrong"}) for _ in range(3)]
    assert (answers[-1].status_code, "Too many failed logins" in answers[-1].content.decode()) == (429, True)
    assert client.post("/admin/login/", {"username": "clerk", "password": PASSWORD}).status_code == 429
    attempts = [attempt.pk for attempt in AccessAttempt.objects.all()]
    browser("admin").post(url("axes.accessattempt", "changelist"), {"action": "unlock", "_selected_action": attempts})
    assert client.post("/admin/login/", {"username": "clerk", "password": PASSWORD}).status_code == 302


def test_the_live_page_is_a_snapshot_with_the_cursor_it_was_read_at(world_of_one: Product) -> None:
    events.sequence_pending()
    page = browser("analyst").get("/live/").content.decode()
    begin = json.loads(page.partition('id="begin">')[2].partition("</script>")[0])
    assert begin["cursor"] == events.head() > 0
    assert [(row["sku"], row["available"], row["version"]) for row in begin["products"]] == [("LAMP", 10, 1)]


def test_a_name_cannot_end_the_script_that_carries_it(world_of_one: Product) -> None:
    Product.objects.filter(pk=world_of_one.pk).update(name="</script><script>alert(1)</script>")
    assert "<script>alert" not in browser("clerk").get("/live/").content.decode()


# ---- numbers ----
@pytest.mark.parametrize(
    ("value", "text"), [("48", "48"), ("2.850", "2.85"), ("1204", "1,204"), ("-1204.5", "-1,204.5"), ("0", "0")]
)
def test_quantities_as_people_write_them(value: str, text: str) -> None:
    assert quantity_text(D(value)) == text


def test_money_signs_and_growth_as_people_write_them() -> None:
    assert [money_text(D(one)) for one in ("1999.98", "5", "0.0125")] == ["1,999.98", "5.00", "0.0125"]
    assert [total_text(D(one)) for one in ("1999.985", "768.3375", "5", "-0.005")] == [
        "1,999.99", "768.34", "5.00", "-0.01",
    ]  # fmt: skip
    assert total_text(None) == "–"
    assert [signed_text(D(one)) for one in ("5", "-2", "0")] == ["+5", "−2", "0"]
    assert [growth_text(D(now), D(before)) for now, before in (("150", "100"), ("50", "100"), ("1", "0"))] == [
        "+50 %",
        "−50 %",
        "",
    ]


def test_a_long_list_is_counted_only_so_far(world_of_one: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        ledger.adjust(world_of_one.pk, quantity=D(1), reason="found")
    monkeypatch.setattr("workbox.core.admin.COUNT_MAX", 2)
    paginator = CappedPaginator(StockMovement.objects.all(), 50)
    assert (paginator.count, paginator.is_capped, COUNT_MAX) == (2, True, 10_000)


# ---- queries ----
def make_rows(count: int) -> None:
    """`count` more rows in every list, each with all it can refer to."""
    start = Product.objects.count()
    piece = UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})[0]
    crontab = CrontabSchedule.objects.get_or_create(minute="0", hour="3")[0]
    for number in range(start, start + count):
        user = User.objects.create_user(f"u{number}", f"u{number}@example.com", PASSWORD, role="clerk")
        tokens.issue_pair(user)
        ActivityLog.objects.create(user=user, kind="login", ip="192.0.2.1")
        place = Warehouse.objects.create(name=f"W{number}", code=f"W{number}", priority=number)
        UnitOfMeasure.objects.create(code=f"c{number}", name="Case")
        product = world.catalog.create_product(
            name=f"P{number}",
            sku=f"P{number}",
            unit=piece.code,
            price=D(5),
            reorder_threshold=D(30),
            category=f"C{number}",
            actor_id=user.pk,
            opening=world.OpeningStock(D(20), place.pk),
        )
        Barcode.objects.create(code=f"{number:013d}", product=product)
        other = Warehouse.objects.order_by("pk").exclude(pk=place.pk).first()
        if other is not None:
            moved = transfers.create_transfer(
                {product.pk: D(2)}, from_warehouse_id=place.pk, to_warehouse_id=other.pk, actor_id=user.pk
            )
            assert moved.status == "pending"
        counted = counts.open_count(place.pk, actor_id=user.pk)
        counts.record(counted.id, [Found(product.pk, D(20))], actor_id=user.pk)
        buyer = Customer.objects.create(code=f"C{number}", name="Buyer")
        order = services.place_order([Item(product.pk, D(4))], user_id=user.pk, customer_id=buyer.pk, confirm=True)
        services.ship_order(order.id, quantities={product.pk: D(2)})
        services.return_order(order.id, quantities={product.pk: D(1)}, reason="Chipped", warehouse_id=place.pk)
        world.make_purchases(product, f"V{number}")
        EventCursor.objects.create(name=f"r{number}")
        job = Job.objects.create(kind="export", created_by=user)
        Import.objects.create(what="products", format="csv", job=job, created_by=user)
        IdempotencyKey.objects.create(user_id=user.pk, key=f"k{number}", request_hash="x", created_at=datetime.now(UTC))
        AccessAttempt.objects.create(username=f"u{number}", ip_address="192.0.2.1", failures_since_start=1)
        PeriodicTask.objects.create(name=f"t{number}", task="inventory.verify_stock", crontab=crontab)
    sales.rebuild()


def count_queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def pages_to_count() -> dict[str, str]:
    own = {"board": "/admin/board/", "scan": "/admin/scan/", "scan-choices": "/admin/scan/choices/"}
    return {"home": "/admin/", "live": "/live/", **own, **{label: url(label, "changelist") for label in registered()}}


def test_every_list_runs_a_constant_number_of_queries_and_it_is_checked_in(make_user: Callable[..., User]) -> None:
    make_user("admin")
    client = browser("admin")
    make_rows(18)  # more than a page of what every act writes: a page of many is cut on the key first
    few = {name: count_queries(client, path) for name, path in pages_to_count().items()}
    make_rows(5)
    many = {name: count_queries(client, path) for name, path in pages_to_count().items()}
    assert many == few
    kept = json.loads(COUNTS_FILE.read_text()) if COUNTS_FILE.exists() else {}
    if UPDATE_COUNTS:
        COUNTS_FILE.write_text(json.dumps({**kept, "admin": dict(sorted(many.items()))}, indent=2) + "\n")
    else:
        assert many == kept["admin"]


def test_the_page_of_a_return_runs_as_many_queries_for_many_lines_as_for_one(
    make_user: Callable[..., User], make_product: Callable[..., Product]
) -> None:
    make_user("admin")
    client = browser("admin")
    counts = []
    for lines in (1, 6):
        items = [Item(make_product(f"L{lines}-{number}", stock=2).pk, D(1)) for number in range(lines)]
        order = services.place_order(items, user_id=None, confirm=True)
        services.ship_order(order.id)
        services.return_order(order.id, reason="Chipped")
        page = url("orders.return", "change", Return.objects.get(order_id=order.id).pk)
        count_queries(client, page)
        counts.append(count_queries(client, page))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("label", ["inventory.product", "orders.order", "inventory.stockoperation"])
def test_a_page_with_panels_runs_a_constant_number_of_queries(make_user: Callable[..., User], label: str) -> None:
    make_user("admin")
    client = browser("admin")
    make_rows(1)
    row = registered()[label].model.objects.order_by("pk").first()
    count_queries(client, url(label, "change", row.pk))
    few = count_queries(client, url(label, "change", row.pk))
    product = Product.objects.order_by("pk").first()
    for _ in range(5):
        ledger.adjust(product.pk, quantity=D(3), reason="found")
        services.place_order([Item(product.pk, D(1))], user_id=None, confirm=True)
    assert count_queries(client, url(label, "change", row.pk)) == few


def test_what_requests_were_answered_is_shown_to_nobody_and_the_keys_to_admins_alone(
    shop: None, make_user: Callable[..., User]
) -> None:
    row = IdempotencyKey.objects.create(
        user_id=1, key="k-2", request_hash="x", status=201, body='{"secret":"whsec-1"}', created_at=datetime.now(UTC)
    )
    pages = [url("core.idempotencykey", "changelist"), url("core.idempotencykey", "change", row.pk)]
    answers = {role: [browser(role).get(page) for page in pages] for role in ("admin", "manager", "analyst", "clerk")}
    assert [one.status_code for one in answers.pop("admin")] == [200, 200]
    assert {one.status_code for found in answers.values() for one in found} == {403}
    assert all(b"whsec-1" not in browser("admin").get(page).content for page in pages)


def test_a_page_of_the_admin_notes_who_acts_so_that_they_read_what_they_wrote(world_of_one: Product) -> None:
    client = browser("manager")
    answer: Any = client.get(url("inventory.product", "changelist"))
    assert answer.wsgi_request.actor_id == User.objects.get(username="manager").pk


def test_an_order_is_found_by_the_number_on_its_papers(world_of_one: Product) -> None:
    orders = [placed(world_of_one, 1, confirm=True) for _ in range(2)]
    services.ship_order(orders[0].pk)
    client = browser("clerk")
    for label in ("orders.order", "orders.shipment"):
        for text in (f"ORDER-{orders[0].pk}", f"order {orders[0].pk}", f"#{orders[0].pk}", str(orders[0].pk)):
            page: Any = client.get(url(label, "changelist"), {"q": text})
            assert [getattr(row, "order_id", row.pk) for row in page.context["cl"].result_list] == [orders[0].pk], text


def test_a_unit_is_not_made_coarser_than_the_stock_that_is_counted_in_it(
    world_of_one: Product, make_product: Callable[..., Product], kilogram: UnitOfMeasure
) -> None:
    make_product("Flour", unit="kg", stock="2.5", sku="FLOUR")
    page = url("inventory.unitofmeasure", "change", kilogram.pk)
    form = {"code": "kg", "name": "Kilo", "decimal_places": "0"}
    refused = browser("manager").post(page, form)
    assert "There is stock of FLOUR in parts finer than whole numbers" in refused.content.decode()
    assert UnitOfMeasure.objects.get(pk=kilogram.pk).name == "Kilogram"
    assert browser("manager").post(page, form | {"decimal_places": "1"}).status_code == 302
    assert UnitOfMeasure.objects.get(pk=kilogram.pk).decimal_places == 1


def test_goods_cost_something_in_the_form_too(world_of_one: Product) -> None:
    page = url("inventory.product", "change", world_of_one.pk)
    form = {
        "sku": world_of_one.sku, "name": world_of_one.name, "unit": world_of_one.unit_id, "price": "0",
        "reorder_threshold": "1", "reorder_quantity": "0", "is_stocked": "on",
        "barcodes-TOTAL_FORMS": "0", "barcodes-INITIAL_FORMS": "0",
    }  # fmt: skip
    refused = browser("manager").post(page, form)
    assert "A price must be above zero." in refused.content.decode()
    assert Product.objects.get(pk=world_of_one.pk).price == world_of_one.price


def test_a_list_that_is_cut_says_how_many_more_there_are(
    world_of_one: Product, monkeypatch: pytest.MonkeyPatch, main: Warehouse
) -> None:
    monkeypatch.setattr("inventory.admin.stock.LINES_SHOWN", 2)
    posted = ledger.post([Movement(world_of_one.pk, main.pk, "purchase", Decimal(1)) for _ in range(5)])
    page = browser("clerk").get(url("inventory.stockoperation", "change", posted.operation_id)).content.decode()
    assert "… and 3 more lines, not shown here." in " ".join(page.split())
