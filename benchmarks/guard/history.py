"""The week before: the rows that a usual one has left."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from django_smsverify import phones
from django_smsverify.enums import MessageStatus
from django_smsverify.limits.shared import network_digest
from django_smsverify.models import Message, Recipient, Template, Verification

from .people import AGAIN_AFTER, habit, moment, place
from .world import DAY, START, World

DAYS = 7
FIRST = 1_000_000
"""The first of those who came then, who are not those who come today."""


def usual_week(world: World, people: int, conversion: float) -> int:
    """Stores a week on which so many new people came each day; returns how many SMS the last day had."""
    template = Template.objects.select_related("provider").get()
    verifications, messages = [], []
    for number in range(DAYS * people):
        day = number // people + 1
        verification, own = _rows(world.rng, template, FIRST + number, moment(world.rng) - day * DAY, conversion)
        verifications.append(verification)
        messages += own
    Recipient.objects.bulk_create([verification.recipient for verification in verifications])
    Verification.objects.bulk_create(verifications)
    Message.objects.bulk_create(messages)
    return sum(message.created_at.timestamp() >= START - DAY for message in messages)


def _rows(
    rng: random.Random, template: Template, number: int, since: float, conversion: float
) -> tuple[Verification, list[Message]]:
    """The rows of somebody who came then."""
    (phone, ip), own = place(rng, number), habit(rng, conversion)
    begin = datetime.fromtimestamp(START + since, UTC)
    asked = [begin + timedelta(seconds=turn * AGAIN_AFTER) for turn in range(own.sms)]
    verification = Verification(
        recipient=Recipient(phone=phone),
        phone=phone,
        purpose=template.purpose,
        code_length=6,
        created_at=begin,
        expires_at=begin + timedelta(minutes=5),
        max_attempts=5,
        block=phones.block(phone),
        network=network_digest(ip),
        verified_at=asked[-1] + timedelta(seconds=own.after) if own.enters else None,
    )
    what = {"verification": verification, "phone": phone, "purpose": template.purpose, "template": template}
    sent = {"provider": template.provider, "price": template.provider.price, "status": MessageStatus.ACCEPTED}
    return verification, [
        Message(**what, **sent, created_at=at, claimed_at=at, sent_at=at, attempt=turn)
        for turn, at in enumerate(asked, 1)
    ]
