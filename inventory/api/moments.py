"""How a client names a past moment."""

from datetime import UTC, datetime, time

from workbox.core.reading import Query
from workbox.core.schema import in_query

AS_OF = in_query("as_of", text="A past date (its end) or moment: stock as it was then.")
PAST = (
    "With `as_of`: what was on hand then, in all and per warehouse; what was promised then is not kept, so "
    "`stock_quantity`, `reserved` and `available` are null."
)


def read_as_of(query: Query) -> datetime | None:
    """The moment `as_of` names; a date is its end, today's is now. A moment in the future is a fault of the query."""
    moment, now = query.moment("as_of", end_of_day=True), datetime.now(UTC)
    if moment is None or moment <= now:
        return moment
    if moment.date() == now.date() and moment.time() == time.max:
        return now
    query.fault("as_of", "may not lie in the future")
    return None
