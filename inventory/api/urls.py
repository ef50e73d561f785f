"""Routes of inventory; fixed words stand before ids."""

from inventory.api import barcodes, bulk, counts, places, products, stock, thresholds, transfers, valuation
from workbox.core.routes import route

ID = "[0-9]{1,18}"
CODE = "[^/]{1,64}"
urlpatterns = [
    route("products", products.ProductsView.as_view(), "products"),
    route("products/bulk-price", bulk.BulkPriceView.as_view(), "products-bulk-price"),
    route(rf"products/(?P<product_id>{ID})", products.ProductView.as_view(), "product"),
    route(rf"products/(?P<product_id>{ID})/restore", products.ProductRestoreView.as_view(), "product-restore"),
    route(rf"products/(?P<product_id>{ID})/barcodes", barcodes.ProductBarcodesView.as_view(), "product-barcodes"),
    route(rf"products/(?P<product_id>{ID})/thresholds", thresholds.ThresholdsView.as_view(), "product-thresholds"),
    route("inventory", products.ProductsView.as_view(), "inventory"),
    route("inventory/adjust", stock.AdjustView.as_view(), "inventory-adjust"),
    route("inventory/bulk-adjust", bulk.BulkAdjustView.as_view(), "inventory-bulk-adjust"),
    route("inventory/low-stock", products.LowStockView.as_view(), "inventory-low-stock"),
    route("inventory/valuation", valuation.ValuationView.as_view(), "inventory-valuation"),
    route("inventory/movements", stock.MovementListView.as_view(), "inventory-movements"),
    route(rf"inventory/products/(?P<product_id>{ID})/history", stock.HistoryView.as_view(), "inventory-history"),
    route(rf"inventory/changes/(?P<product_id>{ID})", stock.HistoryView.as_view(), "inventory-changes"),
    route(rf"inventory/operations/(?P<operation_id>{ID})/reverse", stock.ReverseView.as_view(), "operation-reverse"),
    route(rf"inventory/(?P<product_id>{ID})", products.ProductView.as_view(), "inventory-item"),
    route("stock-movements/bulk", bulk.BulkMovementsView.as_view(), "stock-movements-bulk"),
    route("stock-movements", stock.MovementsView.as_view(), "stock-movements"),
    route(rf"stock-movements/(?P<movement_id>{ID})", stock.MovementView.as_view(), "stock-movement"),
    route("stock-operations", stock.OperationsView.as_view(), "stock-operations"),
    route(rf"stock-operations/(?P<operation_id>{ID})", stock.OperationView.as_view(), "stock-operation"),
    route("stock-transfers", transfers.TransfersView.as_view(), "stock-transfers"),
    route(rf"stock-transfers/(?P<transfer_id>{ID})", transfers.TransferView.as_view(), "stock-transfer"),
    route(
        rf"stock-transfers/(?P<transfer_id>{ID})/dispatch",
        transfers.TransferDispatchView.as_view(),
        "transfer-dispatch",
    ),
    route(
        rf"stock-transfers/(?P<transfer_id>{ID})/complete",
        transfers.TransferCompleteView.as_view(),
        "transfer-complete",
    ),
    route(rf"stock-transfers/(?P<transfer_id>{ID})/cancel", transfers.TransferCancelView.as_view(), "transfer-cancel"),
    route("stock-counts", counts.CountsView.as_view(), "stock-counts"),
    route(rf"stock-counts/(?P<count_id>{ID})", counts.CountView.as_view(), "stock-count"),
    route(rf"stock-counts/(?P<count_id>{ID})/lines", counts.CountLinesView.as_view(), "count-lines"),
    route(rf"stock-counts/(?P<count_id>{ID})/variances", counts.VariancesView.as_view(), "count-variances"),
    route(rf"stock-counts/(?P<count_id>{ID})/close", counts.CountCloseView.as_view(), "count-close"),
    route(rf"stock-counts/(?P<count_id>{ID})/cancel", counts.CountCancelView.as_view(), "count-cancel"),
    route("barcode/scan", barcodes.ScanView.as_view(), "barcode-scan"),
    route("barcode/link", barcodes.LinkView.as_view(), "barcode-link"),
    route(rf"barcode/lookup/(?P<barcode>{CODE})", barcodes.LookupView.as_view(), "barcode-lookup"),
    route(rf"barcode/(?P<barcode>{CODE})", barcodes.BarcodeView.as_view(), "barcode"),
    route("warehouses", places.WarehousesView.as_view(), "warehouses"),
    route(rf"warehouses/(?P<warehouse_id>{ID})", places.WarehouseView.as_view(), "warehouse"),
    route("categories", places.CategoriesView.as_view(), "categories"),
    route(rf"categories/(?P<category_id>{ID})", places.CategoryView.as_view(), "category"),
    route("units", places.UnitsView.as_view(), "units"),
    route(rf"units/(?P<unit_id>{ID})", places.UnitView.as_view(), "unit"),
]
