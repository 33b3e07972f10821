"""For each purpose, the ways that a code can take, and what each of them lacks, from what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_smsverify.diagnosis.findings import Finding, State, has_wrong, stop_codes
from django_smsverify.diagnosis.last_tests import LastTest
from django_smsverify.diagnosis.money import unpriced
from django_smsverify.diagnosis.pushes import test_pushes
from django_smsverify.diagnosis.surroundings import surroundings
from django_smsverify.diagnosis.texts import as_stored, held_back, name_of
from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.models import CarrierFiling, Provider, Template
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.reviews.carrier_filing import STOPPING
from django_smsverify.reviews.verdicts import Text, submission_of

from .budgets import Budgets
from .job_runs import POLL, last_run
from .jobs import poll_finding
from .last_hour import Tally, last_hour
from .last_reports import LastReport, last_reports
from .open_circuits import OpenCircuit, read_circuits
from .provider_findings import of_balance, of_circuits, of_keys, of_last_hour, of_last_test, of_no_push, of_silence
from .standing_tests import standing_tests
from .webhook_silence import silent_webhooks

REVIEW_ADVICE = {
    ReviewStatus.DRAFT: gettext_lazy("Open it in the admin: its page says what comes next."),
    ReviewStatus.PENDING: gettext_lazy("Wait for the vendor's verdict; the poll asks for it where it can be asked."),
    ReviewStatus.REJECTED: gettext_lazy("Change it as the vendor's reason says, and submit it again."),
}
ROOM_ADVICE = gettext_lazy("Wait for the next period, or raise the budget.")


@dataclass(frozen=True, slots=True)
class WayOfCodes:
    """A template with a code at one provider, and what it lacks."""

    template: Template
    """With its provider and signature."""
    lacks: Sequence[Finding]
    of_provider: Sequence[Finding]
    """What its provider lacks, whatever the template."""

    @property
    def is_ready(self) -> bool:
        """Whether codes go out by it."""
        return not stop_codes(self.lacks) and not self.is_stopped_by_provider

    @property
    def is_stopped_by_provider(self) -> bool:
        """Whether no codes go out by its provider, whatever the template."""
        return stop_codes(self.of_provider)


@dataclass(frozen=True, slots=True)
class PurposeState:
    """A purpose and its ways, in the order of the providers."""

    purpose: str
    ways: Sequence[WayOfCodes]

    @property
    def is_ready(self) -> bool:
        """Whether codes go out, by one way at least."""
        return any(way.is_ready for way in self.ways)


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found of the site, of each provider and of each purpose."""

    site: Sequence[Finding]
    providers: Mapping[Provider, Sequence[Finding]]
    purposes: Sequence[PurposeState]

    @property
    def is_wrong(self) -> bool:
        """Whether codes of a purpose cannot go out, or something is to be corrected of what is in use."""
        in_use = [one for provider, found in self.providers.items() if provider.is_active for one in found]
        in_use += [one for purpose in self.purposes for way in purpose.ways if way.is_ready for one in way.lacks]
        return has_wrong([*self.site, *in_use]) or not all(purpose.is_ready for purpose in self.purposes)

    def only(self, purpose: str) -> Examination:
        """What of it concerns one purpose; without ways if there is none of that name."""
        states = [state for state in self.purposes if state.purpose == purpose]
        used = {way.template.provider for state in states for way in state.ways}
        return Examination(self.site, {one: self.providers[one] for one in self.providers if one in used}, states)


def examine(provider: Provider | None = None) -> Examination:
    """Returns what codes need that they lack, at all providers or at one, from what is stored.

    These are nine queries at most, one more where a test found something wrong, and another where the newest report of
    a vendor that pushes was asked for; and four trips to the cache. Texts without a code are left out.
    """
    providers = list(Provider.objects.all()) if provider is None else [provider]
    facts = Facts.read(providers)
    of_providers = {one: list(facts.of_provider(one)) for one in providers}
    ways: dict[str, list[WayOfCodes]] = defaultdict(list)
    for template in facts.templates:
        found = WayOfCodes(template, list(facts.of_template(template)), of_providers[template.provider])
        ways[template.purpose].append(found)
    run = last_run(POLL)
    late = poll_finding(run.started_at if run else None, timezone.now())
    return Examination(
        site=[*surroundings(), *([late] if late else [])],
        providers=of_providers,
        purposes=[PurposeState(purpose, ways[purpose]) for purpose in sorted(ways)],
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is read for an examination."""

    templates: Sequence[Template]
    """Those with a code, in the order of their providers."""
    filings: Mapping[tuple[Submission, int], Sequence[CarrierFiling]]
    """Those that hold back what is sent, by the kind and the primary key of the text."""
    budgets: Budgets
    tallies: Mapping[int, Tally]
    circuits: Mapping[int, Sequence[OpenCircuit]]
    reports: Mapping[int, LastReport]
    silent_since: Mapping[int, datetime]
    tests: Mapping[int, LastTest]
    test_pushes: Mapping[int, datetime]
    """When a push of our own arrived last."""

    @classmethod
    def read(cls, providers: Sequence[Provider]) -> Facts:
        """Reads the facts about these providers."""
        templates, now = _templates(providers), timezone.now()
        return cls(
            templates=templates,
            filings=_filings(templates),
            budgets=Budgets(providers, {template.purpose for template in templates}),
            tallies=last_hour(providers[0] if len(providers) == 1 else None, now),
            circuits=read_circuits(providers),
            reports=last_reports(providers),
            silent_since={one.provider.pk: one.since for one in silent_webhooks(now, providers)},
            tests=standing_tests(providers),
            test_pushes=test_pushes(providers),
        )

    def of_provider(self, provider: Provider) -> Iterator[Finding]:
        """What is to be corrected at a provider, whatever the purpose."""
        if not provider.is_active:
            yield Finding(_("provider"), State.WRONG, _("It is switched off."), _("Switch it on in the admin."))
        yield from of_keys(provider)
        yield from of_last_test(self.tests.get(provider.pk))
        if not any(template.provider_id == provider.pk for template in self.templates):
            words = _("It has none with {code}, so it sends no codes.")
            yield Finding(_("templates"), State.MISSING, words, _("Add one for a purpose in the admin."))
        yield from of_balance(provider)
        yield from of_circuits(self.circuits.get(provider.pk, ()))
        yield from of_last_hour(self.tallies.get(provider.pk, Tally()))
        if provider.is_active and gateway_class_or_missing(provider.gateway).pushes:
            yield from self._webhook(provider)

    def _webhook(self, provider: Provider) -> Iterator[Finding]:
        if since := self.silent_since.get(provider.pk):
            yield of_silence(provider, since)
        else:
            yield from of_no_push(provider, self.reports.get(provider.pk), self.test_pushes.get(provider.pk))

    def of_template(self, template: Template) -> Iterator[Finding]:
        """What a template, its signature and the budgets of its purpose lack."""
        if not template.is_active:
            yield Finding(name_of(template), State.WRONG, _("It is switched off."), _("Activate it in the admin."))
        named = gateway_class_or_missing(template.provider.gateway).sends_ids_with(template.provider.options)
        if template.signature is None and Submission.SIGNATURE in named:
            words = _("It has no signature, and the vendor sends none without.")
            yield Finding(name_of(template), State.WRONG, words, _("Choose one in the admin."))
        texts: list[Text] = [template] if template.signature is None else [template.signature, template]
        for text in texts:
            yield from self._of_text(text, needs_id=submission_of(text) in named)
        yield from self._money(template)

    def _of_text(self, text: Text, *, needs_id: bool) -> Iterator[Finding]:
        if text.status != ReviewStatus.APPROVED:
            advice = REVIEW_ADVICE[ReviewStatus(text.status)]
            yield Finding(name_of(text), State.WRONG, as_stored(text)[1], advice)
            return
        if needs_id and not text.remote_id:
            words = _("It has no id at the vendor, who knows it by nothing else.")
            yield Finding(name_of(text), State.WRONG, words, _("Enter the id that the vendor's console shows."))
        yield from held_back(text, self.filings.get((submission_of(text), text.pk), ()))

    def _money(self, template: Template) -> Iterator[Finding]:
        provider, spent = template.provider, self.budgets.of(template.provider, template.purpose)
        if spent and provider.price is None:
            yield unpriced(provider, [template.purpose])
            return
        for one in spent:
            if not one.has_room(provider.price or Decimal(0)):
                yield Finding(_("budget"), State.WRONG, one.words, ROOM_ADVICE)


def _templates(providers: Sequence[Provider]) -> list[Template]:
    """The templates with a code, in the order of their providers, which are these objects."""
    by_pk = {one.pk: one for one in providers}
    found = Template.objects.filter(provider__in=list(by_pk)).select_related("signature").order_by("pk")
    templates = [template for template in found if template.carries_code]
    for template in templates:
        template.provider = by_pk[template.provider_id]
    return sorted(templates, key=lambda template: template.provider.priority)


def _filings(templates: Sequence[Template]) -> Mapping[tuple[Submission, int], Sequence[CarrierFiling]]:
    signatures = {template.signature_id for template in templates if template.signature_id}
    mine = Q(signature__in=signatures) | Q(template__in=[template.pk for template in templates])
    found: dict[tuple[Submission, int], list[CarrierFiling]] = defaultdict(list)
    for filing in CarrierFiling.objects.filter(mine, status__in=STOPPING) if templates else ():
        kind = Submission.SIGNATURE if filing.signature_id else Submission.TEMPLATE
        found[kind, filing.signature_id or filing.template_id or 0].append(filing)
    return found
