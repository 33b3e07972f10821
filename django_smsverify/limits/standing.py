"""What the limits need to know of who asks for a code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django_smsverify.exceptions import Throttled


class Standing(Protocol):
    """Who asks; a `Requester` is one."""

    @property
    def is_known(self) -> bool:
        """Whether the number was verified here lately."""

    @property
    def is_stranger(self) -> bool:
        """Whether the request may spend only half of the number's limits."""

    @property
    def is_free(self) -> bool:
        """Whether the shared limits and the guard let the request pass."""

    @property
    def has_solved(self) -> bool:
        """Whether the request has a solved captcha."""

    @property
    def refusal(self) -> Throttled | None:
        """What the request is answered because a list refuses it."""

    @property
    def must_solve(self) -> bool:
        """Whether a list has the request challenged."""

    @property
    def ticket(self) -> str:
        """The digest of the page ticket that the request needs, and uses up; empty: it needs none."""

    @property
    def can_be_asked(self) -> bool:
        """Whether the request may be asked for a captcha where it would else be refused."""


@dataclass(frozen=True, slots=True)
class Anybody:
    """Somebody of whom nothing is known."""

    is_known: bool = False
    is_stranger: bool = False
    is_free: bool = False
    has_solved: bool = False
    refusal: Throttled | None = None
    must_solve: bool = False
    ticket: str = ""
    can_be_asked: bool = False
