"""Links only for who may follow them: Django links each row that a read-only field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst


def may_see(request: HttpRequest, model: str) -> bool:
    """Whether the user may open the list of a model of ours, and the pages of its rows."""
    return any(request.user.has_perm(f"smsverify.{may}_{model}") for may in ("view", "change"))


class PlainWhereClosed:
    """Names a row without a link in a read-only field, where its page is closed to the user."""

    model: Any

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        shown, plain = context["adminform"], self._plain(request)
        plain = {name: column for name, column in plain.items() if name in shown.readonly_fields}
        shown.readonly_fields = [plain.get(name, name) for name in shown.readonly_fields]
        shown.fieldsets = [
            (title, {**section, "fields": [_replaced(one, plain) for one in section["fields"]]})
            for title, section in shown.fieldsets
        ]
        found: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return found

    def _plain(self, request: HttpRequest) -> dict[Any, Callable[[Any], str]]:
        """A column of words for each field that names a row whose page the user may not see."""
        fields = [one for one in self.model._meta.fields if one.remote_field is not None]
        return {one.name: _words(one) for one in fields if not may_see(request, one.related_model._meta.model_name)}


def _replaced(one: Any, plain: Mapping[Any, Any]) -> Any:
    """A field of a section, or a line of several."""
    return tuple(plain.get(name, name) for name in one) if isinstance(one, (list, tuple)) else plain.get(one, one)


def _words(field: models.Field) -> Callable[[Any], str]:
    def column(row: Any) -> str:
        named = getattr(row, field.name)
        return "-" if named is None else str(named)

    column.__name__ = field.name
    column.short_description = capfirst(str(field.verbose_name))  # type: ignore[attr-defined]
    return column
