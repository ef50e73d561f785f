"""May they: every view says which capability each of its methods needs; what it does not say is refused."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from workbox.core.errors import NotAuthenticated

_UNLISTED = object()


class Can(BasePermission):
    """Reads the view's `required_capabilities`, e.g. `{"GET": "stock.read", "POST": "stock.post"}`.

    The value None means: anybody who is logged in (the view itself decides about rows). A method the view implements
    but does not list is refused; one it does not implement becomes a 405. HEAD counts as GET.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the asker's role has the capability. Raises NotAuthenticated when nobody is logged in."""
        user = request.user
        if not user.is_authenticated:
            raise NotAuthenticated("Send an access token: Authorization: Bearer <token>.")
        method = "GET" if request.method == "HEAD" else request.method or ""
        needed = getattr(view, "required_capabilities", {}).get(method, _UNLISTED)
        if needed is None:
            return True
        if needed is _UNLISTED:
            return method.lower() != "options" and not hasattr(view, method.lower())
        return bool(user.can(needed))
