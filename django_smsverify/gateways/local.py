"""Gateways for development and tests; they send nothing over the network."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import uuid4

from django.utils.translation import gettext_lazy as _

from django_smsverify import texts
from django_smsverify.characters import as_shown
from django_smsverify.types import Acceptance, OutgoingSMS

from .base import Gateway, Outcome
from .parsing import full_text


class ConsoleGateway(Gateway):
    """Prints each SMS to standard output."""

    label = _("Console (development)")
    max_recipients = 200
    local = True

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        for phone in sms.recipients:
            line = f"SMS to {phone}: {texts.signed(sms.signature, full_text(sms, phone))}\n"
            sys.stdout.write(as_shown(line, sys.stdout))
        return {phone: Acceptance(remote_id=uuid4().hex) for phone in sms.recipients}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSMS:
    """One SMS in the outbox of MemoryGateway."""

    phone: str
    text: str = field(repr=False)


class MemoryGateway(Gateway):
    """Keeps the last 1000 SMS in `MemoryGateway.outbox`, newest last, for the tests of a site."""

    label = _("Memory (tests)")
    max_recipients = 200
    local = True
    outbox: ClassVar[deque[KeptSMS]] = deque(maxlen=1000)

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        for phone in sms.recipients:
            self.outbox.append(KeptSMS(phone=phone, text=texts.signed(sms.signature, full_text(sms, phone))))
        return {phone: Acceptance(remote_id=uuid4().hex) for phone in sms.recipients}
