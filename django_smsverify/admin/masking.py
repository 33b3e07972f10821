"""Masks phone numbers in free text that the admin shows."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db import models

BETWEEN = r"[\s().,+/_·\-‐-―－．，（）\u200b-\u200f\u2060\ufeff]"
"""Characters between the digits of a number, as people write it or address books copy it."""
BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
NUMBER = re.compile(
    # IP addresses and dates are kept: they are not phone numbers, and help to find a problem.
    rf"(?P<kept>(?<![\d.]){BYTE}(?:\.{BYTE}){{3}}(?!\.?\d)|(?<!\d)20[0-9]{{2}}-[01][0-9]-[0-3][0-9](?!\d))"
    rf"|\d(?:{BETWEEN}{{0,3}}\d){{6,}}"
)
"""What may be a phone number, in any notation."""


def masked(words: str) -> str:
    """The text with the middle digits of each phone number hidden."""
    return NUMBER.sub(_mask_match, words)


def _mask_match(number: re.Match[str]) -> str:
    if number["kept"]:
        return number[0]
    digits = re.sub(r"\D", "", number[0])
    return f"{digits[-11:-8]}****{digits[-4:]}"


def masked_column(model: type[models.Model], name: str) -> Any:
    """A masked column of free text for a list or a page, with the field's own label."""

    field: Any = model._meta.get_field(name)

    @admin.display(description=field.verbose_name)
    def column(row: Any) -> str | None:
        return masked(getattr(row, name)) or None

    column.__name__ = name  # the CSS class of the column
    return column
