"""The alert about what the guard has closed: at most one an hour of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from django.utils import timezone
from django.utils.translation import gettext

from django_smsverify.conf import conf
from django_smsverify.enums import AlertKind, Guarded
from django_smsverify.models import Closure, NewAlert

PAUSE = timedelta(hours=1)
"""Between two alerts of a kind."""
OLD_AT_ONCE = 1000
"""Rows that one run of the poll deletes."""
MOST = 20
"""Closures that an alert lists."""


def new_alerts() -> Iterator[NewAlert]:
    """Yields an alert, once, about the new closures of each kind."""
    now = timezone.now()
    lately = Closure.objects.filter(since__gt=now - timedelta(days=1))
    found = list(lately.order_by("since", "pk"))
    for kind in Guarded:
        own = [closure for closure in found if closure.kind == kind]
        new = [closure for closure in own if closure.mailed_at is None]
        if not new or any(closure.mailed_at and closure.mailed_at > now - PAUSE for closure in own):
            continue
        about = Closure.objects.filter(pk__in=[closure.pk for closure in new])
        if about.filter(mailed_at=None).update(mailed_at=now):
            yield NewAlert(
                kind=AlertKind.GUARD,
                subject=kind,
                text=partial(_text, kind, new),
                page=("closure_changelist",),
                postpone=partial(about.update, mailed_at=None),
            )


def _text(kind: Guarded, closures: Sequence[Closure]) -> tuple[str, str]:
    is_watched = all(closure.is_watched for closure in closures)
    subject = gettext("SMS guard: too few codes come back (%(kind)s)") % {"kind": kind.label}
    first = gettext(
        "Codes were asked for that nobody entered: somebody probably bombs numbers or pumps SMS through the site."
    )
    lines = [_line(closure) for closure in closures[:MOST]]
    if len(closures) > MOST:
        lines.append(gettext("… and %(count)d more") % {"count": len(closures) - MOST})
    return subject, "\n\n".join([first, "\n".join(lines), _what_follows(is_watched)])


def _line(closure: Closure) -> str:
    facts = {
        "what": f"{closure.get_kind_display()} {closure.subject}".rstrip(),
        "verified": closure.verified,
        "sent": closure.sent,
        "until": timezone.localtime(closure.until).strftime("%Y-%m-%d %H:%M"),
    }
    return gettext("%(what)s: %(verified)d of %(sent)d were verified; until %(until)s") % facts


def _what_follows(is_watched: bool) -> str:
    if is_watched:
        return gettext("Nothing is refused, because GUARD is “watch”.")
    if conf.CAPTCHA is not None:
        return gettext(
            "Who is new here must solve a captcha there until then; numbers that were verified here need none."
        )
    return gettext(
        "Who is new here gets no code there until then; numbers that were verified here do. With a CAPTCHA people "
        "could pass. If these were people, lift the closure in the admin."
    )


def forget_old() -> Iterator[str]:
    """Deletes closures older than RETENTION_DAYS; yields the word that the poll counts, for each."""
    old = Closure.objects.filter(until__lt=timezone.now() - timedelta(days=conf.RETENTION_DAYS))
    for pk in list(old.order_by("until").values_list("pk", flat=True)[:OLD_AT_ONCE]):
        if Closure.objects.filter(pk=pk).delete()[0]:
            yield "closure forgotten"
