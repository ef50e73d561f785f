"""A second factor in a real Chromium: enrolled, asked for at the next login, replaced by a recovery code."""

import base64
import time
from collections.abc import Callable

from django_otp.oath import totp
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import Visitor
from tests.browser.server import Server
from tests.browser.world import PASSWORD

MakeVisitor = Callable[..., Visitor]
STEP_SECONDS = 30


def code_of(secret: str, *, steps: int = 0) -> str:
    """What the app shows; `steps` later, since a code is good once."""
    text = secret.replace(" ", "").upper()
    key = base64.b32decode(text + "=" * (-len(text) % 8))
    return f"{totp(key, drift=steps):06d}"


def make_clerk(server: Server, name: str) -> None:
    server.run(
        "from accounts.models import User;"
        f" User.objects.create_user('{name}', '{name}@example.com', '{PASSWORD}', role='clerk')"
    )


def give(page: Page, code: str) -> None:
    page.fill("#id_code", code)
    page.keyboard.press("Enter")


def test_a_phone_is_enrolled_asked_for_and_replaced_by_a_recovery_code(visitor: MakeVisitor, server: Server) -> None:
    make_clerk(server, "keyholder")
    one = visitor("keyholder", phone=True)
    page = one.open("/admin/second-factor/")
    expect(page.locator(".wb-qr")).to_be_visible()
    secret = page.locator(".wb-secret").inner_text()
    if STEP_SECONDS - time.time() % STEP_SECONDS < 3:
        time.sleep(3)  # a code about to run out proves nothing
    give(page, "000000")
    expect(page.locator("body")).to_contain_text("That code is not right")
    time.sleep(1.2)  # a wrong code slows the next try down
    give(page, code_of(page.locator(".wb-secret").inner_text()))
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.locator(".wb-codes code").all_inner_texts()
    assert (len(codes), len(set(codes)), secret) == (10, 10, secret)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    again = visitor()
    page = again.open("/admin/login/?next=/admin/inventory/product/")
    page.fill("#id_username", "keyholder")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#id_code")).to_be_visible()
    assert violations(page) == []
    button = page.get_by_role("button", name="Go on")
    assert button.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(37, 99, 235)"
    give(page, code_of(secret, steps=1))
    page.wait_for_url("**/admin/inventory/product/")

    lost = visitor()
    page = lost.open("/admin/login/")
    page.fill("#id_username", "keyholder")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    give(page, codes[0])
    page.wait_for_url("**/admin/")
    page = lost.open("/admin/second-factor/")
    expect(page.locator("body")).to_contain_text("9 of your recovery codes are unused")
