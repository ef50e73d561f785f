"""Who is asking, and under which request id: set at the edge, read where history is written."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("workbox_request_id", default="")
actor_id: ContextVar[int | None] = ContextVar("workbox_actor_id", default=None)
