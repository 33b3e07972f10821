"""The actions that are measured: each is a list of calls, prepared by calls that are not measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from .subjects import Call, Subject
from .vendor import last_sent

SEND = "send"
VERIFY = "verify"
REPORT = "delivery report"
BY_ADDRESS = "refused by address"
BY_NUMBER = "refused by number"
ACTIONS = (SEND, VERIFY, REPORT, BY_ADDRESS, BY_NUMBER)

MOST_SENDS = 100
"""More than any limit of an address or a number."""

Make = Callable[[Call], tuple[int, bytes]]
"""Makes a call; returns the status and the body of the answer."""


class Visitors:
    """Prepares the calls of visitors who are all new, each at an address and with a number in a block of its own.

    So no limit is in the way, and none has to be raised.
    """

    def __init__(self, subject: Subject, make: Make, vendor: str, first: int = 0) -> None:
        self.subject = subject
        self.vendor = vendor
        self._make = make
        self._numbers = count(first)
        self._used_up = ""
        """An address that has no more."""
        self._prepare: dict[str, Callable[[int], Iterator[Call]]] = {
            SEND: self._sends,
            VERIFY: self._verifications,
            REPORT: self._reports,
            BY_ADDRESS: self._refused_by_address,
            BY_NUMBER: self._refused_by_number,
        }

    def calls(self, action: str, times: int) -> list[Call]:
        return list(self._prepare[action](times))

    def make(self, call: Call) -> Any:
        """Makes a call that must succeed, and returns the JSON of its answer."""
        status, body = self._make(call)
        if status != call.status:
            raise RuntimeError(f"{call.path} was answered with {status} instead of {call.status}: {body[:500]!r}")
        return json.loads(body) if body.startswith(b"{") else {}

    def _sends(self, times: int) -> Iterator[Call]:
        for _ in range(times):
            yield self._send(self._phone(), self.subject.accepted)

    def _verifications(self, times: int) -> Iterator[Call]:
        for _ in range(times):
            phone, answer = self._sent()
            code = self.subject.code(last_sent(self.vendor, phone))
            yield self._from_new_address(self.subject.verify(phone, answer, code))

    def _reports(self, times: int) -> Iterator[Call]:
        for _ in range(times):
            phone, _ = self._sent()
            yield self.subject.report(phone, last_sent(self.vendor, phone)["id"])

    def _refused_by_address(self, times: int) -> Iterator[Call]:
        if not self._used_up:
            self._used_up = address_of(next(self._numbers))
            self._send_until_refused(address=self._used_up)
        for _ in range(times):
            yield self._refusal(address=self._used_up)

    def _refused_by_number(self, times: int) -> Iterator[Call]:
        phone, _ = self._sent()
        self._send_until_refused(phone)
        for _ in range(times):
            yield self._refusal(phone)

    def _send_until_refused(self, phone: str = "", address: str = "") -> None:
        for _ in range(MOST_SENDS):
            if self._make(self._refusal(phone, address))[0] == self.subject.refused:
                return
        raise RuntimeError(f"no limit stopped {MOST_SENDS} sends")

    def _refusal(self, phone: str = "", address: str = "") -> Call:
        """A send that is refused, by a number or an address that has no more."""
        call = self._send(phone or self._phone(), self.subject.refused)
        return replace(call, address=address) if address else call

    def _sent(self) -> tuple[str, Any]:
        phone = self._phone()
        return phone, self.make(self._send(phone, self.subject.accepted))

    def _phone(self) -> str:
        phone = phone_of(next(self._numbers))
        self.subject.enrol(phone)
        return phone

    def _send(self, phone: str, status: int) -> Call:
        return self._from_new_address(self.subject.send(phone, status))

    def _from_new_address(self, call: Call) -> Call:
        return replace(call, address=address_of(next(self._numbers)))


def phone_of(place: int) -> str:
    """A number of China; each of 10,000 that follow one another is in another block of 7 digits."""
    return f"138{place % 10_000:04}{place // 10_000:04}"


def address_of(place: int) -> str:
    """An address; each of 65,536 that follow one another is in another network."""
    return f"11.{place & 255}.{place >> 8 & 255}.{place >> 16 & 255}"
