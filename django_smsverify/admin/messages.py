"""Messages: the list, and the story of each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import MessageStatus
from django_smsverify.journal.own_words import said_of
from django_smsverify.journal.timeline import Timeline, of_message
from django_smsverify.models import Message

from .batches import BatchFilter, batch_url, counted
from .columns import NOTHING, cut, masked_column, time_column
from .costs import CostsPage
from .explaining import ExplainPage
from .exporting import Exports
from .looks import state_badge
from .probes import ProbeFilter
from .records import ProviderRecordAdmin, PurposeFilter
from .spans import SpanFilter
from .stories import TellsStory

TIMES = {name: time_column(Message, name) for name in ("created_at", "claimed_at", "sent_at", "settled_at")}


@admin.register(Message)
class MessageAdmin(CostsPage, ExplainPage, TellsStory, Exports, ProviderRecordAdmin):
    list_display = (TIMES["created_at"], "masked_phone", "state", "why", "purpose", "provider")
    list_filter = (
        ("created_at", SpanFilter),
        "status",
        "provider",
        ("purpose", PurposeFilter),
        "error_reason",
        BatchFilter,
        ProbeFilter,
    )
    by_our_id = ("pk", "verification")
    by_vendors_id = "remote_id"
    technical = (
        "id",
        "masked_phone",
        "carrier",
        "purpose",
        "verification",
        "provider",
        "template",
        "in_batch",
        "attempt",
        "is_probe",
        "state",
        "cause",
        "remote_id",
        "error_reason",
        masked_column(Message, "error_code"),
        "said",
        "segments",
        "price",
        "cost",
        *TIMES.values(),
    )
    exported = (
        "created_at",
        "phone",
        "carrier",
        "purpose",
        "provider",
        "status",
        "cause",
        "error_reason",
        "error_code",
        "said",
        "segments",
        "price",
        "cost",
        "remote_id",
        "batch",
        "attempt",
        "sent_at",
        "delivery_seconds",
        "settled_at",
        "id",
        "verification_id",
    )

    def timeline(self, row: Message) -> Timeline:
        return of_message(row)

    @admin.display(description=_("batch"))
    def in_batch(self, row: Message) -> SafeString | str:
        """The batch, with a link to all its messages."""
        if row.batch is None:
            return NOTHING
        return format_html('<a href="{}">{}</a>', batch_url(row.batch, self.admin_site.name), row.batch)

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Message) -> SafeString:
        """The status in its colour."""
        return state_badge(MessageStatus(row.status))

    @admin.display(description=_("why"))
    def why(self, row: Message) -> SafeString | str:
        """The cause that a report gave, or what was said where it was not sent; nothing for one that arrived."""
        if row.status == MessageStatus.DELIVERED:
            return NOTHING
        return cut(row.get_cause_display() if row.cause else str(said_of(row)))

    @admin.display(description=_("what was said"), empty_value=NOTHING)
    def said(self, row: Message) -> str:
        """The vendor's words as they came, or ours in the active language."""
        return said_of(row).words

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        batch = request.GET.get("batch")
        shown = {"subtitle": counted(batch)} if batch else {}
        return super().changelist_view(request, {**shown, **(extra_context or {})})
