"""The live page in two real browsers: what one does the other sees; a server that went away is caught up with."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.server import ROOT, Server
from tests.browser.world import PASSWORD

MakeVisitor = Callable[..., Visitor]
TOWEL = "TOWEL-01"


def row(page: Page, sku: str) -> str:
    """The available quantity of a product as the page shows it."""
    return page.locator("#products tr", has_text=sku).locator("td.available").inner_text()


def adjust(server: Server, sku: str, quantity: int) -> None:
    """Stock moves, in another process."""
    server.run(
        "from decimal import Decimal; from inventory.models import Product; from inventory.services import ledger;"
        f"ledger.adjust(Product.objects.get(sku='{sku}').pk, quantity=Decimal({quantity}), reason='browser test')"
    )


def available(server: Server, sku: str) -> int:
    """What the database says: tests of other pages sell from the same shop."""
    told = server.run(
        "from inventory.models import ProductStock;"
        f"print(int(ProductStock.objects.get(product__sku='{sku}').available))"
    )
    return int(told.split()[-1])


def expect_row(page: Page, sku: str, available: str) -> None:
    cell = page.locator("#products tr", has_text=sku).locator("td.available")
    expect(cell).to_have_text(available, timeout=15_000)


def is_live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=30_000)


def test_two_browsers_see_each_others_change_without_reload(visitor: MakeVisitor) -> None:
    watching, working = visitor("analyst"), visitor("clerk")
    live = watching.open("/live/")
    is_live(live)
    before = float(row(live, "BOX-L").replace(",", ""))

    page = working.open("/admin/inventory/product/7/change/")
    page.get_by_role("link", name=re.compile("Adjust stock$")).click()
    page.fill("#dialog #id_quantity", "-3")
    page.fill("#dialog #id_reason", "Crushed")
    page.get_by_role("button", name="Post the adjustment").click()
    expect(page.locator("body")).to_contain_text("Now")

    expect_row(live, "BOX-L", f"{before - 3:g}")
    expect(live.locator("#announcer")).to_contain_text("Storage box, large", timeout=10_000)


def test_a_new_order_appears_on_top_and_moves_on(visitor: MakeVisitor, server: Server) -> None:
    live = visitor("clerk").open("/live/")
    is_live(live)
    server.run(
        "from decimal import Decimal; from inventory.models import Product; from orders import services;"
        "one = services.place_order([services.Item(Product.objects.get(sku='CHAIR-01').pk, Decimal(1))], user_id=None,"
        " confirm=False); services.confirm_order(one.id)"
    )
    first = live.locator("#orders li").first
    expect(first).to_have_attribute("data-status", "confirmed", timeout=15_000)
    expect(first).to_contain_text("1 × Folding chair")


def test_a_restarted_server_is_found_again_and_nothing_is_lost(visitor: MakeVisitor, server: Server) -> None:
    one = visitor("clerk")
    live = one.open("/live/")
    is_live(live)
    before = float(row(live, TOWEL))
    server.stop()
    expect(live.locator("#connection")).to_have_attribute("data-state", "reconnecting", timeout=15_000)
    adjust(server, TOWEL, 5)
    server.start()
    is_live(live)
    expect_row(live, TOWEL, f"{before + 5:g}")
    adjust(server, TOWEL, 1)
    expect_row(live, TOWEL, f"{before + 6:g}")
    # The browser itself reports each failed attempt; those are the only complaints this test allows.
    one.troubles[:] = [text for text in one.troubles if "WebSocket connection to" not in text]


# As if the page had been read in another time: its cursor is unknown to the log, and one of its numbers is wrong.
STALE_PAGE = """
const parse = JSON.parse;
JSON.parse = (text) => {
  const value = parse(text);
  if (value && value.rows_url) {
    value.cursor = 999999999;
    Object.assign(value.products.find((one) => one.sku === "CLOCK-01"), { available: 77, version: 999 });
  }
  return value;
};
"""


def test_a_cursor_the_log_no_longer_knows_fetches_fresh_state(visitor: MakeVisitor, server: Server) -> None:
    one = visitor("clerk")
    one.page.add_init_script(STALE_PAGE)
    live = one.open("/live/")
    is_live(live)
    there = available(server, "CLOCK-01")
    expect_row(live, "CLOCK-01", str(there))
    adjust(server, "CLOCK-01", 1)
    expect_row(live, "CLOCK-01", str(there + 1))
    assert available(server, "CLOCK-01") == there + 1


def test_the_search_asks_the_server_and_keeps_following(visitor: MakeVisitor, server: Server) -> None:
    live = visitor("clerk", phone=True).open("/live/")
    is_live(live)
    live.fill("#search", "mug")
    expect(live.locator("#products tr")).to_have_count(2)
    before = float(row(live, "Enamel mug, white"))
    adjust(server, "MUG-01", 2)
    expect_row(live, "Enamel mug, white", f"{before + 2:g}")
    adjust(server, TOWEL, 1)
    live.wait_for_timeout(1500)
    expect(live.locator("#products tr")).to_have_count(2)
    live.fill("#search", "nothing of the kind")
    expect(live.locator("#products-empty")).to_contain_text("No product matches")


def test_who_is_deactivated_is_told_to_log_in_again(visitor: MakeVisitor, server: Server) -> None:
    server.run(
        "from accounts.models import User;"
        f"User.objects.create_user('leaver', 'leaver@example.com', '{PASSWORD}', role='clerk')"
    )
    live = visitor("leaver").open("/live/")
    is_live(live)
    server.run(
        "from accounts.models import User; from accounts.services import deactivate;"
        "deactivate(User.objects.get(username='admin'), user_id=User.objects.get(username='leaver').pk)"
    )
    expect(live.locator("#connection")).to_contain_text("You are logged out.", timeout=15_000)
    expect(live.locator("#connection a")).to_have_attribute("href", "/admin/login/?next=/live/")


# ---- examples/client.py against the same server ----
def run_client(server: Server, *arguments: str, password: str = PASSWORD, output: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "WORKBOX_PASSWORD": password, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "examples/client.py", "--url", server.url, *arguments]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL)


def wait_for_text(output: Path, text: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and text not in output.read_text():
        time.sleep(0.1)
    assert text in output.read_text()


def test_the_example_client_says_what_is_wrong(server: Server, tmp_path: Path) -> None:
    client = run_client(server, "--user", "clerk", password="wrong", output=tmp_path / "out")
    assert client.wait(timeout=20) == 2
    assert "User name, e-mail address or password is wrong." in (tmp_path / "out").read_text()


@pytest.mark.parametrize("style", [[], ["--json"]])
def test_the_example_client_survives_a_restart_and_loses_nothing(
    server: Server, tmp_path: Path, style: list[str]
) -> None:
    output = tmp_path / "out"
    client = run_client(server, "--user", "clerk@example.com", "--topics", "stock", *style, output=output)
    try:
        wait_for_text(output, "live as clerk@example.com: stock")
        server.stop(kill=True)
        adjust(server, "MUG-01", 7)
        server.start()
        wait_for_text(output, "inventory_update" if style else "Enamel mug, white (MUG-01)")
    finally:
        client.send_signal(signal.SIGTERM)
        assert client.wait(timeout=15) == 0
    assert "stopped after 1 events" in output.read_text()
