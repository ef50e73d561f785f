"""Tokens: rotation, families, forgery, expiry. Tokens that die with the account stand in test_revocation.py."""

import base64
import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from accounts import tokens
from accounts.jwt_settings import simple_jwt
from accounts.models import RefreshToken, User
from accounts.tests.conftest import Api
from accounts.tokens import TokenPair
from workbox.core.errors import NotAuthenticated


def _refresh(refresh_token: str) -> object:
    return Api()("POST", "auth/refresh", {"refresh_token": refresh_token})


@pytest.mark.django_db
def test_a_refresh_token_is_exchanged_once_and_its_successor_works(pair: TokenPair) -> None:
    second = _refresh(pair.refresh)
    third = _refresh(second.json()["refresh_token"])

    assert (second.status_code, third.status_code) == (200, 200)
    assert Api(third.json()["access_token"])("GET", "auth/me").status_code == 200
    assert RefreshToken.objects.values("family").distinct().count() == 1
    assert RefreshToken.objects.filter(rotated_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_reuse_ends_the_whole_family_and_only_that(rosa: User, pair: TokenPair) -> None:
    other_device = tokens.issue_pair(rosa)
    newest = _refresh(pair.refresh).json()["refresh_token"]

    reused = _refresh(pair.refresh)

    assert reused.status_code == 401
    assert reused.json()["code"] == "token_revoked"
    assert _refresh(newest).status_code == 401
    assert _refresh(other_device.refresh).status_code == 200


@pytest.mark.django_db
def test_only_the_hash_of_a_token_is_stored(pair: TokenPair) -> None:
    jti = jwt.decode(pair.refresh, options={"verify_signature": False})["jti"]
    row = RefreshToken.objects.values().get()

    assert jti not in str(row)
    assert pair.refresh not in str(row)


@pytest.mark.django_db
def test_an_access_token_is_no_refresh_token_and_the_other_way_round(pair: TokenPair) -> None:
    assert _refresh(pair.access).status_code == 401
    assert Api(pair.refresh)("GET", "auth/me").status_code == 401


@pytest.mark.django_db
def test_tokens_expire(pair: TokenPair) -> None:
    assert tokens.read_access(pair.access).token_version == 0  # verified and remembered
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        with pytest.raises(NotAuthenticated) as expired:
            tokens.read_access(pair.access)
        assert expired.value.code == "token_expired"
        assert Api(pair.access)("GET", "auth/me").status_code == 401
        assert _refresh(pair.refresh).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        assert _refresh(pair.refresh).status_code == 401


def _forged(pair: TokenPair, **changes: object) -> str:
    """Rosa's own access claims, signed differently; `drop` names claims to leave out."""
    options = {"key": settings.SIMPLE_JWT["SIGNING_KEY"], "algorithm": "HS256", "drop": ()} | changes
    claims = jwt.decode(pair.access, options={"verify_signature": False})
    claims |= {name: value for name, value in options.items() if name not in {"key", "algorithm", "drop"}}
    for name in options["drop"]:
        del claims[name]
    return jwt.encode(claims, options["key"], algorithm=options["algorithm"])


def _unsigned(pair: TokenPair, algorithm: str) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).rstrip(b"=").decode()
    _, payload, signature = pair.access.split(".")
    return f"{head}.{payload}." + ("" if algorithm.lower() == "none" else signature)


FORGERIES = {
    "alg none": lambda pair: _unsigned(pair, "none"),
    "alg None": lambda pair: _unsigned(pair, "None"),
    "alg RS256": lambda pair: _unsigned(pair, "RS256"),
    "alg HS512 with our key": lambda pair: _forged(pair, algorithm="HS512"),
    "other key": lambda pair: _forged(pair, key="k" * 40),
    "wrong issuer": lambda pair: _forged(pair, iss="elsewhere"),
    "no issuer": lambda pair: _forged(pair, drop=("iss",)),
    "wrong audience": lambda pair: _forged(pair, aud="elsewhere"),
    "no audience": lambda pair: _forged(pair, drop=("aud",)),
    "no expiry": lambda pair: _forged(pair, drop=("exp",)),
    "no version": lambda pair: _forged(pair, drop=("ver",)),
    "no user": lambda pair: _forged(pair, drop=("user_id",)),
    "user is no number": lambda pair: _forged(pair, user_id="x"),
    "other version": lambda pair: _forged(pair, ver=1),
    "other type": lambda pair: _forged(pair, token_type="sliding"),
    "cut off": lambda pair: pair.access[:-2],
    "changed payload": lambda pair: pair.access[:60] + "A" + pair.access[61:],
    "empty": lambda _: "",
    "dots": lambda _: "..",
    "not ascii": lambda _: "é.é.é",
    "surrogate": lambda _: "\ud800",
    "very long": lambda _: "a" * 100_000,
    "deeply nested header": lambda _: base64.urlsafe_b64encode(b"[" * 60_000).decode() + ".e30.x",
}


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore:The HMAC key")  # the forger's key is as short as forgers like
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_access_token_is_nobody(pair: TokenPair, forgery: str) -> None:
    raw = FORGERIES[forgery](pair)

    if raw.isprintable() and raw.isascii():
        assert Api(raw)("GET", "auth/me").status_code == 401
        assert _refresh(raw).status_code in {401, 422}
    if forgery != "other version":  # a matter of the account, not of the token
        with pytest.raises(NotAuthenticated):
            tokens.read_access(raw)
        with pytest.raises(NotAuthenticated):
            tokens.rotate(raw)


@pytest.mark.django_db
def test_the_untouched_twin_of_the_forgeries_is_accepted(pair: TokenPair) -> None:
    """The control of the table above: signed again without a change, the same claims are good."""
    assert Api(_forged(pair))("GET", "auth/me").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic cm9zYTp4", "bearer x y", "Token x", "Bearer \x00"])
def test_a_broken_header_is_a_401_with_a_challenge(header: str) -> None:
    answer = Api()("GET", "auth/me", Authorization=header)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
def test_remembered_tokens_are_bounded(rosa: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "VERIFIED_TOKENS_MAX", 3)
    raws = [tokens.issue_pair(rosa).access for _ in range(5)]

    for raw in raws:
        tokens.read_access(raw)

    assert list(tokens._verified) == raws[2:]


@pytest.mark.django_db
def test_expired_rows_are_purged_and_others_kept(rosa: User, pair: TokenPair) -> None:
    RefreshToken.objects.create(jti_hash="0" * 64, family="f", user=rosa, expires_at=timezone.now() - timedelta(days=1))

    assert tokens.purge_expired() == 1
    assert _refresh(pair.refresh).status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "RS256", "ES256", ""])
def test_settings_refuse_an_algorithm_that_is_not_shared_secret(algorithm: str) -> None:
    with pytest.raises(ValueError, match="ALGORITHM"):
        simple_jwt("x" * 40, 15, algorithm)
