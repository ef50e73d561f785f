"""Service: somebody's own filters of a list, kept under a name."""

from django.http import QueryDict

from workbox.core.db import transactional
from workbox.core.errors import Invalid, NotFound, RuleViolation
from workbox.desk.models import NAME_LENGTH, QUERY_LENGTH, SavedFilter

FILTERS_MAX = 20  # per person and list: more than fit above a list are no help
# Of a list's address: which page of it, and how it was opened.
NOT_OF_THE_FILTER = ("p", "e", "_popup", "_to_field", "_changelist_filters", "id__lt")


def kept_part(query: str) -> str:
    """What of a list's query string is worth keeping: filters, search and order, without empty ones."""
    given = QueryDict(query[: 4 * QUERY_LENGTH])
    kept = QueryDict(mutable=True)
    for name, values in sorted(given.lists()):
        if name not in NOT_OF_THE_FILTER and any(values):
            kept.setlist(name, [one for one in values if one])
    return kept.urlencode()


@transactional
def save_filter(user_id: int, *, list_of: str, name: str, query: str) -> SavedFilter:
    """The list's filter is kept under this name; a filter of that name is replaced.

    Raises Invalid for a name or filter that cannot be kept, RuleViolation when there are too many.
    """
    name, query = " ".join(name.split()), kept_part(query)
    if not name or len(name) > NAME_LENGTH:
        raise Invalid(
            f"Give the filter a name of 1 to {NAME_LENGTH} characters.", fields={"name": ["1 to 60 characters."]}
        )
    if not query or len(query) > QUERY_LENGTH:
        raise Invalid("Filter, search or sort the list first; then keep that under a name.")
    mine = SavedFilter.objects.filter(user_id=user_id, list_of=list_of)
    if not mine.filter(name=name).exists() and mine.count() >= FILTERS_MAX:
        raise RuleViolation(f"There are {FILTERS_MAX} filters of this list already: delete one first.")
    return SavedFilter.objects.update_or_create(user_id=user_id, list_of=list_of, name=name, defaults={"query": query})[
        0
    ]


@transactional
def delete_filter(user_id: int, *, filter_id: int) -> SavedFilter:
    """The filter is gone; the list stays as it is. Raises NotFound when it is not theirs."""
    found = SavedFilter.objects.filter(user_id=user_id, pk=filter_id).first()
    if found is None:
        raise NotFound("You have no such filter; it may be deleted already.")
    SavedFilter.objects.filter(pk=filter_id).delete()
    return found
