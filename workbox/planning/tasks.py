"""What the clock asks for; each starts a job, so that its progress and result can be seen."""

from celery import shared_task

from insights import curves, demand
from workbox.planning import work


@shared_task(name="planning.update_demand")
def update_demand() -> bool:
    """Bring the daily demand up to date, if anything happened."""
    return demand.waiting() > 0 and work.start(work.DEMAND)[1]


@shared_task(name="planning.update_demand_after_bulk")
def update_demand_after_bulk() -> bool:
    """The same at once after an import or other bulk work."""
    return demand.waiting() >= work.BULK_ROWS and work.start(work.DEMAND)[1]


@shared_task(name="planning.refresh_suggestions")
def refresh_suggestions() -> bool:
    """Work out anew what to order: stock and purchase orders moved since."""
    return curves.current_run() is not None and work.start(work.SUGGESTIONS)[1]


@shared_task(name="planning.refit")
def refit_all() -> bool:
    """Fit all products anew."""
    return work.start(work.REFIT)[1]


@shared_task(name="planning.train")
def train_all() -> bool:
    """Fit all products anew and test the forecasts on past days."""
    return work.start(work.TRAINING)[1]
