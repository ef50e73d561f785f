"""The token library's settings, as a plain dictionary that `workbox.settings` can build without Django being ready."""

from datetime import timedelta
from typing import Any

ISSUER = "workbox"
AUDIENCE = "workbox-api"
# Shared-secret algorithms only: with one secret an RS or ES name could only be a mistake or an attack.
ALGORITHMS = ("HS256", "HS384", "HS512")


def simple_jwt(secret: str, access_minutes: int, algorithm: str, *, refresh_days: int = 7) -> dict[str, Any]:
    """The value of SIMPLE_JWT. Raises ValueError for an algorithm outside the allow-list."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"ALGORITHM must be one of {', '.join(ALGORITHMS)}, not {algorithm!r}")
    return {
        "ALGORITHM": algorithm,
        "SIGNING_KEY": secret,
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=access_minutes),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=refresh_days),
    }
