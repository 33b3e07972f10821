"""How the vendors' review of signatures and templates stands; a push is a hint, the vendor's answer is the word."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.utils import timezone

from .enums import Filing, ReviewStatus
from .exceptions import GatewayError
from .gateways.base import Gateway
from .models import Provider, Signature, Template
from .signals import review_changed
from .types import ReviewEvent

Text = Signature | Template
logger = logging.getLogger("django_smsverify")


def hear_review(provider: Provider, event: ReviewEvent) -> None:
    """What a push says of a review: asked for where the vendor can be asked, believed where it cannot.

    A vendor that does not answer now is asked by `smsverify_poll`.
    """
    for text in _rows(event.filing).filter(provider=provider, remote_id=event.remote_id):
        gateway = provider.connect()
        if event.filing not in gateway.answers_review:
            _apply(text, event)
            continue
        _rows(event.filing).filter(pk=text.pk).update(poll_at=timezone.now())
        try:
            ask_review(gateway, text)
        except GatewayError as error:
            logger.warning("The review of %s %s is asked for later: %s", event.filing, text.pk, error)


def ask_review(gateway: Gateway, text: Text) -> None:
    """Asks the vendor how a review stands and stores it; raises a GatewayError."""
    _apply(text, gateway.ask_review(_filing(text), text.remote_id))


def due_reviews(provider: Provider, gateway: Gateway) -> Iterator[Text]:
    """What to ask this vendor about now: texts in review, and those of which a push could not be confirmed."""
    now = timezone.now()
    for filing in sorted(gateway.answers_review):
        rows = _rows(filing).filter(provider=provider).named().due(now)
        yield from rows.filter(Q(status=ReviewStatus.PENDING) | Q(poll_at__isnull=False))


def take_review_turn(text: Text) -> bool:
    """Whether this caller, and no other, may ask about a text now."""
    return bool(_rows(_filing(text)).take_turn(text, timezone.now()))


def _apply(text: Text, event: ReviewEvent) -> None:
    rows = _rows(event.filing).filter(pk=text.pk)
    if event.status != ReviewStatus.PENDING:
        rows.update(poll_at=None, polls=0)
    if rows.exclude(status=event.status, reason=event.reason).update(status=event.status, reason=event.reason):
        text.refresh_from_db(using=rows.db)
        review_changed.send_robust(type(text), text=text)


def _filing(text: Text) -> Filing:
    return Filing.SIGNATURE if isinstance(text, Signature) else Filing.TEMPLATE


def _rows(filing: Filing) -> Any:
    model: type[Text] = Signature if filing == Filing.SIGNATURE else Template
    return model.objects.primary()
