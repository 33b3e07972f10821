"""A search with text as its column stores it, and a filter by whether a column has a value."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext

from django_smsverify.models.charsets import storable


class FilledFilter(SimpleListFilter):
    """Whether a column has a value.

    Django's own filter for that has no choices that django-simpleui can show: for a time, it offers a calendar.
    """

    parameter_name: str

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [("0", gettext("Yes")), ("1", gettext("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (asked := self.value()) is None:
            return queryset
        if asked not in ("0", "1"):
            raise IncorrectLookupParameters
        column = self.parameter_name.removesuffix("__isempty")
        return queryset.filter(**{f"{column}__isnull": asked == "1"})


class SearchesWhatIsStored(ModelAdmin):
    """Searches with text as its column stores it: MySQL columns without emoji cannot be compared with emoji."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        column = f"{self.opts.db_table}.{self.search_fields[0]}"
        words = storable(search_term, connections[queryset.db], column)
        return super().get_search_results(request, queryset, words)
