"""How many wrong codes in a row were entered for a number, for pages of the admin."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.limits.failures import failures_of
from django_smsverify.limits.per_number import LOCKED_AFTER, NumberHistory
from django_smsverify.models import Recipient
from django_smsverify.numbers import requester_of

FAILED = _("wrong codes in a row")


def failed_in_a_row(recipient: Recipient) -> str:
    """Returns their number in words, and whether each code has one guess because of it."""
    history = NumberHistory.read(recipient.phone, timezone.now())
    count = failures_of(recipient, history, requester_of(recipient.phone).verified_at)
    if count < LOCKED_AFTER:
        return str(count)
    return (
        gettext("%d: each code has one guess, until one is right or the action on the list of recipients lifts this")
        % count
    )
