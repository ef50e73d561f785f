"""Imports in the admin: upload, map the columns, look at the differences, apply, take back."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.capabilities import IMPORTS_WRITE
from workbox.core.admin import (
    DayRangeFilter,
    Dialog,
    NumberSearch,
    ServiceAdmin,
    moment_text,
    row_or_404,
    service_dialog,
)
from workbox.core.numbers import plain
from workbox.exchange import imports
from workbox.exchange.bodies import first_rows, preview_row
from workbox.exchange.errors import FileRefused
from workbox.exchange.intake import keep, receive
from workbox.exchange.kinds import KINDS
from workbox.exchange.models import Import
from workbox.jobs.models import FINISHED

STATE_LABELS = {
    "uploaded": "info", "ready": "warning", "applied": "success", "reversed": "danger", "refused": "danger",
}  # fmt: skip
SHOWN = {"error": 100, "changed": 100, "new": 100, "unchanged": 20}
OPEN_STEPS = {
    "ready": {"columns", "apply"}, "uploaded": {"columns"}, "refused": {"columns"}, "applied": {"take_back"},
}  # fmt: skip


class UploadForm(forms.ModelForm):
    """A file, and what is in it."""

    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV or XLSX with column names in the first line; 20 MB and 50,000 rows at most.",
    )

    class Meta:
        model = Import
        fields = ["what"]

    def clean_file(self) -> Any:
        """The file is kept if it is one of ours."""
        given = self.cleaned_data["file"]
        try:
            self.received = receive(keep(given.chunks()))
        except FileRefused as error:
            raise forms.ValidationError(error.detail) from error
        return given


class ImportDialog(Dialog):
    """A dialog about one import."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found = row_or_404(imports.seen(Import.objects.all()), self.object_id)

    def summary(self) -> str:
        """What is about to happen to how many rows."""
        found = self.found
        return (
            f"{found.original_name or found}: {found.new_count} new, {found.changed_count} changed, "
            f"{found.unchanged_count} unchanged, {found.error_count} in error."
        )


class ColumnsDialog(ImportDialog):
    """Which column is which field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "–"), *((column, column) for column in self.found.columns if column)]
        for name in KINDS[self.found.what]().names():
            self.fields[f"field {name}"] = forms.ChoiceField(
                label=name, choices=choices, required=False, widget=UnfoldAdminSelectWidget,
                initial=self.found.mapping.get(name, ""),
            )  # fmt: skip

    def mapping(self) -> dict[str, str | None]:
        """Our field → the chosen column."""
        return {name.removeprefix("field "): value or None for name, value in self.cleaned_data.items()}


class ApplyDialog(ImportDialog):
    """What to do with rows in error."""

    mode = forms.ChoiceField(
        choices=[
            (imports.ALL_OR_NOTHING, "All rows, or none when one is in error"),
            (imports.VALID_ONLY, "Every row that is right; leave the others out"),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class TakeBackDialog(ImportDialog):
    """Why an import is undone."""

    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget)


@admin.register(Import)
class ImportAdmin(NumberSearch, ServiceAdmin):
    """Files on their way in."""

    form = UploadForm
    list_display = ["number", "what", "original_name", "state_label", "row_counts", "created_by", "when"]
    list_display_links = ["number", "original_name"]
    list_select_related = ["created_by"]
    list_filter = [("what", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter), ("created_at", DayRangeFilter)]
    search_fields = ["original_name", "created_by__username"]
    search_help_text = "Number, file or user"
    number_prefix = "IMPORT-"
    ordering = ["-id"]
    add_fieldsets = [(None, {"fields": ["what", "file"]})]
    fields = [("what", "state"), ("original_name", "row_counts"), ("created_by", "when")]
    readonly_fields = ["original_name", "state", "row_counts", "created_by", "when"]
    change_form_outer_after_template = "admin/panels/import.html"
    actions_detail = ["apply", "columns", "take_back"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Upload, then read."""
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_queryset(self, request: HttpRequest) -> Any:
        """What the asker may know of."""
        return imports.seen(super().get_queryset(request))

    # ---- list ----
    @admin.display(description="Import", ordering="id")
    def number(self, found: Import) -> str:
        """Its number."""
        return f"#{found.pk}"

    @display(description="State", ordering="state", label=STATE_LABELS)
    def state_label(self, found: Import) -> tuple[str, str]:
        """In colour."""
        return found.state, found.get_state_display()

    @admin.display(description="Rows")
    def row_counts(self, found: Import) -> str:
        """What the preview found."""
        return (
            f"{found.new_count} new, {found.changed_count} changed, {found.unchanged_count} unchanged, "
            f"{found.error_count} wrong"
        )

    @admin.display(description="Uploaded", ordering="id")
    def when(self, found: Import) -> str:
        """To the minute."""
        return moment_text(found.created_at)

    # ---- page ----
    def has_import_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may import."""
        return bool(request.user.can(IMPORTS_WRITE))  # type: ignore[union-attr]  # staff only: never AnonymousUser

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By capability."""
        return self.has_import_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never on the form: every step is a dialog."""
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """One button."""
        buttons = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The import with the differences it would make, or made."""
        found = (
            imports.seen(Import.objects.select_related("job"))
            .filter(pk=object_id if object_id.isdecimal() else 0)
            .first()
        )
        panel = _panel(found) if found is not None else None
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "panel": panel})

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        """The file is received and its preview queued."""
        made = imports.receive_import(
            form.received,
            what=form.cleaned_data["what"],
            original_name=form.cleaned_data["file"].name,
            user_id=request.user.pk,
        )
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: Import, post_url_continue: str | None = None) -> Any:
        """To its preview."""
        self.message_user(request, "The file is here; a worker compares it with what is known.")
        return HttpResponseRedirect(reverse("admin:exchange_import_change", args=[obj.pk]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """What its state is open to."""
        found = self.get_object(request, str(object_id))
        is_open = OPEN_STEPS.get(found.state, set()) if found is not None else set()
        return [
            one
            for one in super().get_actions_detail(request, object_id)
            if one.action_name.split("_", 2)[-1] in is_open
        ]

    # ---- steps ----
    @service_dialog(
        "Apply", form=ApplyDialog, submit="Write these rows", permission="import", icon="task_alt",
        variant=ActionVariant.PRIMARY, description="One transaction; it can be taken back as a whole.",
    )  # fmt: skip
    def apply(self, request: HttpRequest, form: ApplyDialog, import_id: int) -> str:
        """The rows are written."""
        imports.start_apply(import_id, mode=form.cleaned_data["mode"], user_id=request.user.pk)
        return "A worker writes the rows; look again in a moment."

    @service_dialog("Columns", form=ColumnsDialog, submit="Compare again", permission="import", icon="view_column")
    def columns(self, request: HttpRequest, form: ColumnsDialog, import_id: int) -> str:
        """The columns are mapped as chosen."""
        imports.set_mapping(import_id, form.mapping(), user_id=request.user.pk)
        return "A worker compares the file again; look again in a moment."

    @service_dialog(
        "Reverse", form=TakeBackDialog, submit="Take it back", permission="import", icon="undo",
        variant=ActionVariant.DANGER,
        description="Fields get their old values, what was new is retired, and the stock operation is reversed as a "
        "whole. Rows whose fields changed since keep them and are named; their stock goes back with the others'.",
    )  # fmt: skip
    def take_back(self, request: HttpRequest, form: TakeBackDialog, import_id: int) -> str:
        """What was written is taken back."""
        imports.start_reverse(import_id, reason=form.cleaned_data["reason"], user_id=request.user.pk)
        return "A worker takes it back; look again in a moment."


def _panel(found: Import) -> dict[str, Any]:
    """The context of `admin/panels/import.html`."""
    job = found.job
    reversal = found.result.get("reversal", {})
    return {
        "job": job,
        "job_url": reverse("admin:jobs_job_change", args=[job.pk]) if job is not None else "",
        "is_busy": job is not None and job.state not in FINISHED,
        "mapping": found.mapping,
        "operations": [
            {"id": one, "url": reverse("admin:inventory_stockoperation_change", args=[one])}
            for one in found.result.get("operation_ids", ())
        ],
        "result": found.result,
        "reversal": reversal,
        "counts": {
            "error": found.error_count,
            "changed": found.changed_count,
            "new": found.new_count,
            "unchanged": found.unchanged_count,
        },
        "limits": SHOWN,
        "rows": [_shown(row) for row in first_rows(found, statuses=SHOWN)],
    }


def _shown(row: Any) -> dict[str, Any]:
    body = preview_row(row)
    return body | {
        "label": row.get_status_display(),
        "outcome": row.get_outcome_display() if row.outcome else "",
        "changes": [
            {"field": name, "before": _text(one["before"]), "after": _text(one["after"])}
            for name, one in body["changes"].items()
        ],
        "errors": [f"{name}: {message}" for name, messages in body["errors"].items() for message in messages],
    }


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if hasattr(value, "as_tuple") else str(value)
