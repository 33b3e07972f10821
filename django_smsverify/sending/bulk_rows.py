"""The messages of one chunk of numbers: found, or created before their vendor is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from django.db import IntegrityError

from django_smsverify.masked import PerNumber
from django_smsverify.models import Message, Template
from django_smsverify.models.fields import encrypt
from django_smsverify.transactions import run_committed

from .content import segments

CHUNK = 1000
"""Numbers whose rows are created at once."""

Values = Mapping[str, str]


def get_or_create_messages(template: Template, values: PerNumber[Values], batch: str | None) -> list[Message]:
    """One message per number, created if it does not exist yet; the caller must send the queued ones."""
    known = _existing_messages(template, batch, values)
    fresh = PerNumber((phone, own) for phone, own in values.items() if phone not in known)
    created = list(_new_messages(template, fresh, batch))
    try:
        _create(created)
    except IntegrityError:
        # Another process has created rows of the same batch meanwhile: use these.
        _create(created, ignore_conflicts=batch is not None)
        known = _existing_messages(template, batch, values)
    else:
        for message in created:
            message.values = dict(values[message.phone])
            known[message.phone] = message
    return [known[phone] for phone in values if phone in known]


def _new_messages(template: Template, values: PerNumber[Values], batch: str | None) -> Iterator[Message]:
    """Messages whose values are encrypted; for numbers one after another with the same values, once."""
    last: Values | None = None
    for phone, own in values.items():
        if own != last:
            encrypted: Any = encrypt(own)
            last, billed = own, segments(template, own)
        yield Message(
            provider=template.provider,
            template=template,
            phone=phone,
            purpose=template.purpose,
            batch=batch,
            values=encrypted,
            segments=billed,
        )


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
