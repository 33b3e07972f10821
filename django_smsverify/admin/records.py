"""What the pages of all records have in common: search, filter and read, but not change; numbers are masked."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.models import Template

from .explaining import Explained
from .searching import SearchesRecords
from .whole_numbers import ShowsNumber


class ReadOnly:
    """Rows that only the package writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FirstPages(Paginator):
    """Pages over the first `most` rows: counting a big table would read all of it."""

    most = 500

    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[: self.most].count()


class PurposeFilter(admin.AllValuesFieldListFilter):
    """The purposes of the templates: reading them from the records would read the whole table."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lookup_choices = Template.objects.order_by("purpose").values_list("purpose", flat=True).distinct()


class RecordAdmin(ReadOnly, Explained, SearchesRecords, ShowsNumber):
    """Newest first.

    Tables have millions of rows: what has no index, such as another order or the total count, is not offered.
    """

    list_per_page = 50
    paginator = FirstPages
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        words = gettext("the newest %d at most: filters lead to older ones") % FirstPages.most
        return super().changelist_view(request, {"subtitle": words, "most_rows": "", **(extra_context or {})})

    @admin.display(description=_("phone"))
    def masked_phone(self, row: Any) -> str:
        """The phone number without its middle digits."""
        return phones.mask(row.phone)


class ProviderRecordAdmin(RecordAdmin):
    """Prefetches providers: with a join, MariaDB reads this small table first and sorts all records."""

    list_select_related = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("provider")
