"""The second factor: enrol, log in, recover, reset; and no way round it in a browser, at the API or on a socket."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor, services
from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api
from accounts.websocket import principal_from_scope
from workbox.core.errors import Forbidden, Invalid, RuleViolation, TooManyRequests

pytestmark = pytest.mark.django_db(transaction=True)
PAGE, CODE_PAGE = "/admin/second-factor/", "/admin/second-factor/code/"


def code_of(user: User, *, steps: int = 0) -> str:
    """What the account's app shows now, or so many steps of 30 seconds later."""
    device = TOTPDevice.objects.get(user=user)
    generator = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    generator.time = time.time() + steps * device.step
    return f"{generator.token():06d}"


def wrong_code(user: User) -> str:
    right = {code_of(user, steps=step) for step in range(-2, 3)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444", "555555") if text not in right)


@pytest.fixture
def clerk(make: Callable[..., User]) -> User:
    return make("carla", role="clerk")


@pytest.fixture
def enrolled(clerk: User) -> tuple[User, list[str]]:
    """The clerk with a second factor, and the recovery codes; the next code of the app is unused."""
    second_factor.begin(clerk)
    with time_machine.travel(timezone.now() - timedelta(minutes=2)):
        codes = second_factor.confirm(clerk, code=code_of(clerk))
    return clerk, codes


def logged_in() -> Client:
    client = Client()
    assert client.post("/admin/login/", {"username": "carla", "password": PASSWORD}).status_code == 302
    return client


# ---- setting it up ---------------------------------------------------------------------------------------------------
@pytest.mark.mariadb
def test_pages_opened_at_once_make_one_secret(clerk: User) -> None:
    together = threading.Barrier(8)

    def opened(_: int) -> bytes:
        try:
            together.wait()
            return second_factor.begin(clerk).bin_key
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        shown = set(pool.map(opened, range(8)))
    assert (len(shown), TOTPDevice.objects.filter(user=clerk).count()) == (1, 1)


def test_the_page_shows_one_secret_even_where_two_were_made_at_once(clerk: User) -> None:
    client = logged_in()
    first = client.get(PAGE).context["secret"]
    TOTPDevice.objects.create(user=clerk, confirmed=False, name="Made in another window")
    assert [client.get(PAGE).context["secret"] for _ in range(2)] == [first, first]


def test_a_code_of_the_app_turns_it_on_and_ten_recovery_codes_are_shown_once(clerk: User) -> None:
    client = logged_in()
    page = client.get(PAGE)
    assert second_factor.secret_text(TOTPDevice.objects.get()) in page.content.decode()
    assert page.headers["Cache-Control"].startswith("max-age=0")
    done = client.post(PAGE, {"act": "turn-on", "code": code_of(clerk)})
    clerk.refresh_from_db()
    assert clerk.second_factor_at is not None
    shown = done.context["codes"]
    assert len(set(shown)) == 10
    assert all(one in done.content.decode() for one in shown)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {one.replace("-", "") for one in shown}, "codes are not kept as they are"
    assert client.get(PAGE).context["codes"] is None
    assert client.get("/admin/").status_code == 200, "the browser that set it up has given its code"


def test_a_wrong_code_turns_nothing_on(clerk: User) -> None:
    client = logged_in()
    client.get(PAGE)
    answer = client.post(PAGE, {"act": "turn-on", "code": wrong_code(clerk)})
    assert "That code is not right" in answer.content.decode()
    clerk.refresh_from_db()
    assert clerk.second_factor_at is None


# ---- the browser -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/admin/", "/admin/inventory/product/", "/admin/roles/"])
def test_after_the_password_every_page_asks_for_the_code(enrolled: tuple[User, list[str]], path: str) -> None:
    client = logged_in()
    asked = client.get(path)
    assert asked.status_code == 302
    assert asked.headers["Location"].startswith(CODE_PAGE)
    given = client.post(CODE_PAGE, {"code": code_of(enrolled[0]), "next": path})
    assert (given.status_code, given.headers["Location"]) == (302, path)
    assert client.get(path).status_code in {200, 403}


def test_without_the_code_there_is_no_live_page_and_no_second_factor_page(enrolled: tuple[User, list[str]]) -> None:
    client = logged_in()
    assert client.get("/live/").status_code == 302
    assert client.get("/live/rows/").status_code == 401
    assert client.get(PAGE).headers["Location"].startswith(CODE_PAGE)
    assert client.post(PAGE, {"act": "turn-off", "code": "000000"}).headers["Location"].startswith(CODE_PAGE)
    assert client.post("/admin/logout/").status_code in {200, 302}, "one may always leave"


async def test_a_socket_of_a_session_that_gave_no_code_is_nobodys(enrolled: tuple[User, list[str]]) -> None:
    user = enrolled[0]
    session: Any = {}
    nobody = await principal_from_scope({"user": user, "session": session, "headers": []})
    session["second_factor"] = second_factor._stamp(user)
    somebody = await principal_from_scope({"user": user, "session": session, "headers": []})
    assert nobody.principal is None
    assert somebody.principal is not None
    assert somebody.principal.id == user.pk


def test_a_code_opens_a_session_once(enrolled: tuple[User, list[str]]) -> None:
    code = code_of(enrolled[0])
    assert logged_in().post(CODE_PAGE, {"code": code}).status_code == 302
    assert "not right" in logged_in().post(CODE_PAGE, {"code": code}).content.decode()


def test_a_foreign_address_is_not_where_one_goes_on(enrolled: tuple[User, list[str]]) -> None:
    answer = logged_in().post(CODE_PAGE, {"code": code_of(enrolled[0]), "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/admin/"


def test_a_recovery_code_works_once_in_any_spelling(enrolled: tuple[User, list[str]]) -> None:
    user, codes = enrolled
    assert logged_in().post(CODE_PAGE, {"code": codes[3].upper()}).status_code == 302
    with pytest.raises((Invalid, TooManyRequests)):
        second_factor.check(user, code=codes[3])
    assert second_factor.recovery_codes_left(user) == 9


def test_who_guesses_is_slowed_down_and_the_count_survives_the_refusal(enrolled: tuple[User, list[str]]) -> None:
    user, _ = enrolled
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False) as clock:
        for wait in (1, 2, 4):
            with pytest.raises(Invalid):
                second_factor.check(user, code=wrong_code(user))
            with pytest.raises(TooManyRequests) as told:
                second_factor.check(user, code=code_of(user))
            assert told.value.retry_after_seconds == wait
            clock.shift(wait + 1)
        second_factor.check(user, code=code_of(user))


def test_a_session_of_an_earlier_phone_is_asked_again(enrolled: tuple[User, list[str]]) -> None:
    user, codes = enrolled
    client = logged_in()
    client.post(CODE_PAGE, {"code": codes[0]})
    second_factor.turn_off(user, code=codes[1])
    second_factor.begin(user)
    with time_machine.travel(datetime.now().astimezone() + timedelta(minutes=2)):
        second_factor.confirm(user, code=code_of(user))
        assert client.get("/admin/").headers["Location"].startswith(CODE_PAGE)


# ---- programs --------------------------------------------------------------------------------------------------------
def test_the_api_asks_for_the_code_after_the_password(enrolled: tuple[User, list[str]]) -> None:
    user, codes = enrolled
    body = {"username": "carla", "password": PASSWORD}
    missing = Api()("POST", "auth/login", body)
    wrong = Api()("POST", "auth/login", body | {"code": "nonsense"})
    no_password = Api()("POST", "auth/login", body | {"password": "wrong", "code": codes[1]})
    assert (missing.status_code, missing.json()["code"]) == (401, "second_factor_required")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "second_factor_wrong")
    assert no_password.json()["code"] == "invalid_credentials"
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        right = Api()("POST", "auth/login", body | {"code": codes[1]})
    assert right.status_code == 200
    assert second_factor.recovery_codes_left(user) == 9


# ---- required by the shop --------------------------------------------------------------------------------------------
def test_where_it_is_required_staff_set_it_up_first(clerk: User, settings: Any) -> None:
    settings.WORKBOX_SECOND_FACTOR = "required"
    client = logged_in()
    sent = client.get("/admin/inventory/product/")
    assert sent.headers["Location"] == f"{PAGE}?next=%2Fadmin%2Finventory%2Fproduct%2F"
    refused = Api()("POST", "auth/login", {"username": "carla", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_missing")
    client.get(PAGE)
    assert client.post(PAGE, {"act": "turn-on", "code": code_of(clerk)}).status_code == 200
    assert client.get("/admin/inventory/product/").status_code == 200
    clerk.refresh_from_db()
    with pytest.raises(RuleViolation):
        second_factor.turn_off(clerk, code=code_of(clerk, steps=1))


def test_customers_are_never_asked(make: Callable[..., User], settings: Any) -> None:
    settings.WORKBOX_SECOND_FACTOR = "required"
    make("cora", role="user")
    assert Api()("POST", "auth/login", {"username": "cora", "password": PASSWORD}).status_code == 200


# ---- a lost phone ----------------------------------------------------------------------------------------------------
def test_a_manager_resets_a_clerks_and_all_its_logins_end(
    enrolled: tuple[User, list[str]], make: Callable[..., User]
) -> None:
    user, codes = enrolled
    client = logged_in()
    client.post(CODE_PAGE, {"code": codes[0]})
    manager = Client()
    manager.force_login(make("mia", role="manager"), backend="accounts.roles.RoleBackend")
    page = manager.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
    assert "on since" in page
    manager.post(
        reverse("admin:accounts_user_reset_second_factor", args=[user.pk]),
        {"_form_submitted": "on"},
        headers={"HX-Request": "true"},
    )
    user.refresh_from_db()
    assert (user.second_factor_at, TOTPDevice.objects.count(), StaticToken.objects.count()) == (None, 0, 0)
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")


def test_nobody_resets_one_above_their_reach(enrolled: tuple[User, list[str]], make: Callable[..., User]) -> None:
    chief = make("chief", role="admin")
    with pytest.raises(Forbidden):
        services.reset_second_factor(make("mia", role="manager"), user_id=chief.pk)


# ---- the account's page ----------------------------------------------------------------------------------------------
def test_an_open_login_is_listed_and_ends_by_its_button(clerk: User, make: Callable[..., User]) -> None:
    tokens = Api()("POST", "auth/login", {"username": "carla", "password": PASSWORD}).json()
    manager = Client()
    manager.force_login(make("mia", role="manager"), backend="accounts.roles.RoleBackend")
    page = manager.get(f"/admin/accounts/user/{clerk.pk}/change/")
    (login,) = page.context["panels"]["logins"]
    assert page.context["panels"]["history"][0]["what"] == "Login"
    assert manager.get(login["end_url"]).status_code == 405
    assert manager.post(login["end_url"]).status_code == 302
    assert Api()("POST", "auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_an_analyst_sees_logins_and_ends_none(clerk: User, make: Callable[..., User]) -> None:
    Api()("POST", "auth/login", {"username": "carla", "password": PASSWORD})
    analyst = Client()
    analyst.force_login(make("ana", role="analyst"), backend="accounts.roles.RoleBackend")
    page = analyst.get(f"/admin/accounts/user/{clerk.pk}/change/")
    (login,) = page.context["panels"]["logins"]
    assert login["end_url"] not in page.content.decode()
    assert analyst.post(login["end_url"]).status_code == 403


def test_the_page_of_roles_says_what_the_code_says(make: Callable[..., User]) -> None:
    analyst = Client()
    analyst.force_login(make("ana", role="analyst"), backend="accounts.roles.RoleBackend")
    rows = {row["name"]: dict(row["may"]) for row in analyst.get("/admin/roles/").context["rows"]}
    assert rows["stock.post"] == {"User": False, "Clerk": True, "Manager": True, "Analyst": False, "Admin": True}
    clerk = Client()
    clerk.force_login(make("carla", role="clerk"), backend="accounts.roles.RoleBackend")
    assert clerk.get("/admin/roles/").status_code == 403
