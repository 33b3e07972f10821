"""Time stamps in the format of the vendors."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

CHINA: Final = timezone(timedelta(hours=8))


def stamp(moment: datetime, pattern: str = "%Y-%m-%d %H:%M:%S") -> str:
    return moment.astimezone(CHINA).strftime(pattern)
