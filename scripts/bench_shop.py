"""The shop that bench.py measures, with Django's imports; loaded once the environment names the throwaway servers."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import django

django.setup()  # the models below can only be imported after it

from django.core.management import call_command  # noqa: E402  (after django.setup)
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.tokens import issue_pair  # noqa: E402
from inventory.models import Product, ProductStock, Warehouse  # noqa: E402
from inventory.services import ledger  # noqa: E402
from inventory.services.catalog import OpeningStock, create_product  # noqa: E402
from workbox.core import events  # noqa: E402
from workbox.core.db import transact  # noqa: E402

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


def first_product() -> tuple[int, int]:
    """Id and stock version of the product whose changes are sent out."""
    product: int = Product.objects.order_by("id").values_list("id", flat=True)[0]
    return product, ProductStock.objects.get(product_id=product).version


def add_one(product: int) -> None:
    """One unit more: the change that every listener hears. Connections are kept, as a server keeps them."""
    ledger.adjust(product, quantity=Decimal(1), reason="bench")
