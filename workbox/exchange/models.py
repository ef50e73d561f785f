"""Imports and their rows: what a file says, what is different from what is known, and what became of it."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from workbox.jobs.models import Job


class Import(models.Model):
    """One file on its way in: uploaded, previewed, applied, perhaps reversed. `job` is the last that worked on it."""

    class What(models.TextChoices):
        PRODUCTS = "products", "Products"
        VENDORS = "vendors", "Vendors"
        PRICES = "prices", "Vendor prices"
        ORDERS = "orders", "Orders"
        MOVEMENTS = "movements", "Stock movements"

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        READY = "ready", "Ready to apply"
        APPLIED = "applied", "Applied"
        REVERSED = "reversed", "Reversed"
        REFUSED = "refused", "Refused"

    id = models.BigAutoField(primary_key=True)
    what = models.CharField("of", max_length=10, choices=What.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    format = models.CharField(max_length=4)
    original_name = models.CharField("file", max_length=200, blank=True)
    file_name = models.CharField(max_length=100, blank=True, help_text="Below the imports folder; made by us.")
    columns = models.JSONField(default=list, help_text="The file's own column names.")
    mapping = models.JSONField(default=dict, help_text="Our field → the file's column.")
    new_count = models.PositiveIntegerField(default=0)
    changed_count = models.PositiveIntegerField(default=0)
    unchanged_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="imports"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="import_reversed_after_applied",
                condition=Q(reversed_at__isnull=True) | Q(applied_at__isnull=False),
                violation_error_message="Only what was applied can be reversed.",
            )
        ]

    def __str__(self) -> str:
        return f"import {self.pk}"

    @property
    def path(self) -> Path:
        """Where its file lies; `file_name` is ours, never the client's."""
        return folder() / self.file_name


def folder() -> Path:
    """Where uploaded files lie."""
    return Path(settings.VAR_DIR) / "imports"


class ImportRow(models.Model):
    """One line of the file. `values` and `before` hold the fields that differ, `raw` what the file says."""

    class Status(models.TextChoices):
        NEW = "new", "New"
        CHANGED = "changed", "Changed"
        UNCHANGED = "unchanged", "Unchanged"
        ERROR = "error", "Error"

    class Outcome(models.TextChoices):
        APPLIED = "applied", "Applied"
        MOVED = "moved", "Left out: it changed after the preview"
        REVERSED = "reversed", "Reversed"
        KEPT = "kept", "Not reversed: it changed since"

    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="rows")
    number = models.PositiveIntegerField(help_text="Line of the file; the header is line 1.")
    status = models.CharField(max_length=10, choices=Status.choices)
    key = models.CharField(max_length=200, blank=True)
    raw = models.JSONField(default=dict)
    values = models.JSONField(default=dict)
    before = models.JSONField(default=dict)
    errors = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["owner", "number"], name="one_row_per_line")]
        indexes = [models.Index(fields=["owner", "status", "number"], name="import_row_status")]

    def __str__(self) -> str:
        return f"line {self.number}"
