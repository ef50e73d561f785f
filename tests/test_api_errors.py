"""One error body everywhere: every route, when the path, the method, the token or the body is wrong."""

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.client import Api
from tests.routes import ROUTES, Route

pytestmark = pytest.mark.django_db

WITH_ID = [route for route in ROUTES if route.has_id]
TAKES_FILES = {"imports"}  # the body is the file itself (CSV, XLSX or a form), so JSON or not is no question
WRITING = [
    (route, method)
    for route in ROUTES
    for method in route.methods
    if method in ("POST", "PUT", "PATCH") and (route.name, method) not in {(name, "POST") for name in TAKES_FILES}
]
CLOSED = [route for route in ROUTES if not route.name.startswith(("health", "auth-"))]
FILE_FAULTS = {b"": "empty_file", b"\x00\x01": "unknown_format", b"PK\x03\x04torn": "torn_file"}


def name_of(value: object) -> str:
    return value.name if isinstance(value, Route) else str(value)


def assert_error(response: HttpResponse, status: int, code: str, kind: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"], body["type"]) == (status, code, kind), body
    assert {"error", "detail", "type", "code", "request_id"} <= body.keys()
    assert body["detail"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("route", WITH_ID, ids=name_of)
def test_an_unknown_id_is_a_404(route: Route, manager: Api) -> None:
    bodies = {
        "user-warehouses": {"warehouse_ids": []},
        "webhook-replay": {"since": 0},
        "vendor-prices": {"product_id": 1, "unit_price": 1},
        "operation-reverse": {"reason": "twice"},
        "import-reverse": {"reason": "twice"},
        "import-mapping": {"mapping": {"sku": "SKU"}},
        "product": {"name": "x"},
        "inventory-item": {"name": "x"},
        "count-lines": {"product_id": 1, "counted_quantity": 1},
    }
    for method in route.methods:
        response = manager(method, route.path(), bodies.get(route.name, {}))
        assert response.status_code == 404, (method, response.content)
        assert {"error", "detail", "type", "code", "request_id"} <= response.json().keys()


@pytest.mark.parametrize("route", CLOSED, ids=name_of)
def test_without_a_token_it_is_a_401_that_says_how(route: Route) -> None:
    for method in route.methods:
        response = Api()(method, route.path(), {})
        assert_error(response, 401, "not_authenticated", "NotAuthenticated")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="workbox"'


@pytest.mark.parametrize(("route", "method"), WRITING, ids=name_of)
def test_a_body_that_is_no_json_object_is_refused(route: Route, method: str, manager: Api) -> None:
    for raw in (b"{", b'{"a": NaN}', b'{"a": 1e400}', b'{"name": "\\ud800"}', b"\xff\xfe"):
        assert_error(manager(method, route.path(), raw), 400, "malformed_json", "Malformed")
    for raw in (b"[]", b"7", b'"text"', b"null"):
        response = manager(method, route.path(), raw)
        assert (response.status_code, response.json()["code"]) == (422, "validation_error"), raw


@pytest.mark.parametrize("name", sorted(TAKES_FILES))
def test_an_upload_that_does_not_say_what_it_is_is_refused_whatever_its_bytes(name: str, manager: Api) -> None:
    for raw in (b"{", b"[]", b"null", b"\xff\xfe", b"sku,name\nA,B\n"):
        response = manager("POST", name, raw)
        assert_error(response, 422, "validation_error", "Invalid")
        assert response.json()["fields"] == {"what": ["this field is required"]}
    for raw in (b"", b"\x00\x01", b"PK\x03\x04torn"):
        assert_error(manager("POST", f"{name}?what=products", raw), 400, FILE_FAULTS[raw], "FileRefused")
    assert manager("GET", name).json()["count"] == 0


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/nothing", "/products/abc", "/api/v1/orders/1/dance", "/orders/%00"]
)
def test_an_unknown_path_is_a_404_in_json(path: str, manager: Api) -> None:
    assert_error(manager("GET", path), 404, "unknown_path", "NotFound")


def test_an_unknown_page_of_the_admin_stays_a_page() -> None:
    response = Client().get("/admin/nothing/at/all/")
    assert "application/json" not in response.headers["Content-Type"]


def test_a_body_beyond_the_limit_is_refused_unread(manager: Api) -> None:
    assert_error(manager("POST", "products", b" " * (2 * 1024 * 1024 + 1)), 400, "too_large", "Malformed")


def test_a_host_we_do_not_serve_is_refused(manager: Api) -> None:
    response = Client().get("/docs", headers={"Host": "evil.example"})
    assert response.status_code == 400


def test_a_fault_of_ours_says_only_its_request_id(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    with monkeypatch.context() as broken:
        # A driver that breaks in a way nobody has a name for.
        broken.setattr("django.db.backends.utils.CursorWrapper.execute", _break)
        response = client.get("/health", headers={"X-Request-ID": "r-1"})
    assert_error(response, 500, "internal_error", "ServerFault")
    assert response.json()["request_id"] == "r-1"
    assert "wire" not in response.content.decode()


def _break(*_: object, **__: object) -> None:
    raise MemoryError("a secret wire")
