"""The entries of Django's own admin log that show a masked number, when that is forgotten."""

from __future__ import annotations

from django.apps import apps

from django_smsverify import phones
from django_smsverify.models import Recipient


def forget_entries(number: Recipient, name: str) -> int:
    """Has the entries about a number's row show the digest that stands in its place; returns how many."""
    if not apps.is_installed("django.contrib.admin"):
        return 0
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(Recipient)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(number.pk))
    return entries.update(object_repr=phones.mask(name))
