"""`manage.py setup`, password cost, and facts in the log."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.contrib.auth.hashers import identify_hasher, make_password
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.hashers import ChosenCostHasher
from accounts.models import User
from conftest import PASSWORD
from tests.servers import database_url
from workbox.core import facts_log
from workbox.core.events import CATALOG, NewEvent, append, sequence_pending
from workbox.core.followers import follow

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("setup", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_setup_makes_an_admin_once() -> None:
    answer = json.loads(run("--json", "--admin", "boss@example.com", "--password", PASSWORD))
    assert answer == {"database_created": False, "admin": "boss"}
    assert json.loads(run("--json", "--admin", "boss@example.com", "--password", PASSWORD))["admin"] is None
    boss = User.objects.get()
    assert (boss.role, boss.check_password(PASSWORD)) == ("admin", True)


@pytest.mark.django_db
def test_setup_asks_for_a_password_before_it_does_anything() -> None:
    with pytest.raises((CommandError, SystemExit)):
        call_command("setup", "--admin", "boss@example.com", stdout=StringIO(), stderr=StringIO())
    assert not User.objects.exists()


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_setup_creates_the_database_when_it_is_missing() -> None:
    name = f"setup_{uuid4().hex[:8]}"
    url = database_url().rpartition("/")[0] + f"/{name}"
    variables = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "workbox.settings_test"}
    try:
        answers = []
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "manage.py", "setup", "--json"],
                cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            answers.append(json.loads(done.stdout)["database_created"])
        assert answers == [True, False]
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s", [name])
            assert cursor.fetchone()[0] > 40
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def test_the_operator_chooses_what_a_password_hash_costs(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["accounts.hashers.ChosenCostHasher"]
    hashed = make_password(PASSWORD)
    assert isinstance(identify_hasher(hashed), ChosenCostHasher)
    assert hashed.split("$")[1] == str(settings.PASSWORD_ITERATIONS)


@pytest.mark.django_db
def test_facts_stand_in_the_structured_log() -> None:
    follow(facts_log.FOLLOWER)
    append([NewEvent("product_updated", CATALOG, 7, {"inventory_id": 7, "name": "Lamp"})])
    sequence_pending()
    with structlog.testing.capture_logs() as lines:
        assert follow(facts_log.FOLLOWER) == 1
    (line,) = [one for one in lines if one["event"] == "product_updated"]
    assert (line["topic"], line["subject_id"], line["facts"]["name"]) == ("catalog", 7, "Lamp")
