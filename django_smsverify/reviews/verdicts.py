"""Results of reviews: a push only causes a query, whose answer counts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.utils import timezone

from django_smsverify import events
from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.exceptions import GatewayError, TooEarly
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.signals import review_changed
from django_smsverify.transactions import retry_on_lost_connection
from django_smsverify.types import Draft, ReviewEvent

from .carrier_filing import ASK_AGAIN_AFTER, note_told

Text = Signature | Template
logger = logging.getLogger("django_smsverify")


def store_review_result(provider: Provider, event: ReviewEvent) -> None:
    """Handles a pushed review result: queries the vendor if it has such a query, else stores the pushed result.

    If the query fails, or the keys are lost, `smsverify_poll` queries later. Without a query, raises TooEarly for an
    unknown id while a submission is not answered yet: the result may be about that text.
    """
    gateway = provider.gateway_client(with_keys=provider.has_keys)
    texts = list(_rows(event.submission).filter(provider=provider, remote_id=event.remote_id))
    if event.submission not in gateway.answers_review:
        if not texts and without_id(provider, event.submission).filter(poll_at__gt=timezone.now()).exists():
            raise TooEarly
        for text in texts:
            text.provider = provider
            _apply(text, event)
        return
    for text in texts:
        text.provider = provider
        rows_of(text).update(poll_at=timezone.now())
        try:
            if provider.has_keys:
                ask_review(gateway, text)
        except GatewayError as error:
            logger.warning("The review of %s %s is asked for later: %s", event.submission, text.pk, error)
    if not texts and provider.has_keys:
        _assign_id(gateway, provider, event)


def ask_review(gateway: Gateway, text: Text) -> ReviewEvent:
    """Queries the state of a review, stores it and returns it; raises a GatewayError."""
    text.refresh_from_db(using=rows_of(text).db, fields=["status", "poll_at", "remote_id"])
    return ask_review_as_read(gateway, text)


def ask_review_as_read(gateway: Gateway, text: Text) -> ReviewEvent:
    """Does the same with a text that was read just now: one that is submitted again during the call does not get this
    answer."""
    event = gateway.ask_review(submission_of(text), text.remote_id)
    _apply(text, event)
    return event


def without_id(provider: Provider, submission: Submission) -> Any:
    """Submitted texts without an id: the answer was lost, or has not arrived yet."""
    return _rows(submission).filter(provider=provider, status=ReviewStatus.PENDING, remote_id="")


def lost_submissions() -> int:
    """The number of submitted texts without an id; only the vendor's console shows whether it has them."""
    lost = {"status": ReviewStatus.PENDING, "remote_id": ""}
    return sum(model.objects.filter(**lost).count() for model in (Signature, Template))


def due_reviews(provider: Provider, gateway: Gateway) -> Iterator[Text]:
    """Texts to query now: those in review, and those with a pushed result that is not confirmed."""
    now = timezone.now()
    for submission in sorted(gateway.answers_review):
        rows = _rows(submission).filter(provider=provider).named().due(now)
        for text in rows.filter(Q(status=ReviewStatus.PENDING) | Q(poll_at__isnull=False)):
            text.provider = provider
            yield text


def take_review_turn(text: Text) -> bool:
    """Reserves the next query about a text; whether this caller got it, and the text is as it was read."""
    as_read = _rows(submission_of(text)).filter(status=text.status, remote_id=text.remote_id)
    return bool(as_read.take_turn(text, timezone.now()))


def draft_of(text: Text) -> Draft:
    """A row as it is submitted, with the vendor's names of the placeholders."""
    draft = Draft(
        submission=submission_of(text),
        text=text.vendors_content,
        remark=text.remark,
        remote_id=text.remote_id,
    )
    if isinstance(text, Signature):
        return draft
    return replace(
        draft,
        name=text.name,
        signature=text.signature.text if text.signature else "",
        our_names={theirs: ours for ours, theirs in text.variables.items()},
    )


def submission_of(text: Text) -> Submission:
    """The kind of submission: signature or template."""
    return Submission.SIGNATURE if isinstance(text, Signature) else Submission.TEMPLATE


def rows_of(text: Text) -> Any:
    """A queryset of this row, for conditional updates."""
    return _rows(submission_of(text)).filter(pk=text.pk)


def store_answer(rows: Any, **changes: Any) -> int:
    """Stores a vendor's answer, also after a lost connection, as it may not come again; the number of updated rows."""
    return retry_on_lost_connection(rows.model, lambda: int(rows.update(**changes)))


def _assign_id(gateway: Gateway, provider: Provider, event: ReviewEvent) -> None:
    """Stores the id of a pushed result on the one text without an id that it can be about."""
    candidates = [text for text in without_id(provider, event.submission) if _is_about(event, text)]
    if len(candidates) != 1:
        return
    (text,) = candidates
    rows = rows_of(text).filter(status=ReviewStatus.PENDING, remote_id="")
    try:
        event = gateway.ask_review(event.submission, event.remote_id)
    except GatewayError as error:
        logger.warning("The id %s of %s %s cannot be confirmed: %s", event.remote_id, event.submission, text.pk, error)
        return
    if _is_about(event, text) and store_answer(rows, remote_id=event.remote_id):
        text.refresh_from_db(using=rows.db)
        text.provider = provider
        _apply(text, event)


def _is_about(event: ReviewEvent, text: Text) -> bool:
    """Whether the event is about this text. The name counts too: two texts may differ only in it."""
    draft = draft_of(text)
    return (event.text, event.name) == (draft.text, draft.name)


def _apply(text: Text, event: ReviewEvent) -> None:
    """Stores a result, unless the text has changed since the vendor was asked."""
    rows = rows_of(text).filter(remote_id=event.remote_id, status=text.status, poll_at=text.poll_at)
    changes = {"status": event.status, "reason": event.reason}
    again_at = timezone.now() + ASK_AGAIN_AFTER if event.filings and event.status == ReviewStatus.APPROVED else None
    finished = {} if event.status == ReviewStatus.PENDING else {"poll_at": again_at, "polls": 0}
    is_current = bool(event.filings) and rows.exists()
    changed = rows.exclude(**changes).update(**changes, **finished)
    if finished and not changed:
        rows.update(**finished)
    provider = text.provider
    text.refresh_from_db(using=rows.db)
    text.provider = provider
    if changed:
        events.emit("review.changed", status=text.status, provider=provider.slug, kind=submission_of(text).value)
        review_changed.send_robust(type(text), text=text)
    if is_current:
        note_told(text, event.filings)


def _rows(submission: Submission) -> Any:
    model: type[Text] = Signature if submission == Submission.SIGNATURE else Template
    return model.objects.all()
