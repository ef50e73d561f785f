"""Does queued jobs here and now, as a worker would."""

from workbox.jobs import services
from workbox.jobs.models import Job, JobState


def work_off() -> list[Job]:
    """Every queued job is done; they are returned in order."""
    ids = list(Job.objects.filter(state=JobState.QUEUED).order_by("id").values_list("id", flat=True))
    for one in ids:
        services.run(one)
    return list(Job.objects.filter(id__in=ids).order_by("id"))
