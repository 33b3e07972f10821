"""Parsers for vendors' answers and pushes: fields as text, rows, times and amounts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from django_smsverify import texts
from django_smsverify.exceptions import GatewayUncertain, InvalidCallback
from django_smsverify.masked import Secret
from django_smsverify.types import Answer, Event, JSONObject, News, OutgoingSMS, Push, possible_texts

if TYPE_CHECKING:
    from xml.etree import ElementTree

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The zone of a vendor's times: no vendor names one, all vendors are in China, and China has one zone."""
COMPACT = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}
"""Formats of times that are written in digits only, by the number of digits."""
MAX_FIELDS = 100
MEDIA_TYPE = re.compile(r"(text|image|application)/[a-z+]{1,20}(?![\w.+-])", re.ASCII | re.IGNORECASE)
"""Common media types; any other is not repeated in an error."""
SHORT = 8
"""The most characters of a vendor's value that an error repeats."""
UNREADABLE = "unreadable"
"""The error code of an answer that this app cannot read: operators are shown how many there are."""
SHAPE_ERRORS = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""Errors of a parser whose input does not have the vendor's shape."""


def as_text(value: object) -> str:
    """A vendor's code or id as text: `1`, `"1"` and `"1 "` become the same, None becomes empty."""
    return "" if value is None else str(value).strip()


def required_code(code: object) -> str:
    """The vendor's result code as text.

    Raises ValueError when it is missing: without it neither success nor failure is known.
    """
    if not as_text(code):
        raise ValueError("no code")
    return as_text(code)


def json_object(answer: Answer) -> JSONObject:
    """Parses the answer as a JSON object; numbers become text, with the digits as they were sent.

    Raises GatewayUncertain for anything else.
    """
    for text in possible_texts(answer.content, answer.content_type):
        if (found := _object(text)) is not None:
            return found
    raise GatewayUncertain(f"the answer is not a JSON object (HTTP {answer.status})", error_code=UNREADABLE)


def flat_object(answer: Answer) -> JSONObject:
    """Parses the answer as a JSON object, or as XML with one level of fields, without namespaces.

    The first character decides. Raises GatewayUncertain for anything else.
    """
    text = answer.text.strip()
    if not text.startswith("<"):
        return json_object(answer)
    root = _xml(text)
    if root is None:
        raise GatewayUncertain(f"the answer is not XML (HTTP {answer.status})", error_code=UNREADABLE)
    return {_local_name(child): child.text for child in root}


def excerpt(answer: Answer) -> str:
    """The text of an error answer, for the operator.

    JSON and flat XML, the formats of vendors, are repeated. Anything else may be another system's page with private
    data: only its type and length are shown.
    """
    text = answer.text.strip()
    if _object(text) or _is_flat_xml(text):
        return f"HTTP {answer.status}: {' '.join(text.split())}"
    kind = MEDIA_TYPE.match(answer.content_type)
    return f"HTTP {answer.status}: {len(answer.content)} bytes of {kind[0] if kind else 'an unknown type'}, not shown"


def json_rows(push: Push) -> list[Any]:
    """The objects of a JSON push, which is one object or a list of them; raises InvalidCallback."""
    for text in possible_texts(push.body, push.content_type):
        try:
            found = _json(text)
        except (ValueError, RecursionError):
            continue
        if found and isinstance(found, (dict, list)):
            return found if isinstance(found, list) else [found]
    raise InvalidCallback("the body is no JSON that says anything")


def form_row(push: Push) -> dict[str, str]:
    """The fields of a push in the format of an HTML form; raises InvalidCallback."""
    try:
        # Latin-1 keeps each byte as one character; the real encoding is found below.
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
    """Applies `read` to each row. None is no event; an error becomes a problem of that row only."""
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
    """The entry for a vendor's value; raises ValueError for a value that is not in `names`."""
    known = as_text(value)
    if known not in names:
        # Not cut: half a secret could not be found and removed later.
        shown = known if len(known) <= SHORT else "a long word"
        raise ValueError(f"{shown!r} is none of: {', '.join(names)}")
    return names[known]


def china_time(written: object) -> datetime | None:
    """Parses a vendor's time, in China's zone if it has none; None for an invalid time, so that the row is kept."""
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
    """Converts a mainland number to E.164; raises ValueError for anything else."""
    match = re.fullmatch(r"(?:(?:\+|00)?86)?(1[0-9]{10})", as_text(mobile), re.ASCII)
    if match is None:
        raise ValueError("no mainland mobile number")
    return f"+86{match[1]}"


def amount(written: object) -> Decimal:
    """Parses a balance: up to ten digits and four decimals, negative where the vendor gives credit.

    Raises ValueError for anything else, such as NaN, an exponent or a currency.
    """
    match = re.fullmatch(r"-?[0-9]{1,10}(\.[0-9]{1,4})?", as_text(written), re.ASCII)
    if match is None:
        raise ValueError("no amount")
    return Decimal(match[0])


def amount_if_any(written: object) -> Decimal | None:
    """Like `amount`, but returns None for an invalid amount: an accepted SMS must stay accepted."""
    try:
        return amount(written)
    except ValueError:
        return None


def payload_without(row: Mapping[str, Any], *without: str) -> dict[str, str]:
    """A row as it is stored: flat, as text, and without the fields `without`, which hold the text of an SMS."""
    return {
        name: as_text(value)
        for name, value in row.items()
        if name.lower() not in without and not isinstance(value, _NESTED)
    }


_NESTED = (dict, list)


def _object(text: str) -> JSONObject | None:
    """Parses text as a JSON object; None for anything else."""
    try:
        found = _json(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_flat_xml(text: str) -> bool:
    """Whether the text is XML in the form of a vendor's answer: one element with flat fields, and no HTML page."""
    root = _xml(text) if text.startswith("<") else None
    if root is None or _local_name(root).lower() == "html":
        return False
    return len(root) > 0 and not any(len(child) for child in root)


def _xml(text: str) -> ElementTree.Element | None:
    """Parses text as XML without a document type, which could make it grow; None for anything else."""
    from xml.etree import ElementTree

    if "<!DOCTYPE" in text:
        return None
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - at most 1 MiB and no document type
    except (ElementTree.ParseError, ValueError):
        return None


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _json(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def compact_json(value: object) -> str:
    """JSON without spaces and with Chinese as it is, as vendors' samples have it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def full_text(sms: OutgoingSMS, phone: str) -> Secret:
    """The text for one number, without the signature."""
    return Secret(texts.render(sms.content, sms.recipients[phone]))


def ordered_values(sms: OutgoingSMS, phone: str) -> list[str]:
    """The values for one number in the order of the placeholders."""
    return [sms.recipients[phone][name] for name in texts.placeholders(sms.content)]


def named_values(sms: OutgoingSMS, phone: str) -> dict[str, str]:
    """The values for one number by the vendor's names of the placeholders."""
    values = sms.recipients[phone]
    return {sms.variables.get(name, name): values[name] for name in texts.placeholders(sms.content)}
