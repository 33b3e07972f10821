"""Reading what a vendor says: its words as text, its answers and its pushes as rows, its times as moments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from django_smsverify import texts
from django_smsverify.exceptions import GatewayUncertain, InvalidCallback
from django_smsverify.masked import Secret
from django_smsverify.types import Answer, Event, JSONObject, News, OutgoingSMS, Push, possible_texts

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""No vendor names a zone; all of them are in China, which has one."""
COMPACT = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}
"""Times written as digits alone, by their number."""
MAX_FIELDS = 100
MEDIA_TYPE = re.compile(r"(text|image|application)/[a-z+]{1,20}(?![\w.+-])", re.ASCII | re.IGNORECASE)
"""The usual ones; what a system makes up is not repeated."""
SHORT = 8
"""Characters of a vendor's word that is repeated in an error."""
SHAPE_ERRORS = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What a parser stumbles with over something of another shape than the vendor's."""


def as_text(value: object) -> str:
    """A vendor's code or id as text: `1`, `"1"` and `"1 "` are one, None is none."""
    return "" if value is None else str(value).strip()


def required_code(code: object) -> str:
    """The code that decides, as text; raises ValueError where the vendor gives none, which says neither yes nor no."""
    if not as_text(code):
        raise ValueError("no code")
    return as_text(code)


def json_object(answer: Answer) -> JSONObject:
    """The answer as a JSON object, its numbers kept as the digits that were sent.

    Raises GatewayUncertain for anything else.
    """
    for text in possible_texts(answer.content, answer.content_type):
        if (found := _object(text)) is not None:
            return found
    raise GatewayUncertain(f"the answer is not a JSON object (HTTP {answer.status})")


def excerpt(answer: Answer) -> str:
    """What an answer that means an error says, for the operator.

    Its words only where it is JSON or XML as vendors answer. Anything else may be the page of another system, which
    is nobody's business here: of that, what kind it is and how long.
    """
    text = answer.text.strip()
    if _object(text) or _is_flat_xml(text):
        return f"HTTP {answer.status}: {' '.join(text.split())}"
    kind = MEDIA_TYPE.match(answer.content_type)
    return f"HTTP {answer.status}: {len(answer.content)} bytes of {kind[0] if kind else 'an unknown type'}, not shown"


def json_rows(push: Push) -> list[Any]:
    """The objects of a push in JSON, one or a list of them; raises InvalidCallback."""
    for text in possible_texts(push.body, push.content_type):
        try:
            found = _json(text)
        except (ValueError, RecursionError):
            continue
        if found and isinstance(found, (dict, list)):
            return found if isinstance(found, list) else [found]
    raise InvalidCallback("the body is no JSON that says anything")


def form_row(push: Push) -> dict[str, str]:
    """The fields of a push as an HTML form sends them; raises InvalidCallback."""
    try:
        # As Latin-1, in which each byte is a character: what the bytes mean is decided afterwards.
        body = push.body.removeprefix(b"\xef\xbb\xbf").strip().decode("latin-1")
        pairs = parse_qsl(body, keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
    except ValueError:
        pairs = []
    joined = "\0".join(part.replace("\0", " ") for pair in pairs for part in pair)
    for text in possible_texts(joined.encode("latin-1"), push.content_type):
        parts = text.split("\0")
        if fields := dict(zip(parts[::2], parts[1::2], strict=False)):
            return fields
    raise InvalidCallback("the body is not a form")


def parse_rows(rows: Iterable[Any], read: Callable[[Any], Event | None]) -> News:
    """What `read` makes of each row; None is no news, and an error is this row's alone."""
    events, problems = [], []
    for place, row in enumerate(rows, 1):
        try:
            event = read(row)
        except SHAPE_ERRORS as error:
            why = f"no field {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"row {place}: {why}")
        else:
            events += [event] if event is not None else []
    return News(events=tuple(events), problems=tuple(problems))


def lookup(names: Mapping[str, Any], value: object) -> Any:
    """What a vendor's word stands for; raises ValueError for a word that it is not known to use."""
    known = as_text(value)
    if known not in names:
        # Not cut short: half a secret would not be found again.
        shown = known if len(known) <= SHORT else "a long word"
        raise ValueError(f"{shown!r} is none of: {', '.join(names)}")
    return names[known]


def china_time(written: object) -> datetime | None:
    """A vendor's time, read as China's where it names no zone; None for what is none, which loses nothing else."""
    text = as_text(written)
    try:
        compact = COMPACT.get(len(text)) if text.isdecimal() else None
        moment = datetime.strptime(text, compact) if compact else datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 2000 <= moment.year < 2100:
        return None
    return moment.astimezone(CHINA) if moment.tzinfo else moment.replace(tzinfo=CHINA)


def e164(mobile: object) -> str:
    """A mainland number as vendors write it, as E.164; raises ValueError for anything else."""
    match = re.fullmatch(r"(?:(?:\+|00)?86)?(1[0-9]{10})", as_text(mobile), re.ASCII)
    if match is None:
        raise ValueError("no mainland mobile number")
    return f"+86{match[1]}"


def amount(written: object) -> Decimal:
    """What is left on an account: up to ten digits and four places, and a minus where a vendor gives credit.

    Raises ValueError for anything else, such as NaN, an exponent or a currency.
    """
    match = re.fullmatch(r"-?[0-9]{1,10}(\.[0-9]{1,4})?", as_text(written), re.ASCII)
    if match is None:
        raise ValueError("no amount")
    return Decimal(match[0])


def amount_if_any(written: object) -> Decimal | None:
    """The same, and None for what is none: that an SMS was accepted is not lost over it."""
    try:
        return amount(written)
    except ValueError:
        return None


def payload_without(row: Mapping[str, Any], *without: str) -> dict[str, str]:
    """A row as it is stored: flat, as text, and without the text of an SMS."""
    return {
        name: as_text(value)
        for name, value in row.items()
        if name.lower() not in without and not isinstance(value, _NESTED)
    }


_NESTED = (dict, list)


def _object(text: str) -> JSONObject | None:
    """The text as a JSON object; None for anything else."""
    try:
        found = _json(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_flat_xml(text: str) -> bool:
    """Whether it is XML as a vendor's: one element with fields in it, and no page."""
    if not text.startswith("<") or "<!DOCTYPE" in text:
        return False
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - at most 1 MiB and no document type
    except (ElementTree.ParseError, ValueError):
        return False
    is_page = root.tag.rpartition("}")[2].lower() == "html"
    return len(root) > 0 and not is_page and not any(len(child) for child in root)


def _json(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def full_text(sms: OutgoingSMS, phone: str) -> Secret:
    """The text for one number, without the signature."""
    return Secret(texts.render(sms.content, sms.recipients[phone]))


def ordered_values(sms: OutgoingSMS, phone: str) -> list[str]:
    """The values for one number in the order of the placeholders."""
    return [sms.recipients[phone][name] for name in texts.placeholders(sms.content)]


def named_values(sms: OutgoingSMS, phone: str) -> dict[str, str]:
    """The values for one number under the vendor's names."""
    values = sms.recipients[phone]
    return {sms.variables.get(name, name): values[name] for name in texts.placeholders(sms.content)}
