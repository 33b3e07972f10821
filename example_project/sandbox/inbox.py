"""The phones of the sandbox: every SMS that a vendor accepted, with its text as delivered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class SMS:
    """One message that reached a phone; text begins with its 【signature】."""

    vendor: str
    phone: str
    text: str
    remote_id: str
    received_at: datetime


class Inbox:
    """All messages of all phones, oldest first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._messages: deque[SMS] = deque(maxlen=_KEPT)

    def put(self, sms: SMS) -> None:
        with self._lock:
            self._messages.append(sms)

    def all(self) -> tuple[SMS, ...]:
        with self._lock:
            return tuple(self._messages)

    def of(self, phone: str) -> tuple[SMS, ...]:
        return tuple(sms for sms in self.all() if sms.phone == phone)

    def clear(self) -> None:
        with self._lock:
            self._messages.clear()
