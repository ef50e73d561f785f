"""Which role may do what: the table, the permission class, the admin's permissions, who manages whom."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIRequestFactory

from accounts import services
from accounts.api.permissions import Can
from accounts.capabilities import CAPABILITIES, MANAGEABLE_ROLES, ROLE_CAPABILITIES
from accounts.models import Membership, Role, User
from accounts.principal import Anonymous, Principal, load_principal
from accounts.tests.conftest import Api
from inventory.models import Warehouse
from workbox.core.errors import Forbidden, NotAuthenticated, NotFound, RuleViolation

TABLE = {
    #                     user   clerk  manager analyst admin
    "catalog.read":      (True,  True,  True,  True,  True),
    "catalog.write":     (False, False, True,  False, True),
    "stock.read":        (True,  True,  True,  True,  True),
    "ledger.read":       (False, True,  True,  True,  True),
    "stock.post":        (False, True,  True,  False, True),
    "orders.place":      (True,  True,  True,  False, True),
    "orders.read":       (False, True,  True,  True,  True),
    "orders.fulfil":     (False, True,  True,  False, True),
    "orders.manage":     (False, True,  True,  False, True),
    "warehouses.write":  (False, False, True,  False, True),
    "users.read":        (False, False, True,  True,  True),
    "users.write":       (False, False, True,  False, True),
    "events.read":       (False, True,  True,  True,  True),
    "metrics.read":      (False, False, True,  True,  True),
    "settings.write":    (False, False, False, False, True),
    "purchasing.read":    (False, True,  True,  True,  True),
    "purchasing.write":   (False, False, True,  False, True),
    "purchasing.receive": (False, True,  True,  False, True),
    "alerts.read":        (False, True,  True,  True,  True),
    "alerts.write":       (False, True,  True,  False, True),
    "alerts.settings":    (False, False, True,  False, True),
    "reports.read":       (False, True,  True,  True,  True),
    "forecasts.read":     (False, True,  True,  True,  True),
    "forecasts.write":    (False, False, True,  False, True),
    "exports.read":       (False, False, True,  True,  True),
    "imports.write":      (False, False, True,  False, True),
    "webhooks.write":     (False, False, True,  False, True),
}  # fmt: skip
ROLES = ("user", "clerk", "manager", "analyst", "admin")


def test_the_table_of_capabilities_is_complete() -> None:
    assert set(TABLE) == CAPABILITIES
    assert set(ROLES) == set(ROLE_CAPABILITIES) == set(Role.values)


@pytest.mark.parametrize("capability", TABLE)
def test_a_role_may_exactly_what_the_table_says(capability: str) -> None:
    assert tuple(capability in ROLE_CAPABILITIES[role] for role in ROLES) == TABLE[capability]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_who_is_bound_to_a_warehouse_loses_exactly_what_is_of_the_whole_shop(
    make: Callable[..., User], main: Warehouse, role: str
) -> None:
    user = make(role=role)
    Membership.objects.create(user=user, warehouse=main)
    lost = {"users.write", "webhooks.write", "settings.write", "alerts.settings"} if role != "user" else set()
    wanted = ROLE_CAPABILITIES[role] - lost

    assert load_principal(user.pk, None).capabilities == wanted
    assert User.objects.get(pk=user.pk).capabilities == wanted


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_flags_follow_the_role(make: Callable[..., User], role: str) -> None:
    user = make(role=role)
    principal = load_principal(user.pk, None)

    assert (user.is_staff, user.is_superuser) == (role != "user", role == "admin")
    assert principal.is_staff == user.is_staff
    assert principal.capabilities == user.capabilities == ROLE_CAPABILITIES[role]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"is_staff": True}, {"is_superuser": True}, {"role": "admin"}, {"role": "owner"}, {"role": "clerk"}]
)
def test_the_database_refuses_flags_that_contradict_the_role(rosa: User, change: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=rosa.pk).update(**change)


def _view(**required: str | None) -> SimpleNamespace:
    return SimpleNamespace(required_capabilities=required, get=1, post=1)


def _allowed(user: object, method: str, view: object) -> bool:
    request = APIRequestFactory().generic(method, "/")
    request.user = user
    return Can().has_permission(request, view)


def test_what_a_view_does_not_list_is_refused() -> None:
    admin = Principal(1, "a", "admin", 0, ROLE_CAPABILITIES["admin"])
    customer = Principal(2, "c", "user", 0, ROLE_CAPABILITIES["user"])

    assert _allowed(customer, "GET", _view(GET="stock.read"))
    assert _allowed(customer, "HEAD", _view(GET="stock.read"))
    assert not _allowed(customer, "GET", _view(GET="orders.read"))
    assert _allowed(customer, "GET", _view(GET=None))
    assert not _allowed(admin, "POST", _view(GET="stock.read"))
    assert not _allowed(admin, "GET", SimpleNamespace(get=1))
    assert not _allowed(admin, "OPTIONS", _view(GET="stock.read"))
    assert _allowed(admin, "DELETE", _view(GET="stock.read"))  # not implemented: the view answers 405
    for view in (_view(GET=None), _view(), _view(GET="stock.read")):
        with pytest.raises(NotAuthenticated):
            _allowed(Anonymous(), "GET", view)


ADMIN_TABLE = {
    "inventory.view_product": ("clerk", "manager", "analyst", "admin"),
    "inventory.change_product": ("clerk", "manager", "admin"),
    "inventory.add_product": ("manager", "admin"),
    "inventory.delete_product": ("manager", "admin"),
    "orders.change_order": ("clerk", "manager", "admin"),
    "insights.view_alert": ("clerk", "manager", "analyst", "admin"),
    "insights.change_alert": ("manager", "admin"),
    "purchasing.add_vendor": ("manager", "admin"),
    "accounts.view_user": ("manager", "analyst", "admin"),
    "accounts.add_user": ("manager", "admin"),
    "accounts.change_user": ("manager", "admin"),
    "accounts.delete_user": ("admin",),
    "accounts.change_refreshtoken": ("admin",),
    "core.view_event": ("clerk", "analyst", "admin"),
    "axes.view_accessattempt": ("admin",),
    "django_celery_beat.change_periodictask": ("admin",),
}


@pytest.mark.django_db
@pytest.mark.parametrize("permission", ADMIN_TABLE)
def test_the_admin_asks_the_role(make: Callable[..., User], permission: str) -> None:
    users = {role: make(f"the-{role}", role=role) for role in ROLES}

    assert tuple(role for role in ROLES if users[role].has_perm(permission)) == ADMIN_TABLE[permission]
    for user in users.values():
        user.is_active = False
        assert not user.has_perm(permission)


@pytest.mark.django_db
def test_a_backend_knows_only_active_accounts(rosa: User, rf: object) -> None:
    User.objects.filter(pk=rosa.pk).update(is_active=False)

    assert authenticate(rf.post("/"), username="rosa", password="correct-horse-battery") is None


@pytest.mark.django_db
@pytest.mark.parametrize("actor_role", ROLES)
@pytest.mark.parametrize("target_role", ROLES)
@pytest.mark.parametrize("new_role", ROLES)
def test_who_may_give_which_role_to_whom(
    make: Callable[..., User], actor_role: str, target_role: str, new_role: str
) -> None:
    actor, target = make("actor", role=actor_role), make("target", role=target_role)
    make("another-admin", role="admin")
    reach = MANAGEABLE_ROLES.get(actor_role, frozenset())
    below = {"manager": {"user", "clerk", "analyst"}, "admin": set(ROLES)}.get(actor_role, set())
    assert reach == below

    if {target_role, new_role} <= below:
        assert services.update_user(actor, user_id=target.pk, role=new_role).role == new_role
    else:
        with pytest.raises(Forbidden):
            services.update_user(actor, user_id=target.pk, role=new_role)
    target.refresh_from_db()
    assert target.role == (new_role if {target_role, new_role} <= below else target_role)


@pytest.mark.django_db
def test_the_last_active_admin_stays(make: Callable[..., User]) -> None:
    chief, asleep = make("chief", role="admin"), make("asleep", role="admin")
    services.deactivate(chief, user_id=asleep.pk)

    for act in (
        lambda: services.deactivate(chief, user_id=chief.pk),
        lambda: services.update_user(chief, user_id=chief.pk, role="manager"),
    ):
        with pytest.raises(RuleViolation) as refused:
            act()
        assert refused.value.code == "last_admin"
    chief.refresh_from_db()
    assert (chief.role, chief.is_active, chief.token_version) == ("admin", True, 0)
    with pytest.raises(NotFound):
        services.deactivate(chief, user_id=10**9)


@pytest.mark.django_db
def test_the_principal_is_one_row(rosa: User, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(1):
        principal = load_principal(rosa.pk, 0)

    assert (principal.id, principal.pk, principal.username, principal.role) == (rosa.pk, rosa.pk, "Rosa", "user")
    assert principal.is_authenticated
    assert connection.vendor in {"sqlite", "mysql"}


USERS_ROUTE = {
    #                        anonymous, user, clerk, manager, analyst, admin
    ("GET", "users"): (401, 403, 403, 200, 200, 200),
    ("POST", "users"): (401, 403, 403, 201, 403, 201),
    ("GET", "users/{other}"): (401, 404, 404, 200, 200, 200),
    ("GET", "users/{self}"): (401, 200, 200, 200, 200, 200),
    ("PUT", "users/{other}"): (401, 403, 403, 200, 403, 200),
    ("PATCH", "users/{other}"): (401, 403, 403, 200, 403, 200),
    ("PATCH", "users/{self}"): (401, 403, 403, 403, 403, 200),
    ("DELETE", "users/{other}"): (401, 403, 403, 204, 403, 204),
    ("POST", "users/{other}"): (401, 405, 405, 405, 405, 405),
    ("GET", "auth/me"): (401, 200, 200, 200, 200, 200),
    ("PATCH", "auth/me"): (401, 200, 200, 200, 200, 200),
    ("DELETE", "auth/me"): (401, 405, 405, 405, 405, 405),
}


@pytest.mark.django_db
@pytest.mark.parametrize("route", USERS_ROUTE, ids=" ".join)
def test_every_route_answers_every_role(
    as_role: Callable[[str], Api], rosa: User, api: Api, route: tuple[str, str]
) -> None:
    method, path = route
    got = []
    for role in ("anonymous", *ROLES):
        client = api if role == "anonymous" else as_role(role)
        own = User.objects.filter(username=f"the-{role}").values_list("id", flat=True).first() or 0
        body = (
            {"username": f"new-{role}", "email": f"new-{role}@example.org"} if method == "POST" else {"full_name": "X"}
        )
        answer = client(method, path.format(other=rosa.pk, self=own), body if method != "GET" else None)
        got.append(answer.status_code)
        if answer.status_code >= 400:
            assert {"error", "detail", "type", "code"} <= set(answer.json())

    assert tuple(got) == USERS_ROUTE[route]
