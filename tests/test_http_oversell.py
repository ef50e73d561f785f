"""Promise 1 as a client sees it: many keep-alive connections want the last items from production HTTP servers."""

import http.client
import json
from collections import Counter

import pytest

from accounts.tokens import issue_pair
from inventory.models import ProductStock
from orders.models import Order
from tests.servers import serving
from workbox import drills

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
CLIENTS, ORDERS_EACH, UNITS = 64, 25, 500


def test_64_clients_over_http_get_exactly_what_there_is() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=UNITS)
    token = issue_pair(buyer).access
    answers: Counter[str] = Counter()

    with serving(1, production=True) as (server,):

        def buy() -> str:
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            body = json.dumps({"items": [{"product_id": lamp.pk, "quantity": 1}]})
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            for _ in range(ORDERS_EACH):
                client.request("POST", "/api/v1/orders/", body, headers)
                answer = client.getresponse()
                told = json.loads(answer.read())
                answers[f"{answer.status} {told.get('code', told.get('status'))}"] += 1
            client.close()
            return "done"

        assert drills.in_threads([buy] * CLIENTS, threads=CLIENTS) == {"done": CLIENTS}

    assert answers == {"201 confirmed": UNITS, "400 insufficient_stock": CLIENTS * ORDERS_EACH - UNITS}
    stock = ProductStock.objects.get(product=lamp)
    assert (stock.on_hand, stock.reserved, stock.available) == (UNITS, UNITS, 0)
    assert Order.objects.filter(user=buyer, status="confirmed").count() == UNITS
