"""The numbers of a bulk send and the values for each, checked before rows are created for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from django_smsverify import phones, texts
from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported
from django_smsverify.masked import PerNumber, Secret
from django_smsverify.models import Template

from .bulk_rows import Values

Recipients = Mapping[str, Values]


class Chunk(NamedTuple):
    """Numbers whose rows are created at once."""

    values: PerNumber[Values]
    given: int
    """How many were given, repeated ones among them."""


def check_all(template: Template, recipients: Recipients) -> PerNumber[Values]:
    """Returns E.164 numbers with their values; raises ValueError, InvalidPhone or PhoneNotSupported."""
    names, found = _placeholders(template), PerNumber[Values]()
    for written, own in masked_pairs(recipients.items()):
        phone = phones.parse(written)
        if phone in found:
            raise ValueError(f"The number {phones.mask(phone)} is given twice.")
        _require_texts(names, own, phones.mask(phone))
        found[phone] = own
    return found


def split(recipients: PerNumber[Values], size: int) -> Iterator[Chunk]:
    """Yields checked numbers in chunks."""
    rest = iter(recipients.items())
    while values := PerNumber(islice(rest, size)):
        yield Chunk(values, len(values))


def read_chunks(template: Template, masked: Iterator[tuple[str, Any]], size: int) -> Iterator[Chunk]:
    """Reads and checks masked pairs chunk by chunk; of a number that is repeated the first values stay.

    Raises what `check_all` raises, but for repeated numbers; the text says which number it is.
    """
    names, rest = _placeholders(template), enumerate(masked, 1)
    while True:
        count, values = 0, PerNumber[Values]()
        for position, (written, own) in islice(rest, size):
            count += 1
            phone = _parse_at(position, written)
            _require_texts(names, own, f"number {position} ({phones.mask(phone)})")
            if phone not in values:
                values[phone] = own
        if not count:
            return
        yield Chunk(values, count)


def masked_pairs(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The same pairs; what has not the type that it should have becomes None.

    Error reports show the variables of each frame: none may hold a number or a value that shows itself.
    """
    pairs = islice(pairs, None)  # all of them; its repr shows none
    for written, own in pairs:
        written = Secret(written)
        own = _secret_texts(own) if isinstance(own, Mapping) else None
        yield written, own


def _secret_texts(values: Mapping[str, Any]) -> dict[str, Secret | None]:
    return {name: Secret(value) if isinstance(value, str) else None for name, value in values.items()}


def _placeholders(template: Template) -> frozenset[str]:
    return frozenset(texts.placeholders(template.content))


def _parse_at(position: int, written: str) -> phones.E164:
    try:
        return phones.parse(written)
    except (InvalidPhone, PhoneNotSupported) as error:
        failure = type(error)
        details = {"position": position, "phone": phones.mask(written), "why": error}
    raise failure(_("Number %(position)d, %(phone)s: %(why)s") % details)


def _require_texts(names: frozenset[str], values: Mapping[str, Any] | None, whose: str) -> None:
    if values is None or values.keys() != names or not all(map(texts.is_text, values.values())):
        raise ValueError(f"Give {whose} a text for each of: {', '.join(sorted(names)) or 'nothing'}.")
