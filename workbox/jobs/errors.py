"""What can be wrong with a job."""

from workbox.core.errors import Conflict, NotFound


class JobUnknown(NotFound):
    """There is no such job, or it is somebody else's."""

    code = "job_not_found"


class JobFinished(Conflict):
    """The job is over; there is nothing left to cancel."""

    code = "job_finished"


class NoFile(Conflict):
    """The job has no file to fetch: it is not done, makes none, or its file was cleared away."""

    code = "no_file"


class Cancelled(Exception):
    """Raised at a checkpoint inside a job's work: its owner does not want it any more."""


class TakenOver(Exception):
    """Raised at a checkpoint inside a job's work: this worker was thought dead and another one has the job now."""
