"""Without a mouse: from the login to a booked adjustment with Tab, Enter and letters alone."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.world import PASSWORD

MakeVisitor = Callable[..., Visitor]
TABS_MAX = 150
_HAS_RING = """() => {
  const style = getComputedStyle(document.activeElement);
  return (style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none";
}"""


def tab_to(page: Page, selector: str, *, text: str = "") -> None:
    """Press Tab until the focus is there; fails when it never comes by."""
    for _ in range(TABS_MAX):
        is_there = page.evaluate(
            "([selector, text]) => document.activeElement.matches(selector)"
            " && document.activeElement.textContent.includes(text)",
            [selector, text],
        )
        if is_there:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector} {text}")


def test_stock_is_adjusted_without_a_mouse(visitor: MakeVisitor) -> None:
    page = visitor().open("/admin/login/")
    page.bring_to_front()
    tab_to(page, "#id_username")
    page.keyboard.type("clerk")
    tab_to(page, "#id_password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")

    tab_to(page, "a[href='/admin/inventory/product/']", text="Products")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/inventory/product/")
    tab_to(page, "#searchbar")
    page.keyboard.type("BOX-S")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=BOX-S*")
    tab_to(page, "#result_list a", text="BOX-S")
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/**")

    tab_to(page, "a", text="Adjust stock")
    assert page.evaluate(_HAS_RING), "where the focus is can be seen"
    page.keyboard.press("Enter")
    expect(page.locator("#dialog #id_quantity")).to_be_visible()
    tab_to(page, "#dialog #id_quantity")
    page.keyboard.type("3")
    tab_to(page, "#dialog #id_reason")
    page.keyboard.type("Found behind the shelf")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("Storage box, small (BOX-S): +3 in Main store.")
