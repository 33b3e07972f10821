"""Numbers as such, and what was refused to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.journal.words import moment
from django_smsverify.limits.failures import lift
from django_smsverify.models import Forgetting, Recipient, Refusal

from .columns import NOTHING, cut, time_column
from .exporting import Exports
from .failures import FAILED, failed_in_a_row
from .privacy import ServesPersons
from .records import RecordAdmin
from .spans import SpanFilter


@admin.register(Recipient)
class RecipientAdmin(ServesPersons, RecordAdmin):
    list_display = (
        "masked_phone",
        *(time_column(Recipient, name) for name in ("created_at", "claimed_at")),
        "being_forgotten",
    )
    fields: ClassVar[Any] = (*list_display, "failed_in_a_row")
    readonly_fields = fields
    actions = ("lift_lock",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recipient]:
        due_at = Forgetting.objects.filter(phone=OuterRef("phone")).values("due_at")
        rows: QuerySet[Recipient] = super().get_queryset(request)
        return rows.annotate(forgotten_at=Subquery(due_at))

    @admin.display(description=_("being forgotten"))
    def being_forgotten(self, row: Any) -> str:
        """When the row goes of a number whose owner asked to be forgotten."""
        return gettext("yes, the rest goes at %s") % moment(row.forgotten_at) if row.forgotten_at else NOTHING

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
        words = ngettext(
            "The wrong codes of %(count)d number are forgotten.",
            "The wrong codes of %(count)d numbers are forgotten.",
            len(chosen),
        )
        self.message_user(request, words % {"count": len(chosen)}, messages.SUCCESS)

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Rows are changed by the package only; who has Django's permission to change them may do this alone."""
        return request.user.has_perm("smsverify.change_recipient")


@admin.register(Refusal)
class RefusalAdmin(Exports, RecordAdmin):
    list_display = (
        time_column(Refusal, "first_at"),
        "number",
        "because",
        "count",
        "purpose",
        time_column(Refusal, "last_at"),
    )
    list_filter = (("first_at", SpanFilter), "reason")
    fields = list_display
    readonly_fields = fields
    by_our_id = ("pk",)
    exported = ("first_at", "last_at", "phone", "purpose", "reason", "count")

    @admin.display(description=_("phone"))
    def number(self, row: Refusal) -> str:
        """The masked number; a row without one is about all numbers."""
        return phones.mask(row.phone) if row.phone else gettext("all")

    @admin.display(description=_("reason"))
    def because(self, row: Refusal) -> SafeString | str:
        """Why it was refused, on one line."""
        return cut(row.get_reason_display())
