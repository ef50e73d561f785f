"""`manage.py demo`: a believable shop to look around in."""

from argparse import ArgumentParser
from typing import Any

from django.db.models import Count

from insights import refit, watch
from insights.models import ForecastRun
from inventory.models import Product, StockMovement, Warehouse
from inventory.queries import low_stock_products
from orders.models import Order
from workbox.core.commands import OK, WorkBoxCommand, progress
from workbox.core.errors import Invalid
from workbox.demo.catalogue import PRODUCTS_MAX, SHOP_NAME
from workbox.demo.stage import EMAIL_DOMAIN, USERS, play
from workbox.env import env

PRODUCTS, ORDERS = 40, 600


class Command(WorkBoxCommand):
    """Fill the database with a garden shop and its last 75 days; run again, it adds only what is missing."""

    help = "Load the demo: users, warehouses, products and 75 days of history, through the services."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--password", required=True, help="of all demo users")
        parser.add_argument("--products", type=int, default=PRODUCTS, help=f"how many (default {PRODUCTS})")
        parser.add_argument("--orders", type=int, default=ORDERS, help=f"about how many (default {ORDERS})")

    def run(self, **options: Any) -> int:
        if not 1 <= options["products"] <= PRODUCTS_MAX or options["orders"] < 0:
            raise Invalid(f"--products must lie between 1 and {PRODUCTS_MAX}, --orders may not be negative.")
        with progress() as begin:
            play(password=options["password"], products=options["products"], orders=options["orders"], begin=begin)
        refit.refit(ForecastRun.Kind.TRAINING)
        watch.check()
        body = _body(options["password"])
        if options["json"]:
            self.answer(body)
        else:
            self.tell(body)
        return OK

    def tell(self, body: dict[str, Any]) -> None:
        """The answer in words."""
        self.say(f"{SHOP_NAME}: {body['products']} products, {body['orders']} orders, {body['movements']} movements.")
        self.say(f"  {body['url']}")
        for user in body["users"]:
            self.say(f"  {user['email']:<24}{user['role']}")
        self.say(f"  password: {body['password']}")


def _body(password: str) -> dict[str, Any]:
    by_status = Order.objects.values_list("status").annotate(count=Count("id")).order_by("status")
    return {
        "url": f"http://127.0.0.1:{env.int('WORKBOX_PORT', default=8000)}/",
        "users": [{"username": name, "email": f"{name}@{EMAIL_DOMAIN}", "role": role.value} for name, role, _ in USERS],
        "password": password,
        "warehouses": Warehouse.objects.count(),
        "products": Product.objects.count(),
        "orders": Order.objects.count(),
        "orders_by_status": dict(by_status),
        "movements": StockMovement.objects.count(),
        "low_stock": low_stock_products().count(),
    }
