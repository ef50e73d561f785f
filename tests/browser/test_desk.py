"""The desk in a real Chromium: board, home, search, saved filters, exports; by mouse and key, on any screen."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.axe import looks
from tests.browser.conftest import Visitor
from tests.browser.server import Server

MakeVisitor = Callable[..., Visitor]
PLACE = (
    "from decimal import Decimal; from inventory.models import Product; from orders import services;"
    "print(services.place_order([services.Item(Product.objects.get(sku='{sku}').pk, Decimal({count}))], user_id=None,"
    " confirm={confirm}).id)"
)


def place(server: Server, sku: str = "CHAIR-01", count: int = 1, *, confirm: bool = False) -> str:
    """An order, placed in another process; its number."""
    return server.run(PLACE.format(sku=sku, count=count, confirm=confirm)).split()[-1]


def is_live(page: Page) -> None:
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live", timeout=30_000)


def in_column(page: Page, order: str, status: str) -> None:
    expect(page.locator(f".wb-column[data-status={status}] #card-{order}")).to_be_visible(timeout=15_000)


def serious(page: Page) -> list[str]:
    """What axe finds on the page that keeps somebody from using it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:4]
    ]


# ---- board -----------------------------------------------------------------------------------------------------------
def test_a_card_is_dragged_and_another_browser_sees_it(visitor: MakeVisitor, server: Server) -> None:
    order = place(server)
    watching, working = visitor("analyst").open("/admin/board/"), visitor("clerk").open("/admin/board/")
    is_live(watching), is_live(working)
    working.locator(f"#card-{order}").drag_to(working.locator(".wb-column[data-status=confirmed] h2"))
    in_column(working, order, "confirmed")
    expect(working.locator("#said")).to_have_text(f"Order {order} is confirmed: 1 unit on 1 line reserved.")
    in_column(watching, order, "confirmed")


def test_a_card_let_go_where_it_may_not_go_says_why(visitor: MakeVisitor, server: Server) -> None:
    order = place(server)
    one = visitor("clerk")
    page = one.open("/admin/board/")
    is_live(page)
    page.locator(f"#card-{order}").drag_to(page.locator(".wb-column[data-status=shipped] h2"))
    expect(page.locator(f"#card-{order} .wb-card-error")).to_have_text(
        f"Order {order} is pending; it cannot be shipped."
    )
    in_column(page, order, "pending")
    # The browser itself writes the refused request down; that is the only complaint this test allows.
    one.troubles[:] = [text for text in one.troubles if "409 (Conflict)" not in text]


def test_an_order_goes_its_way_by_keys_alone(visitor: MakeVisitor, server: Server) -> None:
    order = place(server)
    page = visitor("clerk").open("/admin/board/")
    is_live(page)
    page.locator(f"#card-{order}").focus()
    for status in ("confirmed", "shipped", "delivered"):
        page.keyboard.press("n")
        in_column(page, order, status)
        expect(page.locator(f"#card-{order}")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys on a card")).to_be_visible()


def test_a_cancellation_asks_first(visitor: MakeVisitor, server: Server) -> None:
    order = place(server)
    page = visitor("clerk").open("/admin/board/")
    is_live(page)
    page.locator(f"#card-{order}").focus()
    page.keyboard.press("c")
    page.get_by_role("button", name="Keep it").click()
    in_column(page, order, "pending")
    page.locator(f"#card-{order}").get_by_role("button", name="Cancel").click()
    page.get_by_label("Reason").fill("Ordered twice")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.locator(f".wb-column[data-status=cancelled] #card-{order}")).to_be_visible(timeout=15_000)


def test_a_selection_is_confirmed_with_one_sentence_per_order(visitor: MakeVisitor, server: Server) -> None:
    fits, short = place(server), place(server, "MUG-02", 3)
    page = visitor("clerk").open("/admin/board/")
    is_live(page)
    expect(page.locator(f"#card-{short} .wb-short")).to_have_text("short by 3")
    page.get_by_label(f"Select order {fits}").check()
    page.locator(f"#card-{short}").focus()
    page.keyboard.press(" ")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    page.locator("#bulk").get_by_role("button", name="Confirm").click()
    page.locator("#confirm-yes").click()
    results = page.locator("#bulk-results")
    expect(results).to_contain_text("1 of 2 orders confirmed.")
    expect(results).to_contain_text(f"Order {short}: ")
    in_column(page, fits, "confirmed")
    in_column(page, short, "pending")


# ---- home ------------------------------------------------------------------------------------------------------------
def test_the_figures_move_without_a_reload(visitor: MakeVisitor, server: Server) -> None:
    page = visitor("manager").open("/admin/")
    is_live(page)
    page.evaluate("window.sameDocument = true")
    figure = page.locator("[data-figure=open] strong")
    before = int(figure.inner_text())
    place(server)
    expect(figure).to_have_text(str(before + 1), timeout=15_000)
    expect(page.locator("#month-chart")).to_be_visible()
    assert page.evaluate("window.sameDocument") is True
    page.locator("[data-figure=open]").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(before + 1)


def test_the_chart_can_be_read_as_a_table(visitor: MakeVisitor) -> None:
    page = visitor("analyst").open("/admin/")
    page.get_by_text("The same as a table").click()
    expect(page.locator("#month-table tbody tr")).to_have_count(30)


# ---- search ----------------------------------------------------------------------------------------------------------
def test_ctrl_k_finds_a_product_and_opens_it(visitor: MakeVisitor) -> None:
    page = visitor("clerk").open("/admin/")
    page.locator("body").press("Control+k")
    page.locator("#search-input-command").press_sequentially("LAMP-02")
    expect(page.locator("#command-results-list li")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/inventory/product/2/change/")


# ---- lists -----------------------------------------------------------------------------------------------------------
def test_a_filter_is_kept_used_and_deleted(visitor: MakeVisitor) -> None:
    page = visitor("manager").open("/admin/orders/order/")
    expect(page.locator(".wb-attention")).to_contain_text("Shown: open orders")
    page.locator(".wb-attention").get_by_role("link", name="Show all").click()
    expect(page.locator(".wb-attention")).to_have_count(0)
    page = visitor("manager").open("/admin/orders/order/?status__exact=cancelled")
    page.get_by_text("Keep this filter").click()
    page.get_by_label("Name").fill("Called off")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.goto(page.url.split("?")[0])
    page.get_by_role("link", name="Called off").click()
    page.wait_for_url("**status__exact=cancelled")
    page.get_by_role("button", name="Delete the filter Called off").click()
    expect(page.get_by_role("dialog", name="Delete the filter “Called off”?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Called off")).to_be_visible()
    page.get_by_role("button", name="Delete the filter Called off").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("body")).to_contain_text("“Called off” is deleted.")
    expect(page.get_by_role("link", name="Called off")).to_have_count(0)


def test_a_list_is_taken_out_as_it_is_shown(visitor: MakeVisitor) -> None:
    page = visitor("manager").open("/admin/inventory/product/?q=chair")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Sku", "CHAIR-02", "CHAIR-01"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_done_to_many_rows_is_asked_about_first(visitor: MakeVisitor, server: Server, dark: bool) -> None:
    orders = [place(server) for _ in range(2)]
    page = visitor("clerk", dark=dark).open("/admin/orders/order/?status__exact=pending")
    for order in orders:
        page.locator(f"input.action-select[value='{order}']").check()
    page.locator("select[name=action]").select_option(label="Confirm the selected orders")
    run = page.locator("#changelist-form button[name=index]")
    run.press("Enter")
    dialog = page.get_by_role("dialog", name="Confirm 2 selected orders?")
    expect(dialog).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(run).to_be_focused()
    run.press("Enter")
    dialog.get_by_role("button", name="Not now").click()
    expect(page.locator(f"input.action-select[value='{orders[0]}']")).to_be_checked()
    page.locator(f"input.action-select[value='{orders[1]}']").uncheck()
    run.press("Enter")
    expect(page.get_by_role("dialog", name="Confirm 1 selected order?")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(f"input.action-select[value='{orders[0]}']")).to_have_count(0)
    expect(page.locator(f"input.action-select[value='{orders[1]}']")).to_have_count(1)


# ---- every page, every screen ----------------------------------------------------------------------------------------
PAGES = {
    "board": "/admin/board/",
    "home": "/admin/",
    "orders": "/admin/orders/order/?status__exact=pending",
    "products": "/admin/inventory/product/",
}


def test_the_desk_fits_the_screen_and_keeps_nobody_out(
    visitor: MakeVisitor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = visitor("manager")
    folder = Path(tmp_path_factory.getbasetemp()) / "desk"
    folder.mkdir(exist_ok=True)
    wrong: list[str] = []
    for name, path in PAGES.items():
        page = one.open(path)
        if name in {"board", "home"}:
            is_live(page)
        page.wait_for_load_state("load")
        for look in looks(page):
            page.screenshot(path=str(folder / f"{look}-{name}.png"), full_page=True)
            if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                wrong.append(f"{name} is too wide, {look}")
            wrong += [f"{name}, {look}: {one}" for one in serious(page)]
    assert wrong == []
