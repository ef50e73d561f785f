"""Every writing route with every method has its bad bodies, and each is told exactly what is wrong.

Beside the rows of `test_api_bad_input`; a new route or method without a row fails here. Bodies that are no JSON object
are `test_api_errors`' part, on every route.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.models import User
from insights.models import Alert
from inventory.models import StockOperation, UnitOfMeasure
from tests import test_api_bad_input
from tests.client import Api
from tests.routes import ROUTES, Route
from tests.test_api_bad_input import BAD, NO_PLACE, NO_PRODUCT, NOWHERE, ONE, TORN, P, at, filled, ids
from workbox.core.api import ActionView
from workbox.jobs.models import Job
from workbox.webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db

__all__ = ["ids"]  # the fixture this file's own is built on

LONG = "x" * 501
GONE, ENDED, TAKEN = (404, "not_found"), (409, "illegal_transition"), (400, "already_exists")
BLANK, CHEAP = (400, "blank_name"), (400, "price_not_positive")
ABOVE, WRONG = (403, "role_above_yours"), (401, "invalid_credentials")
HOOK = {"url": "https://example.com/hook", "topics": ["stock"]}
WHO = {"username": "new", "email": "new@example.com", "password": "correct horse battery"}
Row = tuple[str, str, Any, int, str, list[str] | None]

# Method, path, body; the answer's status, code and fields.
ROWS: list[Row] = [
    ("POST", "alerts/alert/resolve", {"note": 7}, *BAD, ["note"]),
    ("POST", "alerts/alert/resolve", {"note": LONG}, *BAD, ["note"]),
    ("POST", "alerts/alert/resolve", {"note": "a\x00"}, *BAD, ["note"]),
    ("POST", "alerts/alert/snooze", {}, *BAD, ["until"]),
    ("POST", "alerts/alert/snooze", {"hours": 0}, *BAD, ["hours"]),
    ("POST", "alerts/alert/snooze", {"hours": "x"}, *BAD, ["hours"]),
    ("POST", "alerts/alert/snooze", {"hours": 2161}, *BAD, ["hours"]),
    ("POST", "alerts/alert/snooze", {"until": "2001-01-01T00:00:00Z"}, *BAD, ["until"]),
    ("POST", "alerts/alert/snooze", {"hours": 1, "until": "2099-01-01T00:00:00Z"}, *BAD, ["until"]),
    ("PUT", "alerts/settings", {"alert_threshold_days": 0}, *BAD, ["alert_threshold_days"]),
    ("PUT", "alerts/settings", {"alert_threshold_days": "x"}, *BAD, ["alert_threshold_days"]),
    ("PUT", "alerts/settings", {"alert_recipient_emails": ["nobody"]}, *BAD, ["alert_recipient_emails"]),
    ("PATCH", "alerts/settings", {"hysteresis_percent": -1}, *BAD, ["hysteresis_percent"]),
    ("PATCH", "alerts/settings", {"low_stock_enabled": "perhaps"}, *BAD, ["low_stock_enabled"]),
    ("POST", "auth/register", {}, *BAD, ["email", "password"]),
    ("POST", "auth/register", {**WHO, "email": "nobody"}, *BAD, ["email"]),
    ("POST", "auth/register", {**WHO, "username": "new\x00"}, *BAD, ["username"]),
    ("POST", "auth/register", {**WHO, "username": "n" * 151}, *BAD, ["username"]),
    ("POST", "auth/register", {**WHO, "username": "manager"}, *TAKEN, ["username"]),
    ("POST", "auth/login", {}, *BAD, ["password"]),
    ("POST", "auth/login", {"username": 7, "password": []}, *BAD, ["password"]),
    ("POST", "auth/login", {"username": "manager", "password": "wrong"}, *WRONG, None),
    ("POST", "auth/login-json", {}, *BAD, ["password"]),
    ("POST", "auth/login-json", {"username": "manager", "password": "wrong"}, *WRONG, None),
    ("POST", "auth/refresh", {}, *BAD, ["refresh_token"]),
    ("POST", "auth/refresh", {"refresh_token": "rubbish"}, 401, "token_invalid", None),
    ("PATCH", "auth/me", {"full_name": "x" * 151}, *BAD, ["full_name"]),
    ("PATCH", "auth/me", {"password": "another long passphrase"}, *BAD, ["old_password"]),
    ("PUT", "categories/category", {"name": ""}, *BLANK, ["name"]),
    ("PUT", "categories/category", {"name": "x" * 101}, *BAD, ["name"]),
    ("PATCH", "categories/category", {"name": 7}, *BAD, ["name"]),
    ("PUT", "units/unit", {"decimal_places": 4}, *BAD, ["decimal_places"]),
    ("PATCH", "units/unit", {"code": ""}, 400, "blank_code", ["code"]),
    ("PATCH", "units/unit", {"name": 7}, *BAD, ["name"]),
    ("POST", "stock-counts/ended_count/close", {}, *ENDED, None),
    ("POST", "stock-counts/ended_count/cancel", {}, *ENDED, None),
    ("POST", "exports", {}, *BAD, ["what"]),
    ("POST", "exports", {"what": "dreams"}, *BAD, ["what"]),
    ("POST", "exports", {"what": "products", "format": "pdf"}, *BAD, ["format"]),
    ("POST", "exports", {"what": "products", "filters": 7}, *BAD, ["filters"]),
    ("POST", "exports", {"what": "products", "bom": "perhaps"}, *BAD, ["bom"]),
    ("POST", "imports", {}, *BAD, ["what"]),
    ("PUT", "imports/I/mapping", {}, *BAD, ["mapping"]),
    ("PUT", "imports/I/mapping", {"mapping": 7}, *BAD, ["mapping"]),
    ("PUT", "imports/I/mapping", {"mapping": {"colour": "sku"}}, *BAD, ["mapping.colour"]),
    ("PUT", "imports/I/mapping", {"mapping": {"sku": "nope"}}, *BAD, ["mapping.sku"]),
    ("POST", "imports/I/apply", {"mode": "some"}, *BAD, ["mode"]),
    ("POST", "imports/I/apply", {"mode": 7}, *BAD, ["mode"]),
    ("POST", "imports/I/reverse", {}, *BAD, ["reason"]),
    ("POST", "imports/I/reverse", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "imports/I/reverse", {"reason": "r"}, 409, "wrong_step", None),
    ("POST", "inventory", {}, *BAD, ["name", "price"]),
    ("POST", "inventory", {"name": "Chair", "price": -1}, *CHEAP, ["price"]),
    ("POST", "inventory", {"name": "Chair", "price": 1, "stock_quantity": -1}, 400, "negative_stock",
     ["stock_quantity"]),
    ("POST", "inventory/bulk-adjust", {}, *BAD, ["items"]),
    ("POST", "inventory/bulk-adjust", {"items": [], "reason": "r"}, *BAD, ["items"]),
    ("POST", "inventory/bulk-adjust", {"items": [{}], "reason": "r"}, *BAD, ["items.0.product_id", "items.0.quantity"]),
    ("POST", "inventory/bulk-adjust", {"items": [ONE]}, *BAD, ["items.0.reason"]),
    ("POST", "inventory/bulk-adjust", {"items": [ONE], "reason": "r", "mode": "some"}, *BAD, ["mode"]),
    ("POST", "inventory/bulk-adjust", {"items": [{**P, "quantity": 0}], "reason": "r"}, *BAD, ["quantity"]),
    ("POST", "inventory/bulk-adjust", {"items": [{**ONE, "product_id": NOWHERE}], "reason": "r"}, *NO_PRODUCT,
     ["product_id"]),
    ("POST", "inventory/bulk-adjust", {"items": [ONE] * 10_001, "reason": "r"}, *BAD, ["items"]),
    ("PUT", "inventory/P", {"price": -1}, *CHEAP, ["price"]),
    ("PATCH", "inventory/P", {"price": "x"}, *BAD, ["price"]),
    ("PATCH", "inventory/P", {"stock_quantity": 5, "compare_quantity": 7}, 412, "precondition_failed", None),
    ("DELETE", "inventory/987654321", None, *NO_PRODUCT, None),
    ("POST", "inventory/operations/operation/reverse", {}, *BAD, ["reason"]),
    ("POST", "inventory/operations/operation/reverse", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "inventory/operations/operation/reverse", {"reason": " "}, *BAD, ["reason"]),
    ("POST", "inventory/operations/operation/reverse", {"reason": LONG}, *BAD, ["reason"]),
    ("POST", "jobs/job/cancel", {}, 409, "job_finished", None),
    ("POST", "orders/O/cancel", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "orders/O/cancel", {"reason": LONG}, *BAD, ["reason"]),
    ("POST", "orders/O/confirm", {}, *ENDED, None),
    ("POST", "orders/O/return", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "orders/create_order", {}, 400, "empty_order", ["items"]),
    ("POST", "orders/create_order", {"items": [{**P, "quantity": 0}]}, 400, "quantity_not_positive",
     ["items.0.quantity"]),
    ("POST", "orders/create_order", {"items": [ONE], "hold_minutes": -1}, *BAD, ["hold_minutes"]),
    ("POST", "orders/plan", {}, 400, "empty_order", ["items"]),
    ("POST", "orders/plan", {"items": 7}, *BAD, ["items"]),
    ("POST", "orders/plan", {"items": [{**ONE, "product_id": NOWHERE}]}, *NO_PRODUCT, ["items"]),
    ("PUT", "products/P", {"price": -1}, *CHEAP, ["price"]),
    ("PUT", "products/P", {"stock_quantity": -1}, 400, "negative_stock", ["stock_quantity"]),
    ("PATCH", "products/P", {"price": "NaN"}, *BAD, ["price"]),
    ("PATCH", "products/P", {"name": "A\x00"}, *BAD, ["name"]),
    ("PATCH", "products/P", {"price": 1, "unit_price": 2}, *TORN, ["unit_price"]),
    ("PATCH", "products/P", {"is_stocked": False}, 409, "stock_held", ["is_stocked"]),
    ("DELETE", "products/987654321", None, *NO_PRODUCT, None),
    ("PUT", "products/P/thresholds", {"thresholds": 7}, *BAD, ["thresholds"]),
    ("PUT", "products/P/thresholds", {"thresholds": [{"warehouse_id": NOWHERE, "reorder_threshold": 1}]}, *NO_PLACE,
     ["thresholds"]),
    ("PUT", "products/P/thresholds", {"thresholds": [{"warehouse_id": "W", "reorder_threshold": -1}]}, *BAD,
     ["thresholds.0.reorder_threshold"]),
    ("PUT", "products/P/thresholds", {"thresholds": [{"warehouse_id": "W", "reorder_threshold": 1}] * 2}, *BAD,
     ["thresholds.1.warehouse_id"]),
    ("PUT", "products/P/bins", {"bins": 7}, *BAD, ["bins"]),
    ("PUT", "products/P/bins", {"bins": [{"warehouse_id": NOWHERE, "bin": "A1"}]}, *NO_PLACE, ["bins"]),
    ("PUT", "products/P/bins", {"bins": [{"warehouse_id": "W", "bin": LONG}]}, *BAD, ["bins.0.bin"]),
    ("POST", "predictions/train", {"product_id": "x"}, *BAD, ["product_id"]),
    ("POST", "predictions/train", {"product_id": "P", "force_retrain": "perhaps"}, *BAD, ["force_retrain"]),
    ("POST", "predictions/train", {"product_id": NOWHERE}, *NO_PRODUCT, None),
    ("DELETE", "predictions/987654321/cache", None, *NO_PRODUCT, None),
    ("POST", "replenishment/orders", {}, *BAD, ["suggestions"]),
    ("POST", "replenishment/orders", {"suggestions": []}, *BAD, ["suggestions"]),
    ("POST", "replenishment/orders", {"suggestions": [{"id": NOWHERE}]}, 404, "suggestion_unknown", ["suggestions"]),
    ("POST", "replenishment/orders", {"suggestions": [{"id": 1, "quantity": -1}]}, *BAD, ["suggestions.0.quantity"]),
    ("PUT", "replenishment/service-levels", {"service_level": 2}, *BAD, ["service_level"]),
    ("PUT", "replenishment/service-levels", {"service_level": "x"}, *BAD, ["service_level"]),
    ("PUT", "replenishment/service-levels", {"review_days": -1}, *BAD, ["review_days"]),
    ("PUT", "replenishment/service-levels", {"cycle_days": 0}, *BAD, ["cycle_days"]),
    ("POST", "products/bulk-price", {}, *BAD, ["items"]),
    ("POST", "products/bulk-price", {"items": []}, *BAD, ["items"]),
    ("POST", "products/bulk-price", {"items": [P]}, *BAD, ["items.0.price"]),
    ("POST", "products/bulk-price", {"items": [{**P, "price": -1}]}, *CHEAP, ["price"]),
    ("POST", "products/bulk-price", {"items": [{"product_id": NOWHERE, "price": 1}]}, *NO_PRODUCT, ["product_id"]),
    ("PUT", "purchase-orders/D", {"items": 7}, *BAD, ["items"]),
    ("PATCH", "purchase-orders/D", {"items": []}, 400, "empty_order", ["items"]),
    ("PATCH", "purchase-orders/D", {"vendor_id": NOWHERE}, *BAD, ["vendor_id"]),
    ("PATCH", "purchase-orders/D", {"expected_on": "soon"}, *BAD, ["expected_on"]),
    ("PATCH", "purchase-orders/B", {"notes": "x"}, *ENDED, None),
    ("POST", "purchase-orders/B/cancel", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "purchase-orders/B/cancel", {"reason": LONG}, *BAD, ["reason"]),
    ("POST", "reports/inventory", {"format": "pdf"}, *BAD, ["format"]),
    ("POST", "reports/movements", {"format": "pdf"}, *BAD, ["format"]),
    ("POST", "reports/movements", {"created_from_date": "soon"}, *BAD, ["created_from_date"]),
    ("POST", "reports/sales", {"format": "pdf"}, *BAD, ["format"]),
    ("POST", "reports/sales", {"created_from_date": "soon"}, *BAD, ["created_from_date"]),
    ("POST", "stock-movements/bulk", {}, *BAD, ["items"]),
    ("POST", "stock-movements/bulk", {"items": [{**ONE, "movement_type": "gift"}]}, *BAD, ["items.0.movement_type"]),
    ("POST", "stock-movements/bulk", {"items": [{**ONE, "movement_type": "transfer_in"}]}, *BAD,
     ["items.0.movement_type"]),
    ("POST", "stock-movements/bulk", {"items": [{**ONE, "movement_type": "purchase", "unit_cost": -1}]}, *BAD,
     ["items.0.unit_cost"]),
    ("POST", "stock-transfers/T/cancel", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "stock-transfers/T/dispatch", {"reason": 7}, *BAD, ["reason"]),
    ("POST", "stock-transfers/ended_transfer/dispatch", {}, *ENDED, None),
    ("POST", "users", {}, *BAD, ["email"]),
    ("POST", "users", {**WHO, "email": "nobody", "role": "boss"}, *BAD, ["email", "role"]),
    ("POST", "users", {**WHO, "role": "admin"}, *ABOVE, None),
    ("POST", "users", {**WHO, "username": "manager"}, *TAKEN, ["username"]),
    ("PUT", "users/clerk", {"role": "boss"}, *BAD, ["role"]),
    ("PATCH", "users/clerk", {"email": "nobody"}, *BAD, ["email"]),
    ("PATCH", "users/clerk", {"is_active": "perhaps"}, *BAD, ["is_active"]),
    ("PATCH", "users/clerk", {"role": "admin"}, *ABOVE, None),
    ("DELETE", "users/987654321", None, *GONE, None),
    ("PUT", "users/clerk/warehouses", {}, *BAD, ["warehouse_ids"]),
    ("PUT", "users/clerk/warehouses", {"warehouse_ids": 7}, *BAD, ["warehouse_ids"]),
    ("PUT", "users/clerk/warehouses", {"warehouse_ids": ["x"]}, *BAD, ["warehouse_ids.0"]),
    ("PUT", "users/clerk/warehouses", {"warehouse_ids": [NOWHERE]}, *BAD, ["warehouse_ids"]),
    ("PUT", "vendors/V", {"name": ""}, *BLANK, ["name"]),
    ("PATCH", "vendors/V", {"contact_email": "nobody"}, *BAD, ["contact_email"]),
    ("PATCH", "vendors/V", {"quoted_lead_time_days": -1}, *BAD, ["quoted_lead_time_days"]),
    ("PATCH", "vendors/V", {"is_active": "perhaps"}, *BAD, ["is_active"]),
    ("DELETE", "vendors/987654321", None, 404, "vendor_not_found", None),
    ("PUT", "warehouses/W", {"name": " "}, *BLANK, ["name"]),
    ("PATCH", "warehouses/W", {"priority": "x"}, *BAD, ["priority"]),
    ("PATCH", "warehouses/W", {"code": "annex"}, 400, "duplicate_code", ["code"]),
    ("PATCH", "warehouses/W", {"is_active": "perhaps"}, *BAD, ["is_active"]),
    ("DELETE", "warehouses/W", None, 409, "warehouse_not_empty", None),
    ("POST", "webhooks", {}, *BAD, ["url", "topics"]),
    ("POST", "webhooks", {**HOOK, "url": "nowhere"}, *BAD, ["url"]),
    ("POST", "webhooks", {**HOOK, "url": "http://127.0.0.1/x"}, *BAD, ["url"]),
    ("POST", "webhooks", {**HOOK, "url": "https://example.com/" + "x" * 500}, *BAD, ["url"]),
    ("POST", "webhooks", {**HOOK, "topics": ["gossip"]}, *BAD, ["topics"]),
    ("PUT", "webhooks/hook", {"url": "nowhere"}, *BAD, ["url"]),
    ("PATCH", "webhooks/hook", {"topics": 7}, *BAD, ["topics"]),
    ("PATCH", "webhooks/hook", {"is_active": "perhaps"}, *BAD, ["is_active"]),
    ("DELETE", "webhooks/987654321", None, *GONE, None),
    ("POST", "webhooks/hook/replay", {}, *BAD, ["since"]),
    ("POST", "webhooks/hook/replay", {"since": -1}, *BAD, ["since"]),
    ("POST", "webhooks/hook/replay", {"since": "x"}, *BAD, ["since"]),
    ("POST", "webhooks/hook/deliveries/987654321/replay", {}, *GONE, None),
    ("DELETE", "barcode/4006381333931", None, 404, "barcode_not_found", None),
]  # fmt: skip
# Routes that read nothing of their body: nothing in it can be wrong but that it is no object.
READS_NO_FIELD = {
    "alert-acknowledge",
    "auth-logout",  # an ended or torn token is logged out already
    "product-restore",
    "vendor-restore",
    "webhook-rotate",
    "webhook-test",
}
OTHER_ROWS: list[Row] = [
    ("POST", *row)
    for mark in test_api_bad_input.test_a_wrong_body_is_told_exactly_what_is_wrong.pytestmark  # type: ignore[attr-defined]  # of the library's or the test's own object
    if mark.name == "parametrize"
    for row in mark.args[1]
]


def route_of(path: str) -> Route:
    """The route that takes this row's path."""
    plain = re.sub(r"(?<=/)[A-Za-z_]+(?=/|$)", lambda part: "1" if part[0] in NUMBERED else part[0], path)
    return next(route for route in ROUTES if re.match(route.regex, plain))


NUMBERED = {
    *"IPOWVDBXTC", "alert", "hook", "delivery", "job", "clerk", "category", "unit", "operation", "ended_count",
    "ended_transfer",
}  # fmt: skip


def asked() -> dict[tuple[str, str], list[Row]]:
    """The rows of each route and method; the verbs on one thing answer to three methods alike."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in ROWS + OTHER_ROWS:
        route = route_of(row[1])
        for method in route.methods if issubclass(route.view, ActionView) else (row[0],):
            found.setdefault((route.name, method), []).append(row)
    return found


ASKED = asked()
WRITING = {(route.name, method) for route in ROUTES for method in route.methods if method != "GET"}


@pytest.fixture
def all_ids(ids: dict[str, int], manager: Api, make_user: Callable[..., User]) -> dict[str, int]:
    """What the other rows name, and an alert, a webhook with a delivery, a done job, an account, ended documents."""
    now = timezone.now()
    hook = Endpoint.objects.create(url="https://example.com/hook")
    alert = Alert.objects.create(
        alert_type="unusual_activity", severity="medium", product_id=ids["P"], subject="x", open_key="x",
        title="t", message="m", current_quantity=1, threshold=1, raised_at=now, last_seen_at=now,
    )  # fmt: skip
    delivery = Delivery.objects.create(
        endpoint=hook, cursor=0, message_id="x", event_type="x", body="{}", state="failed"
    )
    count = manager("POST", "stock-counts", {"warehouse_id": ids["X"]}).json()["id"]
    manager("POST", f"stock-counts/{count}/cancel", {})
    way = {"from_warehouse_id": ids["W"], "to_warehouse_id": ids["X"]}
    transfer = manager("POST", "stock-transfers", {"product_id": ids["P"], "quantity": 1, **way}).json()["id"]
    manager("POST", f"stock-transfers/{transfer}/cancel", {})
    return ids | {
        "alert": alert.pk,
        "hook": hook.pk,
        "delivery": delivery.pk,
        "job": Job.objects.create(kind="export", state="done", finished_at=now).pk,
        "clerk": make_user("clerk").pk,
        "category": manager("POST", "categories", {"name": "Tools"}).json()["id"],
        "unit": UnitOfMeasure.objects.get(code="piece").pk,
        "operation": StockOperation.objects.values_list("pk", flat=True)[0],
        "ended_count": count,
        "ended_transfer": transfer,
    }


WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")
# Who came and failed is written down; the server's own bookkeeping is no effect of the body.
BOOKKEEPING = ("axes_", "accounts_activitylog", "core_idempotencykey")


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Fails when something was written that is not rolled back: refused bodies leave no trace."""
    written: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, told: Any) -> Any:
        words = sql.lstrip().upper()
        if words.startswith("ROLLBACK"):
            written.clear()
        elif words.startswith(WRITES) and not any(name in sql for name in BOOKKEEPING):
            written.append(sql)
        return execute(sql, params, many, told)

    with connection.execute_wrapper(watch):
        yield
    assert written == []


def test_every_writing_route_and_method_has_its_bad_bodies() -> None:
    without = {(name, method) for name, method in WRITING - set(ASKED) if name not in READS_NO_FIELD}
    assert without == set(), "add rows to ROWS"
    assert {name for name, _ in ASKED} & READS_NO_FIELD == set()


def test_routes_that_read_no_field_document_none() -> None:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    by_name = {route.name: route for route in ROUTES}
    for name in READS_NO_FIELD - {"auth-logout"}:
        path = next(path for path in paths if re.match(by_name[name].regex, re.sub(r"{\w+}", "1", path[8:])))
        content = paths[path]["post"].get("requestBody", {}).get("content", {}).get("application/json", {})
        assert not content.get("schema", {}).get("properties"), name
        assert "$ref" not in content.get("schema", {}), name


@pytest.mark.parametrize(("name", "method"), sorted(ASKED), ids=[f"{method} {name}" for name, method in sorted(ASKED)])
def test_a_bad_body_is_told_exactly_what_is_wrong_and_writes_nothing(
    name: str, method: str, all_ids: dict[str, int], manager: Api
) -> None:
    for _, path, body, status, code, fields in ASKED[name, method]:
        with nothing_kept():
            response = manager(method, at(path, all_ids), None if body is None else filled(body, all_ids))
        answer = response.json()
        assert (response.status_code, answer["code"]) == (status, code), (path, body, answer)
        assert fields is None or set(answer["fields"]) == set(fields), (path, body, answer)
        assert answer["detail"], (path, body)
