"""Loops that must outlive a fault of ours: the threads beside the requests, which nobody would start again.

The one place outside the API's edge that catches what it cannot name; it tells and counts it, and never hides it.
"""

from collections.abc import Callable
from typing import TypeVar

import structlog
from prometheus_client import Counter

T = TypeVar("T")
FAULTS = Counter("workbox_background_faults_total", "Faults that a background loop lived through.", ["loop"])
log = structlog.get_logger(__name__)


def survive(loop: str, work: Callable[[], T], *, fatal: Callable[[BaseException], bool] | None = None) -> T | None:
    """What `work` returns; None when it broke: that is logged as an error with its traceback, and counted.

    What `fatal` says True of is raised as it is. Only for a round of a background loop, whose caller pauses then.
    """
    try:
        return work()
    except Exception as error:
        if fatal is not None and fatal(error):
            raise
        FAULTS.labels(loop).inc()
        log.exception("background_fault", loop=loop)
        return None
