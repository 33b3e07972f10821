"""What a code is bound to, such as an amount and a payee: a flat object, whose keyed digest is part of the code."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from django_smsverify import codes
from django_smsverify.exceptions import InvalidContext
from django_smsverify.masked import Secret
from django_smsverify.models import Verification

MAX_NAMES, MAX_LENGTH, MAX_DIGITS = 8, 128, 15
"""Names of a context, characters of a text, and digits of a number: as many as every client's float keeps."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def canonical(context: Mapping[Any, Any] | None) -> Secret:
    """Returns the one text that stands for all spellings of a context; empty for None and for `{}`.

    Texts are compared in NFC, numbers by value (10 is 10.0, but not "10"), names in any order.

    Raises InvalidContext for more than 8 names, a name that is not `[a-z][a-z0-9_]{0,31}`, a text of more than 128
    characters, a number of more than 15 digits, and any other value.
    """
    if context is None:
        return Secret("")
    if not isinstance(context, Mapping):
        raise InvalidContext(_("A context is an object of names with texts or numbers."))
    if len(context) > MAX_NAMES:
        raise InvalidContext(_("A context has at most %d names.") % MAX_NAMES)
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in context):
        raise InvalidContext(_("A name in a context has 1 to 32 of a-z, 0-9 and _, and begins with a letter."))
    values = [[name, *_value(name, context[name])] for name in sorted(context)]
    return Secret(json.dumps(values)) if values else Secret("")


def _value(name: str, value: object) -> tuple[str, str]:
    """What a value is and one spelling of it, so that the text "10" is not the number 10."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value)
        if len(text) <= MAX_LENGTH:
            return "text", text
    elif isinstance(value, (int, float, Decimal)) and (number := _number(value)) is not None:
        return "number", f"{number:f}"
    why = _(
        "“%(name)s” in the context is neither a text of at most %(length)d characters nor a number of at most "
        "%(digits)d digits."
    )
    raise InvalidContext(why % {"name": name, "length": MAX_LENGTH, "digits": MAX_DIGITS})


def _number(value: float | Decimal) -> Decimal | None:
    """The value without trailing zeros; None when it is not finite or has more than MAX_DIGITS digits."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if isinstance(value, bool) or not exact.is_finite() or exact.adjusted() >= MAX_DIGITS:
        return None
    number = exact.normalize() + 0  # + 0: there is one zero
    _sign, digits, exponent = number.as_tuple()
    fits = number == exact and len(digits) <= MAX_DIGITS and int(exponent) >= -MAX_DIGITS
    return number if fits else None


def context_digest(key_id: str, phone: str, purpose: str, context: str) -> str:
    """Returns what is stored of a canonical context: a keyed digest, or nothing of an empty one.

    Number and purpose belong to it: rows with an equal context do not look alike.
    """
    return codes.digest(key_id, Secret(f"{phone}:{purpose}:{context}")) if context else ""


def context_of_test(provider: str) -> Secret:
    """Returns what a code is bound to by which an operator tests the provider with this slug; no visitor can ask for
    it, as it is not a canonical context."""
    return Secret(f"a test of {provider}")


def is_of_test(code: Verification, provider: str) -> bool:
    """Whether an operator asked for a code to test the provider with this slug."""
    if not code.context or not codes.is_known(code.key_id):
        return False
    return code.context == context_digest(code.key_id, code.phone, code.purpose, context_of_test(provider))


def has_context(code: Verification, context: str) -> bool:
    """Whether a code is bound to this canonical context; raises LookupError when its key is no longer configured."""
    return constant_time_compare(code.context, context_digest(code.key_id, code.phone, code.purpose, context))
