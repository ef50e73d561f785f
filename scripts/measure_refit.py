#!/usr/bin/env python3
"""How long the nightly refit of a large shop takes, database and suggestions included: fills an empty MariaDB by SQL.

    python scripts/services.py run -- python scripts/measure_refit.py [--products 100000] [--sale-days 30]

It wants an empty database and is for throwaway ones: nothing it writes went through the services.
"""

import argparse
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings_test")

import django

django.setup()  # the models below can only be imported after it

from bench_shop import fill_large  # noqa: E402  (after django.setup)
from django.db import connection  # noqa: E402  (after django.setup)
from evaluate_forecasts import peak_megabytes  # noqa: E402  (after django.setup)

from insights import demand, facts, refit  # noqa: E402  (after django.setup)
from insights.models import DailyDemand, ForecastCurve, Suggestion, TradingDay  # noqa: E402  (after django.setup)
from inventory.models import Warehouse  # noqa: E402  (after django.setup)
from workbox.core.models import EventCursor  # noqa: E402  (after django.setup)

DAYS = 365


def fill(products: int, sale_days: int) -> None:
    """That many products with stock, each with so many days of sales in the last year."""
    fill_large(products=products, lines=10)
    warehouse, last = Warehouse.objects.get(), facts.today() - timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT IGNORE INTO insights_dailydemand (product_id, warehouse_id, day, units, orders, returned_units,"  # noqa: S608  (our own numbers)
            " in_stock_share, is_empty_after) SELECT p.id, %s,"
            f" %s - INTERVAL CRC32(CONCAT(p.id, '-', seq)) %% {DAYS} DAY,"
            " 1 + CRC32(CONCAT(seq, '/', p.id)) %% (1 + p.id %% 9), 1, 0, 1, 0"
            f" FROM inventory_product p JOIN seq_1_to_{sale_days}",
            [warehouse.pk, last],
        )
        cursor.execute("ANALYZE TABLE insights_dailydemand")
    TradingDay.objects.bulk_create(
        TradingDay(warehouse=warehouse, day=last - timedelta(days=back), lines=1000) for back in range(DAYS)
    )
    EventCursor.objects.bulk_create(EventCursor(name=name, seq=0) for name in (demand.NAME, demand.BUILT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--sale-days", type=int, default=30)
    options = parser.parse_args()
    fill(options.products, options.sale_days)
    print(f"{DailyDemand.objects.count():,} rows of daily demand")
    marks: dict[str, tuple[float, float]] = {}

    def tick(_done: int, _total: int, what: str) -> None:
        marks[what] = (time.perf_counter(), time.process_time())

    wall, cpu = time.perf_counter(), time.process_time()
    run = refit.refit(tick=tick)
    seconds, busy = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{run.curves_count:,} curves in {seconds:.1f} s, {busy:.1f} s of this process")
    for what, (at, used) in marks.items():
        print(f"  {what} done after {at - wall:.1f} s, {used - cpu:.1f} s of this process")
    print(f"{ForecastCurve.objects.count():,} curves kept, {Suggestion.objects.count():,} suggestions")
    print(f"peak {peak_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
