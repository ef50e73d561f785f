"""Query parameters of the user list; a value that makes no sense is a 422."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from accounts.capabilities import Role
from accounts.models import User
from accounts.names import normal_email, username_key


class UserFilter(django_filters.FilterSet):
    """`role`, `is_active`, `search` (user name, address or full name), `ordering`."""

    role = django_filters.ChoiceFilter(choices=Role.choices)
    is_active = django_filters.TypedChoiceFilter(
        choices=[("true", "true"), ("false", "false")], coerce=lambda text: text == "true"
    )
    search = django_filters.CharFilter(method="found", max_length=150)
    ordering = django_filters.OrderingFilter(
        fields=[(name, name) for name in ("id", "username", "email", "created_at")]
    )

    class Meta:
        model = User
        fields: list[str] = []

    def found(self, queryset: QuerySet[User], _: str, text: str) -> QuerySet[User]:
        """Accounts whose user name, address or full name contain the text, in any case."""
        matches: Any = Q(username_key__contains=username_key(text)) | Q(full_name__icontains=text)
        return queryset.filter(matches | Q(email__contains=normal_email(text)))
