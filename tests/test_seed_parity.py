"""docs/seeds.md carries the five documents' 280 features: what serves each, and the test that shows it."""

import ast
import os
import re
import subprocess
import sys
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import environ
import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.urls import Resolver404, resolve

from tests.client import Api
from tests.servers import serving
from tests.test_house_rules import our_files
from workbox.core.cache import KEPT_SECONDS
from workbox.env import database, env, secret

ROOT = Path(__file__).resolve().parent.parent
COUNTS = {"000": 57, "001": 99, "002": 66, "003": 38, "004": 20}
ROW = re.compile(r"^\|(\d+)\|(00\d)\|([^|]*(?:\\\|[^|]*)*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
SOCKETS = ("ws", "analytics/ws")


def rows() -> list[tuple[str, int, str, str, str]]:
    """(document, number, feature, served by, test) of each line of the page."""
    found = ROW.findall((ROOT / "docs/seeds.md").read_text())
    return [(seed, int(number), feature, place, test.strip(" `")) for number, seed, feature, place, test in found]


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_the_page_carries_every_row_once() -> None:
    found = [(seed, number) for seed, number, *_ in rows()]
    assert found == [(seed, number) for seed, count in COUNTS.items() for number in range(1, count + 1)]


def test_every_row_names_a_test_that_exists() -> None:
    missing = []
    for seed, number, _, _, test in rows():
        path, _, name = test.partition("::")
        if not (ROOT / path).is_file() or name not in named_in(path):
            missing.append(f"{seed} row {number}: {test}")
    assert missing == []


def test_every_route_a_row_names_exists() -> None:
    unknown = []
    for seed, number, _, place, _ in rows():
        for path in re.findall(r"`(?:GET |POST |PUT |PATCH |DELETE )?(/[^`?…\s]*)", place):
            concrete = re.sub(r"\{\w+\}", "1", path).rstrip("/")
            if concrete.lstrip("/").startswith(SOCKETS):
                continue
            try:
                resolve(concrete or "/")
            except Resolver404:
                try:
                    resolve(f"{concrete}/")
                except Resolver404:
                    unknown.append(f"{seed} row {number}: {path}")
    assert unknown == []


# ---- what rows ask for that no other test shows ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("requirements.txt", "mysqlclient=="),
        ("README.md", "make run"),
        ("LICENSE", "MIT License"),
        ("CONTRIBUTING.md", "make test"),
        ("conftest.py", "def manager"),
        ("pytest.ini", "testpaths"),
        ("requirements/dev.in", "coverage"),
        ("docs/operations.md", "OpenTelemetry"),
        ("docs/operations.md", "## Speed"),
        ("docs/scaling.md", "ProxySQL"),
        ("docs/troubleshooting.md", "WebSocket"),
        ("docs/troubleshooting.md", "setup"),
        ("docs/troubleshooting.md", ".venv"),
    ],
)
def test_what_the_documents_ask_to_be_there_is_there(path: str, holds: str) -> None:
    assert holds in (ROOT / path).read_text()


DB_VARIABLES = ("DATABASE_URL", "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME")


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in DB_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_database_is_named_as_the_documents_say(no_database: pytest.MonkeyPatch) -> None:
    no_database.setenv("DB_HOST", "localhost")
    first = database()
    assert (first["NAME"], first["USER"], first["PORT"], first["HOST"]) == ("workbox_db", "root", "3306", "localhost")
    for name, value in (("DB_USER", "u"), ("DB_PASSWORD", "p w"), ("DB_NAME", "shop"), ("DB_PORT", "3307")):
        no_database.setenv(name, value)
    named = database()
    assert (named["USER"], named["PASSWORD"], named["NAME"], named["PORT"]) == ("u", "p w", "shop", "3307")


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("mysql+pymysql://root:password@localhost/workbox_db", "workbox.core.mysql", "workbox_db"),
        ("mysql://root:password@localhost:3307/shop", "workbox.core.mysql", "shop"),
        ("postgresql://u:p@localhost/shop", "django.db.backends.postgresql", "shop"),
        ("sqlite:////tm" + "p/shop.sqlite3", "django.db.backends.sqlite3", "/tm" + "p/shop.sqlite3"),
    ],
)
def test_every_spelling_of_a_database_address_is_understood(
    url: str, engine: str, name: str, no_database: pytest.MonkeyPatch
) -> None:
    no_database.setenv("DATABASE_URL", url)
    found = database()
    assert (found["ENGINE"], found["NAME"]) == (engine, name)


def test_a_real_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file.env"
    file.write_text("WORKBOX_PROBE=file\nWORKBOX_PROBE_TWO=file\n")
    monkeypatch.setenv("WORKBOX_PROBE", "real")
    monkeypatch.setenv("WORKBOX_PROBE_TWO", "")
    monkeypatch.delenv("WORKBOX_PROBE_TWO")
    environ.Env.read_env(str(file))
    assert (env.str("WORKBOX_PROBE"), env.str("WORKBOX_PROBE_TWO")) == ("real", "file")
    del os.environ["WORKBOX_PROBE_TWO"]


@pytest.mark.parametrize("key", ["", "short", "x" * 64, "change-me-" * 5, "your-secret-key-here-please-32-chars"])
def test_a_weak_key_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_KEY", key)
    with pytest.raises(ImproperlyConfigured, match=r"secrets\.token_urlsafe"):
        secret("PROBE_KEY", debug=False)


@pytest.mark.django_db
def test_foreign_pages_are_let_in_by_name_only(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example.com"]
    asked = {"Access-Control-Request-Method": "POST"}
    known = Api()("OPTIONS", "orders", Origin="https://shop.example.com", **asked)
    assert known.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    foreign = Api()("OPTIONS", "orders", Origin="https://evil.example.com", **asked)
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_each_room_has_tests_of_its_own() -> None:
    named = {path.relative_to(ROOT).parts[0] for path in our_files() if path.name.startswith("test_")}
    assert {"accounts", "inventory", "orders", "purchasing", "insights", "workbox", "tests"} <= named


def test_every_hot_table_of_stock_carries_its_warehouse() -> None:
    for name in ("StockLevel", "StockMovement"):
        assert apps.get_model("inventory", name)._meta.get_field("warehouse").db_index is not None
    assert {"from_warehouse", "to_warehouse"} <= {one.name for one in apps.get_model("inventory.Transfer")._meta.fields}


def test_kept_pages_live_as_long_as_the_documents_say() -> None:
    assert KEPT_SECONDS == 300


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_static_files_are_served_with_a_long_life(tmp_path: Path) -> None:
    variables = {"STATIC_MANIFEST": "true", "STATIC_ROOT": str(tmp_path)}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT, env=os.environ | variables | {"DJANGO_SETTINGS_MODULE": "workbox.settings_test"}, check=True,
    )  # fmt: skip
    with serving(1, variables=variables) as (server,):
        page = urllib.request.urlopen(f"{server.http}/admin/login/", timeout=10).read().decode()
        (style,) = set(re.findall(r"/static/workbox/admin\.[0-9a-f]{12}\.css", page))
        answer = urllib.request.urlopen(server.http + style, timeout=10)
        assert "immutable" in answer.headers["Cache-Control"]
        assert int(re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])[1]) > 10**7  # type: ignore[index]  # it matches
