"""Phone numbers: parsing to E.164, validation, masking."""

from __future__ import annotations

import re

from django.utils.translation import gettext

from .characters import plain
from .conf import conf
from .exceptions import InvalidPhone, PhoneNotSupported

WRITTEN = re.compile(r"\(?\+?[0-9 ().-]{3,31}")
SEPARATORS = re.compile(r"[ ().-]")
CHINESE_MOBILE = re.compile(r"(?:\+86|0086|86)?0?(1[3-9][0-9]{9})")
"""For a number without separators. Carriers use new blocks before phonenumbers' metadata has them, so the vendor
decides which numbers exist."""

BETWEEN = r"[\s().,+/_·\-‐-―－．，（）\u200b-\u200f\u2060\ufeff]"
"""Characters between the digits of a number, as people write it or address books copy it."""
BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
FORGOTTEN = "~"
"""How the digest begins that stands where a number was, see `privacy.pseudonyms`."""
NUMBER = re.compile(
    # IP addresses and dates are kept: they are not phone numbers, and help to find a problem.
    rf"(?P<kept>(?<![\d.]){BYTE}(?:\.{BYTE}){{3}}(?!\.?\d)|(?<!\d)20[0-9]{{2}}-[01][0-9]-[0-3][0-9](?!\d))"
    rf"|\d(?:{BETWEEN}{{0,3}}\d){{6,}}"
)
"""What may be a phone number, in any notation."""


class E164(str):
    """A number whose `repr` is masked: in tracebacks with locals, debuggers and logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{mask(self)}>"


def parse(written: str) -> E164:
    """Parses a number as people write it and returns it as E.164, such as `+8613800138000`.

    Without a `+` the first of `REGIONS` is assumed. Full-width digits are accepted.

    In mainland China eleven digits that begin with 13 to 19 are a mobile number; elsewhere phonenumbers' metadata
    decides.

    Raises InvalidPhone if it is not a phone number, PhoneNotSupported if it is not a mobile number of one of `REGIONS`.
    """
    text = plain(written).strip()
    if not WRITTEN.fullmatch(text):
        raise InvalidPhone
    return _chinese_mobile(text) or _by_metadata(text)


def _chinese_mobile(text: str) -> E164 | None:
    """A mobile number by China's numbering plan alone; None if it is not one, or is meant for another region.

    Raises PhoneNotSupported if China is not one of `REGIONS`.
    """
    digits = SEPARATORS.sub("", text)
    match = CHINESE_MOBILE.fullmatch(digits)
    if match is None or not (digits.startswith("+") or conf.REGIONS[0] == "CN"):
        return None
    if "CN" not in conf.REGIONS:
        raise PhoneNotSupported
    return E164(f"+86{match[1]}")


def _by_metadata(text: str) -> E164:
    # Imported here: a site whose visitors have Chinese numbers may never need it.
    import phonenumbers
    from phonenumbers import PhoneNumberFormat, PhoneNumberType

    try:
        number = phonenumbers.parse(text, conf.REGIONS[0])
    except phonenumbers.NumberParseException:
        raise InvalidPhone from None
    if not phonenumbers.is_valid_number(number):
        raise InvalidPhone
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if (
        phonenumbers.region_code_for_number(number) not in conf.REGIONS
        or phonenumbers.number_type(number) not in mobile
    ):
        raise PhoneNotSupported
    return E164(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def national(phone: str) -> str:
    """Returns a mainland number as most Chinese sites store it: `+8613800138000` as `13800138000`.

    Raises PhoneNotSupported for a number of another region, which eleven digits would not identify.
    """
    if not phone.startswith("+86"):
        raise PhoneNotSupported
    return phone.removeprefix("+86")


def region(phone: str) -> str:
    """Returns the region of a number in E.164, such as `CN` or `HK`; empty if it has none, or is forgotten."""
    if phone.startswith("+86"):
        return "CN"
    if is_forgotten(phone):
        return ""
    import phonenumbers

    return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or ""


def mask(phone: str) -> str:
    """Returns `+8613800138000` as `138****8000`; other countries keep their `+` and the last four digits.

    Where a number was forgotten, four letters of its digest tell it from others.
    """
    if phone.startswith("+86"):
        return f"{phone[3:6]}****{phone[-4:]}"
    if is_forgotten(phone):
        return gettext("forgotten (%s)") % phone[1:5]
    return f"{phone[:3]}****{phone[-4:] if len(phone) > 10 else phone[-2:]}"


def is_forgotten(phone: str) -> bool:
    """Whether a digest stands where the number was."""
    return phone.startswith(FORGOTTEN)


def block(phone: str) -> str:
    """Returns the number block (号段): the number without its last four digits, seven digits in China."""
    return phone[:-4]


def masked(words: str) -> str:
    """The text with the middle digits of each phone number hidden."""
    return NUMBER.sub(_mask_match, words)


def without_numbers(words: str) -> str:
    """The text with nothing left of whatever may be a phone number."""
    return NUMBER.sub(lambda number: number[0] if number["kept"] else "***", words)


def _mask_match(number: re.Match[str]) -> str:
    if number["kept"]:
        return number[0]
    digits = re.sub(r"\D", "", number[0])
    return f"{digits[-11:-8]}****{digits[-4:]}"
