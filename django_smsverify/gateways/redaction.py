"""Makes vendors' texts safe to store and show: removes secrets and control characters, and limits the length."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from django_smsverify.types import DeliveryEvent, Event, ReplyEvent, ReviewEvent

LONGEST_DETAIL = 500
LONGEST_WORD = 64
"""Characters of a vendor's code or id, the length of the columns."""
LONGEST_NAME = 100
LONGEST_REMARK = 255
"""Characters of a remark on a signature or template, the length of the column."""
LONGEST_TEXT = 2000
MOST_FIELDS = 50
MOST_PROBLEMS = 10
TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{16,}")
"""What may be a key, for accounts whose keys cannot be decrypted."""
PLAIN = re.compile(r"[A-Za-z0-9_.~+-]+")
"""Characters that HTML and JSON leave as they are, and URLs too but for the plus."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Unicode's category Cc."""


def storable(words: str, longest: int) -> str:
    """Replaces characters that databases cannot store or that break log lines, and cuts to `longest` characters."""
    encodable = words.encode(errors="replace").decode()
    return CONTROL.sub(" ", encodable)[:longest].strip()


def scrub(words: str, secrets: Iterable[str], hosts: Iterable[str] = ()) -> str:
    """Replaces each secret by `***`, also when it is encoded for a URL, HTML or JSON; these hosts stay whole.

    A value such as 10, for minutes, is also a part of `106.ihuyi.com`.
    """
    spellings = _all_spellings(secrets)
    return _outside(hosts, words, lambda part: _hide(part, spellings))


def _outside(hosts: Iterable[str], words: str, change: Callable[[str], str]) -> str:
    """The words with every part changed that is not one of these hosts."""
    if not (kept := "|".join(re.escape(host) for host in hosts if host)):
        return change(words)
    # Of a text that is split at a group, each second part is what the group has matched.
    parts = re.split(f"((?<![A-Za-z0-9.-])(?:{kept})(?![A-Za-z0-9.-]))", words)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(parts))


def _all_spellings(secrets: Iterable[str]) -> list[str]:
    """Every spelling of every secret, the longest first."""
    return sorted({spelling for secret in secrets for spelling in _spellings(secret)}, key=len, reverse=True)


def _hide(words: str, spellings: Iterable[str]) -> str:
    for spelling in spellings:
        words = words.replace(spelling, "***")
    return words


def clean(event: Event, secrets: Sequence[str]) -> Event:
    """A vendor's event, made safe to store."""
    match event:
        case DeliveryEvent():
            return clean_delivery(event, secrets)
        case ReplyEvent():
            return _clean_reply(event, secrets)
        case ReviewEvent():
            return clean_review(event, secrets)


def clean_delivery(event: DeliveryEvent, secrets: Sequence[str]) -> DeliveryEvent:
    """A delivery event, made safe to store."""
    hidden = _all_spellings([*secrets, event.phone, event.phone.removeprefix("+86")])
    return replace(
        event,
        remote_id=storable(event.remote_id, LONGEST_WORD),
        code=storable(_hide(event.code, hidden), LONGEST_WORD),
        detail=storable(_hide(event.detail, hidden), LONGEST_DETAIL),
        payload=_storable_payload(event.payload, secrets),
    )


def clean_review(event: ReviewEvent, secrets: Sequence[str]) -> ReviewEvent:
    """A review event, made safe to store."""
    return replace(
        event,
        remote_id=storable(event.remote_id, LONGEST_WORD),
        reason=storable(scrub(event.reason, secrets), LONGEST_DETAIL),
        text=_storable_lines(scrub(event.text, secrets)),
        name=storable(scrub(event.name, secrets), LONGEST_NAME),
        remark=storable(scrub(event.remark, secrets), LONGEST_REMARK),
    )


def _clean_reply(event: ReplyEvent, secrets: Sequence[str]) -> ReplyEvent:
    return replace(
        event,
        remote_id=storable(event.remote_id, LONGEST_WORD),
        content=_storable_lines(event.content),
        payload=_storable_payload(event.payload, secrets),
    )


def _storable_lines(text: str) -> str:
    return "\n".join(storable(line, LONGEST_TEXT) for line in text.splitlines())[:LONGEST_TEXT].strip()


def loggable(
    words: str, secrets: Iterable[str], longest: int = LONGEST_DETAIL, digits: int = 4, hosts: Iterable[str] = ()
) -> str:
    """A vendor's text, made safe to log: without secrets and without runs of `digits` or more digits.

    Such a run may be a phone number or a code; in one of these hosts, such as `cloud.10658.com.cn`, it is not.
    """
    spellings = _all_spellings(secrets)
    hidden = _outside(hosts, words, lambda part: re.sub(f"[0-9]{{{digits},}}", "***", _hide(part, spellings)))
    return storable(hidden, longest)


def loggable_problems(problems: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    """The first MOST_PROBLEMS problems, made safe to log, and the count of the others."""
    shown = [loggable(problem, secrets) for problem in problems[:MOST_PROBLEMS]]
    rest = len(problems) - len(shown)
    return (*shown, *([f"and {rest} more"] if rest else []))


def hide_tokens(event: Event) -> Event:
    """Hides everything in a cleaned event that may be a key, when the account's keys cannot be decrypted."""
    match event:
        case DeliveryEvent():
            code, detail = _without_tokens(event.code), _without_tokens(event.detail)
            return replace(event, code=code, detail=detail, payload=_payload_without_tokens(event.payload))
        case ReplyEvent():
            return replace(event, payload=_payload_without_tokens(event.payload))
        case ReviewEvent():
            return replace(event, reason=_without_tokens(event.reason))


def _payload_without_tokens(payload: Mapping[str, Any]) -> dict[str, str]:
    return {_without_tokens(name): _without_tokens(str(value)) for name, value in payload.items()}


def _without_tokens(words: str) -> str:
    return TOKEN.sub("***", words)


def _storable_payload(payload: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, str]:
    fields, spellings = list(payload.items())[:MOST_FIELDS], _all_spellings(secrets)
    return {
        storable(_hide(str(name), spellings), LONGEST_WORD): storable(_hide(str(value), spellings), LONGEST_DETAIL)
        for name, value in fields
    }


def _spellings(secret: str) -> set[str]:
    if PLAIN.fullmatch(secret):  # most keys, and every number: there are only two
        return {secret, secret.replace("+", "%2B")}
    encodable = secret.encode(errors="replace").decode()
    in_json = json.dumps(secret)[1:-1]
    return {secret, quote(encodable), quote(encodable, safe=""), quote_plus(encodable), html.escape(secret), in_json}
