"""What authgear-server's fraud protection would say of the same sends, by its published arithmetic.

https://github.com/authgear/authgear-server/blob/main/docs/specs/fraud-protection.md (the thresholds), and
docs/plans/fraud-protection/01-fraud-protection-implementation.md there (the leaky buckets), as of August 2026, with
`deny_if_any_warning`. All is of one country, so the warning about many countries is left out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .world import DAY, HOUR

DAILY, HOURLY = 0.3, 0.2
"""The parts of what was verified that may stay unverified."""


@dataclass
class Bucket:
    """Sends without a success; it drains by its threshold in its period, and is never fuller than that."""

    period: float
    level: float = 0
    at: float = 0

    def is_exceeded(self, now: float, threshold: float, more: int = 0) -> bool:
        """Adds so many sends, or takes some off; whether there are more than the threshold."""
        drained = (now - self.at) * threshold / self.period
        self.level, self.at = max(0.0, min(self.level, threshold) - drained + more), now
        return self.level > threshold


@dataclass
class Successes:
    """When codes were entered, in order."""

    moments: list[float] = field(default_factory=list)

    def lately(self, now: float, seconds: float) -> int:
        """How many were within the last seconds."""
        return len(self.moments) - bisect_left(self.moments, now - seconds)

    def busiest_day(self) -> int:
        """The most of a day."""
        return max(Counter(moment // DAY for moment in self.moments).values(), default=0)


class Allowance:
    """The allowance of a country and of each address."""

    def __init__(self, before: Successes) -> None:
        self._all, self._busiest = before, before.busiest_day()
        self._of_address: dict[str, Successes] = defaultdict(Successes)
        self._buckets: dict[tuple[str, float], Bucket] = {}

    def refuses(self, now: float, address: str) -> bool:
        """Counts a send; whether it is one too many."""
        return self._count(now, address, 1)

    def verified(self, now: float, address: str) -> None:
        """Counts a success."""
        self._all.moments.append(now)
        self._of_address[address].moments.append(now)
        self._count(now, address, -1)

    def _count(self, now: float, address: str, more: int) -> bool:
        found = [
            self._buckets.setdefault((whose, period), Bucket(period, at=now)).is_exceeded(now, threshold, more)
            for (whose, period), threshold in self._thresholds(now, address).items()
        ]
        return any(found)

    def _thresholds(self, now: float, address: str) -> dict[tuple[str, float], float]:
        day, hour = self._all.lately(now, DAY), self._all.lately(now, HOUR)
        own = self._of_address[address].lately(now, DAY)
        return {
            ("", DAY): max(20.0, self._busiest * DAILY, day * DAILY),
            ("", HOUR): max(3.0, self._busiest / 6 * HOURLY, hour * HOURLY),
            (address, DAY): max(10.0, own * DAILY),
            (address, HOUR): max(5.0, own / 6 * HOURLY),
        }
