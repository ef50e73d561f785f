"""What axe finds on a page: the violations that keep somebody out, and nothing we cannot reach."""

from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import DESK, PHONE

GRAVE = {"serious", "critical"}
# What Unfold's own markup does wrong and no template or style of ours reaches: selector → why it may stay.
NOT_OURS: dict[str, str] = {}
_AXE = Axe()
_CONTRAST = {"type": "rule", "values": ["color-contrast"]}


def violations(page: Page, *, contrast_only: bool = False, without: str = "") -> list[str]:
    """Each serious or critical violation, outside `without`: the rule, where, and what axe says to do."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if contrast_only:
        options["runOnly"] = _CONTRAST
    outside = [[one] for one in (*NOT_OURS, without) if one]
    found = _AXE.run(page, context={"exclude": outside} if outside else None, options=options)
    return [
        f"{one['id']} at {node['target'][0]}: {node['failureSummary'].splitlines()[-1].strip()}"
        for one in found.response["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def in_dark(page: Page, *, is_dark: bool) -> None:
    """The page in the other theme, without loading it again."""
    page.evaluate("is_dark => document.documentElement.classList.toggle('dark', is_dark)", is_dark)
    page.evaluate("() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))")


def looks(page: Page) -> Iterator[str]:
    """The page that is open as a desk and a phone see it, light and dark, without loading it again."""
    for screen, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(size)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of two words
            in_dark(page, is_dark=theme == "dark")
            yield f"{screen}-{theme}"
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    in_dark(page, is_dark=False)
