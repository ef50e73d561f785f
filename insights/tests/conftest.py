"""What tests of demand and forecasts share: a product with a past."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from insights import facts
from inventory.models import Product, Warehouse
from inventory.services import ledger
from inventory.services.ledger import Movement
from orders.history import PastLine, PastOrder, record_history

_numbers = count(1)
SellDaily = Callable[..., None]


def days_ago(days: int, hour: int = 12) -> datetime:
    """That hour (UTC) so many days ago."""
    return facts.midnight(facts.today() - timedelta(days=days)) + timedelta(hours=hour)


def stock_up(product: Product, units: object, *, place: Warehouse, ago: int) -> None:
    """So much came in at one o'clock so many days ago."""
    line = Movement(product.pk, place.pk, "purchase", Decimal(str(units)))
    ledger.post([line], occurred_at=days_ago(ago, 1), reason="Delivery")


@pytest.fixture
def sell_daily(main: Warehouse) -> SellDaily:
    """`sell_daily(lamp, [2, 0, 3])`: ordered and shipped on the last three days, at noon, from stock that lay there."""

    def sell(
        product: Product, units: Iterable[object], *, stock: object = 0, place: Warehouse = main, until: int = 1
    ) -> None:
        amounts = [Decimal(str(one)) for one in units]
        first = until + len(amounts) - 1
        stock_up(product, sum(amounts, Decimal(0)) + Decimal(str(stock)), place=place, ago=first + 1)
        papers = [
            PastOrder(f"PAST-{next(_numbers)}", days_ago(first - number), [PastLine(product.pk, one, Decimal(10))])
            for number, one in enumerate(amounts)
            if one > 0
        ]
        record_history(papers, warehouse_id=place.pk)

    return sell


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
