"""Everything that changes an account: registration, roles, passwords, login and logout.

REST, admin and commands call these functions; the rules (who may change whom, what ends tokens) stand here once.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from accounts import second_factor
from accounts.activity import record_logout
from accounts.capabilities import MANAGEABLE_ROLES, STAFF_ROLES, USERS_WRITE, Role
from accounts.models import Membership, User
from accounts.names import (
    EMAIL_LENGTH_MAX,
    USERNAME_LENGTH_MAX,
    normal_email,
    username_from_email,
    username_key,
    username_validator,
)
from accounts.principal import change_account
from accounts.tokens import TokenPair, end_tokens_of, issue_pair
from workbox.core import changes as history
from workbox.core.db import transact
from workbox.core.errors import Forbidden, Invalid, NotAuthenticated, NotFound, RuleViolation, TooManyRequests

T = TypeVar("T")
USERNAME_TRIES_MAX = 5
MEMBERSHIPS_MAX = 50  # MySQL's GROUP_CONCAT holds 1024 characters: 51 ids of 19 digits


class Actor(Protocol):
    """Who acts: a `Principal` (API) or a `User` (admin)."""

    @property
    def id(self) -> int: ...

    @property
    def role(self) -> str: ...

    def can(self, capability: str) -> bool:
        """True when the role has this capability."""
        ...


@sensitive_variables("password")
def register(*, email: str, password: str, username: str = "", full_name: str = "") -> User:
    """A new account with the role `user` exists and can log in; without a user name one is made from the address.

    Raises RuleViolation when name or address are taken (in any case), Invalid for a weak password or a bad name.
    """
    if username:
        return _create(username=username, email=email, password=password, role=Role.USER, full_name=full_name)
    for attempt in range(USERNAME_TRIES_MAX):
        name = _free_username(email, crowded=attempt > 0)
        try:
            return _create(username=name, email=email, password=password, role=Role.USER, full_name=full_name)
        except RuleViolation as error:
            # Somebody took the made-up name meanwhile: that is not the caller's fault, make another one.
            if set(error.fields) != {"username"} or attempt == USERNAME_TRIES_MAX - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


@sensitive_variables("password")
def create_user(
    actor: Actor,
    *,
    username: str,
    email: str,
    password: str | None = None,
    role: str = Role.USER,
    full_name: str = "",
) -> User:
    """A new account made by staff exists; without a password nobody can log in to it until one is set.

    Raises Forbidden when the actor may not give this role, RuleViolation for a taken name or address, Invalid for bad
    input.
    """
    _require_may_manage(actor, role=role)
    name = username or _free_username(email, crowded=False)
    return _create(username=name, email=email, password=password, role=role, full_name=full_name)


def update_user(
    actor: Actor,
    *,
    user_id: int,
    username: str | None = None,
    email: str | None = None,
    full_name: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
    password: str | None = None,
    precondition: Callable[[User], object] | None = None,
) -> User:
    """The account has the given values; None leaves a value as it is. One transaction: everything or nothing.

    `precondition` sees the locked account before anything changes and refuses by raising (If-Match).

    A changed role, a changed password and a deactivation end the account's tokens and browser sessions. Locks the
    account's row (all active admins' rows when an admin loses the role or is deactivated). Raises NotFound, Forbidden
    for an account or a role above the actor's reach, RuleViolation for a taken name or the last admin, Invalid for bad
    input.
    """

    if role is not None:
        _check_role(role)

    def work() -> User:
        user = _locked(user_id)
        _require_may_manage(actor, role=user.role)
        if precondition is not None:
            precondition(user)
        before = _told(user)
        user.username = user.username if username is None else username
        user.email = user.email if email is None else email
        user.full_name = user.full_name if full_name is None else full_name
        _check_names(user)
        if password is not None:
            check_password(password, user=user)
            user.set_password(password)  # `save` raises the token version
        if _change_standing(actor, user=user, role=role, is_active=is_active):
            end_tokens_of(user)
        else:
            user.save()
        _record(user, before=before, has_new_password=password is not None)
        return user

    return _saving(work, user_id=user_id, username=username, email=email)


def update_profile(
    user_id: int, *, full_name: str | None = None, password: str | None = None, old_password: str = ""
) -> User:
    """The account's owner changed their name or password; a password needs the old one and ends all tokens.

    Locks the account's row. Raises Invalid for a wrong old or a weak new password.
    """

    def work() -> User:
        user = _locked(user_id)
        before = _told(user)
        if full_name is not None:
            user.full_name = full_name
        if password is not None:
            if not user.check_password(old_password):
                raise Invalid(
                    "The old password is not right.", fields={"old_password": ["The old password is not right."]}
                )
            check_password(password, user=user)
            user.set_password(password)
        user.save()
        _record(user, before=before, has_new_password=password is not None)
        return user

    return change_account(user_id, work=work)


def _told(user: User) -> dict[str, object]:
    """What an account's history tells the changes of."""
    names = ("username", "full_name", "email", "role", "is_active")
    return {name: getattr(user, name) for name in names}


def _record(user: User, *, before: dict[str, object], has_new_password: bool = False) -> None:
    """What changed is history; addresses, passwords and customers' names are told without their values."""
    found = history.differences(history.USER, user.pk, before=before, after=_told(user))
    hidden = {"email"} if before["role"] in STAFF_ROLES else {"email", "full_name", "username"}
    changes = [replace(one, before="", after="") if one.field in hidden else one for one in found]
    if has_new_password:
        changes.append(history.Change(history.USER, user.pk, "password"))
    history.record(changes)


def bind(actor: Actor, *, user_id: int, warehouse_ids: Iterable[int]) -> list[int]:
    """The account sees these warehouses only (none named: all of them again); returns their ids in order.

    Its open sockets and cached rights learn at once. Locks the account's row. Raises NotFound, Forbidden for an account
    above the actor's reach, RuleViolation for a customer, Invalid for a warehouse there is not or too many of them.
    """
    wanted = sorted(set(warehouse_ids))
    if len(wanted) > MEMBERSHIPS_MAX:
        message = f"at most {MEMBERSHIPS_MAX}; leave it empty for all of them"
        raise Invalid(f"warehouse_ids: {message}.", fields={"warehouse_ids": [message]})

    def work() -> list[int]:
        user = _locked(user_id)
        _require_may_manage(actor, role=user.role)
        if wanted and user.role not in STAFF_ROLES:
            raise RuleViolation("Customers are not bound to warehouses.", code="not_staff")
        places: Any = Membership._meta.get_field("warehouse").related_model
        before = set(Membership.objects.filter(user_id=user_id).values_list("warehouse_id", flat=True))
        named = {one.pk: str(one) for one in places.objects.filter(pk__in=before.union(wanted))}
        known = set(named)
        if unknown := [one for one in wanted if one not in known]:
            message = f"there is no warehouse {', '.join(map(str, unknown))}"
            raise Invalid(f"warehouse_ids: {message}.", fields={"warehouse_ids": [message]})
        Membership.objects.filter(user_id=user_id).exclude(warehouse_id__in=wanted).delete()
        Membership.objects.bulk_create(
            (Membership(user_id=user_id, warehouse_id=one) for one in wanted), ignore_conflicts=True
        )
        history.record(
            history.Change(
                history.USER, user_id, "warehouse", *(("", named[one]) if one in wanted else (named[one], "")), one
            )
            for one in sorted(before.symmetric_difference(wanted))
        )
        return wanted

    return change_account(user_id, work=work)


def memberships(user_id: int) -> list[int]:
    """The warehouses an account is bound to, in order of id; none: it sees all of them. Raises NotFound."""
    if not User.objects.filter(pk=user_id).exists():
        raise NotFound("There is no such user.")
    return list(
        Membership.objects.filter(user_id=user_id).order_by("warehouse_id").values_list("warehouse_id", flat=True)
    )


@sensitive_variables("password")
def set_password(user: User, *, password: str | None) -> User:
    """The account has this password (None: none can be used) and its tokens and sessions of before have ended.

    Locks the account's row. Raises Invalid for a weak password.
    """

    def work() -> User:
        account = _locked(user.pk)
        if password is None:
            account.set_unusable_password()
        else:
            check_password(password, user=account)
            account.set_password(password)
        account.save()
        _record(account, before=_told(account), has_new_password=True)
        return account

    account = change_account(user.pk, work=work)
    user.password, user.token_version = account.password, account.token_version
    return account


def reset_second_factor(actor: Actor, *, user_id: int) -> None:
    """The account has no second factor any more, can enrol a new one, and all its logins have ended.

    Raises NotFound, Forbidden for an account above the actor's reach.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    _require_may_manage(actor, role=user.role)
    second_factor.reset(user_id)


def deactivate(actor: Actor, *, user_id: int) -> User:
    """Nobody can log in as this account; its tokens and sessions have ended, its history stays.

    Errors and locks as in `update_user`.
    """
    return update_user(actor, user_id=user_id, is_active=False)


@sensitive_variables("password")
def login(identifier: str, *, password: str, request: HttpRequest, code: str = "") -> tuple[User, TokenPair]:
    """The account behind a user name or address with its first token pair; the login is in the activity log.

    `code` is the second factor, where the account has one. Raises NotAuthenticated, in the same words and time whether
    the account is unknown, inactive or the password wrong, and then for a code that is missing or wrong; Forbidden
    where the shop requires a second factor that the account has not; TooManyRequests once repeated failures have locked
    the account for this address (`LOGIN_FAILURE_LIMIT`).
    """
    user = authenticate(request, username=identifier, password=password)
    if getattr(request, "axes_locked_out", False):
        request.axes_locked_out = False  # type: ignore[attr-defined]  # else its middleware replaces our answer by a page
        minutes = _cooloff() // timedelta(minutes=1)
        raise TooManyRequests(
            f"Too many failed logins for this account; try again in {minutes} minutes.",
            retry_after_seconds=int(_cooloff().total_seconds()),
        )
    if not isinstance(user, User):
        raise NotAuthenticated("User name, e-mail address or password is wrong.", code="invalid_credentials")
    _require_second_factor(user, code)
    pair = issue_pair(user)
    user_logged_in.send(sender=User, request=request, user=user)
    return user, pair


def _require_second_factor(user: User, code: str) -> None:
    if user.second_factor_at is None:
        if second_factor.is_required(user):
            raise Forbidden(
                "This shop requires a second factor of its staff; set yours up at /admin/second-factor/ first.",
                code="second_factor_missing",
            )
        return
    if not code:
        raise NotAuthenticated(
            "This account has a second factor: send the code that the app shows as `code`.",
            code="second_factor_required",
        )
    try:
        second_factor.check(user, code=code)
    except Invalid as error:
        raise NotAuthenticated(error.detail, code=error.code, fields=error.fields) from error


def logout(user_id: int, *, request: HttpRequest | None = None) -> None:
    """The account is logged out everywhere: every access token, refresh token and browser session of before has ended.

    Everywhere, because an access token is checked against the account's `token_version` alone. Locks the account's row.
    """

    def work() -> User | None:
        account = User.objects.select_for_update().filter(pk=user_id).first()
        if account is not None:
            end_tokens_of(account)
        return account

    account = change_account(user_id, work=work)
    if account is None:
        return
    if request is None:
        record_logout(User, None, account)  # the signal's other receiver, axes, cannot do without a request
    else:
        user_logged_out.send(sender=User, request=request, user=account)


@sensitive_variables("password")
def _create(*, username: str, email: str, password: str | None, role: str, full_name: str) -> User:
    _check_role(role)
    user = User(username=username.strip(), email=email, role=role, full_name=full_name)
    _check_names(user)
    if password is not None:
        check_password(password, user=user)
    user.set_password(password)

    def work() -> User:
        user.save(force_insert=True)
        return user

    return _saving(work, user_id=None, username=username, email=email)


def _saving(work: Callable[[], T], *, user_id: int | None, username: str | None, email: str | None) -> T:
    """Run `work`; a unique index that refuses becomes a RuleViolation naming the taken fields."""
    _refuse_taken(user_id=user_id, username=username, email=email)

    def guarded() -> T:
        # A savepoint where the caller has a transaction: it stays usable for the question who took the name.
        with transaction.atomic():
            return work()

    try:
        return transact(guarded) if user_id is None else change_account(user_id, work=guarded)
    except IntegrityError:
        _refuse_taken(user_id=user_id, username=username, email=email)
        raise


def _refuse_taken(*, user_id: int | None, username: str | None, email: str | None) -> None:
    others = User.objects.exclude(pk=user_id) if user_id is not None else User.objects.all()
    taken: dict[str, list[str]] = {}
    if username is not None and others.filter(username_key=username_key(username)).exists():
        taken["username"] = ["This user name is already taken."]
    if email is not None and others.filter(email=normal_email(email)).exists():
        taken["email"] = ["This e-mail address is already registered."]
    if taken:
        raise RuleViolation(
            " ".join(text for texts in taken.values() for text in texts), code="already_exists", fields=taken
        )


def _check_names(user: User) -> None:
    problems: dict[str, list[str]] = {}
    for field, validator, value in (
        ("username", username_validator, user.username),
        ("email", validate_email, normal_email(user.email)),
    ):
        try:
            validator(value)
        except ValidationError as error:
            problems[field] = list(error.messages)
    # Compatibility normalisation can make a name longer than what was typed.
    if len(username_key(user.username)) > USERNAME_LENGTH_MAX:
        problems["username"] = [f"A user name may have at most {USERNAME_LENGTH_MAX} characters."]
    if len(normal_email(user.email)) > EMAIL_LENGTH_MAX:
        problems["email"] = [f"An address may have at most {EMAIL_LENGTH_MAX} characters."]
    if problems:
        raise Invalid("User name or e-mail address is not valid.", fields=problems)


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise Invalid("There is no such role.", fields={"role": ["There is no such role."]})


def check_password(password: str, *, user: User) -> None:
    """The password is strong enough for this account, or Invalid says what is missing."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            "The password is too weak.", code="weak_password", fields={"password": list(error.messages)}
        ) from error


def _free_username(email: str, *, crowded: bool) -> str:
    base = username_from_email(email)
    if crowded:
        return f"{base}{secrets.randbelow(10**8)}"
    taken = set(
        User.objects.filter(username_key__startswith=username_key(base)).values_list("username_key", flat=True)[:1000]
    )
    if username_key(base) not in taken:
        return base
    for number in range(2, 1000):
        if username_key(f"{base}{number}") not in taken:
            return f"{base}{number}"
    return f"{base}{secrets.randbelow(10**8)}"


def _change_standing(actor: Actor, *, user: User, role: str | None, is_active: bool | None) -> bool:
    """Give the locked account another role or switch it on or off (not saved yet); True when something changed."""
    new_role = user.role if role is None else role
    new_active = user.is_active if is_active is None else is_active
    if (new_role, new_active) == (user.role, user.is_active):
        return False
    _require_may_manage(actor, role=new_role)
    if new_role != Role.ADMIN or not new_active:
        _require_another_admin(user)
    user.role, user.is_active = new_role, new_active
    return True


def _locked(user_id: int) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _require_may_manage(actor: Actor, *, role: str) -> None:
    if not actor.can(USERS_WRITE) or role not in MANAGEABLE_ROLES.get(actor.role, frozenset()):
        raise Forbidden(f"Your role may not create or change accounts with the role {role}.", code="role_above_yours")


def _require_another_admin(user: User) -> None:
    """The caller holds the lock on `user`; all active admins are locked in id order before they are counted."""
    if user.role != Role.ADMIN or not user.is_active:
        return
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
    if set(admins.values_list("pk", flat=True)) <= {user.pk}:
        raise RuleViolation("This is the last active admin; appoint another one first.", code="last_admin")


def _cooloff() -> timedelta:
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    return cooloff
