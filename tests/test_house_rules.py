"""The rules of the house, held to every file we have: one door per write, honest tests, no machine's traces."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house_rules import ROOMS, RULES, Rule, silent_ignores

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
# Made here, never committed (.gitignore).
NOT_OURS = {".git", ".venv", ".hypothesis", "var", "node_modules", "__pycache__", "htmlcov"}
BANNED_MODULE_NAMES = {"data", "info", "manager", "managers", "helper", "helpers", "util", "utils"}


def rule_id(rule: Rule) -> str:
    return rule.name


@cache
def our_files() -> tuple[Path, ...]:
    """Everything that is in the repository; read from the folder, because a source archive has no git."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        found += [Path(folder, name) for name in names if name not in {".env", ".git"} and not name.endswith(".pyc")]
    return tuple(sorted(found))


def python_files(*, with_tests: bool) -> Iterator[tuple[str, str]]:
    """(path, source) of our Python: the product's, or with its tests and scripts."""
    for path in our_files():
        place = path.relative_to(ROOT)
        is_test = "tests" in place.parts or path.name.startswith("test_") or path.name == "conftest.py"
        is_product = place.parts[0] in ROOMS and "migrations" not in place.parts and not is_test
        if path.suffix == ".py" and (is_product or with_tests):
            yield place.as_posix(), path.read_text()


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    files = list(python_files(with_tests=rule.in_tests_too))
    assert files
    assert [finding for path, source in files for finding in rule.findings(source, path)] == []


def test_every_switched_off_check_says_why() -> None:
    files = [(path, source) for path, source in python_files(with_tests=True) if "/migrations/" not in path]
    assert [f"{path}:{line}" for path, source in files for line in silent_ignores(source)] == []
    assert silent_ignores("a = b  # type: ignore[misc]\nc = d  # noqa: S608\ne = f  # noqa\n") == [1, 2, 3]
    said = "a = b  # type: ignore[misc]  # a default binds it\nc = d  # noqa: S608  (our own words)\n'# noqa'\n"
    assert silent_ignores(said) == []


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_the_rule_can_fail(rule: Rule) -> None:
    assert [snippet for snippet in rule.refuses if not rule.findings(snippet, rule.seen_from)] == []


@pytest.mark.parametrize("rule", RULES, ids=rule_id)
def test_the_rule_lets_good_code_pass(rule: Rule) -> None:
    assert {snippet: found for snippet in rule.lets_pass if (found := rule.findings(snippet, rule.seen_from))} == {}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.allowed], ids=rule_id)
def test_the_door_itself_may(rule: Rule) -> None:
    door = min(rule.allowed)
    assert rule.findings(rule.refuses[0], door + "any.py" if door.endswith("/") else door) == []


# ---- names, places, the floor plan -----------------------------------------------------------------------------------
def badly_named(paths: list[str]) -> list[str]:
    return [path for path in paths if BANNED_MODULE_NAMES & {part.removesuffix(".py") for part in path.split("/")}]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert badly_named([path for path, _ in python_files(with_tests=True)]) == []


def test_a_name_that_says_nothing_is_found() -> None:
    assert badly_named(["orders/utils.py", "orders/helpers/x.py", "orders/services.py"]) == [
        "orders/utils.py",
        "orders/helpers/x.py",
    ]


# Spelled in pieces, or this file would be its own first finding.
MACHINE_PATH = re.compile(r"(?<![\w./*-])/(?:" + "|".join(("work", "root", "farm")) + r")/|(?<![\w./*-])/tm" + r"p/\w")
REGISTRY = re.compile(r"(?<!-)--(?:extra-)?inde" + r"x-url\b|registry *= *http|https?://\S*/simpl" + "e/")


def leaks(text: str) -> list[str]:
    return [found.group() for pattern in (MACHINE_PATH, REGISTRY) for found in pattern.finditer(text)]


def test_no_file_names_a_path_of_one_machine_or_a_package_registry() -> None:
    found = {}
    for path in our_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # pictures, fonts, wasm
        if leaks(text):
            found[path.relative_to(ROOT).as_posix()] = leaks(text)
    assert found == {}


@pytest.mark.parametrize(
    ("text", "is_leak"),
    [
        ("open('/wor" + "k/main/x')", True),
        ("cd /roo" + "t/x", True),
        ("LOG=/tm" + "p/x", True),
        ("--inde" + "x-url https://pypi.example/simpl" + "e/", True),
        ("the folder ../work/x", False),
        ("https://example.com/root/x", False),
        ("uv pip compile --no-emit-inde" + "x-url", False),
    ],
)
def test_machine_paths_and_registries_are_told_from_ordinary_text(text: str, is_leak: bool) -> None:
    assert bool(leaks(text)) is is_leak


def front_door_modules_missing_from(contracts: str) -> list[str]:
    """Modules of workbox/ beside core that the floors contract does not mention, and so would not check."""
    modules = {path.stem if path.suffix else path.name for path in (ROOT / "workbox").iterdir()}
    known = {"core", "static", "__init__", "__pycache__"}
    return sorted(name for name in modules - known if f"workbox.{name}" not in contracts)


def test_every_module_of_the_front_door_is_in_the_floor_plan() -> None:
    assert front_door_modules_missing_from((ROOT / ".importlinter").read_text()) == []


def test_a_front_door_module_outside_the_floor_plan_is_found() -> None:
    assert "settings" in front_door_modules_missing_from("workbox.urls")
