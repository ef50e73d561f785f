"""What the worker does for jobs: three lines each, and harmless when delivered twice."""

from celery import shared_task

from workbox.jobs import services


@shared_task(name="jobs.run")
def run(job_id: int) -> bool:
    """Do this job, unless somebody has it or it is over."""
    return services.run(job_id)


@shared_task(name="jobs.reap")
def reap() -> dict[str, int]:
    """Jobs that lost their worker, or never reached one, get another."""
    return services.resend_and_requeue()


@shared_task(name="jobs.clear_files")
def clear_files() -> int:
    """Files of old jobs make room."""
    return services.clear_old_files()
