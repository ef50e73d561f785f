#!/usr/bin/env python3
"""How long the figures take over a million order lines: fills an empty MariaDB with bulk SQL, then asks over HTTP.

    python scripts/services.py run -- python scripts/measure_figures.py

It wants a database without orders, and is for throwaway ones: nothing it writes went through the services.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings_test")

import django

django.setup()  # the models below can only be imported after it

from django.core.management import call_command  # noqa: E402  (after django.setup)
from django.db import connection  # noqa: E402  (after django.setup)
from django.test import Client  # noqa: E402  (after django.setup)

from accounts.models import User  # noqa: E402  (after django.setup)
from accounts.tokens import issue_pair  # noqa: E402  (after django.setup)
from insights import facts, sales, snapshot  # noqa: E402  (after django.setup)
from inventory.models import Category, Product, Warehouse  # noqa: E402  (after django.setup)
from inventory.services.catalog import create_products  # noqa: E402  (after django.setup)
from orders.models import Order  # noqa: E402  (after django.setup)
from workbox.core.db import transact  # noqa: E402  (after django.setup)

ORDERS, LINES_PER_ORDER, PRODUCTS, CATEGORIES, DAYS = 340_000, 3, 5_000, 20, 365
REPEATS = 15
PATHS = (
    "sales/analytics?start_date={first}",
    "sales/analytics?start_date={first}&category=C3",
    "sales/analytics?start_date={first}&product_id={product}",
    "sales/by-category?start_date={first}",
    "sales/revenue/comparison?period=annual",
    "analytics/snapshot",
    "insights/sales-trends?days=366",
    "insights/category-performance",
    "insights/stock-management",
    "insights/abc?start_date={first}",
    "insights/turnover",
    "insights/ageing",
    "insights/dead-stock",
)


def fill() -> int:
    """A year of orders over all products; returns a product's id."""
    Warehouse.objects.create(name="Main store", code="MAIN", priority=1)
    category = [Category.objects.create(name=f"C{number}") for number in range(CATEGORIES)]
    shelf = [
        Product(sku=f"P{number}", name=f"P{number}", category=category[number % CATEGORIES], price=10)
        for number in range(PRODUCTS)
    ]
    first = min(transact(lambda: create_products(shelf)).values())
    midnight = datetime.combine(datetime.now(UTC).date() - timedelta(days=DAYS - 1), datetime.min.time())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_order (status, channel, total_amount, notes, placed_at, created_at, updated_at)"  # noqa: S608  (MariaDB's table of numbers)
            " SELECT IF(seq MOD 10 = 0, 'cancelled', 'delivered'), 'api', 30, '',"
            " %s + INTERVAL (seq * %s DIV %s) SECOND, NOW(6), NOW(6)"
            f" FROM seq_1_to_{ORDERS}",
            [midnight, (DAYS - 1) * 86_400 + 3_600, ORDERS],
        )
        for line in range(LINES_PER_ORDER):
            cursor.execute(
                "INSERT INTO orders_orderline"
                " (order_id, product_id, quantity, unit_price, shipped_quantity, returned_quantity)"
                " SELECT id, %s + (id * 7919 + %s * 104729) MOD %s, 1 + id MOD 3, 10, 0, 0 FROM orders_order",
                [first, line, PRODUCTS],
            )
        cursor.execute("ANALYZE TABLE orders_order, orders_orderline")
        cursor.fetchall()
    return first


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Fill, build, ask, print."""
    call_command("migrate", verbosity=0)
    if Order.objects.exists():
        sys.exit("This database has orders; give me an empty one.")
    product = fill()
    print(f"rebuild: {timed(sales.rebuild) / 1000:.1f} s")
    print(f"one day again: {timed(lambda: sales.recompute([facts.today() - timedelta(days=9)])):.0f} ms")
    token = issue_pair(User.objects.create_user("a", "a@example.com", "x", role="analyst")).access
    client = Client(headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="localhost")
    first = (facts.today() - timedelta(days=DAYS - 1)).isoformat()
    for path in PATHS:
        filled = "/api/v1/" + path.format(first=first, product=product)
        if client.get(filled).status_code != 200:
            sys.exit(f"{filled} does not answer")
        times = sorted(timed(partial(client.get, filled)) for _ in range(REPEATS))
        print(f"{path:<60} median {statistics.median(times):7.1f} ms, slowest {times[-1]:7.1f} ms")
    print(f"{'snapshot, without HTTP':<60} {timed(snapshot.snapshot_text):14.1f} ms")


if __name__ == "__main__":
    main()
