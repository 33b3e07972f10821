"""What an examination of a provider found: a list of findings, and what was exchanged with the vendor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class State(TextChoices):
    """What is known of one thing."""

    OK = "ok", _("ok")
    NOTABLE = "notable", _("look at it")
    WRONG = "wrong", _("wrong")
    MISSING = "missing", _("missing")
    """It was not entered, which need not be a mistake."""
    UNKNOWN = "unknown", _("not known")


Judgement = tuple[State, str, str]
"""A state, its words, and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, its state, and what to do about it."""

    subject: StrOrPromise
    state: State
    words: StrOrPromise
    advice: StrOrPromise = ""
    lets_codes_out: bool = False
    """Whether codes go out all the same, at least to most people."""
    command: str = ""
    """The command that does or tells the same, for who reads this in a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found of one provider."""

    findings: Sequence[Finding]
    exchanges: Sequence[str]
    """Masked, as they are shown."""

    @property
    def is_wrong(self) -> bool:
        """Whether anything must be corrected."""
        return has_wrong(self.findings)


def has_wrong(findings: Sequence[Finding]) -> bool:
    """Whether one of these is wrong."""
    return any(finding.state == State.WRONG for finding in findings)


def stop_codes(findings: Sequence[Finding]) -> bool:
    """Whether no code goes out because of one of these."""
    return any(finding.state == State.WRONG and not finding.lets_codes_out for finding in findings)
