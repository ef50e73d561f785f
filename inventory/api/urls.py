"""Routes of inventory; fixed words stand before ids."""

from inventory.api import places, products, stock
from workbox.core.routes import route

ID = "[0-9]{1,18}"
urlpatterns = [
    route("products", products.ProductsView.as_view(), "products"),
    route(rf"products/(?P<product_id>{ID})", products.ProductView.as_view(), "product"),
    route(rf"products/(?P<product_id>{ID})/restore", products.ProductRestoreView.as_view(), "product-restore"),
    route("inventory", products.ProductsView.as_view(), "inventory"),
    route("inventory/adjust", stock.AdjustView.as_view(), "inventory-adjust"),
    route("inventory/low-stock", products.LowStockView.as_view(), "inventory-low-stock"),
    route("inventory/movements", stock.MovementListView.as_view(), "inventory-movements"),
    route(rf"inventory/products/(?P<product_id>{ID})/history", stock.HistoryView.as_view(), "inventory-history"),
    route(rf"inventory/changes/(?P<product_id>{ID})", stock.HistoryView.as_view(), "inventory-changes"),
    route(rf"inventory/operations/(?P<operation_id>{ID})/reverse", stock.ReverseView.as_view(), "operation-reverse"),
    route(rf"inventory/(?P<product_id>{ID})", products.ProductView.as_view(), "inventory-item"),
    route("stock-movements", stock.MovementsView.as_view(), "stock-movements"),
    route(rf"stock-movements/(?P<movement_id>{ID})", stock.MovementView.as_view(), "stock-movement"),
    route(rf"stock-operations/(?P<operation_id>{ID})", stock.OperationView.as_view(), "stock-operation"),
    route("warehouses", places.WarehousesView.as_view(), "warehouses"),
    route(rf"warehouses/(?P<warehouse_id>{ID})", places.WarehouseView.as_view(), "warehouse"),
    route("categories", places.CategoriesView.as_view(), "categories"),
    route(rf"categories/(?P<category_id>{ID})", places.CategoryView.as_view(), "category"),
    route("units", places.UnitsView.as_view(), "units"),
    route(rf"units/(?P<unit_id>{ID})", places.UnitView.as_view(), "unit"),
]
