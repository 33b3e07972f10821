"""Clauses, and what joins them to a sentence, in the active language."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from django_smsverify.phones import masked


def sentence(clauses: Iterable[str]) -> str:
    """Returns one sentence of these clauses; those that are blank are left out."""
    words = pgettext("between the clauses of a sentence", "; ").join(filter(None, clauses))
    return words + pgettext("at the end of a sentence", ".")


def duration(span: timedelta) -> str:
    """Returns a length of time in its largest fitting unit, such as `3 s` or `2 h`."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return _("%d s") % seconds
    if seconds < 2 * 3600:
        return _("%d min") % (seconds // 60)
    if seconds < 2 * 86400:
        return _("%d h") % (seconds // 3600)
    return _("%d days") % (seconds // 86400)


def moment(at: datetime) -> str:
    """Returns a time in the site's time zone."""
    local = timezone.localtime(at) if timezone.is_aware(at) else at
    return f"{local:%Y-%m-%d %H:%M:%S}"


def counted_wrong(count: int) -> str:
    """Returns how many wrong codes were entered; blank for none."""
    words = ngettext("%(count)d wrong code was entered", "%(count)d wrong codes were entered", count)
    return words % {"count": count} if count else ""


def quoted(*words: str) -> str:
    """Returns what a vendor said, on one line, with numbers masked."""
    return masked(" ".join(" ".join(filter(None, words)).split()))


def elapsed(span: timedelta) -> str:
    """Returns a length of time as a `duration`, but with tenths of a second where it is short."""
    seconds = span.total_seconds()
    return _("%.1f s") % seconds if seconds < 9.95 else duration(span)
