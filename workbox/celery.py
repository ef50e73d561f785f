"""The Celery application: one engine everywhere, on the filesystem broker when embedded and on Redis in production."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings")

app = Celery("workbox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["workbox.core", "workbox.webhooks", "workbox.jobs", "workbox.exchange"])
