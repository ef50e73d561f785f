"""Making an account for oneself: what comes back, what is refused, what is ignored."""

import pytest
from django.db import IntegrityError, transaction

from accounts import services
from accounts.models import User
from accounts.tests.conftest import PASSWORD, Api
from workbox.core.errors import RuleViolation

pytestmark = pytest.mark.django_db


def test_registration_answers_the_account_with_role_user(api: Api) -> None:
    answer = api(
        "POST",
        "auth/register",
        {"username": "johndoe", "email": "john@example.com", "password": "securepassword123", "full_name": "John Doe"},
    )

    body = answer.json()
    assert answer.status_code == 201
    assert {key: body[key] for key in ("username", "email", "full_name", "role", "is_active")} == {
        "username": "johndoe",
        "email": "john@example.com",
        "full_name": "John Doe",
        "role": "user",
        "is_active": True,
    }
    assert body["id"] == User.objects.get().id
    assert body["created_at"].endswith("Z")


@pytest.mark.parametrize("path", ["/auth/register", "/auth/register/", "/api/v1/auth/register/"])
def test_without_a_username_one_is_made_from_the_address(api: Api, path: str) -> None:
    body = {"email": "user@example.com", "password": "securepassword123", "full_name": "John Doe"}

    assert api("POST", path, body).json()["username"] == "user"
    assert api("POST", path, body | {"email": "User@example.net"}).json()["username"] == "User2"
    assert api("POST", path, body | {"email": "us er!@example.net"}).status_code == 422
    assert api("POST", path, body | {"email": "o'neil/x@example.net"}).json()["username"] == "o_neil_x"


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"email": "ROSA@Example.ORG", "username": "other"}, "email"),
        ({"email": "other@example.org", "username": "rOSA"}, "username"),
        ({"email": "other@example.org", "username": "ｒｏｓａ"}, "username"),  # full-width letters
    ],
)
def test_a_name_taken_in_any_spelling_is_a_400(api: Api, rosa: User, second: dict[str, str], field: str) -> None:
    answer = api("POST", "auth/register", second | {"password": PASSWORD})

    assert answer.status_code == 400
    assert answer.json()["code"] == "already_exists"
    assert list(answer.json()["fields"]) == [field]
    assert User.objects.count() == 1


def test_the_database_itself_refuses_a_second_spelling(rosa: User) -> None:
    """Two registrations at the same instant pass the question; the unique index decides."""
    for names in ({"username": "ROSA", "email": "x@example.org"}, {"username": "x", "email": "ROSA@example.org"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.create_user(**names)
    assert User.objects.count() == 1


def test_accents_and_trailing_blanks_behave_the_same_on_every_database(rosa: User) -> None:
    User.objects.create_user("Rosá", "rosá2@example.org")

    assert User.objects.get_by_natural_key("rosá").username == "Rosá"
    assert User.objects.get_by_natural_key("ROSA ").username == "Rosa"


def test_losing_the_race_for_a_name_is_a_rule_violation(rosa: User, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = iter([None])
    ask = services._refuse_taken
    monkeypatch.setattr(services, "_refuse_taken", lambda **names: next(questions, 0) is None or ask(**names))

    with pytest.raises(RuleViolation) as refused:
        services.register(email="new@example.org", username="rosa", password=PASSWORD)

    assert set(refused.value.fields) == {"username"}


def test_privileges_in_the_body_are_ignored(api: Api) -> None:
    answer = api(
        "POST",
        "auth/register",
        {
            "email": "eve@example.org",
            "password": PASSWORD,
            "id": 1,
            "role": "admin",
            "is_staff": True,
            "is_superuser": True,
            "is_active": False,
            "token_version": 7,
        },
    )

    eve = User.objects.get()
    assert answer.status_code == 201
    assert (eve.role, eve.is_staff, eve.is_superuser, eve.is_active, eve.token_version) == (
        "user",
        False,
        False,
        True,
        0,
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "a@example.org", "password": "12345678"}, 422),
        ({"email": "a@example.org", "password": "password"}, 422),
        ({"email": "a@example.org", "password": "short"}, 422),
        ({"email": "a@example.org"}, 422),
        ({"password": PASSWORD}, 422),
        ({"email": "no address", "password": PASSWORD}, 422),
        ({"email": "a@example.org", "password": PASSWORD, "username": "b@example.org"}, 422),
        ({"email": "a@example.org", "password": PASSWORD, "username": "x" * 151}, 422),
        ({"email": "a@example.org", "password": PASSWORD, "username": "\ufdfa" * 150}, 422),  # 18 letters each
        ({"email": "a@example.org", "password": "x" * 257}, 422),
        ({"email": ["a@example.org"], "password": {}}, 422),
        ({"email": "a\0@example.org", "password": PASSWORD}, 422),
        ([], 422),
        (b"{", 400),
        (b'{"email": "a@example.org", "password": "\\ud800"}', 400),
    ],
)
def test_what_cannot_be_an_account_is_refused(api: Api, body: object, status: int) -> None:
    assert api("POST", "auth/register", body).status_code == status
    assert not User.objects.exists()


def test_no_answer_ever_holds_a_password_or_its_hash(api: Api, as_role: object, rosa: User) -> None:
    admin = as_role("admin")
    texts = [
        api("POST", "auth/register", {"email": "n@example.org", "password": PASSWORD}).content,
        admin("GET", "users").content,
        admin("GET", f"users/{rosa.id}").content,
        admin("PATCH", f"users/{rosa.id}", {"password": "another-good-passphrase"}).content,
        admin("GET", "auth/me").content,
    ]
    rosa.refresh_from_db()

    for text in texts:
        assert PASSWORD.encode() not in text
        assert rosa.password.encode() not in text
        assert b"password" not in text
        assert b"md5$" not in text
