"""Whether the signatures and templates of a provider are approved, here and at the vendor, and what can be sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_smsverify.characters import listed
from django_smsverify.enums import Reason, ReviewStatus
from django_smsverify.exceptions import GatewayError, GatewayRejected
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import CarrierFiling, Provider, Signature, Template
from django_smsverify.models.days import date_of
from django_smsverify.phones import masked
from django_smsverify.reviews.carrier_filing import stopped_filings, unused_since
from django_smsverify.reviews.verdicts import Text, submission_of
from django_smsverify.types import ReviewEvent

from .findings import Finding, Judgement, State
from .vendor import described

MOST_ASKED = 10
"""Texts that the vendor is asked about; of the others the stored state is shown."""
STATES = {
    ReviewStatus.APPROVED: State.OK,
    ReviewStatus.PENDING: State.UNKNOWN,
    ReviewStatus.DRAFT: State.UNKNOWN,
    ReviewStatus.REJECTED: State.WRONG,
}
FILING_ADVICE = gettext_lazy("Have the vendor file it with this carrier.")


class TextExaminer:
    """Asks a vendor about texts, as long as it answers."""

    def __init__(self, gateway: Gateway, *, may_ask: bool) -> None:
        self._gateway = gateway
        self._left = MOST_ASKED if may_ask else 0
        self.takes_keys = False
        """Whether the vendor has answered one question properly."""

    def findings(self, texts: Iterable[Text]) -> Iterator[Finding]:
        """One finding for each text."""
        for text in texts:
            yield Finding(name_of(text), *self._judged(text))

    def _judged(self, text: Text) -> Judgement:
        if not (text.remote_id and submission_of(text) in self._gateway.answers_review and self._left):
            return as_stored(text)
        self._left -= 1
        try:
            event = self._gateway.ask_review(submission_of(text), text.remote_id)
        except GatewayRejected as error:
            state = State.UNKNOWN if error.reason in (Reason.ACCOUNT, Reason.RATE) else State.WRONG
            words = _("The vendor says of the id %(id)s: %(words)s")
            advice = _("Compare the id with the vendor's console.") if state == State.WRONG else ""
            return state, words % {"id": text.remote_id, "words": described(error)}, advice
        except GatewayError as error:
            self._left = 0
            return State.UNKNOWN, described(error), ""
        self.takes_keys = True
        return _compared(text, event)


def as_stored(text: Text) -> Judgement:
    """Judges a text by the state that is stored here."""
    words = _("As stored here: %(status)s. %(reason)s")
    facts = {"status": text.get_status_display(), "reason": masked(text.reason)}
    return STATES[ReviewStatus(text.status)], (words % facts).strip(), ""


def _compared(text: Text, event: ReviewEvent) -> Judgement:
    """What the vendor says of a text, beside what is stored."""
    theirs = ReviewStatus(event.status)
    words = _("The vendor says: %(status)s. %(reason)s")
    said = (words % {"status": theirs.label, "reason": masked(event.reason)}).strip()
    if event.text and event.text != text.vendors_content:
        advice = _("Fetch it from the vendor in the admin.")
        return State.WRONG, _("The vendor has another text: %s") % masked(event.text), advice
    if theirs != text.status:
        advice = _("Stored here: %s. Fetch it from the vendor in the admin, or wait for the poll.")
        state = State.UNKNOWN if theirs == ReviewStatus.APPROVED else STATES[theirs]
        return state, said, advice % text.get_status_display()
    return STATES[theirs], said, ""


def filings(provider: Provider) -> Iterator[Finding]:
    """One finding for each approved text that a carrier holds back, or that carriers may clear because it is unused."""
    for text in texts_of(provider):
        yield from held_back(text, stopped_filings(text))
        if isinstance(text, Signature) and (since := unused_since(text)):
            words = _("It was not used since %s: carriers clear what nobody uses.") % date_of(since)
            yield Finding(name_of(text), State.UNKNOWN, words, _("Ask the vendor whether it is still filed."))


def held_back(text: Text, filings: Iterable[CarrierFiling]) -> Iterator[Finding]:
    """One finding for each of these filings, by which a carrier holds back an approved text."""
    for filing in filings:
        words = _("%(filing)s (%(source)s, %(day)s)")
        facts = {"filing": filing, "source": filing.get_source_display(), "day": date_of(filing.changed_at)}
        yield Finding(name_of(text), State.WRONG, words % facts, FILING_ADVICE, lets_codes_out=True)


def name_of(text: Text) -> str:
    """What a finding about a text is about."""
    return f"{text._meta.verbose_name} {text}"


def texts_of(provider: Provider) -> Iterator[Text]:
    """The signatures and the active templates of a provider."""
    yield from provider.signatures.all()
    yield from provider.templates.filter(is_active=True).select_related("provider", "signature")


def route(provider: Provider, *, is_stopped: bool = False) -> Finding:
    """For which purposes the provider can be used; `is_stopped` where its account lets nothing out."""
    subject = _("routes")
    if not provider.is_active:
        return Finding(subject, State.WRONG, _("The provider is not active."), _("Activate it in the admin."))
    usable = list(Template.objects.routable().filter(provider=provider))
    codes = sorted({template.purpose for template in usable if template.carries_code})
    if codes and is_stopped:
        words = _("There are templates for: %s. No code goes out by them before what is wrong above is corrected.")
        return Finding(subject, State.UNKNOWN, words % listed(codes))
    if codes:
        return Finding(subject, State.OK, _("Codes can be sent for: %s") % listed(codes))
    if usable:
        return Finding(subject, State.UNKNOWN, _("No template with {code} can be used, only texts without one."))
    advice = _("A template must be approved and active, and so must its signature.")
    return Finding(subject, State.WRONG, _("No template can be used."), advice)
