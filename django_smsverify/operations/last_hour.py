"""What became of the SMS of the last hour, by provider: the failures that are the provider's, whatever their reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from django_smsverify.enums import Cause, MessageStatus, Reason
from django_smsverify.models import Message, Provider

HOUR = timedelta(hours=1)
FEW = 3
"""Failures from which a provider counts as failing: one or two may be anything."""
BAD, NOTABLE = 50, 20
"""Percent of the SMS whose outcome is known."""
UNDER_WAY = (MessageStatus.QUEUED, MessageStatus.SENDING)
OF_THE_NUMBER = frozenset((Reason.RECIPIENT, Reason.FREQUENCY))
"""Refusals that say nothing of the provider."""
OF_THE_PHONE = frozenset(
    (Cause.PHONE_OFF, Cause.PHONE_INVALID, Cause.INBOX_FULL, Cause.RECIPIENT_BLACKLIST, Cause.FREQUENCY, Cause.PORTED)
)
"""Causes that every vendor would meet."""


@dataclass(slots=True)
class Tally:
    """The SMS of one provider within an hour."""

    tried: int = 0
    """Handed over to the vendor, or tried to be, with an outcome."""
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """By why, in words."""

    @property
    def failed(self) -> int:
        """How many failed, but for a fault of the number or the phone."""
        return self.failures.total()

    @property
    def percent(self) -> int:
        """How many of 100 failed, rounded down."""
        return 100 * self.failed // self.tried if self.tried else 0

    @property
    def is_failing(self) -> bool:
        """Whether it must be looked after now."""
        return self.failed >= FEW and self.percent >= BAD

    @property
    def is_notable(self) -> bool:
        """Whether more fail than usual, or the few that there were."""
        return bool(self.failed) and self.percent >= NOTABLE

    @property
    def words(self) -> str:
        """The failures, and their most frequent reason, in the active language; what shows them names the hour."""
        words = _("%(failed)d of %(tried)d SMS failed (%(percent)d %%), most often: %(why)s")
        ((why, _count),) = self.failures.most_common(1)
        return words % {"failed": self.failed, "tried": self.tried, "percent": self.percent, "why": why}

    def add(self, status: str, reason: str, cause: str, count: int) -> None:
        """Adds messages with one outcome."""
        self.tried += count
        self.statuses[status] += count
        if why := _why_failed(MessageStatus(status), reason, cause):
            self.failures[why] += count


def last_hour(provider: Provider | None = None, now: datetime | None = None) -> Mapping[int, Tally]:
    """The tallies of all providers, or of one, by primary key, in one query; one without an SMS has an empty tally."""
    since = (now or timezone.now()) - HOUR
    sent = Message.objects.filter(created_at__gt=since, claimed_at__isnull=False).exclude(status__in=UNDER_WAY)
    sent = sent if provider is None else sent.filter(provider=provider)
    groups = sent.order_by().values_list("provider", "status", "error_reason", "cause").annotate(Count("pk"))
    tallies: dict[int, Tally] = defaultdict(Tally)
    for pk, status, reason, cause, count in groups:
        tallies[pk].add(status, reason, cause, count)
    return tallies


def _why_failed(status: MessageStatus, reason: str, cause: str) -> str:
    """Why messages with this outcome failed, if they did for a fault of the provider; else blank."""
    if status == MessageStatus.NOT_SENT and reason not in OF_THE_NUMBER:
        return str(Reason(reason).label) if reason else _("the vendor was not reached")
    if status == MessageStatus.UNDELIVERED and cause not in OF_THE_PHONE:
        return str(Cause(cause or Cause.UNKNOWN).label)
    return _("the vendor's answer was lost or could not be read") if status == MessageStatus.UNKNOWN else ""
