"""Behind TLS and a proxy: HTTPS only, HSTS, whose word counts; which foreign page may read; what a page may load."""

from typing import Any

import pytest
from django.test import Client

from tests.client import Api

pytestmark = pytest.mark.django_db
HTTPS = {"X-Forwarded-Proto": "https"}
SHOP = "https://shop.example.com"


@pytest.fixture
def _behind_tls(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000


@pytest.mark.usefixtures("_behind_tls")
@pytest.mark.parametrize("path", ["/api/v1/products", "/products", "/admin/login/", "/docs", "/health"])
def test_plain_http_is_sent_to_https_unless_a_trusted_proxy_says_it_was(path: str, settings: Any) -> None:
    answer = Client().get(path, headers=HTTPS)  # nobody said that the proxy may be believed
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://testserver{path}")
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert Client().get(path).status_code == 301
    answer = Client().get(path, headers=HTTPS)
    assert answer.status_code in (200, 401)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_without_tls_nothing_promises_it(manager: Api) -> None:
    answer = manager("GET", "products")
    assert (answer.status_code, "Strict-Transport-Security" in answer.headers) == (200, False)


@pytest.mark.parametrize("path", ["/admin/login/", "/docs"])
def test_a_page_loads_from_here_alone_and_is_framed_by_nobody(path: str) -> None:
    answer = Client().get(path)
    policy = dict(
        part.split(maxsplit=1) for part in answer.headers["Content-Security-Policy"].split("; ") if " " in part
    )
    assert (policy["default-src"], policy["frame-ancestors"], policy["object-src"]) == ("'self'", "'none'", "'none'")
    assert "http" not in str(policy)
    assert ("'unsafe-eval'" in policy["script-src"]) == path.startswith("/admin")
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_only_listed_origins_may_read_our_answers(manager: Api, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [SHOP]
    answer = manager("GET", "products", Origin=SHOP)
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "etag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in manager("GET", "products", Origin="https://evil.example").headers
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    allowed = Client().options("/api/v1/orders", headers=asked)
    assert "idempotency-key" in allowed.headers["Access-Control-Allow-Headers"]
