"""The figures of the home page alone, for a page that fetches itself anew when something moves."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from insights.dashboard import home_figures


@never_cache
@require_GET
def figures(request: HttpRequest) -> HttpResponse:
    """As on the home page, as they are now."""
    return render(request, "admin/home_figures.html", {"home": home_figures(request)})
