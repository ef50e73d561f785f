"""Accounts in the admin: rules and token endings come from `accounts.services`, never from a form."""

from typing import Any, cast

from axes.models import AccessAttempt
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectMultipleWidget

from accounts import services, tokens
from accounts.capabilities import MANAGEABLE_ROLES, STAFF_ROLES, Role
from accounts.models import ActivityLog, Membership, RefreshToken, User
from accounts.names import normal_email, username_key
from workbox.core.admin import NOTHING, Dialog, ReadOnlyAdmin, SaysRefusals, moment_text, row_or_404, service_dialog
from workbox.core.db import transact
from workbox.core.errors import DomainError, Forbidden

if admin.site.is_registered(Group):
    # The role decides; Django's groups would look as if they did.
    admin.site.unregister(Group)


# Warehouses belong to a room above this one; the membership's column knows them.
PLACES: Any = Membership._meta.get_field("warehouse").related_model


def _role_choices(request: HttpRequest) -> list[tuple[str, str]]:
    allowed = MANAGEABLE_ROLES.get(getattr(request.user, "role", ""), frozenset())
    return [(value, label) for value, label in Role.choices if value in allowed]


def _who(request: HttpRequest) -> User:
    return cast(User, request.user)


class _UserForm(forms.ModelForm):
    """What both user forms share: names are compared as the database compares them."""

    class Meta:
        model = User
        fields = ["username", "email", "full_name", "role"]

    def clean_username(self) -> str:
        """Taken in any spelling is taken."""
        username: str = self.cleaned_data["username"]
        self._refuse_twin(username_key=username_key(username))
        return username

    def clean_email(self) -> str:
        """Kept in lower case; taken in any spelling is taken."""
        email = normal_email(self.cleaned_data["email"])
        self._refuse_twin(email=email)
        return email

    def _refuse_twin(self, **names: str) -> None:
        if User.objects.filter(**names).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another account has this already.", code="unique")


class UserAddForm(_UserForm):
    """A new account; an empty password makes one that cannot be used until it is set."""

    password = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html,
    )

    def clean(self) -> dict[str, Any]:
        """The password is strong enough for this account."""
        cleaned = super().clean() or {}
        if cleaned.get("password"):
            try:
                services.check_password(cleaned["password"], user=self.instance)
            except DomainError as error:
                self.add_error("password", error.fields["password"])
        return cleaned


class UserEditForm(_UserForm):
    """An existing account; its password has a page of its own."""

    warehouses = forms.ModelMultipleChoiceField(
        queryset=PLACES.objects.order_by("name"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="Staff only. The account sees and moves stock in these alone; choose none for all of them.",
    )

    class Meta(_UserForm.Meta):
        fields = [*_UserForm.Meta.fields, "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["warehouses"] = services.memberships(self.instance.pk)

    def clean(self) -> dict[str, Any]:
        """Customers are not bound."""
        cleaned = super().clean() or {}
        if cleaned.get("warehouses") and cleaned.get("role") not in STAFF_ROLES:
            self.add_error("warehouses", "Customers are not bound to warehouses.")
        return cleaned


class PasswordForm(AdminPasswordChangeForm):
    """A new password set by staff."""

    def save(self, commit: bool = True) -> User:
        """The account has the new password, or none; its tokens and sessions have ended."""
        usable = self.cleaned_data.get("set_usable_password", True)
        password = self.cleaned_data["password1"] if usable else None
        services.set_password(self.user, password=password)
        account: User = self.user
        return account


LOGINS_SHOWN = 20


def _list_url(request: HttpRequest, model: str, user: User) -> str:
    """The list of this account's rows, for those who may open it; else nothing."""
    if not request.user.has_perm(f"accounts.view_{model}"):
        return ""
    return f"{reverse(f'admin:accounts_{model}_changelist')}?user__id__exact={user.pk}"


def _panels(user: User, request: HttpRequest) -> dict[str, Any]:
    """What an account's page shows beside its form: open logins, who came and went, failed attempts."""
    now = timezone.now()
    open_logins = user.refresh_tokens.filter(revoked_at=None, rotated_at=None, expires_at__gt=now)
    failed = AccessAttempt.objects.filter(username=user.username_key).order_by("-attempt_time")[:LOGINS_SHOWN]
    return {
        "logins": [
            {
                "family": one.family,
                "short": one.jti_hash[:12],
                "since": moment_text(one.created_at),
                "until": moment_text(one.expires_at),
                "end_url": reverse("admin:accounts_user_end_login", args=[user.pk, one.family]),
            }
            for one in open_logins.order_by("-created_at")[:LOGINS_SHOWN]
        ],
        "history": [
            {"at": moment_text(one.at), "what": one.get_kind_display(), "ip": one.ip or NOTHING}
            for one in user.activity.order_by("-id")[:LOGINS_SHOWN]
        ],
        "failed": [
            {"at": moment_text(one.attempt_time), "count": one.failures_since_start, "ip": one.ip_address or NOTHING}
            for one in failed
        ],
        "history_url": _list_url(request, "activitylog", user),
        "logins_url": _list_url(request, "refreshtoken", user),
    }


class ResetSecondFactor(Dialog):
    """Asks once more."""


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin, SaysRefusals):
    """Accounts: search, filter, role, password, logins, second factor. Accounts are deactivated, never deleted."""

    change_form_outer_after_template = "admin/panels/user.html"
    actions_detail = ["reset_second_factor"]

    form = UserEditForm
    add_form = UserAddForm
    change_password_form = PasswordForm
    list_display = ["username", "email", "full_name", "role", "is_active", "last_login", "created_at"]
    list_filter = ["role", "is_active"]
    list_filter_submit = False
    search_fields = ["username_key", "email", "full_name"]
    ordering = ["id"]
    filter_horizontal = []
    readonly_fields = ["second_factor", "last_login", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": ["username", "email", "full_name"]}),
        ("Access", {"fields": ["role", "is_active", "warehouses", "second_factor"]}),
        ("Dates", {"fields": ["last_login", "created_at", "updated_at"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "email", "full_name", "role", "password"]})]
    actions = ["end_logins", "deactivate", "activate"]

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> str:
        """Since when, if there is one."""
        return f"on since {moment_text(user.second_factor_at)}" if user.second_factor_at else "off"

    @service_dialog(
        "Reset second factor",
        form=ResetSecondFactor,
        submit="Reset it",
        permission="reset",
        icon="phonelink_erase",
        description=(
            "For a lost phone: the account needs no code until its owner sets up a new app, and all its logins end."
            " Make sure that it is the owner who asks."
        ),
    )
    def reset_second_factor(self, request: HttpRequest, filled: Dialog, object_id: int) -> str:
        """The account can enrol a new phone."""
        services.reset_second_factor(_who(request), user_id=object_id)
        return f"The second factor of {User.objects.get(pk=object_id)} is off and all its logins have ended."

    def get_urls(self) -> list[Any]:
        """The button beside each open login."""
        end = self.admin_site.admin_view(require_POST(self.end_login))
        return [
            path("<int:user_id>/logins/<str:family>/end/", end, name="accounts_user_end_login"),
            *super().get_urls(),
        ]

    def end_login(self, request: HttpRequest, user_id: int, family: str) -> HttpResponse:
        """One login of the account has ended."""
        user = row_or_404(self.get_queryset(request), user_id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if not user.refresh_tokens.filter(family=family).exists():
            raise Http404("The account has no such login.")
        tokens.end_family(family)
        messages.success(request, "That login has ended; its access token runs out within minutes.")
        return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user_id]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """The form, with what is known of the account's logins."""
        user = self.get_object(request, object_id)
        panels = _panels(user, request) if user else {}
        may_end = user is not None and self.has_change_permission(request, user)
        extra = {**(extra_context or {}), "panels": panels, "may_end": may_end}
        return super().change_view(request, object_id, form_url, extra)

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The roles offered are those the staff member may give."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "role" in form.base_fields:
            cast(forms.ChoiceField, form.base_fields["role"]).choices = _role_choices(request)
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """By role, and for one account only when its role is below the staff member's own."""
        if not super().has_change_permission(request, obj):
            return False
        return obj is None or obj.role in {value for value, _ in _role_choices(request)}

    def has_reset_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may change the account, where it has a second factor."""
        user = User.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None
        return user is not None and user.second_factor_at is not None and self.has_change_permission(request, user)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never: history refers to accounts. Deactivate instead."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Create or change the account through the service, all of it or nothing; the form says what was refused.

        A role or an account above one's own was offered by no form: that is a 403.
        """
        given = form.cleaned_data
        try:
            if change:
                saved = transact(lambda: self._changed(request, obj, form))
            else:
                saved = services.create_user(
                    _who(request),
                    username=given["username"],
                    email=given["email"],
                    password=given.get("password") or None,
                    role=given["role"],
                    full_name=given["full_name"],
                )
        except Forbidden as error:
            raise PermissionDenied(error.detail) from error
        obj.__dict__.update(saved.__dict__)

    @staticmethod
    def _changed(request: HttpRequest, obj: User, form: Any) -> User:
        """The role first: a customer who becomes staff may be bound by the same form."""
        given = form.cleaned_data
        changed = {name: given[name] for name in form.changed_data if name in given}
        places = changed.pop("warehouses", None)
        saved = services.update_user(_who(request), user_id=obj.pk, **changed)
        if places is not None:
            services.bind(_who(request), user_id=obj.pk, warehouse_ids=[one.pk for one in places])
        return saved

    @admin.action(description="End all logins of the selected users", permissions=["change"])
    def end_logins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Tokens and browser sessions of the selected accounts end."""
        self._each(request, queryset, tokens.revoke_all, done="logged out everywhere")

    @admin.action(description="Deactivate the selected users", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """The selected accounts can no longer log in."""
        self._each(
            request, queryset, lambda user: services.deactivate(_who(request), user_id=user.pk), done="deactivated"
        )

    @admin.action(description="Activate the selected users", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """The selected accounts can log in again."""
        self._each(
            request,
            queryset,
            lambda user: services.update_user(_who(request), user_id=user.pk, is_active=True),
            done="activated",
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[User], act: Any, *, done: str) -> None:
        count = 0
        for user in queryset.order_by("pk"):
            if not self.has_change_permission(request, user):
                messages.error(request, f"{user}: your role may not change this account.")
                continue
            try:
                act(user)
            except DomainError as error:
                messages.error(request, f"{user}: {error.detail}")
            else:
                count += 1
        if count:
            messages.success(request, f"{count} {'user' if count == 1 else 'users'} {done}.")


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyAdmin):
    """Which logins are open, and a way to end one."""

    list_display = ["short_id", "user", "created_at", "expires_at", "rotated_at", "revoked_at"]
    list_select_related = ["user"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), ("rotated_at", admin.EmptyFieldListFilter)]
    search_fields = ["user__username_key", "user__email", "family"]
    date_hierarchy = None
    list_filter_submit = False
    actions = ["revoke"]

    @admin.display(description="Token", ordering="jti_hash")
    def short_id(self, token: RefreshToken) -> str:
        """Enough to tell two apart."""
        return token.jti_hash[:12]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change accounts may end their logins."""
        return request.user.has_perm("accounts.change_user")

    @admin.action(description="Revoke the selected logins", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[RefreshToken]) -> None:
        """No refresh token of the selected logins works any more; access tokens run out within minutes."""
        families = set(queryset.values_list("family", "user__role"))
        allowed = {value for value, _ in _role_choices(request)}
        for family, role in sorted(families):
            if role in allowed:
                tokens.end_family(family)
            else:
                messages.error(request, f"Your role may not end the logins of the role {role}.")


@admin.register(ActivityLog)
class ActivityLogAdmin(ReadOnlyAdmin):
    """Who logged in and out, when and from where."""

    list_display = ["at", "user", "kind", "ip"]
    list_select_related = ["user"]
    list_filter = ["kind"]
    search_fields = ["user__username_key", "user__email"]
    list_filter_submit = False
