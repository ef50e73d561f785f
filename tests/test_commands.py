"""doctor and stress, and the manners all commands share: JSON, exit codes, progress on standard error."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from workbox.core.commands import WorkBoxCommand, progress
from workbox.core.errors import RuleViolation
from workbox.drills import DRILLS
from workbox.management.commands.stress import SHARES

ROOT = Path(__file__).resolve().parent.parent


def answer(name: str, *options: str) -> tuple[dict[str, Any], int]:
    out, code = io.StringIO(), 0
    try:
        call_command(name, "--json", *options, stdout=out)
    except SystemExit as left:
        code = int(left.code or 0)
    return json.loads(out.getvalue()), code


def process(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )


# ---- doctor ----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_doctor_looks_at_everything_and_every_finding_has_its_line() -> None:
    found, code = answer("doctor")
    by_name = {one["what"]: one for one in found["findings"]}
    expected = {"database", "migrations", "ledger guards", "Redis", "broker", "SECRET_KEY", "DEBUG", "HTTPS", "disk"}
    if connection.vendor == "mysql":
        expected |= {"isolation", "durable commits", "SQL mode", "collation", "lock wait", "time-zone tables"}
        assert by_name["isolation"]["found"] == "READ-COMMITTED"
        assert by_name["collation"]["level"] == "ok"
    assert expected <= by_name.keys()
    assert by_name["migrations"]["level"] == "ok"
    assert all(one["fix"] for one in found["findings"] if one["level"] == "problem")
    assert code == (3 if found["problems"] else 0)


@pytest.mark.django_db
def test_doctor_names_weak_settings(settings: Settings, tmp_path: Path) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["*"]
    settings.JWT_SECRET_KEY = settings.SECRET_KEY = "short"
    settings.VAR_DIR = tmp_path
    found, code = answer("doctor")
    problems = {one["what"]: one["fix"] for one in found["findings"] if one["level"] == "problem"}
    assert problems["DEBUG"] == "DEBUG=false"
    assert problems["allowed hosts"] == "ALLOWED_HOSTS=shop.example.com"
    assert "token_urlsafe" in problems["SECRET_KEY"]
    assert code == 3


@pytest.mark.django_db
def test_doctor_survives_a_redis_that_is_away(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found, code = answer("doctor")
    away = next(one for one in found["findings"] if one["what"] == "Redis")
    assert (away["level"], code) == ("problem", 3)
    assert "REDIS_URL" in away["fix"]


@pytest.mark.mariadb
@pytest.mark.slow
def test_doctor_survives_a_database_that_is_away() -> None:
    ended = process("doctor", "--json", DATABASE_URL="mysql://root@127.0.0.1:1/workbox_db")
    assert ended.returncode == 3, ended.stderr
    first = json.loads(ended.stdout)["findings"][0]
    assert (first["what"], first["level"]) == ("database", "problem")
    assert "DATABASE_URL" in first["fix"]


# ---- stress ----------------------------------------------------------------------------------------------------------
def test_stress_knows_every_drill() -> None:
    assert SHARES.keys() == DRILLS.keys()


@pytest.mark.slow
def test_stress_reports_in_a_database_of_its_own_and_removes_it() -> None:
    ended = process("stress", "--drill", "oversell", "--threads", "8", "--json", "--yes")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    drill = report["drills"][0]
    assert (drill["name"], drill["kept"], drill["figures"]["placed"]) == ("oversell", True, 500)
    assert report["proves_concurrency"] is (connection.vendor == "mysql")
    assert "progress" not in ended.stdout
    assert not list((ROOT / "var").glob(f"{report['database']}*"))


@pytest.mark.mariadb
@pytest.mark.slow
def test_stress_asks_before_it_loads_a_server() -> None:
    ended = process("stress", "--drill", "oversell")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "add --yes" in ended.stderr


# ---- shared manners --------------------------------------------------------------------------------------------------
class Refuses(WorkBoxCommand):
    def run(self, **options: Any) -> int:
        raise RuleViolation("The shop is closed.")


class Finds(WorkBoxCommand):
    def run(self, **options: Any) -> int:
        return 3


def test_a_refusal_is_one_sentence_and_exit_code_1() -> None:
    with pytest.raises(CommandError, match="The shop is closed") as refused:
        call_command(Refuses())
    assert refused.value.returncode == 1


def test_findings_are_exit_code_3() -> None:
    with pytest.raises(SystemExit) as left:
        call_command(Finds())
    assert left.value.code == 3


def test_progress_without_a_terminal_is_a_plain_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 6.0])
    monkeypatch.setattr("workbox.core.commands.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with progress(stream) as begin:
        tick = begin("Booking", 1000)
        tick(100)
        tick(700)
    assert stream.getvalue() == "Booking: 700 of 1,000 (100/s, 3 s left)\n"


def test_progress_on_a_terminal_draws_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress(stream) as begin:
        begin("Booking", 10)(10)
    assert "Booking" in stream.getvalue()
    assert "10/10" in stream.getvalue()
