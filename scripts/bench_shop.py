"""The shop that bench.py measures, with Django's imports; loaded once the environment names the throwaway servers."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import django

django.setup()  # the models below can only be imported after it

from django.core.management import call_command
from django.db import connection

from accounts.models import User
from accounts.tokens import issue_pair
from insights import sales
from inventory.models import Category, Product, ProductStock, UnitOfMeasure, Warehouse
from inventory.services import ledger
from inventory.services.catalog import OpeningStock, create_product
from workbox.core import events
from workbox.core.db import transact

STOCK = Decimal(1_000_000)
STEP = 250


def fill(products: int) -> str:
    """A catalogue of `products` with plenty of stock, made through the services; returns a manager's token."""
    call_command("migrate", verbosity=0)
    warehouse = Warehouse.objects.create(name="Main store", code="MAIN", priority=1)

    def some(first: int) -> None:
        for number in range(first, min(first + STEP, products + 1)):
            create_product(
                name=f"Item number {number}",
                sku=f"SKU-{number:07d}",
                description=(
                    f"Description of product {number}: a dependable item for home and office use, two year warranty"
                ),
                category=f"Category {number % 20:02d}",
                price=Decimal(1 + number * 7919 % 100000) / 100,
                opening=OpeningStock(STOCK, warehouse.pk),
            )

    for first in range(1, products + 1, STEP):
        transact(partial(some, first))
    while events.sequence_pending():
        pass
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE inventory_product, inventory_stocklevel, inventory_productstock")
    manager = User.objects.create_user("bench", "bench@example.com", role="manager")
    return issue_pair(manager).access


def fill_large(*, products: int, lines: int) -> str:
    """A shop of that many products and order lines, made by SQL, with its daily rollup; returns a manager's token.

    It is for reading only: there are no movements behind the stock. Names are as the peer names its products.
    """
    call_command("migrate", verbosity=0)
    warehouse = Warehouse.objects.create(name="Main store", code="MAIN", priority=1)
    unit = UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})[0]
    Category.objects.bulk_create(Category(name=f"Category {number:02d}") for number in range(1, 21))
    first = Category.objects.order_by("id").values_list("id", flat=True)[0]
    kinds = "'Laptop','Monitor','Keyboard','Mouse','Cable','Chair','Desk','Lamp','Phone','Tablet','Speaker','Charger'"
    makes = "'Basic','Pro','Max','Mini','Ultra','Air','Prime','Eco','Smart','Classic'"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_product (sku, name, description, category_id, unit_id, price, reorder_threshold,"  # noqa: S608  (our own words and numbers)
            " reorder_quantity, is_stocked, is_active, created_at, updated_at)"
            f" SELECT CONCAT('SKU-', LPAD(seq, 7, '0')), CONCAT(ELT(1 + seq %% 12, {kinds}), ' ',"
            f" ELT(1 + (seq DIV 12) %% 10, {makes}), ' ', seq), CONCAT('Description of product ', seq),"
            " %s + seq %% 20, %s, 1 + (seq * 7919) %% 100000 / 100, 10, 0, 1, 1, NOW(6), NOW(6)"
            f" FROM seq_1_to_{products}",
            [first, unit.pk],
        )
        cursor.execute(
            "INSERT INTO inventory_productstock (product_id, on_hand, reserved, available, version)"
            " SELECT id, 1000, 0, 1000, 1 FROM inventory_product"
        )
        cursor.execute(
            "INSERT INTO inventory_stocklevel (product_id, warehouse_id, on_hand, reserved, bin, has_late_entries,"
            " updated_at) SELECT id, %s, 1000, 0, '', 0, NOW(6) FROM inventory_product",
            [warehouse.pk],
        )
        cursor.execute(
            "INSERT INTO orders_order (id, status, channel, total_amount, notes, placed_at, confirmed_at, shipped_at,"  # noqa: S608  (our own numbers)
            " delivered_at, created_at, updated_at) SELECT seq, 'delivered', 'import', 0, '', at, at, at, at, at, at"
            f" FROM (SELECT seq, NOW(6) - INTERVAL ({lines * 2 // 5} - seq) * 78.8 SECOND AS at"
            f" FROM seq_1_to_{lines * 2 // 5}) AS placed"
        )
        first_id = Product.objects.order_by("id").values_list("id", flat=True)[0]
        cursor.execute(
            "INSERT INTO orders_orderline (order_id, product_id, quantity, unit_price, shipped_quantity,"  # noqa: S608  (our own numbers)
            " returned_quantity) SELECT 1 + FLOOR((seq - 1) * 0.4), %s + FLOOR(RAND(seq) * RAND(seq + 7) *"
            f" {products}), 1 + seq %% 5, 1 + (seq * 7919) %% 100000 / 100, 1 + seq %% 5, 0 FROM seq_1_to_{lines}",
            [first_id],
        )
        cursor.execute("ANALYZE TABLE inventory_product, inventory_productstock, orders_order, orders_orderline")
    sales.rebuild()
    manager = User.objects.create_user("bench", "bench@example.com", role="manager")
    return issue_pair(manager).access


def first_product() -> tuple[int, int]:
    """Id and stock version of the product whose changes are sent out."""
    product: int = Product.objects.order_by("id").values_list("id", flat=True)[0]
    return product, ProductStock.objects.get(product_id=product).version


def add_one(product: int) -> None:
    """One unit more: the change that every listener hears. Connections are kept, as a server keeps them."""
    ledger.adjust(product, quantity=Decimal(1), reason="bench")
