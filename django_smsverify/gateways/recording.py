"""Records the exchanges with vendors while a person looks for a mistake; at other times nothing keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django_smsverify.masked import Secret, secrets_of
from django_smsverify.types import Answer

if TYPE_CHECKING:
    import requests


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One request and, if one came, its answer: as they were on the wire, with keys and numbers."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    answer_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case; empty without an answer."""
    answered_at: datetime | None = None
    """By our clock."""
    answer: Answer | None = None
    """None without an answer, or if it was refused before it was read."""

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Stores the headers of the answer, which came just now."""
        self.answered_at = datetime.now(UTC)
        self.answer_headers = {name.lower(): value for name, value in headers.items()}


_recorded: ContextVar[list[Recorded] | None] = ContextVar("smsverify_recorded", default=None)


@contextmanager
def recording() -> Iterator[list[Recorded]]:
    """Yields a list to which every exchange of the body is added."""
    found: list[Recorded] = []
    token = _recorded.set(found)
    try:
        yield found
    finally:
        _recorded.reset(token)


def record(request: requests.PreparedRequest) -> Recorded | None:
    """Adds a request to the recording; None when nothing is recorded."""
    found = _recorded.get()
    if found is None:
        return None
    body = request.body or ""
    recorded = Recorded(
        method=request.method or "",
        url=Secret(request.url or ""),
        headers=secrets_of(request.headers),
        body=Secret(body.decode(errors="replace") if isinstance(body, bytes) else body),
    )
    found.append(recorded)
    return recorded
