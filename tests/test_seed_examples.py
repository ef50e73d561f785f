"""Every example request printed in the five seed documents, sent as printed: only ids and tokens are filled in.

Each scenario runs under /api/v1 and without prefix, with and without a trailing slash.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse

from accounts.models import User
from inventory.models import ProductStock, Warehouse
from orders.models import Order
from tests.client import Api

pytestmark = pytest.mark.django_db

PREFIXES, SLASHES = ("/api/v1", ""), ("", "/")
D = Decimal


@pytest.fixture(params=[(prefix, slash) for prefix in PREFIXES for slash in SLASHES], ids=str)
def spelled(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Turns a seed's path into one of its four spellings."""
    prefix, slash = request.param

    def spell(path: str) -> str:
        where, mark, query = path.partition("?")
        return f"{prefix}{where.rstrip('/')}{slash}{mark}{query}"

    return spell


Send = Callable[..., HttpResponse]


@pytest.fixture
def send(manager: Api, main: Warehouse, spelled: Callable[[str], str]) -> Send:
    """Sends a seed's request as a manager in each test's spelling."""

    def go(method: str, path: str, body: str | None = None) -> HttpResponse:
        return manager(method, spelled(path), body.encode() if body is not None else None)

    return go


def ok(response: HttpResponse, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return response.json()


def stock(product_id: int) -> tuple[Decimal, Decimal]:
    """(on hand, available)"""
    row = ProductStock.objects.get(product_id=product_id)
    return row.on_hand, row.available


# ---- 000 WorkBox -----------------------------------------------------------------------------------------------------
def test_000_workbox(send: Send) -> None:
    user = ok(send("POST", "/users/", '{"username": "john_doe", "email": "john@example.com"}'), 201)
    assert {"id", "username", "email", "created_at"} <= user.keys()
    assert user["id"] in [row["id"] for row in ok(send("GET", "/users/"))["results"]]
    assert ok(send("GET", f"/users/{user['id']}"))["username"] == "john_doe"

    laptop = ok(
        send(
            "POST",
            "/inventory/",
            """{
       "name": "Laptop",
       "description": "High-performance laptop",
       "price": 999.99,
       "stock_quantity": 50
     }""",
        ),
        201,
    )
    assert (laptop["name"], laptop["price"], laptop["stock_quantity"]) == ("Laptop", 999.99, 50)
    assert {"id", "name", "description", "price", "stock_quantity", "created_at", "updated_at"} <= laptop.keys()
    other = ok(send("POST", "/inventory/", '{"name": "Bag", "price": 30, "stock_quantity": 5}'), 201)
    assert len(ok(send("GET", "/inventory/"))["results"]) == 2

    body = """{
       "user_id": USER,
       "items": [
         {"inventory_id": ONE, "quantity": 2},
         {"inventory_id": TWO, "quantity": 1}
       ]
     }"""
    for name, value in (("USER", user["id"]), ("ONE", laptop["id"]), ("TWO", other["id"])):
        body = body.replace(name, str(value))
    order = ok(send("POST", "/orders/", body), 201)
    assert (order["user_id"], order["total_amount"], order["status"]) == (user["id"], 2029.98, "confirmed")
    assert {"id", "user_id", "total_amount", "status", "created_at", "updated_at"} <= order.keys()
    assert [(line["product_id"], line["quantity"], line["unit_price"]) for line in order["items"]] == [
        (laptop["id"], 2, 999.99),
        (other["id"], 1, 30),
    ]
    assert ok(send("GET", f"/inventory/{laptop['id']}"))["stock_quantity"] == 48
    assert ok(send("GET", "/orders/"))["results"][0] == ok(send("GET", f"/orders/{order['id']}"))
    assert ok(send("PUT", f"/inventory/{laptop['id']}", '{"stock_quantity": 40}'))["stock_quantity"] == 40
    assert stock(laptop["id"]) == (42, 40)


def test_000_health_needs_no_token(spelled: Callable[[str], str]) -> None:
    body = ok(Api()("GET", spelled("/health")))
    assert (body["status"], body["database"]) == ("ok", "ok")


# ---- 001 multi-warehouse ledger --------------------------------------------------------------------------------------
REGISTRATION = """{
  "username": "johndoe",
  "email": "john@example.com",
  "password": "securepassword123",
  "full_name": "John Doe"
}"""


def test_001_register_and_log_in(db: None, spelled: Callable[[str], str]) -> None:
    api = Api()
    ok(api("POST", spelled("/auth/register"), REGISTRATION.encode()), 201)
    formed = ok(api.form(spelled("/auth/login"), "username=johndoe&password=securepassword123"))
    as_json = ok(
        api("POST", spelled("/auth/login-json"), b'{\n  "username": "johndoe",\n  "password": "securepassword123"\n}')
    )
    for tokens in (formed, as_json):
        assert tokens["token_type"] == "bearer"
        assert ok(Api(tokens["access_token"])("GET", spelled("/products/")))["results"] == []


def test_001_products(send: Send, manager: Api) -> None:
    made = ok(
        send(
            "POST",
            "/products/",
            """{
  "name": "Laptop Computer",
  "sku": "LAPTOP-001",
  "description": "High-performance laptop",
  "unit_price": 999.99,
  "unit_of_measure": "piece",
  "category": "Electronics"
}""",
        ),
        201,
    )
    assert (made["sku"], made["price"], made["unit_of_measure"], made["category"]) == (
        "LAPTOP-001",
        999.99,
        "piece",
        "Electronics",
    )
    page = ok(send("GET", "/products/?page=1&page_size=20&search=laptop&sort_by=name_asc"))
    assert [row["id"] for row in page["results"]] == [made["id"]]
    assert ok(send("GET", f"/products/{made['id']}"))["stock_by_warehouse"] == []
    changed = ok(
        send(
            "PUT",
            f"/products/{made['id']}",
            """{
  "name": "Updated Product Name",
  "unit_price": 1299.99
}""",
        )
    )
    assert (changed["name"], changed["price"], changed["sku"]) == ("Updated Product Name", 1299.99, "LAPTOP-001")
    assert send("DELETE", f"/products/{made['id']}").status_code == 204
    assert ok(send("GET", "/products/"))["results"] == []
    assert Api()("GET", "/products").status_code == 401


def test_001_stock_movements(send: Send, make_product: Callable[..., Any], main: Warehouse) -> None:
    product = make_product("Widget")
    body = """{
  "product_id": ONE,
  "warehouse_id": PLACE,
  "movement_type": "purchase",
  "quantity": 50,
  "unit_cost": 100.00,
  "reference_number": "PO-2023-001",
  "notes": "Initial stock purchase"
}"""
    made = ok(
        send("POST", "/stock-movements/", body.replace("ONE", str(product.pk)).replace("PLACE", str(main.pk))), 201
    )
    assert (made["quantity"], made["total_cost"], made["balance_after"]) == (50, 5000, 50)
    assert (made["reference_number"], made["reason"]) == ("PO-2023-001", "Initial stock purchase")
    listed = ok(send("GET", "/stock-movements/?page=1&page_size=20"))["results"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert ok(send("GET", f"/products/{product.pk}"))["stock_by_warehouse"][0]["quantity"] == 50


def test_001_stock_transfers(send: Send, make_product: Callable[..., Any], main: Warehouse, annex: Warehouse) -> None:
    product = make_product("Widget", stock=30)
    body = """{
  "product_id": ONE,
  "from_warehouse_id": FROM,
  "to_warehouse_id": TO,
  "quantity": 10,
  "transfer_reference": "TRANS-001",
  "notes": "Moving to secondary warehouse"
}"""
    for name, value in (("ONE", product.pk), ("FROM", main.pk), ("TO", annex.pk)):
        body = body.replace(name, str(value))
    made = ok(send("POST", "/stock-transfers/", body), 201)
    assert (made["status"], made["quantity"], made["transfer_reference"]) == ("pending", 10, "TRANS-001")
    assert ok(send("PUT", f"/stock-transfers/{made['id']}/complete"))["status"] == "completed"
    moved = ok(send("GET", f"/stock-movements/?reference=TRANSFER-{made['id']}"))["results"]
    assert [(row["movement_type"], row["quantity"]) for row in moved] == [("transfer_in", 10), ("transfer_out", -10)]
    other = ok(send("POST", "/stock-transfers/", body), 201)
    assert ok(send("PUT", f"/stock-transfers/{other['id']}/cancel"))["status"] == "cancelled"
    assert ok(send("GET", f"/stock-transfers/{made['id']}"))["completed_at"] is not None
    assert stock(product.pk) == (30, 30)


# ---- 002 Smart Inventory ---------------------------------------------------------------------------------------------
def test_002_register_log_in_refresh(db: None, spelled: Callable[[str], str]) -> None:
    api = Api()
    made = ok(
        api(
            "POST",
            spelled("/auth/register"),
            b"""{
    "email": "user@example.com",
    "password": "securepassword123",
    "full_name": "John Doe"
  }""",
        ),
        201,
    )
    assert (made["email"], made["full_name"], made["role"], made["is_active"]) == (
        "user@example.com",
        "John Doe",
        "user",
        True,
    )
    tokens = ok(
        api(
            "POST",
            spelled("/auth/login"),
            b'{\n    "email": "user@example.com",\n    "password": "securepassword123"\n  }',
        )
    )
    assert {"access_token", "refresh_token", "token_type"} <= tokens.keys()
    assert ok(Api(tokens["access_token"])("GET", spelled("/products")))["count"] == 0
    again = ok(api("POST", spelled("/auth/refresh"), json.dumps({"refresh_token": tokens["refresh_token"]}).encode()))
    assert ok(Api(again["access_token"])("GET", spelled("/products")))["count"] == 0


def test_002_products_and_stock(send: Send) -> None:
    made = ok(
        send(
            "POST",
            "/products",
            """{
    "sku": "WDG-001",
    "name": "Widget A",
    "category": "Electronics",
    "current_stock": 100,
    "reorder_threshold": 20,
    "unit_cost": 12.99
  }""",
        ),
        201,
    )
    assert (made["stock_quantity"], made["reorder_threshold"], made["unit_cost"]) == (100, 20, 12.99)
    for query in ("", "?category=Electronics", "?search=widget", "?skip=0&limit=10"):
        assert [row["sku"] for row in ok(send("GET", f"/products{query}"))["results"]] == ["WDG-001"]
    assert ok(send("GET", "/products?skip=10&limit=10"))["results"] == []
    changed = ok(
        send("PUT", f"/products/{made['id']}", '{\n    "current_stock": 150,\n    "reorder_threshold": 25\n  }')
    )
    assert (changed["stock_quantity"], changed["reorder_threshold"]) == (150, 25)

    plus = """{
    "product_id": "PRODUCT_ID",
    "quantity": 50,
    "reason": "Received shipment from vendor"
  }"""
    minus = """{
    "product_id": "PRODUCT_ID",
    "quantity": -10,
    "reason": "Sold to customer"
  }"""
    assert (
        ok(send("POST", "/inventory/adjust", plus.replace("PRODUCT_ID", str(made["id"]))), 201)["balance_after"] == 200
    )
    taken = ok(send("POST", "/inventory/adjust", minus.replace("PRODUCT_ID", str(made["id"]))), 201)
    assert (taken["quantity"], taken["balance_after"], taken["reason"]) == (-10, 190, "Sold to customer")
    quantities = [-10, 50, 50, 100]
    for path in ("/inventory/movements", f"/inventory/movements?product_id={made['id']}"):
        assert [row["quantity"] for row in ok(send("GET", path))["results"]] == quantities
    history = ok(send("GET", f"/inventory/products/{made['id']}/history"))["results"]
    assert [row["balance"] for row in history] == [190, 200, 150, 100]


def test_002_vendors(send: Send, make_product: Callable[..., Any]) -> None:
    product = make_product("Widget A", sku="WDG-001")
    vendor = ok(
        send(
            "POST",
            "/vendors",
            """{
    "name": "Acme Supplies",
    "contact_email": "sales@acme.com",
    "contact_phone": "+1-555-0100",
    "address": "123 Main St, City, State 12345"
  }""",
        ),
        201,
    )
    assert ok(send("GET", f"/vendors/{vendor['id']}"))["contact_phone"] == "+1-555-0100"
    body = """{
    "product_id": "PRODUCT_ID",
    "unit_price": 12.99,
    "lead_time_days": 7,
    "minimum_order_quantity": 10
  }""".replace("PRODUCT_ID", str(product.pk))
    price = ok(send("POST", f"/vendors/{vendor['id']}/prices", body), 201)
    assert (price["unit_price"], price["lead_time_days"], price["minimum_order_quantity"]) == (12.99, 7, 10)
    offers = ok(send("GET", f"/products/{product.pk}/vendors"))["results"]
    assert [
        (row["vendor_name"], row["unit_price"], row["lead_time_days"], row["is_recommended"]) for row in offers
    ] == [("Acme Supplies", 12.99, 7, True)]
    assert offers[0]["last_updated"] == price["valid_from"]


def test_002_barcodes(send: Send, make_product: Callable[..., Any]) -> None:
    product = make_product("Widget", stock=3)
    scan = """{
    "barcode": "012345678905"
  }"""
    unknown = send("POST", "/barcode/scan", scan)
    assert (unknown.status_code, unknown.json()["hint"]) == (404, "link")
    link = """{
    "barcode": "012345678905",
    "product_id": ONE
  }"""
    ok(send("POST", "/barcode/link", link.replace("ONE", str(product.pk))), 201)
    scanned = ok(send("POST", "/barcode/scan", scan))
    assert (scanned["product_id"], scanned["stock_quantity"], scanned["barcode"]) == (product.pk, 3, "012345678905")
    assert ok(send("GET", "/barcode/lookup/012345678905")) == scanned


def test_002_health_and_metrics(send: Send) -> None:
    assert ok(send("GET", "/health"))["status"] == "ok"


@pytest.mark.parametrize("path", ["/api/v1/metrics", "/api/v1/metrics/"])
def test_002_metrics(path: str, manager: Api) -> None:
    assert ok(manager("GET", path))["requests"]["total"] >= 0
    assert Api()("GET", path).status_code == 401


# ---- 003 E-commerce Admin --------------------------------------------------------------------------------------------
def test_003_products_inventory_sales(send: Send, make_product: Callable[..., Any]) -> None:
    product = make_product("Chair", stock=8, price="49.5")
    assert [row["id"] for row in ok(send("GET", "/products/"))["results"]] == [product.pk]
    low = ok(send("GET", "/inventory/low-stock"))["results"]
    assert [(row["product_id"], row["product_name"], row["current_quantity"], row["threshold"]) for row in low] == [
        (product.pk, "Chair", 8, 10)
    ]
    changed = ok(send("PUT", f"/inventory/{product.pk}", '{"quantity": 30, "low_stock_threshold": 5}'))
    assert (changed["stock_quantity"], changed["reorder_threshold"]) == (30, 5)
    assert ok(send("GET", "/inventory/low-stock"))["results"] == []
    sold = json.dumps({"product_id": product.pk, "quantity": 2, "total_amount": 1, "sale_date": "2024-05-06T10:00:00"})
    sale = ok(send("POST", "/sales/", sold), 201)
    assert (sale["status"], sale["total_amount"], sale["sale_date"]) == ("delivered", 99, "2024-05-06T10:00:00Z")
    assert stock(product.pk) == (28, 28)
    rows = ok(send("GET", "/sales/"))["results"]
    assert [(row["product_id"], row["quantity"], row["total_amount"], row["sale_date"]) for row in rows] == [
        (product.pk, 2, 99, "2024-05-06T10:00:00Z")
    ]
    changes = ok(send("GET", f"/inventory/changes/{product.pk}"))["results"]
    assert [(row["movement_type"], row["quantity"]) for row in changes] == [
        ("sale", -2),
        ("adjustment", 22),
        ("purchase", 8),
    ]
    dated = ok(send("GET", f"/inventory/changes/{product.pk}?start_date=2024-05-01&end_date=2024-05-06"))["results"]
    assert [row["quantity"] for row in dated] == [-2]
    assert ok(send("GET", "/inventory/?skip=0&limit=100"))["count"] == 1


def test_003_analytics(send: Send, make_product: Callable[..., Any]) -> None:
    product = make_product("Chair", stock=20, price="50", category="Furniture")
    ok(send("POST", "/sales/", json.dumps({"product_id": product.pk, "quantity": 2})), 201)
    figures = ok(send("GET", "/sales/analytics"))
    assert (figures["total_revenue"], figures["total_sales"], figures["average_order_value"]) == (100, 1, 100)
    for period in ("daily", "weekly", "monthly", "annual"):
        compared = ok(send("GET", f"/sales/revenue/comparison?period={period}"))
        assert (compared["period"], compared["current_revenue"], compared["previous_revenue"]) == (period, 100, 0)
        assert compared["change_percentage"] is None
    assert [
        (row["category"], row["total_revenue"], row["total_sales"]) for row in ok(send("GET", "/sales/by-category"))
    ] == [("Furniture", 100, 1)]
    trends = ok(send("GET", "/insights/sales-trends?days=7"))
    assert (len(trends["daily_breakdown"]), trends["daily_breakdown"][-1]["sales"]) == (7, 100)
    (category,) = ok(send("GET", "/insights/category-performance"))
    assert (category["orders"], category["revenue"], category["avg_order_value"]) == (1, 100, 100)
    (row,) = ok(send("GET", "/insights/stock-management"))["results"]
    assert (row["product"], row["current_stock"], row["status"]) == ("Chair", 18, "Good")
    snapshot = ok(send("GET", "/analytics/snapshot"))
    assert (snapshot["daily_snapshot"]["today_sales"], snapshot["top_performers"][0]["revenue"]) == (100, 100)


# ---- 004 mini order API ----------------------------------------------------------------------------------------------
def test_004_products(send: Send) -> None:
    made = ok(
        send(
            "POST",
            "/products/",
            """{"name": "product name",
  "stock_quantity": 10,
  "price": 25.99,
  "id": 1
}""",
        ),
        201,
    )
    row = ok(send("GET", "/products/"))["results"][0]
    assert {name: row[name] for name in ("name", "stock_quantity", "price", "id")} == {
        "name": "product name",
        "stock_quantity": 10,
        "price": 25.99,
        "id": made["id"],
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_004_orders(method: str, send: Send, make_product: Callable[..., Any]) -> None:
    five, four = make_product("Five", stock=5, price="199.98"), make_product("Four", stock=5, price="604")
    body = """{
  "id": 4,
  "items": [
    {
      "quantity": 1,
      "product_id": FIVE
    },
    {
      "quantity": 2,
      "product_id": FOUR
    }
  ],
  "total_amount": 1407.98,
  "status": "Pending"
}""".replace("FIVE", str(five.pk)).replace("FOUR", str(four.pk))
    made = ok(send("POST", "/orders/create_order", body), 201)
    assert (made["status"], made["total_amount"]) == ("pending", 1407.98)
    assert (stock(five.pk), stock(four.pk)) == ((5, 5), (5, 5))
    confirmed = ok(send(method, f"/orders/{made['id']}/confirm"))
    assert (confirmed["message"], confirmed["status"]) == ("Order Confirmed successfully", "confirmed")
    assert (stock(five.pk), stock(four.pk)) == ((5, 4), (5, 3))
    again = send(method, f"/orders/{made['id']}/confirm")
    assert (again.status_code, again.json()["status"]) == (409, "confirmed")
    cancelled = ok(send(method, f"/orders/{made['id']}/cancel"))
    assert (cancelled["message"], cancelled["status"]) == ("Order cancelled", "cancelled")
    assert (stock(five.pk), stock(four.pk)) == ((5, 5), (5, 5))
    assert send(method, f"/orders/{made['id']}/cancel").status_code == 409
    for status in ("Cancelled", "cancelled", "CANCELLED"):
        listed = ok(send("GET", f"/orders/?status={status}"))["results"]
        assert [(row["id"], row["total_amount"]) for row in listed] == [(made["id"], 1407.98)]
        assert [(line["quantity"], line["product_id"]) for line in listed[0]["items"]] == [(1, five.pk), (2, four.pk)]


def test_004_refusals(send: Send, make_product: Callable[..., Any]) -> None:
    lamp = make_product("Lamp", stock=1)
    item = '{"items": [{"product_id": %d, "quantity": %d}]}'
    refused = [
        ("/products/", '{"name": "Lamp", "price": 1, "stock_quantity": 1}', 400, "duplicate_name"),
        ("/products/", '{"name": "   ", "price": 1, "stock_quantity": 1}', 400, "blank_name"),
        ("/products/", '{"name": "New", "price": 0, "stock_quantity": 1}', 400, "price_not_positive"),
        ("/products/", '{"name": "New", "price": -1, "stock_quantity": 1}', 400, "price_not_positive"),
        ("/products/", '{"name": "New", "price": 1, "stock_quantity": -1}', 400, "negative_stock"),
        ("/orders/create_order", '{"items": []}', 400, "empty_order"),
        ("/orders/create_order", item % (lamp.pk, 0), 400, "quantity_not_positive"),
        ("/orders/create_order", item % (987654321, 1), 404, "product_not_found"),
        ("/orders/", item % (lamp.pk, 2), 400, "insufficient_stock"),
    ]
    for path, body, status, code in refused:
        response = send("POST", path, body)
        assert (response.status_code, response.json()["code"]) == (status, code), body


def test_the_placed_order_belongs_to_the_named_user(
    send: Send, make_product: Callable[..., Any], customer: User
) -> None:
    lamp = make_product("Lamp", stock=1)
    made = ok(
        send(
            "POST",
            "/orders/",
            json.dumps({"user_id": customer.pk, "items": [{"inventory_id": lamp.pk, "quantity": 1}]}),
        ),
        201,
    )
    assert Order.objects.get(id=made["id"]).user_id == customer.pk
