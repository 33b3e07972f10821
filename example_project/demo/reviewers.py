"""The vendors' reviewers: some seconds after a submission they approve it, or reject it for a word."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from sandbox.catalogue import CREDENTIALS, IHUYI_SENSITIVE
from sandbox.reviews import IN_REVIEW, Submission
from sandbox.server import Sandbox

PAUSE = 5.0
REASON = "内容涉及“{word}”，不予通过"
KINDS: tuple[Submission, ...] = ("sign", "template")

Waiting = tuple[str, Submission, str]


class Reviewers:
    """Decides what was in review for PAUSE seconds; what the vendors begin with stays undecided."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._first = {one for one, _text in self._in_review()}
        self._since: dict[Waiting, float] = {}

    def work(self, now: float) -> None:
        """Decides what is due at `now`, in seconds of any clock."""
        for one, text in self._in_review():
            if one not in self._first and now - self._since.setdefault(one, now) >= PAUSE:
                del self._since[one]
                word = next((word for word in IHUYI_SENSITIVE if word in text), None)
                self._sandbox.judge(*one, approved=word is None, reason=REASON.format(word=word) if word else "")

    def _in_review(self) -> Iterator[tuple[Waiting, str]]:
        """What waits for a decision, with its text."""
        for vendor, kind in product(CREDENTIALS, KINDS):
            for remote_id, text, status in self._sandbox.submitted(vendor, kind):
                if status == IN_REVIEW:
                    yield (vendor, kind, remote_id), text
