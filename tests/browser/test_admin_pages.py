"""The admin in a real Chromium: log in, find, confirm in a dialog; pages fit the screen and load from here only."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import looks
from tests.browser.conftest import Visitor

MakeVisitor = Callable[..., Visitor]
MAIN_PAGES = {
    "home": "/admin/",
    "orders": "/admin/orders/order/",
    "order": "/admin/orders/order/3/change/",
    "new-order": "/admin/orders/order/add/",
    "products": "/admin/inventory/product/",
    "product": "/admin/inventory/product/1/change/",
    "movements": "/admin/inventory/stockmovement/",
    "jobs": "/admin/jobs/job/",
    "job": "/admin/jobs/job/1/change/",
    "imports": "/admin/exchange/import/",
    "import": "/admin/exchange/import/1/change/",
    "new-import": "/admin/exchange/import/add/",
    "live": "/live/",
}


def fits(page: Page) -> bool:
    """True when nothing sticks out to the right."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_every_main_page_fits_and_loads_from_here_only(visitor: MakeVisitor) -> None:
    one = visitor("manager")
    too_wide = []
    for name, path in MAIN_PAGES.items():
        page = one.open(path)
        page.wait_for_load_state("networkidle") if name != "live" else expect(page.locator("#connection")).to_have_text(
            "Live"
        )
        too_wide += [f"{look}-{name}" for look in looks(page) if not fits(page)]
    assert too_wide == []


@pytest.mark.parametrize("path", ["/admin/", "/live/"])
def test_a_page_comes_in_the_theme_of_the_device(visitor: MakeVisitor, path: str) -> None:
    def background(*, dark: bool) -> int:
        page = visitor("manager", dark=dark).open(path)
        if path == "/live/":
            expect(page.locator("#connection")).to_have_text("Live")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert background(dark=True) < 150 < 600 < background(dark=False)


def test_a_customer_does_not_get_in_and_a_clerk_does(visitor: MakeVisitor) -> None:
    one = visitor()
    page = one.open("/admin/orders/order/")
    page.fill("#id_username", "user")
    page.fill("#id_password", "shelves-and-boxes-42")
    page.click("#login-form button[type=submit]")
    expect(page.locator("body")).to_contain_text("This account is for customers")
    page = one.log_in("clerk@example.com")
    expect(page.get_by_role("heading", name=re.compile("Open orders"))).to_be_visible()


def test_a_product_is_found_by_its_barcode(visitor: MakeVisitor) -> None:
    one = visitor("clerk")
    page = one.open("/admin/inventory/product/")
    page.fill("#searchbar", "4006381300003")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("Folding chair")


def test_an_order_is_confirmed_and_shipped_in_dialogs(visitor: MakeVisitor) -> None:
    one = visitor("clerk")
    page = one.open("/admin/orders/order/7/change/")
    page.get_by_role("link", name=re.compile("Confirm$")).click()
    page.get_by_role("button", name="Confirm the order").click()
    expect(page.locator("body")).to_contain_text("Order 7 is confirmed: 6 units on 1 line reserved.")

    page.get_by_role("link", name=re.compile("Ship$")).click()
    field = page.locator("#dialog input[type=number]").first
    field.fill("7")
    page.locator("#dialog").get_by_role("button", name="Ship").click()
    expect(page.locator("#dialog")).to_contain_text("less than or equal to 6")
    page.locator("#dialog input[type=number]").first.fill("2")
    page.locator("#dialog").get_by_role("button", name="Ship").click()
    expect(page.locator("body")).to_contain_text("2 units shipped. It is partially shipped now.")
    expect(page.locator(".wb-story")).to_contain_text("Clerk Example")


def test_a_refusal_stands_in_the_dialog_in_words(visitor: MakeVisitor) -> None:
    one = visitor("clerk", phone=True)
    page = one.open("/admin/inventory/product/1/change/")
    page.get_by_text("more_horiz").first.click()
    page.get_by_role("link", name=re.compile("Adjust stock$")).locator("visible=true").first.click()
    page.fill("#dialog #id_quantity", "-9999")
    page.fill("#dialog #id_reason", "Gone")
    page.get_by_role("button", name="Post the adjustment").click()
    expect(page.locator("#dialog [role=alert]")).to_contain_text("Desk lamp, brass (LAMP-01): Available:")


def test_an_order_is_placed_with_the_autocomplete(visitor: MakeVisitor) -> None:
    one = visitor("manager")
    page = one.open("/admin/orders/order/add/")
    page.locator("#id_lines-0-product ~ .select2 .select2-selection").click()
    page.locator(".select2-search__field").last.fill("TOWEL")
    page.locator(".select2-results__option", has_text="Linen towel").click()
    page.fill("#id_lines-0-quantity", "2")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("body")).to_contain_text("is confirmed: 22.00.")
