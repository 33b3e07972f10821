"""The mail about an alarm: to the site's MANAGERS, or else its ADMINS, in the site's language."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.mail import mail_admins, mail_managers
from django.utils import translation

logger = logging.getLogger("django_smsverify")


def mail_alarm(subject: str, text: Callable[[], tuple[str, str]], undo: Callable[[], object]) -> str:
    """Mails an alarm, and returns the word under which the poll counts it: `mailed`, `mail failed`, `nobody to mail`.

    `subject` names the alarm in the log, `text` makes subject and body in the site's language, and `undo` has the next
    run mail again, after a failure.
    """
    if not (settings.MANAGERS or settings.ADMINS):
        logger.warning("Nobody is mailed about %s: MANAGERS and ADMINS are empty.", subject)
        return "nobody to mail"
    send = mail_managers if settings.MANAGERS else mail_admins
    try:
        with translation.override(settings.LANGUAGE_CODE):
            send(*text())
    except Exception as error:
        undo()
        # Without its message, which may hold the mail server's login.
        name = type(error).__name__
        logger.error("The mail about %s failed with %s; the next run tries again.", subject, name)
        return "mail failed"
    return "mailed"
