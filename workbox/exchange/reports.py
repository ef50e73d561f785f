"""Reports: the same machinery as exports, for people who read; a report is not brought in again."""

from collections.abc import Mapping
from typing import Any

from workbox.exchange.exports import read_request, write_table
from workbox.exchange.tables import REPORTS
from workbox.jobs import services
from workbox.jobs.models import Job
from workbox.jobs.services import Outcome, Progress


def start_report(what: str, body: Mapping[str, Any], *, user_id: int | None) -> Job:
    """A report is queued. Raises Invalid for a filter or format that makes no sense."""
    return services.start("report", read_request(body, REPORTS, what=what), user_id=user_id)


def generate_inventory_report(user_id: int, filters: Mapping[str, Any]) -> Job:
    """The stock of the products of a filter, with what it is worth at cost; filters as `GET /products` has them."""
    return start_report("inventory", filters, user_id=user_id)


def run_report(job: Job, progress: Progress) -> Outcome:
    """The job `report`: the report stands in its file."""
    what = job.params["what"]
    return write_table(job, progress, REPORTS[what], name=f"{what}-report")
