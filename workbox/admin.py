"""What libraries bring to the admin, in WorkBox's manner: jobs to switch, logins to unlock; the rest is hidden."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from axes.utils import reset
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin

from workbox.core.admin import DayRangeFilter, ReadOnlyAdmin

for model in (
    AccessAttempt, AccessFailureLog, AccessLog,
    ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule, StaticDevice, TOTPDevice,
):  # fmt: skip
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ModelAdmin):
    """Jobs and when they run. Settings make them; here they are switched off and on."""

    list_display = ["name", "enabled", "schedule_text", "last_run_at", "total_run_count"]
    list_filter = ["enabled"]
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    search_fields = ["name", "task"]
    show_full_result_count = False
    fields = ["name", "task", "schedule_text", "last_run_at", "total_run_count", "enabled"]
    readonly_fields = ["name", "task", "schedule_text", "last_run_at", "total_run_count"]
    actions = None

    @admin.display(description="Schedule")
    def schedule_text(self, job: PeriodicTask) -> str:
        """When it runs, in words."""
        if job.crontab:
            return str(job.crontab.human_readable)
        return str(job.interval or job.solar or job.clocked or "–")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Settings make jobs."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Settings would make it again."""
        return False

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: Any, change: bool) -> None:
        """The running scheduler is told."""
        super().save_model(request, obj, form, change)
        PeriodicTasks.changed(obj)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin):
    """Failed logins that count towards a lockout, and a way to end it."""

    list_display = ["attempt_time", "username", "ip_address", "failures_since_start", "path_info"]
    list_filter = [("attempt_time", DayRangeFilter)]
    search_fields = ["username", "ip_address"]
    fields = ["attempt_time", "username", "ip_address", "failures_since_start", "path_info", "user_agent"]
    actions = ["unlock"]

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Who may change accounts of every role."""
        return request.user.has_perm("axes.change_accessattempt")

    @admin.action(description="Unlock: forget the failed logins of the selected accounts", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        """The selected accounts may try again at once."""
        names = sorted(set(queryset.values_list("username", flat=True)))
        for name in names:
            reset(username=name)
        messages.success(request, f"Unlocked: {', '.join(map(str, names))}.")
