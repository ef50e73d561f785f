"""Routes of exports, reports and imports; fixed words stand before ids."""

from workbox.core.routes import route
from workbox.exchange.api import exports, imports

IMPORT = r"imports/(?P<import_id>[0-9]{1,18})"
urlpatterns = [
    route("exports", exports.ExportsView.as_view(), "exports"),
    route(r"exports/(?P<file_name>[a-z0-9.]{1,40})", exports.DirectExportView.as_view(), "export-direct"),
    route("reports/inventory", exports.InventoryReportView.as_view(), "report-inventory"),
    route("reports/sales", exports.SalesReportView.as_view(), "report-sales"),
    route("reports/movements", exports.MovementsReportView.as_view(), "report-movements"),
    route("imports", imports.ImportsView.as_view(), "imports"),
    route(IMPORT, imports.ImportView.as_view(), "import"),
    route(f"{IMPORT}/mapping", imports.MappingView.as_view(), "import-mapping"),
    route(f"{IMPORT}/preview", imports.PreviewView.as_view(), "import-preview"),
    route(f"{IMPORT}/apply", imports.ApplyView.as_view(), "import-apply"),
    route(f"{IMPORT}/reverse", imports.ReverseView.as_view(), "import-reverse"),
]
