"""Actions of an operator on a review: submit, submit again, delete, and fetch the state and the text.

Each action claims the row by a conditional update before it calls the vendor, so that nothing is submitted twice,
even by concurrent calls or after a crash. A refusal leaves the row unchanged.
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
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.models.querysets import FIRST_PAUSE
from django_smsverify.transactions import require_autocommit
from django_smsverify.types import ReviewEvent

from .lacking import refused_for
from .verdicts import Text, ask_review, draft_of, rows_of, store_answer, submission_of

T = TypeVar("T")
Row = TypeVar("Row", bound=Text)


def submit(text: Text) -> None:
    """Submits a draft to its vendor for review; its status is then `pending`.

    Raises SubmissionRefused when it cannot be submitted, GatewayRejected or GatewayUnavailable when the vendor has
    certainly not accepted it, and InsideTransaction. Raises GatewayUncertain when the answer was lost: the text
    stays `pending` without an id and is not submitted again.
    """
    require_autocommit(Provider)
    gateway = _gateway(text)
    if submission_of(text) not in gateway.submits:
        raise SubmissionRefused(_why_unsupported(gateway, text))
    if text.status != ReviewStatus.DRAFT or text.remote_id:
        raise SubmissionRefused(_why_not_submitted(gateway, text))
    _require_clean(text)
    before = _claim(text, status=ReviewStatus.PENDING, poll_at=timezone.now() + FIRST_PAUSE)
    try:
        remote_id = _call_vendor(text, before, lambda: gateway.submit(draft_of(text)))
    except GatewayUncertain:
        without_id = rows_of(text).filter(status=ReviewStatus.PENDING, remote_id="")
        store_answer(without_id, poll_at=timezone.now())  # the call is over: no answer is expected any more
        text.refresh_from_db(using=without_id.db)
        raise
    store_answer(rows_of(text).filter(remote_id=""), remote_id=remote_id, poll_at=timezone.now() + FIRST_PAUSE)
    text.refresh_from_db(using=rows_of(text).db)


def resubmit(text: Text) -> None:
    """Submits a rejected text again with its changes; its status is then `pending`.

    Raises the errors of `submit`. After GatewayUncertain `smsverify_poll` asks whether the vendor has accepted it.
    """
    require_autocommit(Provider)
    gateway = _gateway(text)
    if submission_of(text) not in gateway.resubmits:
        raise SubmissionRefused(_why_unsupported(gateway, text))
    if text.status != ReviewStatus.REJECTED or not text.remote_id:
        raise SubmissionRefused(_why_not_resubmitted(text))
    _require_clean(text)
    _require_unique_id(text)
    before = _claim(text, status=ReviewStatus.PENDING, poll_at=timezone.now() + FIRST_PAUSE)
    _call_vendor(text, before, lambda: gateway.resubmit(draft_of(text)))
    # Poll again in any case: the old result may have been stored during the call.
    store_answer(rows_of(text).filter(remote_id=text.remote_id), poll_at=timezone.now() + FIRST_PAUSE)
    text.refresh_from_db(using=rows_of(text).db)


def delete(text: Text) -> None:
    """Deletes a text at its vendor. The row becomes a draft before the call, and loses its id after it.

    Raises the errors of `submit`. After a lost answer this asks the vendor whether the text still exists; if that is
    unknown too, raises GatewayUncertain and the draft keeps its id.
    """
    require_autocommit(Provider)
    gateway, submission = _gateway(text), submission_of(text)
    if submission not in gateway.deletes:
        raise SubmissionRefused(_why_unsupported(gateway, text))
    if not text.remote_id:
        raise SubmissionRefused(gettext("It has no id at the vendor: there is nothing to delete."))
    _require_unique_id(text)
    before = _claim(text, status=ReviewStatus.DRAFT, poll_at=None)
    try:
        _call_vendor(text, before, lambda: gateway.delete(submission, text.remote_id))
    except GatewayUncertain:
        if not _is_gone(gateway, text, before):
            raise
    # Overwrite a result that came during the call: it is about the deleted text.
    gone = {"status": ReviewStatus.DRAFT, "reason": "", "remote_id": "", "poll_at": None, "polls": 0}
    store_answer(rows_of(text).filter(remote_id=text.remote_id), **gone)
    text.refresh_from_db(using=rows_of(text).db)


def fetch(text: Row) -> Row:
    """Fetches state and fields of the text `remote_id` from the vendor and saves them; creates the row if it is new.

    Placeholders get our names according to `variables`. Raises SubmissionRefused and GatewayError.
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
    _import_text(text, event)
    if text._state.adding:
        text.save()
    else:
        rows_of(text).filter(remote_id=text.remote_id).update(
            **{name: getattr(text, name) for name in _text_fields(text)}
        )
    return text


def copy_as_draft(text: Row) -> Row:
    """Copies a text as a new draft, for texts that the vendor does not let change; the original stays."""
    fresh = copy.copy(text)
    fresh._state = type(text._state)()
    fresh.pk, fresh.status, fresh.remote_id, fresh.reason = None, ReviewStatus.DRAFT, "", ""
    fresh.poll_at, fresh.polls = None, 0
    fresh.save()
    return fresh


def make_draft(text: Text) -> None:
    """Makes a text whose id was lost a draft again, after the operator found that the vendor does not have it.

    Raises SubmissionRefused for any other text.
    """
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


def _text_fields(text: Text) -> tuple[str, ...]:
    return ("text", "remark") if isinstance(text, Signature) else ("name", "content", "variables", "remark")


def _claim(text: Text, **changes: Any) -> dict[str, Any]:
    """Reserves the row for one action if it is unchanged; returns the fields that undo the change.

    Raises SubmissionRefused when someone else changed it or is working on it.
    """
    before = {name: getattr(text, name) for name in ("status", "reason", "poll_at", "polls")}
    same = {name: getattr(text, name) for name in ("remote_id", *_text_fields(text)) if name != "variables"}
    if not rows_of(text).filter(**before, **same).update(reason="", polls=0, **changes):
        raise SubmissionRefused(gettext("Somebody else has changed it meanwhile, or is at it. Look at it again."))
    text.refresh_from_db(using=rows_of(text).db)
    return before


def _call_vendor(text: Text, before: dict[str, Any], call: Callable[[], T]) -> T:
    """Calls the vendor; restores the row when the vendor has certainly not done it."""
    try:
        return call()
    except GatewayUncertain:
        raise
    except GatewayError:
        _restore(text, before)
        raise


def _restore(text: Text, before: dict[str, Any]) -> None:
    store_answer(rows_of(text).filter(status=text.status, remote_id=text.remote_id), **before)
    text.refresh_from_db(using=rows_of(text).db)


def _is_gone(gateway: Gateway, text: Text, before: dict[str, Any]) -> bool:
    """Whether the vendor no longer has a text; if it still has the text, the row is restored."""
    try:
        gateway.ask_review(submission_of(text), text.remote_id)
    except GatewayRejected as error:
        return error.reason not in (Reason.ACCOUNT, Reason.RATE)
    except GatewayError:
        return False
    _restore(text, before)
    return False


def _import_text(text: Text, event: ReviewEvent) -> None:
    """Copies the vendor's fields to the row, unsaved; raises SubmissionRefused when they are invalid."""
    text.remark = event.remark or text.remark
    if isinstance(text, Signature):
        text.text = event.text or text.text
    else:
        text.name = event.name or text.name
        _import_content(text, event.text)
    try:
        text.full_clean(exclude={"reason"})
    except ValidationError as error:
        words = gettext("The vendor's text cannot be stored: %(text)s — %(why)s")
        raise SubmissionRefused(words % {"text": event.text, "why": _by_field(text, error)}) from None


def _by_field(text: Text, error: ValidationError) -> str:
    """What is wrong, behind the name of the field: an empty one shows nothing that would tell which it is."""
    names = {field.name: str(field.verbose_name) for field in text._meta.fields}
    found = error.message_dict.items()
    return " ".join(f"{names[name]}: {' '.join(why)}" if name in names else " ".join(why) for name, why in found)


def _import_content(text: Template, content: str) -> None:
    """Copies the vendor's content, with our names of the placeholders according to `variables`."""
    ours = {theirs: name for name, theirs in text.variables.items()}
    text.content = texts.renamed(content, ours) or text.content
    text.variables = {ours[theirs]: theirs for theirs in texts.placeholders(content) if theirs in ours}


def _require_clean(text: Text) -> None:
    """Refuses a text that the vendor would certainly refuse, because a review takes hours."""
    if why := refused_for(text):
        raise SubmissionRefused(why)


def _require_unique_id(text: Text) -> None:
    others = type(text).objects.filter(provider=text.provider, remote_id=text.remote_id).exclude(pk=text.pk)
    if other := others.first():
        words = gettext("%s has the same id at the vendor: what is done to the one is done to the other, too.")
        raise SubmissionRefused(words % other)


def _names(gateway: Gateway, text: Text) -> dict[str, str]:
    return {"vendor": str(gateway.label), "kind": str(text._meta.verbose_name_plural)}


def _why_unsupported(gateway: Gateway, text: Text) -> str:
    words = gettext("%(vendor)s does not offer this for %(kind)s: do it in its console, then enter the outcome here.")
    return words % _names(gateway, text)


def _why_final() -> str:
    return gettext("It is approved, and the vendor lets nobody change that: copy it as a new draft and file that.")


def what_was_lost(text: Text) -> str:
    """What to do about a text whose id at the vendor was lost; empty for any other text."""
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
            return _why_final()
        case ReviewStatus.REJECTED, _ if submission_of(text) in gateway.resubmits:
            return gettext("It was rejected: change it, then submit it again after the rejection.")
        case ReviewStatus.REJECTED, _:
            return gettext("It was rejected: copy it as a new draft, change that and submit it.")
        case ReviewStatus.DRAFT, remote_id:
            words = gettext("It has the id %s at the vendor: fetch its state, or clear the id if there is no such.")
            return words % remote_id
    return what_was_lost(text) or gettext("It is in review: wait for the verdict.")


def _why_not_resubmitted(text: Text) -> str:
    match text.status:
        case ReviewStatus.APPROVED:
            return _why_final()
        case ReviewStatus.PENDING:
            return gettext("It is in review: wait for the verdict.")
        case ReviewStatus.DRAFT:
            return gettext("It was not submitted yet: submit it first.")
    return gettext("It has no id at the vendor: copy it as a new draft and file that.")
