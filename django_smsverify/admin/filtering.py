"""Which lookups the URL of a list may use."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin

FILTERS_ASK = {"exact", "id__exact", "in", "isnull", "isempty", "gte", "lt", "lte"}
"""The lookups that Django's own filters, and `SpanFilter`, append to the name of a field."""


def filtered_by(admin: ModelAdmin[Any], lookup: str) -> bool:
    """Whether a lookup is one of the list's own filters.

    Django also allows lookups on any field of the model and of related models: `?phone__startswith=…` or
    `?provider__webhook_secret__startswith=…` would reveal hidden values letter by letter.
    """
    named = (entry[0] if isinstance(entry, (list, tuple)) else entry for entry in admin.list_filter)
    filters = [str(getattr(entry, "parameter_name", entry)) for entry in named]
    return any(lookup == name or lookup.removeprefix(f"{name}__") in FILTERS_ASK for name in filters)
