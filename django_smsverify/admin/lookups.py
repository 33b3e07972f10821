"""What may be asked of a list by its URL."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin

FILTERS_ASK = {"", "exact", "id__exact", "in", "isnull", "isempty", "gte", "lt"}
"""The lookups that Django's own filters put behind the name of a field."""


def filtered_by(admin: ModelAdmin[Any], lookup: str) -> bool:
    """Whether a lookup is one of the list's own filters.

    Django allows any field of the model and of those beyond a filter, so that `?phone__startswith=…` or
    `?provider__webhook_secret__startswith=…` would tell what is hidden, letter by letter.
    """
    named = (entry[0] if isinstance(entry, (list, tuple)) else entry for entry in admin.list_filter)
    filters = {getattr(entry, "parameter_name", entry) for entry in named}
    field, _, asked = lookup.partition("__")
    return field in filters and asked in FILTERS_ASK
