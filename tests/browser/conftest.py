"""A real server, a real Chromium: pages that log in, report every console error and every request to another host."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.server import Server
from tests.browser.world import PASSWORD

CHROMIUM = os.environ.get("WORKBOX_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
expect.set_options(timeout=10_000)  # two workers, two browsers and two servers share two cores
DESK, PHONE = {"width": 1280, "height": 850}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder carries the marker `browser`, and is skipped where there is no Chromium.

    The longest file goes first, so that two workers end together.
    """
    items.sort(key=lambda one: "tests/browser" in one.nodeid and "test_every_page" not in one.nodeid)
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(
                    pytest.mark.skip(reason=f"needs Chromium at {CHROMIUM} (WORKBOX_CHROMIUM names another)")
                )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shop with a history behind `manage.py serve`."""
    started = Server(tmp_path_factory.mktemp("server"))
    started.manage("migrate", "--verbosity", "0")
    started.run("from tests.browser.world import make_shop; make_shop()")
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def playwright_of() -> Iterator[Playwright]:
    """What starts browsers."""
    # Playwright keeps an event loop running in this thread, and Django would refuse its database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def chromium(playwright_of: Playwright) -> Iterator[Browser]:
    """One browser process for all tests."""
    browser = playwright_of.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@dataclass
class Visitor:
    """Somebody at a screen, and what went wrong on it."""

    context: BrowserContext
    page: Page
    server: Server
    troubles: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Write down errors and foreign requests from now on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"{self.page.url}: {message.text}")

    def _request(self, request: Request) -> None:
        own = (self.server.url, self.server.url.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.foreign.append(request.url)

    def open(self, path: str) -> Page:
        """Go to a page of the server."""
        self.page.goto(self.server.url + path)
        return self.page

    def is_logged_in(self) -> bool:
        """The server knows this window's session."""
        return self.context.request.get(f"{self.server.url}/admin/jsi18n/", max_redirects=0).status == 200

    def log_in(self, user: str) -> Page:
        """Through the login page."""
        page = self.open("/admin/login/")
        page.fill("#id_username", user)
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        page.wait_for_url("**/admin/")
        return page


@pytest.fixture(scope="session")
def logins() -> dict[str, list[Any]]:
    """The cookies that the login page gave each user: who comes again shows them, as one does who never logs out."""
    return {}


@pytest.fixture
def visitor(server: Server, chromium: Browser, logins: dict[str, list[Any]]) -> Iterator[Callable[..., Visitor]]:
    """`visitor("clerk")`: a browser window of its own, logged in; at the end nothing may have gone wrong on it."""
    made: list[Visitor] = []

    def make(user: str = "", *, phone: bool = False, dark: bool = False) -> Visitor:
        context = chromium.new_context(viewport=PHONE if phone else DESK, color_scheme="dark" if dark else "light")
        one = Visitor(context, context.new_page(), server)
        one.page.set_default_timeout(15_000)
        one.watch()
        made.append(one)
        if user in logins:
            context.add_cookies(logins[user])
        if user and not one.is_logged_in():
            context.clear_cookies()
            one.log_in(user)
            logins[user] = context.cookies()
        return one

    yield make
    for one in made:
        one.context.close()
    assert [trouble for one in made for trouble in one.troubles] == []
    assert [url for one in made for url in one.foreign] == []
