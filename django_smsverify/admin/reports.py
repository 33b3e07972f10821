"""What vendors and phones sent back: delivery reports, replies, and fetched reports that could not be parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.models import DeliveryReport, Reply, ReportBatch
from django_smsverify.reports.causes import meaning_of

from .columns import NOTHING, cut, masked_column, time_column
from .exporting import Exports
from .looks import ModelAdmin, state_badge
from .lookups import FilledFilter
from .records import ProviderRecordAdmin
from .spans import SpanFilter

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Free text of vendors and people.
CODE, DETAIL = (masked_column(DeliveryReport, name) for name in ("code", "detail"))
CONTENT = masked_column(Reply, "content")
PROBLEMS = masked_column(ReportBatch, "problems")


class MatchedFilter(FilledFilter):
    """Whether a report is about a message that was sent from here."""

    title = _("message")
    parameter_name = "message__isempty"


@admin.register(DeliveryReport)
class DeliveryReportAdmin(Exports, ProviderRecordAdmin):
    list_display = (
        time_column(DeliveryReport, "received_at"),
        "masked_phone",
        "state",
        "because",
        CODE,
        "provider",
    )
    # Reports without a message are about messages that were not sent from here.
    list_filter = (("received_at", SpanFilter), "outcome", MatchedFilter, "provider")
    by_our_id = ("message", "message__verification")
    by_vendors_id = "remote_id"
    fields = (
        "masked_phone",
        "provider",
        "message",
        "remote_id",
        "state",
        "cause",
        "advice",
        CODE,
        DETAIL,
        "source",
        time_column(DeliveryReport, "occurred_at"),
        time_column(DeliveryReport, "received_at"),
    )
    readonly_fields = fields
    exported = (
        "received_at",
        "occurred_at",
        "phone",
        "provider",
        "outcome",
        "cause",
        "code",
        "detail",
        "source",
        "remote_id",
        "message_id",
    )

    @admin.display(description=_("outcome"))
    def state(self, row: DeliveryReport) -> SafeString:
        """The outcome in its colour."""
        return state_badge(DeliveryOutcome(row.outcome))

    @admin.display(description=_("cause"))
    def because(self, row: DeliveryReport) -> SafeString | str:
        """The cause, on one line; nothing for an SMS that arrived."""
        return NOTHING if row.outcome == DeliveryOutcome.DELIVERED else cut(row.get_cause_display())

    @admin.display(description=_("what to do"))
    def advice(self, row: DeliveryReport) -> StrOrPromise:
        """What follows from the cause; nothing for an SMS that arrived."""
        return NOTHING if row.outcome == DeliveryOutcome.DELIVERED else meaning_of(row.provider, row).advice.label


@admin.register(Reply)
class ReplyAdmin(ProviderRecordAdmin):
    list_display = (time_column(Reply, "received_at"), "masked_phone", CONTENT, "provider")
    list_filter = (("received_at", SpanFilter), "provider")
    by_our_id = ("message", "message__verification")
    by_vendors_id = "remote_id"
    fields = (
        "masked_phone",
        "provider",
        "message",
        "remote_id",
        CONTENT,
        time_column(Reply, "occurred_at"),
        time_column(Reply, "received_at"),
    )
    readonly_fields = fields


@admin.register(ReportBatch)
class ReportBatchAdmin(ModelAdmin):
    """Fetched reports that could not be parsed completely; an operator deletes them after reading."""

    list_display = ("provider", time_column(ReportBatch, "received_at"), PROBLEMS)
    list_filter = ("provider", "received_at")
    list_select_related = ("provider",)
    fields = ("provider", time_column(ReportBatch, "received_at"), PROBLEMS, "masked_body")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("body"))
    def masked_body(self, row: ReportBatch) -> str:
        """The reports as they were fetched, with masked numbers."""
        return phones.masked(row.body)
