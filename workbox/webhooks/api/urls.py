"""Routes of webhooks."""

from workbox.core.routes import route
from workbox.webhooks.api import views

HOOK = r"webhooks/(?P<webhook_id>[0-9]{1,18})"
urlpatterns = [
    route("webhooks", views.WebhooksView.as_view(), "webhooks"),
    route(HOOK, views.WebhookView.as_view(), "webhook"),
    route(f"{HOOK}/rotate-secret", views.RotateView.as_view(), "webhook-rotate"),
    route(f"{HOOK}/test", views.TestView.as_view(), "webhook-test"),
    route(f"{HOOK}/replay", views.ReplayView.as_view(), "webhook-replay"),
    route(f"{HOOK}/deliveries", views.DeliveriesView.as_view(), "webhook-deliveries"),
    route(rf"{HOOK}/deliveries/(?P<delivery_id>[0-9]{{1,18}})/replay", views.AgainView.as_view(), "webhook-again"),
]
