"""A list as CSV, filtered as it is shown: streamed, bounded, masked, and written into the access log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone, translation
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import Accessed
from django_smsverify.journal.words import moment
from django_smsverify.money.costs import today
from django_smsverify.privacy.access_log import log_access
from django_smsverify.spreadsheets import BYTE_ORDER_MARK, csv_lines

from .looks import ModelAdmin
from .whole_numbers import PERMISSION as WHOLE_NUMBERS
from .whole_numbers import shown_whole

MOST_ROWS = 100_000
CHUNK = 1000
"""Rows that are read and written at once."""
VENDORS_WORDS = frozenset({"error_code", "code", "detail"})
"""In which a number may stand."""
IDS = {"id": _("id on this site"), "verification_id": _("id of the verification"), "message_id": _("id of the message")}
"""The heads of columns whose fields have no name in the user's language."""


class Exports(ModelAdmin):
    """Adds the export for those who may view the list, and another with full numbers for those who may see these."""

    exported: tuple[str, ...] = ()
    """The columns: names of fields, or of methods of the admin."""

    def get_urls(self) -> list[URLPattern]:
        name, view = f"smsverify_{self.opts.model_name}_export", self.admin_site.admin_view
        own = [
            path("export/", view(self.export_view), name=name),
            path("export/full/", view(self.full_export_view), name=f"{name}_full"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"most_rows": f"{MOST_ROWS:,}", "may_see_numbers": request.user.has_perm(WHOLE_NUMBERS)}
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Streams the newest rows of the list, with masked numbers for everybody."""
        return self._export(request, Accessed.EXPORTED_LIST)

    def full_export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Streams them with full numbers."""
        if not request.user.has_perm(WHOLE_NUMBERS):
            raise PermissionDenied
        return self._export(request, Accessed.EXPORTED_NUMBERS)

    def _export(self, request: HttpRequest, what: Accessed) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            url = reverse(f"admin:smsverify_{self.opts.model_name}_changelist", current_app=self.admin_site.name)
            return HttpResponseRedirect(f"{url}?e=1")
        # Logged first: a download that is broken off was a look, too.
        count = rows[:MOST_ROWS].count()
        log_access(request.user.get_username(), what, str(self.opts.model_name), count)
        is_full = what is Accessed.EXPORTED_NUMBERS
        name = f"sms-{self.opts.model_name}-{'full-numbers-' if is_full else ''}{today()}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        lines = self._lines(rows, is_full=is_full)
        told = _in_language(lines, translation.get_language(), timezone.get_current_timezone())
        return StreamingHttpResponse(told, content_type="text/csv; charset=utf-8", headers=headers)

    def _lines(self, rows: QuerySet[Any], *, is_full: bool) -> Iterator[str]:
        heads = [capfirst(str(IDS.get(name) or label_for_field(name, self.model, self))) for name in self.exported]
        yield BYTE_ORDER_MARK + csv_lines([heads])
        for part in self._parts(rows):
            whole = shown_whole(row.phone for row in part) if is_full else set()
            yield csv_lines([self._cell(row, name, whole) for name in self.exported] for row in part)

    def _parts(self, rows: QuerySet[Any]) -> Iterator[list[Any]]:
        """The newest rows in parts, each found by the index from the last row of the one before.

        One query for all would have MariaDB sort the whole table, and MySQL's clients keep all rows in memory.
        """
        name, left, older = str((self.opts.ordering or ["-pk"])[0]).removeprefix("-"), MOST_ROWS, rows
        while part := list(older[: min(CHUNK, left)]):
            yield part
            left -= len(part)
            at, pk = getattr(part[-1], name), part[-1].pk
            after = Q(**{f"{name}__lt": at}) | Q(**{name: at, "pk__lt": pk})
            older = rows.filter(after, **{f"{name}__lte": at})

    def _cell(self, row: Any, name: str, whole: set[str]) -> str | int:
        """A value as a person reads it."""
        if own := getattr(self, name, None):
            return str(own(row))
        value = getattr(row, name)
        if name == "phone":
            return value.removeprefix("+86") if value in whole else phones.mask(value) if value else ""
        if shown := getattr(row, f"get_{name}_display", None):
            return str(shown())
        if isinstance(value, datetime):
            return moment(value)
        if name in VENDORS_WORDS:
            return phones.masked(value)
        return value if isinstance(value, int) else "" if value is None else str(value)


def _in_language(lines: Iterator[str], language: str | None, zone: tzinfo) -> Iterator[str]:
    """The same lines, made in this language and this time zone: when they are sent, the request is over."""
    while True:
        with translation.override(language), timezone.override(zone):
            part = next(lines, None)
        if part is None:
            return
        yield part
