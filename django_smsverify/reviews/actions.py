"""The operator's moves in a vendor's review: submit, change and submit again, delete, and fetch what is there.

Each takes the row by a conditional update before the vendor is called, so that nothing is submitted twice, whoever else
is at it and whenever a process dies. A refusal leaves the row as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.utils import timezone
from django.utils.translation import gettext

from django_smsverify import texts
from django_smsverify.enums import Reason, ReviewStatus
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUncertain, SubmissionRefused
from django_smsverify.gateways.base import Gateway
from django_smsverify.linting import Level, marked
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.models.querysets import FIRST_PAUSE
from django_smsverify.transactions import run_committed
from django_smsverify.types import ReviewEvent

from .verdicts import Text, ask_review, draft_of, rows_of, store_answer, submission_of

T = TypeVar("T")
Row = TypeVar("Row", bound=Text)


def submit(text: Text) -> None:
    """Submits a draft to its vendor for review; its status is then `pending`.

    Raises SubmissionRefused when it cannot be submitted, GatewayRejected or GatewayUnavailable when the vendor has
    certainly not taken it, GatewayUncertain when the answer was lost: it then stays `pending` without an id and is not
    submitted again. And InsideTransaction.
    """
    run_committed(Provider, lambda: None)
    gateway = _gateway(text)
    if submission_of(text) not in gateway.submits:
        raise SubmissionRefused(_no_such_way(gateway, text))
    if text.status != ReviewStatus.DRAFT or text.remote_id:
        raise SubmissionRefused(_why_not_submitted(gateway, text))
    _require_clean(text)
    before = _claim(text, status=ReviewStatus.PENDING, poll_at=timezone.now() + FIRST_PAUSE)
    try:
        remote_id = _called(text, before, lambda: gateway.submit(draft_of(text)))
    except GatewayUncertain:
        nameless = rows_of(text).filter(status=ReviewStatus.PENDING, remote_id="")
        store_answer(nameless, poll_at=timezone.now())  # nobody waits for the answer any more
        text.refresh_from_db(using=nameless.db)
        raise
    store_answer(rows_of(text).filter(remote_id=""), remote_id=remote_id, poll_at=timezone.now() + FIRST_PAUSE)
    text.refresh_from_db(using=rows_of(text).db)


def resubmit(text: Text) -> None:
    """Files a rejected text again as it is now; its status is then `pending`.

    Raises what `submit` raises. After GatewayUncertain `smsverify_poll` asks whether the vendor has taken it.
    """
    run_committed(Provider, lambda: None)
    gateway = _gateway(text)
    if submission_of(text) not in gateway.resubmits:
        raise SubmissionRefused(_no_such_way(gateway, text))
    if text.status != ReviewStatus.REJECTED or not text.remote_id:
        raise SubmissionRefused(_why_not_resubmitted(text))
    _require_clean(text)
    _require_alone(text)
    before = _claim(text, status=ReviewStatus.PENDING, poll_at=timezone.now() + FIRST_PAUSE)
    _called(text, before, lambda: gateway.resubmit(draft_of(text)))
    # Asked again whatever the row says: the verdict of before may have been told while the vendor was at it.
    store_answer(rows_of(text).filter(remote_id=text.remote_id), poll_at=timezone.now() + FIRST_PAUSE)
    text.refresh_from_db(using=rows_of(text).db)


def delete(text: Text) -> None:
    """Deletes a text at its vendor; the row is no longer used from the start, and stays as a draft without an id.

    Raises what `submit` raises. After a lost answer the vendor is asked whether it is gone; GatewayUncertain when that
    is not known either: the row is then a draft with its id.
    """
    run_committed(Provider, lambda: None)
    gateway, submission = _gateway(text), submission_of(text)
    if submission not in gateway.deletes:
        raise SubmissionRefused(_no_such_way(gateway, text))
    if not text.remote_id:
        raise SubmissionRefused(gettext("It has no id at the vendor: there is nothing to delete."))
    _require_alone(text)
    before = _claim(text, status=ReviewStatus.DRAFT, poll_at=None)
    try:
        _called(text, before, lambda: gateway.delete(submission, text.remote_id))
    except GatewayUncertain:
        if not _is_gone(gateway, text, before):
            raise
    # A verdict that came while the vendor was at it is on what is gone.
    gone = {"status": ReviewStatus.DRAFT, "reason": "", "remote_id": "", "poll_at": None, "polls": 0}
    store_answer(rows_of(text).filter(remote_id=text.remote_id), **gone)
    text.refresh_from_db(using=rows_of(text).db)


def fetch(text: Row) -> Row:
    """Asks the vendor for the text behind `remote_id` and stores all that it tells; a row that is not stored yet is.

    Placeholders get our names where `variables` has them. Raises SubmissionRefused and GatewayError.
    """
    gateway = _gateway(text)
    if submission_of(text) not in gateway.answers_review:
        words = gettext("%(vendor)s cannot be asked for its %(kind)s: enter what its console shows.")
        raise SubmissionRefused(words % _names(gateway, text))
    if not text.remote_id:
        raise SubmissionRefused(gettext("Enter the id that it has at the vendor; then its state can be fetched."))
    if text._state.adding:
        event = gateway.ask_review(submission_of(text), text.remote_id)
        text.status, text.reason = event.status, event.reason
    else:
        event = ask_review(gateway, text)
    _adopt(text, event)
    if text._state.adding:
        text.save()
    else:
        rows_of(text).filter(remote_id=text.remote_id).update(**{name: getattr(text, name) for name in _words(text)})
    return text


def copy_as_draft(text: Row) -> Row:
    """A new draft with the same words, for what the vendor lets nobody change; the old one stays as it is."""
    fresh = copy.copy(text)
    fresh._state = type(text._state)()
    fresh.pk, fresh.status, fresh.remote_id, fresh.reason = None, ReviewStatus.DRAFT, "", ""
    fresh.poll_at, fresh.polls = None, 0
    fresh.save()
    return fresh


def make_draft(text: Text) -> None:
    """Says of a text whose id was lost that the vendor does not have it, so that it may be submitted again."""
    if text.status != ReviewStatus.PENDING or text.remote_id:
        raise SubmissionRefused(gettext("Only what was submitted and has no id can be made a draft again."))
    if not what_was_lost(text):
        raise SubmissionRefused(gettext("It is being submitted just now: look again in a minute."))
    _claim(text, status=ReviewStatus.DRAFT, poll_at=None)


def _gateway(text: Text) -> Gateway:
    try:
        return text.provider.gateway_client()
    except ImproperlyConfigured as error:
        raise SubmissionRefused(str(error)) from None


def _words(text: Text) -> tuple[str, ...]:
    return ("text", "remark") if isinstance(text, Signature) else ("name", "content", "variables", "remark")


def _claim(text: Text, **news: Any) -> dict[str, Any]:
    """Takes the row for one move if it still is as it was read, and returns what changes back.

    Raises SubmissionRefused when somebody else has changed it, or is at it.
    """
    before = {name: getattr(text, name) for name in ("status", "reason", "poll_at", "polls")}
    same = {name: getattr(text, name) for name in ("remote_id", *_words(text)) if name != "variables"}
    if not rows_of(text).filter(**before, **same).update(reason="", polls=0, **news):
        raise SubmissionRefused(gettext("Somebody else has changed it meanwhile, or is at it. Look at it again."))
    text.refresh_from_db(using=rows_of(text).db)
    return before


def _called(text: Text, before: dict[str, Any], call: Callable[[], T]) -> T:
    """What the vendor answers; what it has certainly not done leaves the row as it was."""
    try:
        return call()
    except GatewayUncertain:
        raise
    except GatewayError:
        _put_back(text, before)
        raise


def _put_back(text: Text, before: dict[str, Any]) -> None:
    store_answer(rows_of(text).filter(status=text.status, remote_id=text.remote_id), **before)
    text.refresh_from_db(using=rows_of(text).db)


def _is_gone(gateway: Gateway, text: Text, before: dict[str, Any]) -> bool:
    """Whether the vendor no longer knows a text; one that it does know is put back."""
    try:
        gateway.ask_review(submission_of(text), text.remote_id)
    except GatewayRejected as error:
        return error.reason not in (Reason.ACCOUNT, Reason.RATE)
    except GatewayError:
        return False
    _put_back(text, before)
    return False


def _adopt(text: Text, event: ReviewEvent) -> None:
    """Writes the vendor's words onto the row, unsaved; raises SubmissionRefused when it cannot hold them."""
    text.remark = event.remark or text.remark
    if isinstance(text, Signature):
        text.text = event.text or text.text
    else:
        text.name = event.name or text.name
        _adopt_content(text, event.text)
    try:
        text.full_clean(exclude={"reason"})
    except ValidationError as error:
        words = gettext("The vendor's text cannot be stored: %(text)s — %(why)s")
        raise SubmissionRefused(words % {"text": event.text, "why": " ".join(error.messages)}) from None


def _adopt_content(text: Template, content: str) -> None:
    """The vendor's text, under our names for its placeholders where `variables` has them."""
    ours = {theirs: name for name, theirs in text.variables.items()}
    text.content = texts.renamed(content, ours) or text.content
    text.variables = {ours[theirs]: theirs for theirs in texts.placeholders(content) if theirs in ours}


def _require_clean(text: Text) -> None:
    """Refuses what the vendor would refuse for certain: a review takes hours."""
    grave = [finding for finding in text.lint() if finding.level is Level.ERROR]
    if grave:
        content = text.text if isinstance(text, Signature) else text.content
        told = (f"{marked(content, finding)} — {finding.message}".removeprefix(" — ") for finding in grave)
        raise SubmissionRefused(gettext("The vendor would refuse this: %s") % " ".join(told))


def _require_alone(text: Text) -> None:
    others = type(text).objects.primary().filter(provider=text.provider, remote_id=text.remote_id).exclude(pk=text.pk)
    if other := others.first():
        words = gettext("%s has the same id at the vendor: what is done to the one is done to the other, too.")
        raise SubmissionRefused(words % other)


def _names(gateway: Gateway, text: Text) -> dict[str, str]:
    return {"vendor": str(gateway.label), "kind": str(text._meta.verbose_name_plural)}


def _no_such_way(gateway: Gateway, text: Text) -> str:
    words = gettext("%(vendor)s does not offer this for %(kind)s: do it in its console, then enter the outcome here.")
    return words % _names(gateway, text)


def _final() -> str:
    return gettext("It is approved, and the vendor lets nobody change that: copy it as a new draft and file that.")


def what_was_lost(text: Text) -> str:
    """What to do about a text whose id at the vendor is not known; empty for any other."""
    under_way = text.poll_at is not None and text.poll_at > timezone.now()
    if text.status != ReviewStatus.PENDING or text.remote_id or under_way:
        return ""
    return gettext(
        "It was submitted, and the vendor's answer was lost. Look in its console: if it is there, enter its id; if "
        "not, make it a draft again."
    )


def _why_not_submitted(gateway: Gateway, text: Text) -> str:
    match text.status, text.remote_id:
        case ReviewStatus.APPROVED, _:
            return _final()
        case ReviewStatus.REJECTED, _ if submission_of(text) in gateway.resubmits:
            return gettext("It was rejected: change it, then file it again after the rejection.")
        case ReviewStatus.REJECTED, _:
            return gettext("It was rejected: copy it as a new draft, change that and file it.")
        case ReviewStatus.DRAFT, remote_id:
            words = gettext("It has the id %s at the vendor: fetch its state, or clear the id if there is no such.")
            return words % remote_id
    return what_was_lost(text) or gettext("It is in review: wait for the verdict.")


def _why_not_resubmitted(text: Text) -> str:
    match text.status:
        case ReviewStatus.APPROVED:
            return _final()
        case ReviewStatus.PENDING:
            return gettext("It is in review: wait for the verdict.")
        case ReviewStatus.DRAFT:
            return gettext("It was not submitted yet: submit it first.")
    return gettext("It has no id at the vendor: copy it as a new draft and file that.")
