"""Who may do what: every route × method × role as rows; a route or method without a row fails."""

from collections.abc import Callable

import pytest

from accounts.models import User
from tests.client import Api
from tests.routes import BY_NAME, METHODS, ROUTES

pytestmark = pytest.mark.django_db

ROLES = ("user", "clerk", "manager", "analyst", "admin")
EVERYBODY = frozenset({"anonymous", *ROLES})
LOGGED_IN = frozenset(ROLES)
MANAGERS = frozenset({"manager", "admin"})
SHOP = MANAGERS | {"clerk"}
READERS = MANAGERS | {"analyst"}
STAFF = SHOP | {"analyst"}
BUYERS = LOGGED_IN - {"analyst"}

_ACTION = ("POST", "PUT", "PATCH")
# route → method → who may. An analyst reads everything and changes nothing.
ROWS: dict[str, dict[str, frozenset[str]]] = {
    "auth-register": {"POST": EVERYBODY},
    "auth-login": {"POST": EVERYBODY},
    "auth-login-json": {"POST": EVERYBODY},
    "auth-refresh": {"POST": EVERYBODY},
    "auth-logout": {"POST": LOGGED_IN},
    "auth-me": {"GET": LOGGED_IN, "PATCH": LOGGED_IN},
    "users": {"GET": READERS, "POST": MANAGERS},
    "user": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS, "DELETE": MANAGERS},
    "user-warehouses": {"GET": READERS, "PUT": MANAGERS},
    "health": {"GET": EVERYBODY},
    "health-live": {"GET": EVERYBODY},
    "health-ready": {"GET": EVERYBODY},
    "metrics": {"GET": READERS},
    "events": {"GET": LOGGED_IN},
    "products": {"GET": LOGGED_IN, "POST": MANAGERS},
    "product": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS, "DELETE": MANAGERS},
    "product-bins": {"GET": LOGGED_IN, "PUT": SHOP},
    "product-thresholds": {"GET": LOGGED_IN, "PUT": MANAGERS},
    "product-restore": dict.fromkeys(_ACTION, MANAGERS),
    "inventory": {"GET": LOGGED_IN, "POST": MANAGERS},
    "inventory-item": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS, "DELETE": MANAGERS},
    "inventory-adjust": {"POST": SHOP},
    "inventory-bulk-adjust": {"POST": SHOP},
    "stock-movements-bulk": {"POST": SHOP},
    "products-bulk-price": {"POST": MANAGERS},
    "inventory-low-stock": {"GET": LOGGED_IN},
    "inventory-valuation": {"GET": STAFF},
    "inventory-movements": {"GET": STAFF},
    "inventory-history": {"GET": STAFF},
    "inventory-changes": {"GET": STAFF},
    "operation-reverse": dict.fromkeys(_ACTION, SHOP),
    "stock-movements": {"GET": STAFF, "POST": SHOP},
    "stock-movement": {"GET": STAFF},
    "stock-operations": {"GET": STAFF},
    "stock-operation": {"GET": STAFF},
    "stock-transfers": {"GET": STAFF, "POST": SHOP},
    "stock-transfer": {"GET": STAFF},
    "transfer-dispatch": dict.fromkeys(_ACTION, SHOP),
    "transfer-complete": dict.fromkeys(_ACTION, SHOP),
    "transfer-cancel": dict.fromkeys(_ACTION, SHOP),
    "stock-counts": {"GET": STAFF, "POST": SHOP},
    "stock-count": {"GET": STAFF},
    "count-lines": {"POST": SHOP},
    "count-variances": {"GET": STAFF},
    "count-close": dict.fromkeys(_ACTION, SHOP),
    "count-cancel": dict.fromkeys(_ACTION, SHOP),
    "barcode-scan": {"POST": LOGGED_IN},
    "barcode-lookup": {"GET": LOGGED_IN},
    "barcode-link": {"POST": SHOP},
    "barcode": {"DELETE": SHOP},
    "product-barcodes": {"GET": LOGGED_IN},
    "warehouses": {"GET": LOGGED_IN, "POST": MANAGERS},
    "warehouse": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS, "DELETE": MANAGERS},
    "categories": {"GET": LOGGED_IN, "POST": MANAGERS},
    "category": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS},
    "units": {"GET": LOGGED_IN, "POST": MANAGERS},
    "unit": {"GET": LOGGED_IN, "PUT": MANAGERS, "PATCH": MANAGERS},
    "orders": {"GET": LOGGED_IN, "POST": BUYERS},
    "orders-create-pending": {"POST": BUYERS},
    "orders-plan": {"POST": LOGGED_IN},
    "order": {"GET": LOGGED_IN},
    "order-confirm": dict.fromkeys(_ACTION, BUYERS),
    "order-cancel": dict.fromkeys(_ACTION, BUYERS),
    "order-ship": dict.fromkeys(_ACTION, SHOP),
    "order-deliver": dict.fromkeys(_ACTION, SHOP),
    "order-return": dict.fromkeys(_ACTION, SHOP),
    "order-timeline": {"GET": LOGGED_IN},
    "sales": {"GET": STAFF, "POST": SHOP},
    "webhooks": {"GET": MANAGERS, "POST": MANAGERS},
    "webhook": dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), MANAGERS),
    "webhook-rotate": dict.fromkeys(_ACTION, MANAGERS),
    "webhook-test": dict.fromkeys(_ACTION, MANAGERS),
    "webhook-replay": dict.fromkeys(_ACTION, MANAGERS),
    "webhook-deliveries": {"GET": MANAGERS},
    "webhook-again": dict.fromkeys(_ACTION, MANAGERS),
    "sales-analytics": {"GET": STAFF},
    "sales-comparison": {"GET": STAFF},
    "sales-by-category": {"GET": STAFF},
    "analytics-snapshot": {"GET": STAFF},
    "availability-explain": {"GET": STAFF},
    "insights-trends": {"GET": STAFF},
    "insights-categories": {"GET": STAFF},
    "insights-stock": {"GET": STAFF},
    "insights-turnover": {"GET": STAFF},
    "insights-ageing": {"GET": STAFF},
    "insights-abc": {"GET": STAFF},
    "insights-dead-stock": {"GET": STAFF},
    "insights-patterns": {"GET": STAFF},
    "alerts": {"GET": STAFF},
    "alert": {"GET": STAFF},
    "alert-settings": {"GET": STAFF, "PUT": MANAGERS, "PATCH": MANAGERS},
    "alert-acknowledge": dict.fromkeys(_ACTION, SHOP),
    "alert-resolve": dict.fromkeys(_ACTION, SHOP),
    "alert-snooze": dict.fromkeys(_ACTION, SHOP),
    "predictions-batch": {"GET": STAFF},
    "predictions-quality": {"GET": STAFF},
    "predictions-train": {"POST": MANAGERS},
    "prediction": {"GET": STAFF},
    "prediction-summary": {"GET": STAFF},
    "prediction-cache": {"DELETE": MANAGERS},
    "replenishment": {"GET": STAFF},
    "replenishment-orders": {"POST": MANAGERS},
    "replenishment-levels": {"GET": STAFF, "PUT": MANAGERS},
    "vendors": {"GET": STAFF, "POST": MANAGERS},
    "vendor": {"GET": STAFF, "PUT": MANAGERS, "PATCH": MANAGERS, "DELETE": MANAGERS},
    "vendor-restore": dict.fromkeys(_ACTION, MANAGERS),
    "vendor-prices": {"GET": STAFF, "POST": MANAGERS},
    "vendor-lead-times": {"GET": STAFF},
    "product-vendors": {"GET": STAFF},
    "purchase-orders": {"GET": STAFF, "POST": MANAGERS},
    "purchase-order": {"GET": STAFF, "PUT": MANAGERS, "PATCH": MANAGERS},
    "purchase-order-send": dict.fromkeys(_ACTION, MANAGERS),
    "purchase-order-receive": dict.fromkeys(_ACTION, SHOP),
    "purchase-order-cancel": dict.fromkeys(_ACTION, MANAGERS),
    "purchase-order-close": dict.fromkeys(_ACTION, MANAGERS),
    "purchase-order-receipts": {"GET": STAFF},
    "jobs": {"GET": READERS},
    "job": {"GET": READERS},
    "job-cancel": dict.fromkeys(_ACTION, READERS),
    "job-file": {"GET": READERS},
    "exports": {"POST": READERS},
    "export-direct": {"GET": READERS},
    "report-inventory": {"POST": READERS},
    "report-sales": {"POST": READERS},
    "report-movements": {"POST": READERS},
    "imports": {"GET": MANAGERS, "POST": MANAGERS},
    "import": {"GET": MANAGERS},
    "import-mapping": {"PUT": MANAGERS},
    "import-preview": {"GET": MANAGERS},
    "import-apply": dict.fromkeys(_ACTION, MANAGERS),
    "import-reverse": dict.fromkeys(_ACTION, MANAGERS),
}


def test_every_route_and_method_has_a_row() -> None:
    assert {route.name: set(route.methods) for route in ROUTES} == {name: set(row) for name, row in ROWS.items()}


@pytest.fixture
def askers(make_user: Callable[..., User], client_of: Callable[[User], Api]) -> dict[str, Api]:
    """A client per role, one without a token, and one whose account was switched off."""
    found = {role: client_of(make_user(role)) for role in ROLES}
    found["inactive"] = client_of(make_user("admin", "inactive"))
    User.objects.filter(username="inactive").update(is_active=False)
    return found | {"anonymous": Api()}


@pytest.mark.parametrize(("name", "method"), [(name, method) for name, row in ROWS.items() for method in row])
def test_only_the_roles_of_the_row_get_through(name: str, method: str, askers: dict[str, Api]) -> None:
    row = ROWS[name][method]
    refused = {}
    for who, api in askers.items():
        if name == "auth-logout" and who == "inactive":
            continue  # its own test: an expired login may still be ended
        status = api(method, BY_NAME[name].path(), {} if method != "GET" else None).status_code
        refused[who] = status if status in (401, 403) else None
    expected = {who: None if who in row else 403 for who in ROLES}
    expected["anonymous"] = None if "anonymous" in row else 401
    if "inactive" in refused:
        expected["inactive"] = None if "anonymous" in row else 401
    assert refused == expected


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_method_without_a_row_is_refused(name: str, manager: Api) -> None:
    for method in set(METHODS) - set(ROWS[name]):
        response = manager(method, BY_NAME[name].path(), {})
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed"), method
