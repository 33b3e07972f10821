"""The messages of one chunk of numbers: found, or created before their vendor is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.db import IntegrityError

from django_smsverify.enums import MessageStatus
from django_smsverify.masked import PerNumber
from django_smsverify.models import Message, Template
from django_smsverify.models.fields import encrypt
from django_smsverify.signals import message_settled
from django_smsverify.transactions import run_committed

from .content import segments
from .left_out import left_out

CHUNK = 1000
"""Numbers whose rows are created at once."""

Values = Mapping[str, str]


def get_or_create_messages(template: Template, values: PerNumber[Values], batch: str | None) -> list[Message]:
    """One message per number, created if it does not exist yet; the caller must send the queued ones."""
    known = _existing_messages(template, batch, values)
    fresh = PerNumber((phone, own) for phone, own in values.items() if phone not in known)
    refused = left_out(fresh)
    created = list(_new_messages(template, fresh, batch, refused))
    try:
        _create(created)
    except IntegrityError:
        # Another process has created rows of the same batch meanwhile: use these.
        _create(created, ignore_conflicts=batch is not None)
        known = _existing_messages(template, batch, values)
    else:
        for message in created:
            if message.phone not in refused:
                message.values = dict(values[message.phone])
            known[message.phone] = message
    _tell_refused(known[message.phone] for message in created if message.phone in refused and message.phone in known)
    return [known[phone] for phone in values if phone in known]


def _tell_refused(messages: Iterable[Message]) -> None:
    for message in messages:
        message_settled.send_robust(Message, message=message)


def _new_messages(
    template: Template, values: PerNumber[Values], batch: str | None, refused: PerNumber[str]
) -> Iterator[Message]:
    """Messages whose values are encrypted; for numbers one after another with the same values, once.

    Those to a number that gets no notices are stored as not sent.
    """
    last: Values | None = None
    for phone, own in values.items():
        if own != last:
            encrypted: Any = encrypt(own)
            last, billed = own, segments(template, own)
        message = Message(
            provider=template.provider,
            template=template,
            phone=phone,
            purpose=template.purpose,
            batch=batch,
            segments=billed,
        )
        if phone in refused:
            message.status, message.error_message = MessageStatus.NOT_SENT, refused[phone]
            message.settled_at = message.created_at
        else:
            message.values = encrypted
        yield message


def _create(messages: list[Message], *, ignore_conflicts: bool = False) -> None:
    if messages:
        rows = Message.objects.all()
        create = partial(rows.bulk_create, messages, batch_size=CHUNK, ignore_conflicts=ignore_conflicts)
        run_committed(Message, create)


def _existing_messages(template: Template, batch: str | None, values: PerNumber[Values]) -> PerNumber[Message]:
    if batch is None:
        return PerNumber()
    rows = Message.objects.filter(batch=batch, phone__in=values)
    found = PerNumber((message.phone, message) for message in rows)
    for message in found.values():
        if message.template_id == template.pk and message.provider_id == template.provider_id:
            message.template, message.provider = template, template.provider
    return found
