"""Who is asking, for REST: `Authorization: Bearer <access token>`."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.principal import Principal, cached_principal
from accounts.tokens import AccessClaims, read_access


class BearerAuthentication(BaseAuthentication):
    """Turns a valid access token of an active account into a `Principal`."""

    def authenticate(self, request: Request) -> tuple[Principal, AccessClaims] | None:
        """(principal, claims); None without a bearer header. Raises NotAuthenticated for a token that is no good."""
        header: str = request.META.get("HTTP_AUTHORIZATION", "")
        if header[:7].lower() != "bearer ":
            return None
        claims = read_access(header[7:].strip())
        return cached_principal(claims.user_id, claims.token_version), claims

    def authenticate_header(self, request: Request) -> str:
        """The challenge that goes with a 401."""
        return "Bearer"
