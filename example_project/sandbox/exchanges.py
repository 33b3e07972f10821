"""The record of which requests arrived and whether they were answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request; status is None and answered is false until the whole answer is sent."""

    vendor: str
    method: str
    path: str
    status: int | None = None
    answered: bool = False
    operation: str = ""
    """The operation named in the query, where one path serves several."""


class ExchangeLog:
    """The latest exchanges in order of arrival."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._serial = 0
        self._exchanges: dict[int, Exchange] = {}

    def opened(self, exchange: Exchange) -> int:
        with self._lock:
            self._serial += 1
            self._exchanges[self._serial] = exchange
            self._exchanges.pop(self._serial - _KEPT, None)
            return self._serial

    def answered(self, serial: int, status: int) -> None:
        with self._lock:
            if serial in self._exchanges:
                self._exchanges[serial] = replace(self._exchanges[serial], status=status, answered=True)

    def all(self) -> tuple[Exchange, ...]:
        with self._lock:
            return tuple(self._exchanges.values())
