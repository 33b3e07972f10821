"""How far an SMS has come, and how a vendor's word about it travels."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sandbox.inbox import SMS

_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Travel:
    """How a vendor's pushes travel."""

    delay: float = 1.0
    """Seconds from the acceptance until the SMS reaches its final state and the push leaves."""
    copies: int = 1
    """How many times each push is made; with 0 it is lost, the final state being reached all the same."""
    early: bool = False
    """The push is made, and answered, before the answer to the send is written."""
    backwards: bool = False
    """Of what waits, the newest leaves first."""
    arrives: bool = True
    """Whether the final state is a success."""


@dataclass(frozen=True, slots=True)
class Journey:
    """Where an SMS is, since when; on its way while nobody can say whether it arrived."""

    sms: SMS
    at: datetime
    arrived: bool | None = None


class Journeys:
    """The latest journeys, by the vendor's id; of one id the latest."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._journeys: OrderedDict[str, Journey] = OrderedDict()

    def note(self, journey: Journey) -> None:
        with self._lock:
            self._journeys[journey.sms.remote_id] = journey
            if len(self._journeys) > _KEPT:
                self._journeys.popitem(last=False)

    def of(self, remote_id: str) -> Journey | None:
        with self._lock:
            return self._journeys.get(remote_id)

    def clear(self) -> None:
        with self._lock:
            self._journeys.clear()
