"""The scan station in a real Chromium: a wedge that types, a camera that sees, a connection that goes and comes."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from tests.browser.axe import looks
from tests.browser.conftest import CHROMIUM, DESK, FLAGS, Visitor
from tests.browser.server import Server
from workbox.core.symbols import Symbol, draw_symbol

MakeVisitor = Callable[..., Visitor]
SEEN_FRAMES = 20


def wedge(page: Page, code: str) -> None:
    """A scanner types fast, wherever the focus is, and ends with Enter."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def station(one: Visitor) -> Page:
    page = one.open("/admin/scan/")
    expect(page.locator("#scan[data-state=ready]")).to_be_visible()
    expect(page.locator("#scan-code")).to_be_focused()
    expect(page.locator("#scan-warehouse_id option")).not_to_have_count(1)  # the choices are there
    return page


def says(page: Page, state: str, text: str) -> None:
    expect(page.locator("#scan-text")).to_contain_text(text)
    expect(page.locator("#scan-result")).to_have_attribute("data-state", state)


def on_hand(server: Server, sku: str) -> int:
    code = f"from inventory.models import ProductStock as P; print(P.objects.get(product__sku='{sku}').on_hand)"
    return int(float(server.run(code)))


def make(server: Server, what: str) -> int:
    """Something of the services' making; its number."""
    imports = (
        "from decimal import Decimal as D; from inventory.models import Product, Warehouse;"
        " from inventory.services import counts; from orders import services; from orders.services import Item;"
        " p = lambda sku: Product.objects.get(sku=sku).pk; main = Warehouse.objects.get(code='MAIN').pk;"
    )
    return int(server.run(f"{imports} print({what})").split()[-1])


def adjusting(page: Page, reason: str) -> None:
    page.click("[data-mode=adjust]")
    page.fill("#scan-reason", reason)
    page.keyboard.press("Enter")
    expect(page.locator("#scan-code")).to_be_focused()


def test_a_wedge_looks_up_adjusts_and_takes_back(visitor: MakeVisitor, server: Server) -> None:
    page = station(visitor("clerk"))
    wedge(page, "CHAIR-02")
    says(page, "good", "Office chair with a rather long name that has to fit on a phone (CHAIR-02): 9 piece available.")
    expect(page.get_by_role("link", name="Open the product")).to_be_visible()

    before = on_hand(server, "CHAIR-01")
    adjusting(page, "Found behind the shelf")
    page.evaluate("document.activeElement.blur()")  # the focus is gone, the scanner types all the same
    wedge(page, "4006381300003")
    says(page, "good", f"Folding chair (CHAIR-01): +1 in Main store, {before + 1} on hand now")
    expect(page.locator("#scan-last li").first).to_contain_text("Folding chair")
    expect(page.locator("#scan-code")).to_be_focused()
    page.get_by_role("button", name="Undo the last scan").click()
    says(page, "good", f"Taken back: Folding chair (CHAIR-01), {before} on hand now.")
    expect(page.locator("#scan-last li").first).to_contain_text("undone")
    assert on_hand(server, "CHAIR-01") == before


def test_a_barcode_scanned_into_the_quantity_is_a_code_and_an_absurd_quantity_is_asked_about(
    visitor: MakeVisitor, server: Server
) -> None:
    before = on_hand(server, "CHAIR-01")
    page = station(visitor("clerk"))
    adjusting(page, "Found behind the shelf")
    page.click("#scan-quantity")
    wedge(page, "4006381300003")
    says(page, "good", f"Folding chair (CHAIR-01): +1 in Main store, {before + 1} on hand now")
    expect(page.locator("#scan-quantity")).to_have_value("1")
    page.fill("#scan-quantity", "10001")
    page.focus("#scan-code")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    wedge(page, "4006381300003")
    says(page, "bad", "4006381300003 is not booked; the quantity is 1 again.")
    assert asked == ["Really 10001 × 4006381300003? That many are seldom meant."]
    page.get_by_role("button", name="Undo the last scan").click()
    says(page, "good", f"{before} on hand now.")
    assert on_hand(server, "CHAIR-01") == before


def test_a_refused_scan_says_what_to_do_and_stays_until_somebody_decides(visitor: MakeVisitor) -> None:
    page = station(visitor("clerk"))
    adjusting(page, "Found")
    wedge(page, "NOBODY-KNOWS")
    says(page, "bad", "No product has the barcode or SKU “NOBODY-KNOWS”.")
    row = page.locator("#scan-refused li")
    expect(row).to_contain_text("Link the code to its product, then try again.")
    page.reload()
    expect(row).to_have_count(1)
    page.get_by_role("button", name="Try NOBODY-KNOWS again").click()
    says(page, "bad", "No product has the barcode or SKU")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Discard NOBODY-KNOWS").click()
    expect(page.locator("#scan-refused-part")).to_be_hidden()


def test_an_order_is_chosen_by_its_code_picked_and_shipped_by_keyboard_alone(
    visitor: MakeVisitor, server: Server
) -> None:
    number = make(server, "services.place_order([Item(p('CLOCK-01'), D(2))], user_id=None, confirm=True).id")
    page = station(visitor("clerk"))
    wedge(page, f"ORDER-{number}")
    says(page, "good", f"Order {number} · nobody named is chosen.")
    for so_far in (1, 2):
        wedge(page, "CLOCK-01")
        says(page, "good", f"{so_far} of 2.")
    wedge(page, "CLOCK-01")
    says(page, "bad", "waits for 2 × Wall clock and 2 are picked: put this back.")
    expect(page.locator("#scan-basket")).to_have_text("2 × Wall clock (CLOCK-01)")
    page.get_by_role("button", name="Undo the last scan").press("Enter")
    expect(page.locator("#scan-basket")).to_have_text("1 × Wall clock (CLOCK-01)")
    wedge(page, "CLOCK-01")
    says(page, "good", "2 of 2. 0 to go.")
    page.get_by_role("button", name="Ship what was picked").press("Enter")
    says(page, "good", f"Order {number}: 2 units shipped. It is shipped now.")
    expect(page.locator("#scan-basket-part")).to_be_hidden()


def test_scans_made_offline_survive_a_reload_and_are_booked_once_in_order(visitor: MakeVisitor, server: Server) -> None:
    before = on_hand(server, "BOX-S")
    one = visitor("clerk")
    page = station(one)
    adjusting(page, "Found in the cellar")
    expect(page.locator("#scan[data-offline=ready]")).to_be_visible()
    one.context.set_offline(True)
    wedge(page, "BOX-S")
    says(page, "waiting", "is kept, not sent yet.")
    expect(page.locator("#scan-connection-text")).to_have_text("Offline, 1 waiting")

    page.reload()  # the shell comes from the service worker
    expect(page.locator("#scan[data-state=ready]")).to_be_visible()
    expect(page.locator("#scan-connection-text")).to_have_text("Offline, 1 waiting")
    for code in ("BOX-S", "BOX-S", "BOX-S"):
        wedge(page, code)
    expect(page.locator("#scan-connection-text")).to_have_text("Offline, 4 waiting")
    page.get_by_role("button", name="Undo the last scan").click()  # never sent: it is simply gone
    says(page, "good", "BOX-S is taken back; it was not sent.")
    assert on_hand(server, "BOX-S") == before

    one.context.set_offline(False)
    expect(page.locator("#scan-connection-text")).to_have_text("Online")
    says(page, "good", f"+1 in Main store, {before + 3} on hand now")
    page.reload()
    expect(page.locator("#scan-connection-text")).to_have_text("Online")
    assert on_hand(server, "BOX-S") == before + 3


def test_an_answer_that_was_lost_books_nothing_twice(visitor: MakeVisitor, server: Server) -> None:
    before = on_hand(server, "TOWEL-01")
    one = visitor("clerk")
    page = station(one)
    adjusting(page, "Found")
    lost: list[str] = []

    def lose(route: object) -> None:
        """The server books the scan; the answer never arrives."""
        if not lost:
            lost.append(route.request.post_data)  # type: ignore[attr-defined]  # of the library's or the test's own object
            route.fetch()  # type: ignore[attr-defined]  # of the library's or the test's own object
            route.fulfill(status=503, content_type="text/html", body="gone")  # type: ignore[attr-defined]  # of the library's or the test's own object
        else:
            route.continue_()  # type: ignore[attr-defined]  # of the library's or the test's own object

    one.context.route("**/admin/scan/book/", lose)
    wedge(page, "TOWEL-01")
    says(page, "waiting", "is kept, not sent yet.")
    page.evaluate("window.dispatchEvent(new Event('online'))")  # or five seconds later
    says(page, "good", f"+1 in Main store, {before + 1} on hand now")
    assert (len(lost), on_hand(server, "TOWEL-01")) == (1, before + 1)
    one.troubles = [text for text in one.troubles if "503" not in text]  # the browser's own note of the broken answer


def test_a_count_closed_meanwhile_is_a_conflict_that_nobody_loses(visitor: MakeVisitor, server: Server) -> None:
    number = make(server, "counts.open_count(main).id")
    one = visitor("clerk")
    page = station(one)
    wedge(page, f"COUNT-{number}")
    says(page, "good", "is chosen.")
    wedge(page, "MUG-01")
    says(page, "good", "Counted 1 × Enamel mug, white (MUG-01): 1 found in Main store so far.")
    one.context.set_offline(True)
    wedge(page, "MUG-01")
    says(page, "waiting", "is kept, not sent yet.")
    make(server, f"counts.cancel_count({number}).id")
    one.context.set_offline(False)
    says(page, "bad", f"Count {number} is cancelled; it cannot be recorded on.")
    expect(page.locator("#scan-refused li")).to_contain_text("Choose another one, or discard the scan.")
    expect(page.locator("#scan-connection-text")).to_have_text("Online")


def test_a_scan_that_comes_as_a_round_of_sending_ends_is_sent_at_once(visitor: MakeVisitor, server: Server) -> None:
    page = station(visitor("clerk"))
    adjusting(page, "Race")
    before = on_hand(server, "TOWEL-01")
    for round_ in range(1, 16):
        page.evaluate(
            """async (pause) => {
                window.dispatchEvent(new Event("online"));  // a round with nothing to send
                await new Promise((go) => setTimeout(go, pause));
                document.getElementById("scan-code").value = "TOWEL-01";
                document.getElementById("scan-form").requestSubmit();
            }""",
            round_ / 2,
        )
        # Sooner than the timer of five seconds.
        expect(page.locator("#scan-text")).to_contain_text(f"{before + round_} on hand now", timeout=4000)


def test_the_mute_switch_and_the_setup_are_remembered(visitor: MakeVisitor) -> None:
    page = station(visitor("clerk"))
    page.click("[data-mode=move]")
    page.get_by_role("button", name="Mute").click()
    page.reload()
    expect(page.locator("[data-mode=move]")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
    wedge(page, "MUG-01")
    says(page, "bad", "Choose from where to where.")


def test_an_analyst_looks_up_and_is_offered_nothing_else(visitor: MakeVisitor) -> None:
    page = station(visitor("analyst"))
    expect(page.locator("[data-mode]")).to_have_text(["Look up"])
    wedge(page, "MUG-01")
    says(page, "good", "Enamel mug, white (MUG-01)")


@pytest.mark.parametrize("screen", ["desk", "phone"])
def test_the_station_and_the_label_page_fit_and_axe_finds_nothing_serious(
    visitor: MakeVisitor, screen: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = visitor("clerk", phone=screen == "phone", dark=screen == "phone")
    page = station(one)
    found = []
    for mode in ("look_up", "receive", "adjust"):
        page.click(f"[data-mode={mode}]")
        found += serious(page)
    wedge(page, "NOPE")
    says(page, "bad", "Say why: an adjustment needs a reason.")
    found += serious(page)
    adjusting(page, "Found")
    wedge(page, "NOPE")
    says(page, "bad", "No product has")
    wedge(page, "MUG-01")
    says(page, "good", "Enamel mug, white")
    found += serious(page)
    folder = Path(tmp_path_factory.getbasetemp()) / "screenshots"
    folder.mkdir(exist_ok=True)
    for name, path in (("scan", None), ("labels", "/admin/inventory/product/labels/?ids=1,2,3")):
        if path is not None:
            one.open(path)
        for look in looks(page):
            page.screenshot(path=str(folder / f"{look}-{name}.png"), full_page=True)
            found += serious(page)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (look, name)
    assert found == []


def serious(page: Page) -> list[str]:
    """What axe holds against the part of the page that is ours."""
    answer = Axe().run(page, context="#scan" if page.locator("#scan").count() else ".wb-card")
    assert answer.response["passes"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in answer.response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


# ---- the camera ------------------------------------------------------------------------------------------------------
def picture_of(code: str) -> bytes:
    """What a camera sees of a printed Code 128, as one JPEG."""
    paper = io.BytesIO()
    canvas = Canvas(paper, pagesize=(64 * mm, 48 * mm))
    draw_symbol(canvas, Symbol("code128", code), x=4 * mm, y=16 * mm, width=56 * mm, height=18 * mm)
    canvas.showPage()
    canvas.save()
    drawn = pypdfium2.PdfDocument(paper.getvalue())[0].render(scale=640 / (64 * mm)).to_pil().convert("RGB")
    frame = io.BytesIO()
    drawn.resize((640, 480), Image.Resampling.LANCZOS).save(frame, "JPEG", quality=90)
    return frame.getvalue()


@pytest.fixture
def seeing(
    chromium: Browser, server: Server, tmp_path: Path, playwright_of: Playwright
) -> Iterator[Callable[[str], Visitor]]:
    """A browser of its own whose camera sees a code."""
    made: list[tuple[Browser, Visitor]] = []

    def open_(code: str) -> Visitor:
        film = tmp_path / "seen.mjpeg"
        film.write_bytes(picture_of(code) * SEEN_FRAMES)
        flags = [
            *FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ]  # fmt: skip
        browser = playwright_of.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(viewport=DESK)
        one = Visitor(context, context.new_page(), server)
        one.page.set_default_timeout(20_000)
        one.watch()
        made.append((browser, one))
        return one

    yield open_
    for browser, one in made:
        browser.close()
        assert (one.troubles, one.foreign) == ([], [])


def test_the_camera_reads_a_printed_code_with_nothing_from_outside(seeing: Callable[[str], Visitor]) -> None:
    one = seeing("LAMP-01")
    one.log_in("clerk")
    page = station(one)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="Camera").click()
    says(page, "good", "Desk lamp, brass (LAMP-01)")
    expect(page.locator("#scan-video")).to_be_visible()
    assert [url for url in asked if re.search(r"zxing_reader\.wasm$", url)] == [
        f"{one.server.url}/static/workbox/vendor/barcode-detector/zxing_reader.wasm"
    ]
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#scan-video")).to_be_hidden()
