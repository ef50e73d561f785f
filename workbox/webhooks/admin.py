"""Webhooks in the admin: who is told what, and what became of it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminURLInputWidget

from accounts.capabilities import WEBHOOKS_WRITE
from workbox.core.admin import AttentionFilter, Dialog, ReadOnlyAdmin, ServiceAdmin, service_dialog
from workbox.core.stream import TOPICS
from workbox.webhooks import outside, services
from workbox.webhooks.models import Attempt, Delivery, Endpoint


class EndpointForm(forms.ModelForm):
    """Where to, and about what."""

    url = forms.URLField(
        label="URL",
        max_length=500,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text="https, outside of this network.",
    )
    topics = forms.MultipleChoiceField(
        choices=[(one, one) for one in sorted(TOPICS)],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="At least one.",
    )

    class Meta:
        model = Endpoint
        fields = ["url", "description", "topics", "is_active"]

    def clean_url(self) -> str:
        """An address outside."""
        url: str = self.cleaned_data["url"]
        try:
            outside.check_url(url)
        except outside.Invalid as error:
            raise forms.ValidationError(error.detail) from error
        return url


class PlainDialog(Dialog):
    """Asks once more."""


@admin.register(Endpoint)
class EndpointAdmin(ServiceAdmin):
    """Addresses that are told."""

    form = EndpointForm
    shown_to_bound = False
    list_display = ["url", "shown_topics", "is_active", "disabled_reason", "description", "created_at"]
    list_filter = ["is_active"]
    list_filter_submit = False
    search_fields = ["url", "description"]
    actions_detail = ["send_test", "rotate"]

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may let facts leave the house."""
        can = getattr(request.user, "can", None)
        return bool(can and can(WEBHOOKS_WRITE))

    @display(description="topics")
    def shown_topics(self, endpoint: Endpoint) -> str:
        """In one cell."""
        return ", ".join(endpoint.topics)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """A new one gets its secret; one that is switched on again forgets why it was off."""
        if not change:
            obj.secret, obj.created_by_id = services.new_secret(), request.user.pk
        if obj.is_active:
            obj.disabled_reason = ""
        obj.save()
        if not change:
            self.message_user(request, f"The signing secret, shown this once: {obj.secret}")

    @service_dialog(
        "Send a test", form=PlainDialog, submit="Send it", permission="write", icon="send",
        description="A webhook_test message goes there with the next round; look at its deliveries for the answer.",
    )  # fmt: skip
    def send_test(self, request: HttpRequest, form: PlainDialog, endpoint_id: int) -> str:
        """A test is on its way."""
        return f"Message {services.send_test(endpoint_id).message_id} is on its way."

    @service_dialog(
        "New secret", form=PlainDialog, submit="Make a new secret", permission="write", icon="key",
        description="From now on messages are signed with the new secret; give it to the receiver at once.",
    )  # fmt: skip
    def rotate(self, request: HttpRequest, form: PlainDialog, endpoint_id: int) -> str:
        """The secret is another one."""
        endpoint = services.require(endpoint_id)
        endpoint.secret = services.new_secret()
        endpoint.save(update_fields=["secret"])
        return f"The new signing secret, shown this once: {endpoint.secret}"


class AttemptInline(TabularInline):
    """How each try went."""

    model = Attempt
    fields = readonly_fields = ["created_at", "status", "error", "answer", "milliseconds"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Written by the sender only."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With the delivery."""
        return True


class StuckFilter(AttentionFilter):
    """What is stuck; without a choice what failed."""

    title = "attention"
    parameter_name = "attention"
    default_choice = "failed"
    default_words = "deliveries that failed"
    choices_named = {
        "failed": ("Failed", lambda rows: rows.filter(state="failed")),
        "retrying": ("Being tried again", lambda rows: rows.filter(state="pending", attempts__gt=0)),
        "all": ("All", lambda rows: rows),
    }


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was sent where."""

    shown_to_bound = False
    list_display = ["message_id", "event_type", "endpoint", "state", "attempts", "next_attempt_at", "delivered_at"]
    list_select_related = ["endpoint"]
    list_filter = [StuckFilter, ("state", ChoicesDropdownFilter), ("endpoint", RelatedDropdownFilter)]
    search_fields = ["message_id", "event_type"]
    inlines = [AttemptInline]
    actions_detail = ["again"]

    def has_write_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the endpoints."""
        can = getattr(request.user, "can", None)
        return bool(can and can(WEBHOOKS_WRITE))

    @service_dialog(
        "Send again", form=PlainDialog, submit="Send it again", permission="write", icon="replay",
        description="It is due at once and gets all its attempts again, under the same message id.",
    )  # fmt: skip
    def again(self, request: HttpRequest, form: PlainDialog, delivery_id: int) -> str:
        """It is due again."""
        delivery = Delivery.objects.get(pk=delivery_id)
        return f"{services.deliver_again(delivery.endpoint_id, delivery_id)} is due again."
