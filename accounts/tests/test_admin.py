"""Accounts in the admin: constant queries, rules of the services, no secret on a page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import services, tokens
from accounts.models import ActivityLog, RefreshToken, User
from accounts.tests.conftest import PASSWORD, Api
from inventory.models import Warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(make: Callable[..., User]) -> Callable[[str], Client]:
    """A browser logged in to the admin with a role."""

    def _browser(role: str) -> Client:
        client = Client()
        user = User.objects.filter(username=f"the-{role}").first() or make(f"the-{role}", role=role)
        client.force_login(user, backend="accounts.roles.RoleBackend")
        return client

    return _browser


def _change(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def _form(user: User, **changes: Any) -> dict[str, Any]:
    values = {"username": user.username, "email": user.email, "full_name": user.full_name, "role": user.role}
    return values | ({"is_active": "on"} if user.is_active else {}) | changes


@pytest.mark.parametrize("model", ["user", "refreshtoken", "activitylog"])
def test_a_changelist_runs_a_constant_number_of_queries(
    browser: Callable[[str], Client], make: Callable[..., User], model: str
) -> None:
    client, counts = browser("admin"), []
    path = reverse(f"admin:accounts_{model}_changelist")
    for batch in range(2):
        for number in range(3 + 7 * batch):
            user = make(f"w{batch}-{number}")
            tokens.issue_pair(user)
            ActivityLog.objects.create(user=user, kind="login", ip="192.0.2.1")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page = client.get(path, {"q": "w"})
        assert page.status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 12


def test_the_admin_changes_roles_through_the_service(
    browser: Callable[[str], Client], make: Callable[..., User]
) -> None:
    worker = make("worker", role="clerk")
    access = tokens.issue_pair(worker).access

    page = browser("manager").post(_change(worker), _form(worker, role="analyst", full_name="W. Orker"))

    worker.refresh_from_db()
    assert page.status_code == 302
    assert (worker.role, worker.full_name, worker.token_version) == ("analyst", "W. Orker", 1)
    assert Api(access)("GET", "auth/me").status_code == 401


def test_a_manager_is_offered_only_roles_below_and_cannot_force_more(
    browser: Callable[[str], Client], make: Callable[..., User]
) -> None:
    worker, chief, manager = make("worker", role="clerk"), make("chief", role="admin"), browser("manager")

    page = manager.get(_change(worker)).content.decode()
    forced = manager.post(_change(worker), _form(worker, role="admin"))
    above = manager.post(_change(chief), _form(chief, role="user"))

    assert 'value="analyst"' in page
    assert 'value="admin"' not in page
    assert forced.status_code == 200  # the form again, with an error
    assert above.status_code == 403
    worker.refresh_from_db()
    chief.refresh_from_db()
    assert (worker.role, chief.role) == ("clerk", "admin")


def test_an_admin_makes_an_account_and_its_password_page_works(browser: Callable[[str], Client], api: Api) -> None:
    admin = browser("admin")
    body = {"username": "Newbie", "email": "NEW@example.org", "full_name": "", "role": "clerk", "password": ""}
    assert admin.post(reverse("admin:accounts_user_add"), body).status_code == 302
    newbie = User.objects.get(username="Newbie")
    assert (newbie.email, newbie.role, newbie.has_usable_password()) == ("new@example.org", "clerk", False)

    twin = admin.post(reverse("admin:accounts_user_add"), body | {"username": "nEWBIE", "email": "x@example.org"})
    weak = admin.post(
        reverse("admin:accounts_user_add"), body | {"username": "x", "email": "x@example.org", "password": "12345"}
    )
    assert (twin.status_code, weak.status_code) == (200, 200)
    assert User.objects.count() == 2

    page = f"{_change(newbie).removesuffix('change/')}password/"
    assert admin.get(page).status_code == 200
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true", "set-password": "1"}
    assert admin.post(page, passwords).status_code == 302
    assert api("POST", "auth/login", {"username": "newbie", "password": PASSWORD}).status_code == 200
    newbie.refresh_from_db()
    assert newbie.token_version == 1
    assert newbie.password not in admin.get(_change(newbie)).content.decode()


def test_changing_ones_own_password_keeps_this_session_and_ends_the_tokens(
    browser: Callable[[str], Client],
) -> None:
    admin = browser("admin")
    access = tokens.issue_pair(User.objects.get()).access
    new = "a-brand-new-passphrase"

    page = admin.post(
        reverse("admin:password_change"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    )

    assert page.status_code == 302
    assert admin.get("/admin/accounts/user/").status_code == 200
    assert Api(access)("GET", "auth/me").status_code == 401


def test_actions_are_posts_that_end_logins_and_deactivate(
    browser: Callable[[str], Client], make: Callable[..., User]
) -> None:
    worker, chief, manager = make("worker", role="clerk"), make("chief", role="admin"), browser("manager")
    path = reverse("admin:accounts_user_changelist")
    chosen = {"_selected_action": [worker.pk, chief.pk]}

    manager.post(path, {"action": "end_logins"} | chosen)
    worker.refresh_from_db()
    chief.refresh_from_db()
    assert (worker.token_version, chief.token_version) == (1, 0)

    manager.post(path, {"action": "deactivate"} | chosen)
    worker.refresh_from_db()
    chief.refresh_from_db()
    assert (worker.is_active, chief.is_active) == (False, True)
    manager.post(path, {"action": "activate"} | chosen)
    worker.refresh_from_db()
    assert worker.is_active
    browser("analyst").post(path, {"action": "deactivate"} | chosen)
    worker.refresh_from_db()
    assert worker.is_active


def test_a_login_is_ended_from_the_token_list(browser: Callable[[str], Client], make: Callable[..., User]) -> None:
    pair = tokens.issue_pair(make("worker", role="clerk"))
    row = RefreshToken.objects.get()
    path = reverse("admin:accounts_refreshtoken_changelist")

    browser("analyst").post(path, {"action": "revoke", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.revoked_at is None
    browser("admin").post(path, {"action": "revoke", "_selected_action": [row.pk]})

    assert Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code == 401


def test_tokens_and_activity_are_never_written_by_hand(browser: Callable[[str], Client], rosa: User) -> None:
    tokens.issue_pair(rosa)
    admin = browser("admin")
    for model in ("refreshtoken", "activitylog"):
        assert admin.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
    row = RefreshToken.objects.get()
    assert admin.post(reverse("admin:accounts_refreshtoken_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert admin.post(reverse("admin:accounts_user_delete", args=[rosa.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(("role", "status"), [("user", 302), ("clerk", 403), ("analyst", 200), ("manager", 200)])
def test_who_sees_the_accounts(browser: Callable[[str], Client], role: str, status: int) -> None:
    assert browser(role).get(reverse("admin:accounts_user_changelist")).status_code == status


def test_a_customer_becomes_staff_and_is_bound_in_one_save_or_not_at_all(
    browser: Callable[[str], Client], make: Callable[..., User]
) -> None:
    admin, store = browser("admin"), Warehouse.objects.create(name="Main store", code="MAIN")
    rosa = make("rosa")
    promoted = _form(rosa, role="clerk", warehouses=[store.pk])
    assert admin.post(_change(rosa), promoted).status_code == 302
    rosa.refresh_from_db()
    assert (rosa.role, services.memberships(rosa.pk)) == ("clerk", [store.pk])

    many = [Warehouse.objects.create(name=f"W{number}", code=f"W{number}").pk for number in range(51)]
    refused = admin.post(_change(rosa), _form(rosa, full_name="Rosa Lind", warehouses=many))
    assert "at most 50; leave it empty for all of them" in refused.content.decode()
    rosa.refresh_from_db()
    assert (rosa.full_name, services.memberships(rosa.pk)) == ("", [store.pk])


def test_the_last_admin_is_told_why_they_stay_one(browser: Callable[[str], Client]) -> None:
    client = browser("admin")
    last = User.objects.get(username="the-admin")
    refused = client.post(_change(last), _form(last, role="clerk"))
    assert refused.status_code == 200
    assert "This is the last active admin; appoint another one first." in refused.content.decode()
    last.refresh_from_db()
    assert last.role == "admin"


def test_an_account_links_only_to_lists_its_reader_may_open(
    browser: Callable[[str], Client], make: Callable[..., User]
) -> None:
    rosa = make("rosa")
    tokens.issue_pair(rosa)
    ActivityLog.objects.create(user=rosa, kind="login", ip="192.0.2.1")
    lists = [reverse(f"admin:accounts_{model}_changelist") + "?user" for model in ("activitylog", "refreshtoken")]

    def links(role: str) -> list[bool]:
        page = browser(role).get(_change(rosa)).content.decode()
        return [one in page for one in lists]

    assert (links("admin"), links("manager")) == ([True, True], [False, False])
