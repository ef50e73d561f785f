"""How the API speaks: one error body, exact JSON numbers, ETags, pages, idempotent writes; and a lean base view.

Domain code never sees HTTP; this module alone decides which status a `DomainError` becomes.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.db.models import ProtectedError, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from workbox.core import context, errors, replica
from workbox.core.cache import KEPT_BYTES_MAX, keep, kept, versions
from workbox.core.idempotency import Answer, Sent, once, request_hash
from workbox.core.numbers import to_json
from workbox.core.rendering import JSON, load_json

log = structlog.get_logger(__name__)

PAGE_SIZE, PAGE_SIZE_MAX = 20, 100
OFFSET_MAX = 10**9
GZIP_BYTES_MIN, GZIP_LEVEL = 1400, 4  # below that an answer fits one packet anyway
COUNT_MAX = 10_000  # beyond this a count costs more than it tells

STATUS_OF: Mapping[type[errors.DomainError], int] = {
    errors.RuleViolation: 400,
    errors.Malformed: 400,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Invalid: 422,
    errors.TooManyRequests: 429,
    errors.Busy: 503,
}


# ---- reading and writing JSON ----------------------------------------------------------------------------------------
def read_object(request: HttpRequest | Request) -> dict[str, Any]:
    """The JSON object in the body (empty body: an empty object); raises Malformed or Invalid."""
    body = load_json(request.body) if request.body.strip() else {}
    if not isinstance(body, dict):
        raise errors.Invalid("The body must be a JSON object.")
    return body


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """`body` as JSON."""
    return HttpResponse(to_json(body), status=status, content_type=JSON, headers=headers)


# ---- errors ----------------------------------------------------------------------------------------------------------
def error_body(error: errors.DomainError) -> dict[str, Any]:
    """The one error body of the API."""
    body: dict[str, Any] = {
        "error": error.title,
        "detail": error.detail,
        "type": type(error).__name__,
        "code": error.code,
    }
    if error.fields:
        body["fields"] = error.fields
    body["request_id"] = context.request_id.get()
    return body | error.extra


def status_of(error: errors.DomainError) -> int:
    """The HTTP status of a domain error, by its nearest family."""
    return next(STATUS_OF[family] for family in type(error).__mro__ if family in STATUS_OF)


def error_response(error: errors.DomainError) -> HttpResponse:
    """A domain error as the answer to a request."""
    headers = {}
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="workbox"'
    return json_response(error_body(error), status_of(error), headers)


class MethodNotAllowed(errors.DomainError):
    """The route exists, but not for this method."""

    code = "method_not_allowed"
    title = "Method not allowed"


class UnsupportedMediaType(errors.DomainError):
    """Bodies are JSON, or form data where a route says so."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


class ServerFault(errors.DomainError):
    """What we could not name."""

    code = "internal_error"
    title = "Internal server error"


STATUS_OF = {**STATUS_OF, MethodNotAllowed: 405, UnsupportedMediaType: 415, ServerFault: 500}


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            found |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        found = {}
        for index, item in enumerate(detail):
            found |= _flatten(item, f"{prefix}.{index}" if prefix else str(index))
        return found
    return {prefix or "non_field_errors": [str(item) for item in (detail if isinstance(detail, list) else [detail])]}


def as_domain_error(error: Exception) -> errors.DomainError | None:  # noqa: C901, PLR0911  (one line per foreign error)
    """A framework's error in our words, or None when it is a fault of ours."""
    if isinstance(error, errors.DomainError):
        return error
    if isinstance(error, drf.ValidationError):
        fields = _flatten(error.detail)
        first = next(iter(fields.items()), ("", ["invalid"]))
        return errors.Invalid(f"{first[0]}: {first[1][0]}", fields=fields)
    if isinstance(error, drf.ParseError):
        return errors.Malformed(str(error.detail))
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return errors.NotAuthenticated(str(error.detail))
    if isinstance(error, drf.PermissionDenied | PermissionDenied):
        return errors.Forbidden("Your role does not allow this.")
    if isinstance(error, Http404 | ObjectDoesNotExist | drf.NotFound):
        return errors.NotFound("There is no such thing here.")
    if isinstance(error, drf.MethodNotAllowed):
        return MethodNotAllowed(str(error.detail))
    if isinstance(error, drf.UnsupportedMediaType):
        return UnsupportedMediaType(str(error.detail))
    if isinstance(error, RequestDataTooBig):
        return errors.Malformed("The body is larger than this server accepts (2 MiB).", code="too_large")
    if isinstance(error, ProtectedError):
        return errors.Conflict("Other records refer to this one; it cannot be deleted.", code="in_use")
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("database_unavailable", error=str(error))
        return errors.Busy("The database is not available right now; please try again.")
    return None


def exception_response(error: Exception, _context: Any = None) -> HttpResponse | None:
    """DRF's exception hook: the one error body for everything we can name; None lets a fault become a 500."""
    named = as_domain_error(error)
    return error_response(named) if named is not None else None


# ---- views -----------------------------------------------------------------------------------------------------------
class ApiView(APIView):
    """Base of every endpoint: DRF's authentication, permissions and throttles without its per-request ceremony.

    `required_capabilities` maps each method to the capability it needs; a method that is not listed is refused.
    Handlers return an HttpResponse, or a DRF Response whose data becomes JSON.
    Handlers get Django's own request with `user` set; a view that reads forms sets `wants_drf_request` and gets DRF's.
    """

    required_capabilities: Mapping[str, str | None] = {}
    wants_drf_request = False
    request: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.args, self.kwargs, self.headers = args, kwargs, {}
        try:
            self.request = asked = self._identified(request)
            self._admit(asked)
            method = (request.method or "").lower()
            handler = getattr(self, method, None) if method in self.http_method_names else None
            response = (handler or self.http_method_not_allowed)(asked, *args, **kwargs)
        except Exception as error:
            named = as_domain_error(error)
            if named is None:
                raise
            response = error_response(named)
        if isinstance(response, Response):
            response = self._plain(response)
        for name, value in self.headers.items():
            response.headers[name] = value
        limit = getattr(request, "rate_limit", None)
        if limit is not None:
            response.headers["RateLimit"] = f"limit={limit[0]}, remaining={limit[1]}, reset={limit[2]}"
        response.headers.setdefault("Vary", "Authorization, Origin, Accept-Encoding")
        if (
            not response.streaming
            and len(response.content) >= GZIP_BYTES_MIN
            and "gzip" in request.META.get("HTTP_ACCEPT_ENCODING", "")
        ):
            _compress(response)
        return response

    def _identified(self, request: Any) -> Any:
        """The request with `user` and `auth` set by the first authenticator that knows the asker."""
        request.user, request.auth = _anonymous(), None
        context.warehouses.set(None)
        for authenticator in _instances(tuple(self.authentication_classes)):
            found = authenticator.authenticate(request)
            if found is not None:
                request.user, request.auth = found
                request.actor_id = request.user.pk
                context.actor_id.set(request.user.pk)
                context.warehouses.set(request.user.warehouses)
                break
        if not self.wants_drf_request:
            return request
        wrapped = self.initialize_request(request)
        wrapped.user, wrapped.auth = request.user, request.auth
        return wrapped

    def _admit(self, request: Any) -> None:
        """May they, and not too often. Raises what says no."""
        for permission in _instances(tuple(self.permission_classes)):
            if not permission.has_permission(request, self):
                raise errors.Forbidden("Your role does not allow this.")
        if settings.WORKBOX_THROTTLE:
            for throttle in _instances(tuple(self.throttle_classes)):
                throttle.allow_request(request, self)

    @staticmethod
    def _plain(response: Response) -> HttpResponse:
        body = b"" if response.data is None else to_json(response.data)
        plain = HttpResponse(body, status=response.status_code, content_type=JSON)
        for name, value in response.headers.items():
            if name.lower() != "content-type":
                plain.headers[name] = value
        return plain

    def idempotent(self, work: Callable[[], tuple[int, Any]]) -> HttpResponse:
        """Answer with `work()` → (status, body), run in one transaction and at most once per Idempotency-Key."""
        return idempotent(self.request, cast(int, self.request.user.id), work)


def _compress(response: HttpResponse) -> None:
    """Answers hold no secret beside what the asker sent, so compressing them tells nobody anything."""
    packed = gzip.compress(response.content, GZIP_LEVEL, mtime=0)
    if response.has_header("Content-Encoding") or len(packed) >= len(response.content):
        return
    response.content = packed
    response.headers["Content-Encoding"] = "gzip"
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        response.headers["ETag"] = f"W/{tag}"  # the same facts, other bytes


class ActionView(ApiView):
    """Base of the verbs on one thing (confirm, ship, restore …): POST, PUT and PATCH do the same, `act`."""

    @staticmethod
    def needs(capability: str | None) -> Mapping[str, str | None]:
        """`required_capabilities` of an action."""
        return dict.fromkeys(("POST", "PUT", "PATCH"), capability)

    def act(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """What the action does."""
        raise NotImplementedError

    def post(self, request: Request, **kwargs: str) -> HttpResponse:
        return self.act(request, **kwargs)

    def put(self, request: Request, **kwargs: str) -> HttpResponse:
        return self.act(request, **kwargs)

    def patch(self, request: Request, **kwargs: str) -> HttpResponse:
        return self.act(request, **kwargs)


@cache
def _instances(classes: tuple[type[Any], ...]) -> tuple[Any, ...]:
    """One stateless instance of each class, for all requests."""
    return tuple(one() for one in classes)


@cache
def _anonymous() -> Any:
    kind: Any = api_settings.UNAUTHENTICATED_USER  # the stubs give the path, not the class
    return kind() if kind else None


def idempotent(request: HttpRequest, user_id: int, work: Callable[[], tuple[int, Any]]) -> HttpResponse:
    """Run `work` once per Idempotency-Key of this user and answer with its status and body."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
    return idempotent_by(request, user_id, work, content=request.body if key else b"")


def idempotent_by(
    request: HttpRequest, user_id: int, work: Callable[[], tuple[int, Any]], *, content: bytes
) -> HttpResponse:
    """Like `idempotent`, for a body that was read as a stream: `content` is what makes two requests twins."""

    def encoded() -> tuple[int, bytes]:
        status, body = work()
        return status, to_json(body)

    sent = sent_by(request, user_id, content=content)
    return answered_once(once(encoded, user_id=user_id, key=sent.key, fingerprint=sent.fingerprint))


def sent_by(request: HttpRequest, user_id: int, *, content: bytes) -> Sent:
    """What tells this request's twins: its asker, its Idempotency-Key and a print of what it asks."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
    return Sent(user_id, key, request_hash(request.method or "", request.path, content) if key else "")


def answered_once(answer: Answer) -> HttpResponse:
    """The answer as a response; a replayed one says so."""
    response = HttpResponse(answer.body, status=answer.status, content_type=JSON)
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


# ---- conditional requests --------------------------------------------------------------------------------------------
def kept_answer(request: HttpRequest, make: Callable[[], Any], *, topics: tuple[str, ...], right: str) -> HttpResponse:
    """The answer to a GET that looks the same to all behind the same walls who have, or have not, this one `right`.

    `make()` gives the body; its bytes are kept until a topic changes, so it is read from the primary: what a replica
    that lags says under the newest version would stay. A request with `Cache-Control: no-cache` is always made anew,
    and so is every one while Redis, which knows the versions, is away.
    """
    found = None
    if request.META.get("HTTP_CACHE_CONTROL") != "no-cache":
        found = versions(*topics)
    if found is None:
        return conditional(request, to_json(make()))
    may: bool = cast(Any, request.user).can(right)
    key = (request.path, request.META.get("QUERY_STRING", ""), context.warehouses.get(), may, found)
    answer = kept(key)
    if answer is None:
        with replica.only_primary():
            body = to_json(make())
        answer = (body, etag_of(body))
        if len(body) <= KEPT_BYTES_MAX:
            keep(key, answer)
    return conditional(request, *answer)


def etag_of(body: bytes) -> str:
    """A strong validator of a representation."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def conditional(request: HttpRequest | Request, body: bytes, etag: str | None = None) -> HttpResponse:
    """200 with an ETag, or 304 when the client already has exactly this."""
    tag = etag or etag_of(body)
    asked = request.META.get("HTTP_IF_NONE_MATCH")
    if asked and (asked.strip() == "*" or tag in [item.strip().removeprefix("W/") for item in asked.split(",")]):
        return HttpResponse(status=304, headers={"ETag": tag})
    return HttpResponse(body, content_type=JSON, headers={"ETag": tag, "Cache-Control": "private, no-cache"})


def check_if_match(request: HttpRequest | Request, current: Callable[[], Any]) -> None:
    """Raise PreconditionFailed (412) unless `If-Match` names the present representation.

    Call it under the row's lock.
    """
    asked = request.META.get("HTTP_IF_MATCH")
    if not asked or asked.strip() == "*":
        return
    if etag_of(to_json(current())) not in [item.strip().removeprefix("W/") for item in asked.split(",")]:
        raise errors.PreconditionFailed("This was changed meanwhile; fetch it again and decide on the new state.")


# ---- pages -----------------------------------------------------------------------------------------------------------
def read_window(query: Mapping[str, str]) -> tuple[int, int]:
    """(offset, limit) from `page`+`page_size` or `skip`+`limit`; raises Invalid (422) on anything out of range."""

    def whole(name: str, default: int, low: int, high: int) -> int:
        raw = query.get(name)
        if raw is None or raw == "":
            return default
        number = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 20 else -1
        if not low <= number <= high:
            message = f"must be a whole number from {low} to {high}"
            raise errors.Invalid(f"{name} {message}.", fields={name: [message]})
        return number

    if "skip" in query or "limit" in query:
        return whole("skip", 0, 0, OFFSET_MAX), whole("limit", PAGE_SIZE, 1, PAGE_SIZE_MAX)
    size = whole("page_size", PAGE_SIZE, 1, PAGE_SIZE_MAX)
    return (whole("page", 1, 1, OFFSET_MAX // size) - 1) * size, size


def page_body(request: HttpRequest | Request, rows: list[Any], count: int, offset: int, limit: int) -> dict[str, Any]:
    """`{count, next, previous, results}` with links in the style the client asked in."""
    query = dict(request.GET.items())
    by_skip = "skip" in query or "limit" in query

    def link(start: int) -> str:
        where = {"skip": start, "limit": limit} if by_skip else {"page": start // limit + 1, "page_size": limit}
        return f"{request.path}?{urlencode(query | where)}"

    return {
        "count": count,
        "next": link(offset + limit) if offset + limit < count else None,
        "previous": link(max(offset - limit, 0)) if offset > 0 else None,
        "results": rows,
    }


def read_page(
    request: HttpRequest | Request, found: QuerySet[Any], rows_of: Callable[[list[int]], list[Any]]
) -> dict[str, Any]:
    """One page of `found`: it is cut on the primary key first, then `rows_of(ids)` joins what the page shows."""
    return page_of(
        request,
        lambda offset, limit: list(found.values_list("pk", flat=True)[offset : offset + limit]),
        lambda: bounded_count(found),
        rows_of,
    )


def page_of(
    request: HttpRequest | Request,
    ids_of: Callable[[int, int], list[int]],
    count_of: Callable[[], int],
    rows_of: Callable[[list[int]], list[Any]],
) -> dict[str, Any]:
    """One page made of `ids_of(offset, limit)`, `count_of()` and `rows_of(ids)`.

    `count_of` is asked only when the page does not tell.
    """
    offset, limit = read_window(request.GET)
    ids = ids_of(offset, limit + 1)
    more, ids = len(ids) > limit, ids[:limit]
    if not more and (ids or offset == 0):
        count = offset + len(ids)
    else:
        # The count is bounded; that there is one more row than this page shows is known all the same.
        count = max(count_of(), offset + len(ids) + more if ids else 0)
    return page_body(request, rows_of(ids) if ids else [], count, offset, limit)


class Page(BasePagination):
    """DRF pagination in WorkBox's manner: `page`/`page_size` or `skip`/`limit`, a bounded count."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._request = request
        self._offset, self._limit = read_window(request.GET)
        self._count = bounded_count(queryset)
        return list(queryset[self._offset : self._offset + self._limit])

    def get_paginated_response(self, data: list[Any]) -> Response:
        return Response(page_body(self._request, data, self._count, self._offset, self._limit))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "query", "required": False, "schema": {"type": "integer", **bounds}}
            for name, bounds in (
                ("page", {"minimum": 1, "default": 1}),
                ("page_size", {"minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE}),
                ("skip", {"minimum": 0}),
                ("limit", {"minimum": 1, "maximum": PAGE_SIZE_MAX}),
            )
        ]


def bounded_count(queryset: QuerySet[Any]) -> int:
    """How many rows there are, counting at most COUNT_MAX of them."""
    return queryset.order_by().values("pk")[:COUNT_MAX].count()


def page_schema(rows: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI schema of a page; `rows` is the schema of its `results` array."""
    link = {"type": ["string", "null"], "example": None}
    return {
        "type": "object",
        "required": ["count", "next", "previous", "results"],
        "properties": {
            "count": {
                "type": ["integer", "null"],
                "description": f"Exact up to {COUNT_MAX}; null with a cursor.",
                "example": 1,
            },
            "next": link,
            "previous": link,
            "results": rows,
        },
    }
