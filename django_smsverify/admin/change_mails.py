"""Changes of a provider of which others must hear: a line in the log, and a mail to ADMINS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.core.mail import mail_admins
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation

from django_smsverify.gateways.redaction import loggable
from django_smsverify.models import Provider

logger = logging.getLogger("django_smsverify")

MailText = Callable[[str], tuple[str, str]]
"""Makes subject and body; its argument is who has changed something."""


def log_and_mail(request: HttpRequest, provider: Provider, done: str, about: str, text: MailText) -> None:
    """Logs, after the commit, what the user has `done`, and mails it; `about` names the mail in the log if it fails."""
    report = partial(_log_and_mail, user_label(request), done, about, text)
    transaction.on_commit(report, using=provider._state.db, robust=True)


def user_label(request: HttpRequest) -> str:
    """The user for a log or a mail. User names may be phone numbers, which are masked."""
    return f"{loggable(request.user.get_username(), ())} (id {request.user.pk})"


def _log_and_mail(who: str, done: str, about: str, text: MailText) -> None:
    logger.warning("%s %s.", who, done)
    try:
        with translation.override(settings.LANGUAGE_CODE):
            mail_admins(*text(who))
    except Exception as error:
        # Without its message, which may hold the mail server's login.
        logger.error("The mail %s failed with %s.", about, type(error).__name__)
