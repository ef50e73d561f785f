"""How far a planning job is, in words, for the page that waits for it."""

from typing import Any

from workbox.core.admin import moment_text
from workbox.jobs.models import FINISHED, Job


def told(job: Job | None, what: str) -> dict[str, Any] | None:
    """State, percentage and a sentence; `what` is how the page calls such a job ("training"). None: there is none."""
    if job is None:
        return None
    words = {
        "queued": f"A {what} waits for a worker.",
        "running": f"A {what} runs: {_how_far(job)}.",
        "done": f"The last {what} ended on {moment_text(job.finished_at)} (UTC).",
        "failed": f"The last {what} failed: {job.error}",
        "cancelled": f"The last {what} was cancelled.",
    }
    return {
        "id": job.pk,
        "state": str(job.state),
        "progress": job.progress,
        "text": words[job.state],
        "is_over": job.state in FINISHED,
    }


def _how_far(job: Job) -> str:
    far = f"{job.progress} %" if job.total_count else f"{job.done_count} done"
    return f"{far}, {job.message}" if job.message else far
