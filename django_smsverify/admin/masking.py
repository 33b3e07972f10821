"""Columns of the admin that show free text with masked phone numbers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models

from django_smsverify.phones import masked as masked

NOTHING = "-"
"""As Django writes it; on a page it would show None as a word."""


def masked_column(model: type[models.Model], name: str) -> Any:
    """A masked column of free text for a list or a page, with the field's own label."""

    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name)
    def column(row: Any) -> str:
        return masked(getattr(row, name)) or NOTHING

    column.__name__ = name  # the CSS class of the column
    return column
