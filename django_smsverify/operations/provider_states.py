"""The state of a provider in a few words: whether codes go out by it, as far as what is stored tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_smsverify.characters import listed
from django_smsverify.diagnosis.findings import Finding
from django_smsverify.diagnosis.last_tests import LastTest
from django_smsverify.diagnosis.provider import usable_gateway
from django_smsverify.enums import Carrier
from django_smsverify.models import Provider

from .last_hour import Tally, last_hour
from .open_circuits import OpenCircuit, read_circuits
from .standing_tests import standing_tests

Tone = Literal["good", "warn", "bad", "quiet"]
"""What a state means for an operator."""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What is the matter with a provider, the most urgent only, or that it works."""

    tone: Tone
    words: str
    tally: Tally
    """Its SMS of the last hour."""


def provider_states(
    providers: Sequence[Provider], tallies: Mapping[int, Tally] | None = None
) -> dict[int, ProviderState]:
    """Returns the states by primary key: one query, and one where a test found something wrong, and two trips to the
    cache; `tallies` are those of `last_hour`."""
    known = last_hour() if tallies is None else tallies
    circuits, tests = read_circuits(providers), standing_tests(providers)
    found = {}
    for one in providers:
        tally = known.get(one.pk, Tally())
        tone, words = _judged(one, tally, circuits.get(one.pk, ()), tests.get(one.pk))
        found[one.pk] = ProviderState(tone, words, tally)
    return found


def _judged(
    provider: Provider, tally: Tally, circuits: Sequence[OpenCircuit], test: LastTest | None
) -> tuple[Tone, str]:
    facts = {"failed": tally.failed, "tried": tally.tried}
    if not provider.is_active:
        return "quiet", _("switched off")
    if isinstance(usable_gateway(provider), Finding):
        return "bad", _("no usable keys")
    if test is not None and not test.is_due:
        return "bad", _("the last test failed: %s") % listed(one.subject for one in test.wrong)
    if tally.is_failing:
        return "bad", _("fails: %(failed)d of %(tried)d SMS") % facts
    if any(not found.carrier for found in circuits):
        return "bad", _("circuit open")
    if provider.is_empty:
        return "bad", _("nothing left")
    if test is not None:
        return "warn", _("not tested yet")
    return _less_urgent(provider, tally, circuits)


def _less_urgent(provider: Provider, tally: Tally, circuits: Sequence[OpenCircuit]) -> tuple[Tone, str]:
    if circuits:
        return "warn", _("circuit open: %s") % listed(Carrier(found.carrier).label for found in circuits)
    if tally.is_notable:
        return "warn", _("%(failed)d of %(tried)d SMS failed") % {"failed": tally.failed, "tried": tally.tried}
    if provider.is_low:
        return "warn", _("balance low")
    if not tally.tried:
        return "quiet", _("no SMS in the last hour")
    words = ngettext("works: %(count)d SMS in the last hour", "works: %(count)d SMS in the last hour", tally.tried)
    return "good", words % {"count": tally.tried}
