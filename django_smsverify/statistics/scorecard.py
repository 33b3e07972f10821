"""How well each provider served each carrier in a month, by the formula that vendors publish and by stricter ones.

Reached, as Baidu Cloud promises it: 1 - clear failures / valid submissions. What fails for a reason of the phone, of
its owner or of the sender is no valid submission; an SMS without a report counts as reached.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django_smsverify.enums import Cause, MessageStatus

from .counting import Kind, Sums
from .delays import percentile, within
from .figures import Figures
from .questions import count_details

CLEAR = frozenset({Cause.ROUTE_FAULT, Cause.SIGNATURE_UNFILED, Cause.TEMPLATE_UNFILED, Cause.PORTED, Cause.UNKNOWN})
"""Failures that a vendor answers for; any other cause makes a submission one that is not valid."""
PROMISED = 0.95
"""What is promised for `reached_sla`."""


@dataclass(slots=True)
class Score:
    """The codes that one provider sent to one carrier."""

    figures: Figures = field(default_factory=Figures)
    causes: Counter[str] = field(default_factory=Counter)
    """Of the messages that were not delivered."""

    def add(self, kind: Kind, sums: Sums) -> None:
        """Adds messages of one kind."""
        self.figures.add(kind, sums)
        if kind.status == MessageStatus.UNDELIVERED:
            self.causes[kind.cause or Cause.UNKNOWN.value] += sums.messages

    @property
    def submitted(self) -> int:
        """Codes that the vendor accepted."""
        return self.figures.sent

    @property
    def clear(self) -> int:
        """Failures that the vendor answers for."""
        return sum(count for cause, count in self.causes.items() if cause in CLEAR)

    @property
    def valid(self) -> int:
        """Submissions without those that fail for a reason of the phone, its owner or the sender."""
        return self.submitted - (self.causes.total() - self.clear)

    @property
    def reached_sla(self) -> float | None:
        """By the published formula; None without a valid submission."""
        return 1 - self.clear / self.valid if self.valid else None

    @property
    def reached_strict(self) -> float | None:
        """Delivered of all that was submitted: what has no report counts as not reached."""
        return self.figures.delivery_rate

    @property
    def in_60s(self) -> float | None:
        """Which part of what was submitted arrived within a minute; None where no time is known of what arrived."""
        return self._within(60)

    @property
    def in_180s(self) -> float | None:
        """Which part of what was submitted arrived within three minutes; None as for a minute."""
        return self._within(180)

    @property
    def p99(self) -> int | None:
        """Within how many seconds 99 % of what arrived did."""
        return percentile(self.figures.delays, 0.99)

    @property
    def per_delivered(self) -> Decimal | None:
        """Yuan for each SMS that arrived."""
        return self.figures.cost / self.figures.delivered if self.figures.delivered else None

    @property
    def per_verified(self) -> Decimal | None:
        """Yuan for each SMS whose code was entered."""
        return self.figures.cost / self.figures.converted if self.figures.converted else None

    def _within(self, seconds: int) -> float | None:
        """What arrived at an unknown time is left out: it is neither soon nor late."""
        timed = self.figures.delays.total()
        known = self.submitted - (self.figures.delivered - timed)
        is_unknown = self.figures.delivered and not timed
        return None if is_unknown or not known else within(self.figures.delays, seconds) / known


def scorecard(month: date) -> Mapping[tuple[int, str], Score]:
    """Returns the scores of a month by the provider's primary key and the carrier, of codes without probes."""
    first = month.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return scores_of(count_details(first, last).items())


def scores_of(counted: Iterable[tuple[Kind, Sums]]) -> Mapping[tuple[int, str], Score]:
    """Returns the scores of these messages, but for those that no vendor took."""
    found: dict[tuple[int, str], Score] = defaultdict(Score)
    for kind, sums in counted:
        if kind.has_code and not kind.is_probe and MessageStatus(kind.status).is_taken:
            found[kind.provider, kind.carrier or ""].add(kind, sums)
    return dict(found)
