#!/usr/bin/env python3
"""Reading a large shop beside the reference peer: 100,000 products and 1,000,000 order lines on both sides, one run.

    python scripts/bench_large.py [--rounds 3] [--secs 5] [--products 100000] [--lines 1000000]

A page of the catalogue, a search for a word, and sales by category (WorkBox reads its daily rollup, the peer its order
lines). Both shops are filled by SQL. What is asked for is made anew each time; `make bench` measures kept answers.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import bench
from services import Services, running, stop_on_signals

CHUNK = 100_000
NEVER_KEPT = {"K_NO_CACHE": "1"}
CASES = {
    "page of 20": ("page", "/api/v1/products/?page={n}&page_size=20", "/products?page={n}&page_size=20", NEVER_KEPT),
    "search": (
        "page",
        "/api/v1/products/?search=lamp&page_size=20",
        "/products?search=lamp&page_size=20",
        NEVER_KEPT,
    ),
    "sales by category": ("get", "/api/v1/sales/by-category", "/analytics/by-category", NEVER_KEPT),
}
PEER_PRODUCTS_MADE = 5000  # by the peer's own fill
MORE_PEER_PRODUCTS = """
INSERT INTO products(sku,name,description,category_id,price,stock,low_stock,is_active,created_at,updated_at)
 SELECT CONCAT('SKU-',LPAD(seq,7,'0')),
  CONCAT(ELT(1+seq%12,'Laptop','Monitor','Keyboard','Mouse','Cable','Chair','Desk','Lamp','Phone','Tablet','Speaker','Charger'),
   ' ', ELT(1+(seq DIV 12)%10,'Basic','Pro','Max','Mini','Ultra','Air','Prime','Eco','Smart','Classic'),' ',seq),
  CONCAT('Description of product ',seq), 1+seq%20, 1+(seq*7919)%100000/100, 1000000000, 10, 1, NOW(6), NOW(6)
 FROM seq_{first}_to_{last};
ANALYZE TABLE products
"""


def main() -> None:
    """Fill both, measure, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("rounds", 3), ("secs", 5), ("conns", 16), ("workers", 2), ("threads", 8)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--cases", default="", help=f"separated by ; (all: {'; '.join(CASES)})")
    parser.add_argument("--peer-port", type=int, default=21901)
    asked = parser.parse_args()
    stop_on_signals()
    compare = bench.peer_module()
    if compare is None:
        sys.exit("The reference peer is not here; set WORKBOX_BENCH to the folder with compare.py.")
    with running(durable=True) as services:
        os.environ |= services.environment | bench.production_settings()
        sys.path.insert(0, str(bench.ROOT))  # our apps; scripts/ is there already
        shop = bench.load_module(Path(__file__).with_name("bench_shop.py"))
        began = time.monotonic()
        token = shop.fill_large(products=asked.products, lines=asked.lines)
        print(f"WorkBox's shop is filled and rolled up in {time.monotonic() - began:.0f} s", flush=True)
        _measure(asked, compare, services, token)


def _measure(asked: argparse.Namespace, compare: ModuleType, services: Services, token: str) -> None:
    bench.CASES.clear()
    bench.CASES.update(CASES)
    asked.cases, asked.usual_drf, asked.no_tailer = asked.cases or ";".join(CASES), False, True
    products, asked.products = asked.products, PEER_PRODUCTS_MADE  # both are asked for the first 250 pages
    started = compare.start_peer

    def start_peer(place: argparse.Namespace, port: int) -> object:
        found = started(place, port)
        more = MORE_PEER_PRODUCTS.format(first=PEER_PRODUCTS_MADE + 1, last=products)
        if products > PEER_PRODUCTS_MADE:
            compare.sql(place.db, more, database="workbox_reference")
        return found

    compare.start_peer = start_peer  # type: ignore[attr-defined]  # the module is loaded by path
    bench.http_cases(asked, compare, services, token)


if __name__ == "__main__":
    main()
