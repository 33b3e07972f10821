"""Which templates can carry a purpose now, in the order in which they are tried."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby

from .exceptions import NoRoute, UnknownPurpose
from .models import PURPOSE, Template

_random = random.SystemRandom()


def routes(purpose: str) -> list[Template]:
    """Approved, active templates with a code: by priority of the provider, then by weight.

    Raises UnknownPurpose when no template with a code names the purpose, NoRoute when none can be used now.
    """
    if not PURPOSE.fullmatch(purpose):
        raise UnknownPurpose
    # Compared in Python too: a MySQL collation takes "Login" for "login".
    usable = [
        template for template in Template.objects.routable().filter(purpose=purpose) if _serves(template, purpose)
    ]
    if usable:
        usable.sort(key=lambda template: template.provider.priority)
        by_priority = groupby(usable, key=lambda template: template.provider.priority)
        return [template for _, equals in by_priority for template in shuffled(equals)]
    if any(_serves(template, purpose) for template in Template.objects.filter(purpose=purpose)):
        raise NoRoute
    raise UnknownPurpose


def _serves(template: Template, purpose: str) -> bool:
    return template.purpose == purpose and template.carries_code


def shuffled(templates: Iterable[Template]) -> list[Template]:
    """A random order in which each comes first as often as its provider's weight says; weight 0 comes last.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): sort by u^(1/w).
    """

    def rank(template: Template) -> float:
        weight = template.provider.weight
        return _random.random() ** (1 / weight) if weight else -_random.random()

    return sorted(templates, key=rank, reverse=True)
