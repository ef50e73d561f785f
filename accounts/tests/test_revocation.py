"""Promise 22: tokens die when they should, on every door, with a 401 and never a 500."""

from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from accounts import services, tokens
from accounts.models import User
from accounts.principal import Principal, load_principal
from accounts.tests.conftest import PASSWORD, Api
from accounts.tokens import TokenPair
from accounts.websocket import SUBPROTOCOL, principal_from_scope, still_allowed
from workbox.core.errors import NotAuthenticated

# Channels closes connections after each piece of database work: no transaction may be open around these tests.
pytestmark = pytest.mark.django_db(transaction=True)


def _inactive(user: User, admin: User) -> None:
    services.deactivate(admin, user_id=user.pk)


def _deleted(user: User, _: User) -> None:
    user.delete()


def _password_changed(user: User, _: User) -> None:
    services.set_password(user, password="a-brand-new-passphrase")


def _password_changed_by_django(user: User, _: User) -> None:
    user.set_password("a-brand-new-passphrase")
    user.save()


def _password_removed(user: User, _: User) -> None:
    services.set_password(user, password=None)


def _password_changed_by_owner(user: User, _: User) -> None:
    services.update_profile(user.pk, password="a-brand-new-passphrase", old_password=PASSWORD)


def _logged_out(user: User, _: User) -> None:
    services.logout(user.pk)


def _role_changed(user: User, admin: User) -> None:
    services.update_user(admin, user_id=user.pk, role="analyst")


def _all_revoked(user: User, _: User) -> None:
    tokens.revoke_all(user)


ENDINGS: dict[str, Callable[[User, User], None]] = {
    "inactive": _inactive,
    "deleted": _deleted,
    "password changed": _password_changed,
    "password changed by Django's own form": _password_changed_by_django,
    "password removed": _password_removed,
    "password changed by its owner": _password_changed_by_owner,
    "logged out": _logged_out,
    "role changed": _role_changed,
    "all revoked": _all_revoked,
}


def _scope(access: str) -> dict[str, object]:
    return {
        "type": "websocket",
        "headers": [],
        "subprotocols": [SUBPROTOCOL, f"bearer.{access}"],
        "user": AnonymousUser(),
    }


def _socket(access: str) -> Principal | None:
    return async_to_sync(principal_from_scope)(_scope(access)).principal


def _session(user: User) -> int:
    browser = Client()
    browser.force_login(user, backend="accounts.roles.RoleBackend")
    return browser


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_issued_before_works_afterwards(make: Callable[..., User], ending: str) -> None:
    admin = make("chief", role="admin")
    user = make("worker", role="manager")
    pair = tokens.issue_pair(user)
    before = load_principal(user.pk, user.token_version)
    browser = _session(user)
    path = f"users/{user.pk}"
    assert Api(pair.access)("GET", "auth/me").status_code == 200
    assert Api(pair.access)("GET", "users").status_code == 200
    assert _socket(pair.access) == before
    assert async_to_sync(still_allowed)(before)
    assert browser.get("/admin/accounts/user/").status_code == 200

    ENDINGS[ending](user, admin)

    assert Api(pair.access)("GET", "auth/me").status_code == 401
    assert Api(pair.access)("GET", "users").status_code == 401
    assert Api(pair.access)("GET", path).status_code == 401
    assert Api(pair.access)("POST", "auth/logout").status_code == 401
    assert Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code == 401
    assert Api()("POST", "auth/logout", {"refresh_token": pair.refresh}).status_code == 401
    assert _socket(pair.access) is None
    assert not async_to_sync(still_allowed)(before)
    assert browser.get("/admin/accounts/user/").status_code == 302


@pytest.mark.parametrize("ending", ["password changed", "logged out", "role changed", "all revoked"])
def test_a_new_login_begins_anew(make: Callable[..., User], ending: str) -> None:
    admin, user = make("chief", role="admin"), make("worker", role="clerk")
    ENDINGS[ending](user, admin)
    password = "a-brand-new-passphrase" if ending == "password changed" else PASSWORD

    answer = Api()("POST", "auth/login", {"username": "worker", "password": password})

    assert Api(answer.json()["access_token"])("GET", "auth/me").status_code == 200


def test_a_change_that_takes_nothing_away_ends_no_token(make: Callable[..., User], rosa: User, pair: TokenPair) -> None:
    services.update_user(make("chief", role="admin"), user_id=rosa.pk, full_name="Rosa Lind", email="r@example.org")

    assert Api(pair.access)("GET", "auth/me").json()["full_name"] == "Rosa Lind"
    assert Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code == 200


def test_logging_in_ends_no_earlier_token(rosa: User, pair: TokenPair) -> None:
    Api()("POST", "auth/login", {"username": "rosa", "password": PASSWORD})

    assert Api(pair.access)("GET", "auth/me").status_code == 200


def test_a_hash_upgrade_at_login_ends_no_token(rosa: User, pair: TokenPair, settings: object) -> None:
    """Django stores the password anew when the hasher changed; that is not a new password."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", *settings.PASSWORD_HASHERS]

    answer = Api()("POST", "auth/login", {"username": "rosa", "password": PASSWORD})

    rosa.refresh_from_db()
    assert rosa.password.startswith("scrypt$")
    assert Api(answer.json()["access_token"])("GET", "auth/me").status_code == 200
    assert Api(pair.access)("GET", "auth/me").status_code == 200


def test_logout_with_only_a_refresh_token(rosa: User, pair: TokenPair) -> None:
    assert Api("expired.access.token")("POST", "auth/logout", {"refresh_token": pair.refresh}).status_code == 204
    assert Api(pair.access)("GET", "auth/me").status_code == 401
    assert Api()("POST", "auth/logout").status_code == 401


def test_a_spent_refresh_token_cannot_log_its_owner_out(pair: TokenPair) -> None:
    newer = Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).json()

    assert Api()("POST", "auth/logout", {"refresh_token": pair.refresh}).status_code == 401
    assert Api(newer["access_token"])("GET", "auth/me").status_code == 200


def test_the_owner_needs_the_old_password_for_a_new_one(rosa: User, pair: TokenPair) -> None:
    me = Api(pair.access)

    assert me("PATCH", "auth/me", {"password": "a-brand-new-passphrase"}).status_code == 422
    assert me("PATCH", "auth/me", {"password": "12345678", "old_password": PASSWORD}).status_code == 422
    assert me("PATCH", "auth/me", {"full_name": "R.", "role": "admin", "is_staff": True}).json()["role"] == "user"
    changed = me("PATCH", "auth/me", {"password": "a-brand-new-passphrase", "old_password": PASSWORD})
    assert changed.status_code == 200
    assert me("GET", "auth/me").status_code == 401
    rosa.refresh_from_db()
    assert rosa.check_password("a-brand-new-passphrase")


def test_revoking_a_family_spares_the_other_logins(rosa: User, pair: TokenPair) -> None:
    other = tokens.issue_pair(rosa)

    assert tokens.end_family(rosa.refresh_tokens.earliest("created_at").family) == 1

    assert Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code == 401
    assert Api()("POST", "auth/refresh", {"refresh_token": other.refresh}).status_code == 200


def test_the_socket_takes_header_subprotocol_and_session_but_no_query(rosa: User, pair: TokenPair) -> None:
    header = {"headers": [(b"authorization", f"Bearer {pair.access}".encode())], "user": AnonymousUser()}
    query = {"headers": [], "query_string": f"token={pair.access}".encode(), "user": AnonymousUser()}
    session = {"headers": [], "user": rosa}
    bad_token_with_session = {"headers": [(b"authorization", b"Bearer nonsense")], "user": rosa}
    no_v1 = {"headers": [], "subprotocols": [f"bearer.{pair.access}"], "user": AnonymousUser()}

    identify = async_to_sync(principal_from_scope)
    expires_at = tokens.read_access(pair.access).expires_at
    rosa_now = load_principal(rosa.pk, 0)
    assert identify(_scope(pair.access)) == (rosa_now, expires_at, SUBPROTOCOL)
    assert identify(header) == (rosa_now, expires_at, None)
    assert identify(session) == (rosa_now, None, None)
    assert identify(query) == (None, None, None)
    assert identify(bad_token_with_session) == (None, None, None)
    assert identify(no_v1) == (None, None, None)
    assert identify({"type": "websocket"}) == (None, None, None)


def test_an_account_switched_off_by_hand_is_nobody(rosa: User, pair: TokenPair) -> None:
    """The flag counts by itself, also where no service raised the token version."""
    User.objects.filter(pk=rosa.pk).update(is_active=False)

    with pytest.raises(NotAuthenticated):
        load_principal(rosa.pk, 0)
    assert Api(pair.access)("GET", "auth/me").status_code == 401
    assert Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code == 401
