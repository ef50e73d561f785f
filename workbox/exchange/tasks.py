"""Nightly work on uploaded files."""

from celery import shared_task

from workbox.exchange import imports


@shared_task(name="exchange.clear_files")
def clear_files() -> int:
    """Uploaded files of long ago make room."""
    return imports.clear_old_files()
