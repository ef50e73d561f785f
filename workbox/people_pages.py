"""Pages about people in the admin: one's own second factor, the code asked for after the password, who may do what."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods
from reportlab.graphics.barcode.qr import QrCodeWidget
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import second_factor
from accounts.capabilities import CAPABILITIES, ROLE_CAPABILITIES, WHOLE_SHOP, Role
from accounts.models import User
from workbox.core.admin import moment_text
from workbox.core.errors import DomainError

_QUIET_ZONE = 4  # modules around a QR code, as its standard asks


class CodeForm(forms.Form):
    """One code, from the app or from the list of recovery codes."""

    code = forms.CharField(
        label="Code",
        max_length=second_factor.CODE_LENGTH_MAX,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false", "autocapitalize": "none"}
        ),
    )


def _staff(request: HttpRequest) -> User | None:
    user = request.user
    return user if isinstance(user, User) and user.is_active and user.is_staff else None


def _to_login(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('admin:login')}?next={request.path}")


def _next(request: HttpRequest) -> str:
    """Where the asker was going, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else reverse("admin:index")


def _refused(form: CodeForm, error: DomainError) -> CodeForm:
    form.add_error("code", error.detail)
    return form


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def second_factor_code(request: HttpRequest) -> HttpResponse:
    """Ask for the code of an account that has a second factor; then on to where its owner was going."""
    user = _staff(request)
    if user is None:
        return _to_login(request)
    if second_factor.is_given(user, request.session):
        return HttpResponseRedirect(_next(request))
    if user.second_factor_at is None:
        return HttpResponseRedirect(reverse("second-factor"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            second_factor.check(user, code=form.cleaned_data["code"])
        except DomainError as error:
            form = _refused(form, error)
        else:
            second_factor.remember(user, request.session)
            return HttpResponseRedirect(_next(request))
    # Colours, styles and scripts come with the site's context, as on the login page.
    shown = {**admin.site.each_context(request), "title": "Second factor", "form": form, "next": _next(request)}
    return TemplateResponse(request, "admin/second_factor_code.html", shown)


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """One's own second factor: set it up, make new recovery codes, turn it off."""
    user = _staff(request)
    if user is None:
        return _to_login(request)
    if user.second_factor_at is not None and not second_factor.is_given(user, request.session):
        return HttpResponseRedirect(f"{reverse('second-factor-code')}?next={request.path}")
    form, codes = CodeForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            codes = _act(request, user, form.cleaned_data["code"])
        except DomainError as error:
            form = _refused(form, error)
        else:
            if codes is None:
                messages.success(request, "The second factor is off. Your password alone logs you in.")
                return HttpResponseRedirect(reverse("second-factor"))
            form = CodeForm()
    is_on = user.second_factor_at is not None
    device = None if is_on else second_factor.begin(user)
    shown = {
        **admin.site.each_context(request),
        "title": "Second factor",
        "form": form,
        "codes": codes,
        "is_on": is_on,
        "since": moment_text(user.second_factor_at),
        "left": second_factor.recovery_codes_left(user) if is_on else 0,
        "is_required": second_factor.is_required(user),
        "qr": _qr_svg(second_factor.enrolment_url(device, user)) if device else "",
        "secret": second_factor.secret_text(device) if device else "",
        "next": _next(request),
    }
    return TemplateResponse(request, "admin/second_factor.html", shown)


def _act(request: HttpRequest, user: User, code: str) -> list[str] | None:
    """What the button asks for; new recovery codes to show, None when the second factor is off."""
    match request.POST.get("act"):
        case "turn-off":
            second_factor.turn_off(user, code=code)
            return None
        case "recovery-codes":
            return second_factor.renew_recovery_codes(user, code=code)
        case _:
            codes = second_factor.confirm(user, code=code)
            second_factor.remember(user, request.session)
            return codes


def _qr_svg(text: str) -> str:
    """The text as a QR code: an SVG that is dark on white in any theme."""
    code = QrCodeWidget(text, barLevel="M").qr
    code.make()
    size = code.getModuleCount()
    path = "".join(
        f"M{column + _QUIET_ZONE},{row + _QUIET_ZONE}h1v1h-1z"
        for row in range(size)
        for column in range(size)
        if code.isDark(row, column)
    )
    side = size + 2 * _QUIET_ZONE
    return mark_safe(  # noqa: S308  (numbers alone)
        f'<svg class="wb-qr" viewBox="0 0 {side} {side}" role="img" aria-label="QR code for the authenticator app"'
        f' shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/>'
        f'<path d="{path}" fill="#000"/></svg>'
    )


@require_GET
def roles_page(request: HttpRequest) -> HttpResponse:
    """Which role may do what, as the code has it."""
    if not request.user.has_perm("accounts.view_user"):
        raise PermissionDenied
    rows: list[dict[str, Any]] = [
        {
            "name": one,
            "subject": one.partition(".")[0],
            "verb": one.partition(".")[2],
            "may": [(label, one in ROLE_CAPABILITIES[value]) for value, label in Role.choices],
            "is_whole_shop": one in WHOLE_SHOP,
        }
        for one in sorted(CAPABILITIES)
    ]
    shown = {
        **admin.site.each_context(request),
        "title": "Roles",
        "roles": [label for _, label in Role.choices],
        "rows": rows,
        "users_url": reverse("admin:accounts_user_changelist"),
    }
    return TemplateResponse(request, "admin/roles.html", shown)
