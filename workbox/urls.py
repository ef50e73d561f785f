"""All routes: the API under /api/v1/ (pinned) and without prefix (current), staff pages, health and documentation."""

from importlib import import_module

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from workbox.core import pages, views
from workbox.core.routes import ByFirstWord, route
from workbox.desk.urls import urlpatterns as desk
from workbox.explain_page import explain_page
from workbox.lookup import pages as lookup_pages
from workbox.lookup.dialogs import reorder
from workbox.pages import live, live_rows
from workbox.people_pages import roles_page, second_factor_code, second_factor_page
from workbox.planning import accuracy_page, replenishment_page
from workbox.planning.levels_dialog import levels
from workbox.scan import pages as scan_pages
from workbox.story.pages import story_page

api: list[URLPattern] = [
    one
    for module in (
        "orders.api.urls",
        "inventory.api.urls",
        "purchasing.api.urls",
        "insights.api.urls",
        "accounts.api.urls",
        "workbox.webhooks.api.urls",
        "workbox.jobs.api.urls",
        "workbox.exchange.api.urls",
        "workbox.planning.views",
        "workbox.core.urls",
    )
    for one in import_module(module).urlpatterns
]
urlpatterns: list[URLPattern | URLResolver] = [
    ByFirstWord("api/v1/", api),
    path("", pages.home, name="home"),
    path(
        "admin/inventory/product/<int:product_id>/explain/", admin.site.admin_view(explain_page), name="product-explain"
    ),
    *desk,
    path("admin/story/<str:subject>/<int:subject_id>/", admin.site.admin_view(story_page), name="story"),
    path(
        "admin/inventory/product/<int:product_id>/forecast/",
        admin.site.admin_view(lookup_pages.forecast),
        name="product-forecast",
    ),
    path("admin/lookup/", admin.site.admin_view(lookup_pages.page), name="lookup"),
    path("admin/lookup/hits/", admin.site.admin_view(lookup_pages.hits), name="lookup-hits"),
    path("admin/lookup/<int:product_id>/", admin.site.admin_view(lookup_pages.product_page), name="lookup-product"),
    path("admin/lookup/<int:product_id>/reorder/", admin.site.admin_view(reorder), name="lookup-reorder"),
    path("admin/replenishment/", admin.site.admin_view(replenishment_page.page), name="plan-page"),
    path("admin/replenishment/order/", admin.site.admin_view(replenishment_page.order), name="plan-order"),
    path("admin/replenishment/refresh/", admin.site.admin_view(replenishment_page.refresh), name="plan-refresh"),
    path("admin/replenishment/progress/", admin.site.admin_view(replenishment_page.progress), name="plan-progress"),
    path("admin/replenishment/levels/", admin.site.admin_view(levels), name="plan-levels"),
    path("admin/accuracy/", admin.site.admin_view(accuracy_page.page), name="accuracy"),
    path("admin/accuracy/train/", admin.site.admin_view(accuracy_page.train), name="accuracy-train"),
    path("admin/accuracy/progress/", admin.site.admin_view(accuracy_page.progress), name="accuracy-progress"),
    path("admin/second-factor/", second_factor_page, name="second-factor"),
    path("admin/second-factor/code/", second_factor_code, name="second-factor-code"),
    path("admin/roles/", admin.site.admin_view(roles_page), name="roles"),
    path("admin/scan/", scan_pages.needs_staff(scan_pages.page), name="scan"),
    path("admin/scan/choices/", scan_pages.needs_staff(scan_pages.choices), name="scan-choices"),
    path("admin/scan/book/", scan_pages.needs_staff(scan_pages.scan), name="scan-book"),
    path("admin/scan/undo/", scan_pages.needs_staff(scan_pages.undo_scan), name="scan-undo"),
    path("admin/scan/worker.js", scan_pages.needs_staff(scan_pages.worker), name="scan-worker"),
    path("admin/", admin.site.urls),
    path("live/", live, name="live"),
    path("live/rows/", live_rows, name="live-rows"),
    route("docs", pages.docs, "docs"),
    route("redoc", pages.redoc, "redoc"),
    path("redoc/redoc.standalone.js", pages.redoc_script, name="redoc-script"),
    route("api/schema", views.SchemaView.as_view(), "schema"),
    route("metrics", views.PrometheusView.as_view(), "prometheus"),
    ByFirstWord("", api),
]
handler400 = "workbox.core.pages.bad_request"
handler403 = "workbox.core.pages.forbidden"
handler404 = "workbox.core.pages.not_found"
handler500 = "workbox.core.pages.server_error"
