"""The second factor of staff: a code from an authenticator app beside the password; recovery codes for a lost phone.

django-otp keeps the secrets, verifies codes and slows guessers down. `User.second_factor_at` says since when an account
needs one; a browser session carries that moment once a code was given in it, so that a session from before, or of an
earlier phone, is asked again.
"""

import base64
import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from accounts.principal import change_account
from accounts.tokens import end_tokens_of
from workbox.core import changes as history
from workbox.core.db import transact
from workbox.core.errors import Conflict, Invalid, NotFound, RuleViolation, TooManyRequests

RECOVERY_CODES = 10
CODE_LENGTH_MAX = 16
TOTP_DIGITS = 6
REQUIRED = "required"
ISSUER = "WorkBox"
_SESSION_KEY = "second_factor"
_GROUP = 4


def is_required(user: User) -> bool:
    """True when this account must have a second factor to work in the admin or to log in at the API."""
    return settings.WORKBOX_SECOND_FACTOR == REQUIRED and user.is_staff


def is_given(user: User, session: SessionBase | Mapping[str, Any]) -> bool:
    """True when nothing is missing in this browser session: a code was given, or the account has no second factor."""
    if user.second_factor_at is None:
        return not is_required(user)
    stamped = session.get(_SESSION_KEY, "")
    return hmac.compare_digest(str(stamped), _stamp(user))


def remember(user: User, session: SessionBase) -> None:
    """The session has given its code. It gets a new key, as after a login."""
    session.cycle_key()
    session[_SESSION_KEY] = _stamp(user)


def _stamp(user: User) -> str:
    return f"{user.pk}:{user.second_factor_at.isoformat()}" if user.second_factor_at else ""


def begin(user: User) -> TOTPDevice:
    """The device to enrol: the same secret until a code of it was given. Raises Conflict when there is one in use.

    Made when it is first asked for, which changes nothing about the account: nobody needs a code of it before one was
    given. Two pages that are opened at once wait for each other and show the same secret.
    """
    if user.second_factor_at is not None:
        raise Conflict("This account has a second factor already; turn it off first.", code="second_factor_on")
    return _unconfirmed(user) or transact(lambda: _made(user))


def _made(user: User) -> TOTPDevice:
    User.objects.select_for_update().get(pk=user.pk)
    return _unconfirmed(user) or TOTPDevice.objects.create(user=user, confirmed=False, name="Authenticator app")


def _unconfirmed(user: User) -> TOTPDevice | None:
    """The oldest: there may be more of them from a time when two pages could make one each."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).order_by("id").first()
    return found


def secret_text(device: TOTPDevice) -> str:
    """The secret as people type it: base32 in groups of four."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def enrolment_url(device: TOTPDevice, user: User) -> str:
    """The `otpauth://` address that an authenticator app reads from a QR code."""
    label = quote(f"{ISSUER}:{user.username}")
    values = {
        "secret": base64.b32encode(device.bin_key).decode().rstrip("="),
        "issuer": ISSUER,
        "algorithm": "SHA1",
        "digits": device.digits,
        "period": device.step,
    }
    return f"otpauth://totp/{label}?{urlencode(values)}"


def confirm(user: User, *, code: str) -> list[str]:
    """The account needs a second factor from now on; returns its recovery codes, which are shown this once.

    Raises Invalid for a wrong code, Conflict when one is in use already.
    """

    _verify(begin(user), _as_number(code))

    def work() -> list[str]:
        account = User.objects.select_for_update().get(pk=user.pk)
        device = begin(account)
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        account.second_factor_at = user.second_factor_at = timezone.now()
        account.save(update_fields=["second_factor_at"])
        _record(account.pk, is_on=True)
        return _make_recovery_codes(account)

    return change_account(user.pk, work=work)


def check(user: User, *, code: str) -> None:
    """The code is one of the account's app, or an unused recovery code, which is used up by it.

    Raises Invalid for a wrong one, TooManyRequests while wrong ones in a row slow the next try down.
    """
    text = code.replace(" ", "").replace("-", "").lower()
    number = _as_number(text)
    kind, given = (TOTPDevice, number) if len(number) == TOTP_DIGITS else (StaticDevice, _hashed(text))
    device = kind.objects.filter(user=user, confirmed=True).first()
    if device is None or not text or len(text) > CODE_LENGTH_MAX:
        raise _wrong()
    _verify(device, given)


def _verify(device: TOTPDevice | StaticDevice, given: str) -> None:
    """Raise Invalid unless the device knows this code; failures are counted, and a code is good once."""
    with transaction.atomic():
        held = type(device).objects.select_for_update().get(pk=device.pk)
        allowed, told = held.verify_is_allowed()
        is_right = allowed and held.verify_token(given)
    if not allowed:
        until = (told or {}).get("locked_until") or timezone.now()
        seconds = max(1, math.ceil((until - timezone.now()).total_seconds()))
        raise TooManyRequests(
            f"Too many wrong codes in a row; try again in {seconds} seconds.", retry_after_seconds=seconds
        )
    if not is_right:
        raise _wrong()


def renew_recovery_codes(user: User, *, code: str) -> list[str]:
    """New recovery codes; those of before are void. Raises as `check`."""
    check(user, code=code)
    with transaction.atomic():
        return _make_recovery_codes(user)


def recovery_codes_left(user: User) -> int:
    """How many recovery codes are unused."""
    device = StaticDevice.objects.filter(user=user).first()
    return device.token_set.count() if device else 0


def turn_off(user: User, *, code: str) -> None:
    """The account needs no second factor any more. Raises as `check`, RuleViolation where the shop requires one."""
    if is_required(user):
        raise RuleViolation(
            "This shop requires a second factor of its staff. For a new phone, ask an administrator to reset it.",
            code="second_factor_required",
        )
    check(user, code=code)
    _remove(user.pk, end_tokens=False)
    user.second_factor_at = None


def reset(user_id: int) -> None:
    """An account whose phone is lost can enrol anew: devices and recovery codes are gone, all its logins ended.

    The caller has checked that the actor may change this account. Raises NotFound.
    """
    if not User.objects.filter(pk=user_id).exists():
        raise NotFound("There is no such user.")
    _remove(user_id, end_tokens=True)


def _remove(user_id: int, *, end_tokens: bool) -> None:
    def work() -> None:
        account = User.objects.select_for_update().get(pk=user_id)
        if account.second_factor_at is not None:
            _record(user_id, is_on=False)
        TOTPDevice.objects.filter(user=account).delete()
        StaticDevice.objects.filter(user=account).delete()
        account.second_factor_at = None
        if end_tokens:
            end_tokens_of(account)
        else:
            account.save(update_fields=["second_factor_at"])

    change_account(user_id, work=work)


def _record(user_id: int, *, is_on: bool) -> None:
    words = ("off", "on") if is_on else ("on", "off")
    history.record([history.Change(history.USER, user_id, "second_factor", *words)])


def _make_recovery_codes(user: User) -> list[str]:
    """Fresh codes; the table keeps only what can be compared with them."""
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="Recovery codes")
    codes = [base64.b32encode(secrets.token_bytes(5)).decode().lower() for _ in range(RECOVERY_CODES)]
    for one in codes:
        device.token_set.create(token=_hashed(one))
    return [f"{one[:_GROUP]}-{one[_GROUP:]}" for one in codes]


def _hashed(code: str) -> str:
    """Sixteen characters, as many as the library's column holds, keyed so that the table alone gives no code away."""
    return hmac.new(settings.SECRET_KEY.encode(), f"recovery {code}".encode(), hashlib.sha256).hexdigest()[:16]


def _as_number(code: str) -> str:
    text = code.replace(" ", "")
    return text if text.isascii() and text.isdigit() and len(text) <= CODE_LENGTH_MAX else ""


def _wrong() -> Invalid:
    return Invalid(
        "That code is not right. Codes change every 30 seconds: give the one that the app shows now.",
        code="second_factor_wrong",
        fields={"code": ["not right"]},
    )
