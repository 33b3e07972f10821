"""Filters messages by batch in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message


class BatchFilter(admin.SimpleListFilter):
    """One batch, given by a link's URL; other batches are not listed, because there may be very many."""

    title = _("batch")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        asked = request.GET.get(self.parameter_name)
        return [(asked, asked)] if asked else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(batch=self.value()) if self.value() else queryset


def counted(batch: str) -> str:
    """The number of messages in a batch by status, as text."""
    messages = Message.objects.filter(batch=batch).order_by()
    counts = dict(messages.values_list("status").annotate(Count("pk")))
    return ", ".join(f"{status.label} {counts[status]}" for status in MessageStatus if status in counts)
