"""The templates that can be used for a purpose now, in the order in which they are tried."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from itertools import groupby

from django_smsverify.exceptions import NoRoute, UnknownPurpose
from django_smsverify.models import PURPOSE, Template

_random = random.SystemRandom()


def routes(purpose: str, *, but: Collection[int] = ()) -> list[Template]:
    """Returns approved, active templates with a code: by priority of the provider, then in random order by weight.

    Leaves out the providers whose primary keys are in `but`, and those with an empty balance while there are others.
    Raises UnknownPurpose when no template with a code has the purpose, NoRoute when none can be used now.
    """
    if not PURPOSE.fullmatch(purpose):
        raise UnknownPurpose
    # Compared in Python too: in a MySQL collation "Login" equals "login".
    routable = Template.objects.routable().filter(purpose=purpose).exclude(provider__in=but)
    usable = funded(template for template in routable if _serves(template, purpose))
    if usable:
        usable.sort(key=lambda template: template.provider.priority)
        by_priority = groupby(usable, key=lambda template: template.provider.priority)
        return [template for _, equals in by_priority for template in shuffled(equals)]
    if any(_serves(template, purpose) for template in Template.objects.filter(purpose=purpose)):
        raise NoRoute
    raise UnknownPurpose


def funded(templates: Iterable[Template]) -> list[Template]:
    """Returns the templates whose providers have balance left; all of them if there are none, as the vendor decides."""
    every = list(templates)
    return [template for template in every if not template.provider.is_empty] or every


def _serves(template: Template, purpose: str) -> bool:
    return template.purpose == purpose and template.carries_code


def shuffled(templates: Iterable[Template]) -> list[Template]:
    """Returns a random order: the chance to come first is proportional to the provider's weight; weight 0 comes last.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): sort by u^(1/w).
    """

    def rank(template: Template) -> float:
        weight = template.provider.weight
        return _random.random() ** (1 / weight) if weight else -_random.random()

    return sorted(templates, key=rank, reverse=True)
