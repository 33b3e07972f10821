"""What is on the screen of the visitor's phone: what came, what was answered, and what the site knows of both."""

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
from demo.vendors import PASSING_ON_REPLIES, sandbox
from django_smsverify.models import Message, Reply

LONGEST_REPLY = 200
_KEPT = 1000
_NAMES = {account.slug: account.name for account in ACCOUNTS}


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that was typed on the phone."""

    id: int
    sms: SMS
    content: str
    sent_at: datetime


_SMS = ("provider__slug", "remote_id")
_ids = count(1)
_answers: deque[Answer] = deque(maxlen=_KEPT)


def inbox(phone: str) -> tuple[SMS, ...]:
    """The SMS on the phone with this number, as E.164, oldest first."""
    return sandbox.inbox.of(phone.removeprefix("+86"))


def screen(phone: str) -> dict[str, Any]:
    came = inbox(phone)
    return {
        "messages": _messages(phone, came),
        "replies": _replies(phone),
        "closed": closed(came[-1]) if came else "",
    }


def closed(sms: SMS) -> str:
    """Why an SMS cannot be answered; empty where it can be."""
    if sms.vendor in PASSING_ON_REPLIES:
        return ""
    return _("{vendor} passes on no replies.").format(vendor=_NAMES[sms.vendor])


def one_line(content: object) -> str:
    """What was typed, as it can be sent; raises ValueError where it cannot."""
    line = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", content).strip() if isinstance(content, str) else ""
    line.encode()
    if not 1 <= len(line) <= LONGEST_REPLY:
        raise ValueError(content)
    return line


def answer(sms: SMS, content: str) -> None:
    """Sends what the phone's owner typed on the way that the newest SMS came."""
    _answers.append(Answer(next(_ids), sms, content, timezone.now()))
    sandbox.reply(sms.phone, content)


def _messages(phone: str, came: Sequence[SMS]) -> list[dict[str, Any]]:
    known = Message.objects.filter(phone=phone, remote_id__in=[sms.remote_id for sms in came])
    statuses = {(slug, remote_id): status for slug, remote_id, status in known.values_list(*_SMS, "status")}
    return [
        {
            "id": f"{sms.vendor}-{sms.remote_id}",
            "vendor": sms.vendor,
            "text": sms.text,
            "received_at": sms.received_at,
            "age": (timezone.now() - sms.received_at).total_seconds(),
            "status": statuses.get((sms.vendor, sms.remote_id)),
        }
        for sms in came
    ]


def _replies(phone: str) -> list[dict[str, Any]]:
    stored = Counter(Reply.objects.filter(phone=phone).values_list(*_SMS, "content"))
    typed = [answer for answer in tuple(_answers) if answer.sms.phone == phone.removeprefix("+86")]
    return [_reply(answer, stored) for answer in typed]


def _reply(typed: Answer, stored: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    """A typed reply, and whether one of the stored ones is it; no other can then be the same."""
    row = (typed.sms.vendor, typed.sms.remote_id, typed.content)
    stored[row] -= 1
    return {
        "id": f"reply-{typed.id}",
        "text": typed.content,
        "sent_at": typed.sent_at,
        "age": (timezone.now() - typed.sent_at).total_seconds(),
        "received": stored[row] >= 0,
    }
