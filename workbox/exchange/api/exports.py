"""Exports and reports over REST: as jobs, or a small CSV at once."""

from collections.abc import Iterator
from typing import Any, cast

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request

from accounts.capabilities import EXPORTS_READ
from workbox.core import walls
from workbox.core.api import COUNT_MAX, ApiView, bounded_count, read_object
from workbox.core.errors import NotFound, RuleViolation
from workbox.core.reading import Query
from workbox.core.schema import DATES, IDEMPOTENCY, answered, answered_file, asked, in_query
from workbox.exchange.exports import read_request, start_export
from workbox.exchange.reports import start_report
from workbox.exchange.tables import EXPORTS, Row, Table
from workbox.exchange.writing import FORMATS, csv_lines
from workbox.jobs.api.schemas import QUEUED_EXAMPLE, JobShape
from workbox.jobs.api.views import accepted
from workbox.jobs.models import job_body

DIRECT_ROWS_MAX = COUNT_MAX - 1  # what is counted exactly
ENDING = ".csv"
CSV_EXAMPLE = "sku,name,price,on_hand MAIN\r\nLAPTOP-001,Laptop,999.99,12\r\n"


class ReportShape(s.Serializer[Any]):
    """What to report on; filters stand beside these."""

    format = s.ChoiceField(list(FORMATS), required=False, help_text="`csv` unless told.")
    bom = s.BooleanField(required=False, help_text="CSV begins with a byte order mark, as Excel likes it.")
    filters = s.JSONField(required=False, help_text="Or beside the others: what the list of the same name filters by.")


class ExportShape(ReportShape):
    """What to take out; filters stand beside these."""

    what = s.ChoiceField(sorted(EXPORTS))


class ExportsView(ApiView):
    """Tables taken out as files."""

    required_capabilities = {"POST": EXPORTS_READ}

    @extend_schema(
        summary="Export a table",
        description=(
            "Queues a job (202, `Location`) that writes the rows of a filter to a file. Its columns are those that "
            "`POST /imports` reads: bringing an untouched export in again changes nothing. Text that a spreadsheet "
            "would take for a formula gets a ' in front."
        ),
        parameters=[IDEMPOTENCY],
        request=ExportShape,
        responses={202: JobShape},
        examples=[
            asked({"what": "products", "format": "xlsx", "filters": {"category": "Electronics"}}),
            answered(QUEUED_EXAMPLE, 202),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Export a table."""
        params = read_request(read_object(request), EXPORTS)
        user_id = cast(int, request.user.id)
        return accepted(self, lambda: job_body(start_export(params, user_id=user_id)))


class DirectExportView(ApiView):
    """A small table at once, without a job."""

    required_capabilities = {"GET": EXPORTS_READ}

    @extend_schema(
        summary="Export a table as CSV at once",
        description=(
            f"`products.csv`, `vendors.csv`, `prices.csv`, `orders.csv`, `movements.csv` with the filters of `POST "
            f"/exports`; up to {DIRECT_ROWS_MAX} rows, 400 (`too_many_rows`) beyond."
        ),
        parameters=[in_query("bom", bool), in_query("search"), *DATES],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)},
        examples=[answered_file(CSV_EXAMPLE, "text/csv")],
    )
    def get(self, request: Request, file_name: str) -> HttpResponseBase:
        """Export a table as CSV at once."""
        table = EXPORTS.get(file_name.removesuffix(ENDING)) if file_name.endswith(ENDING) else None
        if table is None:
            raise NotFound(
                f"There is no export {file_name}; there are {', '.join(f'{one}{ENDING}' for one in EXPORTS)}."
            )
        query = Query(request.GET)
        found, bom = table.find(query), bool(query.boolean("bom", default=False))
        query.check()
        if bounded_count(found) > DIRECT_ROWS_MAX:
            raise RuleViolation(
                f"These are more than {DIRECT_ROWS_MAX:,} rows; ask for them with POST /api/v1/exports.",
                code="too_many_rows",
            )
        lines = csv_lines(table.header(), _rows(table, found), bom=bom)
        response = StreamingHttpResponse(walls.carried(lines), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
        response.headers["Cache-Control"] = "private, no-store"
        return response


def _rows(table: Table, found: Any) -> Iterator[list[Row]]:
    return (rows for _, rows in table.chunks(found))


class ReportView(ApiView):
    """Base of the reports."""

    required_capabilities = {"POST": EXPORTS_READ}
    what = ""

    def queue(self, request: Request) -> HttpResponse:
        """The report is queued."""
        body, user_id = read_object(request), cast(int, request.user.id)
        return accepted(self, lambda: job_body(start_report(self.what, body, user_id=user_id)))


REPORT_EXAMPLE = QUEUED_EXAMPLE | {"kind": "report"}


class InventoryReportView(ReportView):
    """What is there, and what it is worth."""

    what = "inventory"

    @extend_schema(
        summary="Report on stock",
        description="What is on hand, reserved, available and worth at cost, per product; filters as `GET /products`.",
        parameters=[IDEMPOTENCY],
        request=ReportShape,
        responses={202: JobShape},
        examples=[asked({"format": "csv", "filters": {"low_stock": True}}), answered(REPORT_EXAMPLE, 202)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Report on stock."""
        return self.queue(request)


class SalesReportView(ReportView):
    """What was sold."""

    what = "sales"

    @extend_schema(
        summary="Report on sales",
        description="One row per sold line; filters: `product_id`, `created_from_date`, `created_to_date`.",
        parameters=[IDEMPOTENCY],
        request=ReportShape,
        responses={202: JobShape},
        examples=[asked({"format": "xlsx", "created_from_date": "2026-01-01"}), answered(REPORT_EXAMPLE, 202)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Report on sales."""
        return self.queue(request)


class MovementsReportView(ReportView):
    """What moved."""

    what = "movements"

    @extend_schema(
        summary="Report on stock movements",
        description="The ledger's lines with their balance; filters as `GET /stock-movements`.",
        parameters=[IDEMPOTENCY],
        request=ReportShape,
        responses={202: JobShape},
        examples=[asked({"format": "csv", "filters": {"movement_type": "sale"}}), answered(REPORT_EXAMPLE, 202)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Report on stock movements."""
        return self.queue(request)
