"""Where the SMS of a provider are sent, and who may change it: the receiver can read every code."""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import mail_admins
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext

from django_smsverify.gateways.redaction import loggable
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

logger = logging.getLogger("django_smsverify")

PERMISSION = "smsverify.change_destination"

Destination = dict[str, str]
"""What decides where SMS are sent: the gateway's alias and URLs, by name."""


def may_change_destination(request: HttpRequest) -> bool:
    """Whether the user has the permission to change where SMS are sent."""
    return request.user.has_perm(PERMISSION)


def destination_of(provider: Provider) -> Destination:
    """Where the SMS of a provider are sent; for a blank base URL, the vendor's own."""
    kind = gateway_class_or_missing(provider.gateway)
    found = {"gateway": provider.gateway, "base URL": provider.base_url or kind.base_url}
    addresses = (option for option in kind.options if option.is_address)
    return found | {option.name: provider.options.get(option.name) or option.default for option in addresses}


def log_and_mail_change(request: HttpRequest, provider: Provider, before: Destination) -> None:
    """Logs and mails to ADMINS, after the commit, that SMS are sent elsewhere than `before`.

    For a new provider `before` is empty: only differences from the vendor's own addresses are reported.
    """
    before = before or destination_of(Provider(gateway=provider.gateway))
    after = destination_of(provider)
    ways = [way for way in {**before, **after} if before.get(way, "") != after.get(way, "")]
    if ways:
        changes = [_change(way, before.get(way, ""), after.get(way, "")) for way in ways]
        report = partial(_log_and_mail, _user_label(request), provider, changes)
        transaction.on_commit(report, using=provider._state.db, robust=True)


def _change(way: str, before: str, after: str) -> str:
    if way == "gateway":
        return f"gateway {before} -> {after}"
    old, new = _host(before), _host(after)
    return f"{way} {old} -> {new}" + (" (another path)" if old == new else "")


def _host(url: str) -> str:
    """Host and port only."""
    return urlsplit(url).netloc or "none"


def _user_label(request: HttpRequest) -> str:
    # User names may be phone numbers, which are masked.
    return f"{loggable(request.user.get_username(), ())} (id {request.user.pk})"


def _log_and_mail(who: str, provider: Provider, changes: list[str]) -> None:
    logger.warning("%s changed where SMS of provider %s go: %s.", who, provider.slug, "; ".join(changes))
    try:
        with translation.override(settings.LANGUAGE_CODE):
            mail_admins(*_mail_text(who, provider, changes))
    except Exception as error:
        # Without its message, which may hold the mail server's login.
        name = type(error).__name__
        logger.error("The mail that SMS of provider %s go elsewhere failed with %s.", provider.slug, name)


def _mail_text(who: str, provider: Provider, changes: list[str]) -> tuple[str, str]:
    """Subject and body."""
    facts = {"who": who, "name": provider.name, "slug": provider.slug, "changes": "\n".join(changes)}
    subject = gettext("SMS of provider %(slug)s go elsewhere now")
    body = gettext(
        "%(who)s changed where the SMS of %(name)s (%(slug)s) go:\n\n%(changes)s\n\n"
        "Whoever reads what arrives there reads every code that is sent. If you do not know of this, deactivate the "
        "provider in the admin, and see who has the permission “change_destination”."
    )
    return subject % facts, body % facts
