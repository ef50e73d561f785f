"""doctor and stress, and the manners all commands share: JSON, exit codes, progress on standard error."""

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django.fixtures import Settings

from workbox.celery import app
from workbox.core.commands import WorkBoxCommand, progress
from workbox.core.errors import RuleViolation
from workbox.drills import DRILLS
from workbox.jobs.models import Job, JobState
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


def finding(what: str) -> dict[str, Any]:
    """What doctor says of this now."""
    found: dict[str, Any] = next(one for one in answer("doctor")[0]["findings"] if one["what"] == what)
    return found


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
    settings.METRICS_ALLOW = ["10.0.0.0/8", "prometheus", "10.0.0.300"]
    found, code = answer("doctor")
    problems = {one["what"]: one["fix"] for one in found["findings"] if one["level"] == "problem"}
    assert problems["DEBUG"] == "DEBUG=false"
    assert problems["METRICS_ALLOW"].startswith("METRICS_ALLOW=")
    assert finding("METRICS_ALLOW")["found"] == "no address and no network: prometheus, 10.0.0.300"
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


@pytest.mark.django_db
def test_doctor_tells_how_long_jobs_wait() -> None:
    assert (finding("jobs")["level"], finding("jobs")["found"]) == ("ok", "0 waiting")
    now = timezone.now()
    old, young = (Job.objects.create(kind="export") for _ in range(2))
    Job.objects.filter(pk=old.pk).update(created_at=now - timedelta(minutes=9))
    since = now - timedelta(minutes=9)
    assert (finding("jobs")["level"], finding("jobs")["found"]) == ("ok", f"2 waiting since {since:%Y-%m-%d %H:%M}")
    Job.objects.filter(pk=old.pk).update(created_at=now - timedelta(minutes=11))
    late = finding("jobs")
    assert (late["level"], "celery -A workbox worker" in late["fix"]) == ("problem", True)
    Job.objects.filter(pk=old.pk).update(state=JobState.RUNNING)
    assert finding("jobs")["found"].startswith("1 waiting")
    assert finding("jobs")["level"] == "ok"
    assert young.state == JobState.QUEUED


@pytest.mark.django_db
def test_doctor_tells_of_the_last_job_and_of_those_that_failed_in_a_day() -> None:
    assert (finding("last jobs")["level"], finding("last jobs")["found"]) == ("ok", "none has run yet")
    now = timezone.now()
    Job.objects.create(kind="export", state=JobState.FAILED, finished_at=now - timedelta(hours=25))
    done = Job.objects.create(kind="import_apply", state=JobState.DONE, finished_at=now)
    said = f"import_apply {done.pk} done {now:%Y-%m-%d %H:%M}; {{}} failed in a day"
    assert (finding("last jobs")["level"], finding("last jobs")["found"]) == ("ok", said.format(0))
    Job.objects.create(kind="export", state=JobState.FAILED, finished_at=now - timedelta(hours=1))
    failed = finding("last jobs")
    assert (failed["level"], failed["found"]) == ("note", said.format(1))
    assert "/admin/jobs/job/" in failed["fix"]


@pytest.mark.django_db
def test_doctor_tells_what_is_scheduled_and_when_it_last_ran(settings: Settings) -> None:
    settings.CELERY_BEAT_SCHEDULE = {"reap": {"task": "jobs.reap", "schedule": 60.0}}
    PeriodicTask.objects.all().delete()
    assert (finding("beat")["level"], finding("beat")["found"]) == ("note", "not scheduled yet: jobs.reap")
    every = IntervalSchedule.objects.create(every=60, period=IntervalSchedule.SECONDS)
    task = PeriodicTask.objects.create(name="reap", task="jobs.reap", interval=every)
    assert (finding("beat")["level"], finding("beat")["found"]) == ("ok", "1 tasks scheduled, none has run yet")
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=datetime(2026, 1, 15, 2, 30, tzinfo=UTC))
    assert finding("beat")["found"] == "1 tasks scheduled, last run 2026-01-15 02:30"
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    assert finding("beat")["level"] == "note"


@pytest.mark.django_db
def test_doctor_asks_the_workers_themselves(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = False
    answers: list[dict[str, Any]] = []
    monkeypatch.setattr(app.control, "ping", lambda timeout, connection: answers)  # the wire to other processes
    silent = finding("workers")
    # On SQLite everything is one machine for one person: advice. A server without a worker is a fault.
    assert silent["level"] == ("problem" if connection.vendor == "mysql" else "note")
    assert silent["fix"].startswith("celery -A workbox worker")
    answers += [{"celery@a": {"ok": "pong"}}, {"celery@b": {"ok": "pong"}}]
    assert (finding("workers")["level"], finding("workers")["found"]) == ("ok", "2 answer")


@pytest.mark.django_db
def test_doctor_survives_a_broker_that_is_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(app, "connection_for_read", away)
    settings.CELERY_BROKER_URL = "redis://user:secret@127.0.0.1:1/0"
    found, code = answer("doctor")
    broker = next(one for one in found["findings"] if one["what"] == "broker")
    assert (broker["level"], code) == ("problem", 3)
    assert broker["found"] == "127.0.0.1:1/0 not reachable: nobody there"
    assert "workers" not in {one["what"] for one in found["findings"]}


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
