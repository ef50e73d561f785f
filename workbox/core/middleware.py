"""Django's browser middleware, skipped for API paths: a program with a token pays for no session, cookie or CSRF."""

from collections.abc import Callable
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.gzip import GZipMiddleware
from django.utils.deprecation import MiddlewareMixin


class BrowserOnly(MiddlewareMixin):
    """Mix-in: an API request goes past this layer and past those of its kind that follow, in one step."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._past = get_response
        # Django wraps each layer in a function that turns exceptions into answers.
        while isinstance(layer := getattr(self._past, "__wrapped__", None), BrowserOnly):
            self._past = layer.get_response

    def __call__(self, request: HttpRequest) -> Any:
        if request.is_api:  # type: ignore[attr-defined]  # RequestMiddleware sets it
            return self._past(request)
        return super().__call__(request)


class ProgramsFirstCorsMiddleware(CorsMiddleware):
    """Cross-origin rules; a request without an Origin comes from no foreign page and needs no look."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.is_api and "HTTP_ORIGIN" not in request.META:  # type: ignore[attr-defined]  # RequestMiddleware sets it
            return self.get_response(request)
        return super().__call__(request)


class BrowserGZipMiddleware(BrowserOnly, GZipMiddleware):
    """Compresses pages."""


class BrowserSessionMiddleware(BrowserOnly, SessionMiddleware):
    """Sessions for staff pages."""


class BrowserCommonMiddleware(BrowserOnly, CommonMiddleware):
    """Slash redirects and host checks for pages."""


class BrowserCsrfMiddleware(BrowserOnly, CsrfViewMiddleware):
    """CSRF on every session POST."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., Any],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        if request.is_api:  # type: ignore[attr-defined]  # RequestMiddleware sets it
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class BrowserAuthenticationMiddleware(BrowserOnly, AuthenticationMiddleware):
    """`request.user` from the session. The admin site makes them the actor of what its pages do."""


class BrowserMessageMiddleware(BrowserOnly, MessageMiddleware):
    """Flash messages."""


class BrowserFrameMiddleware(BrowserOnly, XFrameOptionsMiddleware):
    """No framing by other sites."""


class ContentSecurityPolicyMiddleware(BrowserOnly):
    """A page may load from this server only. Unfold's Alpine needs `unsafe-eval`, under /admin/ alone."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        script = "'self' 'unsafe-inline'" + (" 'unsafe-eval'" if request.path_info.startswith("/admin") else "")
        response.headers.setdefault(
            "Content-Security-Policy",
            f"default-src 'self'; script-src {script}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
            f" font-src 'self' data:; connect-src 'self' {'ws: wss:' if settings.DEBUG else ''};"
            " worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
        )
        return response
