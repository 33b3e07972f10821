"""What the admin tells of SMS that were sent by another provider after a report of a failure."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext

from django_smsverify.models import Message, Provider
from django_smsverify.sending.second_route import followed

SHOWN_DAYS = 30


def told_followed(provider: Provider) -> str:
    """Returns how many codes went on to another provider, and of how many both SMS arrived."""
    count, both = followed(provider, timezone.now() - timedelta(days=SHOWN_DAYS))
    if not count:
        return gettext("none in %d days") % SHOWN_DAYS
    facts = {"count": count, "days": SHOWN_DAYS, "both": both}
    return gettext("%(count)d in %(days)d days; of %(both)d both SMS arrived") % facts


def other_try(message: Message, admin_site: str) -> str:
    """Returns a link to the SMS that this one follows, or that follows it; blank without one."""
    other = Q(pk=message.follows) if message.follows else Q(follows=message.pk)
    found = Message.objects.filter(other, phone=message.phone).order_by("attempt").first()
    if found is None:
        return ""
    words = gettext("after the failure of %s") if message.follows else gettext("it failed, and was followed by %s")
    url = reverse("admin:smsverify_message_change", args=[found.pk], current_app=admin_site)
    return format_html('<a href="{}">{}</a>', url, words % f"{found.provider} · {found.get_status_display()}")
