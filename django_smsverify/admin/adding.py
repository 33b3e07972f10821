"""After a row is added its own page stays open, because it says what is next; Django leads to the list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from .looks import ModelAdmin


class StaysAfterAdding(ModelAdmin):
    """Leads to the page of a new row, where nothing else was asked for and the user may see it."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        asked = {"_addanother", "_popup"} & request.POST.keys()
        if not asked and self.has_view_or_change_permission(request, obj):
            posted = request.POST.copy()
            posted["_continue"] = "1"
            request.POST = posted  # type: ignore[assignment]
            self.tell_next(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def tell_next(self, request: HttpRequest, obj: Any) -> None:
        """Says what is next, where the page itself does not."""
