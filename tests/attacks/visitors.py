"""Visitors of the site, honest ones and attackers: requests by HTTP, and what they are told."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import time_machine
from django.db import connection
from django.test import Client

from tests.conftest import PHONE, last_code
from tests.test_guard import address, in_block


class Visitor:
    """A client with an address of its own."""

    def __init__(self, ip: str = "203.0.113.7") -> None:
        # An error of the server is an answer too, as for any client.
        self._client = Client(REMOTE_ADDR=ip, raise_request_exception=False)
        self.device = ""

    def post(self, path: str, body: Any, content_type: str = "application/json", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.post(f"/sms/{path}/", body, content_type, headers=named)

    def get(self, path: str) -> Any:
        return self._client.get(f"/sms/{path}/")

    def ask(self, phone: str = PHONE, purpose: str = "login", **body: Any) -> Any:
        return self.post("send", {"phone": phone, "purpose": purpose, **body})

    def resend(self, verification_id: str) -> Any:
        return self.post("send", {"verification_id": verification_id})

    def guess(self, verification_id: str, code: str, **body: Any) -> Any:
        return self.post("verify", {"verification_id": verification_id, "code": code, **body})

    def ticket(self) -> str:
        return str(self.get("ticket").json()["ticket"])

    def verify(self, phone: str = PHONE, purpose: str = "login", **body: Any) -> Any:
        """Asks for a code and enters it, as the owner of a number does; keeps the token of the device."""
        answer = self.guess(id_in(self.ask(phone, purpose, **body)), last_code(), **body)
        assert told(answer) == "ok"
        self.device = answer.json()["device"]
        return answer


def told(answer: Any) -> str:
    """`ok`, the limit that refuses, the code of another refusal, or the status of what is no answer of ours."""
    if answer.status_code in (200, 202):
        return "ok"
    if answer.headers["Content-Type"] != "application/json":
        return str(answer.status_code)
    body = answer.json()
    return str(body.get("scope") or body["code"])


def id_in(answer: Any) -> str:
    """The verification that an answer names."""
    assert told(answer) == "ok"
    return str(answer.json()["verification_id"])


def at_once(times: int, act: Callable[[int], Any]) -> Counter[str]:
    """Acts so many times, in threads that start together; counts what they were told."""
    barrier = threading.Barrier(times)

    def one(index: int) -> str:
        try:
            barrier.wait(60)
            return told(act(index))
        finally:
            connection.close()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.00001)  # else a thread is often done before the next one begins
    try:
        with ThreadPoolExecutor(times) as pool:
            return Counter(pool.map(one, range(times)))
    finally:
        sys.setswitchinterval(interval)


def pump(
    clock: time_machine.Traveller,
    times: int,
    phone: Callable[[int], str] = in_block,
    ip: Callable[[int], str] = address,
    *,
    every: float = 10,
) -> int:
    """Asks for codes that nobody enters, for other numbers from other addresses; returns how many were sent."""
    sent = 0
    for number in range(times):
        sent += told(Visitor(ip(number)).ask(phone(number))) == "ok"
        clock.shift(every)
    return sent
