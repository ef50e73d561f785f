"""Routes of orders; fixed words stand before ids."""

from orders.api import views
from workbox.core.routes import route

ORDER = r"orders/(?P<order_id>[0-9]{1,18})"
urlpatterns = [
    route("orders", views.OrdersView.as_view(), "orders"),
    route("orders/create_order", views.PendingOrdersView.as_view(), "orders-create-pending"),
    route("orders/plan", views.PlanView.as_view(), "orders-plan"),
    route(ORDER, views.OrderView.as_view(), "order"),
    route(f"{ORDER}/confirm", views.ConfirmView.as_view(), "order-confirm"),
    route(f"{ORDER}/cancel", views.CancelView.as_view(), "order-cancel"),
    route(f"{ORDER}/ship", views.ShipView.as_view(), "order-ship"),
    route(f"{ORDER}/deliver", views.DeliverView.as_view(), "order-deliver"),
    route(f"{ORDER}/return", views.ReturnView.as_view(), "order-return"),
    route(f"{ORDER}/timeline", views.TimelineView.as_view(), "order-timeline"),
    route("sales", views.SalesView.as_view(), "sales"),
]
