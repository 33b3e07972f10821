"""What became of the earlier SMS with a code, and which way the next one takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext_noop as _

from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Template, Verification
from django_smsverify.models.history import PastSMS

Ranks = Mapping[int, int]
"""By the primary key of a provider."""
RANKS = {
    MessageStatus.DELIVERED: 1,
    MessageStatus.ACCEPTED: 2,
    MessageStatus.NOT_SENT: 3,
    MessageStatus.UNDELIVERED: 4,
}
"""In which order providers are tried, by what became of their last SMS with the code."""
MAY_STILL_ARRIVE = 5


def by_what_became(verification: Verification, templates: Iterable[Template]) -> list[Template]:
    """Returns the routes of a code that is sent again: another way first, and last what may still arrive."""
    return in_order(templates, ranks_of(Message.objects.carrying(verification.holder).order_by("created_at")))


def in_order(templates: Iterable[Template], ranks: Ranks) -> list[Template]:
    """Returns routes with those of a lower rank first."""
    return sorted(templates, key=lambda template: rank(template, ranks))


def rank(template: Template, ranks: Ranks) -> int:
    """Returns the rank of a route: 0 where its provider did not have the code."""
    return ranks.get(template.provider_id, 0)


def ranks_of(sms: Iterable[Message | PastSMS]) -> Ranks:
    """Returns the rank of each provider that had a code, from its SMS, oldest first."""
    return {one.provider_id: RANKS.get(MessageStatus(one.status), MAY_STILL_ARRIVE) for one in sms}


def other_ways(
    verification: Verification, templates: Iterable[Template], *, but: Message | None = None
) -> list[Template]:
    """Returns the routes for a code that was not delivered: of providers that have neither failed with it nor lost the
    answer.

    Leaves out what became of the message `but`.
    """
    sent = Message.objects.carrying(verification.holder).order_by("created_at")
    ranks = ranks_of(message for message in sent if message != but)
    return [one for one in in_order(templates, ranks) if rank(one, ranks) <= RANKS[MessageStatus.NOT_SENT]]


def why_not_to_follow(verification: Verification, message: Message) -> str:
    """Returns why a queued SMS need not follow the one that failed any more; empty where it should, or follows none."""
    if message.follows is None:
        return ""
    if Message.objects.filter(pk=message.follows, status=MessageStatus.DELIVERED).exists():
        return _("while it was queued the SMS before it arrived after all")
    return _("while it was queued the code was sent again") if is_overtaken(verification, message) else ""


def is_overtaken(verification: Verification, message: Message) -> bool:
    """Whether a newer SMS carries the code."""
    newer = Message.objects.carrying(verification.holder).filter(created_at__gt=message.created_at)
    return newer.exclude(pk=message.pk).exclude(status=MessageStatus.NOT_SENT).exists()
