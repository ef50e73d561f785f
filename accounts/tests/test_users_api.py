"""The user list and single accounts over REST."""

from collections.abc import Callable

import pytest

from accounts.models import User
from accounts.tests.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/users/", "/users", "/api/v1/users/"])
def test_an_account_without_a_password_can_be_made_but_not_used(
    as_role: Callable[[str], Api], api: Api, path: str
) -> None:
    answer = as_role("manager")("POST", path, {"username": "john_doe", "email": "john@example.com"})

    assert answer.status_code == 201
    assert (answer.json()["username"], answer.json()["email"]) == ("john_doe", "john@example.com")
    assert not User.objects.get(username="john_doe").has_usable_password()
    for password in ("", "None", "!"):
        assert api("POST", "auth/login", {"username": "john_doe", "password": password}).status_code in {401, 422}


def test_a_duplicate_is_a_400_and_the_same_key_replays(as_role: Callable[[str], Api]) -> None:
    manager, body = as_role("manager"), {"username": "john_doe", "email": "john@example.com"}

    first = manager("POST", "users", body, **{"Idempotency-Key": "k1"})
    twin = manager("POST", "users", body, **{"Idempotency-Key": "k1"})
    again = manager("POST", "users", body)

    assert (first.status_code, twin.status_code, again.status_code) == (201, 201, 400)
    assert twin.content == first.content
    assert twin.headers["Idempotency-Replayed"] == "true"
    assert set(again.json()["fields"]) == {"username", "email"}


def test_a_manager_cannot_make_a_manager(as_role: Callable[[str], Api]) -> None:
    body = {"username": "boss", "email": "boss@example.org", "role": "manager"}

    assert as_role("manager")("POST", "users", body).status_code == 403
    assert not User.objects.filter(username="boss").exists()
    assert as_role("admin")("POST", "users", body).json()["role"] == "manager"


def test_foreign_fields_in_a_change_are_ignored(as_role: Callable[[str], Api], rosa: User) -> None:
    answer = as_role("admin")("PATCH", f"users/{rosa.pk}", {"token_version": 9, "is_staff": True, "is_superuser": True})

    rosa.refresh_from_db()
    assert answer.status_code == 200
    assert (rosa.token_version, rosa.is_staff, rosa.is_superuser) == (0, False, False)


def test_delete_deactivates_and_keeps_the_row(as_role: Callable[[str], Api], rosa: User) -> None:
    assert as_role("manager")("DELETE", f"users/{rosa.pk}").status_code == 204

    assert as_role("manager")("GET", f"users/{rosa.pk}").json()["is_active"] is False


def test_the_list_is_paged_searched_and_filtered(
    as_role: Callable[[str], Api], make: Callable[..., User], django_assert_num_queries: object
) -> None:
    for number in range(25):
        make(f"Worker{number:02}", role="clerk")
    manager = as_role("manager")

    with django_assert_num_queries(3):  # who asks, count, page
        first = manager("GET", "/api/v1/users/?role=clerk&page_size=10").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (25, 10, None)
    assert manager("GET", first["next"]).json()["results"][0]["username"] == "Worker10"
    assert manager("GET", "/users?search=WORKER07").json()["count"] == 1
    assert manager("GET", "/users?search=worker07@EXAMPLE.org&is_active=true").json()["count"] == 1
    assert manager("GET", "/users?is_active=false").json()["count"] == 0
    newest = manager("GET", "/users?role=clerk&ordering=-username&skip=0&limit=2").json()["results"]
    assert [row["username"] for row in newest] == ["Worker24", "Worker23"]


@pytest.mark.parametrize(
    "query", ["role=boss", "is_active=maybe", "ordering=password", "page=0", "limit=101", "page=x"]
)
def test_a_filter_that_makes_no_sense_is_a_422(as_role: Callable[[str], Api], query: str) -> None:
    assert as_role("manager")("GET", f"/users?{query}").status_code == 422


def test_reads_are_conditional_and_writes_honour_if_match(as_role: Callable[[str], Api], rosa: User) -> None:
    manager, path = as_role("manager"), f"users/{rosa.pk}"
    tag = manager("GET", path).headers["ETag"]

    assert manager("GET", path, **{"If-None-Match": tag}).status_code == 304
    assert manager("PATCH", path, {"full_name": "Rosa L."}, **{"If-Match": tag}).status_code == 200
    stale = manager("PATCH", path, {"full_name": "Rosa M."}, **{"If-Match": tag})
    assert stale.status_code == 412
    rosa.refresh_from_db()
    assert rosa.full_name == "Rosa L."


@pytest.mark.parametrize("number", ["0", "999999999999999999", "9999999999999999999", "-1", "x"])
def test_an_id_nobody_has_is_a_404(as_role: Callable[[str], Api], number: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert as_role("admin")(method, f"users/{number}", None if method == "GET" else {}).status_code == 404


def test_staff_can_set_a_password_and_rename(as_role: Callable[[str], Api], api: Api, rosa: User) -> None:
    body = {"password": "staff-made-passphrase", "username": "Rosalind", "email": "LIND@example.org"}
    assert as_role("manager")("PUT", f"users/{rosa.pk}", body).status_code == 200

    login = {"email": "lind@example.org", "password": "staff-made-passphrase"}
    assert api("POST", "auth/login", login).status_code == 200
    assert as_role("manager")("PATCH", f"users/{rosa.pk}", {"username": "ROSALIND"}).status_code == 200
    assert as_role("manager")("PATCH", f"users/{rosa.pk}", {"username": "the-manager"}).status_code == 400
    assert as_role("manager")("PATCH", f"users/{rosa.pk}", {"role": "owner"}).status_code == 422
