"""Papers in the admin: a row's documents as links on its page, and a PDF as the answer to a GET that writes nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.text import slugify

from workbox.core.admin import row_or_404
from workbox.core.errors import DomainError

PDF, PLAIN = "application/pdf", "text/plain; charset=utf-8"


def always(_row: Any) -> bool:
    """Of every row."""
    return True


@dataclass(frozen=True, slots=True)
class Paper:
    """One kind of document of a row: its name, how it is drawn, and of which rows there is one."""

    title: str
    draw: Callable[[list[int]], bytes]
    icon: str = "print"
    is_offered: Callable[[Any], bool] = always


def paper_response(body: bytes, name: str, *, kind: str = PDF) -> HttpResponse:
    """A document to look at and print: shown in the browser under a speaking name, kept nowhere."""
    place, ending = ("inline", "pdf") if kind == PDF else ("attachment", "zpl")
    return HttpResponse(
        body,
        content_type=kind,
        headers={
            "Content-Disposition": f'{place}; filename="{slugify(name) or "document"}.{ending}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def sender() -> str:
    """Who sends our documents: name and address as set."""
    lines = [settings.WORKBOX_COMPANY_NAME, *settings.WORKBOX_COMPANY_ADDRESS.split("|")]
    return "\n".join(line.strip() for line in lines if line.strip())


class PrintsPapers:
    """Mix-in for an admin: `papers` (name in the URL → Paper), offered on each row's page to who may view it."""

    papers: Mapping[str, Paper] = {}
    change_form_outer_before_template = "admin/panels/papers.html"

    def get_urls(self) -> list[Any]:
        """One route for all of the row's papers."""
        opts = self.opts  # type: ignore[attr-defined]  # of the admin this is mixed into
        view = self.admin_site.admin_view(self.print_paper)  # type: ignore[attr-defined]  # of the admin this is mixed into
        own = path("<int:object_id>/paper/<slug:name>/", view, name=f"{opts.app_label}_{opts.model_name}_paper")
        return [own, *super().get_urls()]  # type: ignore[misc]  # of the admin this is mixed into

    def print_paper(self, request: HttpRequest, object_id: int, name: str) -> HttpResponse:
        """The paper; why there is none yet stands on the row's page."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):  # type: ignore[attr-defined]  # of the admin this is mixed into
            raise PermissionDenied
        paper = self.papers.get(name)
        row = row_or_404(self.get_queryset(request), object_id)  # type: ignore[attr-defined]  # of the admin this is mixed into
        if paper is None:
            raise Http404(f"There is no paper “{name}” of {row}.")
        try:
            body = paper.draw([row.pk])
        except DomainError as error:
            messages.error(request, error.detail)
            opts = row._meta
            return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk]))
        return paper_response(body, f"{paper.title} {row}")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """The page with links to the papers there are of it."""
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]  # of the admin this is mixed into
        shown = {**(extra_context or {}), "papers": self.offered(row) if row is not None else []}
        return super().change_view(request, object_id, form_url, shown)  # type: ignore[misc]  # of the admin this is mixed into

    def offered(self, row: Any) -> list[dict[str, str]]:
        """The papers of this row, as links."""
        opts = row._meta
        route = f"admin:{opts.app_label}_{opts.model_name}_paper"
        return [
            {"title": paper.title, "icon": paper.icon, "url": reverse(route, args=[row.pk, name])}
            for name, paper in self.papers.items()
            if paper.is_offered(row)
        ]


def print_selected(
    request: HttpRequest, ids: Iterable[int], *, draw: Callable[[list[int]], bytes], name: str
) -> HttpResponse | None:
    """The document of a selection, for a list action; None after a refusal, which the list then shows."""
    try:
        return paper_response(draw(sorted(ids)), name)
    except DomainError as error:
        messages.error(request, error.detail)
        return None
