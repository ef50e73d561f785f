#!/usr/bin/env python3
"""How fast the admin's big lists answer with a million movements: server time per page, p50 and p95.

    python scripts/services.py run -- python scripts/measure_lists.py [--movements 1000000] [--rounds 20]

Fills an empty database by SQL (a thousand products, an act per four movements, an event per act), then asks for pages
through Django's own stack, without a network: what is measured is what the server does. Refuses a database with orders.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings_test")

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import User
from inventory.models import Product, StockMovement, UnitOfMeasure, Warehouse
from orders.models import Order

PRODUCTS, LINES_PER_ACT, CHUNK = 1000, 4, 100_000
LIMIT_MS = 300.0
PATHS = {
    "movements: first page": "/admin/inventory/stockmovement/",
    "movements: page 200": "/admin/inventory/stockmovement/?p=200",
    "movements: before id 500,000 (by key)": "/admin/inventory/stockmovement/?id__lt=500000",
    "movements: search SKU": "/admin/inventory/stockmovement/?q=SKU-00042",
    "movements: search word of every product": "/admin/inventory/stockmovement/?q=product",
    "movements: search reference": "/admin/inventory/stockmovement/?q=ORDER-777",
    "movements: filter type (common)": "/admin/inventory/stockmovement/?movement_type__exact=sale",
    "movements: filter type (rare)": "/admin/inventory/stockmovement/?movement_type__exact=damaged",
    "movements: filter warehouse": "/admin/inventory/stockmovement/?warehouse__id__exact=2",
    "movements: filter product": "/admin/inventory/stockmovement/?product__id__exact=42",
    "movements: filter one day": "/admin/inventory/stockmovement/?created_at_from=2026-03-01&created_at_to=2026-03-01",
    "operations: first page": "/admin/inventory/stockoperation/",
    "operations: page 200": "/admin/inventory/stockoperation/?p=200",
    "operations: search reason": "/admin/inventory/stockoperation/?q=counted",
    "operations: filter kind": "/admin/inventory/stockoperation/?kind__exact=shipment",
    "events: first page": "/admin/core/event/",
    "events: search number": "/admin/core/event/?q=42",
    "events: search request id": "/admin/core/event/?q=nobody-has-this",
    "home": "/admin/",
    "Ctrl+K: SKU": "/admin/search/?extended=1&s=SKU-0004",
    "Ctrl+K: nothing": "/admin/search/?extended=1&s=zzzzz",
}


def fill(movements: int) -> None:
    """Products, acts, movements and events, in few large statements."""
    user = User.objects.create_user("admin", "admin@example.com", "shelves-and-boxes-42", role="admin")
    unit = UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})[0]
    places = [Warehouse.objects.create(name=f"W{number}", code=f"W{number}") for number in range(1, 4)]
    Product.objects.bulk_create(
        Product(sku=f"SKU-{number:05d}", name=f"A product number {number}", unit=unit) for number in range(PRODUCTS)
    )
    first = Product.objects.order_by("id").values_list("id", flat=True)[0]
    # Only whole numbers of our own stand in these texts.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_productstock (product_id, on_hand, reserved, available, version)"
            " SELECT id, 100, 0, 100, 1 FROM inventory_product"
        )
        for start in range(1, movements + 1, CHUNK):
            end = min(start + CHUNK - 1, movements)
            cursor.execute(
                "INSERT INTO inventory_stockoperation (id, kind, reason, reference, actor_id, request_id, occurred_at,"  # noqa: S608  (our own numbers)
                " created_at) SELECT seq, CASE WHEN seq %% 50 = 0 THEN 'adjustment' ELSE 'shipment' END,"
                " CASE WHEN seq %% 50 = 0 THEN 'counted again' ELSE '' END, CONCAT('ORDER-', seq), %s,"
                " CONCAT('request-', seq), DATE_ADD('2026-01-01', INTERVAL seq MINUTE), NOW()"
                f" FROM seq_{(start - 1) // LINES_PER_ACT + 1}_to_{end // LINES_PER_ACT}",
                [user.pk],
            )
            cursor.execute(
                "INSERT INTO inventory_stockmovement (operation_id, product_id, warehouse_id, movement_type, quantity,"  # noqa: S608  (our own numbers)
                " balance_after, created_at)"
                f" SELECT (seq - 1) DIV {LINES_PER_ACT} + 1, %s + seq %% {PRODUCTS}, %s + seq %% 3,"
                " CASE WHEN seq %% 5000 = 0 THEN 'damaged' WHEN seq %% 7 = 0 THEN 'purchase' ELSE 'sale' END,"
                " CASE WHEN seq %% 5000 <> 0 AND seq %% 7 = 0 THEN 5 ELSE -1 END, 100,"
                " DATE_ADD('2026-01-01', INTERVAL seq DIV 4 MINUTE)"
                f" FROM seq_{start}_to_{end}",
                [first, places[0].pk],
            )
            cursor.execute(
                "INSERT INTO core_event (seq, type, topic, subject_id, request_id, payload, companions, created_at)"  # noqa: S608  (our own numbers)
                " SELECT seq, 'order_updated', 'orders', seq, CONCAT('request-', seq), '{}', '', NOW()"
                f" FROM seq_{(start - 1) // LINES_PER_ACT + 1}_to_{end // LINES_PER_ACT}"
            )
        cursor.execute("ANALYZE TABLE inventory_stockmovement, inventory_stockoperation, core_event")
        cursor.fetchall()


def measure(client: Client, path: str, rounds: int) -> tuple[float, float, float]:
    """Median and 95th percentile of the server's time for the page, and what Django computed of it; milliseconds."""
    taken, computed = [], []
    for number in range(rounds + 2):
        began, own = time.perf_counter(), time.process_time()
        answer = client.get(path)
        answer.content  # noqa: B018  (rendered)
        if number >= 2:  # the first two warm caches and templates
            taken.append((time.perf_counter() - began) * 1000)
            computed.append((time.process_time() - own) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)  # noqa: S101  (a measurement of an error page would be none)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1], statistics.median(computed)


def main() -> int:
    """Fill, measure, print; 1 when a page is slower than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--movements", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    if connection.vendor != "mysql":
        print("This needs MariaDB: python scripts/services.py run -- python scripts/measure_lists.py")
        return 2
    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    if Order.objects.exists():
        print("This database is in use: it has orders. Take an empty one.")
        return 2
    if not StockMovement.objects.exists():
        began = time.perf_counter()
        fill(asked.movements)
        print(f"{asked.movements:,} movements filled in {time.perf_counter() - began:.0f} s")
    client = Client()
    client.force_login(User.objects.get(username="admin"), backend="accounts.roles.RoleBackend")
    slow = 0
    for name, path in PATHS.items():
        median, p95, own = measure(client, path, asked.rounds)
        slow += p95 > LIMIT_MS
        words = f"p50 {median:7.1f} ms   p95 {p95:7.1f} ms   of it Django {own:6.1f} ms"
        print(f"{name:41} {words}{'   SLOW' if p95 > LIMIT_MS else ''}", flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
