"""Alerts in the admin: what needs attention, what people do with it, and the settings."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.capabilities import ALERTS_SETTINGS, ALERTS_WRITE
from insights import alerts
from insights.models import OPEN, Alert, AlertSettings, AlertStatus
from insights.models.alerts import NOTE_LENGTH
from workbox.core.admin import (
    AttentionFilter,
    CappedPaginator,
    DayRangeFilter,
    Dialog,
    ReadOnlyAdmin,
    ServiceAdmin,
    acting,
    each,
    link,
    moment_text,
    quantity_text,
    row_or_404,
    service_dialog,
)
from workbox.core.errors import Invalid

SEVERITY_LABELS = {"warning": "warning", "critical": "danger"}
STATUS_LABELS = {"active": "warning", "acknowledged": "info", "resolved": "success"}
HOURS = ((4, "4 hours"), (24, "A day"), (72, "3 days"), (168, "A week"))


def awake() -> Q:
    """Open and not snoozed."""
    return OPEN & (Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=datetime.now(UTC)))


class NeededFilter(AttentionFilter):
    """Alerts by whether somebody should look at them; without a choice those that need it."""

    title = "attention"
    parameter_name = "attention"
    default_choice = "needed"
    default_words = "open alerts that are not snoozed"
    choices_named = {
        "needed": ("Needed: open, not snoozed", lambda rows: rows.filter(awake())),
        "open": ("Open, snoozed ones too", lambda rows: rows.filter(OPEN)),
        "all": ("All, resolved ones too", lambda rows: rows),
    }


class AlertDialog(Dialog):
    """A dialog about one alert."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alert = row_or_404(Alert.objects.all(), self.object_id)

    def summary(self) -> str:
        """What is wrong."""
        return self.alert.message


class ResolveDialog(AlertDialog):
    """Why it is over."""

    note = forms.CharField(required=False, max_length=NOTE_LENGTH, widget=UnfoldAdminTextInputWidget)


class SnoozeDialog(AlertDialog):
    """For how long."""

    hours = forms.TypedChoiceField(choices=HOURS, coerce=int, initial=24, widget=UnfoldAdminSelectWidget, label="For")

    def until(self) -> datetime:
        """Until when."""
        return datetime.now(UTC) + timedelta(hours=self.cleaned_data["hours"])


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What is wrong: acknowledged, snoozed and resolved by dialogs, never edited."""

    list_display = ["title", "severity_label", "status_label", "alert_type", "product_link", "stock_now", "raised"]
    list_display_links = ["title"]
    list_select_related = ["product__stock"]
    list_filter = [
        NeededFilter,
        ("alert_type", ChoicesDropdownFilter),
        ("severity", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("raised_at", DayRangeFilter),
    ]
    search_fields = ["product__name", "product__sku"]
    search_help_text = "Product or SKU"
    ordering = ["severity", "-id"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "title", "message", ("severity", "status"), ("alert_type", "product_link"),
                    ("current_quantity", "threshold"), ("stock_now", "daily_units"), ("days_left", "predicted_on"),
                    ("happened_on", "warehouse"),
                ]
            },
        ),
        (
            "What became of it",
            {
                "fields": [
                    ("raised_at", "last_seen_at"), ("times_raised", "mailed_at"),
                    ("acknowledged_at", "acknowledged_by"), ("resolved_at", "resolved_by"),
                    ("resolution", "note"), "snoozed_until",
                ]
            },
        ),
    ]  # fmt: skip
    readonly_fields = ["product_link", "stock_now"]
    actions = ["acknowledge_selected", "resolve_selected"]
    actions_detail = ["acknowledge", "snooze", "resolve"]

    @display(description="Severity", ordering="severity", label=SEVERITY_LABELS)
    def severity_label(self, alert: Alert) -> tuple[str, str]:
        """In colour."""
        return alert.severity, alert.get_severity_display()

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, alert: Alert) -> tuple[str, str]:
        """In colour."""
        return alert.status, alert.get_status_display()

    @admin.display(description="Product", ordering="product__name")
    def product_link(self, alert: Alert) -> SafeString:
        """To its page."""
        return link(reverse("admin:inventory_product_change", args=[alert.product_id]), alert.product)

    @admin.display(description="Available now")
    def stock_now(self, alert: Alert) -> str:
        """What can be ordered now."""
        return quantity_text(alert.product.stock.available)

    @admin.display(description="Raised", ordering="raised_at")
    def raised(self, alert: Alert) -> str:
        """To the minute."""
        return moment_text(alert.raised_at)

    def has_alerts_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may acknowledge, snooze and resolve."""
        return bool(request.user.can(ALERTS_WRITE))  # type: ignore[union-attr]  # nobody else gets here

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what the alert's status allows."""
        alert = self.get_object(request, str(object_id))
        status = alert.status if alert else AlertStatus.RESOLVED
        offered = {
            AlertStatus.ACTIVE: {"acknowledge", "snooze", "resolve"},
            AlertStatus.ACKNOWLEDGED: {"snooze", "resolve"},
        }.get(AlertStatus(status), set())
        return [one for one in super().get_actions_detail(request, object_id) if one.path in offered]

    @service_dialog(
        "Acknowledge", form=AlertDialog, submit="Acknowledge", permission="alerts", icon="visibility",
        variant=ActionVariant.PRIMARY, description="You take care of it; it stays open until it is over.",
    )  # fmt: skip
    def acknowledge(self, request: HttpRequest, form: AlertDialog, alert_id: int) -> str:
        """Somebody takes care."""
        alerts.acknowledge(alert_id)
        return f"Acknowledged: {form.alert.title}."

    @service_dialog(
        "Snooze", form=SnoozeDialog, submit="Snooze", permission="alerts", icon="snooze",
        description="It stays open, but out of this list and of mails.",
    )  # fmt: skip
    def snooze(self, request: HttpRequest, form: SnoozeDialog, alert_id: int) -> str:
        """Not now."""
        until = form.until()
        alerts.snooze(alert_id, until=until)
        return f"Snoozed until {moment_text(until)}: {form.alert.title}."

    @service_dialog("Resolve", form=ResolveDialog, submit="Resolve", permission="alerts", icon="task_alt")
    def resolve(self, request: HttpRequest, form: ResolveDialog, alert_id: int) -> str:
        """It is over."""
        alerts.resolve(alert_id, note=form.cleaned_data["note"])
        return f"Resolved: {form.alert.title}."

    @admin.action(description="Acknowledge the selected alerts", permissions=["alerts"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Each is acknowledged, or says why not."""
        each(request, queryset.order_by("id"), work=_acknowledged, done="acknowledged", failed="not acknowledged")

    @admin.action(description="Resolve the selected alerts", permissions=["alerts"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        """Each is resolved, or says why not."""
        each(request, queryset.order_by("id"), work=_resolved, done="resolved", failed="not resolved")


def _acknowledged(alert: Alert) -> str:
    alerts.acknowledge(alert.pk)
    return alert.title


def _resolved(alert: Alert) -> str:
    alerts.resolve(alert.pk)
    return alert.title


# ---- settings --------------------------------------------------------------------------------------------------------
class RecipientsField(forms.CharField):
    """E-mail addresses, one per line."""

    def prepare_value(self, value: Any) -> Any:
        """The list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The lines as a list."""
        return [one.strip() for one in (value or "").replace(",", "\n").splitlines() if one.strip()]

    def validate(self, value: Any) -> None:
        """Each is an address."""
        try:
            alerts.check_recipients(value)
        except Invalid as error:
            raise forms.ValidationError(error.detail) from error

    def run_validators(self, value: Any) -> None:
        """None of a text's."""

    def has_changed(self, initial: Any, given: Any) -> bool:
        """As lists."""
        return bool(list(initial or []) != self.to_python(given))


class AlertSettingsForm(forms.ModelForm):
    """The settings, with the recipients as lines."""

    alert_recipient_emails = RecipientsField(
        required=False, label="Recipients", widget=UnfoldAdminTextareaWidget, help_text="One address per line."
    )

    class Meta:
        model = AlertSettings
        fields = [
            "low_stock_enabled", "predicted_depletion_enabled", "unusual_activity_enabled", "alert_threshold_days",
            "hysteresis_percent", "email_notifications_enabled", "alert_recipient_emails",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True  # the page carries what it showed: what was changed is measured by that


@admin.register(AlertSettings)
class AlertSettingsAdmin(ServiceAdmin):
    """One page: the list leads to it."""

    form = AlertSettingsForm
    paginator = CappedPaginator
    list_display = ["__str__", "alert_threshold_days", "email_notifications_enabled", "updated_at"]
    fieldsets = [
        ("Which alerts", {"fields": ["low_stock_enabled", "predicted_depletion_enabled", "unusual_activity_enabled"]}),
        ("When", {"fields": [("alert_threshold_days", "hysteresis_percent")]}),
        ("Who is told", {"fields": ["email_notifications_enabled", "alert_recipient_emails"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one row, made when WorkBox was installed."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may say when alerts are raised."""
        return bool(request.user.can(ALERTS_SETTINGS))  # type: ignore[union-attr]  # nobody else gets here

    def save_model(self, request: HttpRequest, obj: AlertSettings, form: Any, change: bool) -> None:
        """By the service."""
        with acting(request):
            # Only what was changed here: another tab's change of another field stays.
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            obj.__dict__.update(alerts.change_settings(changes).__dict__)
