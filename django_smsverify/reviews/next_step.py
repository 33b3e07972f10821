"""What an operator does next with a signature or template, from draft to approved, and who decides meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_smsverify.characters import listed
from django_smsverify.enums import FilingSource, ReviewStatus
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import CarrierFiling, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .actions import what_was_lost
from .carrier_filing import stopped_filings
from .verdicts import Text, submission_of

NOT_REVIEWED = gettext_lazy("%(vendor)s reviews no texts: when this is as it should be, set “review” to approved.")
AFTERWARDS = {
    FilingSource.HAND: gettext_lazy("Somebody entered this: set it to “filed” below when it is."),
    FilingSource.VENDOR: gettext_lazy("The vendor said so, and is asked again every week: enter nothing here."),
    FilingSource.REPORTS: gettext_lazy(
        "Delivery reports showed it: when this site tries that carrier again and the SMS arrives, it becomes “filed” "
        "by itself. Once the vendor says that it is filed, you can set it below, too."
    ),
}
"""Who says later that a carrier lets it through."""


class NextStep(NamedTuple):
    """A sentence or two, and the names of the actions that it speaks of."""

    words: str
    actions: tuple[str, ...] = ()
    held_back: tuple[CarrierFiling, ...] = ()
    """The filings by which carriers stop what is sent with it."""


def next_step(text: Text) -> NextStep:
    """Returns what is to be done with a stored text; calls nobody."""
    kind = gateway_class_or_missing(text.provider.gateway)
    match text.status:
        case ReviewStatus.APPROVED:
            return _of_approved(text, kind)
        case ReviewStatus.REJECTED:
            return _of_rejected(text, kind)
        case ReviewStatus.PENDING:
            return _of_pending(text, kind)
    return _of_draft(text, kind)


def _step(kind: type[Gateway], words: str, *actions: str) -> NextStep:
    return NextStep(words % {"vendor": kind.label}, actions)


def _of_draft(text: Text, kind: type[Gateway]) -> NextStep:
    submission = submission_of(text)
    if kind.local:
        return NextStep(_("This gateway is for development and nobody reviews for it: set “review” to approved."))
    if not kind.reviews_texts:
        return _step(kind, str(NOT_REVIEWED))
    if text.remote_id and submission in kind.answers_review:
        words = _("It has an id at %(vendor)s: fetch its state, or clear the id if the vendor has no such text.")
        return _step(kind, words, "fetch")
    if submission in kind.submits:
        words = _(
            "It is a draft here, and %(vendor)s does not know it. When it is as it should be, submit it: %(vendor)s "
            "decides, mostly within hours, and nobody can change it meanwhile."
        )
        return _step(kind, words, "submit")
    if submission in kind.answers_review:
        words = _(
            "File it in the console of %(vendor)s, and enter the id that it gets there: its state is then fetched."
        )
    else:
        words = _(
            "File it in the console of %(vendor)s, which tells this site nothing. Enter the id that it gets there, and "
            "set “review” to what the console says."
        )
    return _step(kind, words)


def _of_pending(text: Text, kind: type[Gateway]) -> NextStep:
    submission = submission_of(text)
    if submission in kind.submits and not text.remote_id:
        if lost := what_was_lost(text):
            return NextStep(lost, ("make_draft",))
        return NextStep(_("It is being submitted just now: look again in a minute."))
    if submission in kind.answers_review:
        words = _(
            "%(vendor)s reviews it and decides. Nothing is to be done: the poll asks for the verdict, which then "
            "stands here. To ask at once, fetch it."
        )
        return _step(kind, words, "fetch")
    if submission in kind.submits:
        words = _(
            "%(vendor)s reviews it, decides, and calls the webhook with the verdict. If its console has one that is "
            "missing here, set “review” to it."
        )
        return _step(kind, words)
    return _step(kind, _("%(vendor)s reviews it and decides. Set “review” to what its console says."))


def _of_rejected(text: Text, kind: type[Gateway]) -> NextStep:
    submission = submission_of(text)
    if submission in kind.resubmits:
        words = _("%(vendor)s has rejected it; the reason stands below. Change it, save it, and submit it again.")
        return _step(kind, words, "resubmit")
    if submission in kind.submits:
        words = _("%(vendor)s has rejected it; the reason stands below. Copy it as a new draft, and change that.")
        return _step(kind, words, "copy_as_draft")
    words = _("%(vendor)s has rejected it. Change it here and in its console, and set “review” to what that says.")
    return _step(kind, words)


def _of_approved(text: Text, kind: type[Gateway]) -> NextStep:
    filings = tuple(stopped_filings(text))
    if not filings:
        return NextStep(_of_usable(text))
    words = _(
        "%(vendor)s has approved it, but not every carrier lets it through: ask %(vendor)s, in its console or by its "
        "support, to file it (报备) with: %(carriers)s."
    )
    facts = {"vendor": kind.label, "carriers": listed(one.get_carrier_display() for one in filings)}
    sources = sorted({FilingSource(one.source) for one in filings})
    return NextStep(" ".join([words % facts, *(str(AFTERWARDS[one]) for one in sources)]), held_back=filings)


def _of_usable(text: Text) -> str:
    if isinstance(text, Signature):
        return _("It is approved: templates of this provider can be sent with it.")
    if text.signature is not None and text.signature.status != ReviewStatus.APPROVED:
        return _("It is approved, but nothing is sent with it before its signature %s is, too.") % text.signature
    if not (text.is_active and text.provider.is_active):
        return _("It is approved, but nothing is sent with it: it, or its provider, is switched off.")
    if text.signature is not None and (filings := stopped_filings(text.signature)):
        words = _(
            "It is approved, but carriers hold back its signature %(signature)s, whose page says what to do: "
            "%(carriers)s."
        )
        carriers = listed(one.get_carrier_display() for one in filings)
        return words % {"signature": text.signature, "carriers": carriers}
    if text.carries_code:
        words = _("It is approved: codes for %s can go out with it.") % text.purpose
        return " ".join(filter(None, [words, _beside(text)]))
    return _("It is approved: it can be sent to many numbers.")


def _beside(text: Template) -> str:
    """Which other templates of the provider serve the same purpose: a code goes out with any of them, by chance."""
    same = Template.objects.routable().filter(provider=text.provider_id, purpose=text.purpose).exclude(pk=text.pk)
    others = [
        f"“{one}” ({one.remote_id})" if one.remote_id else f"“{one}”"
        for one in same
        if one.purpose == text.purpose and one.carries_code
    ]
    if not others:
        return ""
    words = _("%(others)s can be used, too, and chance decides for each code: switch off what is not to be used.")
    return words % {"others": listed(others)}
