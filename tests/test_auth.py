"""Registering, logging in and out from end to end, as the ledger's README asks for: `pytest tests/test_auth.py`.

The rules one by one: accounts/tests.
"""

import pytest

from tests.client import Api

pytestmark = pytest.mark.django_db


def test_register_log_in_refresh_and_log_out() -> None:
    api = Api()
    person = {
        "username": "johndoe",
        "email": "john@example.com",
        "password": "securepassword123",
        "full_name": "John Doe",
    }
    made = api("POST", "auth/register", person)
    assert (made.status_code, made.json()["role"]) == (201, "user")
    assert "password" not in made.json()
    wrong = api("POST", "auth/login-json", {"username": "johndoe", "password": "guess"})
    assert wrong.status_code == 401
    tokens = api.form("/api/v1/auth/login", "username=JohnDoe&password=securepassword123").json()
    assert api("GET", "auth/me").status_code == 401
    assert Api(tokens["access_token"])("GET", "auth/me").json()["email"] == "john@example.com"
    renewed = api("POST", "auth/refresh", {"refresh_token": tokens["refresh_token"]}).json()
    inside = Api(renewed["access_token"])
    assert inside("GET", "auth/me").status_code == 200
    assert inside("POST", "auth/logout", {}).status_code == 204
    assert inside("GET", "auth/me").status_code == 401
