"""Test numbers on a site where people log in, in words for an operator."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .findings import Finding, State


def working_test_numbers(count: int) -> Finding:
    """That so many numbers need no SMS to log in."""
    words = ngettext(
        "%(count)d test number works: who knows its code is let in without an SMS.",
        "%(count)d test numbers work: who knows their code is let in without an SMS.",
        count,
    )
    advice = _("Delete them in the admin as soon as the review is over; silence this until then.")
    return Finding(_("test numbers"), State.WRONG, words % {"count": count}, advice)
