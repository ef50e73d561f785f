"""What stands above every list: what it shows by itself, one's own filters, exports; and below it, what comes after."""

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.http import QueryDict

from accounts.capabilities import EXPORTS_READ
from workbox.desk.lists import list_url
from workbox.desk.models import NAME_LENGTH, SavedFilter
from workbox.desk.services import kept_part
from workbox.exchange.writing import FORMATS

register = template.Library()


@register.inclusion_tag("admin/desk_bar.html", takes_context=True)
def desk_bar(context: dict[str, Any], cl: ChangeList) -> dict[str, Any]:
    """The bar above a list."""
    request = context["request"]
    label = cl.model._meta.label_lower
    query = request.GET.urlencode()
    current = kept_part(query)
    # By what it can, not by its class: Unfold loads tags while the admin's own classes are being made.
    specs: list[Any] = [spec for spec in cl.filter_specs if hasattr(spec, "acts_by_default")]
    saved = SavedFilter.objects.filter(user_id=request.user.pk, list_of=label)
    return {
        "list_of": label,
        "attention": next(
            (
                {"words": spec.default_words, "all_url": list_url(label, f"{spec.parameter_name}=all")}
                for spec in specs
                if spec.acts_by_default(request)
            ),
            None,
        ),
        "filters": [
            {"id": one.pk, "name": one.name, "url": list_url(label, one.query), "is_current": one.query == current}
            for one in saved
        ],
        "current": current,
        "exports": [
            {"name": kind.upper(), "kind": kind, "query": f"?{query}" if query else ""}
            for kind in FORMATS
            if request.user.can(EXPORTS_READ)
        ],
        "name_length": NAME_LENGTH,
        "is_popup": context.get("is_popup"),
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag(takes_context=True)
def older_url(context: dict[str, Any], cl: ChangeList) -> str:
    """Of a list that is too long to be counted: the rows older than the last one shown, found by key; else nothing."""
    rows = list(cl.result_list)
    request = context.get("request") or getattr(cl, "request", None)
    if not rows or cl.get_ordering_field_columns() or tuple(cl.model_admin.ordering or ()) != ("-id",):
        return ""
    query = QueryDict(request.GET.urlencode() if request else cl.get_query_string().lstrip("?"), mutable=True)
    query.pop("p", None)
    query["id__lt"] = str(rows[-1].pk)
    return f"?{query.urlencode()}"
