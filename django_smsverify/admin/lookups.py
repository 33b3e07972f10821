"""What may be asked of a list by its URL."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin


def filtered_by(admin: ModelAdmin[Any], lookup: str) -> bool:
    """Whether a lookup is one of the list's own filters.

    Django allows any field of the model, so that `?phone__startswith=…` would tell a masked number digit by digit.
    """
    filters = {entry[0] if isinstance(entry, (list, tuple)) else entry for entry in admin.list_filter}
    return lookup.partition("__")[0] in filters
