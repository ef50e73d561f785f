"""Access and refresh tokens: issue, read, rotate, revoke. The only module that knows the token library.

The library signs and verifies; what it leaves open (rotation that only one caller can win, families, tokens that die
with the account's `token_version`) is decided here.
"""

import hashlib
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework_simplejwt import tokens as library
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import RefreshToken, User
from accounts.principal import Principal, change_account, load_principal
from workbox.core.db import transact
from workbox.core.errors import NotAuthenticated

VERIFIED_TOKENS_MAX = 20_000
TOKEN_LENGTH_MAX = 2_048
# The header is parsed as JSON before its signature is checked: keep it far too short to nest deeply.
HEADER_LENGTH_MAX = 256

_USER_ID = "user_id"
_VERSION = "ver"
_FAMILY = "fam"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login or a refresh hands out; `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says; `expires_at` in seconds since 1970 (UTC)."""

    user_id: int
    token_version: int
    expires_at: int


_verified: OrderedDict[str, AccessClaims] = OrderedDict()
_verified_lock = threading.Lock()


def issue_pair(user: User | Principal) -> TokenPair:
    """A new token family begins: one access token and one refresh token for this account as it is loaded now."""
    return _issue(user.id, user.token_version, family=uuid.uuid4().hex)


def read_access(raw: str) -> AccessClaims:
    """The claims of an access token that we signed and that has not expired.

    Says nothing about the account: whoever calls this compares `token_version` (see `cached_principal`). A token that
    was verified before is only checked for its expiry. Raises NotAuthenticated.
    """
    claims = _verified.get(raw)
    if claims is None:
        payload = _decode(library.AccessToken, raw)
        claims = AccessClaims(_whole(payload, _USER_ID), _whole(payload, _VERSION), _whole(payload, "exp"))
        with _verified_lock:
            _verified[raw] = claims
            if len(_verified) > VERIFIED_TOKENS_MAX:
                _verified.popitem(last=False)
    if claims.expires_at <= time.time():
        raise NotAuthenticated("The access token has expired; refresh it.", code="token_expired")
    return claims


def rotate(refresh_raw: str) -> TokenPair:
    """Exchange a refresh token for a new pair of the same family; of any number of simultaneous callers one succeeds.

    Raises NotAuthenticated for a token that is unknown, expired, revoked or of an account that may no longer log in. A
    token that was exchanged before revokes its whole family, and that stays written although the caller gets an error:
    no transaction may be running around this function.
    """
    payload = _decode(library.RefreshToken, refresh_raw)
    jti_hash, family = _hash(payload["jti"]), str(payload.get(_FAMILY, ""))
    user_id, version = _whole(payload, _USER_ID), _whole(payload, _VERSION)

    def exchange() -> TokenPair | None:
        now = timezone.now()
        claimed = RefreshToken.objects.filter(
            jti_hash=jti_hash, rotated_at=None, revoked_at=None, expires_at__gt=now
        ).update(rotated_at=now)
        if not claimed:
            return None
        load_principal(user_id, version)
        return _issue(user_id, version, family=family)

    pair = transact(exchange)
    if pair is None:
        # In a transaction of its own, committed before the error leaves: the thief and the owner both lose the family.
        end_family(family)
        raise NotAuthenticated("This refresh token is no longer valid; log in again.", code="token_revoked")
    return pair


def owner_of_refresh(refresh_raw: str) -> int:
    """The id of the account a usable refresh token belongs to; the token is not spent. Raises NotAuthenticated."""
    payload = _decode(library.RefreshToken, refresh_raw)
    usable = RefreshToken.objects.filter(jti_hash=_hash(payload["jti"]), rotated_at=None, revoked_at=None)
    if not usable.exists():
        raise NotAuthenticated("This refresh token is no longer valid; log in again.", code="token_revoked")
    return load_principal(_whole(payload, _USER_ID), _whole(payload, _VERSION)).id


def end_family(family: str) -> int:
    """No refresh token of this family works any more; returns how many were still open."""
    return transact(
        lambda: RefreshToken.objects.filter(family=family, revoked_at=None).update(revoked_at=timezone.now())
    )


def revoke_all(user: User | Principal) -> None:
    """Every token and browser session of the account has ended, wherever it is; logging in again begins anew.

    Locks the account's row.
    """

    def work() -> None:
        account = User.objects.select_for_update().filter(pk=user.id).first()
        if account is None:
            return
        end_tokens_of(account)
        if isinstance(user, User):
            user.token_version = account.token_version

    change_account(user.id, work=work)


def end_tokens_of(account: User) -> None:
    """Save the account with the next `token_version` and its refresh tokens as revoked.

    The caller holds the lock on the account's row, inside a transaction.
    """
    account.token_version += 1
    account.save()
    RefreshToken.objects.filter(user_id=account.pk, revoked_at=None).update(revoked_at=timezone.now())


def purge_expired() -> int:
    """Remove refresh tokens that expired anyway (housekeeping); returns how many rows went."""
    return RefreshToken.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def forget_verified() -> None:
    """Empty the memory of verified access tokens (tests; after a change of keys in a running process)."""
    with _verified_lock:
        _verified.clear()


def _issue(user_id: int, version: int, *, family: str) -> TokenPair:
    access, refresh = library.AccessToken(), library.RefreshToken()
    for token in (access, refresh):
        token[_USER_ID] = str(user_id)
        token[_VERSION] = version
    refresh[_FAMILY] = family
    RefreshToken.objects.create(
        jti_hash=_hash(refresh["jti"]),
        family=family,
        user_id=user_id,
        expires_at=datetime.fromtimestamp(refresh["exp"], tz=UTC),
    )
    return TokenPair(str(access), str(refresh), int(access["exp"] - access["iat"]))


def _decode(kind: type[library.Token], raw: str) -> dict[str, Any]:
    # Non-ASCII and oversized input never reaches the library: its encoders and parsers raise what it does not catch.
    if not raw.isascii() or len(raw) > TOKEN_LENGTH_MAX or len(raw.partition(".")[0]) > HEADER_LENGTH_MAX:
        raise NotAuthenticated("The token is not valid.", code="token_invalid")
    try:
        token = kind(raw)  # type: ignore[arg-type]  # the library's hint says Token, its code takes the encoded text
    except TokenError as error:
        raise NotAuthenticated("The token is not valid or has expired.", code="token_invalid") from error
    payload: dict[str, Any] = token.payload
    return payload


def _whole(payload: dict[str, Any], claim: str) -> int:
    try:
        return int(payload[claim])
    except (KeyError, TypeError, ValueError) as error:
        raise NotAuthenticated("The token is not valid.", code="token_invalid") from error


def _hash(jti: object) -> str:
    return hashlib.sha256(str(jti).encode()).hexdigest()
