"""One table: what was asked for, how far it is, and what came of it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q


class JobState(models.TextChoices):
    """The life of a job."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


FINISHED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class Job(models.Model):
    """Long work on somebody's behalf. `kind` names the function in `settings.WORKBOX_JOBS` that does it.

    `attempt` counts the workers that took it: only the last one may write to the row, so a worker that was thought dead
    and comes back changes nothing. `heartbeat_at` is when the worker last wrote.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    total_count = models.PositiveIntegerField(null=True, blank=True)
    done_count = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)
    file_name = models.CharField(max_length=100, blank=True, help_text="Below the jobs folder; made by us.")
    download_name = models.CharField(max_length=100, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs"
    )
    cancel_requested = models.BooleanField(default=False)
    attempt = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "id"], name="job_state")]
        constraints = [
            models.CheckConstraint(
                name="job_progress_percent",
                condition=Q(progress__gte=0) & Q(progress__lte=100),
                violation_error_message="Progress is a percentage.",
            ),
            models.CheckConstraint(
                name="job_finished_has_an_end",
                condition=Q(state__in=sorted(FINISHED), finished_at__isnull=False)
                | Q(state__in=[JobState.QUEUED, JobState.RUNNING], finished_at__isnull=True),
                violation_error_message="A job has ended when it is done, failed or cancelled, and only then.",
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"

    @property
    def path(self) -> Path:
        """Where its file lies; `file_name` is ours, never the client's."""
        return folder() / self.file_name


def folder() -> Path:
    """Where the files of jobs lie."""
    return Path(settings.VAR_DIR) / "jobs"


def job_body(job: Job) -> dict[str, Any]:
    """A job under its public names."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "state": job.state,
        "progress": job.progress,
        "done": job.done_count,
        "total": job.total_count,
        "message": job.message,
        "params": job.params,
        "result": job.result,
        "error": job.error or None,
        "file": f"/api/v1/jobs/{job.pk}/file" if job.state == JobState.DONE and job.file_name else None,
        "file_name": job.download_name or None,
        "created_by": job.created_by_id,
        "cancel_requested": job.cancel_requested,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
