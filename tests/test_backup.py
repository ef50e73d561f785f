"""Promise 19: a dump taken while orders are placed restores with clean books and its triggers."""

import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from inventory.services import protection
from orders import services
from orders.models import Order
from orders.services import Item
from tests.servers import database_url
from workbox import drills

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parent.parent


def test_a_dump_under_load_restores_with_clean_books_and_triggers() -> None:
    buyer, (lamp,) = drills.shop(products=1, stock=100_000)
    stopping = threading.Event()

    def load() -> None:
        try:
            while not stopping.is_set():
                services.place_order([Item(lamp.pk, Decimal(1))], user_id=buyer.pk)
        finally:
            connection.close()

    writers = [threading.Thread(target=load) for _ in range(4)]
    assert protection.protect() == []
    try:
        for writer in writers:
            writer.start()
        before = Order.objects.count()
        variables = {"DATABASE_URL": database_url(), "SECRET_KEY": settings.SECRET_KEY, "REDIS_URL": ""}
        done = subprocess.run(
            [sys.executable, "scripts/backup_drill.py"],
            cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        stopping.set()
        for writer in writers:
            writer.join()
        protection.unprotect()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its books are clean" in done.stdout
    assert Order.objects.count() > before, "nobody waited for the dump"
    with connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE '%drill%'")
        assert cursor.fetchall() == ()
