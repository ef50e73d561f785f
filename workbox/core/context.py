"""Who is asking, and under which request id: set at the edge, read where history is written."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("workbox_request_id", default="")
# True only inside a request that reads: its lists may come from a replica that is a moment behind.
reads_may_lag: ContextVar[bool] = ContextVar("workbox_reads_may_lag", default=False)
# The warehouses whoever asks is bound to; None: all of them (also for commands and workers). See `walls.py`.
warehouses: ContextVar[frozenset[int] | None] = ContextVar("workbox_warehouses", default=None)
actor_id: ContextVar[int | None] = ContextVar("workbox_actor_id", default=None)
