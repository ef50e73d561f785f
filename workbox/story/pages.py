"""A whole time-line as a page of the admin: narrowed to a kind, and on into the past."""

from typing import Any

from django import template
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template import RequestContext
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from workbox.core.admin import row_or_404
from workbox.story.telling import SUBJECTS, tell

CURSOR_LENGTH_MAX = 20
STEPS_ON_A_PANEL = 10
register = template.Library()


@require_GET
def story_page(request: HttpRequest, subject: str, subject_id: int) -> HttpResponse:
    """The story of one product, order, warehouse or user, for those who may see its page."""
    if subject not in SUBJECTS:
        raise Http404(f"There is no time-line of a {subject}.")
    model_admin: Any = admin.site.get_model_admin(SUBJECTS[subject].model)
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    row = row_or_404(model_admin.get_queryset(request), subject_id)
    cursor = request.GET.get("before", "")[:CURSOR_LENGTH_MAX]
    shown = {
        **admin.site.each_context(request),
        "title": f"Time-line of {row}",
        "back_url": reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_change", args=[row.pk]),
        "back": str(row),
        "story": tell(subject, row.pk, asker=request.user, kind=request.GET.get("kind", ""), before=cursor),
    }
    return TemplateResponse(request, "admin/story.html", shown)


@register.inclusion_tag("admin/panels/story.html", takes_context=True)
def story(context: RequestContext, subject: str, subject_id: int) -> dict[str, Any]:
    """The newest steps of a story, on the page of what it is about."""
    found = tell(subject, subject_id, asker=context["request"].user)
    return {"story": found, "steps": found["steps"][:STEPS_ON_A_PANEL]}
