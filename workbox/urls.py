"""All routes: the API under /api/v1/ (pinned) and without prefix (current), staff pages, health and documentation."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from workbox.core.api import MethodNotAllowed, error_response, route  # noqa: F401
from workbox.core.errors import DomainError, NotFound

api: list[URLPattern | URLResolver] = [
    path("", include("orders.api.urls")),
    path("", include("inventory.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("workbox.core.urls")),
]
urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("", include(api)),
]
