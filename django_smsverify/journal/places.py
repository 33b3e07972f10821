"""Where in the admin it is done what an operator is advised: a row, or the list of a model."""

from __future__ import annotations

from typing import NamedTuple

from django.apps import apps
from django.utils.text import capfirst

from django_smsverify.carriers.causes import Advice
from django_smsverify.enums import MessageStatus, Reason, Refused
from django_smsverify.limits import budget, lists
from django_smsverify.models import Message, Provider, Refusal
from django_smsverify.numbers import opt_outs
from django_smsverify.reports.causes import meaning_of

from .records import deciding_report


class Place(NamedTuple):
    """A page of the admin."""

    model: str
    """Its name in lower case."""
    pk: int | None = None
    """The row; None for the list."""
    row: str = ""
    """How the row is called."""

    @property
    def name(self) -> str:
        """What the page is of."""
        return self.row or capfirst(str(apps.get_model("smsverify", self.model)._meta.verbose_name_plural))


TEST_NUMBERS = Place("testnumber")
OF_REFUSALS: dict[str, str] = {
    **dict.fromkeys(
        (Refused.GUARD_BLOCK, Refused.GUARD_NETWORK, Refused.GUARD_SIGNATURE, Refused.GUARD_SITE), "closure"
    ),
    Refused.ASKED_GUARD: "closure",
    Refused.LISTED: "listentry",
    Refused.ASKED_LISTED: "listentry",
    Refused.BUDGET: "spending",
    Refused.NO_ROUTE: "provider",
    Refused.NOT_SUPPORTED: "provider",
    Refused.UNKNOWN_PURPOSE: "template",
    Refused.OTHERS: "refusal",
}
OF_CAUSES = {
    Advice.FILE_SIGNATURE: "signature",
    Advice.FILE_TEMPLATE: "template",
    Advice.CHANGE_TEXT: "template",
}
"""Lists, whose rows hold the filings; for what else lies with the vendor, the page of the provider."""
OF_THE_PERSON = (Advice.NOTHING, Advice.ASK_AGAIN, Advice.ANOTHER_NUMBER, Advice.FREE_MEMORY, Advice.CARRIER_LIST)


def place_of_refusal(refusal: Refusal) -> Place | None:
    """Where what refused a request is changed; None where the person or the settings are to change."""
    model = OF_REFUSALS.get(refusal.reason)
    return Place(model) if model else None


def place_of_message(message: Message) -> Place | None:
    """Where what was in the way of a message is looked after; None where the person is to act, or a server."""
    if message.status == MessageStatus.NOT_SENT:
        return _of_unsent(message)
    if message.status == MessageStatus.UNDELIVERED:
        report = deciding_report(message)
        advice = meaning_of(message.provider, report).advice if report else Advice.READ_OUT
        if advice in OF_THE_PERSON:
            return None
        return Place(OF_CAUSES[advice]) if advice in OF_CAUSES else _page_of(message.provider)
    return _page_of(message.provider) if message.status == MessageStatus.ACCEPTED else None


def _of_unsent(message: Message) -> Place | None:
    if message.error_reason:
        return None if message.error_reason == Reason.RECIPIENT else _page_of(message.provider)
    if message.error_message == budget.SPENT:
        return Place("spending")
    if message.error_message == opt_outs.WHY:
        return Place("optout")
    if message.error_message == lists.WHY:
        return Place("listentry")
    return _page_of(message.provider) if message.claimed_at else None


def _page_of(provider: Provider) -> Place:
    return Place("provider", provider.pk, provider.name)
