"""What staff keep on the desk for themselves."""

from django.conf import settings
from django.db import models

NAME_LENGTH, QUERY_LENGTH, LIST_LENGTH = 60, 1000, 100


class SavedFilter(models.Model):
    """A list as somebody likes to see it: filters, search and order under a name of their own."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    list_of = models.CharField(max_length=LIST_LENGTH, help_text="The model of the list: `orders.order`.")
    name = models.CharField(max_length=NAME_LENGTH)
    query = models.CharField(max_length=QUERY_LENGTH)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "list_of", "name"], name="saved_filter_name")]

    def __str__(self) -> str:
        return self.name
