"""Which lookups the URL of a list may use."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest

from django_smsverify.models.charsets import storable

FILTERS_ASK = {"", "exact", "id__exact", "in", "isnull", "isempty", "gte", "lt"}
"""The lookups that Django's own filters append to the name of a field."""


def filtered_by(admin: ModelAdmin[Any], lookup: str) -> bool:
    """Whether a lookup is one of the list's own filters.

    Django also allows lookups on any field of the model and of related models: `?phone__startswith=…` or
    `?provider__webhook_secret__startswith=…` would reveal hidden values letter by letter.
    """
    named = (entry[0] if isinstance(entry, (list, tuple)) else entry for entry in admin.list_filter)
    filters = {getattr(entry, "parameter_name", entry) for entry in named}
    field, _, asked = lookup.partition("__")
    return field in filters and asked in FILTERS_ASK


class SearchesWhatIsStored(ModelAdmin):
    """Searches with text as its column stores it: MySQL columns without emoji cannot be compared with emoji."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        column = f"{self.opts.db_table}.{self.search_fields[0]}"
        words = storable(search_term, connections[queryset.db], column)
        return super().get_search_results(request, queryset, words)
