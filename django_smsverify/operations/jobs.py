"""Whether the poll runs, in words for an operator."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_smsverify.diagnosis.findings import Finding, State
from django_smsverify.journal.words import moment

LATE_AFTER = timedelta(minutes=15)
"""The poll is to run every minute."""
COMMAND = "python manage.py smsverify_poll"


def poll_finding(began_at: datetime | None, now: datetime) -> Finding | None:
    """What is wrong with the poll, which began last at this time; None when nothing is."""
    advice = _("Have the developer run it every minute, by cron, systemd or Celery beat.")
    if began_at is None:
        words = _("The poll never ran: what vendors do not push is missing, and nobody is told of alarms.")
        return Finding(_("poll"), State.WRONG, words, advice, command=COMMAND)
    if now - began_at <= LATE_AFTER:
        return None
    words = _("The poll ran last at %s.") % moment(began_at)
    return Finding(_("poll"), State.WRONG, words, advice, command=COMMAND)
