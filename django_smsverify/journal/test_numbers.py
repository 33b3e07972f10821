"""What is told of a test number, to which nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_smsverify.models import TestNumber, Verification
from django_smsverify.numbers.test_numbers import are_allowed

from .message_sentences import entered
from .records import Records
from .words import moment, sentence

ADVICE = gettext_lazy(
    "Enter the code that the admin showed when the test number was entered; if it is lost, make a new one there."
)


def simulated_sentence(verification: Verification, records: Records) -> str:
    """Returns the sentence about one request for a code."""
    words = _("A code for “%(purpose)s” was asked for, and nothing was sent, as it was a test number")
    asked = words % {"purpose": verification.purpose}
    return sentence([asked, entered(verification, verification.created_at, records)])


def present_sentences(phone: str, now: datetime) -> Iterator[str]:
    """Yields whether it is a test number now."""
    number = TestNumber.objects.filter(phone=phone).first()
    if number is None:
        return
    if number.expires_at <= now:
        words = _("It was a test number until %s; now it gets SMS as any number")
    elif are_allowed():
        words = _("It is a test number until %s: nothing is sent to it, and its code is known")
    else:
        words = _("It is a test number until %s, but these are switched off (ALLOW_TEST_NUMBERS): it gets SMS")
    yield sentence([words % moment(number.expires_at)])
