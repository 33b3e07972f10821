"""Verdicts of vendors on signatures and templates: a push is a hint, the vendor's answer counts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.utils import timezone

from django_smsverify.enums import ReviewStatus, Submission
from django_smsverify.exceptions import GatewayError, TooEarly
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.signals import review_changed
from django_smsverify.transactions import retry_on_lost_connection
from django_smsverify.types import Draft, ReviewEvent

Text = Signature | Template
logger = logging.getLogger("django_smsverify")


def hear_review(provider: Provider, event: ReviewEvent) -> None:
    """What a push says of a review: asked for where the vendor can be asked, believed where it cannot.

    A vendor that does not answer now, or cannot be asked because the keys are lost, is asked by `smsverify_poll`.
    Raises TooEarly for a verdict on what is being submitted at this moment, where only the vendor's answer to that will
    tell which text it is about.
    """
    gateway = provider.gateway_client(with_keys=provider.has_keys)
    texts = list(_rows(event.submission).filter(provider=provider, remote_id=event.remote_id))
    if event.submission not in gateway.answers_review:
        if not texts and nameless(provider, event.submission).filter(poll_at__gt=timezone.now()).exists():
            raise TooEarly
        for text in texts:
            _apply(text, event)
        return
    for text in texts:
        rows_of(text).update(poll_at=timezone.now())
        try:
            if provider.has_keys:
                ask_review(gateway, text)
        except GatewayError as error:
            logger.warning("The review of %s %s is asked for later: %s", event.submission, text.pk, error)
    if not texts and provider.has_keys:
        _name(gateway, provider, event)


def ask_review(gateway: Gateway, text: Text) -> ReviewEvent:
    """Asks the vendor how a review stands, stores and returns it; raises a GatewayError."""
    # What is submitted anew while the vendor answers is not what the answer is about.
    text.refresh_from_db(using=rows_of(text).db, fields=["status", "poll_at", "remote_id"])
    event = gateway.ask_review(submission_of(text), text.remote_id)
    _apply(text, event)
    return event


def nameless(provider: Provider, submission: Submission) -> Any:
    """What was submitted and whose id is not known: the answer was lost, or is on its way."""
    return _rows(submission).filter(provider=provider, status=ReviewStatus.PENDING, remote_id="")


def lost_submissions() -> int:
    """How many texts were submitted and have no id: only the vendor's console tells whether they are there."""
    lost = {"status": ReviewStatus.PENDING, "remote_id": ""}
    return sum(model.objects.filter(**lost).count() for model in (Signature, Template))


def due_reviews(provider: Provider, gateway: Gateway) -> Iterator[Text]:
    """What to ask this vendor about now: texts in review, and those of which a push could not be confirmed."""
    now = timezone.now()
    for submission in sorted(gateway.answers_review):
        rows = _rows(submission).filter(provider=provider).named().due(now)
        yield from rows.filter(Q(status=ReviewStatus.PENDING) | Q(poll_at__isnull=False))


def take_review_turn(text: Text) -> bool:
    """Whether this caller, and no other, may ask about a text now."""
    return bool(_rows(submission_of(text)).take_turn(text, timezone.now()))


def draft_of(text: Text) -> Draft:
    """A row as it is submitted, the placeholders under the vendor's names."""
    return Draft(
        submission=submission_of(text),
        text=text.vendors_content,
        name=text.name if isinstance(text, Template) else "",
        remark=text.remark,
        remote_id=text.remote_id,
    )


def submission_of(text: Text) -> Submission:
    return Submission.SIGNATURE if isinstance(text, Signature) else Submission.TEMPLATE


def rows_of(text: Text) -> Any:
    """The row itself, to be changed under conditions."""
    return _rows(submission_of(text)).filter(pk=text.pk)


def store_answer(rows: Any, **news: Any) -> int:
    """How many rows there are to hold what a vendor has just answered, which it may not answer again."""
    return retry_on_lost_connection(rows.model, lambda: int(rows.update(**news)))


def _name(gateway: Gateway, provider: Provider, event: ReviewEvent) -> None:
    """Gives the id to the text whose id was in an answer that was lost, when it can be only one."""
    candidates = [text for text in nameless(provider, event.submission) if _is_about(event, text)]
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
        _apply(text, event)


def _is_about(event: ReviewEvent, text: Text) -> bool:
    """Whether the vendor speaks of the same text; the name is the operator's, and two texts may differ in it only."""
    draft = draft_of(text)
    return (event.text, event.name) == (draft.text, draft.name)


def _apply(text: Text, event: ReviewEvent) -> None:
    """Stores a verdict, unless the text is no longer what it was when the vendor was asked."""
    rows = rows_of(text).filter(remote_id=event.remote_id, status=text.status, poll_at=text.poll_at)
    news = {"status": event.status, "reason": event.reason}
    over = {} if event.status == ReviewStatus.PENDING else {"poll_at": None, "polls": 0}
    changed = rows.exclude(**news).update(**news, **over)
    if over and not changed:
        rows.update(**over)
    text.refresh_from_db(using=rows.db)
    if changed:
        review_changed.send_robust(type(text), text=text)


def _rows(submission: Submission) -> Any:
    model: type[Text] = Signature if submission == Submission.SIGNATURE else Template
    return model.objects.primary()
