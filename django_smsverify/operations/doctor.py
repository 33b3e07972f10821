"""The doctor: what lacks so that codes go out, and what an operator is to do now.

One place for the admin and the commands. The system checks say the same words, which are those of `diagnosis`.
"""

from __future__ import annotations

from collections.abc import Iterable

from django_smsverify.models import Provider

from .problems import Action, Kind, Problem, problems
from .ways import Examination, PurposeState, WayOfCodes, examine

__all__ = [
    "Action",
    "Examination",
    "Kind",
    "Problem",
    "PurposeState",
    "WayOfCodes",
    "examine_purposes",
    "what_to_do",
]


def examine_purposes(provider: Provider | None = None) -> Examination:
    """Returns what lacks so that codes go out, for each purpose, at all providers or at one; asks no vendor."""
    return examine(provider)


def what_to_do(providers: Iterable[Provider] | None = None) -> list[Problem]:
    """Returns what is to be looked after now, the most urgent first. A caller that has just read all `providers` gives
    them."""
    every = Provider.objects.filter(is_active=True) if providers is None else providers
    return sorted(problems([one for one in every if one.is_active]), key=lambda problem: problem.rank)
