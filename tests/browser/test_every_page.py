"""Every own page in a real Chromium: nobody is kept out, nothing sticks out, no error, no request to anybody else."""

import json
from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Browser

from tests.browser.axe import in_dark, violations
from tests.browser.conftest import DESK, PHONE, Visitor
from tests.browser.server import Server

MakeVisitor = Callable[..., Visitor]
FILL = "from tests.test_admin import fill_shop; fill_shop()"
FIRST_ROWS = """
import json
from django.contrib import admin
rows = {one._meta.label_lower: one._default_manager.order_by("pk").first() for one in admin.site._registry}
print(json.dumps({label: str(row.pk) for label, row in rows.items() if row}))
"""
OWN_PAGES = {
    "home": "/admin/",
    "live": "/live/",
    "scan": "/admin/scan/",
    "second-factor": "/admin/second-factor/",
    "roles": "/admin/roles/",
    "explain": "/admin/inventory/product/1/explain/",
    "product-story": "/admin/story/product/1/",
    "order-story": "/admin/story/order/2/",
    "warehouse-story": "/admin/story/warehouse/1/",
    "user-story": "/admin/story/user/2/",
}
SIDEBAR = "#nav-sidebar"  # the same on every page, and half of what axe would look at
ROOMS = sorted({model._meta.app_label for model in admin.site._registry})


@pytest.fixture(scope="module")
def full_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shop with a row in every list."""
    started = Server(tmp_path_factory.mktemp("full"))
    started.manage("migrate", "--verbosity", "0")
    started.run(FILL)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def pages(full_server: Server) -> dict[str, dict[str, str]]:
    """Room → name → path: every list, a change page and an add page of every registered admin."""
    first = json.loads(full_server.run(FIRST_ROWS).splitlines()[-1])
    found: dict[str, dict[str, str]] = {"own": dict(OWN_PAGES)}
    for model in admin.site._registry:
        label, base = model._meta.label_lower, f"admin:{model._meta.app_label}_{model._meta.model_name}"
        room = found.setdefault(model._meta.app_label, {})
        room[f"{label} list"] = reverse(f"{base}_changelist")
        room[f"{label} add"] = reverse(f"{base}_add")
        if label in first:
            room[f"{label} change"] = reverse(f"{base}_change", args=[first[label]])
    assert sorted(set(found) - {"own"}) == ROOMS
    return found


@pytest.fixture
def admin_at(full_server: Server, chromium: Browser) -> Iterator[Visitor]:
    """An administrator at a desk."""
    context = chromium.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    one = Visitor(context, context.new_page(), full_server)
    one.page.set_default_timeout(15_000)
    one.log_in("admin")
    one.watch()
    yield one
    context.close()


@pytest.mark.parametrize("room", ["own", *ROOMS])
def test_every_page_is_open_to_all_fits_and_minds_its_own_business(
    room: str, pages: dict[str, dict[str, str]], admin_at: Visitor
) -> None:
    wrong: list[str] = []
    forbidden: list[str] = []
    page = admin_at.page
    for name, path in pages[room].items():
        answer = page.goto(admin_at.server.url + path, wait_until="load")
        if answer is not None and answer.status == 403 and name.endswith(" add"):
            # Nobody adds history by hand; the browser tells so, and looks for the icon of the page that says it.
            forbidden.append(f"{page.url}: ")
            continue
        assert answer is not None
        assert answer.status == 200, path
        seen_already = "" if name == "home" else SIDEBAR
        wrong += [f"{name}: {one}" for one in violations(page, without=seen_already)]
        if not name.endswith(" add"):  # the page to change one, empty
            in_dark(page, is_dark=True)
            wrong += [f"{name}, dark: {one}" for one in violations(page, contrast_only=True, without=seen_already)]
        page.set_viewport_size(PHONE)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > PHONE["width"]:
            wrong.append(f"{name}: {wide} pixels wide on a phone")
        page.set_viewport_size(DESK)
    assert wrong == [], "\n".join(wrong)
    assert [one for one in admin_at.troubles if not one.startswith(tuple(forbidden))] == []
    assert admin_at.foreign == []
