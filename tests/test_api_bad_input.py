"""What clients send wrong: exact answers to what people get wrong, and nothing above 499 for what attackers try."""

from collections.abc import Callable
from typing import Any

import pytest

from inventory.models import Product, Warehouse
from tests.client import Api
from workbox.core.schema import ERRORS
from workbox.exchange.models import Import

pytestmark = pytest.mark.django_db

DOCUMENTED = {200, 201, 202, 204, 304, *map(int, ERRORS)}
# What a JSON value can be when it is not what was asked for; bytes are sent as they are.
NASTY: tuple[bytes, ...] = (
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1e400",
    b"1e308",
    b"-1e308",
    b"NaN",
    b"1e-30",
    b'"\\u0000"',
    b'"\\ud800"',
    b'"NaN"',
    b'"Infinity"',
    b'"1_000"',
    b'"' + b"x" * 1_000_000 + b'"',
    b"1" * 5000,
    b"[]",
    b"[[]]",
    b"{}",
    b"[{}]",
    b'[{"product_id": 1e400}]',
    b"true",
    b"null",
    b"-1",
    b"0",
    b'""',
    b'"  "',
    b"[" * 3000 + b"]" * 3000,
)
NOWHERE = 987654321
BAD, TORN = (422, "validation_error"), (422, "aliases_disagree")
NO_PRODUCT, NO_PLACE = (404, "product_not_found"), (404, "warehouse_not_found")
P: dict[str, Any] = {"product_id": "P"}
ONE = P | {"quantity": 1}
WAY = {"from_warehouse_id": "W", "to_warehouse_id": "X"}
FIELDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "POST",
        "products",
        {
            "name": "N",
            "price": 1,
            "sku": "S",
            "description": "",
            "category": "c",
            "unit_of_measure": "piece",
            "unit_cost": 1,
            "reorder_threshold": 1,
            "reorder_quantity": 1,
            "is_stocked": True,
            "stock_quantity": 1,
            "warehouse_id": "W",
            "on_hand": None,
        },
    ),
    (
        "PUT",
        "products/P",
        {
            "name": "N",
            "price": 1,
            "sku": "S2",
            "category": "c",
            "unit_of_measure": "piece",
            "is_active": True,
            "stock_quantity": 5,
            "compare_quantity": None,
            "warehouse_id": "W",
            "reason": "r",
        },
    ),
    (
        "POST",
        "inventory/adjust",
        {"product_id": "P", "quantity": 1, "reason": "r", "warehouse_id": "W", "reference_number": "x"},
    ),
    (
        "POST",
        "stock-movements",
        {
            "product_id": "P",
            "quantity": 1,
            "movement_type": "purchase",
            "warehouse_id": "W",
            "unit_cost": 1,
            "notes": "n",
        },
    ),
    (
        "POST",
        "inventory/bulk-adjust",
        {"items": [{"product_id": "P", "quantity": 1}], "mode": "each", "reason": "r", "reference_number": "x"},
    ),
    (
        "POST",
        "stock-movements/bulk",
        {"items": [{"product_id": "P", "quantity": 1, "movement_type": "purchase"}], "mode": "each"},
    ),
    ("POST", "products/bulk-price", {"items": [{"product_id": "P", "price": 2}], "mode": "each"}),
    (
        "POST",
        "orders",
        {
            "items": [{"product_id": "P", "quantity": 1}],
            "confirm": False,
            "warehouse_id": "W",
            "user_id": None,
            "notes": "n",
        },
    ),
    ("POST", "orders/O/ship", {"items": None, "warehouse_id": "W"}),
    ("POST", "orders/O/return", {"items": None, "warehouse_id": "W", "reason": "r"}),
    ("POST", "orders/O/cancel", {"reason": "r"}),
    (
        "POST",
        "sales",
        {"product_id": "P", "quantity": 1, "sale_date": "2024-01-01", "user_id": None, "warehouse_id": "W"},
    ),
    (
        "POST",
        "stock-transfers",
        {
            "product_id": "P",
            "from_warehouse_id": "W",
            "to_warehouse_id": "X",
            "quantity": 1,
            "transfer_reference": "t",
            "notes": "n",
            "items": None,
            "sku": None,
            "barcode": None,
        },
    ),
    ("POST", "stock-transfers/T/complete", {"items": [{"product_id": "P", "received": 1}], "reason": "r"}),
    ("POST", "stock-transfers/T/cancel", {"reason": "r"}),
    ("POST", "stock-counts", {"warehouse_id": "W", "is_blind": False, "notes": "n"}),
    (
        "POST",
        "stock-counts/C/lines",
        {"product_id": "P", "counted_quantity": 1, "counted_at": "2024-01-01", "mode": "add", "lines": None},
    ),
    ("POST", "barcode/scan", {"barcode": "b"}),
    ("POST", "barcode/link", {"barcode": "b", "product_id": "P", "pack_quantity": 1}),
    ("POST", "warehouses", {"name": "n", "code": "c", "address": "", "priority": 1, "is_sellable": True}),
    ("PATCH", "warehouses/W", {"name": "n", "code": "c", "priority": 1, "is_sellable": True, "is_active": True}),
    ("POST", "categories", {"name": "n", "description": "d"}),
    ("POST", "units", {"code": "c", "name": "n", "decimal_places": 0}),
    (
        "POST",
        "vendors",
        {"name": "n", "contact_email": "v@example.com", "address": "a", "quoted_lead_time_days": 3, "notes": "n"},
    ),
    ("PATCH", "vendors/V", {"name": "n", "quoted_lead_time_days": 3, "is_active": True}),
    (
        "POST",
        "vendors/V/prices",
        {
            "product_id": "P",
            "unit_price": 1,
            "lead_time_days": 1,
            "minimum_order_quantity": 1,
            "pack_quantity": 1,
            "shipping_cost": 1,
            "shipping_basis": "unit",
            "price_breaks": [{"from_quantity": 2, "unit_price": 1}],
        },
    ),
    (
        "POST",
        "purchase-orders",
        {
            "vendor_id": "V",
            "items": [{"product_id": "P", "quantity": 1, "unit_cost": 1}],
            "warehouse_id": "W",
            "expected_on": "2030-01-01",
            "notes": "n",
            "reference": "r",
        },
    ),
    ("PATCH", "purchase-orders/D", {"items": None, "warehouse_id": "W", "expected_on": "2030-01-01", "vendor_id": "V"}),
    ("POST", "purchase-orders/B/receive", {"items": None}),
    ("POST", "purchase-orders/B/cancel", {"reason": "r"}),
    ("POST", "alerts/1/resolve", {"note": "n"}),
    ("POST", "alerts/1/snooze", {"hours": 1, "until": None}),
    (
        "PUT",
        "alerts/settings",
        {
            "alert_threshold_days": 14,
            "low_stock_enabled": True,
            "email_notifications_enabled": False,
            "alert_recipient_emails": ["a@example.com"],
            "hysteresis_percent": 10,
        },
    ),
    ("POST", "predictions/train", {"product_id": "P", "force_retrain": True}),
    ("POST", "replenishment/orders", {"suggestions": [{"id": 1, "quantity": 2, "vendor_id": "V"}]}),
    (
        "PUT",
        "replenishment/service-levels",
        {"service_level": 0.9, "product_id": None, "category": None, "review_days": 1, "cycle_days": 7},
    ),
    ("POST", "exports", {"what": "products", "format": "csv", "bom": True, "filters": None, "search": "x"}),
    ("POST", "reports/sales", {"format": "csv", "product_id": "P", "created_from_date": "2024-01-01"}),
    ("POST", "imports/I/apply", {"mode": "valid_only"}),
    ("POST", "imports/I/reverse", {"reason": "r"}),
    ("PUT", "imports/I/mapping", {"mapping": {"sku": "sku"}}),
    ("POST", "users", {"username": "u", "email": "u@example.com", "password": "a-long-passphrase", "role": "user"}),
)
LISTS = (
    (
        "products",
        (
            "page",
            "page_size",
            "skip",
            "limit",
            "search",
            "category",
            "sort_by",
            "ordering",
            "is_active",
            "include_inactive",
            "low_stock",
            "created_from_date",
            "created_to_date",
        ),
    ),
    (
        "stock-movements",
        (
            "page",
            "product_id",
            "warehouse_id",
            "movement_type",
            "reference",
            "search",
            "cursor",
            "created_from_date",
            "created_to_date",
            "sort_by",
            "ordering",
            "start_date",
        ),
    ),
    ("orders", ("page", "status", "user_id", "customer", "search", "sort_by", "ordering", "created_from_date")),
    ("sales", ("product_id", "start_date", "end_date", "page")),
    ("sales/analytics", ("product_id", "category", "start_date", "end_date")),
    ("sales/revenue/comparison", ("period",)),
    ("sales/by-category", ("start_date", "end_date")),
    ("insights/sales-trends", ("days",)),
    ("insights/stock-management", ("page", "category", "status")),
    ("insights/turnover", ("page", "category", "group", "start_date", "end_date")),
    ("insights/ageing", ("page", "category")),
    ("insights/abc", ("page", "start_date", "end_date")),
    ("insights/dead-stock", ("page", "days", "category")),
    ("insights/movement-patterns", ("product_id", "start_date", "end_date")),
    ("alerts", ("page", "status", "alert_type", "severity", "product_id", "warehouse_id", "since")),
    ("events", ("since", "cursor", "limit", "topics")),
    ("predictions/P", ("forecast_days", "use_cache", "allow_provisional", "warehouse_id")),
    ("predictions/batch", ("page", "limit", "product_ids", "min_confidence", "forecast_days", "warehouse_id")),
    ("predictions/P/data-summary", ("warehouse_id",)),
    ("replenishment", ("page", "vendor_id", "warehouse_id", "product_id", "category", "search", "sort_by", "ordering")),
    (
        "stock-transfers",
        (
            "page",
            "status",
            "product_id",
            "from_warehouse_id",
            "to_warehouse_id",
            "search",
            "ordering",
            "created_to_date",
        ),
    ),
    ("stock-counts", ("page", "status", "warehouse_id", "product_id", "search", "ordering", "created_from_date")),
    ("warehouses", ("is_sellable", "include_inactive", "page")),
    ("categories", ("search", "page")),
    ("users", ("page", "search", "role", "is_active", "ordering")),
    ("vendors", ("search", "include_inactive", "ordering", "page")),
    ("jobs", ("state", "kind", "page")),
    ("imports", ("what", "state", "page")),
    ("imports/I/preview", ("status", "page")),
    ("exports/products.csv", ("bom", "search", "category", "low_stock", "created_from_date")),
    ("exports/orders.csv", ("status", "user_id", "customer")),
    ("exports/movements.csv", ("product_id", "warehouse_id", "movement_type", "created_to_date")),
    (
        "purchase-orders",
        ("vendor_id", "status", "product_id", "warehouse_id", "search", "ordering", "created_from_date", "page"),
    ),
)
NASTY_QUERY = (
    "9223372036854775808", "100000000000000000000", "-1", "0", "1e400", "NaN", "%00", "%ff%fe", "%ED%A0%80",
    "%F0%9F%92%A9", "'%22;--", "true", "[]", "x" * 5000, "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00",
    "2024-02-30", "%25_%5C",
    "١٢", "²",
)  # fmt: skip


@pytest.fixture
def ids(make_product: Callable[..., Product], manager: Api, main: Warehouse) -> dict[str, int]:
    """A product, an order on it, a warehouse, a vendor, a draft to it and a bought order, under the tables' letters."""
    lamp = make_product("Lamp", stock=100)
    made = manager("POST", "orders", {"items": [{"product_id": lamp.pk, "quantity": 50}]}).json()
    vendor = manager("POST", "vendors", {"name": "Northwind Mill"}).json()["id"]
    bought = {"vendor_id": vendor, "items": [{"product_id": lamp.pk, "quantity": 10, "unit_cost": 2}]}
    draft, order = (manager("POST", "purchase-orders", bought).json()["id"] for _ in range(2))
    manager("POST", f"purchase-orders/{order}/send")
    annex = Warehouse.objects.create(name="Annex", code="ANNEX", priority=2)
    places = {"from_warehouse_id": main.pk, "to_warehouse_id": annex.pk}
    moved = manager("POST", "stock-transfers", {"product_id": lamp.pk, "quantity": 10, **places}).json()
    counted = manager("POST", "stock-counts", {"warehouse_id": main.pk}).json()
    brought = Import.objects.create(what="products", format="csv", columns=["sku"], state="ready")
    own = {"I": brought.pk, "P": lamp.pk, "O": made["id"], "W": main.pk, "V": vendor, "D": draft, "B": order}
    return own | {"X": annex.pk, "T": moved["id"], "C": counted["id"]}


def filled(value: Any, ids: dict[str, int]) -> Any:
    """`value` with the letters replaced by ids."""
    if isinstance(value, dict):
        return {name: filled(one, ids) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [filled(one, ids) for one in value]
    return ids.get(value, value) if isinstance(value, str) else value


def at(path: str, ids: dict[str, int]) -> str:
    return "/".join(str(ids.get(part, part)) for part in path.split("/"))


@pytest.mark.parametrize(("method", "path", "body"), FIELDS, ids=[f"{method} {path}" for method, path, _ in FIELDS])
def test_no_value_in_any_field_breaks_the_server(
    method: str, path: str, body: dict[str, Any], ids: dict[str, int], manager: Api
) -> None:
    answers = {}
    for name in body:
        kept = {key: value for key, value in filled(body, ids).items() if key != name}
        rest = b"".join(b'"%s":%s,' % (key.encode(), _json(value)) for key, value in kept.items())
        for value in NASTY:
            response = manager(method, at(path, ids), b'{%s"%s":%s}' % (rest, name.encode(), value))
            answers[name, value[:20]] = response.status_code
    assert {key: status for key, status in answers.items() if status not in DOCUMENTED} == {}


def _json(value: Any) -> bytes:
    return b"true" if value is True else b"false" if value is False else repr(value).replace("'", '"').encode()


@pytest.mark.parametrize(("path", "names"), LISTS, ids=[path for path, _ in LISTS])
def test_no_value_in_any_query_breaks_the_server(
    path: str, names: tuple[str, ...], ids: dict[str, int], manager: Api
) -> None:
    answers = {
        (name, value): manager("GET", f"{path}?{name}={value}").status_code for name in names for value in NASTY_QUERY
    }
    assert {key: status for key, status in answers.items() if status not in DOCUMENTED} == {}


@pytest.mark.parametrize("number", ["987654321987654321", "0", "000000000000000000"])
def test_no_id_in_a_path_breaks_the_server(number: str, manager: Api) -> None:
    paths = (
        "products", "orders", "stock-movements", "stock-operations", "warehouses", "categories", "units", "users",
        "vendors", "purchase-orders",
    )  # fmt: skip
    assert {path: manager("GET", f"{path}/{number}").status_code for path in paths} == dict.fromkeys(paths, 404)
    assert manager("GET", "products/" + "9" * 19).json()["code"] == "unknown_path"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("products?sort_by=colour_asc", "sort_by"),
        ("products?ordering=colour", "ordering"),
        ("products?is_active=maybe", "is_active"),
        ("products?low_stock=2", "low_stock"),
        ("products?created_from_date=yesterday", "created_from_date"),
        ("products?created_to_date=2024-02-30", "created_to_date"),
        ("products?page=0", "page"),
        ("products?page=x", "page"),
        ("products?page_size=101", "page_size"),
        ("products?limit=0", "limit"),
        ("products?skip=-1", "skip"),
        ("products?skip=100000000000000000000", "skip"),
        ("inventory/movements?movement_type=gift", "movement_type"),
        ("inventory/movements?product_id=x", "product_id"),
        ("inventory/movements?cursor=x", "cursor"),
        ("orders?status=lost", "status"),
        ("orders?user_id=me", "user_id"),
        ("sales?start_date=x", "start_date"),
        ("events?topics=gossip", "topics"),
        ("events?since=-1", "since"),
        ("events?limit=501", "limit"),
        ("users?role=boss", "role"),
        ("alerts?status=open", "status"),
        ("alerts?severity=mild", "severity"),
        ("predictions/batch?min_confidence=2", "min_confidence"),
        ("replenishment?ordering=colour", "ordering"),
        ("vendors?include_inactive=maybe", "include_inactive"),
        ("vendors?ordering=colour", "ordering"),
        ("purchase-orders?status=lost", "status"),
        ("purchase-orders?vendor_id=x", "vendor_id"),
        ("stock-transfers?status=lost", "status"),
        ("stock-transfers?from_warehouse_id=x", "from_warehouse_id"),
        ("stock-counts?status=lost", "status"),
        ("stock-counts?ordering=colour", "ordering"),
    ],
)
def test_an_unknown_value_in_a_query_is_a_422_that_names_the_parameter(query: str, field: str, manager: Api) -> None:
    response = manager("GET", query)
    assert (response.status_code, response.json()["code"]) == (422, "validation_error")
    assert list(response.json()["fields"]) == [field]


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "fields"),
    [
        ("products", {}, *BAD, ["name", "price"]),
        ("products", {"name": 7, "price": "x", "stock_quantity": []}, *BAD, ["name", "price", "stock_quantity"]),
        ("products", {"name": "A", "price": 1, "unit_price": 2}, *TORN, ["unit_price"]),
        ("products", {"name": "A", "price": 1, "quantity": 1, "current_stock": 2}, *TORN, ["quantity"]),
        ("products", {"name": "A", "price": 1.00001}, *BAD, ["price"]),
        ("products", {"name": "A", "price": 10**9 + 1}, *BAD, ["price"]),
        ("products", {"name": "A", "price": 1, "stock_quantity": 0.5}, *BAD, ["quantity"]),
        ("products", {"name": "A", "price": 1, "stock_quantity": 1, "on_hand": 1}, *BAD, ["on_hand"]),
        ("products", {"name": "A", "price": 1, "unit_of_measure": "furlong"}, *BAD, ["unit_of_measure"]),
        ("products", {"name": "A", "price": 1, "reorder_threshold": -1}, *BAD, ["reorder_threshold"]),
        ("products", {"name": "A", "price": 1, "quantity": 1, "warehouse_id": NOWHERE}, *NO_PLACE, ["warehouse_id"]),
        ("products", {"name": "A\x00", "price": 1}, *BAD, ["name"]),
        ("products", {"name": "A" * 201, "price": 1}, *BAD, ["name"]),
        ("inventory/adjust", ONE, *BAD, ["reason"]),
        ("inventory/adjust", {**ONE, "reason": "  "}, *BAD, ["reason"]),
        ("inventory/adjust", {**P, "quantity": 0, "reason": "r"}, *BAD, ["quantity"]),
        ("inventory/adjust", {"product_id": NOWHERE, "quantity": 1, "reason": "r"}, *NO_PRODUCT, ["product_id"]),
        ("inventory/adjust", {**P, "quantity": -101, "reason": "r"}, 400, "insufficient_stock", None),
        ("inventory/adjust", {**P, "inventory_id": NOWHERE, "quantity": 1, "reason": "r"}, *TORN, ["inventory_id"]),
        ("stock-movements", {**ONE, "movement_type": "transfer_in"}, 400, "use_a_transfer", ["movement_type"]),
        ("stock-movements", {**ONE, "movement_type": "transfer_out"}, 400, "use_a_transfer", ["movement_type"]),
        ("stock-movements", {**ONE, "movement_type": "gift"}, *BAD, ["movement_type"]),
        ("stock-movements", {**ONE, "movement_type": "adjustment"}, *BAD, ["reason"]),
        ("stock-movements", {**ONE, "movement_type": "purchase", "unit_cost": -1}, *BAD, ["unit_cost"]),
        ("stock-movements", {**P, "quantity": 10**9 + 1, "movement_type": "purchase"}, *BAD, ["quantity"]),
        ("orders", {}, 400, "empty_order", ["items"]),
        ("orders", {"items": [{}]}, *BAD, ["items.0.quantity", "items.0.product_id"]),
        ("orders", {"items": ONE}, *BAD, ["items"]),
        ("orders", {"items": [ONE] * 201}, *BAD, ["items"]),
        ("orders", {"items": [{**P, "quantity": 0.5}]}, *BAD, ["items.0.quantity"]),
        ("orders", {"items": [{**P, "quantity": -1}]}, 400, "quantity_not_positive", ["items.0.quantity"]),
        ("orders", {"items": [{**P, "inventory_id": NOWHERE, "quantity": 1}]}, *TORN, ["items.0.inventory_id"]),
        ("orders", {"items": [{**P, "sku": "nope", "quantity": 1}]}, *NO_PRODUCT, ["items.0.sku"]),
        ("orders", {"items": [{"barcode": "0", "quantity": 1}]}, *NO_PRODUCT, ["items.0.barcode"]),
        ("orders", {"items": [ONE], "user_id": NOWHERE}, *BAD, ["user_id"]),
        ("orders", {"items": [ONE], "warehouse_id": NOWHERE}, *NO_PLACE, ["warehouse_id"]),
        ("orders", {"items": [ONE], "confirm": "perhaps"}, *BAD, ["confirm"]),
        ("orders/O/ship", {"items": []}, *BAD, ["items"]),
        ("orders/O/ship", {"items": [{**P, "quantity": 51}]}, *BAD, ["items"]),
        ("orders/O/return", {}, 409, "illegal_transition", None),
        ("orders/O/deliver", {}, 409, "illegal_transition", None),
        ("sales", {"quantity": 1}, *BAD, ["product_id"]),
        ("sales", {**ONE, "sale_date": "2999-01-01"}, *BAD, ["sale_date"]),
        ("stock-transfers", {}, *BAD, ["from_warehouse_id", "to_warehouse_id", "quantity", "product_id"]),
        ("stock-transfers", {**ONE, **WAY, "items": [ONE]}, *BAD, ["items"]),
        ("stock-transfers", {**WAY, "items": []}, 400, "empty_transfer", ["items"]),
        ("stock-transfers", {**WAY, "items": [ONE] * 201}, *BAD, ["items"]),
        ("stock-transfers", {**WAY, "items": [{}]}, *BAD, ["items.0.quantity", "items.0.product_id"]),
        ("stock-transfers", {**WAY, **P, "quantity": 0}, 400, "quantity_not_positive", ["quantity"]),
        ("stock-transfers", {**ONE, **WAY, "to_warehouse_id": "W"}, 400, "same_warehouse", ["to_warehouse_id"]),
        ("stock-transfers", {**ONE, **WAY, "to_warehouse_id": NOWHERE}, *NO_PLACE, ["to_warehouse_id"]),
        ("stock-transfers", {**WAY, **P, "quantity": 41}, 400, "insufficient_stock", None),
        ("stock-transfers/T/complete", {"items": [{**P, "received": 9}]}, *BAD, ["items"]),
        ("stock-transfers/T/complete", {"items": [P]}, *BAD, ["items.0.received"]),
        ("stock-counts", {}, *BAD, ["warehouse_id"]),
        ("stock-counts", {"warehouse_id": NOWHERE}, *NO_PLACE, ["warehouse_id"]),
        ("stock-counts/C/lines", {**P, "quantity": 1, "mode": "guess"}, *BAD, ["mode"]),
        ("barcode/scan", {}, *BAD, ["barcode"]),
        ("barcode/scan", {"barcode": "none"}, 404, "barcode_not_found", ["barcode"]),
        ("barcode/link", {**P, "barcode": "4006381333930"}, *BAD, ["barcode"]),
        ("warehouses", {"name": " "}, 400, "blank_name", ["name"]),
        ("warehouses", {"name": "MAIN STORE"}, 400, "duplicate_name", ["name"]),
        ("warehouses", {"name": "Other", "code": "main"}, 400, "duplicate_code", ["code"]),
        ("categories", {}, *BAD, ["name"]),
        ("units", {"code": "PIECE"}, 400, "duplicate_code", ["code"]),
        ("units", {"code": "x", "decimal_places": 4}, *BAD, ["decimal_places"]),
        ("vendors", {}, *BAD, ["name"]),
        ("vendors", {"name": "A", "contact_email": "nobody"}, *BAD, ["contact_email"]),
        ("vendors", {"name": "A", "quoted_lead_time_days": 3651}, *BAD, ["quoted_lead_time_days"]),
        ("vendors", {"name": " "}, 400, "blank_name", ["name"]),
        ("vendors", {"name": "NORTHWIND mill"}, 400, "duplicate_name", ["name"]),
        ("vendors/V/prices", {}, *BAD, ["product_id", "unit_price"]),
        ("vendors/V/prices", {**P, "unit_price": -1}, *BAD, ["unit_price"]),
        ("vendors/V/prices", {**P, "unit_price": 1, "minimum_order_quantity": 0}, *BAD, ["minimum_order_quantity"]),
        ("vendors/V/prices", {**P, "unit_price": 1, "pack_quantity": 0.5}, *BAD, ["pack_quantity"]),
        ("vendors/V/prices", {**P, "unit_price": 1, "lead_time_days": -1}, *BAD, ["lead_time_days"]),
        ("vendors/V/prices", {**P, "unit_price": 1, "shipping_basis": "ship"}, *BAD, ["shipping_basis"]),
        (
            "vendors/V/prices",
            {**P, "unit_price": 1, "price_breaks": [{"from_quantity": 2, "unit_price": 1}] * 2},
            *BAD,
            ["price_breaks"],
        ),
        ("vendors/V/prices", {"product_id": NOWHERE, "unit_price": 1}, *NO_PRODUCT, ["product_id"]),
        ("vendors/987654321/prices", {**P, "unit_price": 1}, 404, "vendor_not_found", ["vendor_id"]),
        ("purchase-orders", {"items": [ONE]}, *BAD, ["vendor_id"]),
        ("purchase-orders", {"vendor_id": "V"}, 400, "empty_order", ["items"]),
        ("purchase-orders", {"vendor_id": NOWHERE, "items": [ONE]}, 404, "vendor_not_found", ["vendor_id"]),
        ("purchase-orders", {"vendor_id": "V", "items": [ONE]}, 400, "no_vendor_price", ["items.0.unit_cost"]),
        ("purchase-orders", {"vendor_id": "V", "items": [ONE, ONE]}, *BAD, ["items.1.product_id"]),
        ("purchase-orders", {"vendor_id": "V", "items": [{**ONE, "unit_cost": -1}]}, *BAD, ["items.0.unit_cost"]),
        ("purchase-orders", {"vendor_id": "V", "items": [{**P, "quantity": 0}]}, *BAD, ["items.0.quantity"]),
        ("purchase-orders", {"vendor_id": "V", "items": [{**P, "quantity": 0.5}]}, *BAD, ["items.0.quantity"]),
        ("purchase-orders", {"vendor_id": "V", "items": [ONE], "warehouse_id": NOWHERE}, *NO_PLACE, ["warehouse_id"]),
        ("purchase-orders", {"vendor_id": "V", "items": [ONE], "expected_on": "soon"}, *BAD, ["expected_on"]),
        ("purchase-orders/B/receive", {"items": []}, *BAD, ["items"]),
        ("purchase-orders/B/receive", {"items": [{**P, "quantity": 11}]}, 400, "over_receipt", ["items"]),
        (
            "purchase-orders/B/receive",
            {"items": [{"product_id": NOWHERE, "quantity": 1}]},
            *BAD,
            ["items.0.product_id"],
        ),
        ("purchase-orders/D/receive", {}, 409, "illegal_transition", None),
        ("purchase-orders/B/send", {}, 409, "illegal_transition", None),
        ("purchase-orders/B/close", {}, 409, "illegal_transition", None),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_exactly_what_is_wrong(
    path: str, body: dict[str, Any], status: int, code: str, fields: list[str] | None, ids: dict[str, int], manager: Api
) -> None:
    response = manager("POST", at(path, ids), filled(body, ids))
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code), answer
    assert fields is None or set(answer["fields"]) == set(fields)
