"""Calls of the app's webhook by a vendor, and the log of the app's answers."""

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
_pushing: ContextVar[bool] = ContextVar("pushing", default=False)


@dataclass(frozen=True, slots=True)
class Push:
    """One call of the app's webhook; if `expected_answer` is set, it is repeated until the app returns it."""

    vendor: str
    kind: Kind
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    expected_answer: str = ""
    headers_at: Callable[[str], Mapping[str, str]] = lambda url: {}
    """More headers, by the URL that is called: a vendor may sign it."""

    @classmethod
    def form(
        cls, vendor: str, kind: Kind, fields: Mapping[str, str], charset: str = "", expected_answer: str = ""
    ) -> Self:
        headers = {"Content-Type": f"{_FORM};charset={charset}" if charset else _FORM}
        return cls(vendor, kind, urlencode(fields).encode(), headers, expected_answer)

    @classmethod
    def json(
        cls, vendor: str, kind: Kind, value: object, headers: Mapping[str, str], expected_answer: str = ""
    ) -> Self:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(vendor, kind, body, {"Content-Type": "application/json", **headers}, expected_answer)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that was made; status is None if there was no answer."""

    vendor: str
    kind: Kind
    url: str
    status: int | None
    answer: str

    def is_expected_by(self, push: Push) -> bool:
        return not push.expected_answer or (self.status == 200 and self.answer == push.expected_answer)


class _WebhookAddressFilter(logging.Filter):
    """Drops the records of urllib3 during a push: they contain the webhook's address with its secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _pushing.get()


logging.getLogger("urllib3.connectionpool").addFilter(_WebhookAddressFilter())


class Pusher:
    """Makes the pushes and keeps a log of the latest."""

    def __init__(self, url_of: Callable[[str], str | None]) -> None:
        self._url_of = url_of
        self._lock = Lock()
        self._log: deque[Pushed] = deque(maxlen=_KEPT)

    def make(self, push: Push) -> Pushed | None:
        """Calls the app once; returns None if the vendor has no webhook address."""
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
    token = _pushing.set(True)
    try:
        with requests.Session() as session:
            session.trust_env = False
            headers = {**push.headers, **push.headers_at(url)}
            response = session.post(url, push.body, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
            return response.status_code, response.content.decode(errors="replace")[:_LONGEST_ANSWER]
    except (requests.RequestException, ValueError):
        return None, ""
    finally:
        _pushing.reset(token)
