"""Batches in the admin: the messages of one, and those that were sent lately with a template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Max, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.enums import MessageStatus
from django_smsverify.journal.words import moment
from django_smsverify.models import Message, Template

LATELY = timedelta(days=90)
MOST = 10
"""Batches that are shown at once."""
LOOKED_THROUGH = 50_000
"""The newest messages of a purpose in which its batches are looked for."""


class BatchFilter(admin.SimpleListFilter):
    """One batch, given by a link's URL; other batches are not listed, because there may be very many."""

    title = _("batch")
    parameter_name = "batch"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        asked = request.GET.get(self.parameter_name)
        return [(asked, asked)] if asked else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(batch=self.value()) if self.value() else queryset


class SentBatch(NamedTuple):
    """A batch, since when there is one, and its messages by status, as text."""

    name: str
    since: str
    counts: str


def batch_url(name: str, site: str) -> str:
    """The address of the list of a batch's messages."""
    messages = reverse("admin:smsverify_message_changelist", current_app=site)
    return f"{messages}?{urlencode({'batch': name})}"


def counted(batch: str) -> str:
    """The number of messages in a batch by status, as text."""
    return next((one.counts for one in _summed([batch])), "")


def sent_lately(template: Template) -> list[SentBatch]:
    """The batches that were sent last with a template.

    No index leads from a template to its batches, and one more would cost each message that is stored. So the newest
    messages of its purpose are read, which one index has in the order of their times; then, by the unique index, the
    messages of the batches that are shown.
    """
    rows = Message.objects.filter(purpose=template.purpose)
    times: QuerySet[Any, datetime] = rows.order_by("-created_at").values_list("created_at", flat=True)
    since = max([timezone.now() - LATELY, *times[LOOKED_THROUGH : LOOKED_THROUGH + 1]])
    # Not by the template: a database might then read all that was ever sent with it.
    groups = rows.filter(created_at__gte=since).order_by().values_list("template_id", "batch")
    last = {batch: at for pk, batch, at in groups.annotate(Max("created_at")) if pk == template.pk and batch}
    return _summed(sorted(last, key=lambda batch: last[batch], reverse=True)[:MOST])


def _summed(names: Iterable[str]) -> list[SentBatch]:
    """Those of these batches that have messages, in this order."""
    of_batch = {name: Counter[str]() for name in names}
    first: dict[str, datetime] = {}
    rows = Message.objects.filter(batch__in=of_batch).order_by().values_list("batch", "status")
    for name, status, count, at in rows.annotate(Count("pk"), Min("created_at")):
        of_batch[str(name)][status] = count
        first[str(name)] = min(at, first.get(str(name), at))
    return [SentBatch(name, moment(first[name]), _as_text(of_batch[name])) for name in of_batch if name in first]


def _as_text(counts: Counter[str]) -> str:
    return listed(f"{status.label} {counts[status]}" for status in MessageStatus if status in counts)
