"""The delivery state of an SMS, and how the vendor's pushes about it travel."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from sandbox.inbox import SMS

_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Travel:
    """How a vendor's pushes travel."""

    delay: float = 1.0
    """Seconds from the acceptance until the SMS reaches its final state and the push is made."""
    copies: int = 1
    """How many times each push is made; with 0 the push is lost, but the SMS still reaches its final state."""
    early: bool = False
    """The push is made and answered before the answer to the send is written."""
    backwards: bool = False
    """Of the waiting pushes, the newest is made first."""
    arrives: bool = True
    """Whether the final state is a success."""
    failure: Callable[[str], str] = field(default=lambda phone: "", repr=False)  # its address would be in ids of tests
    """The code with which an SMS to a number fails, and is not received; empty for a number that it reaches."""


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The state of an SMS and its time; `arrived` is None until the state is final."""

    sms: SMS
    at: datetime
    arrived: bool | None = None
    code: str = ""
    """Why it failed, where the vendor did not choose a code of its own."""


class DeliveryStates:
    """The latest states by the vendor's id; one state for each id."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._states: OrderedDict[str, DeliveryState] = OrderedDict()

    def store(self, state: DeliveryState) -> None:
        with self._lock:
            self._states[state.sms.remote_id] = state
            if len(self._states) > _KEPT:
                self._states.popitem(last=False)

    def find(self, remote_id: str) -> DeliveryState | None:
        with self._lock:
            return self._states.get(remote_id)

    def of(self, phone: str) -> list[DeliveryState]:
        """The states of the SMS to a number, oldest first."""
        with self._lock:
            return [state for state in self._states.values() if state.sms.phone == phone]

    def clear(self) -> None:
        with self._lock:
            self._states.clear()
