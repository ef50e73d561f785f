"""Jobs in the admin: how far they are, cancel, download; nobody writes them by hand."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts.capabilities import EXPORTS_READ
from workbox.core.admin import (
    NOTHING,
    AttentionFilter,
    DayRangeFilter,
    Dialog,
    NumberSearch,
    ReadOnlyAdmin,
    link,
    moment_text,
    row_or_404,
    service_dialog,
)
from workbox.jobs import services
from workbox.jobs.api.views import file_response, visible_jobs
from workbox.jobs.errors import NoFile
from workbox.jobs.models import FINISHED, Job, JobState

STATE_LABELS = {
    "queued": "warning", "running": "info", "done": "success", "failed": "danger", "cancelled": "danger",
}  # fmt: skip


class CancelDialog(Dialog):
    """Whether the job is to stop."""

    def summary(self) -> str:
        """Which job, and how far it is."""
        job = row_or_404(Job.objects.all(), self.object_id)
        return f"{job.kind} {job.pk}: {job.get_state_display().lower()}, {job.progress} %."


class WatchFilter(AttentionFilter):
    """Jobs by whether somebody should look at them; without a choice those that failed or are at work."""

    title = "attention"
    parameter_name = "attention"
    default_choice = "needed"
    default_words = "jobs that failed or are not done yet"
    choices_named = {
        "needed": ("Failed, or not done yet", lambda rows: rows.filter(state__in=["failed", "queued", "running"])),
        "failed": ("Failed", lambda rows: rows.filter(state="failed")),
        "all": ("All", lambda rows: rows),
    }


@admin.register(Job)
class JobAdmin(NumberSearch, ReadOnlyAdmin):
    """Long work that a worker does; one's own, managers see everybody's."""

    list_display = ["number", "kind", "state_label", "bar", "message_text", "created_by", "when", "download"]
    list_display_links = ["number"]
    list_select_related = ["created_by"]
    list_filter = [WatchFilter, ("state", ChoicesDropdownFilter), ("created_at", DayRangeFilter)]
    search_fields = ["kind", "download_name", "created_by__username"]
    search_help_text = "Number, kind, file or user"
    number_prefix = "JOB-"
    ordering = ["-id"]
    fields = [
        ("kind", "state"), ("bar", "counts"), "message_text", "download", "params", "result",
        ("created_by", "attempt"), ("created_at", "started_at"), "finished_at",
    ]  # fmt: skip
    readonly_fields = ["bar", "counts", "message_text", "download"]
    actions_detail = ["cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """What the asker may know of; who may see no job at all is told so by every page, not that there is none."""
        found = super().get_queryset(request)
        return found & visible_jobs(request) if self.has_view_permission(request) else found

    def get_urls(self) -> list[Any]:
        """With the file's."""
        view = self.admin_site.admin_view(self.file_view)
        return [path("<int:job_id>/file/", view, name="jobs_job_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, job_id: int) -> HttpResponseBase:
        """The job's file as an attachment."""
        asker: Any = request.user
        job = self.get_queryset(request).filter(pk=job_id).first() if asker.can(EXPORTS_READ) else None
        if job is None:
            raise Http404
        try:
            return file_response(job)
        except NoFile as error:
            raise Http404(error.detail) from error

    @admin.display(description="Job", ordering="id")
    def number(self, job: Job) -> str:
        """Its number."""
        return f"#{job.pk}"

    @display(description="State", ordering="state", label=STATE_LABELS)
    def state_label(self, job: Job) -> tuple[str, str]:
        """In colour."""
        return job.state, job.get_state_display()

    @admin.display(description="Progress")
    def bar(self, job: Job) -> SafeString:
        """As a bar."""
        return format_html(
            '<progress class="wb-progress" value="{0}" max="100" aria-label="{0} %">{0} %</progress>', job.progress
        )

    @admin.display(description="Rows")
    def counts(self, job: Job) -> str:
        """How many of how many."""
        return f"{job.done_count:,}" + (f" of {job.total_count:,}" if job.total_count else "")

    @admin.display(description="Says")
    def message_text(self, job: Job) -> str:
        """What is wrong, or what it is at."""
        return job.error or job.message or NOTHING

    @admin.display(description="Asked for", ordering="id")
    def when(self, job: Job) -> str:
        """To the minute."""
        return moment_text(job.created_at)

    @admin.display(description="File")
    def download(self, job: Job) -> str | SafeString:
        """A link to its file, if it made one."""
        if job.state != JobState.DONE or not job.file_name:
            return NOTHING
        return link(reverse("admin:jobs_job_file", args=[job.pk]), job.download_name)

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may start jobs may stop theirs."""
        return bool(request.user.can(EXPORTS_READ))  # type: ignore[union-attr]  # staff only: never AnonymousUser

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only while there is something to cancel."""
        job = self.get_object(request, str(object_id))
        return super().get_actions_detail(request, object_id) if job is not None and job.state not in FINISHED else []

    @service_dialog(
        "Cancel", form=CancelDialog, submit="Cancel the job", permission="cancel", icon="cancel",
        variant=ActionVariant.DANGER,
        description="A queued job is off at once, a running one at its next checkpoint: an import that is being "
        "written or taken back has none left, and is done all the same.",
    )  # fmt: skip
    def cancel(self, request: HttpRequest, form: CancelDialog, job_id: int) -> str:
        """It stops."""
        job = services.cancel(job_id)
        if job.state == JobState.CANCELLED:
            return f"Job {job_id} is off."
        return f"Job {job_id} stops at its next checkpoint; what it is writing in one go by then, it still writes."
