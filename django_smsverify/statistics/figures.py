"""The figures of some messages and requests: how many, how soon, what they cost and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django_smsverify.enums import MessageStatus, Requested

from .counting import Kind, Sums
from .delays import Delays, percentile

UNDER_WAY = (MessageStatus.QUEUED, MessageStatus.SENDING)
TAKEN = frozenset(status.value for status in MessageStatus if status.is_taken)


@dataclass(slots=True, kw_only=True)
class Figures:
    """What operators ask of a time, a provider, a carrier or a purpose. Probes count in the cost alone."""

    statuses: Counter[str] = field(default_factory=Counter)
    """Messages by their status."""
    with_code: int = 0
    """Messages with a code that a vendor accepted."""
    converted: int = 0
    """Those of them whose code was entered, for whichever of its SMS."""
    segments: int = 0
    cost: Decimal = Decimal("0.0000")
    """In yuan, of what vendors accepted."""
    cost_of_codes: Decimal = Decimal("0.0000")
    """The part of it that is of codes: without notices, and without probes."""
    unpriced: int = 0
    """Accepted messages whose cost is not known."""
    delays: Delays = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    """Requests by what became of them: Requested, or why they were refused."""

    def add(self, kind: Kind, sums: Sums) -> None:
        """Adds messages of one kind."""
        is_taken = kind.status in TAKEN
        if is_taken:
            self.cost += sums.cost
            self.unpriced += sums.unpriced
        if kind.is_probe:
            return
        self.statuses[kind.status] += sums.messages
        if sums.delays:
            self.delays.update(sums.delays)
        if is_taken:
            self.segments += sums.segments
        if is_taken and kind.has_code:
            self.with_code += sums.messages
            self.converted += sums.converted
            self.cost_of_codes += sums.cost

    @property
    def sent(self) -> int:
        """Messages that a vendor certainly accepted."""
        return sum(count for status, count in self.statuses.items() if status in TAKEN)

    @property
    def delivered(self) -> int:
        """Messages that reached the phone, as their vendors say."""
        return self.statuses[MessageStatus.DELIVERED]

    @property
    def undelivered(self) -> int:
        """Messages that did not, as their vendors say."""
        return self.statuses[MessageStatus.UNDELIVERED]

    @property
    def waiting(self) -> int:
        """Accepted messages of which no report came, or none yet."""
        return self.statuses[MessageStatus.ACCEPTED]

    @property
    def not_sent(self) -> int:
        """Messages that no vendor took."""
        return self.statuses[MessageStatus.NOT_SENT]

    @property
    def unknown(self) -> int:
        """Messages that a vendor may have taken."""
        return self.statuses[MessageStatus.UNKNOWN]

    @property
    def under_way(self) -> int:
        """Messages that are queued or being handed over now."""
        return sum(self.statuses[status] for status in UNDER_WAY)

    @property
    def refused(self) -> int:
        """Requests that were refused, at least: `limits.refusals` stores counts in steps."""
        return sum(count for result, count in self.requests.items() if result not in Requested)

    @property
    def asked(self) -> int:
        """All requests for a code, with those that were refused."""
        return self.requests.total() - self.requests[Requested.VERIFIED]

    @property
    def verified(self) -> int:
        """Codes that were entered."""
        return self.requests[Requested.VERIFIED]

    @property
    def delivery_rate(self) -> float | None:
        """Which part of the accepted messages was delivered; None without any. What has no report counts as not."""
        return self.delivered / self.sent if self.sent else None

    @property
    def conversion_rate(self) -> float | None:
        """Of which part of the accepted messages with a code it was entered: no vendor can polish this."""
        return self.converted / self.with_code if self.with_code else None

    @property
    def p50(self) -> int | None:
        """Within how many seconds half of what arrived did."""
        return percentile(self.delays, 0.5)

    @property
    def p95(self) -> int | None:
        """Within how many seconds 95 % of what arrived did."""
        return percentile(self.delays, 0.95)

    @property
    def cost_per_verified(self) -> Decimal | None:
        """In yuan, for each code that was entered; None without any. Notices and probes verify nobody."""
        return self.cost_of_codes / self.verified if self.verified else None


def figures_of(counted: Iterable[tuple[Kind, Sums]]) -> Figures:
    """Returns the figures of these messages."""
    found = Figures()
    for kind, sums in counted:
        found.add(kind, sums)
    return found
