"""Lookup, forecasts, replenishment and accuracy in a real Chromium: a wedge that types, keys, charts, drafts."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import looks
from tests.browser.conftest import Visitor
from tests.browser.server import Server

MakeVisitor = Callable[..., Visitor]


@pytest.fixture(scope="module", autouse=True)
def _forecasts(server: Server) -> None:
    server.run("from tests.browser.world import make_forecasts; make_forecasts()")


def finish(server: Server, kind: str) -> None:
    """A worker does the newest job of this kind."""
    server.run(
        "from workbox.jobs.models import Job; from workbox.jobs import services;"
        f" services.run(Job.objects.filter(kind='{kind}').latest('id').pk)"
    )


def wedge(page: Page, code: str) -> None:
    """A scanner types fast, wherever the focus is, and ends with Enter."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def choose(page: Page, field: str, text: str) -> None:
    """In a dialog's list, what begins with these words."""
    option = page.locator(f"#dialog #id_{field} option", has_text=text)
    page.select_option(f"#dialog #id_{field}", value=option.get_attribute("value"))


def serious(page: Page, context: str) -> list[str]:
    """What axe holds against the part of the page that is ours."""
    answer = Axe().run(page, context=context)
    assert answer.response["passes"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in answer.response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def product_number(server: Server, sku: str) -> int:
    code = f"from inventory.models import Product as P; print(P.objects.get(sku='{sku}').pk)"
    return int(server.run(code).split()[-1])


def test_a_wedge_looks_one_product_up_after_the_other(visitor: MakeVisitor) -> None:
    page = visitor("clerk").open("/admin/lookup/")
    expect(page.locator("#lookup-q")).to_be_focused()
    wedge(page, "4006381300003")
    expect(page.locator("#product-heading")).to_have_text("Folding chair")
    expect(page.locator("#lookup-q")).to_be_focused()
    page.evaluate("document.activeElement.blur()")  # the focus is gone, the scanner types all the same
    wedge(page, "KETTLE-01")
    expect(page.locator("#product-heading")).to_have_text("Kettle, copper")
    wedge(page, "NOBODY-KNOWS")
    expect(page.locator("#lookup")).to_contain_text("No product has the barcode or SKU “NOBODY-KNOWS”")


def test_a_part_of_a_name_is_chosen_with_the_arrow_keys(visitor: MakeVisitor) -> None:
    page = visitor("clerk").open("/admin/lookup/")
    page.keyboard.type("lamp")
    field = page.get_by_role("combobox", name="Scan or type a product")
    expect(page.get_by_role("option")).to_have_count(2)
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Floor lamp, oak")
    expect(field).to_have_attribute("aria-activedescendant", "lookup-hit-1")
    page.keyboard.press("Enter")
    expect(page.locator("#product-heading")).to_have_text("Floor lamp, oak")
    page.keyboard.type("lamp")
    expect(page.get_by_role("option")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("#lookup-list")).to_be_hidden()


@pytest.mark.parametrize(("text", "heading"), [("NOBODY-KNOWS", "0 found"), ("CLOCK-01", "Wall clock")])
def test_what_is_scanned_before_the_script_runs_is_the_new_code(visitor: MakeVisitor, text: str, heading: str) -> None:
    page = visitor("clerk").open("/admin/lookup/")
    held: list[Route] = []
    page.route("**/workbox/lookup.*js*", lambda route: held.append(route))  # noqa: PLW0108  (it wants a Python function)
    page.goto(f"{page.url}?q={text}", wait_until="commit")
    expect(page.get_by_role("heading", name=heading, exact=False).first).to_be_visible()
    page.keyboard.type("lamp")
    held[0].continue_()
    expect(page.get_by_role("option")).to_have_count(2)


def test_an_adjustment_in_the_dialog_is_on_the_page_at_once(visitor: MakeVisitor) -> None:
    page = visitor("clerk").open("/admin/lookup/?q=CLOCK-01")
    before = int(page.locator("#lookup-available").inner_text())
    page.get_by_role("link", name="Adjust", exact=False).first.click()
    page.fill("#dialog #id_quantity", "-9999")
    page.fill("#dialog #id_reason", "Gone")
    page.get_by_role("button", name="Post the adjustment").click()
    expect(page.locator("#dialog [role=alert]")).to_contain_text("Wall clock (CLOCK-01): Available:")
    page.fill("#dialog #id_quantity", "3")
    page.get_by_role("button", name="Post the adjustment").click()
    expect(page.locator("body")).to_contain_text("Wall clock (CLOCK-01): +3 in Main store.")
    expect(page.locator("#lookup-available")).to_have_text(str(before + 3))
    expect(page.locator("#lookup-product")).to_contain_text("Gone")


def test_a_transfer_is_made_in_the_dialog(visitor: MakeVisitor) -> None:
    page = visitor("clerk").open("/admin/lookup/?q=CLOCK-01")
    page.locator(".wb-lookup-acts a", has_text="Transfer").click()
    choose(page, "from_warehouse", "Main store")
    choose(page, "to_warehouse", "Main store")
    page.fill("#dialog #id_quantity", "2")
    page.get_by_role("button", name="Make the transfer").click()
    expect(page.locator("#dialog")).to_contain_text("Choose another warehouse than the one it comes from.")
    choose(page, "to_warehouse", "Annex")
    page.get_by_role("button", name="Make the transfer").click()
    expect(page.locator("body")).to_contain_text("2 × Wall clock (CLOCK-01) from Main store to Annex")


def test_a_reorder_becomes_a_draft_and_a_quantity_nobody_delivers_is_refused(
    visitor: MakeVisitor, server: Server
) -> None:
    server.run(
        "from purchasing.services import vendors; from inventory.models import Product;"
        "from decimal import Decimal as D;"
        "vendors.add_price(vendors.create_vendor({'name': 'Clockmaker'}).pk,"
        " vendors.NewPrice(Product.objects.get(sku='CLOCK-01').pk, D(20), pack_quantity=D(10)))"
    )
    page = visitor("manager").open("/admin/lookup/?q=CLOCK-01")
    page.locator(".wb-lookup-acts a", has_text="Reorder").click()
    page.fill("#dialog #id_quantity", "0")
    page.get_by_role("button", name="Create the draft").click()
    expect(page.locator("#dialog")).to_contain_text("greater than or equal to")
    page.fill("#dialog #id_quantity", "25")
    page.get_by_role("button", name="Create the draft").click()
    expect(page.locator("#dialog")).to_contain_text("Clockmaker delivers 30: order that many.")
    page.fill("#dialog #id_quantity", "30")
    page.get_by_role("button", name="Create the draft").click()
    expect(page.locator("body")).to_contain_text("is drafted: 30 × Wall clock (CLOCK-01) from Clockmaker.")


def test_a_picture_is_given_and_stands_on_the_lookup(visitor: MakeVisitor, tmp_path: Path) -> None:
    drawn = tmp_path / "stove.png"
    Image.new("RGB", (300, 200), (20, 120, 60)).save(drawn)
    one = visitor("manager")
    page = one.open("/admin/lookup/?q=STOVE-01")
    expect(page.locator("span.wb-lookup-picture")).to_have_text("CS")
    page.locator("#product-heading a").click()
    page.set_input_files("#id_picture", str(drawn))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("was changed successfully")
    page = one.open("/admin/lookup/?q=STOVE-01")
    picture = page.locator("a.wb-lookup-picture img")
    expect(picture).to_have_attribute("alt", "Camping stove")
    assert picture.evaluate("one => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [300, 200]
    page.screenshot(path=str(tmp_path / "lookup.png"))


def test_what_somebody_else_books_comes_without_a_reload(visitor: MakeVisitor, server: Server) -> None:
    page = visitor("clerk").open("/admin/lookup/?q=TOWEL-01")
    expect(page.locator("#lookup-live")).to_have_text("Live")
    before = int(page.locator("#lookup-available").inner_text())
    server.run(
        "from decimal import Decimal as D; from inventory.models import Product, Warehouse;"
        " from inventory.services import ledger;"
        " ledger.adjust(Product.objects.get(sku='TOWEL-01').pk, quantity=D(2),"
        " warehouse_id=Warehouse.objects.get(code='MAIN').pk, reason='Found under the stairs')"
    )
    expect(page.locator("#lookup-available")).to_have_text(str(before + 2))
    expect(page.locator("#lookup-product")).to_contain_text("Found under the stairs")
    expect(page.locator("canvas[data-wb-chart=chart-movements][data-drawn=yes]")).to_have_count(1)


def test_the_forecast_is_drawn_and_told_in_words_and_as_a_table(visitor: MakeVisitor, server: Server) -> None:
    one = visitor("clerk")
    page = one.open("/admin/lookup/?q=KETTLE-01")
    for name, words in (
        ("chart-sold", "Units a day: "),
        ("chart-stock", "Stock to come: 18 available now, used up on "),
    ):
        canvas = page.locator(f"canvas[data-wb-chart={name}]")
        expect(canvas).to_have_attribute("data-drawn", "yes")
        expect(canvas).to_have_attribute("aria-label", re.compile(words))
        assert canvas.evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v)")
    page.locator("summary", has_text="The charts as a table").click()
    assert page.locator(".wb-details tbody tr").count() >= 20
    number = product_number(server, "KETTLE-01")
    page = one.open(f"/admin/inventory/product/{number}/change/")
    expect(page.locator("#product-forecast canvas[data-drawn=yes]")).to_have_count(2)
    expect(page.locator("#product-forecast")).to_contain_text("With 18 available it is used up on")


def test_suggestions_are_edited_chosen_and_become_drafts(visitor: MakeVisitor) -> None:
    page = visitor("manager").open("/admin/replenishment/")
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(2)
    row = page.locator("[data-row]", has_text="Kettle, copper")
    field = row.locator(".wb-plan-quantity")
    field.fill("10")
    expect(row.locator(".wb-plan-note")).to_have_text("Smithy 1 delivers no less than 12.")
    field.fill("20")
    expect(row.locator(".wb-plan-note")).to_have_text("Smithy 1 packs 6: 24 would be full packs.")
    field.fill("120")
    expect(row.locator(".wb-plan-note")).to_have_text("")
    expect(row.locator("[data-cost]")).to_have_text("1,440.00")
    field.fill("24")
    expect(row.locator("[data-cost]")).to_have_text("360.00")
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(page.locator("#plan-sum")).to_have_text("1 chosen from 1 vendor: 360.00.")
    page.get_by_role("checkbox", name="Choose all on this page").check()
    expect(page.locator("#plan-sum")).to_contain_text("2 chosen from 2 vendors: ")
    page.get_by_role("button", name="Create draft purchase orders").click()
    expect(page.locator("body")).to_contain_text("2 purchase orders are drafted from 2 suggestions")
    expect(page.locator("#plan")).to_contain_text("Nothing has to be ordered today")
    page.get_by_role("link", name=re.compile(r"^PO-\d+$")).first.click()
    expect(page.locator("body")).to_contain_text("Kettle, copper")


def test_levels_are_set_in_a_dialog_and_suggestions_refreshed(visitor: MakeVisitor, server: Server) -> None:
    page = visitor("manager").open("/admin/replenishment/")
    page.get_by_role("link", name="Service levels").click()
    page.fill("#dialog #id_level", "100")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#dialog")).to_contain_text("less than or equal to 99.9")
    page.fill("#dialog #id_level", "97")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("body")).to_contain_text("The shop has 97 %. It counts from the next refresh on.")
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("body")).to_contain_text("The suggestions are worked out anew as job")
    finish(server, "suggestions_refresh")
    expect(page.locator("#planning-job-text")).to_contain_text("The last refresh ended on")


def test_a_training_shows_how_far_it_is_and_what_came_of_it(visitor: MakeVisitor, server: Server) -> None:
    page = visitor("manager").open("/admin/accuracy/")
    expect(page.locator("#accuracy")).to_contain_text("Too little is over yet.")
    page.get_by_role("button", name="Train the forecasts").click()
    expect(page.locator("body")).to_contain_text("The training is queued as job")
    finish(server, "forecast_training")
    expect(page.locator("#planning-job-text")).to_contain_text("The last training ended on")
    expect(page.locator("#accuracy")).to_contain_text("Tested on the past")


def test_the_pages_fit_and_axe_finds_nothing_serious(
    visitor: MakeVisitor, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server.run("from insights import replenishment; replenishment.refresh()")
    one = visitor("manager")
    folder = Path(tmp_path_factory.getbasetemp()) / "screenshots"
    folder.mkdir(exist_ok=True)
    found, too_wide = [], []
    number = product_number(server, "KETTLE-01")
    pages = {
        "lookup": ("/admin/lookup/", "#lookup"),
        "lookup-hits": ("/admin/lookup/?q=lamp", "#lookup"),
        "lookup-product": (f"/admin/lookup/{number}/", "#lookup"),
        "product-forecast": (f"/admin/inventory/product/{number}/change/", "#product-forecast"),
        "replenishment": ("/admin/replenishment/", "#plan"),
        "accuracy": ("/admin/accuracy/", "#accuracy"),
    }
    for name, (path, context) in pages.items():
        page = one.open(path)
        if "product" in name:
            expect(page.locator("canvas[data-drawn=yes]").first).to_be_visible()
        for look in looks(page):
            page.screenshot(path=str(folder / f"{look}-{name}.png"), full_page=True)
            found += [f"{look}: {one}" for one in serious(page, context)]
            if not fits(page):
                too_wide.append(f"{look}-{name}")
    assert (found, too_wide) == ([], [])
