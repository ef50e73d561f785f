"""Lists in one's own way: filters kept under a name, and what is shown taken out as CSV or XLSX.

An export is the list itself: its admin's rows behind the asker's walls, filtered, searched and sorted as on the screen,
with its columns. It reads, and writes nothing.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, PermissionDenied
from django.db.models import Model
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from accounts.capabilities import EXPORTS_READ
from workbox.core import walls
from workbox.core.errors import DomainError
from workbox.desk import services
from workbox.exchange.cells import Cell
from workbox.exchange.writing import CSV, FORMATS, csv_lines, writing

ROWS_MAX = 50_000
CHUNK_ROWS = 1_000
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def list_admin(request: HttpRequest, list_of: str) -> Any:
    """The admin of the list of this model (`orders.order`); 404 for what is no list, 403 for who may not see it."""
    try:
        found = admin.site.get_model_admin(apps.get_model(list_of))
    except (LookupError, ValueError, NotRegistered) as error:
        raise Http404(f"There is no list of {list_of}.") from error
    if found.opts.label_lower != list_of:  # Django finds `orders.ORDER`, too, but no address is made of it
        raise Http404(f"There is no list of {list_of}.")
    if not found.has_view_permission(request):
        raise PermissionDenied
    return found


def list_url(list_of: str, query: str = "") -> str:
    """The list's address with this query."""
    base = reverse(f"admin:{list_of.replace('.', '_')}_changelist")
    return f"{base}?{query}" if query else base


# ---- saved filters ---------------------------------------------------------------------------------------------------
@require_POST
def save_filter(request: HttpRequest) -> HttpResponse:
    """Keep the filter under a name and show the list with it; a refusal is said above the list as it was."""
    list_of, query = request.POST.get("list_of", ""), services.kept_part(request.POST.get("query", ""))
    list_admin(request, list_of)
    try:
        saved = services.save_filter(
            request.user.pk,
            list_of=list_of,
            name=request.POST.get("name", ""),
            query=query,
        )
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"“{saved.name}” is kept; it stands above this list for you alone.")
    return HttpResponseRedirect(list_url(list_of, query))


@require_POST
def delete_filter(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Delete a filter of one's own."""
    list_of = request.POST.get("list_of", "")
    list_admin(request, list_of)
    try:
        gone = services.delete_filter(request.user.pk, filter_id=filter_id)
    except DomainError as error:
        raise Http404(error.detail) from error
    messages.success(request, f"“{gone.name}” is deleted.")
    return HttpResponseRedirect(list_url(list_of))


# ---- exports ---------------------------------------------------------------------------------------------------------
@require_GET
def export(request: HttpRequest, list_of: str, kind: str) -> HttpResponse:
    """The list as a file; one that is too long says how to get it instead."""
    shown = list_admin(request, list_of)
    if kind not in FORMATS:
        raise Http404(f"A list comes as {' or '.join(FORMATS)}.")
    if not request.user.can(EXPORTS_READ):  # type: ignore[union-attr]  # staff only get here: never AnonymousUser
        raise PermissionDenied
    try:
        changelist = shown.get_changelist_instance(request)
    except IncorrectLookupParameters:
        messages.error(request, "This filter cannot be read, so nothing was taken out. Choose it from the list again.")
        return HttpResponseRedirect(list_url(list_of))
    rows = changelist.get_queryset(request)
    if rows.order_by()[: ROWS_MAX + 1].count() > ROWS_MAX:
        messages.error(
            request, f"These are more than {ROWS_MAX:,} rows. Filter the list, or have the API write an export job."
        )
        return HttpResponseRedirect(list_url(list_of, request.GET.urlencode()))
    columns = [name for name in changelist.list_display if name not in {"action_checkbox", "__str__"}] or ["__str__"]
    header = [str(label_for_field(name, shown.model, shown)).capitalize() for name in columns]
    chunks = walls.carried(_chunks(rows, columns, shown))
    return _answer(kind, header, chunks, name=f"{shown.opts.verbose_name_plural}-{datetime.now(UTC):%Y-%m-%d}.{kind}")


def _chunks(rows: Any, columns: Sequence[str], shown: Any) -> Iterator[list[list[Cell]]]:
    found = rows[:ROWS_MAX].iterator(chunk_size=CHUNK_ROWS)
    prepare = getattr(shown, "prepare_rows", None)
    while chunk := list(islice(found, CHUNK_ROWS)):
        if prepare:
            prepare(chunk)
        yield [[cell(name, row, shown) for name in columns] for row in chunk]


def _answer(kind: str, header: list[str], chunks: Iterator[list[list[Cell]]], *, name: str) -> HttpResponse:
    disposition = {"Content-Disposition": f'attachment; filename="{name.replace(" ", "-")}"'}
    if kind == CSV:
        lines = csv_lines(header, chunks, bom=True)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=disposition)  # type: ignore[return-value]  # Django calls it no HttpResponse
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.xlsx")
        with writing(path, kind, header) as write:
            for chunk in chunks:
                write(chunk)
        # Opened before the folder goes: the open file outlives its name.
        return FileResponse(path.open("rb"), content_type=XLSX_TYPE, headers=disposition)  # type: ignore[return-value]  # Django calls it no HttpResponse


def cell(name: str, row: Model, shown: Any) -> Cell:
    """What the column shows of the row: the number or time of its field where it stands for one, else its words."""
    try:
        field, method, value = lookup_field(name, row, shown)
    except ObjectDoesNotExist:
        return None
    if field is not None:
        return _plain(dict(field.flatchoices).get(value, value) if field.choices else getattr(row, field.name))
    number = _number(getattr(method, "admin_order_field", None), row)
    return _plain(value) if number is None else number


def _number(path: Any, row: Any) -> Cell:
    """The field that a column is sorted by, if it holds a number or a time: the screen's `1,204` is 1204 in a sheet."""
    if not isinstance(path, str):
        return None
    for part in path.removeprefix("-").split("__"):
        try:
            row = getattr(row, part, None)
        except (ObjectDoesNotExist, FieldDoesNotExist):
            return None
    is_number = isinstance(row, Decimal | int | datetime | date) and not isinstance(row, bool)
    return row if is_number else None


def _plain(value: Any) -> Cell:
    if isinstance(value, tuple):  # a coloured label: (key, words)
        value = value[-1]
    if isinstance(value, SafeString):
        return unescape(strip_tags(value)).strip()
    if value is None or isinstance(value, bool | int | Decimal | datetime):
        return value
    return str(value)
