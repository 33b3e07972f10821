"""What is to be corrected at a provider, in words for an operator: keys, account, circuits, failures, webhook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from django.utils.translation import gettext as _

from django_smsverify.diagnosis.findings import Finding, State
from django_smsverify.diagnosis.last_tests import LastTest
from django_smsverify.diagnosis.provider import test_push_command, usable_gateway
from django_smsverify.journal.own_words import in_own_language
from django_smsverify.journal.words import moment
from django_smsverify.models import Provider

from .last_hour import Tally
from .last_reports import LastReport
from .open_circuits import OpenCircuit


def of_keys(provider: Provider) -> Iterator[Finding]:
    """Whether the gateway is gone, or the keys are missing or cannot be decrypted."""
    gateway = usable_gateway(provider)
    if isinstance(gateway, Finding):
        yield gateway


def of_balance(provider: Provider) -> Iterator[Finding]:
    """Whether nothing or little is left, as far as is stored."""
    if provider.is_empty:
        words = _("Nothing is left on the account, as far as the vendor said.")
        yield Finding(_("balance"), State.WRONG, words, _("Top up the account with the vendor."))
    elif provider.is_low:
        yield Finding(_("balance"), State.NOTABLE, _("Little is left on the account."), _("Top it up soon."))


def of_circuits(circuits: Iterable[OpenCircuit]) -> Iterator[Finding]:
    """One finding for each open circuit."""
    advice = _(
        "Test the provider to see what its vendor says. When it is corrected, press “Use it again” on the page of the "
        "provider."
    )
    for found in circuits:
        state = State.NOTABLE if found.carrier else State.WRONG
        yield Finding(_("circuit"), state, found.words, advice)


def of_last_hour(tally: Tally) -> Iterator[Finding]:
    """Whether many SMS failed lately."""
    if tally.is_notable:
        state = State.WRONG if tally.is_failing else State.NOTABLE
        advice = _("Test the provider, and look at its last messages.")
        yield Finding(_("last hour"), state, tally.words, advice, lets_codes_out=tally.failed < tally.tried)


def of_silence(provider: Provider, since: datetime) -> Finding:
    """That its vendor pushes no reports any more."""
    words = _("No report was pushed for SMS since %s, though the vendor pushed before.") % moment(since)
    advice = _("See whether calls come through: press “Send a test push” on the page of the provider.")
    command = test_push_command(provider)
    return Finding(_("webhook"), State.WRONG, words, advice, lets_codes_out=True, command=command)


def of_no_push(provider: Provider, report: LastReport | None, test_push: datetime | None) -> Iterator[Finding]:
    """That its vendor has pushed no report, as far as the last ones tell: those of the poll are no evidence."""
    if report is not None and report.pushed_at is not None:
        return
    subject = _("webhook")
    words = _("No report ever came.")
    if report is not None:
        words = _("No report was pushed: the last ones were asked for by the poll.")
    if test_push is not None:
        arrived = _("A test push of our own arrived at %s, so calls come through.") % moment(test_push)
        advice = _("Now register the address of the webhook with the vendor, if that was not done.")
        yield Finding(subject, State.UNKNOWN, f"{words} {arrived}", advice)
        return
    advice = _(
        "Register its address with the vendor, and see whether calls come through: press “Send a test push” on the "
        "page of the provider."
    )
    yield Finding(subject, State.UNKNOWN, words, advice, command=test_push_command(provider))


def of_last_test(test: LastTest | None) -> Iterator[Finding]:
    """What the last test found wrong, or that there was none since the provider was changed."""
    if test is None:
        return
    if test.is_due:
        words = _("Keys, address or options were entered at %s, and not tested since.") % moment(test.at)
        advice = _("Press “Test” on the page of the provider: it sends no SMS.")
        yield Finding(_("test"), State.MISSING, words, advice)
    for one in test.wrong:
        words = _("The last test, at %(when)s: %(words)s") % {
            "when": moment(test.at),
            "words": in_own_language(one.words),
        }
        yield replace(one, words=words)
