"""Tells the OpenAPI generator how a token is sent."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class BearerScheme(OpenApiAuthenticationExtension):
    """The `bearer` security scheme."""

    target_class = "accounts.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The scheme object of OpenAPI."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
