"""What the admin tells of SMS that were sent by another provider after a report of a failure."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext

from django_smsverify.models import Provider
from django_smsverify.sending.second_route import followed

SHOWN_DAYS = 30


def told_followed(provider: Provider) -> str:
    """Returns how many codes went on to another provider, and of how many both SMS arrived."""
    count, both = followed(provider, timezone.now() - timedelta(days=SHOWN_DAYS))
    if not count:
        return gettext("none in %d days") % SHOWN_DAYS
    facts = {"count": count, "days": SHOWN_DAYS, "both": both}
    return gettext("%(count)d in %(days)d days; of %(both)d both SMS arrived") % facts
