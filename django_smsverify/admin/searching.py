"""Searching records by a number, in whole or in part, or by an id, always through an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported, SMSVerifyError
from django_smsverify.journal.finding import find
from django_smsverify.journal.story import MOST_DAYS

from .looks import ModelAdmin

MOST_NUMBERS = 50
"""Of those with the same last digits, the last used ones are shown."""


class SearchesRecords(ModelAdmin):
    """Tries what a text may be, in the order of how surely it is meant, and shows the first that is found."""

    search_fields = ("pk__exact",)
    """Has Django show the field; `get_search_results` does not use it."""
    search_help_text = _(
        "A number, whole, as it is shown masked (138****8000) or its last four digits; an id at the vendor; the id of "
        "a message or of a verification"
    )
    phone_field = "phone"
    by_our_id: tuple[str, ...] = ()
    """What of a row may have an id of ours."""
    by_vendors_id = ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        whole = next((rows for rows in self._meant(queryset, text) if rows.exists()), None)
        return (self._with_numbers_like(queryset, text) if whole is None else whole), False

    def _meant(self, rows: QuerySet[Any], text: str) -> Iterator[QuerySet[Any]]:
        """The rows with this number or id."""
        with suppress(SMSVerifyError):
            yield rows.filter(**{self.phone_field: phones.parse(text)})
        with suppress(ValueError):
            ours = UUID(text)
            yield from (rows.filter(**{name: ours}) for name in self.by_our_id)
        if self.by_vendors_id:
            yield rows.filter(**{self.by_vendors_id: text})

    def _with_numbers_like(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """The rows of the numbers of which this is a part, or of other rows with this id."""
        numbers: list[str] = []
        with suppress(InvalidPhone, PhoneNotSupported):
            numbers += [one.phone for one in find(text, MOST_DAYS)[:MOST_NUMBERS]]
        return rows.filter(**{f"{self.phone_field}__in": numbers})
