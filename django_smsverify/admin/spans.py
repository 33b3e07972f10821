"""A filter of lists by time: Django's links, and the first and the last day that an operator enters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime


class SpanFilter(admin.DateFieldListFilter):
    """Takes `gte` and `lte`, each a day, both included, or a moment, beside what Django's links ask for.

    A plain form that is sent with GET: it needs no JavaScript, and django-simpleui's date picker sends the same.
    """

    template = "admin/smsverify/span_filter.html"

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: type[Model], model_admin: Any, field_path: str
    ) -> None:
        self.first_name, self.last_name = f"{field_path}__gte", f"{field_path}__lte"
        super().__init__(field, request, params, model, model_admin, field_path)
        self._others = [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if not name.startswith(self.field_generic) and name not in ("p", "e")
        ]
        used: dict[str, Any] = self.used_parameters
        self._asked: dict[str, str] = {name: values[-1] for name, values in used.items()}
        for name, value in self._asked.items():
            if not value:
                del self.used_parameters[name]
                continue
            with suppress(ValueError):  # Django refuses it
                self._use(name, value)

    def expected_parameters(self) -> list[str | None]:
        return [*super().expected_parameters(), self.last_name]

    def _use(self, name: str, written: str) -> None:
        """A day begins at its first second, and as the last one it ends before the first of the next."""
        day = parse_date(written)
        at = datetime.combine(day, time.min) if day else parse_datetime(written)
        if at is None:
            return
        if day is not None and name == self.last_name:
            del self.used_parameters[name]
            name, at = f"{self.field_path}__lt", at + timedelta(days=1)
        if settings.USE_TZ and timezone.is_naive(at):
            at = timezone.make_aware(at)
        self.used_parameters[name] = [at]

    @property
    def first_day(self) -> str:
        """The first day that is shown, for the form; blank for none."""
        return self._day(self.first_name)

    @property
    def last_day(self) -> str:
        """The last one."""
        return self._day(self.last_name)

    def _day(self, name: str) -> str:
        with suppress(ValueError):
            written = self._asked.get(name, "")
            found = parse_date(written) or parse_datetime(written)
            if isinstance(found, datetime):
                found = timezone.localtime(found).date() if timezone.is_aware(found) else found.date()
            return found.isoformat() if isinstance(found, date) else ""
        return ""

    @property
    def others(self) -> Iterator[tuple[str, str]]:
        """The other filters, which the form keeps."""
        yield from self._others
