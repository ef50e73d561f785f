"""Who is asking, on every request: one indexed row (or one Redis key) turned into a small immutable object.

Plain SQL on purpose: this runs before every API answer. It decides nothing about what is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import orjson
import redis

from accounts.capabilities import STAFF_ROLES, capabilities_of
from workbox.core import events
from workbox.core.cache import read_many, redis_client, redis_failed
from workbox.core.db import execute, transact
from workbox.core.errors import NotAuthenticated

T = TypeVar("T")
CACHE_SECONDS = 30
TOMBSTONE_SECONDS = 10
_TOMBSTONE = b"-"
_NOBODY: frozenset[str] = frozenset()
# One row, memberships and all: both databases know GROUP_CONCAT.
MEMBERSHIPS = "(SELECT GROUP_CONCAT(m.warehouse_id) FROM accounts_membership m WHERE m.user_id = accounts_user.id)"
_SELECT = f"SELECT username, role, token_version, is_active, {MEMBERSHIPS} FROM accounts_user WHERE id = %s"  # noqa: S608  (our own words)

Row = tuple[str, str, int, bool, str | None]


@dataclass(frozen=True, slots=True)
class Principal:
    """An active account as it stood when this request began, with what its role may do."""

    id: int
    username: str
    role: str
    token_version: int
    capabilities: frozenset[str]
    warehouses: frozenset[int] | None = None  # None: all

    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True

    @property
    def pk(self) -> int:
        """The account's id under the name Django's own code looks for."""
        return self.id

    @property
    def is_staff(self) -> bool:
        """True for every role that works for the shop."""
        return self.role in STAFF_ROLES

    def can(self, capability: str) -> bool:
        """True when the role has this capability."""
        return capability in self.capabilities


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody we know: may do nothing that needs a capability."""

    id: None = None
    pk: None = None
    username: str = ""
    role: str = ""
    capabilities: frozenset[str] = _NOBODY
    warehouses: None = None

    is_authenticated: ClassVar[bool] = False
    is_anonymous: ClassVar[bool] = True
    is_active: ClassVar[bool] = False
    is_staff: ClassVar[bool] = False

    def can(self, capability: str) -> bool:
        """False, whatever is asked."""
        return False


def load_principal(user_id: int, token_version: int | None) -> Principal:
    """The account as the database has it now; `token_version` None skips the comparison.

    Raises NotAuthenticated when it does not exist, is not active, or its tokens of that version have been ended.
    """
    return _checked(user_id, token_version, row=_read_row(user_id))


def cached_principal(user_id: int, token_version: int | None) -> Principal:
    """Like `load_principal`, through a Redis key that lives CACHE_SECONDS; without Redis it is `load_principal`.

    A key is only ever filled by SET NX, so the tombstone of `forget_principal` cannot be overwritten by a reader that
    still holds the row from before the change. A version that differs from the cached one is asked of the database:
    the token may be newer than the key.
    """
    key = f"wb:user:{user_id}"
    found = read_many([key])
    if found is None:
        return load_principal(user_id, token_version)
    cached = found[0]
    if cached is None:
        row = _read_row(user_id)
        if row is not None:
            _fill(key, row)
        return _checked(user_id, token_version, row=row)
    if cached == _TOMBSTONE:
        return load_principal(user_id, token_version)
    row = orjson.loads(cached)
    if token_version is not None and row[2] != token_version:
        return load_principal(user_id, token_version)
    return _checked(user_id, token_version, row=row)


def _fill(key: str, row: Row) -> None:
    client = redis_client()
    try:
        if client is not None:
            client.set(key, orjson.dumps(row), nx=True, ex=CACHE_SECONDS)
    except redis.RedisError:
        redis_failed()


def forget_principal(user_id: int) -> None:
    """Nobody reads a cached copy of this account for TOMBSTONE_SECONDS; called before and after a change commits.

    Without Redis there is nothing to forget. When Redis does not answer, copies elsewhere live at most CACHE_SECONDS.
    """
    client = redis_client()
    if client is None:
        return
    try:
        client.set(f"wb:user:{user_id}", _TOMBSTONE, ex=TOMBSTONE_SECONDS)
    except redis.RedisError:
        redis_failed()


def change_account(user_id: int, *, work: Callable[[], T]) -> T:
    """Run `work`, which changes what this account may do, in one transaction; its cached copy is forgotten around it.

    Inside a caller's transaction the second forgetting comes before the commit; the tombstone outlives that transaction
    as long as it commits within TOMBSTONE_SECONDS. The live stream is told in the same transaction, so that open
    sockets are checked again before any later frame reaches them.
    """

    def told() -> T:
        result = work()
        events.append([events.NewEvent("access_changed", events.ACCESS, user_id)])
        return result

    forget_principal(user_id)
    try:
        return transact(told)
    finally:
        forget_principal(user_id)


def _read_row(user_id: int) -> Row | None:
    row: Row | None = execute(_SELECT, (user_id,)).fetchone()
    return row


def _checked(user_id: int, token_version: int | None, *, row: Row | None) -> Principal:
    if row is None or not row[3] or (token_version is not None and row[2] != token_version):
        raise NotAuthenticated("These credentials are no longer valid; log in again.", code="token_revoked")
    warehouses = bound_to(row[1], row[4])
    return Principal(user_id, row[0], row[1], row[2], capabilities_of(row[1], bound=warehouses is not None), warehouses)


def bound_to(role: str, memberships: str | None) -> frozenset[int] | None:
    """The warehouses an account with this role and these memberships (`MEMBERSHIPS`) is bound to; None: all."""
    if not memberships or role not in STAFF_ROLES:
        return None
    return frozenset(int(one) for one in str(memberships).split(","))
