"""Routes of the system itself."""

from workbox.core import views
from workbox.core.routes import route

urlpatterns = [
    route("health", views.HealthView.as_view(), "health"),
    route("health/live", views.LiveView.as_view(), "health-live"),
    route("health/ready", views.ReadyView.as_view(), "health-ready"),
    route("metrics", views.MetricsView.as_view(), "metrics"),
    route("events", views.EventsView.as_view(), "events"),
]
