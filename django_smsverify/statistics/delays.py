"""How long SMS took to arrive, kept so that percentiles of any sum of days are exact to the step that is kept."""

from __future__ import annotations

import math
from collections import Counter

Delays = Counter[int]
"""How many messages took so many seconds, each rounded down to its step."""
STEPS = ((200, 1), (1200, 10), (7200, 60), (math.inf, 600))
"""Up to so many seconds they are kept in steps of so many; the last is open."""
LONGEST = 72 * 3600
"""Nothing takes longer: no vendor keeps its reports for more than 72 hours."""


def kept(seconds: int) -> int:
    """Returns the seconds as they are kept. A longer time is never kept as a shorter one, so percentiles stay true."""
    step = next(step for end, step in STEPS if seconds < end)
    return min(seconds, LONGEST) // step * step


def percentile(delays: Delays, share: float) -> int | None:
    """Returns within how many seconds this share of the messages arrived (nearest rank); None without messages."""
    rank, seen = math.ceil(share * delays.total()), 0
    for seconds in sorted(delays):
        seen += delays[seconds]
        if seen >= rank:
            return seconds
    return None


def within(delays: Delays, seconds: int) -> int:
    """Returns how many arrived within so many seconds, which must be kept one by one."""
    return sum(count for one, count in delays.items() if one <= seconds)
