"""Logging in by name or address, as JSON or form; lockout; the activity log."""

from collections.abc import Callable

import pytest
import time_machine
from django.test import Client

from accounts.models import ActivityLog, RefreshToken, User
from accounts.tests.conftest import PASSWORD, Api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/auth/login-json/", "/auth/login", "/auth/login-json"])
@pytest.mark.parametrize(
    "names",
    [
        {"username": "Rosa"},
        {"username": "rosa"},
        {"email": "rosa@example.org"},
        {"email": "ROSA@Example.org"},
        {"username": "rosa@example.org"},
    ],
)
def test_login_knows_an_account_by_every_name(api: Api, rosa: User, path: str, names: dict[str, str]) -> None:
    answer = api("POST", path, names | {"password": PASSWORD})

    body = answer.json()
    assert answer.status_code == 200
    assert sorted(body) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    assert Api(body["access_token"])("GET", "auth/me").json()["username"] == "Rosa"


@pytest.mark.parametrize("name", ["johndoe", "john@example.com"])
def test_login_takes_a_form_as_the_seeds_send_it(api: Api, name: str) -> None:
    User.objects.create_user("johndoe", "john@example.com", "securepassword123")

    assert api.form("auth/login", username=name, password="securepassword123").status_code == 200
    multipart = Client().post("/api/v1/auth/login", {"username": name, "password": "securepassword123"})
    assert multipart.status_code == 200


def test_wrong_password_unknown_and_inactive_answer_alike(api: Api, make: Callable[..., User], rosa: User) -> None:
    asleep = make("asleep")
    User.objects.filter(pk=asleep.pk).update(is_active=False)
    make("nopassword", password=None)

    answers = [
        api("POST", "auth/login", {"username": "rosa", "password": "wrong"}),
        api("POST", "auth/login", {"username": "nobody", "password": PASSWORD}),
        api("POST", "auth/login", {"username": "asleep", "password": PASSWORD}),
        api("POST", "auth/login", {"username": "nopassword", "password": PASSWORD}),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({(answer.json()["detail"], answer.json()["code"]) for answer in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"
    assert "Bearer" in answers[0].headers["WWW-Authenticate"]
    assert not RefreshToken.objects.exists()


def test_a_stale_token_in_the_header_does_not_stop_a_login(rosa: User) -> None:
    answer = Api("stale.token.here")("POST", "auth/login", {"username": "rosa", "password": PASSWORD})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "rosa"}, 422),
        ({"password": PASSWORD}, 422),
        ({"username": "x" * 300, "password": PASSWORD}, 422),
        ({"username": "a\0b", "password": PASSWORD}, 422),
        (["rosa"], 422),
        (b"not json", 400),
    ],
)
def test_a_login_that_cannot_be_read_is_not_a_crash(api: Api, db: None, body: object, status: int) -> None:
    assert api("POST", "auth/login", body).status_code == status


def test_logins_and_logouts_are_in_the_activity_log(api: Api, rosa: User) -> None:
    access = api("POST", "auth/login", {"username": "rosa", "password": PASSWORD}).json()["access_token"]
    Api(access)("POST", "auth/logout")

    rows = list(ActivityLog.objects.order_by("id").values_list("user_id", "kind", "ip"))
    assert rows == [(rosa.id, "login", "127.0.0.1"), (rosa.id, "logout", "127.0.0.1")]
    assert User.objects.get(pk=rosa.pk).last_login is not None


def _fail(api: Api, times: int, *spellings: str) -> None:
    for number in range(times):
        api("POST", "auth/login", {"username": spellings[number % len(spellings)], "password": "wrong"})


def test_repeated_failures_lock_the_account_whatever_spelling(api: Api, rosa: User, settings: object) -> None:
    _fail(api, settings.AXES_FAILURE_LIMIT, "rosa", "ROSA", "rosa@example.org", "Rosa@Example.Org")

    answer = api("POST", "auth/login", {"email": "rosa@example.org", "password": PASSWORD})

    assert answer.status_code == 429
    assert answer.json()["code"] == "throttled"
    assert int(answer.headers["Retry-After"]) == settings.AXES_COOLOFF_TIME.total_seconds()
    assert not RefreshToken.objects.exists()


def test_the_api_and_the_admin_share_one_count(api: Api, make: Callable[..., User], settings: object) -> None:
    make("chief", role="admin")
    browser = Client()
    _fail(api, settings.AXES_FAILURE_LIMIT - 1, "chief")
    browser.post("/admin/login/", {"username": "chief@example.org", "password": "wrong"})

    page = browser.post("/admin/login/", {"username": "chief", "password": PASSWORD})

    assert page.status_code == 429
    assert "_auth_user_id" not in browser.session
    assert api("POST", "auth/login", {"username": "chief", "password": PASSWORD}).status_code == 429


def test_a_lockout_hurts_neither_others_nor_other_addresses(
    api: Api, rosa: User, make: Callable[..., User], settings: object
) -> None:
    make("other")
    _fail(api, settings.AXES_FAILURE_LIMIT + 2, "rosa")

    assert api("POST", "auth/login", {"username": "other", "password": PASSWORD}).status_code == 200
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").post(
        "/api/v1/auth/login", {"username": "rosa", "password": PASSWORD}, content_type="application/json"
    )
    assert elsewhere.status_code == 200


def test_a_good_login_forgives_earlier_failures(api: Api, rosa: User, settings: object) -> None:
    for _ in range(2):
        _fail(api, settings.AXES_FAILURE_LIMIT - 1, "rosa")
        assert api("POST", "auth/login", {"username": "rosa", "password": PASSWORD}).status_code == 200


def test_the_admin_login_takes_user_name_and_address(make: Callable[..., User]) -> None:
    make("chief", role="admin")
    for name in ("CHIEF", "chief@example.org"):
        browser = Client()
        assert browser.post("/admin/login/", {"username": name, "password": PASSWORD}).status_code == 302
        assert browser.get("/admin/accounts/user/").status_code == 200


def test_the_login_throttle_counts_per_account(api: Api, rosa: User, settings: object) -> None:
    settings.WORKBOX_THROTTLE = True
    settings.WORKBOX_THROTTLE_LOGIN_PER_MINUTE = 3

    with time_machine.travel("2026-01-15T10:30:10Z", tick=False):  # all in one window
        statuses = [
            api("POST", "auth/login", {"username": "rosa-throttle", "password": PASSWORD}).status_code for _ in range(5)
        ]

    assert 429 in statuses[3:]
    assert set(statuses[:1]) == {401}
