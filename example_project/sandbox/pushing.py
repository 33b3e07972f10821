"""What a vendor says of its own accord, and the record of what the app answered."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Self
from urllib.parse import urlencode

import requests

Kind = Literal["report", "reply", "sign", "template"]

_TIMEOUT = 10
_KEPT = 10_000
_LONGEST_ANSWER = 1000
_FORM = "application/x-www-form-urlencoded"
_in_flight: ContextVar[bool] = ContextVar("in_flight", default=False)


@dataclass(frozen=True, slots=True)
class Push:
    """One call of the app's webhook; it is repeated until the answer is `wanted`, where that is not empty."""

    vendor: str
    kind: Kind
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    wanted: str = ""

    @classmethod
    def form(cls, vendor: str, kind: Kind, fields: Mapping[str, str], charset: str = "", wanted: str = "") -> Self:
        headers = {"Content-Type": f"{_FORM};charset={charset}" if charset else _FORM}
        return cls(vendor, kind, urlencode(fields).encode(), headers, wanted)

    @classmethod
    def json(cls, vendor: str, kind: Kind, value: object, headers: Mapping[str, str]) -> Self:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(vendor, kind, body, {"Content-Type": "application/json", **headers})


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that was made; status is None when no answer came."""

    vendor: str
    kind: Kind
    url: str
    status: int | None
    answer: str

    def satisfies(self, push: Push) -> bool:
        return not push.wanted or (self.status == 200 and self.answer == push.wanted)


class _Discreet(logging.Filter):
    """The address of a webhook holds its secret, and urllib3 logs whole addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _in_flight.get()


logging.getLogger("urllib3.connectionpool").addFilter(_Discreet())


class Pusher:
    """Makes the pushes and keeps the latest of them."""

    def __init__(self, url_of: Callable[[str], str | None]) -> None:
        self._url_of = url_of
        self._lock = Lock()
        self._log: deque[Pushed] = deque(maxlen=_KEPT)

    def make(self, push: Push) -> Pushed | None:
        """Calls the app once; None where the vendor was told no address."""
        url = self._url_of(push.vendor)
        if not url:
            return None
        status, answer = _post(url, push)
        pushed = Pushed(push.vendor, push.kind, url, status, answer)
        with self._lock:
            self._log.append(pushed)
        return pushed

    def all(self) -> tuple[Pushed, ...]:
        with self._lock:
            return tuple(self._log)

    def clear(self) -> None:
        with self._lock:
            self._log.clear()


def _post(url: str, push: Push) -> tuple[int | None, str]:
    token = _in_flight.set(True)
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(url, push.body, headers=push.headers, timeout=_TIMEOUT, allow_redirects=False)
            return response.status_code, response.content.decode(errors="replace")[:_LONGEST_ANSWER]
    except (requests.RequestException, ValueError):
        return None, ""
    finally:
        _in_flight.reset(token)
