"""Lists of numbers with their placeholder values, from a CSV file or plain lines."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from django_smsverify import phones, texts
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import GatewayError, InvalidPhone, PhoneNotSupported
from django_smsverify.gateways.base import Gateway
from django_smsverify.masked import PerNumber, Secret
from django_smsverify.models import Message, Template

from .content import outgoing, segments
from .left_out import WHYS, left_out

PHONE = "phone"
ALSO_PHONE = frozenset({"mobile", "手机号", "手机号码", "号码"})
"""What else the column of numbers may be called, unless a placeholder is called so."""
SEPARATORS = ",;\t"
LATELY = timedelta(days=1)
"""A number that got the same template within this time is probably not meant to get it again."""
PORTION = 1000
"""Numbers in one database query."""

Recipients = Mapping[str, Mapping[str, str]]


class UnreadableList(ValueError):
    """The whole list cannot be read; the text explains what to do."""


class BadValue(ValueError):
    """What a gateway says against the number or a value of a line, in English, as it says it of an SMS."""

    def __init__(self, words: str, phone: str) -> None:
        super().__init__(words)
        self.phone = phones.mask(phone)


class Problem(NamedTuple):
    """Why nothing can be sent to the number of one line; it does not contain the number."""

    line: int
    words: str
    phone: str = ""
    """Masked; blank where the words name it, or it cannot be read."""

    def __str__(self) -> str:
        words = f"{self.phone}: {self.words}" if self.phone else self.words
        return _("line %(line)d: %(words)s") % {"line": self.line, "words": words}


@dataclass(slots=True)
class NumberList:
    """The readable lines of a list, and the problems of the others."""

    recipients: PerNumber[Mapping[str, str]] = field(default_factory=PerNumber)
    """E.164 number to the values of the placeholders, in the order of the lines."""
    problems: list[Problem] = field(default_factory=list)


class Estimate(NamedTuple):
    """The size and cost of a batch."""

    numbers: int
    """Those that get it."""
    left_out: Counter[str]
    """How many of the list get none, by the reason as it is stored."""
    segments: int
    cost: Decimal | None
    """In yuan; None where the provider has no price."""
    first: list[str]
    """The first SMS as the phone shows it, with a masked number; empty when nobody gets one."""
    known: int
    """Messages that the batch already has, without those of numbers that get none."""
    lately: Counter[str]
    """How many of the numbers got this template within a day in another batch, by that batch's name."""


def read(text: Secret, template: Template) -> NumberList:
    """Reads a list; returns the numbers to send a template to, with their values, and the problems of the other lines.

    The first line names the columns: `phone`, or what it may be called besides, and each placeholder of the template.
    A list of numbers alone needs no such line.

    Raises UnreadableList, and InvalidGateway or UndecryptableValue for a provider that is not set up.
    """
    gateway, found, lines = template.provider.gateway_client(), NumberList(), PerNumber[int]()
    for line, row in _rows(text, set(texts.placeholders(template.content))):
        try:
            phone, values = _recipient(row, template, gateway)
            if phone in lines:
                details = {"phone": phones.mask(phone), "line": lines[phone]}
                raise ValueError(_("%(phone)s stands in line %(line)d already") % details)
        except ValueError as error:
            found.problems.append(Problem(line, str(error), error.phone if isinstance(error, BadValue) else ""))
        else:
            lines[phone], found.recipients[phone] = line, values
    return found


def batch_name(template: Template, recipients: Recipients, *, again: bool = False) -> str:
    """Returns a batch name that is the same for the same template, numbers and values; with `again` it is a new one."""
    digest = hashlib.sha256(json.dumps(dict(recipients), sort_keys=True).encode())
    name = f"{template.pk}-{digest.hexdigest()[:24]}"
    return f"{name}-{timezone.now():%y%m%d%H%M%S%f}" if again else name


def estimate(template: Template, recipients: Recipients, batch: str) -> Estimate:
    """Calculates the size and cost of a batch before anything is sent; numbers that get no notices cost nothing."""
    refused = left_out(recipients)
    recipients = PerNumber((phone, values) for phone, values in recipients.items() if phone not in refused)
    signature = template.signature.text if template.signature else ""
    billed, price = sum(segments(template, values) for values in recipients.values()), template.provider.price
    return Estimate(
        numbers=len(recipients),
        left_out=Counter(refused.values()),
        segments=billed,
        cost=None if price is None else price * billed,
        first=[
            Secret(f"{phones.mask(phone)}: {texts.signed(signature, texts.render(template.content, values))}")
            for phone, values in islice(recipients.items(), 1)
        ],
        known=Message.objects.filter(batch=batch).exclude(error_message__in=WHYS).count(),
        lately=_count_recent(template, recipients, batch),
    )


def unsent(recipients: Recipients, batch: str) -> PerNumber[Mapping[str, str]]:
    """Returns the recipients whose message in this batch was certainly not sent."""
    refused = Message.objects.filter(batch=batch, status=MessageStatus.NOT_SENT).exclude(error_message__in=WHYS)
    phones_of = set(refused.values_list("phone", flat=True))
    return PerNumber((phone, values) for phone, values in recipients.items() if phone in phones_of)


def _count_recent(template: Template, recipients: Recipients, batch: str) -> Counter[str]:
    sent = Message.objects.filter(template=template, created_at__gt=timezone.now() - LATELY)
    others = sent.exclude(batch=None).exclude(batch=batch).exclude(status=MessageStatus.NOT_SENT).order_by()
    found, rest = Counter[str](), iter(recipients)
    while some := list(islice(rest, PORTION)):
        found.update(str(name) for name in others.filter(phone__in=some).values_list("batch", flat=True))
    return found


def decoded(content: bytes) -> Secret:
    """Decodes a list in UTF-8, UTF-16 with a mark, or GB18030, as Excel writes them; raises UnreadableList for
    others."""
    codecs = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for codec in codecs:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return Secret(text)
    raise UnreadableList(_("This is no text in UTF-8 or GB18030. Save it as “CSV UTF-8”, not as a workbook."))


def _rows(text: Secret, names: set[str]) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Each line that is not blank, with its cells by column; None for a line with too many or too few cells."""
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count), strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            row: list[str] = [Secret(cell.strip()) for cell in cells]
            if not any(row):
                continue
            if not columns:
                row = [PHONE if cell in ALSO_PHONE - names else cell for cell in row]
                columns = _columns(row, names)
                if PHONE in row:
                    continue
            yield reader.line_num, dict(zip(columns, row, strict=True)) if len(row) == len(columns) else None
    except csv.Error as error:
        words = _("this cannot be read as CSV: perhaps a quotation mark is not closed (%s)") % error
        raise UnreadableList(str(Problem(reader.line_num, words))) from None
    if not columns:
        raise UnreadableList(_("There is no number in it."))


def _columns(first: list[str], names: set[str]) -> list[str]:
    wanted = {PHONE, *names}
    if PHONE not in first and not names and len(first) == 1:
        return [PHONE]
    if set(first) != wanted or len(first) != len(wanted):
        expected = ", ".join(sorted(wanted, key=lambda name: (name != PHONE, name)))
        raise UnreadableList(_("The first line must name the columns, these and no others: %s") % expected)
    return first


def _recipient(row: Mapping[str, str] | None, template: Template, gateway: Gateway) -> tuple[str, dict[str, str]]:
    """The number and its values; raises ValueError with a text for the person who maintains the list."""
    if row is None:
        raise ValueError(_("it has not as many columns as the first line"))
    phone = _phone(row[PHONE])
    values = {name: value for name, value in row.items() if name != PHONE}
    if empty := [name for name, value in values.items() if not value or not texts.is_text(value)]:
        details = {"phone": phones.mask(phone), "names": ", ".join(empty)}
        raise ValueError(_("%(phone)s has no text for: %(names)s") % details)
    try:
        gateway.require_sendable(outgoing(template, PerNumber({phone: values})), phone)
    except GatewayError as error:
        raise BadValue(str(error), phone) from None
    return phone, values


def _phone(written: str) -> str:
    try:
        return phones.parse(written)
    except PhoneNotSupported as error:
        raise ValueError(str(error)) from None
    except InvalidPhone as error:
        rounded = "e+" in written.lower()
        why = _("the spreadsheet has rounded the number: format the column as text, and enter the numbers again")
        raise ValueError(why if rounded else str(error)) from None
