"""The templates that can be used for a purpose now, in the order in which they are tried."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from itertools import groupby

from django_smsverify.exceptions import NoRoute, PhoneNotSupported, UnknownPurpose
from django_smsverify.models import PURPOSE, Template

from . import route_cache

_random = random.SystemRandom()


def routes(purpose: str, phone: str, *, but: Collection[int] = ()) -> list[Template]:
    """Returns approved, active templates with a code: by priority of the provider, then in random order by weight.

    Leaves out the providers that do not serve the number's region, those whose primary keys are in `but`, and those
    with an empty balance while there are others. Raises UnknownPurpose when no template with a code has the purpose,
    NoRoute when none can be used now, PhoneNotSupported when those that can serve other regions only.
    """
    if not PURPOSE.fullmatch(purpose):
        raise UnknownPurpose
    return _in_order(purpose, phone, [route for route in route_cache.load(purpose) if route.provider_id not in but])


def kept_routes(purpose: str, phone: str, version: int | None) -> list[Template]:
    """Does what `routes` does, with what this process keeps of the version of all routes that was just read."""
    return _in_order(purpose, phone, route_cache.templates(purpose, version))


def _in_order(purpose: str, phone: str, templates: Collection[Template]) -> list[Template]:
    usable = funded(template for template in templates if template.provider.serves(phone))
    if usable:
        usable.sort(key=lambda template: template.provider.priority)
        by_priority = groupby(usable, key=lambda template: template.provider.priority)
        return [template for _, equals in by_priority for template in shuffled(equals)]
    if templates:
        raise PhoneNotSupported
    raise NoRoute if is_known_purpose(purpose) else UnknownPurpose


def is_known_purpose(purpose: str) -> bool:
    """Whether a template with a code has the purpose, in whatever state that is."""
    named = Template.objects.filter(purpose=purpose)
    return any(template.purpose == purpose and template.carries_code for template in named)


def funded(templates: Iterable[Template]) -> list[Template]:
    """Returns the templates whose providers have balance left; all of them if there are none, as the vendor decides."""
    every = list(templates)
    return [template for template in every if not template.provider.is_empty] or every


def shuffled(templates: Iterable[Template]) -> list[Template]:
    """Returns a random order: the chance to come first is proportional to the provider's weight; weight 0 comes last.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): sort by u^(1/w).
    """

    def rank(template: Template) -> float:
        weight = template.provider.weight
        return _random.random() ** (1 / weight) if weight else -_random.random()

    return sorted(templates, key=rank, reverse=True)
