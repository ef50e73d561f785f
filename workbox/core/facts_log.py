"""Business events in the structured log: one line per fact, for those who collect logs and not databases."""

from collections.abc import Sequence

import orjson
import structlog

from workbox.core.events import Fact
from workbox.core.followers import Follower

log = structlog.get_logger("workbox.facts")


def take(facts: Sequence[Fact]) -> None:
    """Log each fact with its place in the stream and its own keys."""
    for fact in facts:
        own = orjson.loads(fact.payload or "{}")
        log.info(fact.type, topic=fact.topic, subject_id=fact.subject_id, cursor=fact.cursor, facts=own)


FOLLOWER = Follower("log", take)
