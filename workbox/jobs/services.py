"""The life of a job: start, claim, tell how far it is, finish, cancel; and what the reaper does about dead workers.

Every step is one conditional UPDATE, so that whatever is delivered twice happens once.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import orjson
import structlog
from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string

from workbox.celery import app
from workbox.core import context, walls
from workbox.core.db import after_commit, transactional
from workbox.core.errors import DomainError
from workbox.core.numbers import to_json
from workbox.jobs.errors import Cancelled, JobFinished, JobUnknown, TakenOver
from workbox.jobs.models import Job, JobState, folder

log = structlog.get_logger(__name__)

WRITE_SECONDS_MIN = 0.5
SILENCE_MAX = timedelta(minutes=5)  # a running job that has not written for so long has lost its worker
UNSENT_MAX = timedelta(minutes=5)  # a queued job that nobody took for so long is sent again
SENT_AGAIN_MAX = 500  # a look; the oldest first, the rest with the next looks
ATTEMPTS_MAX = 3
FILES_KEPT = timedelta(days=7)
MESSAGE_LENGTH, ERROR_LENGTH = 300, 500


# ---- asking for it ---------------------------------------------------------------------------------------------------
@transactional
def start(kind: str, params: Mapping[str, Any], *, user_id: int | None) -> Job:
    """A job of this kind is queued; a worker is told when the caller's transaction has committed.

    When the broker is away the job stays queued and `resend_and_requeue` tells a worker later. Raises KeyError for a
    kind that `settings.WORKBOX_JOBS` does not know.
    """
    settings.WORKBOX_JOBS[kind]
    job = Job.objects.create(kind=kind, params=orjson.loads(to_json(dict(params))), created_by_id=user_id)
    _send(job.pk)
    return job


def _send(job_id: int) -> None:
    after_commit(lambda: app.send_task("jobs.run", args=[job_id], retry=False))


@transactional
def cancel(job_id: int) -> Job:
    """A queued job is off at once, a running one at its next checkpoint. Raises JobUnknown, JobFinished."""
    wanted = Job.objects.filter(pk=job_id)
    off_at_once = wanted.filter(state=JobState.QUEUED).update(
        state=JobState.CANCELLED, cancel_requested=True, finished_at=timezone.now()
    )
    asked = off_at_once or wanted.filter(state=JobState.RUNNING).update(cancel_requested=True)
    job = wanted.first()
    if job is None:
        raise JobUnknown(f"There is no job {job_id}.")
    if not asked:
        raise JobFinished(f"The job is {job.get_state_display().lower()} already.", extra={"state": job.state})
    return job


# ---- doing it --------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Progress:
    """How a job's work tells how far it is, and learns that it should stop.

    Call it as often as you like: it writes at most every half second. It raises Cancelled and TakenOver, so call it
    where stopping leaves nothing half done, and never inside a transaction (the row would stay locked).
    """

    job_id: int
    attempt: int
    _written_at: float = field(default=0.0)

    def __call__(self, done: int, total: int | None = None, message: str = "") -> None:
        """So many of so many are done."""
        if time.monotonic() - self._written_at >= WRITE_SECONDS_MIN:
            self.checkpoint(done, total, message)

    def checkpoint(self, done: int = 0, total: int | None = None, message: str = "") -> None:
        """Write now, and stop here if the owner or another worker says so."""
        self._written_at = time.monotonic()
        percent = min(99, done * 100 // total) if total else 0
        mine = Job.objects.filter(pk=self.job_id, state=JobState.RUNNING, attempt=self.attempt)
        written = mine.update(
            done_count=done,
            total_count=total,
            progress=percent,
            message=message[:MESSAGE_LENGTH],
            heartbeat_at=timezone.now(),
        )
        if not written:
            raise TakenOver
        if mine.filter(cancel_requested=True).exists():
            raise Cancelled


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job's work answers: facts for its result, and the file it wrote (by `new_file`), if any."""

    result: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    download_name: str = ""


Work = Callable[[Job, Progress], Outcome]


def new_file(suffix: str) -> Path:
    """A path for a job's file that nobody can guess; the folder exists."""
    folder().mkdir(parents=True, exist_ok=True)
    return folder() / f"{secrets.token_hex(16)}{suffix}"


def claim(job_id: int) -> Job | None:
    """The job is this worker's now; None when somebody else has it, or when it is over."""
    now = timezone.now()
    taken = Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING, attempt=F("attempt") + 1, started_at=now, heartbeat_at=now
    )
    return Job.objects.get(pk=job_id) if taken else None


def run(job_id: int) -> bool:
    """Do the job unless it is taken or over; what it came to stands in its row. True when this call did it."""
    job = claim(job_id)
    if job is None:
        return False
    work = cast(Work, import_string(settings.WORKBOX_JOBS[job.kind]))
    actor = context.actor_id.set(job.created_by_id)
    try:
        with walls.seen_by(_walls_of(job)):
            outcome = work(job, Progress(job.pk, job.attempt))
    except Cancelled:
        _finish(job, JobState.CANCELLED)
    except TakenOver:
        log.warning("job_taken_over", job=job.pk, attempt=job.attempt)
        return False
    except DomainError as error:
        _finish(job, JobState.FAILED, error=error.detail, result={"code": error.code, "fields": error.fields})
    except Exception:
        _finish(job, JobState.FAILED, error="Something went wrong on our side; it has been logged.")
        raise
    else:
        _finish(job, JobState.DONE, outcome=outcome)
    finally:
        context.actor_id.reset(actor)
    return True


def _walls_of(job: Job) -> frozenset[int] | None:
    """A job sees what its owner sees when it runs, the shop's own jobs everything."""
    owner = job.created_by
    return None if owner is None or job.kind in settings.WORKBOX_SHOP_JOBS else owner.warehouses


def _finish(
    job: Job,
    state: JobState,
    *,
    error: str = "",
    result: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
) -> None:
    values: dict[str, Any] = {"state": state, "finished_at": timezone.now(), "error": error[:ERROR_LENGTH]}
    facts = outcome.result if outcome is not None else result
    if facts:
        values["result"] = orjson.loads(to_json(dict(facts)))
    if outcome is not None:
        values |= {"progress": 100, "message": "", "download_name": outcome.download_name}
        values["file_name"] = outcome.file.name if outcome.file is not None else ""
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING, attempt=job.attempt).update(**values)


# ---- around it -------------------------------------------------------------------------------------------------------
@transactional
def resend_and_requeue(*, silence: timedelta = SILENCE_MAX, unsent: timedelta = UNSENT_MAX) -> dict[str, int]:
    """Jobs whose worker is silent are queued again (failed after three workers); jobs nobody took are sent again.

    Returns how many of each. Repeating is harmless: a message too many finds its job taken.
    """
    now = timezone.now()
    silent = Job.objects.filter(state=JobState.RUNNING, heartbeat_at__lt=now - silence)
    given_up = silent.filter(attempt__gte=ATTEMPTS_MAX).update(
        state=JobState.FAILED,
        finished_at=now,
        error=f"{ATTEMPTS_MAX} workers began this job and fell silent; see the workers' log.",
    )
    unwanted = silent.filter(cancel_requested=True).update(state=JobState.CANCELLED, finished_at=now)
    ids = list(silent.values_list("pk", flat=True))
    requeued = silent.filter(pk__in=ids).update(state=JobState.QUEUED, heartbeat_at=now)
    waiting = list(
        Job.objects.filter(state=JobState.QUEUED, created_at__lt=now - unsent)
        .exclude(heartbeat_at__gte=now - unsent)
        .order_by("pk")
        .values_list("pk", flat=True)[:SENT_AGAIN_MAX]
    )
    # The stamp says when it was sent last: with many waiting, the broker is not told of all of them every time.
    Job.objects.filter(pk__in=waiting, state=JobState.QUEUED).update(heartbeat_at=now)
    for job_id in [*ids, *waiting]:
        _send(job_id)
    return {"failed": given_up, "cancelled": unwanted, "requeued": requeued, "sent_again": len(waiting)}


def clear_old_files(*, kept: timedelta = FILES_KEPT) -> int:
    """Files of jobs that ended longer ago than that are gone, the jobs stay; returns how many files.

    A file that no job names (its worker died while writing) goes with the others.
    """
    limit = timezone.now() - kept
    Job.objects.filter(finished_at__lt=limit).exclude(file_name="").update(file_name="")
    if not folder().exists():
        return 0
    named = set(Job.objects.exclude(file_name="").values_list("file_name", flat=True))
    removed = 0
    for path in folder().iterdir():
        if path.name not in named and path.stat().st_mtime < limit.timestamp():
            path.unlink(missing_ok=True)
            removed += 1
    return removed
