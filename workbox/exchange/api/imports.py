"""Imports over REST: a file in, its columns mapped, a preview, apply, reverse."""

from collections.abc import Iterator
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request

from accounts.capabilities import IMPORTS_WRITE
from workbox.core.api import ActionView, ApiView, Page, conditional, idempotent_by, read_object, read_page
from workbox.core.errors import Invalid, Malformed
from workbox.core.numbers import to_json
from workbox.core.reading import Fields, Query
from workbox.core.schema import IDEMPOTENCY, action_schema, answered, asked, in_path, in_query
from workbox.exchange import imports
from workbox.exchange.bodies import counts_of, import_body, import_row, preview_rows
from workbox.exchange.errors import FileRefused, ImportUnknown, WrongStep
from workbox.exchange.intake import FILE_BYTES_MAX, keep, receive
from workbox.exchange.models import Import, ImportRow
from workbox.jobs.api.schemas import QUEUED_EXAMPLE, JobShape
from workbox.jobs.api.views import accepted, located

READ_BYTES = 256 * 1024
MULTIPART_OVERHEAD_BYTES = 64 * 1024
MODE_CHOICES = list(imports.MODES)
WHATS = sorted(Import.What.values)
IMPORT_EXAMPLE = {
    "id": 4,
    "what": "products",
    "state": "ready",
    "format": "csv",
    "original_name": "prices-2026.csv",
    "columns": ["SKU", "Unit price", "Stock"],
    "mapping": {"sku": "SKU", "price": "Unit price", "stock_quantity": "Stock"},
    "fields": ["sku", "name", "price", "stock_quantity", "on_hand MAIN"],
    "counts": {"new": 3, "changed": 12, "unchanged": 85, "error": 1},
    "result": {},
    "job": QUEUED_EXAMPLE | {"kind": "import_preview", "params": {"import": 4}},
    "created_by": 3,
    "created_at": "2026-01-15T10:30:00Z",
    "applied_at": None,
    "reversed_at": None,
}
ROW_EXAMPLE = {
    "line": 2,
    "status": "changed",
    "key": "LAPTOP-001",
    "changes": {"price": {"before": 999.99, "after": 949.99}},
    "errors": {},
    "outcome": None,
    "raw": {"sku": "LAPTOP-001", "price": "949.99"},
}


class CountsShape(s.Serializer[Any]):
    """How many rows of each kind the preview found."""

    new = s.IntegerField()
    changed = s.IntegerField()
    unchanged = s.IntegerField()
    error = s.IntegerField()


class ImportShape(s.Serializer[Any]):
    """A file on its way in."""

    id = s.IntegerField()
    what = s.ChoiceField(WHATS)
    state = s.ChoiceField(sorted(Import.State.values))
    format = s.CharField()
    original_name = s.CharField()
    columns = s.ListField(child=s.CharField())
    mapping = s.DictField(child=s.CharField(), help_text="Our field → the file's column.")
    fields = s.ListField(child=s.CharField(), required=False, help_text="What a column may be mapped to.")  # type: ignore[assignment]  # a field called as DRF calls its own
    counts = CountsShape()
    result = s.JSONField()
    job = JobShape(allow_null=True)
    created_by = s.IntegerField(allow_null=True)
    created_at = s.DateTimeField()
    applied_at = s.DateTimeField(allow_null=True)
    reversed_at = s.DateTimeField(allow_null=True)


class ImportRowShape(s.Serializer[Any]):
    """A row of the file, and what it would change."""

    line = s.IntegerField()
    status = s.ChoiceField(sorted(ImportRow.Status.values))
    key = s.CharField()
    changes = s.JSONField(help_text="Field → before and after.")
    errors = s.JSONField(help_text="Field → messages.")  # type: ignore[assignment]  # a field called as DRF calls its own
    outcome = s.CharField(allow_null=True)
    raw = s.JSONField()


class UploadShape(s.Serializer[Any]):
    """A file as a form sends it."""

    what = s.ChoiceField(WHATS)
    file = s.FileField()


class MappingShape(s.Serializer[Any]):
    """Which columns are read."""

    mapping = s.DictField(child=s.CharField(allow_null=True))


class ApplyShape(s.Serializer[Any]):
    """What to do with rows in error."""

    mode = s.ChoiceField(MODE_CHOICES, required=False, help_text="`all_or_nothing` unless told.")


class ImportReversalShape(s.Serializer[Any]):
    """Why."""

    reason = s.CharField(max_length=500)


def found_import(import_id: str | int) -> Import:
    """The import with its job; raises ImportUnknown."""
    found = imports.seen(Import.objects.select_related("job").filter(pk=import_id)).first()
    if found is None:
        raise ImportUnknown(f"There is no import {import_id}.")
    return found


class ImportsView(ApiView):
    """All imports."""

    required_capabilities = {"GET": IMPORTS_WRITE, "POST": IMPORTS_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="List imports",
        parameters=[in_query("what", enum=WHATS), in_query("state", enum=sorted(Import.State.values))],
        responses={200: ImportShape(many=True)},
        examples=[answered(IMPORT_EXAMPLE)],
    )
    def get(self, request: Request) -> HttpResponse:
        """List imports."""
        query = Query(request.GET)
        exact = {"what": query.choice("what", WHATS), "state": query.choice("state", Import.State.values)}
        query.check()
        found = imports.seen(Import.objects.order_by("-id")).filter(
            **{name: one for name, one in exact.items() if one is not None}
        )

        def rows(ids: list[int]) -> list[Any]:
            by_id = Import.objects.select_related("job").in_bulk(ids)
            return [import_row(by_id[one]) for one in ids if one in by_id]

        return conditional(request, to_json(read_page(request, found, rows)))

    @extend_schema(
        summary="Upload a file to import",
        description=(
            "CSV or XLSX, known by its content, as `multipart/form-data` (`what`, `file`) or as the body itself "
            "(`?what=products`, `?name=`); 20 MB, 50,000 rows and 100 columns at most. The answer proposes which "
            "column is which field; a job compares every row with what is known. Nothing is written before `apply`."
        ),
        parameters=[IDEMPOTENCY, in_query("what", enum=WHATS), in_query("name")],
        request={"multipart/form-data": UploadShape},
        responses={202: ImportShape},
        examples=[answered(IMPORT_EXAMPLE | {"state": "uploaded"}, 202)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Upload a file to import."""
        asker: Any = request
        if int(request.META.get("CONTENT_LENGTH") or 0) > FILE_BYTES_MAX + MULTIPART_OVERHEAD_BYTES:
            raise FileRefused("The file is larger than 20 MB.", code="too_large")
        what, name, path = _received(asker)
        received = receive(path)
        user_id = cast(int, request.user.id)

        def work() -> tuple[int, Any]:
            made = imports.receive_import(received, what=what, original_name=name, user_id=user_id)
            return 202, import_body(made)

        response = idempotent_by(asker, user_id, work, content=what.encode() + b"\0" + path.read_bytes())
        if response.has_header("Idempotency-Replayed"):
            path.unlink(missing_ok=True)
        return located(response)


def _received(request: HttpRequest) -> tuple[str, str, Any]:
    """(what, the client's name for the file, where it lies now); raises Invalid before anything is kept."""
    query = Query(request.GET)
    name = query.text("name", max_length=200)
    is_form = str(request.META.get("CONTENT_TYPE", "")).startswith("multipart/form-data")
    try:
        form = Fields(request.POST.dict() if is_form else {})
        upload = request.FILES.get("file") if is_form else None
    except (MultiPartParserError, UnreadablePostError) as error:
        raise Malformed("The form cannot be read.") from error
    asked_for = form if form.has("what") else query
    asked_for.require("what")
    what = asked_for.choice("what", WHATS)
    if is_form and upload is None:
        asked_for.fault("file", "this field is required")
    asked_for.check()
    query.check()
    if what is None:
        raise Invalid("what: this field is required", fields={"what": ["this field is required"]})
    if upload is not None:
        return what, name or str(upload.name or "")[:200], keep(upload.chunks(READ_BYTES))
    return what, name, keep(_body(request))


def _body(request: HttpRequest) -> Iterator[bytes]:
    while chunk := request.read(READ_BYTES):
        yield chunk


class ImportView(ApiView):
    """One import."""

    required_capabilities = {"GET": IMPORTS_WRITE}

    @extend_schema(
        summary="Get an import",
        parameters=[in_path("import_id")],
        responses={200: ImportShape},
        examples=[answered(IMPORT_EXAMPLE)],
    )
    def get(self, request: Request, import_id: str) -> HttpResponse:
        """Get an import."""
        return conditional(request, to_json(import_body(found_import(import_id))))


class MappingView(ApiView):
    """Which column of the file is which field."""

    required_capabilities = {"PUT": IMPORTS_WRITE}

    @extend_schema(
        summary="Map columns",
        description="Field → column, null for none; fields that are not named keep theirs. Queues a new preview.",
        parameters=[in_path("import_id"), IDEMPOTENCY],
        request=MappingShape,
        responses={202: ImportShape},
        examples=[
            asked({"mapping": {"price": "Unit price", "description": None}}),
            answered(IMPORT_EXAMPLE | {"state": "uploaded"}, 202),
        ],
    )
    def put(self, request: Request, import_id: str) -> HttpResponse:
        """Map columns."""
        fields = Fields(read_object(request))
        mapping = read_object(request).get("mapping")
        if not isinstance(mapping, dict) or not all(one is None or isinstance(one, str) for one in mapping.values()):
            fields.fault("mapping", "must be an object of field → column")
        fields.check()
        user_id = cast(int, request.user.id)

        def start() -> dict[str, Any]:
            return import_body(imports.set_mapping(int(import_id), mapping or {}, user_id=user_id))

        return accepted(self, start)


class PreviewView(ApiView):
    """What an import would do."""

    required_capabilities = {"GET": IMPORTS_WRITE}
    pagination_class = Page

    @extend_schema(
        summary="Preview an import",
        description="Each row as new, changed (before and after per field), unchanged or error (messages per field).",
        parameters=[in_path("import_id"), in_query("status", enum=sorted(ImportRow.Status.values))],
        responses={200: ImportRowShape(many=True)},
        examples=[answered(ROW_EXAMPLE)],
    )
    def get(self, request: Request, import_id: str) -> HttpResponse:
        """Preview an import."""
        query = Query(request.GET)
        status = query.choice("status", ImportRow.Status.values)
        query.check()
        found = found_import(import_id)
        if found.state in (Import.State.UPLOADED, Import.State.REFUSED):
            raise WrongStep("There is no preview yet; see the import's job.", extra={"state": found.state})
        rows = ImportRow.objects.filter(owner=found).order_by("number")
        if status:
            rows = rows.filter(status=status)
        body = read_page(request, rows, preview_rows) | {"counts": counts_of(found)}
        return conditional(request, to_json(body))


@action_schema(
    summary="Apply an import",
    description=(
        "Queues a job that writes the previewed rows in one transaction. A row whose subject changed after the preview "
        "is left out (`valid_only`) or stops everything (`all_or_nothing`). Applying twice is 409."
    ),
    parameters=[in_path("import_id"), IDEMPOTENCY],
    request=ApplyShape,
    responses={202: ImportShape},
    examples=[asked({"mode": "valid_only"}), answered(IMPORT_EXAMPLE, 202)],
)
class ApplyView(ActionView):
    """The previewed rows are written."""

    required_capabilities = ActionView.needs(IMPORTS_WRITE)

    def act(self, request: Request, import_id: str) -> HttpResponse:
        """Apply an import."""
        fields = Fields(read_object(request))
        mode = fields.choice("mode", imports.MODES) or imports.ALL_OR_NOTHING
        fields.check()
        user_id = cast(int, request.user.id)
        return accepted(self, lambda: import_body(imports.start_apply(int(import_id), mode=mode, user_id=user_id)))


@action_schema(
    summary="Reverse an import",
    description=(
        "Queues a job that gives changed fields their old values (rows that changed since are left alone and named), "
        "retires what was new, and reverses the stock operation. Possible once."
    ),
    parameters=[in_path("import_id"), IDEMPOTENCY],
    request=ImportReversalShape,
    responses={202: ImportShape},
    examples=[asked({"reason": "Wrong price list"}), answered(IMPORT_EXAMPLE | {"state": "applied"}, 202)],
)
class ReverseView(ActionView):
    """What an import wrote is taken back."""

    required_capabilities = ActionView.needs(IMPORTS_WRITE)

    def act(self, request: Request, import_id: str) -> HttpResponse:
        """Reverse an import."""
        fields = Fields(read_object(request))
        reason = fields.text("reason", max_length=500)
        if not reason:
            fields.fault("reason", "this field is required")
        fields.check()
        user_id = cast(int, request.user.id)
        return accepted(
            self, lambda: import_body(imports.start_reverse(int(import_id), reason=reason, user_id=user_id))
        )
