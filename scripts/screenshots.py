#!/usr/bin/env python3
"""`make screenshots`: the pictures of docs/images/, taken with Chromium from a throwaway server with demo data.

WORKBOX_CHROMIUM names the browser (default /usr/bin/chromium). Everything else lives in a temporary folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright
from services import free_port

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("WORKBOX_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
DESK, TALL, PHONE = (1280, 850), (1280, 1020), (390, 844)
BYTES_MAX = 300_000
USER = "manager"
START_SECONDS = 60

# An order with something in its time-line and a product that orders wait for: what their pages are there to show.
CHOOSE = """
import json
from inventory.models import ProductStock
from orders.models import Order
order = Order.objects.filter(status="partially_shipped").order_by("-id").first() or Order.objects.latest("id")
product = ProductStock.objects.order_by("-reserved").first()
open_order = Order.objects.filter(status="confirmed").order_by("-id").first() or order
print(json.dumps({"order": order.pk, "product": product.product_id, "open": open_order.pk, "sku": product.product.sku}))
"""
# A few orders while somebody looks at the live page.
BUY = """
from decimal import Decimal
from inventory.models import ProductStock
from orders import services
from orders.models import Customer
stocks = list(ProductStock.objects.filter(available__gt=20).order_by("product_id")[:4])
for customer, stock in zip(Customer.objects.order_by("id"), stocks):
    services.place_order([services.Item(stock.product_id, Decimal(2))], user_id=None, customer_id=customer.pk)
"""


class Shop:
    """The demo on a SQLite file of its own, behind `manage.py serve`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.password = folder, free_port(), secrets.token_urlsafe(12)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "workbox.settings",
            "DATABASE_URL": f"sqlite:///{folder / 'screenshots.sqlite3'}",
            "WORKBOX_VAR_DIR": str(folder),
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            "DEBUG": "false",
            "DB_HOST": "",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "",
            "LOG_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",
        }

    def manage(self, *arguments: str) -> str:
        """What a management command prints."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def run(self, code: str) -> str:
        """What this Python prints on the shop's database, in another process than the server's."""
        return self.manage("shell", "--no-imports", "-c", code)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """The server answers; it is stopped by its process id."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(self.port)], cwd=ROOT, env=self.environment
        )
        try:
            self._await(process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live"):
                return
            time.sleep(0.1)
        sys.exit("The server did not answer.")


@contextlib.contextmanager
def visit(
    browser: Browser, shop: Shop, size: tuple[int, int] = DESK, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    """A window of its own in which the manager is logged in and stands on the home page."""
    width, height = size
    context = browser.new_context(
        base_url=shop.url, viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("#id_username", USER)
    page.fill("#id_password", shop.password)
    page.click("#login-form button[type=submit]")
    page.wait_for_url("**/admin/")
    yield page
    context.close()


def shoot(page: Page, name: str) -> None:
    """Save what the window shows once its fonts and pictures are there."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.mouse.move(0, 0)
    target = IMAGES / f"{name}.png"
    page.screenshot(path=target, animations="disabled")
    size = target.stat().st_size
    print(f"{target.relative_to(ROOT)}  {size // 1000} kB")
    if size > BYTES_MAX:
        sys.exit(f"{target.name} is larger than {BYTES_MAX // 1000} kB.")


def shoot_all(browser: Browser, shop: Shop, chosen: dict[str, Any]) -> None:
    """Every picture the documents show."""
    with visit(browser, shop) as page:
        shoot(page, "home")
    with visit(browser, shop, TALL) as page:
        page.goto(f"/admin/orders/order/{chosen['order']}/change/")
        shoot(page, "order")
        page.goto(f"/admin/inventory/product/{chosen['product']}/change/")
        shoot(page, "product")
        page.goto(f"/admin/story/product/{chosen['product']}/")
        shoot(page, "time-line")
    with visit(browser, shop) as page:
        page.goto("/admin/scan/")
        page.wait_for_selector("#scan[data-state=ready]")
        page.keyboard.type(chosen["sku"])
        page.keyboard.press("Enter")
        page.wait_for_selector("#scan-result[data-state=good]")
        shoot(page, "scan")
        page.goto(f"/admin/inventory/product/labels/?ids={chosen['product']}")
        shoot(page, "labels")
        page.goto("/admin/board/")
        shoot(page, "board")
    with visit(browser, shop, TALL) as page:
        page.goto(f"/admin/lookup/{chosen['product']}/")
        shoot(page, "lookup")
        page.goto("/admin/replenishment/")
        shoot(page, "replenishment")
    with visit(browser, shop) as page:
        page.goto("/live/")
        page.wait_for_selector("#connection[data-state=live]")
        seen = page.locator("#orders li").count()
        shop.run(BUY)
        page.wait_for_function("seen => document.querySelectorAll('#orders li').length !== seen", arg=seen)
        page.wait_for_timeout(1000)
        shoot(page, "live")
    with visit(browser, shop, scheme="dark") as page:
        shoot(page, "home-dark")
    with visit(browser, shop, PHONE) as page:
        shoot(page, "phone")


def main() -> None:
    """A shop, a browser, the pictures."""
    if not Path(CHROMIUM).exists():
        sys.exit(f"There is no Chromium at {CHROMIUM}; WORKBOX_CHROMIUM names another one.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="workbox-screenshots-") as folder:
        shop = Shop(Path(folder))
        shop.manage("migrate", "--verbosity", "0")
        shop.manage("demo", "--password", shop.password)
        chosen = json.loads(shop.run(CHOOSE))
        with shop.serving(), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            shoot_all(browser, shop, chosen)
            browser.close()


if __name__ == "__main__":
    main()
