"""Shapes of jobs for the OpenAPI document; nothing runs through them at run time."""

from typing import Any

from rest_framework import serializers as s

from workbox.jobs.models import JobState

Shape = s.Serializer[Any]
JOB_EXAMPLE = {
    "id": 7,
    "kind": "export",
    "state": "done",
    "progress": 100,
    "done": 1200,
    "total": 1200,
    "message": "",
    "params": {"what": "products", "format": "csv", "filters": {}},
    "result": {"rows": 1200},
    "error": None,
    "file": "/api/v1/jobs/7/file",
    "file_name": "products.csv",
    "created_by": 3,
    "cancel_requested": False,
    "created_at": "2026-01-15T10:30:00Z",
    "started_at": "2026-01-15T10:30:01Z",
    "finished_at": "2026-01-15T10:30:03Z",
}
QUEUED_EXAMPLE = JOB_EXAMPLE | {
    "state": "queued",
    "progress": 0,
    "done": 0,
    "total": None,
    "result": {},
    "file": None,
    "file_name": None,
    "started_at": None,
    "finished_at": None,
}


class JobShape(Shape):
    """Long work: how far it is, and what came of it."""

    id = s.IntegerField()
    kind = s.CharField()
    state = s.ChoiceField(JobState.choices)
    progress = s.IntegerField(help_text="Percent.")
    done = s.IntegerField()
    total = s.IntegerField(allow_null=True)
    message = s.CharField()
    params = s.JSONField()
    result = s.JSONField()
    error = s.CharField(allow_null=True)
    file = s.CharField(allow_null=True, help_text="Where to fetch its file, when it is done and made one.")
    file_name = s.CharField(allow_null=True)
    created_by = s.IntegerField(allow_null=True)
    cancel_requested = s.BooleanField()
    created_at = s.DateTimeField()
    started_at = s.DateTimeField(allow_null=True)
    finished_at = s.DateTimeField(allow_null=True)
