"""Shapes of what comes in and goes out; rules stand in `accounts.services`. Unknown keys are ignored, never stored."""

from typing import Any

from rest_framework import serializers

from accounts.capabilities import Role
from accounts.models import User
from accounts.names import EMAIL_LENGTH_MAX, USERNAME_LENGTH_MAX

PASSWORD_LENGTH_MAX = 256
FULL_NAME_LENGTH_MAX = 150


def _password(**options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=PASSWORD_LENGTH_MAX,
        trim_whitespace=False,
        write_only=True,
        style={"input_type": "password"},
        **options,
    )


class UserSerializer(serializers.ModelSerializer[User]):
    """An account as the API shows it."""

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "email",
            "full_name",
            "role",
            "is_active",
            "created_at",
            "updated_at",
            "last_login",
        ]
        read_only_fields = fields


class MeSerializer(UserSerializer):
    """One's own account, with what the role may do."""

    capabilities = serializers.SerializerMethodField()

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "capabilities"]
        read_only_fields = fields

    def get_capabilities(self, user: User) -> list[str]:
        """Sorted capability names."""
        return sorted(user.capabilities)


class RegisterSerializer(serializers.Serializer[Any]):
    """Body of a registration."""

    email = serializers.EmailField(max_length=EMAIL_LENGTH_MAX)
    password = _password()
    username = serializers.CharField(max_length=USERNAME_LENGTH_MAX, required=False, allow_blank=True)
    full_name = serializers.CharField(max_length=FULL_NAME_LENGTH_MAX, required=False, allow_blank=True)


class LoginSerializer(serializers.Serializer[Any]):
    """Body of a login: `username` or `email` (either may hold either), the password, a second factor's `code`."""

    username = serializers.CharField(max_length=EMAIL_LENGTH_MAX, required=False, allow_blank=True)
    email = serializers.CharField(max_length=EMAIL_LENGTH_MAX, required=False, allow_blank=True)
    password = _password()
    code = serializers.CharField(max_length=16, required=False, allow_blank=True, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two names is needed."""
        attrs["identifier"] = attrs.get("username") or attrs.get("email") or ""
        if not attrs["identifier"]:
            raise serializers.ValidationError({"username": ["Send a username or an email."]})
        return attrs


class RefreshSerializer(serializers.Serializer[Any]):
    """Body of a refresh."""

    refresh_token = serializers.CharField(max_length=4096, trim_whitespace=True)


class LogoutSerializer(serializers.Serializer[Any]):
    """Body of a logout; the refresh token is only needed when the access token has expired."""

    refresh_token = serializers.CharField(max_length=4096, required=False, allow_blank=True)


class TokenPairSerializer(serializers.Serializer[Any]):
    """What a login or refresh answers."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.CharField(help_text="Always `bearer`.")
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")


class ProfileSerializer(serializers.Serializer[Any]):
    """What one may change of oneself."""

    full_name = serializers.CharField(max_length=FULL_NAME_LENGTH_MAX, required=False, allow_blank=True)
    password = _password(required=False)
    old_password = _password(required=False)


class UserWriteSerializer(serializers.Serializer[Any]):
    """What staff may change of an account; every key is optional."""

    username = serializers.CharField(max_length=USERNAME_LENGTH_MAX, required=False)
    email = serializers.EmailField(max_length=EMAIL_LENGTH_MAX, required=False)
    password = _password(required=False)
    full_name = serializers.CharField(max_length=FULL_NAME_LENGTH_MAX, required=False, allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)


class WarehousesSerializer(serializers.Serializer[Any]):
    """The warehouses an account is bound to; empty: all of them."""

    warehouse_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), allow_empty=True
    )


class UserCreateSerializer(serializers.Serializer[Any]):
    """A new account made by staff; without a password none can be used until one is set."""

    username = serializers.CharField(max_length=USERNAME_LENGTH_MAX, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=EMAIL_LENGTH_MAX)
    password = _password(required=False)
    full_name = serializers.CharField(max_length=FULL_NAME_LENGTH_MAX, required=False, allow_blank=True)
    role = serializers.ChoiceField(choices=Role.choices, required=False)
