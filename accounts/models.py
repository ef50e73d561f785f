"""The tables of `accounts`: users, their refresh tokens, and when they came and went."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import validate_email
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from accounts.capabilities import STAFF_ROLES, Role, capabilities_of
from accounts.names import (
    EMAIL_LENGTH_MAX,
    USERNAME_LENGTH_MAX,
    normal_email,
    username_key,
    username_validator,
)
from accounts.principal import bound_to, forget_principal
from workbox.core import events
from workbox.core.fields import ExactCharField

# Saving only these changes neither what an account may do nor which of its tokens are good.
_HARMLESS_FIELDS = frozenset({"last_login", "full_name", "email", "updated_at", "second_factor_at"})


class UserManager(BaseUserManager["User"]):
    """Finds and makes accounts under their normalised names."""

    def create_user(
        self, username: str, email: str, password: str | None = None, *, role: str = Role.USER, full_name: str = ""
    ) -> "User":
        """A saved account; without a password nobody can log in with one. Raises IntegrityError for a name in use."""
        user = self.model(username=username, email=email, role=role, full_name=full_name)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **_: Any) -> "User":
        """A saved account with the role `admin` (Django's createsuperuser command)."""
        return self.create_user(username, email, password, role=Role.ADMIN)

    def get_by_natural_key(self, username: str | None) -> "User":
        """The account with this user name, in any case."""
        return self.get(username_key=username_key(username or ""))

    def by_identifier(self, identifier: str) -> "User | None":
        """The account with this user name or e-mail address (anything with an @ is an address), in any case."""
        if "@" in identifier:
            return self.filter(email=normal_email(identifier)).first()
        return self.filter(username_key=username_key(identifier)).first()


class User(AbstractBaseUser, PermissionsMixin):
    """A person or program that can be asked to identify itself. The role alone decides what it may do."""

    id = models.BigAutoField(primary_key=True)
    username = ExactCharField(
        max_length=USERNAME_LENGTH_MAX,
        unique=True,
        validators=[username_validator],
        error_messages={"unique": "A user with that username already exists."},
        help_text="Letters, digits and . + - _ only; upper and lower case are the same name.",
    )
    username_key = ExactCharField(max_length=USERNAME_LENGTH_MAX, unique=True, editable=False)
    email = ExactCharField(
        max_length=EMAIL_LENGTH_MAX,
        unique=True,
        validators=[validate_email],
        error_messages={"unique": "A user with that e-mail address already exists."},
        help_text="Kept in lower case.",
    )
    full_name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.USER)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, editable=False, help_text="Follows the role.")
    token_version = models.IntegerField(
        default=0, editable=False, help_text="Tokens that carry another number are not accepted."
    )
    second_factor_at = models.DateTimeField(
        "second factor since",
        null=True,
        blank=True,
        editable=False,
        help_text="A code is asked for beside the password.",
    )
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[UserManager] = UserManager()
    _password: str | None
    _password_removed = False

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=[*Role.values]),
                name="user_role_is_known",
                violation_error_message="There is no such role.",
            ),
            models.CheckConstraint(
                condition=Q(role=Role.USER, is_staff=False) | (~Q(role=Role.USER) & Q(is_staff=True)),
                name="user_is_staff_follows_role",
                violation_error_message="Staff is who has a staff role.",
            ),
            models.CheckConstraint(
                condition=Q(role=Role.ADMIN, is_superuser=True) | (~Q(role=Role.ADMIN) & Q(is_superuser=False)),
                name="user_is_superuser_follows_role",
                violation_error_message="Only the role admin may do everything.",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def capabilities(self) -> frozenset[str]:
        """What the role may do."""
        return capabilities_of(self.role, bound=self.warehouses is not None)

    @property
    def warehouses(self) -> frozenset[int] | None:
        """The warehouses the account is bound to; None: all. Browser sessions bring them along, else they are read."""
        if self.pk is not None and self.role in STAFF_ROLES and "memberships_text" not in self.__dict__:
            ids = self.memberships.values_list("warehouse_id", flat=True)
            self.__dict__["memberships_text"] = ",".join(map(str, ids))
        found: str | None = self.__dict__.get("memberships_text")
        return bound_to(self.role, found)

    def can(self, capability: str) -> bool:
        """True when the account is active and its role has this capability (the same question as `Principal.can`)."""
        return self.is_active and capability in self.capabilities

    def get_full_name(self) -> str:
        """The name to show."""
        return self.full_name or self.username

    def get_short_name(self) -> str:
        """The name to show where there is little room."""
        return self.username

    def clean(self) -> None:
        """Derived columns are set before constraints are checked (admin forms)."""
        super().clean()
        self._derive()

    def set_unusable_password(self) -> None:
        """Nobody can log in with a password any more; takes effect with `save`."""
        super().set_unusable_password()
        self._password_removed = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Store the account with its derived columns. A changed password ends every token issued before it.

        Whatever may change what the account can do makes its cached principal be forgotten, for longer than a
        transaction lasts; services do so again after the commit (`accounts.principal.change_account`).
        """
        self._derive()
        fields = None if update_fields is None else set(update_fields)
        ends_tokens = (self._password is not None or self._password_removed) and not self._state.adding
        if ends_tokens:
            self.token_version = F("token_version") + 1
        if fields is not None:
            fields |= {"updated_at"} if fields != {"last_login"} else set()
            fields |= {"is_staff", "is_superuser"} if "role" in fields else set()
            fields |= {"username_key"} if "username" in fields else set()
            fields |= {"token_version"} if ends_tokens else set()
        changes_standing = not self._state.adding and (fields is None or not fields <= _HARMLESS_FIELDS)
        if changes_standing:
            forget_principal(self.pk)
        with transaction.atomic():
            super().save(*args, update_fields=fields, **kwargs)
            if changes_standing:
                events.append([events.NewEvent("access_changed", events.ACCESS, self.pk)])
        if ends_tokens:
            self._password_removed = False
            self.refresh_from_db(fields=["token_version"])

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove the account; its tokens die with it. Accounts with history are protected: deactivate those."""
        forget_principal(self.pk)
        return super().delete(*args, **kwargs)

    def _derive(self) -> None:
        self.username_key = username_key(self.username)
        self.email = normal_email(self.email)
        self.is_staff = self.role in STAFF_ROLES
        self.is_superuser = self.role == Role.ADMIN

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        # Django asks for this to tell whether a browser session is still good: sessions end together with tokens.
        return salted_hmac(
            "accounts.User.session", f"{self.password}:{self.token_version}", secret=secret, algorithm="sha256"
        ).hexdigest()


class Membership(models.Model):
    """An account is bound to a warehouse: together with its other memberships this is all of the stock it sees."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    warehouse = models.ForeignKey("inventory.Warehouse", on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "warehouse"], name="membership_once_per_user_and_warehouse")
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} in warehouse {self.warehouse_id}"


class RefreshToken(models.Model):
    """One refresh token that was handed out; the token itself is not stored, only the hash of its id."""

    jti_hash = ExactCharField(primary_key=True, max_length=64, help_text="SHA-256 of the token's id.")
    family = ExactCharField(max_length=32, db_index=True, help_text="All tokens that descend from one login.")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    rotated_at = models.DateTimeField(null=True, blank=True, help_text="When it was exchanged for the next one.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.jti_hash[:8]}… of user {self.user_id}"


class ActivityLog(models.Model):
    """Somebody logged in or out, through the API or a browser."""

    class Kind(models.TextChoices):
        """What happened."""

        LOGIN = "login", "Login"
        LOGOUT = "logout", "Logout"

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="activity")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    ip = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "activity"
        verbose_name_plural = "activity log"

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind} {self.at:%Y-%m-%d %H:%M}"
