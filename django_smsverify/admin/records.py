"""Records in the admin: search, filter and read, but not change; phone numbers are masked."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.limits.failures import lift
from django_smsverify.models import (
    DeliveryReport,
    Message,
    Recipient,
    Refusal,
    Reply,
    ReportBatch,
    Template,
    Verification,
)
from django_smsverify.reports.causes import meaning_of

from .batches import BatchFilter, counted
from .costs import CostsPage
from .explaining import Explained, ExplainPage
from .failures import FAILED, failed_in_a_row
from .lookups import filtered_by
from .masking import NOTHING, masked, masked_column
from .probes import ProbeFilter
from .second_ways import other_try

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

ERROR = (masked_column(Message, "error_code"), masked_column(Message, "error_message"))
OUTCOME = (masked_column(DeliveryReport, "code"), masked_column(DeliveryReport, "detail"))
CONTENT = masked_column(Reply, "content")
PROBLEMS = masked_column(ReportBatch, "problems")
"""Free text of vendors and people."""


class ReadOnly:
    """Rows that only the package writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FirstPages(Paginator):
    """Pages over the first `most` rows: counting a big table would read all of it."""

    most = 500

    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[: self.most].count()


class PurposeFilter(admin.AllValuesFieldListFilter):
    """The purposes of the templates: reading them from the records would read the whole table."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lookup_choices = Template.objects.order_by("purpose").values_list("purpose", flat=True).distinct()


class RecordAdmin(ReadOnly, admin.ModelAdmin):
    """Newest first; searches by the whole phone number in any notation, by our id or by the vendor's.

    Tables have millions of rows: what has no index, such as another order or the total count, is not offered.
    """

    list_per_page = 50
    paginator = FirstPages
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    search_fields = ("remote_id__exact",)
    phone_field = "phone"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        words = gettext("the newest %d at most: filters lead to older ones") % FirstPages.most
        return super().changelist_view(request, {"subtitle": words, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allows the list's own filters only."""
        return filtered_by(self, lookup)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        with suppress(SMSVerifyError):
            found = queryset.filter(**{self.phone_field: phones.parse(search_term)})
            if found.exists():  # else it may be a vendor's id that looks like a number
                return found, False
        with suppress(ValueError, ValidationError):
            found = queryset.filter(pk=UUID(search_term))
            if found.exists():  # likewise
                return found, False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("phone"))
    def masked_phone(self, row: Any) -> str:
        """The phone number without its middle digits."""
        return phones.mask(row.phone)


class ProviderRecordAdmin(RecordAdmin):
    """Prefetches providers: with a join, MariaDB reads this small table first and sorts all records."""

    list_select_related = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("provider")


class MessageInline(ReadOnly, admin.TabularInline):
    model = Message
    fields = (
        "created_at",
        "attempt",
        "provider",
        "status",
        "error_reason",
        *ERROR,
        "segments",
        "cost",
    )
    readonly_fields = fields
    ordering = ("created_at",)
    extra = 0
    show_change_link = True


class DeliveryReportInline(ReadOnly, admin.TabularInline):
    model = DeliveryReport
    fields = ("received_at", "occurred_at", "outcome", "cause", *OUTCOME, "source")
    readonly_fields = fields
    ordering = ("received_at",)
    extra = 0


class ReplyInline(ReadOnly, admin.TabularInline):
    model = Reply
    fields = ("received_at", "occurred_at", CONTENT)
    readonly_fields = fields
    ordering = ("received_at",)
    extra = 0


@admin.register(Recipient)
class RecipientAdmin(RecordAdmin):
    list_display = ("masked_phone", "created_at", "claimed_at")
    fields = (*list_display, "failed_in_a_row")
    readonly_fields = fields
    search_fields = ("phone__exact",)
    actions = ("lift_lock",)

    @admin.display(description=FAILED)
    def failed_in_a_row(self, row: Recipient) -> str:
        """How many wrong codes, and what follows."""
        return failed_in_a_row(row)

    @admin.action(description=_("Forget wrong codes: new codes have all guesses again"), permissions=["lift"])
    def lift_lock(self, request: HttpRequest, queryset: QuerySet[Recipient]) -> None:
        """Gives the codes of numbers all their guesses again."""
        chosen = list(queryset)
        lift(Recipient.objects.filter(pk__in=[row.pk for row in chosen]))
        for row in chosen:
            self.log_change(request, row, "The wrong codes in a row were forgotten.")

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Rows are changed by the package only; who has Django's permission to change them may do this alone."""
        return request.user.has_perm("smsverify.change_recipient")


@admin.register(Verification)
class VerificationAdmin(Explained, RecordAdmin):
    list_display = (
        "masked_phone",
        "purpose",
        "state",
        "attempts",
        "max_attempts",
        "created_at",
        "ends_at",
    )
    list_filter = (("purpose", PurposeFilter), ("verified_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("root",)
    phone_field = "recipient__phone"  # which has an index
    search_fields = (f"{phone_field}__exact",)
    inlines = (MessageInline,)
    fields = (
        "id",
        "masked_phone",
        "purpose",
        "state",
        "code_length",
        "attempts",
        "max_attempts",
        "created_at",
        "root",
        "ends_at",
        "attempted_at",
        "verified_at",
        "redeemed_at",
        "simulated_at",
        "failed_in_a_row",
    )
    readonly_fields = fields

    @admin.display(description=_("state"))
    def state(self, row: Verification) -> str:
        """The verification's state, in the active language."""
        state = self._state(row)
        return gettext("%s (test number)") % state if row.is_simulated else state

    def _state(self, row: Verification) -> str:
        if row.holder.verified_at:
            return gettext("verified")
        if row.attempts >= row.max_attempts:
            return gettext("used up")
        return gettext("expired") if row.holder.expires_at <= timezone.now() else gettext("open")

    @admin.display(description=FAILED)
    def failed_in_a_row(self, row: Verification) -> str:
        """How many wrong codes were entered for the number, and what follows."""
        return failed_in_a_row(row.recipient)

    @admin.display(description=_("expires at"))
    def ends_at(self, row: Verification) -> str:
        """When the code ends, which another verification may hold; in the site's time zone, also on the row's page."""
        return display_for_value(row.holder.expires_at, NOTHING)


@admin.register(Message)
class MessageAdmin(CostsPage, ExplainPage, ProviderRecordAdmin):
    list_display = (
        "masked_phone",
        "purpose",
        "provider",
        "status",
        "cause",
        "error_reason",
        "segments",
        "cost",
        "created_at",
    )
    list_filter = (
        "status",
        "provider",
        ("purpose", PurposeFilter),
        "error_reason",
        "created_at",
        BatchFilter,
        ProbeFilter,
    )
    inlines = (DeliveryReportInline, ReplyInline)
    fields = (
        "id",
        "masked_phone",
        "carrier",
        "purpose",
        "verification",
        "provider",
        "template",
        "batch",
        "attempt",
        "is_probe",
        "other_try",
        "status",
        "cause",
        "remote_id",
        "error_reason",
        *ERROR,
        "segments",
        "price",
        "cost",
        "created_at",
        "claimed_at",
        "sent_at",
        "settled_at",
    )
    readonly_fields = fields

    @admin.display(description=_("other try"))
    def other_try(self, row: Message) -> str:
        """The SMS that this one follows after a report, or that follows it."""
        return other_try(row, self.admin_site.name) or NOTHING

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        batch = request.GET.get("batch")
        shown = {"subtitle": counted(batch)} if batch else {}
        return super().changelist_view(request, {**shown, **(extra_context or {})})


@admin.register(DeliveryReport)
class DeliveryReportAdmin(ProviderRecordAdmin):
    list_display = ("masked_phone", "provider", "outcome", "cause", OUTCOME[0], "source", "occurred_at", "received_at")
    # Reports without a message are about messages that were not sent from here.
    list_filter = ("outcome", ("message", admin.EmptyFieldListFilter), "provider", "received_at")
    fields = (
        "masked_phone",
        "provider",
        "message",
        "remote_id",
        "outcome",
        "cause",
        "advice",
        *OUTCOME,
        "source",
        "occurred_at",
        "received_at",
    )
    readonly_fields = fields

    @admin.display(description=_("what to do"))
    def advice(self, row: DeliveryReport) -> StrOrPromise:
        """What follows from the cause; nothing for an SMS that arrived."""
        return NOTHING if row.outcome == DeliveryOutcome.DELIVERED else meaning_of(row.provider, row).advice.label


@admin.register(Refusal)
class RefusalAdmin(Explained, RecordAdmin):
    list_display = ("number", "purpose", "reason", "count", "first_at", "last_at")
    list_filter = ("reason", "first_at")
    fields = list_display
    readonly_fields = fields
    search_fields = ("phone__exact",)

    @admin.display(description=_("phone"))
    def number(self, row: Refusal) -> str:
        """The masked number; a row without one is about all numbers."""
        return phones.mask(row.phone) if row.phone else gettext("all")


@admin.register(Reply)
class ReplyAdmin(ProviderRecordAdmin):
    list_display = ("masked_phone", "provider", CONTENT, "occurred_at", "received_at")
    list_filter = ("provider", "received_at")
    fields = ("masked_phone", "provider", "message", "remote_id", CONTENT, "occurred_at", "received_at")
    readonly_fields = fields


@admin.register(ReportBatch)
class ReportBatchAdmin(admin.ModelAdmin):
    """Fetched reports that could not be parsed completely; an operator deletes them after reading."""

    list_display = ("provider", "received_at", PROBLEMS)
    list_filter = ("provider", "received_at")
    list_select_related = ("provider",)
    fields = ("provider", "received_at", PROBLEMS, "masked_body")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allows the list's own filters only."""
        return filtered_by(self, lookup)

    @admin.display(description=_("body"))
    def masked_body(self, row: ReportBatch) -> str:
        """The reports as they were fetched, with masked numbers."""
        return masked(row.body)
