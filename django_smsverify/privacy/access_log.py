"""The log of who looked at personal data, took it away or had it forgotten."""

from __future__ import annotations

from django_smsverify import phones
from django_smsverify.enums import Accessed
from django_smsverify.models import Access


def log_access(user_name: str, what: Accessed, about: str, rows: int = 1) -> Access:
    """Stores one access: by whom, and about what: a number, which is masked, or the name of a list."""
    who = phones.masked(user_name)[: Access._meta.get_field("who").max_length]
    return Access.objects.create(who=who, what=what, about=phones.masked(about)[:100], rows=rows)
