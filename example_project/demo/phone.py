"""The screen of the visitor's phone: received SMS, typed replies, and the site's status of both."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from sandbox.server import SMS

from demo.seed import ACCOUNTS
from demo.vendors import FORWARDING_REPLIES, sandbox
from django_smsverify.models import Message, Reply

LONGEST_REPLY = 200
_KEPT = 1000
_NAMES = {account.slug: account.name for account in ACCOUNTS}


@dataclass(frozen=True, slots=True)
class TypedReply:
    """A reply that was typed on the phone."""

    id: int
    sms: SMS
    content: str
    sent_at: datetime


_SMS = ("provider__slug", "remote_id")
_ids = count(1)
_typed: deque[TypedReply] = deque(maxlen=_KEPT)


def inbox(phone: str) -> tuple[SMS, ...]:
    """The SMS on the phone with this number, as E.164, oldest first."""
    return sandbox.inbox.of(phone.removeprefix("+86"))


def screen(phone: str) -> dict[str, Any]:
    received = inbox(phone)
    return {
        "messages": _messages(phone, received),
        "replies": _replies(phone),
        "closed": why_closed(received[-1]) if received else "",
    }


def why_closed(sms: SMS) -> str:
    """The reason why an SMS cannot be answered; empty if it can be."""
    if sms.vendor in FORWARDING_REPLIES:
        return ""
    return _("{vendor} passes on no replies.").format(vendor=_NAMES[sms.vendor])


def one_line(content: object) -> str:
    """The typed text as one line; raises ValueError if it cannot be sent."""
    line = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", content).strip() if isinstance(content, str) else ""
    line.encode()
    if not 1 <= len(line) <= LONGEST_REPLY:
        raise ValueError(content)
    return line


def send_reply(sms: SMS, content: str) -> None:
    """Sends the reply that the visitor typed to the vendor of this SMS."""
    _typed.append(TypedReply(next(_ids), sms, content, timezone.now()))
    sandbox.reply(sms.phone, content)


def _messages(phone: str, received: Sequence[SMS]) -> list[dict[str, Any]]:
    sent = Message.objects.filter(phone=phone, remote_id__in=[sms.remote_id for sms in received])
    statuses = {(slug, remote_id): status for slug, remote_id, status in sent.values_list(*_SMS, "status")}
    return [
        {
            "id": f"{sms.vendor}-{sms.remote_id}",
            "vendor": sms.vendor,
            "text": sms.text,
            "received_at": sms.received_at,
            "age": (timezone.now() - sms.received_at).total_seconds(),
            "status": statuses.get((sms.vendor, sms.remote_id)),
        }
        for sms in received
    ]


def _replies(phone: str) -> list[dict[str, Any]]:
    stored = Counter(Reply.objects.filter(phone=phone).values_list(*_SMS, "content"))
    typed = [reply for reply in tuple(_typed) if reply.sms.phone == phone.removeprefix("+86")]
    return [_reply(reply, stored) for reply in typed]


def _reply(typed: TypedReply, stored: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    """A typed reply, and whether the site has received it; each stored reply matches only one typed reply."""
    row = (typed.sms.vendor, typed.sms.remote_id, typed.content)
    stored[row] -= 1
    return {
        "id": f"reply-{typed.id}",
        "text": typed.content,
        "sent_at": typed.sent_at,
        "age": (timezone.now() - typed.sent_at).total_seconds(),
        "received": stored[row] >= 0,
    }
