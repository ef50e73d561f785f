"""`manage.py setup`, where settings and keys come from, password cost, and facts in the log."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.contrib.auth.hashers import identify_hasher, make_password
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.hashers import ChosenCostHasher
from accounts.models import User
from conftest import PASSWORD
from inventory.models import Product
from tests.servers import database_url
from workbox.core import facts_log
from workbox.core.events import CATALOG, NewEvent, append, sequence_pending
from workbox.core.followers import follow
from workbox.env import env, read_files, secret
from workbox.management.commands import demo

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("setup", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_setup_makes_an_admin_once() -> None:
    answer = json.loads(run("--json", "--admin", "boss@example.com", "--password", PASSWORD))
    assert answer == {"database_created": False, "admin": "boss", "demo_loaded": False}
    assert json.loads(run("--json", "--admin", "boss@example.com", "--password", PASSWORD))["admin"] is None
    boss = User.objects.get()
    assert (boss.role, boss.check_password(PASSWORD)) == ("admin", True)


@pytest.mark.django_db(transaction=True)
def test_setup_gives_the_admin_a_name_that_is_free_and_no_weak_password() -> None:
    User.objects.create_user("boss", "other@example.com", PASSWORD)
    with pytest.raises(CommandError, match="too weak"):
        run("--admin", "boss@example.com", "--password", "12345")
    assert User.objects.count() == 1
    name = json.loads(run("--json", "--admin", "boss@example.com", "--password", PASSWORD))["admin"]
    assert name.startswith("boss")
    assert name != "boss"


@pytest.mark.django_db(transaction=True)
def test_setup_answers_one_document_and_fills_an_empty_shop_only(
    make_product: Callable[..., Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "PRODUCTS", 3)
    monkeypatch.setattr(demo, "ORDERS", 5)
    assert json.loads(run("--json", "--demo", "--password", PASSWORD))["demo_loaded"] is True
    products = Product.objects.count()
    make_product("Lamp")
    assert json.loads(run("--json", "--demo", "--password", PASSWORD))["demo_loaded"] is False
    assert "The shop is not empty" in run("--demo", "--password", PASSWORD)
    assert Product.objects.count() == products + 1


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


def test_a_copy_of_the_example_settings_leaves_room_for_the_keys_that_make_run_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "secrets.env"
    keys = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SECRET_KEY")}
    made.write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
    monkeypatch.setattr(type(env), "ENVIRON", {"JWT_SECRET_KEY": ""})
    read_files((ROOT / ".env.example", made))
    assert {name: secret(name, debug=False) for name in keys} == keys
    assert env.str("ALGORITHM") == "HS256"


def test_an_empty_token_key_lets_the_secret_key_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    key = secrets.token_urlsafe(48)
    monkeypatch.setattr(type(env), "ENVIRON", {"SECRET_KEY": key})
    read_files([ROOT / ".env.example"])
    assert secret("JWT_SECRET_KEY", debug=False, fallback=secret("SECRET_KEY", debug=False)) == key
    monkeypatch.setattr(type(env), "ENVIRON", {})
    read_files([ROOT / ".env.example"])
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is missing or weak"):
        secret("SECRET_KEY", debug=False)


def test_one_address_says_how_mail_is_sent() -> None:
    said = "import json; from workbox import settings as s; print(json.dumps([s.EMAIL_BACKEND.split('.')[-2],"
    said += " s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_HOST_USER, s.EMAIL_HOST_PASSWORD, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL]))"

    def settings_with(url: str) -> Any:
        variables = os.environ | {"EMAIL_URL": url, "EMAIL_BACKEND": "", "SECRET_KEY": secrets.token_urlsafe(48)}
        done = subprocess.run(
            [sys.executable, "-c", said], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    assert settings_with("smtp+tls://shop:p%40ss@mail.example.com:587") == [
        "smtp", "mail.example.com", 587, "shop", "p@ss", True, False,
    ]  # fmt: skip
    assert settings_with("") == ["console", "localhost", 25, "", "", False, False]
