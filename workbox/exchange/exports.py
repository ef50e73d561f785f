"""Tables taken out: asked for, and written to the file of a job."""

from collections.abc import Mapping
from typing import Any

from workbox.core.errors import Invalid
from workbox.core.reading import Fields
from workbox.exchange.tables import EXPORTS, Table
from workbox.exchange.writing import CSV, FORMATS, check_size, writing
from workbox.jobs import services
from workbox.jobs.models import Job
from workbox.jobs.services import Outcome, Progress


def read_request(body: Mapping[str, Any], tables: Mapping[str, Table], *, what: str | None = None) -> dict[str, Any]:
    """The params of a job that writes a table: what, format, bom and the filters it knows, each of them checked.

    Filters stand beside `what`, or under `filters`. Raises Invalid.
    """
    nested = body.get("filters")
    fields = Fields(body if nested is None or not isinstance(nested, dict) else {**body, **nested})
    if nested is not None and not isinstance(nested, dict):
        fields.fault("filters", "must be an object")
    if what is None:
        fields.require("what")
        what = fields.choice("what", tables)
    kind = fields.choice("format", FORMATS) or CSV
    bom = bool(fields.boolean("bom", default=False))
    if what is None:
        fields.check()
        raise Invalid("what: this field is required", fields={"what": ["this field is required"]})
    table = tables[what]
    table.find(fields)
    fields.check()
    values = {**body, **nested} if isinstance(nested, dict) else body
    filters = {name: values[name] for name in table.filters if values.get(name) not in (None, "")}
    return {"what": what, "format": kind, "bom": bom, "filters": filters}


def start_export(params: Mapping[str, Any], *, user_id: int | None) -> Job:
    """An export with these params (`read_request`) is queued."""
    return services.start("export", params, user_id=user_id)


def run_export(job: Job, progress: Progress) -> Outcome:
    """The job `export`: the table stands in its file."""
    return write_table(job, progress, EXPORTS[job.params["what"]], name=job.params["what"])


def write_table(job: Job, progress: Progress, table: Table, *, name: str) -> Outcome:
    """The rows of the job's filter are in its file, read by key in chunks."""
    kind = job.params["format"]
    found = table.find(Fields(job.params["filters"]))
    total, written = found.count(), 0
    check_size(kind, total)
    path = services.new_file(f".{kind}")
    progress.checkpoint(0, total)
    try:
        with writing(path, kind, table.header(), bom=job.params.get("bom", False)) as write:
            for done, rows in table.chunks(found):
                write(rows)
                written += len(rows)
                progress(min(done, total), total)
        progress.checkpoint(total, total)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Outcome({"rows": written}, path, f"{name}.{kind}")
