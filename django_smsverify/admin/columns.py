"""Columns of lists and pages: times with their seconds, masked free text, and what a narrow cell cuts off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_smsverify.journal.words import moment
from django_smsverify.phones import masked

NOTHING = "-"
"""As Django writes it; on a page it would show None as a word."""


def time_column(model: type[models.Model], name: str) -> Any:
    """A time with its seconds, in the time zone of the site: Django writes minutes, and words for some of them."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name, ordering=name)
    def column(row: Any) -> str:
        at = getattr(row, name)
        return moment(at) if at else NOTHING

    column.__name__ = name  # the CSS class of the column
    return column


def masked_column(model: type[models.Model], name: str) -> Any:
    """Free text with masked numbers, with the field's own label; a list shows it in part."""
    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name)
    def column(row: Any) -> SafeString | str:
        return cut(masked(getattr(row, name)))

    column.__name__ = name  # the CSS class of the column
    return column


def cut(words: str) -> SafeString | str:
    """Words that a list may show in part; all of them are shown under the pointer."""
    return format_html('<span class="smsverify-cut" title="{}">{}</span>', words, words) if words else NOTHING
