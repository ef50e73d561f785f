"""The public pages (home, API documentation) and what an unknown path or a fault of ours answers."""

from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.http import require_safe

from workbox.core import errors
from workbox.core.api import ServerFault, error_response

REDOC_BUNDLE = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
# ReDoc shows its maker's logo from a foreign host; an empty picture makes it show none.
REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
DAY_SECONDS = 86_400


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this server is, and where to go."""
    return render(request, "workbox/home.html")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI."""
    return render(request, "workbox/docs.html")


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """ReDoc."""
    return render(request, "workbox/redoc.html")


@cache
def _redoc_script() -> bytes:
    found = finders.find(REDOC_BUNDLE)
    if not isinstance(found, str):
        raise FileNotFoundError(REDOC_BUNDLE)
    return Path(found).read_bytes().replace(REDOC_LOGO, b"data:,")


@require_safe
def redoc_script(request: HttpRequest) -> HttpResponse:
    """ReDoc's bundle without its request to a foreign host."""
    headers = {"Cache-Control": f"public, max-age={DAY_SECONDS}"}
    return HttpResponse(_redoc_script(), content_type="text/javascript; charset=utf-8", headers=headers)


# ---- errors outside of views -----------------------------------------------------------------------------------------
def _is_api(request: HttpRequest) -> bool:
    return bool(getattr(request, "is_api", True))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request Django refuses to read."""
    if _is_api(request):
        return error_response(errors.Malformed("This request cannot be read."))
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Something a browser session may not."""
    if _is_api(request):
        return error_response(errors.Forbidden("Your role does not allow this."))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A path nobody knows."""
    if _is_api(request):
        return error_response(errors.NotFound("There is no such path; /docs lists them all.", code="unknown_path"))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours."""
    if _is_api(request):
        return error_response(ServerFault("Something broke on our side; the request id tells us what."))
    return defaults.server_error(request)
