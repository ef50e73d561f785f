"""REST endpoints for logging in and for accounts: they read the request, call one service and show the result."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from accounts import services, tokens
from accounts.api.authentication import BearerAuthentication
from accounts.api.filters import UserFilter
from accounts.api.serializers import (
    LoginSerializer,
    LogoutSerializer,
    MeSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegisterSerializer,
    TokenPairSerializer,
    UserCreateSerializer,
    UserSerializer,
    UserWriteSerializer,
    WarehousesSerializer,
)
from accounts.capabilities import USERS_READ, USERS_WRITE
from accounts.models import User
from accounts.principal import Principal
from accounts.tokens import TokenPair
from workbox.core.api import ApiView, Page, check_if_match, conditional, json_response, read_object
from workbox.core.errors import Invalid, NotAuthenticated, NotFound
from workbox.core.numbers import to_json
from workbox.core.rendering import OrjsonParser
from workbox.core.schema import answered, asked
from workbox.core.throttles import LoginThrottle

USER_EXAMPLE = {
    "id": 7,
    "username": "rosa",
    "email": "rosa@example.org",
    "full_name": "Rosa Lind",
    "role": "user",
    "is_active": True,
    "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z",
    "last_login": None,
}
BEARER_OR_NOTHING: Any = [{"bearer": []}, {}]
TOKENS_EXAMPLE = {
    "access_token": "eyJhbGciOiJIUzI1NiIs…",
    "refresh_token": "eyJhbGciOiJIUzI1NiIs…",
    "token_type": "bearer",
    "expires_in": 900,
}


def _read(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _tokens(pair: TokenPair) -> HttpResponse:
    body = {
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "token_type": "bearer",
        "expires_in": pair.expires_in,
    }
    return json_response(body, headers={"Cache-Control": "no-store"})


class AccountView(ApiView):
    """Reads its bodies with DRF: forms and JSON alike."""

    wants_drf_request = True


class PublicView(AccountView):
    """For who has no valid access token yet: an old one in the header is not looked at."""

    authentication_classes = []
    permission_classes = [AllowAny]
    parser_classes = [OrjsonParser, FormParser, MultiPartParser]


class RegisterView(PublicView):
    """Make an account for oneself."""

    @extend_schema(
        summary="Register",
        description="Creates an account with the role `user`. Without a `username` one is made from the address.",
        request=RegisterSerializer,
        responses={201: UserSerializer},
        auth=[],
        examples=[
            asked({"email": "rosa@example.org", "password": "a-long-passphrase", "full_name": "Rosa Lind"}),
            answered(USER_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Register."""
        user = services.register(**_read(RegisterSerializer, request))
        return json_response(UserSerializer(user).data, 201)


class LoginView(PublicView):
    """Exchange name and password for tokens."""

    throttle_classes = [LoginThrottle]

    @extend_schema(
        summary="Log in",
        description=(
            "JSON or form. `username` or `email` in any case, and `password`. Repeated failures lock the account for "
            "the caller's address for a while: 429 with `Retry-After`. Where the account has a second factor, `code` "
            "is the one its app shows, or a recovery code: without it 401 `second_factor_required`."
        ),
        request={"application/json": LoginSerializer, "application/x-www-form-urlencoded": LoginSerializer},
        responses={200: TokenPairSerializer},
        auth=[],
        examples=[asked({"username": "rosa", "password": "a-long-passphrase"}), answered(TOKENS_EXAMPLE)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Log in."""
        body = _read(LoginSerializer, request)
        _, pair = services.login(
            body["identifier"], password=body["password"], request=_http(request), code=body.get("code", "")
        )
        return _tokens(pair)


class RefreshView(PublicView):
    """Exchange a refresh token for the next pair."""

    @extend_schema(
        summary="Refresh tokens",
        description="A refresh token works once. Using it a second time ends every token of the same login.",
        request=RefreshSerializer,
        responses={200: TokenPairSerializer},
        auth=[],
        examples=[asked({"refresh_token": "eyJhbGciOiJIUzI1NiIs…"}), answered(TOKENS_EXAMPLE)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Refresh tokens."""
        return _tokens(tokens.rotate(_read(RefreshSerializer, request)["refresh_token"]))


class LogoutView(PublicView):
    """End all tokens."""

    @extend_schema(
        summary="Log out everywhere",
        description=(
            "Ends every access token, refresh token and browser session of the account at once. "
            "With an expired access token send `refresh_token` instead."
        ),
        request=LogoutSerializer,
        responses={204: None},
        auth=BEARER_OR_NOTHING,
        examples=[asked({})],
    )
    def post(self, request: Request) -> HttpResponse:
        """Log out everywhere."""
        services.logout(self._who(request), request=_http(request))
        return HttpResponse(status=204)

    def _who(self, request: Request) -> int:
        refresh_raw = _read(LogoutSerializer, request).get("refresh_token", "") if _http(request).body else ""
        try:
            known = BearerAuthentication().authenticate(request)
        except NotAuthenticated:
            if not refresh_raw:
                raise
            known = None
        if known is not None:
            return known[0].id
        if not refresh_raw:
            raise NotAuthenticated("Send an access token or a refresh_token.")
        return tokens.owner_of_refresh(refresh_raw)


class MeView(AccountView):
    """One's own account."""

    required_capabilities = {"GET": None, "PATCH": None}

    @extend_schema(
        summary="Who am I",
        responses={200: MeSerializer},
        examples=[answered({**USER_EXAMPLE, "capabilities": ["catalog.read", "orders.place", "stock.read"]})],
    )
    def get(self, request: Request) -> HttpResponse:
        """Who am I."""
        return conditional(request, to_json(MeSerializer(_account(_who(request).id)).data))

    @extend_schema(
        summary="Change my name or password",
        description="A new `password` needs `old_password` and ends all tokens, including the one used here.",
        request=ProfileSerializer,
        responses={200: MeSerializer},
        examples=[
            asked({"full_name": "Rosa Lind-Berg"}),
            answered({**USER_EXAMPLE, "capabilities": ["catalog.read", "orders.place", "stock.read"]}),
        ],
    )
    def patch(self, request: Request) -> HttpResponse:
        """Change my name or password."""
        user = services.update_profile(_who(request).id, **_read(ProfileSerializer, request))
        return json_response(MeSerializer(user).data)


class UsersView(AccountView):
    """All accounts."""

    required_capabilities = {"GET": USERS_READ, "POST": USERS_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List users",
        parameters=[
            OpenApiParameter("role", str, enum=["user", "clerk", "manager", "analyst", "admin"]),
            OpenApiParameter("is_active", bool),
            OpenApiParameter("search", str, description="Part of the user name, address or full name."),
            OpenApiParameter(
                "ordering", str, description="`id`, `username`, `email`, `created_at`; `-` in front reverses."
            ),
        ],
        responses={200: UserSerializer(many=True)},
        examples=[answered(USER_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List users."""
        found = UserFilter(request.GET, queryset=User.objects.order_by("id"))
        if not found.is_valid():
            fields = {name: [str(text) for text in texts] for name, texts in found.errors.items()}
            raise Invalid("A filter has a value that makes no sense.", fields=fields)
        page = Page()
        rows = page.paginate_queryset(found.qs, request, self)
        body = page.get_paginated_response(list(UserSerializer(rows, many=True).data)).data
        return conditional(request, to_json(body))

    @extend_schema(
        summary="Create a user",
        description=(
            "Managers may give the roles user, clerk and analyst, admins any. Without a `password` the account cannot "
            "log in until one is set."
        ),
        request=UserCreateSerializer,
        responses={201: UserSerializer},
        examples=[
            asked({"username": "rosa", "email": "rosa@example.org"}),
            answered(USER_EXAMPLE, 201),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a user."""
        # The raw body is read first: the idempotency key is bound to its bytes.
        serializer = UserCreateSerializer(data=read_object(request))
        serializer.is_valid(raise_exception=True)
        body: dict[str, Any] = {"username": "", **serializer.validated_data}

        def work() -> tuple[int, Any]:
            return 201, UserSerializer(services.create_user(_who(request), **body)).data

        return self.idempotent(work)


class UserView(AccountView):
    """One account: staff with the right to read users, or its owner."""

    required_capabilities = {
        "GET": None,
        "PUT": USERS_WRITE,
        "PATCH": USERS_WRITE,
        "DELETE": USERS_WRITE,
    }

    @extend_schema(summary="Get a user", responses={200: UserSerializer}, examples=[answered(USER_EXAMPLE)])
    def get(self, request: Request, user_id: str) -> HttpResponse:
        """Get a user."""
        who = _who(request)
        if int(user_id) != who.id and not who.can(USERS_READ):
            raise NotFound("There is no such user.")
        return conditional(request, to_json(UserSerializer(_account(int(user_id))).data))

    @extend_schema(
        summary="Change a user",
        description="Only what is sent changes. A new role or password, or `is_active: false`, ends all tokens.",
        request=UserWriteSerializer,
        responses={200: UserSerializer},
        examples=[asked({"role": "clerk"}), answered({**USER_EXAMPLE, "role": "clerk"})],
    )
    def patch(self, request: Request, user_id: str) -> HttpResponse:
        """Change a user."""

        def precondition(user: User) -> None:
            check_if_match(request, lambda: UserSerializer(user).data)

        changes = _read(UserWriteSerializer, request)
        user = services.update_user(_who(request), user_id=int(user_id), precondition=precondition, **changes)
        return json_response(UserSerializer(user).data)

    @extend_schema(
        summary="Change a user (partial body allowed)",
        request=UserWriteSerializer,
        responses={200: UserSerializer},
        examples=[asked({"full_name": "Rosa Lind-Berg"}), answered({**USER_EXAMPLE, "full_name": "Rosa Lind-Berg"})],
    )
    def put(self, request: Request, user_id: str) -> HttpResponse:
        """Change a user."""
        return self.patch(request, user_id)

    @extend_schema(
        summary="Deactivate a user",
        description="The account can no longer log in and its tokens end; its history stays.",
        responses={204: None},
        examples=[],
    )
    def delete(self, request: Request, user_id: str) -> HttpResponse:
        """Deactivate a user."""
        services.deactivate(_who(request), user_id=int(user_id))
        return HttpResponse(status=204)


class UserWarehousesView(AccountView):
    """Which warehouses an account is bound to."""

    required_capabilities = {"GET": USERS_READ, "PUT": USERS_WRITE}

    @extend_schema(
        summary="Get a user's warehouses",
        description="An empty list: the account sees all warehouses.",
        responses={200: WarehousesSerializer},
        examples=[answered({"warehouse_ids": [1]})],
    )
    def get(self, request: Request, user_id: str) -> HttpResponse:
        """Get a user's warehouses."""
        return conditional(request, to_json({"warehouse_ids": services.memberships(int(user_id))}))

    @extend_schema(
        summary="Bind a user to warehouses",
        description=(
            "Staff only. From now on the account sees and moves stock in these warehouses alone, in API, admin, live "
            "stream and exports; another warehouse's ids answer 404. An empty list lifts the binding."
        ),
        request=WarehousesSerializer,
        responses={200: WarehousesSerializer},
        examples=[asked({"warehouse_ids": [1]}), answered({"warehouse_ids": [1]})],
    )
    def put(self, request: Request, user_id: str) -> HttpResponse:
        """Bind a user to warehouses."""
        given = _read(WarehousesSerializer, request)
        bound = services.bind(_who(request), user_id=int(user_id), warehouse_ids=given["warehouse_ids"])
        return json_response({"warehouse_ids": bound})


def _who(request: Request) -> Principal:
    return cast(Principal, request.user)


def _http(request: Request) -> HttpRequest:
    return request._request


def _account(user_id: int) -> User:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user
