"""Jobs over REST: a list, one job with its progress, cancel, and the file it made."""

from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from accounts.capabilities import EXPORTS_READ, FORECASTS_WRITE, IMPORTS_WRITE
from workbox.core import walls
from workbox.core.api import ActionView, ApiView, Page, conditional, read_object, read_page
from workbox.core.numbers import to_json
from workbox.core.reading import Query
from workbox.core.schema import IDEMPOTENCY, action_schema, answered, answered_file, in_path, in_query
from workbox.jobs import services
from workbox.jobs.api.schemas import JOB_EXAMPLE, QUEUED_EXAMPLE, JobShape
from workbox.jobs.errors import JobUnknown, NoFile
from workbox.jobs.models import Job, JobState, job_body

SEES_ALL_JOBS = IMPORTS_WRITE  # managers; everybody else sees their own


def visible_jobs(request: HttpRequest | Request) -> QuerySet[Job]:
    """The jobs the asker may know of: his own, and the shop's where he may start them; managers without walls all."""
    user: Any = request.user
    if user.can(SEES_ALL_JOBS) and walls.own() is None:  # a file may hold what is behind a wall
        return Job.objects.all()
    mine = Q(created_by_id=user.id)
    return Job.objects.filter(mine | Q(kind__in=settings.WORKBOX_SHOP_JOBS) if user.can(FORECASTS_WRITE) else mine)


def visible_job(request: HttpRequest | Request, job_id: int) -> Job:
    """One of them; raises JobUnknown for somebody else's, as for none."""
    found = visible_jobs(request).filter(pk=job_id).first()
    if found is None:
        raise JobUnknown(f"There is no job {job_id}.")
    return found


def accepted(view: ApiView, start: Callable[[], dict[str, Any]]) -> HttpResponse:
    """202 with the job's address: `start` queues it once per Idempotency-Key and gives the body to answer."""
    return located(view.idempotent(lambda: (202, start())))


def located(response: HttpResponse) -> HttpResponse:
    """The answer with the Location of the job it speaks of: itself, or the one under `job`."""
    body = orjson.loads(response.content)
    response.headers["Location"] = f"/api/v1/jobs/{body.get('job', body)['id']}"
    return response


class JobsView(ApiView):
    """All jobs one may know of."""

    required_capabilities = {"GET": EXPORTS_READ}
    pagination_class = Page

    @extend_schema(
        summary="List jobs",
        description="One's own, newest first; managers see everybody's.",
        parameters=[in_query("state", enum=sorted(JobState.values)), in_query("kind")],
        responses={200: JobShape(many=True)},
        examples=[answered(JOB_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List jobs."""
        query = Query(request.GET)
        state, kind = query.choice("state", JobState.values), query.text("kind", max_length=40)
        query.check()
        found = visible_jobs(request).order_by("-id")
        if state:
            found = found.filter(state=state)
        if kind:
            found = found.filter(kind=kind)

        def rows(ids: list[int]) -> list[Any]:
            jobs = Job.objects.in_bulk(ids)
            return [job_body(jobs[one]) for one in ids if one in jobs]

        return conditional(request, to_json(read_page(request, found, rows)))


class JobView(ApiView):
    """One job."""

    required_capabilities = {"GET": EXPORTS_READ}

    @extend_schema(
        summary="Get a job",
        description="Its state, progress and result. Ask again until `state` is done, failed or cancelled.",
        parameters=[in_path("job_id")],
        responses={200: JobShape},
        examples=[answered(JOB_EXAMPLE)],
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Get a job."""
        return conditional(request, to_json(job_body(visible_job(request, int(job_id)))))


@action_schema(
    summary="Cancel a job",
    description="A queued job is off at once, a running one at its next checkpoint; 409 when it is over.",
    parameters=[in_path("job_id"), IDEMPOTENCY],
    request=None,
    responses={200: JobShape},
    examples=[answered(QUEUED_EXAMPLE | {"state": "cancelled", "cancel_requested": True})],
)
class CancelView(ActionView):
    """A job is not wanted any more."""

    required_capabilities = ActionView.needs(EXPORTS_READ)

    def act(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel a job."""
        read_object(request)  # nothing is asked of it but to be readable

        def work() -> tuple[int, Any]:
            return 200, job_body(services.cancel(visible_job(request, int(job_id)).pk))

        return self.idempotent(work)


class FileView(ApiView):
    """The file a job made."""

    required_capabilities = {"GET": EXPORTS_READ}

    @extend_schema(
        summary="Download a job's file",
        description="As an attachment; 409 (`no_file`) until the job is done. Files are kept for seven days.",
        parameters=[in_path("job_id")],
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY)},
        examples=[answered_file("The bytes of the CSV or XLSX file.", "application/octet-stream")],
    )
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Download a job's file."""
        return file_response(visible_job(request, int(job_id)))


def file_response(job: Job) -> HttpResponseBase:
    """The job's file as an attachment; raises NoFile."""
    if job.state != JobState.DONE or not job.file_name:
        raise NoFile(f"The job has no file to fetch: it is {job.get_state_display().lower()}.")
    try:
        opened = job.path.open("rb")
    except FileNotFoundError as error:
        raise NoFile("The job's file was cleared away; start the job again.") from error
    kind = "text/csv; charset=utf-8" if job.download_name.endswith(".csv") else ""
    response = FileResponse(opened, as_attachment=True, filename=job.download_name, content_type=kind or None)
    response.headers["Cache-Control"] = "private, no-store"
    return response
