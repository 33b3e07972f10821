"""Verifications: the list with the state of each code, and its story."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.journal.records import was_sent
from django_smsverify.journal.timeline import Timeline, of_verification
from django_smsverify.journal.words import moment
from django_smsverify.models import Message, Verification

from .columns import time_column
from .exporting import Exports
from .failures import FAILED, failed_in_a_row
from .looks import Tone, badge
from .lookups import FilledFilter
from .records import PurposeFilter, RecordAdmin
from .searching import MOST_NUMBERS
from .spans import SpanFilter
from .stories import TellsStory

TIMES = {name: time_column(Verification, name) for name in ("created_at", "attempted_at", "verified_at", "redeemed_at")}
SIMULATED_AT = time_column(Verification, "simulated_at")


class VerifiedFilter(FilledFilter):
    """Whether the code was entered."""

    title = _("verified")
    parameter_name = "verified_at__isempty"


@admin.register(Verification)
class VerificationAdmin(TellsStory, Exports, RecordAdmin):
    list_display = (TIMES["created_at"], "masked_phone", "state", "guesses", "purpose")
    list_filter = (
        ("created_at", SpanFilter),
        ("purpose", PurposeFilter),
        VerifiedFilter,
    )
    list_select_related = ("root",)
    phone_field = "recipient__phone"  # which has an index
    by_our_id = ("pk", "messages")
    technical = (
        "id",
        "masked_phone",
        "purpose",
        "state",
        "code_length",
        "guesses",
        "failed_in_a_row",
        "root",
        "ends_at",
        *TIMES.values(),
        SIMULATED_AT,
    )
    exported = ("created_at", "phone", "purpose", "outcome", "attempts", "max_attempts", "ends_at", "verified_at", "id")

    def timeline(self, row: Verification) -> Timeline:
        return of_verification(row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        sms = Message.objects.only("status", "verification_id").order_by()
        found = super().get_queryset(request)
        return found.prefetch_related(*(Prefetch(name, sms) for name in ("messages", "root__messages")))

    def _meant(self, rows: QuerySet[Any], text: str) -> Iterator[QuerySet[Any]]:
        yield from super()._meant(rows, text)
        of_vendor = Message.objects.filter(remote_id=text).values_list("verification", flat=True)
        yield rows.filter(pk__in=list(of_vendor[:MOST_NUMBERS]))

    @admin.display(description=_("state"))
    def state(self, row: Verification) -> SafeString:
        """The state in its colour."""
        words, tone = _state(row)
        return badge(_named(row, words), tone)

    @admin.display(description=_("state"))
    def outcome(self, row: Verification) -> str:
        """The state in words."""
        return _named(row, _state(row)[0])

    @admin.display(description=_("guesses"))
    def guesses(self, row: Verification) -> str:
        """How many were used, and how many there are."""
        return f"{row.attempts} / {row.max_attempts}"

    @admin.display(description=FAILED)
    def failed_in_a_row(self, row: Verification) -> str:
        """How many wrong codes were entered for the number, and what follows."""
        return failed_in_a_row(row.recipient)

    @admin.display(description=_("expires at"))
    def ends_at(self, row: Verification) -> str:
        """When the code ends, which another verification may hold."""
        return moment(row.holder.expires_at)


def _state(row: Verification) -> tuple[str, Tone]:
    """What became of the code; one that no vendor took has no end: nobody ever had it."""
    sms = [*row.messages.all(), *(row.root.messages.all() if row.root else ())]
    if row.holder.verified_at:
        return gettext("verified"), Tone.GOOD
    if sms and not any(map(was_sent, sms)):
        return gettext("no SMS went out"), Tone.BAD
    if row.attempts >= row.max_attempts:
        return gettext("used up"), Tone.BAD
    if row.holder.expires_at <= timezone.now():
        return gettext("expired"), Tone.WARN
    return gettext("open"), Tone.QUIET


def _named(row: Verification, state: str) -> str:
    return gettext("%s (test number)") % state if row.is_simulated else state
