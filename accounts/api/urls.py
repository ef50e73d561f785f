"""Routes of `accounts`, with or without a trailing slash; the front door mounts them under /api/v1/ and /."""

from accounts.api import (
    schema,  # noqa: F401  (registers the security scheme)
    views,
)
from workbox.core.routes import route

urlpatterns = [
    route("auth/register", views.RegisterView.as_view(), "auth-register"),
    route("auth/login", views.LoginView.as_view(), "auth-login"),
    route("auth/login-json", views.LoginView.as_view(), "auth-login-json"),
    route("auth/refresh", views.RefreshView.as_view(), "auth-refresh"),
    route("auth/logout", views.LogoutView.as_view(), "auth-logout"),
    route("auth/me", views.MeView.as_view(), "auth-me"),
    route("users", views.UsersView.as_view(), "users"),
    route(r"users/(?P<user_id>[0-9]{1,18})", views.UserView.as_view(), "user"),
    route(r"users/(?P<user_id>[0-9]{1,18})/warehouses", views.UserWarehousesView.as_view(), "user-warehouses"),
]
