"""Purchasing's tests: a vendor to buy from, and the check that its books balance after every test."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from purchasing.models import Vendor
from purchasing.queries import purchase_differences
from purchasing.services import vendors
from purchasing.services.vendors import NewPrice


@pytest.fixture(autouse=True)
def _purchases_balance(request: pytest.FixtureRequest, _ledger_balances: None) -> Iterator[None]:
    yield
    marked = request.node.get_closest_marker
    if marked("django_db") and not connection.needs_rollback and not marked("broken_books"):
        assert list(map(str, purchase_differences())) == []


@pytest.fixture
def make_vendor(db: None) -> Callable[..., Vendor]:
    """`make_vendor("Northwind Mill", prices={lamp.pk: "4.50"})`: a vendor who sells these products."""

    def make(name: str = "Northwind Mill", *, prices: dict[int, Any] | None = None, **values: Any) -> Vendor:
        vendor = vendors.create_vendor({"name": name, **values})
        for product_id, price in (prices or {}).items():
            vendors.add_price(vendor.pk, NewPrice(product_id, Decimal(str(price))))
        return vendor

    return make
