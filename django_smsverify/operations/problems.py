"""What an operator is to look after now, as plain data: each problem a sentence, what to do, and what it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db.models import Model
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from django_smsverify.characters import listed
from django_smsverify.conf import conf
from django_smsverify.diagnosis.findings import Finding, State
from django_smsverify.diagnosis.last_tests import LastTest, last_tests
from django_smsverify.diagnosis.open_doors import working_test_numbers
from django_smsverify.diagnosis.provider import lost_keys
from django_smsverify.diagnosis.texts import FILING_ADVICE
from django_smsverify.enums import Carrier, FilingStatus, Guarded, ReviewStatus
from django_smsverify.journal.words import moment
from django_smsverify.models import Probe, Provider, Signature, Spending, Template

from .budgets import Budgets
from .job_runs import POLL
from .jobs import poll_finding
from .last_hour import Tally, last_hour
from .open_circuits import read_circuits
from .provider_findings import of_balance, of_circuits, of_keys, of_last_hour, of_last_test, of_silence
from .provider_states import Tone
from .route_alarms import why_of
from .standing import CLOSURE, PROBE, SIGNATURE, TEMPLATE, TEST_NUMBER, WAY, WORKS, Matter, matters
from .ways import REVIEW_ADVICE, ROOM_ADVICE
from .webhook_silence import silent_webhooks


class Kind(StrEnum):
    """What a problem is, the most urgent first."""

    PURPOSE = "purpose"
    FAILING = "failing"
    LOST_KEYS = "lost_keys"
    KEYS = "keys"
    UNTESTED = "untested"
    CIRCUIT = "circuit"
    PROBE = "probe"
    BALANCE = "balance"
    BUDGET = "budget"
    POLL = "poll"
    WEBHOOK = "webhook"
    CLOSURE = "closure"
    FILING = "filing"
    REVIEW = "review"
    TEST_NUMBERS = "test_numbers"
    OLD_KEY = "old_key"


class Action(StrEnum):
    """What a button beside a problem does; blank where there is none."""

    TEST = "test"
    CHANGE = "change"
    CLOSE_CIRCUITS = "close_circuits"
    ASK_BALANCE = "ask_balance"
    TEST_PUSH = "test_push"
    LIFT = "lift"
    FETCH = "fetch"
    REENCRYPT = "reencrypt"
    SHOW_KEYS = "show_keys"
    NONE = ""


Row = tuple[str, int]
"""The label of a model, and the primary key of its row."""
APPROVED = ReviewStatus.APPROVED.value
TONES: tuple[Tone, ...] = ("bad", "warn", "good", "quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to look after."""

    kind: Kind
    tone: Tone
    words: str
    """A sentence, in the active language."""
    advice: str
    """What to do."""
    about: Row | None = None
    """None where it is about no row, or about several."""
    action: Action = Action.NONE

    @property
    def rank(self) -> tuple[int, int]:
        """Its place in a list, the most urgent first."""
        return TONES.index(self.tone), list(Kind).index(self.kind)


def problems(providers: Sequence[Provider]) -> Iterator[Problem]:
    """Finds all problems of the site and its active providers, in no order, by seven queries at most and two trips
    to the cache."""
    now = timezone.now()
    yield from _of_old_keys(providers)  # first: the others read the credentials, and then the column tells no more
    yield from _of_lost_keys(providers)
    tallies, circuits, tests = last_hour(now=now), read_circuits(providers), last_tests(providers)
    rows = matters(now, providers, tests)
    working = {row.pk for row in rows if row.what == WORKS}
    for one in providers:
        yield from _told(one, Kind.FAILING, Action.TEST, of_last_hour(tallies.get(one.pk, Tally())))
        yield from _told(one, Kind.KEYS, Action.CHANGE, of_keys(one) if one.has_keys else ())
        yield from _of_test(one, None if one.pk in working else tests.get(one.pk))
        yield from _told(one, Kind.CIRCUIT, Action.CLOSE_CIRCUITS, of_circuits(circuits.get(one.pk, ())))
        yield from _told(one, Kind.BALANCE, Action.ASK_BALANCE, of_balance(one))
    for silent in silent_webhooks(now, providers):
        yield from _told(silent.provider, Kind.WEBHOOK, Action.TEST_PUSH, [of_silence(silent.provider, silent.since)])
    yield from _of_budgets(providers)
    yield from _of_probes([row.pk for row in rows if row.what == PROBE])
    yield from _of_texts([row for row in rows if row.what in (SIGNATURE, TEMPLATE)], {one.pk: one for one in providers})
    yield from _of_purposes([row for row in rows if row.what == WAY], {one.pk for one in providers})
    yield from _of_site(rows, now)


def _told(provider: Provider, kind: Kind, action: Action, findings: Iterable[Finding]) -> Iterator[Problem]:
    """The findings about a provider as problems."""
    for finding in findings:
        tone: Tone = "bad" if finding.state == State.WRONG else "warn"
        words = _("%(name)s, %(subject)s: %(words)s")
        facts = {"name": provider.name, "subject": finding.subject, "words": finding.words}
        yield _problem(kind, tone, words % facts, finding.advice, _row(provider), action)


def _problem(
    kind: Kind, tone: Tone, words: object, advice: object, about: Row | None = None, action: Action = Action.NONE
) -> Problem:
    return Problem(kind=kind, tone=tone, words=str(words), advice=str(advice), about=about, action=action)


def _row(row: Model) -> Row:
    return row._meta.label_lower, row.pk


def _of_old_keys(providers: Iterable[Provider]) -> Iterator[Problem]:
    """That the key of encryption was changed, and what is stored was not encrypted anew."""
    if names := [one.name for one in providers if one.is_under_old_key]:
        words = _("Still encrypted with an old encryption key: the credentials of %s.")
        advice = _(
            "Encrypt what is stored anew with the newest key; then the old one can be removed from the settings."
        )
        yield _problem(Kind.OLD_KEY, "warn", words % listed(names), advice, action=Action.REENCRYPT)


def _of_lost_keys(providers: Iterable[Provider]) -> Iterator[Problem]:
    """That a key of encryption was taken away too early, once for all whose credentials were under it."""
    if names := [one.name for one in providers if not one.has_keys]:
        words = _("Nothing is sent by %(names)s: %(words)s")
        found = lost_keys()
        facts = {"names": listed(names), "words": found.words}
        yield _problem(Kind.LOST_KEYS, "bad", words % facts, found.advice, action=Action.SHOW_KEYS)


def _of_test(provider: Provider, test: LastTest | None) -> Iterator[Problem]:
    kind = Kind.UNTESTED if test is not None and test.is_due else Kind.KEYS
    return _told(provider, kind, Action.TEST, of_last_test(test))


def _of_probes(bad: Sequence[int]) -> Iterator[Problem]:
    for probe in Probe.objects.filter(pk__in=bad).select_related("message", "provider") if bad else ():
        words = _("Probes of %(name)s to %(carrier)s do not arrive: %(why)s")
        facts = {"name": probe.provider.name, "carrier": probe.get_carrier_display(), "why": why_of(probe)}
        advice = _(
            "Test the provider. If all is right there, ask the vendor, and switch it off where there are others."
        )
        yield _problem(Kind.PROBE, "bad", words % facts, advice, _row(probe.provider), Action.TEST)


def _of_budgets(providers: Sequence[Provider]) -> Iterator[Problem]:
    prices = {one.pk: one.price for one in providers if one.price is not None}
    lowest = min(prices.values(), default=Decimal(0))
    for spent in Budgets(providers, ["", *conf.PURPOSES]):
        is_spent = not spent.has_room(lowest if spent.provider is None else prices.get(spent.provider, lowest))
        about = None if spent.row is None else (Spending._meta.label_lower, spent.row)
        if is_spent or spent.is_near:
            yield _problem(Kind.BUDGET, "bad" if is_spent else "warn", spent.words, ROOM_ADVICE, about)


def _of_texts(texts: Sequence[Matter], providers: Mapping[int, Provider]) -> Iterator[Problem]:
    seen: set[Row] = set()
    for text in texts:
        provider = providers.get(text.provider or 0)
        if provider is None:
            continue  # it was switched on just now
        about = (f"smsverify.{text.what}", text.pk)
        if text.status == ReviewStatus.APPROVED:
            yield _held_back(text, provider, about)
        elif about not in seen:
            yield _in_review(text, provider, about)
        seen.add(about)


def _of_purposes(ways: Sequence[Matter], active: Collection[int]) -> Iterator[Problem]:
    """The purposes for which nobody gets a code, though there are templates for it."""
    usable = [way for way in ways if way.provider in active and {way.status, way.filing or APPROVED} == {APPROVED}]
    open_to = {way.name for way in usable}
    if closed := sorted({way.name for way in ways} - open_to):
        words = _("Nobody gets a code for: %s. No provider that is switched on has an approved template for it.")
        advice = _("Switch a provider on, or have a template approved; the page of each provider says what it lacks.")
        yield _problem(Kind.PURPOSE, "bad", words % listed(closed), advice)


def _held_back(text: Matter, provider: Provider, about: Row) -> Problem:
    words = _("%(kind)s “%(text)s” of %(name)s at %(carrier)s: %(state)s")
    filing = FilingStatus(text.filing or "")
    facts = {**_named(text, provider), "carrier": Carrier(text.carrier or "").label, "state": filing.label}
    tone: Tone = "warn" if filing == FilingStatus.SUSPECTED else "bad"
    return _problem(Kind.FILING, tone, words % facts, FILING_ADVICE, about)


def _in_review(text: Matter, provider: Provider, about: Row) -> Problem:
    status = ReviewStatus(text.status)
    words = _("%(kind)s “%(text)s” of %(name)s: %(state)s")
    facts = {**_named(text, provider), "state": status.label}
    tone: Tone = "bad" if status == ReviewStatus.REJECTED else "warn"
    return _problem(Kind.REVIEW, tone, words % facts, REVIEW_ADVICE[status], about, Action.FETCH)


def _named(text: Matter, provider: Provider) -> dict[str, object]:
    model: type[Model] = Signature if text.what == SIGNATURE else Template
    return {"kind": capfirst(model._meta.verbose_name), "text": text.name, "name": provider.name}


def _of_site(rows: Sequence[Matter], now: datetime) -> Iterator[Problem]:
    """What the guard has closed, test numbers that work, and a poll that does not run."""
    for row in rows:
        if row.what == CLOSURE and conf.GUARD != "off":
            words = _("The guard has closed %(what)s to numbers that are new here, until %(when)s.")
            what = f"{Guarded(row.kind).label} {row.name}".rstrip()
            tone: Tone = "bad" if row.kind == Guarded.SITE else "warn"
            advice = _("Look at the refusals. If they are honest people, lift it.")
            about = ("smsverify.closure", row.pk)
            yield _problem(
                Kind.CLOSURE,
                tone,
                words % {"what": what, "when": moment(row.moment or now)},
                advice,
                about,
                Action.LIFT,
            )
    if count := sum(row.what == TEST_NUMBER for row in rows):
        finding = working_test_numbers(count)
        yield _problem(Kind.TEST_NUMBERS, "warn", finding.words, finding.advice)
    if late := poll_finding(next((row.moment for row in rows if row.what == POLL), None), now):
        yield _problem(Kind.POLL, "bad", late.words, late.advice)
