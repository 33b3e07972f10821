"""Findings of the diagnosis as messages of system checks, which are in English as all checks are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils import translation

from django_smsverify.diagnosis.findings import Finding


def as_checks(find: Callable[[], Iterable[Finding | None]], **ids: str) -> list[CheckMessage]:
    """The messages of what `find` finds; `ids` are by the names of the states, and a state without one is left out.

    The letter of an id says whether it is an error or a warning.
    """
    with translation.override(None):
        return [
            _message(finding, ids[finding.state.value]) for finding in find() if finding and finding.state.value in ids
        ]


def _message(finding: Finding, id_: str) -> CheckMessage:
    kind = Error if id_.startswith("smsverify.E") else checks.Warning
    return kind(str(finding.words), hint=str(finding.advice), id=id_)
