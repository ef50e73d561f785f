"""How many SQL statements a list takes: the same for few rows and many, and the number is checked in.

`tests/query_counts.json` holds the numbers; a change that makes one larger has to say so there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from insights import demand
from inventory.models import Product, Warehouse
from tests.client import Api
from workbox.jobs import services as jobs

pytestmark = pytest.mark.django_db

COUNTS: dict[str, Any] = json.loads((Path(__file__).parent / "query_counts.json").read_text())
# Who is asking costs one statement, or none when Redis knows: not what is counted here.
PRINCIPAL = "SELECT username, role, token_version"
LISTS = {
    "GET products": "products?page_size=2",
    "GET products (search, filters, sort)": "products?page_size=2&search=p&category=Toys&sort_by=stock_desc",
    "GET product": "products/{product}",
    "GET products (as of)": "products?page_size=2&as_of=2026-01-01",
    "GET product (as of)": "products/{product}?as_of=2026-01-01",
    "GET inventory/low-stock (as of)": "inventory/low-stock?page_size=2&as_of=2026-01-01",
    "GET inventory/low-stock": "inventory/low-stock?page_size=2",
    "GET availability/explain": "products/{product}/availability/explain",
    "GET stock-operations": "stock-operations?page_size=2&product_id={product}",
    "GET inventory/valuation": "inventory/valuation?page_size=2",
    "GET inventory/valuation (as of)": "inventory/valuation?page_size=2&as_of=2026-01-01",
    "GET inventory/movements": "inventory/movements?page_size=2",
    "GET inventory/movements (cursor)": "inventory/movements?cursor=&limit=2",
    "GET inventory/products/{id}/history": "inventory/products/{product}/history?page_size=2",
    "GET orders": "orders?page_size=2",
    "GET order": "orders/{order}",
    "GET order timeline": "orders/{order}/timeline",
    "GET sales": "sales?page_size=2",
    "GET sales/analytics": "sales/analytics",
    "GET sales/analytics (category)": "sales/analytics?category=Toys",
    "GET sales/analytics (product)": "sales/analytics?product_id={product}",
    "GET sales/by-category": "sales/by-category",
    "GET sales/revenue/comparison": "sales/revenue/comparison?period=weekly",
    "GET analytics/snapshot": "analytics/snapshot",
    "GET insights/sales-trends": "insights/sales-trends",
    "GET insights/category-performance": "insights/category-performance",
    "GET insights/stock-management": "insights/stock-management?page_size=2",
    "GET insights/turnover": "insights/turnover?page_size=2",
    "GET insights/turnover (categories)": "insights/turnover?group=category",
    "GET insights/ageing": "insights/ageing?page_size=2",
    "GET insights/abc": "insights/abc?page_size=2",
    "GET insights/dead-stock": "insights/dead-stock?page_size=2",
    "GET insights/movement-patterns": "insights/movement-patterns",
    "GET alerts": "alerts?page_size=2",
    "GET alert": "alerts/{alert}",
    "GET alerts/settings": "alerts/settings",
    "GET predictions/batch": "predictions/batch?page_size=2",
    "GET prediction data-summary": "predictions/{product}/data-summary",
    "GET predictions/quality": "predictions/quality",
    "GET replenishment": "replenishment?page_size=2",
    "GET replenishment/service-levels": "replenishment/service-levels",
    "GET users": "users?page_size=2",
    "GET warehouses": "warehouses?page_size=1",
    "GET vendors": "vendors?page_size=2",
    "GET vendor prices": "vendors/{vendor}/prices?page_size=2",
    "GET vendor lead times": "vendors/{vendor}/lead-times",
    "GET product vendors": "products/{product}/vendors",
    "GET purchase-orders": "purchase-orders?page_size=2",
    "GET purchase-order": "purchase-orders/{purchase}",
    "GET purchase-order receipts": "purchase-orders/{purchase}/receipts?page_size=2",
    "GET events": "events?limit=500",
    "GET stock-transfers": "stock-transfers?page_size=2",
    "GET stock-transfer": "stock-transfers/{transfer}",
    "GET stock-counts": "stock-counts?page_size=2",
    "GET stock-count": "stock-counts/{count}",
    "GET stock-count variances": "stock-counts/{count}/variances",
    "GET barcode/lookup": "barcode/lookup/{barcode}",
    "GET jobs": "jobs?page_size=2",
    "GET imports": "imports?page_size=2",
    "GET import preview": "imports/{import}/preview?page_size=2",
}


def statements(api: Api, method: str, path: str, body: object = None) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = api(method, path, body)
    assert response.status_code in (200, 201), response.content
    return [query["sql"] for query in captured if not query["sql"].startswith(PRINCIPAL)]


@pytest.fixture
def grow(
    make_product: Callable[..., Product],
    make_user: Callable[..., User],
    manager: Api,
    main: Warehouse,
    annex: Warehouse,
) -> Callable[[int], dict[str, Any]]:
    """`grow(5)`: five more of everything; the ids of the first product and order."""
    first: dict[str, Any] = {}
    places = {"from_warehouse_id": main.pk, "to_warehouse_id": annex.pk}

    def more(count: int) -> dict[str, Any]:
        for _ in range(count):
            number = Product.objects.count()
            product = make_product(f"P{number}", stock=9, category="Toys")
            make_user("user", f"u{number}")
            first.setdefault("product", product.pk)
            items = [{"product_id": first["product"], "quantity": 1}, {"product_id": product.pk, "quantity": 1}]
            order = manager("POST", "orders", {"items": items}).json()
            first.setdefault("order", order["id"])
            manager("POST", "inventory/adjust", {"product_id": first["product"], "quantity": 3, "reason": "r"})
            vendor = manager("POST", "vendors", {"name": f"V{number}"}).json()["id"]
            for one in {first["product"], product.pk}:
                manager("POST", f"vendors/{vendor}/prices", {"product_id": one, "unit_price": 2})
            bought = [{"product_id": first["product"], "quantity": 30}]
            purchase = manager("POST", "purchase-orders", {"vendor_id": vendor, "items": bought}).json()["id"]
            first.setdefault("vendor", vendor)
            first.setdefault("purchase", purchase)
            manager("POST", f"purchase-orders/{purchase}/send")
            taken = {"items": [{"product_id": first["product"], "quantity": 1}]}
            manager("POST", f"purchase-orders/{first['purchase']}/receive", taken)
            lines = [{"product_id": product.pk, "quantity": 1}, {"product_id": first["product"], "quantity": 1}]
            moved = manager("POST", "stock-transfers", {"items": lines, **places}).json()
            first.setdefault("transfer", moved["id"])
            counted = manager("POST", "stock-counts", {"warehouse_id": main.pk}).json()
            first.setdefault("count", counted["id"])
            manager("POST", f"stock-counts/{first['count']}/lines", {"lines": lines})
            code = f"CODE-{product.pk}"
            manager("POST", "barcode/link", {"barcode": code, "product_id": product.pk})
            first.setdefault("barcode", code)
            text = "".join(f"S{one},N,1\n" for one in range(number + 3))
            made = manager("POST", "imports?what=products", f"sku,name,price\n{text}".encode()).json()
            first.setdefault("import", made["id"])
            jobs.run(made["job"]["id"])
        first.setdefault("alert", manager("GET", "alerts").json()["results"][-1]["id"])
        manager("GET", "events")
        manager("GET", "analytics/snapshot")  # builds the daily figures the first time
        demand.ensure_built()
        return first

    return more


def test_every_list_takes_the_checked_in_number_of_statements_however_long_it_is(
    grow: Callable[[int], dict[str, Any]], manager: Api
) -> None:
    ids = grow(4)
    few = {name: len(statements(manager, "GET", path.format(**ids))) for name, path in LISTS.items()}
    grow(8)
    many = {name: len(statements(manager, "GET", path.format(**ids))) for name, path in LISTS.items()}
    assert many == few
    assert many == {name: checked_in(name) for name in LISTS}


def checked_in(name: str) -> int | None:
    """What the file says; a number per database where their best ways differ."""
    found = COUNTS.get(name)
    return found[connection.vendor] if isinstance(found, dict) else found


@pytest.mark.parametrize("lines", [1, 3, 20])
def test_placing_an_order_takes_few_statements_whatever_the_number_of_lines(
    lines: int, make_product: Callable[..., Product], manager: Api
) -> None:
    items = [{"product_id": make_product(f"P{index}", stock=5).pk, "quantity": 1} for index in range(lines)]
    captured = CaptureQueriesContext(connection)
    with captured:
        response = manager("POST", "orders", {"items": items}, Idempotency_Key="k")
    assert response.status_code == 201
    assert len([one for one in captured if not one["sql"].startswith(PRINCIPAL)]) <= COUNTS["POST orders, at most"]
