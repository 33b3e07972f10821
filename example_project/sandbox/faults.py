"""The faults that a vendor can be set to show, and the store of the current ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from threading import Lock


class Kind(Enum):
    """The kind of a fault."""

    REFUSE = auto()
    REFUSE_NUMBER = auto()
    STATUS = auto()
    GARBAGE = auto()
    EMPTY = auto()
    REDIRECT = auto()
    HUGE = auto()
    HANG = auto()
    RESET = auto()
    DRIP = auto()
    SLOW = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; with deliver, a valid request takes effect first."""

    kind: Kind
    code: str = ""
    http_status: int = 0
    seconds: float = 0.0
    deliver: bool = False

    @classmethod
    def refuse(cls, code: str | int) -> Fault:
        """The vendor's own refusal with that code; with that message, if the vendor has no codes."""
        return cls(Kind.REFUSE, code=str(code))

    @classmethod
    def refuse_number(cls, result: int) -> Fault:
        """The request is accepted and every number in it is refused."""
        return cls(Kind.REFUSE_NUMBER, code=str(result))

    @classmethod
    def status(cls, http_status: int) -> Fault:
        return cls(Kind.STATUS, http_status=http_status)

    @classmethod
    def deliver_then_status(cls, http_status: int) -> Fault:
        return cls(Kind.STATUS, http_status=http_status, deliver=True)

    @classmethod
    def garbage(cls) -> Fault:
        return cls(Kind.GARBAGE)

    @classmethod
    def empty(cls) -> Fault:
        return cls(Kind.EMPTY)

    @classmethod
    def redirect(cls) -> Fault:
        return cls(Kind.REDIRECT)

    @classmethod
    def huge(cls) -> Fault:
        return cls(Kind.HUGE)

    @classmethod
    def hang(cls, deliver: bool = True) -> Fault:
        return cls(Kind.HANG, deliver=deliver)

    @classmethod
    def reset(cls, deliver: bool = False) -> Fault:
        return cls(Kind.RESET, deliver=deliver)

    @classmethod
    def drip(cls, deliver: bool = True) -> Fault:
        return cls(Kind.DRIP, deliver=deliver)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        return cls(Kind.SLOW, seconds=seconds, deliver=True)


class FaultBoard:
    """The current fault of each vendor and the number of requests that it still applies to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: dict[str, tuple[Fault, int | None]] = {}

    def put(self, vendor: str, fault: Fault, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError("times must be at least 1")
        with self._lock:
            self._faults[vendor] = (fault, times)

    def clear(self, vendor: str | None = None) -> None:
        with self._lock:
            if vendor is None:
                self._faults.clear()
            else:
                self._faults.pop(vendor, None)

    def take(self, vendor: str) -> Fault | None:
        with self._lock:
            fault, times = self._faults.pop(vendor, (None, None))
            if fault is not None and times != 1:
                self._faults[vendor] = (fault, None if times is None else times - 1)
            return fault
