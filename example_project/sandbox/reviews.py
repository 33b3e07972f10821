"""What is filed with a vendor, and what its reviewers have decided on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from sandbox.catalogue import FILED_AT, Sign, Template

Filing = Literal["sign", "template"]
Filed = TypeVar("Filed", bound=Sign | Template)

IN_REVIEW, APPROVED, REJECTED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where the review of one thing stands; a reason is given for a rejection only."""

    status: int
    reason: str = ""
    at: datetime = FILED_AT


class Reviews(Generic[Filed]):
    """The signatures or the templates of one vendor, by their ids."""

    def __init__(self, filed: Sequence[Filed]) -> None:
        self._filed: dict[str, Filed] = {item.id: item for item in filed}
        self._verdicts: dict[str, Verdict] = {}

    def find(self, remote_id: str) -> Filed | None:
        return self._filed.get(remote_id)

    def verdict(self, remote_id: str) -> Verdict:
        """Raises KeyError for what was never filed."""
        first = Verdict(APPROVED if self._filed[remote_id].approved else IN_REVIEW)
        return self._verdicts.get(remote_id, first)

    def approved(self) -> list[Filed]:
        return [item for item in self._filed.values() if self.verdict(item.id).status == APPROVED]

    def judge(self, remote_id: str, verdict: Verdict) -> None:
        self._verdicts[self._filed[remote_id].id] = verdict

    def clear(self) -> None:
        self._verdicts.clear()
