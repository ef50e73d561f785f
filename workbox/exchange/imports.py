"""The steps of an import: received, mapped, previewed, applied, perhaps reversed.

What a job does here runs in one transaction at its end, under the import's row: a worker that dies leaves nothing, and
one that comes second finds it done.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

import orjson
from django.db.models import QuerySet
from django.utils import timezone

from workbox.core import context, walls
from workbox.core.db import transact, transactional
from workbox.core.errors import DomainError, Invalid
from workbox.core.numbers import to_json
from workbox.exchange.errors import ImportUnknown, NothingWritten, WrongStep
from workbox.exchange.intake import Received, read_mapped
from workbox.exchange.kinds import KINDS
from workbox.exchange.kinds.base import CHANGED, ERROR, MOVED, NEW, UNCHANGED, Applied, Kind, Line, Planned, as_json
from workbox.exchange.models import Import, ImportRow, folder
from workbox.jobs import services as jobs
from workbox.jobs.models import FINISHED, Job
from workbox.jobs.services import Outcome, Progress

T = TypeVar("T")
VALID_ONLY, ALL_OR_NOTHING = "valid_only", "all_or_nothing"
MODES = (VALID_ONLY, ALL_OR_NOTHING)
NAMED_MAX = 50  # rows named in a result
FILES_KEPT = timedelta(days=7)
State, Outcomes = Import.State, ImportRow.Outcome


# ---- asking for it ---------------------------------------------------------------------------------------------------
@transactional
def receive_import(received: Received, *, what: str, original_name: str, user_id: int | None) -> Import:
    """A file is here, its columns are mapped as far as their names tell, and its preview is queued."""
    made = Import.objects.create(
        what=what,
        format=received.format,
        original_name=original_name[:200],
        file_name=received.file_name,
        columns=received.columns,
        mapping=KINDS[what]().propose(received.columns),
        created_by_id=user_id,
    )
    return _queue(made, "import_preview", {}, user_id=user_id)


@transactional
def set_mapping(import_id: int, mapping: Mapping[str, Any], *, user_id: int | None) -> Import:
    """Our fields are read from these columns (null: from none), and a new preview is queued.

    Fields that are not named keep their column. Raises ImportUnknown, WrongStep, Invalid.
    """
    found = _free(import_id, {State.UPLOADED, State.READY, State.REFUSED})
    _check_file(found)
    names, faults = KINDS[found.what]().names(), {}
    for name, column in mapping.items():
        if name not in names:
            faults[f"mapping.{str(name)[:60]}"] = [f"must be of {', '.join(names)}"]
        elif column is not None and column not in found.columns:
            faults[f"mapping.{name}"] = ["the file has no such column"]
    if faults:
        name, messages = next(iter(faults.items()))
        raise Invalid(f"{name}: {messages[0]}", fields=faults)
    found.mapping = {name: one for name, one in {**found.mapping, **mapping}.items() if one is not None}
    found.state = State.UPLOADED
    return _queue(found, "import_preview", {}, user_id=user_id)


@transactional
def start_apply(import_id: int, *, mode: str, user_id: int | None) -> Import:
    """The previewed rows are to be written: all that are right, or all or nothing. Raises ImportUnknown, WrongStep."""
    return _queue(_free(import_id, {State.READY}), "import_apply", {"mode": mode}, user_id=user_id)


@transactional
def start_reverse(import_id: int, *, reason: str, user_id: int | None) -> Import:
    """What the import wrote is to be taken back. Raises ImportUnknown, WrongStep (not applied, or reversed already)."""
    return _queue(_free(import_id, {State.APPLIED}), "import_reverse", {"reason": reason}, user_id=user_id)


def seen(found: "QuerySet[Import]") -> "QuerySet[Import]":
    """The imports the asker may know of: who is bound to warehouses sees their own, a file may name any warehouse."""
    return found if walls.own() is None else found.filter(created_by_id=context.actor_id.get())


def _free(import_id: int, states: set[Import.State]) -> Import:
    """The import, locked, in one of these states and with no job at work on it."""
    found = seen(Import.objects.select_for_update().filter(pk=import_id)).first()
    if found is None:
        raise ImportUnknown(f"There is no import {import_id}.")
    if found.state not in states:
        raise WrongStep(
            f"The import is {found.get_state_display().lower()}; this step is not open to it.",
            extra={"state": found.state},
        )
    if found.job_id is not None and not Job.objects.filter(pk=found.job_id, state__in=FINISHED).exists():
        raise WrongStep(
            "A job is at work on this import; wait for it.", code="import_busy", extra={"job": found.job_id}
        )
    return found


def _queue(found: Import, kind: str, params: Mapping[str, Any], *, user_id: int | None) -> Import:
    found.job = jobs.start(kind, {"import": found.pk, **params}, user_id=user_id)
    found.save()
    return found


# ---- the preview -----------------------------------------------------------------------------------------------------
def run_preview(job: Job, progress: Progress) -> Outcome:
    """The job `import_preview`: every row is compared with what is known; nothing of it is written anywhere else."""
    found = Import.objects.get(pk=job.params["import"])
    try:
        planned = list(_planned(found, progress))
    except DomainError:
        Import.objects.filter(pk=found.pk, job=job).update(state=State.REFUSED)
        raise
    progress.checkpoint(len(planned), len(planned), "Writing the preview")
    counts = transact(lambda: _store_preview(found.pk, job.pk, planned))
    return Outcome(counts)


def _planned(found: Import, progress: Progress) -> Iterator[Planned]:
    _check_file(found)
    kind = KINDS[found.what]()
    missing = [name for name in kind.required if name not in found.mapping]
    if missing:
        faults = {f"mapping.{name}": ["this field is required"] for name in missing}
        raise Invalid(f"No column of the file is mapped to {', '.join(missing)}.", fields=faults)
    done = 0
    for lines in _chunks(read_mapped(found.path, found.format, found.columns, found.mapping), kind.chunk_rows):
        yield from kind.plan([Line(number, raw) for number, raw in lines])
        done += len(lines)
        progress(done, None, f"{done:,} rows compared")


def _check_file(found: Import) -> None:
    if not found.path.exists():
        raise WrongStep(
            f"The file is no longer here, files are kept for {FILES_KEPT.days} days: upload it again.", code="file_gone"
        )


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk


def _store_preview(import_id: int, job_id: int, planned: Sequence[Planned]) -> dict[str, int]:
    found = Import.objects.select_for_update().get(pk=import_id)
    counts = dict.fromkeys((NEW, CHANGED, UNCHANGED, ERROR), 0)
    for one in planned:
        counts[one.status] += 1
    if found.job_id != job_id or found.state != State.UPLOADED:
        return counts  # a second delivery, or a worker that came back too late
    ImportRow.objects.filter(owner=found).delete()
    for chunk in _chunks(planned, 1000):
        ImportRow.objects.bulk_create(ImportRow(owner=found, **one.stored()) for one in chunk)
    found.new_count, found.changed_count = counts[NEW], counts[CHANGED]
    found.unchanged_count, found.error_count = counts[UNCHANGED], counts[ERROR]
    found.state = State.READY
    found.save()
    return counts


# ---- applying --------------------------------------------------------------------------------------------------------
def run_apply(job: Job, progress: Progress) -> Outcome:
    """The job `import_apply`: one transaction in which the rows are compared again and written."""
    progress.checkpoint(0, None, "Writing")
    return Outcome(transact(lambda: _apply(job)))


def _apply(job: Job) -> Mapping[str, Any]:
    found = _mine(job, State.READY, done=State.APPLIED)
    if found is None:
        return _result_of(job)
    kind = KINDS[found.what]()
    wanted = found.rows.filter(status__in=[NEW, CHANGED]).order_by("number")
    if job.params["mode"] == ALL_OR_NOTHING and found.error_count:
        raise NothingWritten(f"{found.error_count} rows are in error; nothing was written.")
    rows, moved = _look_again(kind, wanted)
    applied = kind.apply(rows, reason=f"Import {found.pk}", actor_id=job.created_by_id) if rows else Applied()
    moved |= applied.refused
    if moved and job.params["mode"] == ALL_OR_NOTHING:
        raise NothingWritten(
            f"{len(moved)} rows cannot be written any more; nothing was written.",
            fields={f"line {number}": _messages(errors) for number, errors in sorted(moved.items())[:NAMED_MAX]},
        )
    wanted.exclude(number__in=list(moved)).update(outcome=Outcomes.APPLIED)
    for number, errors in moved.items():
        found.rows.filter(number=number).update(outcome=Outcomes.MOVED, errors=errors)
    return _close(
        found,
        State.APPLIED,
        {
            "applied": len(rows) - len(applied.refused),
            "left_out": len(moved),
            "left_out_lines": sorted(moved)[:NAMED_MAX],
            "errors": found.error_count,
            "operation_ids": list(applied.operation_ids),
            "order_ids": list(applied.order_ids)[:NAMED_MAX],
        },
    )


def _look_again(kind: Kind, wanted: QuerySet[ImportRow]) -> tuple[list[Planned], dict[int, dict[str, list[str]]]]:
    """The rows that still would do what the preview showed, and the others with the reason."""
    stored = list(wanted.values_list("number", "raw", "status", "values", "before"))
    lines = [Line(number, raw) for number, raw, *_ in stored]
    kind.hold(lines)
    rows: list[Planned] = []
    moved: dict[int, dict[str, list[str]]] = {}
    fresh = (one for chunk in _chunks(lines, kind.chunk_rows) for one in kind.plan(chunk))
    for (number, raw, *shown), now in zip(stored, fresh, strict=True):
        if orjson.loads(to_json([now.status, as_json(now.values), as_json(now.before)])) == shown:
            rows.append(now)
        else:
            moved[number] = dict(now.errors) or {"sku" if "sku" in raw else "name": [MOVED]}
    return rows, moved


def _messages(errors: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{name}: {message}" for name, messages in errors.items() for message in messages]


# ---- taking back -----------------------------------------------------------------------------------------------------
def run_reverse(job: Job, progress: Progress) -> Outcome:
    """The job `import_reverse`: fields are what they were before, and the stock operation is reversed once."""
    progress.checkpoint(0, None, "Taking back")
    return Outcome(transact(lambda: _reverse(job)))


def _reverse(job: Job) -> Mapping[str, Any]:
    found = _mine(job, State.APPLIED, done=State.REVERSED)
    if found is None:
        return _result_of(job)
    rows = list(found.rows.filter(outcome=Outcomes.APPLIED).order_by("number"))
    kept = KINDS[found.what]().take_back(rows, found.result, reason=job.params["reason"])
    found.rows.filter(outcome=Outcomes.APPLIED).exclude(number__in=kept).update(outcome=Outcomes.REVERSED)
    found.rows.filter(outcome=Outcomes.APPLIED).update(outcome=Outcomes.KEPT)
    named = [{"line": row.number, "key": row.key} for row in rows if row.number in kept]
    result = {"reversed": len(rows) - len(kept), "kept": len(kept), "kept_rows": named[:NAMED_MAX]}
    return _close(found, State.REVERSED, found.result | {"reversal": result})


def _mine(job: Job, state: Import.State, *, done: Import.State) -> Import | None:
    """The import, locked; None when this job has done its work already. Raises WrongStep for anything else."""
    found = Import.objects.select_for_update().get(pk=job.params["import"])
    if found.job_id == job.pk and found.state == state:
        return found
    if found.job_id == job.pk and found.state == done:
        return None
    raise WrongStep(f"The import is {found.get_state_display().lower()} by now.", extra={"state": found.state})


def _result_of(job: Job) -> Mapping[str, Any]:
    result: dict[str, Any] = Import.objects.get(pk=job.params["import"]).result
    return result


def _close(found: Import, state: Import.State, result: dict[str, Any]) -> dict[str, Any]:
    found.state, found.result = state, result
    if state == State.APPLIED:
        found.applied_at = timezone.now()
    else:
        found.reversed_at = timezone.now()
    found.save()
    return result


# ---- around it -------------------------------------------------------------------------------------------------------
def clear_old_files(*, kept: timedelta = FILES_KEPT) -> int:
    """Uploaded files older than that are gone, what was read of them stays; returns how many."""
    limit = timezone.now() - kept
    if not folder().exists():
        return 0
    old = [path for path in folder().iterdir() if path.stat().st_mtime < limit.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
