"""What an import compares stands still until it is written; MariaDB only, with a negative control."""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from inventory.models import (
    MovementType,
    Product,
    ProductStock,
    StockMovement,
    StockOperation,
    UnitOfMeasure,
    Warehouse,
)
from inventory.services import ledger
from inventory.services.catalog import OpeningStock, create_product
from workbox.exchange import imports
from workbox.exchange.intake import keep, receive
from workbox.exchange.kinds.base import Applied
from workbox.exchange.kinds.products import Products
from workbox.exchange.models import Import
from workbox.jobs import services
from workbox.jobs.models import Job, JobState

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
MEANWHILE_SECONDS = 0.7
D = Decimal


@pytest.fixture
def lamp() -> Product:
    UnitOfMeasure.objects.get_or_create(code="piece", defaults={"name": "Piece"})
    main = Warehouse.objects.create(name="Main store", code="MAIN", priority=1)
    return create_product(name="Lamp", sku="LAMP", price=D(1), opening=OpeningStock(D(5), main.pk))


@pytest.fixture
def broken_meanwhile(lamp: Product, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Between the second look and the writing somebody books a breakage; set when that is done."""
    done = threading.Event()
    threads: list[threading.Thread] = []
    write: Callable[..., Applied] = Products.apply

    def breakage() -> None:
        try:
            ledger.adjust(lamp.pk, quantity=D(-1), reason="broken")
            done.set()
        finally:
            connection.close()

    def apply(self: Products, *arguments: Any, **named: Any) -> Applied:
        threads.append(threading.Thread(target=breakage))
        threads[-1].start()
        done.wait(MEANWHILE_SECONDS)
        return write(self, *arguments, **named)

    monkeypatch.setattr(Products, "apply", apply)
    yield done
    for thread in threads:
        thread.join()


def written_balance(done: threading.Event) -> Decimal:
    """Import "LAMP has 8"; what the ledger says there was right after the import's own movement."""
    received = receive(keep([b"sku,on_hand MAIN\nLAMP,8\n"]))
    made = imports.receive_import(received, what="products", original_name="p.csv", user_id=None)
    services.run(made.job_id or 0)
    queued = imports.start_apply(made.pk, mode=imports.ALL_OR_NOTHING, user_id=None)
    services.run(queued.job_id or 0)
    assert done.wait(10)
    assert Job.objects.get(pk=queued.job_id).state == JobState.DONE
    assert Import.objects.get().state == "applied"
    assert ProductStock.objects.get().on_hand == 7
    movement = StockMovement.objects.get(
        operation__kind=StockOperation.Kind.IMPORT, movement_type=MovementType.ADJUSTMENT
    )
    return movement.balance_after


def test_stock_stands_still_between_the_second_look_and_the_writing(broken_meanwhile: threading.Event) -> None:
    assert written_balance(broken_meanwhile) == 8


def test_without_the_lock_the_import_would_write_what_nobody_saw(
    broken_meanwhile: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the same story without `hold`."""
    monkeypatch.setattr(Products, "hold", lambda self, lines: None)
    assert written_balance(broken_meanwhile) == 7
