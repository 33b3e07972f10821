"""Phone numbers: read into E.164, checked, masked."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

from .conf import conf
from .exceptions import InvalidPhone, PhoneNotSupported

WRITTEN = re.compile(r"\(?\+?[0-9 ().-]{3,31}")
MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


class E164(str):
    """A number that shows itself masked wherever a `repr` is taken: tracebacks with locals, debuggers, logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{mask(self)}>"


def parse(written: str) -> E164:
    """Reads a number as a person writes it and returns it as E.164, such as `+8613800138000`.

    Without a `+` the first of `REGIONS` is assumed. Full-width digits are read as digits.

    Raises InvalidPhone for what is no phone number, PhoneNotSupported for one that is not a mobile
    number of one of `REGIONS`.
    """
    number = _read(written)
    if not phonenumbers.is_valid_number(number):
        raise InvalidPhone
    region = phonenumbers.region_code_for_number(number)
    if region not in conf.REGIONS or phonenumbers.number_type(number) not in MOBILE:
        raise PhoneNotSupported
    return E164(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _read(written: str) -> PhoneNumber:
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", written))).strip()
    if not WRITTEN.fullmatch(plain):
        raise InvalidPhone
    try:
        return phonenumbers.parse(plain, conf.REGIONS[0])
    except NumberParseException:
        raise InvalidPhone from None


def _plain(character: str) -> str:
    """Dashes of all kinds as one; the invisible marks that address books copy along as nothing."""
    kind = unicodedata.category(character)
    return "-" if kind == "Pd" else "" if kind == "Cf" else character


def mask(phone: str) -> str:
    """`+8613800138000` as `138****8000`; other countries keep their `+` and the last four digits."""
    if phone.startswith("+86"):
        return f"{phone[3:6]}****{phone[-4:]}"
    return f"{phone[:3]}****{phone[-4:] if len(phone) > 10 else phone[-2:]}"


def block(phone: str) -> str:
    """The number block (号段): a number without its last four digits, seven digits in China."""
    return phone[:-4]
