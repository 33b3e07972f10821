"""Rows that an operator enters once, about a number or a network, and deletes when they are over."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify import phones

from .looks import ModelAdmin


class Entered(ModelAdmin):
    """They are entered and not changed; who did it is stored."""

    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return sensitive_post_parameters()(super().changeform_view)(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.added_by = phones.masked(request.user.get_username())[:150]
        super().save_model(request, obj, form, change)
