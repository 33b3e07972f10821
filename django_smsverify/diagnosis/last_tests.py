"""How the last test of a provider ended, and whether its keys or its address were changed since.

What a test found stands as long as the provider is as it was when it was tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .findings import Finding, State
from .notes import delete_note, fingerprint, moment_in, read_notes, write_note

WHAT = "test"


@dataclass(frozen=True, slots=True)
class LastTest:
    """A test that found something wrong, or a change that no test has followed."""

    at: datetime
    wrong: Sequence[Finding] = ()
    """Nothing where it was changed and not tested."""

    @property
    def is_due(self) -> bool:
        """Whether the provider was changed and not tested yet."""
        return not self.wrong


def remember_test(provider: Provider, findings: Iterable[Finding]) -> None:
    """Remembers what a test found wrong; forgets the one before if all is right."""
    wrong = [
        [str(one.subject), str(one.words), str(one.advice), one.lets_codes_out]
        for one in findings
        if one.state == State.WRONG
    ]
    if wrong:
        _write(provider, wrong)
    else:
        delete_note(provider.pk, WHAT)


def remember_change(provider: Provider) -> None:
    """Remembers that the keys, the address or the options of a provider were changed just now."""
    _write(provider, [])


def last_tests(providers: Iterable[Provider]) -> Mapping[int, LastTest]:
    """Returns what is to be told of the last tests, by primary key; by one trip to the cache."""
    by_pk = {one.pk: one for one in providers}
    notes = read_notes((pk, WHAT) for pk in by_pk)
    return {
        pk: LastTest(moment_in(note), [_finding(*found) for found in note["wrong"]])
        for (pk, _what), note in notes.items()
        if note["of"] == _identity(by_pk[pk])
    }


def _finding(subject: str, words: str, advice: str, lets_codes_out: bool) -> Finding:
    return Finding(subject, State.WRONG, words, advice, lets_codes_out=lets_codes_out)


def _write(provider: Provider, wrong: Sequence[Sequence[object]]) -> None:
    note = {"at": timezone.now().timestamp(), "of": _identity(provider), "wrong": wrong}
    write_note(provider.pk, WHAT, note)


def _identity(provider: Provider) -> str:
    """What a test depends on; its hash alone is kept."""
    try:
        keys = {name: str(value) for name, value in provider.credentials.items()}
    except UndecryptableValue:
        keys = {}
    kind = gateway_class_or_missing(provider.gateway)
    # With the defaults, which a form stores though nobody has changed them.
    options = {one.name: provider.options.get(one.name) or one.default for one in kind.options}
    facts = (keys, options, provider.gateway, provider.base_url or kind.base_url)
    return fingerprint(json.dumps(facts, sort_keys=True))
