"""What a draft, or a rejected text, lacks before its vendor can be asked to review it; found without asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_smsverify.enums import ReviewStatus
from django_smsverify.gateways.base import Gateway
from django_smsverify.linting import Level, marked
from django_smsverify.models import Signature
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.types import Credential, Option

from .verdicts import Text, draft_of, submission_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Lack(NamedTuple):
    """One thing that has to be entered or changed first."""

    words: str
    """A sentence in the active language, or one of a gateway in English."""
    entered_as: Credential | Option | None = None
    """What has to be entered on the page of the provider; None for what the text itself lacks."""
    advice: StrOrPromise = ""
    """Where its value comes from."""


def what_lacks(text: Text) -> list[Lack]:
    """Returns what stands between a stored text and its vendor's review; empty for one that cannot be submitted now."""
    kind = gateway_class_or_missing(text.provider.gateway)
    ways = {(ReviewStatus.DRAFT.value, False): kind.submits, (ReviewStatus.REJECTED.value, True): kind.resubmits}
    if submission_of(text) not in ways.get((text.status, bool(text.remote_id)), ()):
        return []
    refused = refused_for(text)
    return [*([Lack(refused)] if refused else []), *_of_vendor(text)]


def refused_for(text: Text) -> str:
    """Returns why the vendor would certainly refuse the text itself; blank if nothing is known."""
    errors = [finding for finding in text.lint() if finding.level is Level.ERROR]
    content = text.text if isinstance(text, Signature) else text.content
    shown = [f"{marked(content, finding)} — {finding.message}".removeprefix(" — ") for finding in errors]
    return _("The vendor would refuse this: %s") % " ".join(shown) if shown else ""


def _of_vendor(text: Text) -> Iterator[Lack]:
    try:
        gateway = text.provider.gateway_client()
    except ImproperlyConfigured as error:
        yield Lack(str(error))
        return
    lacking = list(_of_account(gateway))
    yield from lacking
    refusal = None if lacking else gateway.refusal_of_draft(draft_of(text))
    if refusal is not None:
        option = next((one for one in gateway.options if one.name == refusal.option), None)
        yield Lack(str(refusal.detail), option, option.help_text if option else "")


def _of_account(gateway: Gateway) -> Iterator[Lack]:
    """What every call needs, and the operator has not entered."""
    declared = {option.name: option for option in gateway.options}
    groups: list[list[Credential | Option]] = [[one] for one in gateway.lacking_credentials()]
    groups += [[declared[name] for name in group] for group in gateway.lacking_options(gateway.account.options)]
    for first, *others in groups:
        label = " / ".join(str(one.label) for one in (first, *others))
        yield Lack(_("the provider has no “%s”") % label, first, first.help_text)
