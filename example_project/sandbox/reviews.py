"""The signatures and templates submitted to a vendor, and the verdicts of its reviewers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Generic, Literal, TypeVar

from sandbox.catalogue import SUBMITTED_AT, Sign, Template

Submission = Literal["sign", "template"]
Submitted = TypeVar("Submitted", bound=Sign | Template)

IN_REVIEW, APPROVED, REJECTED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The review status of a signature or template; only a rejection has a reason."""

    status: int
    reason: str = ""
    at: datetime = SUBMITTED_AT


@dataclass(frozen=True, slots=True)
class Record(Generic[Submitted]):
    """A submitted signature or template and its verdict at one moment."""

    submitted: Submitted
    submitted_at: datetime
    verdict: Verdict


class Reviews(Generic[Submitted]):
    """The signatures or the templates of one vendor, by their ids; each method is atomic."""

    def __init__(self, submitted: Sequence[Submitted]) -> None:
        self._lock = Lock()
        self._first = {
            item.id: Record(item, SUBMITTED_AT, Verdict(APPROVED if item.approved else IN_REVIEW)) for item in submitted
        }
        self._records = dict(self._first)
        # Ids must not repeat when a demo restarts with its old database.
        self._ids = count(int(time.time()))

    def all(self) -> tuple[Record[Submitted], ...]:
        with self._lock:
            return tuple(self._records.values())

    def approved(self) -> list[Submitted]:
        return [record.submitted for record in self.all() if record.verdict.status == APPROVED]

    def find(self, remote_id: str) -> Record[Submitted] | None:
        with self._lock:
            return self._records.get(remote_id)

    def add(self, make: Callable[[str], Submitted]) -> Record[Submitted]:
        """Stores the item that `make` returns for a new id; no id is used twice."""
        now = datetime.now(UTC)
        with self._lock:
            item = make(str(next(self._ids)))
            record = self._records[item.id] = Record(item, now, Verdict(IN_REVIEW, at=now))
            return record

    def judge(self, remote_id: str, verdict: Verdict) -> Record[Submitted]:
        """Raises KeyError for an unknown id."""
        with self._lock:
            return self._put(self._records[remote_id], verdict)

    def resubmit(self, remote_id: str, make: Callable[[str], Submitted]) -> tuple[int, Record[Submitted]]:
        """Replaces a rejected item and reviews it again; returns the status before. Raises KeyError."""
        with self._lock:
            record = self._records[remote_id]
            before = record.verdict.status
            if before == REJECTED:
                made = Record(make(remote_id), record.submitted_at, record.verdict)
                record = self._put(made, Verdict(IN_REVIEW, at=datetime.now(UTC)))
            return before, record

    def delete(self, remote_id: str) -> None:
        """Raises KeyError for an unknown id."""
        with self._lock:
            del self._records[remote_id]

    def clear(self) -> None:
        """Restores the initial items and verdicts."""
        with self._lock:
            self._records = dict(self._first)

    def _put(self, record: Record[Submitted], verdict: Verdict) -> Record[Submitted]:
        put = self._records[record.submitted.id] = Record(record.submitted, record.submitted_at, verdict)
        return put
