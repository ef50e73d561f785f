"""Nobody looks over a wall in the admin: every address that names a row, of every registered model, row by row.

Addresses come from the registry and rows from the tables: a new dialog or a new model is crawled without being listed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from insights.models import DailyDemand, ForecastCurve, ForecastRun, Suggestion, TradingDay
from inventory.models import Product, Warehouse
from inventory.services import catalog
from orders import services as orders
from orders.services import Item
from tests.walled import Shop, build
from workbox.core import context, walls
from workbox.core.models import IdempotencyKey
from workbox.webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db

MODELS = {model._meta.label_lower: model for model in admin.site._registry}
UNKNOWN_ID = 987654321
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path


@pytest.fixture
def shop(make_product: Callable[..., Product], main: Warehouse, make_user: Callable[..., User]) -> Shop:
    """With an order behind the wall that was shipped and came back, and a webhook with a delivery."""
    boss = make_user("admin", "boss")
    found = build(make_product("Lamp", stock=20), main, boss)
    sold = orders.place_order([Item(found.lamp.pk, Decimal(1))], user_id=boss.pk, warehouse_id=found.beta.pk)
    orders.ship_order(sold.id)
    orders.return_order(sold.id, warehouse_id=found.beta.pk, reason="test")
    catalog.set_bins(found.lamp.pk, bins={found.beta.pk: "B-1"})
    IdempotencyKey.objects.create(
        key="x", user_id=boss.pk, request_hash="x", status=200, body="{}", created_at=timezone.now()
    )
    endpoint = Endpoint.objects.create(url="https://example.com/hook", created_by=boss)
    Delivery.objects.create(
        endpoint=endpoint, cursor=0, message_id="x", event_type="order_placed", body="{}", state="failed"
    )
    add_plans(found)
    return found


def add_plans(shop: Shop) -> None:
    """Demand, a forecast and a suggestion of the hidden warehouse."""
    today, lamp, beta = timezone.now().date(), shop.lamp, shop.beta
    DailyDemand.objects.create(product=lamp, warehouse=beta, day=today, in_stock_share=1)
    TradingDay.objects.get_or_create(warehouse=beta, day=today, defaults={"lines": 1})
    run = ForecastRun.objects.create(kind="nightly", start_on=today, model_version="x", started_at=timezone.now())
    numbers = dict.fromkeys(("rate", "uplift", "returns", "model_wape", "moving_average_wape"), 1.0)
    words = {"status": "model", "model": "workbox", "weekdays": [1] * 7, "dispersion": [1] * 3, "is_whole": True}
    ForecastCurve.objects.create(
        run=run, product=lamp, warehouse=beta, place_key=beta.pk, start_on=today, days=40, **numbers, **words
    )
    amounts = dict.fromkeys(
        (
            "quantity", "unit_price", "available", "position", "reorder_point", "safety_stock", "order_up_to",
            "daily_units", "lead_time_days", "margin_at_risk",
        ),
        Decimal(1),
    )  # fmt: skip
    Suggestion.objects.create(
        product=lamp, warehouse=beta, vendor_id=shop.vendor_id, service_level=Decimal("0.9"), order_by=today,
        stockout_probability=Decimal("0.5"), reason="x", created_at=timezone.now(), updated_at=timezone.now(),
        **amounts,
    )  # fmt: skip


def asking(user: User) -> HttpRequest:
    request = HttpRequest()
    request.user = user
    return request


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def bound(shop: Shop, make_user: Callable[..., User]) -> User:
    """An admin, who may do the most, bound to the open warehouse."""
    user = make_user("admin", "bound")
    accounts.bind(User.objects.get(username="boss"), user_id=user.pk, warehouse_ids=[shop.open.pk])
    return user


def hidden_rows(label: str, shop: Shop, bound: User) -> list[int]:
    """Ids that the model's admin shows to who is not bound, and not to who is: one is as good as all."""
    model = MODELS[label]
    shown = admin.site._registry[model]
    every = set(shown.get_queryset(asking(User.objects.get(username="boss"))).values_list("pk", flat=True))
    token = context.warehouses.set(frozenset({shop.open.pk}))
    try:
        inside = set(shown.get_queryset(asking(bound)).values_list("pk", flat=True))
    finally:
        context.warehouses.reset(token)
    return sorted(every - inside)


def is_walled(label: str) -> bool:
    """True when rows of this model may lie behind a wall."""
    shown = admin.site._registry[MODELS[label]]
    own_rule = type(shown).__dict__.get("get_queryset") is not None and label in ("jobs.job", "exchange.import")
    hidden_whole = not getattr(shown, "shown_to_bound", True)
    return bool(getattr(MODELS[label], "wall_columns", ())) or hidden_whole or own_rule


def addresses(label: str) -> list[str]:
    """The names of every address of this model's admin that takes an id."""
    found = admin.site._registry[MODELS[label]].get_urls()
    return sorted({str(one.name) for one in found if one.name and "<" in str(one.pattern)})


def address(label: str, name: str, row: int) -> str:
    """Where that is for this row; of a row's papers the first."""
    papers = getattr(admin.site._registry[MODELS[label]], "papers", {})
    return reverse(f"admin:{name}", args=[row, next(iter(papers))] if name.endswith("_paper") else [row])


WALLED = sorted(filter(is_walled, MODELS))
CRAWLED = [(label, name) for label in WALLED for name in addresses(label)]


class _Fields(HTMLParser):
    """What a page's form would send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name, value = found.get("name") or "", found.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and value and not self.sent.get(self._select):
            self.sent[self._select] = value
        elif tag in ("input", "textarea") and name and name != "csrfmiddlewaretoken":
            self.sent[name] = value or "1"


def filled(page: str) -> dict[str, str]:
    """A body for the dialog on this page: its values, and a 1 where it has none."""
    fields = _Fields()
    fields.feed(page)
    return fields.sent | {"_submit": "1"}


@contextmanager
def nothing_written() -> Iterator[None]:
    """Fails when anything but the session is written."""
    written: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, told: Any) -> Any:
        if sql.lstrip().upper().startswith(WRITES) and "django_session" not in sql:
            written.append(sql)
        return execute(sql, params, many, told)

    with connection.execute_wrapper(watch):
        yield
    assert written == []


def test_a_hidden_row_of_every_walled_model_is_there_to_be_looked_for(shop: Shop, bound: User) -> None:
    assert [label for label in WALLED if not hidden_rows(label, shop, bound)] == []
    assert len(CRAWLED) > 60, "the registry's dialogs are no longer found"


@pytest.mark.parametrize(("label", "name"), CRAWLED, ids=[name for _, name in CRAWLED])
def test_an_address_answers_for_a_hidden_row_as_for_one_there_is_not(
    label: str, name: str, shop: Shop, bound: User
) -> None:
    row = hidden_rows(label, shop, bound)[0]
    client, free = browser_of(bound), browser_of(User.objects.get(username="boss"))
    hidden, nowhere = (address(label, name, number) for number in (row, UNKNOWN_ID))
    seen = free.get(hidden)
    is_page = not seen.streaming and seen.headers["Content-Type"].startswith("text/html")
    body = filled(seen.content.decode()) if is_page else {"_submit": "1"}
    is_action = name.rpartition("_")[2] not in ("change", "history", "delete")
    with nothing_written():
        for method, sent in (("get", {}), ("post", body)):
            answer, nothing = getattr(client, method)(hidden, sent), getattr(client, method)(nowhere, sent)
            assert answer.status_code == nothing.status_code, (method, answer.status_code, nothing.status_code)
            assert answer.headers.get("Location") == nothing.headers.get("Location")
            if method == "post" and name.endswith("_paper"):
                assert answer.status_code == 405
                continue
            # Django's own pages: "doesn't exist", back to the start; 403 where nobody may
            assert answer.status_code in ((404,) if is_action else (302, 403)), (method, answer.content[:500])


def test_who_is_not_bound_gets_every_dialog_of_those_rows(shop: Shop, bound: User) -> None:
    """The control: the crawl above does not pass because the addresses are wrong."""
    free = browser_of(User.objects.get(username="boss"))
    statuses = {}
    for label, name in CRAWLED:
        if name.rpartition("_")[2] in ("delete", "file"):  # nobody deletes; the job has no file yet
            continue
        row = hidden_rows(label, shop, bound)[0]
        statuses[name] = free.get(address(label, name, row)).status_code
    assert {name: status for name, status in statuses.items() if status != 200} == {}


def test_a_dialog_of_a_shared_product_takes_no_place_behind_the_wall(shop: Shop, bound: User) -> None:
    client = browser_of(bound)
    for name, field in (("inventory_product_adjust_stock", "quantity"), ("inventory_product_set_stock", "quantity")):
        path = reverse(f"admin:{name}", args=[shop.lamp.pk])
        page = client.get(path)
        assert (page.status_code, str(shop.beta.pk) in page.content.decode()) == (200, False)
        with nothing_written():
            answer = client.post(path, {field: "3", "warehouse": str(shop.beta.pk), "reason": "test"})
        assert answer.status_code == 200, "the dialog again, with what is wrong"
        assert "HX-Redirect" not in answer.headers


def test_the_walls_of_a_request_are_gone_after_it(shop: Shop, bound: User) -> None:
    browser_of(bound).get(reverse("admin:index"))
    assert walls.own() is None
