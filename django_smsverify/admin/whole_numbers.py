"""A whole number on request, for those who may see it; each look is written into the access log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path
from django.utils.translation import gettext

from django_smsverify import phones
from django_smsverify.enums import Accessed
from django_smsverify.models import Forgetting
from django_smsverify.privacy.access_log import log_access

from .looks import ModelAdmin, render

PERMISSION = "smsverify.view_full_phone"


class ShowsNumber(ModelAdmin):
    """Adds a button to the page of a row; the answer shows the number once, and no address holds it."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.number_view)
        name = f"smsverify_{self.opts.model_name}_number"
        return [path("<path:object_id>/number/", view, name=name), *super().get_urls()]

    def number_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Shows the number of one row."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row: Any = self.get_object(request, object_id)
        if not (request.user.has_perm(PERMISSION) and self.has_view_permission(request, row)):
            raise PermissionDenied
        if row is None or not _has_number(row):
            raise Http404
        log_access(request.user.get_username(), Accessed.VIEWED_NUMBER, phones.mask(row.phone))
        context = {"original": row, "phone": row.phone}
        page = render(self, request, "number.html", gettext("The whole number"), **context)
        page["Cache-Control"] = "no-store"
        return page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        may = request.user.has_perm(PERMISSION) and _has_number(kwargs.get("obj"))
        return super().render_change_form(request, {**context, "may_show_number": may}, *args, **kwargs)


def _has_number(row: Any) -> bool:
    """Whether a row is of one number, which may be shown."""
    return bool(shown_whole([getattr(row, "phone", "")]))


def shown_whole(numbers: Iterable[str]) -> set[str]:
    """Those of these numbers that were not forgotten, nor are to be."""
    left = {number for number in numbers if number and not phones.is_forgotten(number)}
    return left.difference(Forgetting.objects.filter(phone__in=left).values_list("phone", flat=True))
