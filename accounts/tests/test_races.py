"""What only real row locks and a real Redis can show. Each race comes with the control that loses it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.db import connection, connections
from django.utils import timezone

from accounts import principal as principals
from accounts import services, tokens
from accounts.models import RefreshToken, Role, User
from accounts.principal import cached_principal, forget_principal, load_principal
from accounts.tests.conftest import PASSWORD, Api
from accounts.tokens import TokenPair
from workbox.core import cache
from workbox.core.errors import DomainError, NotAuthenticated, RuleViolation

pytestmark = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
THREADS = 8


def _at_once(act: Callable[[int], Any], times: int = THREADS) -> list[Any]:
    """Run `act(0..times)` in as many threads, started together; errors of the domain are results."""
    start = threading.Barrier(times)

    def run(number: int) -> Any:
        try:
            connection.ensure_connection()
            start.wait(timeout=10)
            return act(number)
        except DomainError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def _rotate_naively(refresh_raw: str) -> TokenPair:
    """The control: look, then write. Between the two everybody else looks as well."""
    payload = tokens._decode(tokens.library.RefreshToken, refresh_raw)
    row = RefreshToken.objects.get(jti_hash=tokens._hash(payload["jti"]))
    if row.rotated_at or row.revoked_at:
        raise NotAuthenticated("used")
    row.rotated_at = timezone.now()
    row.save()
    return tokens._issue(int(payload["user_id"]), payload["ver"], family=payload["fam"])


def _winners(results: list[Any]) -> int:
    return sum(isinstance(result, TokenPair) for result in results)


def test_of_eight_simultaneous_refreshes_one_succeeds_and_the_family_ends(rosa: User) -> None:
    for _ in range(5):
        pair = tokens.issue_pair(rosa)
        family = tokens._decode(tokens.library.RefreshToken, pair.refresh)["fam"]

        results = _at_once(lambda _, raw=pair.refresh: tokens.rotate(raw))

        assert _winners(results) == 1
        assert [type(result) for result in results].count(NotAuthenticated) == THREADS - 1
        assert not RefreshToken.objects.filter(family=family, revoked_at=None).exists()
        winner = next(result for result in results if isinstance(result, TokenPair))
        with pytest.raises(NotAuthenticated):
            tokens.rotate(winner.refresh)


def test_control_a_naive_rotation_lets_several_through(rosa: User) -> None:
    most = 0
    for _ in range(5):
        pair = tokens.issue_pair(rosa)
        most = max(most, _winners(_at_once(lambda _, raw=pair.refresh: _rotate_naively(raw))))

    assert most > 1


def test_over_http_the_losers_get_401_and_nobody_500(rosa: User) -> None:
    pair = tokens.issue_pair(rosa)

    statuses = _at_once(lambda _: Api()("POST", "auth/refresh", {"refresh_token": pair.refresh}).status_code)

    assert sorted(statuses) == [200] + [401] * (THREADS - 1)


def test_eight_registrations_of_one_name_make_one_account(db: None) -> None:
    spellings = ["rosa", "Rosa", "ROSA", "rOsA"]

    def act(number: int) -> User:
        return services.register(
            username=spellings[number % 4], email=f"{spellings[number % 4]}@example.org", password=PASSWORD
        )

    results = _at_once(act)

    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, RuleViolation) for result in results) == THREADS - 1
    assert User.objects.count() == 1


def test_eight_registrations_without_a_name_get_eight_names(db: None) -> None:
    results = _at_once(lambda number: services.register(email=f"rosa@{number}.example.org", password=PASSWORD))

    assert all(isinstance(result, User) for result in results)
    assert len({user.username_key for user in results}) == THREADS


def test_two_admins_demoting_each_other_leave_one(make: Callable[..., User]) -> None:
    for _ in range(5):
        User.objects.all().delete()
        admins = [make(f"chief{number}", role=Role.ADMIN) for number in range(2)]

        results = _at_once(
            lambda number, pair=admins: services.update_user(
                pair[number], user_id=pair[1 - number].pk, role=Role.CLERK
            ),
            2,
        )

        assert User.objects.filter(role=Role.ADMIN).count() == 1
        assert sum(isinstance(result, RuleViolation) for result in results) == 1


def test_simultaneous_password_changes_each_count(rosa: User) -> None:
    _at_once(lambda number: services.set_password(User.objects.get(pk=rosa.pk), password=f"{PASSWORD}-{number}"))

    rosa.refresh_from_db()
    assert rosa.token_version == THREADS


# ---- the cached principal ----------------------------------------------------------------------------------------
@pytest.fixture
def store() -> redis.Redis:
    client = cache.redis_client()
    if client is None:
        pytest.skip("needs Redis: set REDIS_URL")
    return client


def test_the_second_look_asks_no_database(rosa: User, store: redis.Redis, django_assert_num_queries: Any) -> None:
    first = cached_principal(rosa.pk, 0)

    with django_assert_num_queries(0):
        second = cached_principal(rosa.pk, 0)
    assert second == first == load_principal(rosa.pk, 0)
    assert 0 < store.ttl(f"wb:user:{rosa.pk}") <= principals.CACHE_SECONDS


def test_a_reader_that_was_slow_cannot_bring_the_old_row_back(rosa: User, store: redis.Redis) -> None:
    """Between its look into the database and its write into the cache, the account is logged out elsewhere."""
    looked: list[str] = []

    def log_out_meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        looked.append(sql)
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_logout_and_close, rosa.pk).result()
        return result

    with connection.execute_wrapper(log_out_meanwhile):
        assert cached_principal(rosa.pk, 0).token_version == 0  # it asked before the logout

    assert len(looked) == 1
    assert 0 < store.ttl(f"wb:user:{rosa.pk}") <= principals.TOMBSTONE_SECONDS
    with pytest.raises(NotAuthenticated):
        cached_principal(rosa.pk, 0)
    assert cached_principal(rosa.pk, 1).token_version == 1


def _logout_and_close(user_id: int) -> None:
    services.logout(user_id)
    connections.close_all()


def test_every_change_is_seen_at_once_through_the_cache(make: Callable[..., User], store: redis.Redis) -> None:
    chief = make("chief", role="admin")
    changes: list[Callable[[User], object]] = [
        lambda user: services.update_user(chief, user_id=user.pk, role="analyst"),
        lambda user: services.deactivate(chief, user_id=user.pk),
        lambda user: services.set_password(user, password="a-brand-new-passphrase"),
        lambda user: services.logout(user.pk),
        lambda user: user.delete(),
    ]
    for number, change in enumerate(changes):
        user = make(f"worker{number}", role="clerk")
        access = tokens.issue_pair(user).access
        assert Api(access)("GET", "auth/me").status_code == 200
        assert store.get(f"wb:user:{user.pk}")

        change(user)

        assert Api(access)("GET", "auth/me").status_code == 401


def test_a_newer_token_than_the_cached_row_is_asked_of_the_database(rosa: User, store: redis.Redis) -> None:
    """Another process's tombstone was lost with its Redis connection; the fresh login must not fail for 30 seconds."""
    cached_principal(rosa.pk, 0)
    User.objects.filter(pk=rosa.pk).update(token_version=1)

    assert cached_principal(rosa.pk, 1).token_version == 1


def test_without_redis_the_database_answers(rosa: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert cached_principal(rosa.pk, 0).username == "Rosa"
    forget_principal(rosa.pk)
    services.logout(rosa.pk)
    with pytest.raises(NotAuthenticated):
        cached_principal(rosa.pk, 0)
    monkeypatch.setattr(cache, "_down_until", 0.0)
