"""Routes of purchasing; fixed words stand before ids."""

from purchasing.api import orders, vendors
from workbox.core.routes import route

ID = r"[0-9]{1,18}"
VENDOR, ORDER = rf"vendors/(?P<vendor_id>{ID})", rf"purchase-orders/(?P<order_id>{ID})"
urlpatterns = [
    route("vendors", vendors.VendorsView.as_view(), "vendors"),
    route(VENDOR, vendors.VendorView.as_view(), "vendor"),
    route(f"{VENDOR}/restore", vendors.RestoreVendorView.as_view(), "vendor-restore"),
    route(f"{VENDOR}/prices", vendors.VendorPricesView.as_view(), "vendor-prices"),
    route(f"{VENDOR}/lead-times", vendors.LeadTimesView.as_view(), "vendor-lead-times"),
    route(rf"products/(?P<product_id>{ID})/vendors", vendors.ProductVendorsView.as_view(), "product-vendors"),
    route("purchase-orders", orders.PurchaseOrdersView.as_view(), "purchase-orders"),
    route(ORDER, orders.PurchaseOrderView.as_view(), "purchase-order"),
    route(f"{ORDER}/send", orders.SendView.as_view(), "purchase-order-send"),
    route(f"{ORDER}/receive", orders.ReceiveView.as_view(), "purchase-order-receive"),
    route(f"{ORDER}/cancel", orders.CancelPurchaseView.as_view(), "purchase-order-cancel"),
    route(f"{ORDER}/close", orders.CloseView.as_view(), "purchase-order-close"),
    route(f"{ORDER}/receipts", orders.ReceiptsView.as_view(), "purchase-order-receipts"),
]
