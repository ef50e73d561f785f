"""Routes of jobs."""

from workbox.core.routes import route
from workbox.jobs.api import views

JOB = r"jobs/(?P<job_id>[0-9]{1,18})"
urlpatterns = [
    route("jobs", views.JobsView.as_view(), "jobs"),
    route(JOB, views.JobView.as_view(), "job"),
    route(f"{JOB}/cancel", views.CancelView.as_view(), "job-cancel"),
    route(f"{JOB}/file", views.FileView.as_view(), "job-file"),
]
