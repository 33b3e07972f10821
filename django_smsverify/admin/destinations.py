"""Where the SMS of a provider are sent, and who may change it: the receiver can read every code."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .change_mails import log_and_mail

PERMISSION = "smsverify.change_destination"
WHY_LOCKED = gettext_lazy("To change where SMS go needs a permission of its own.")

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


def log_and_mail_change(request: HttpRequest, provider: Provider, before: Destination) -> bool:
    """Logs and mails to ADMINS, after the commit, that SMS are sent elsewhere than `before`.

    For a new provider `before` is empty: only differences from the vendor's own addresses are reported. Returns whether
    there are any.
    """
    before = before or destination_of(Provider(gateway=provider.gateway))
    after = destination_of(provider)
    ways = [way for way in {**before, **after} if before.get(way, "") != after.get(way, "")]
    if ways:
        changes = [_change(way, before.get(way, ""), after.get(way, "")) for way in ways]
        done = f"changed where SMS of provider {provider.slug} go: {'; '.join(changes)}"
        about = f"that SMS of provider {provider.slug} go elsewhere"
        log_and_mail(request, provider, done, about, partial(_mail_text, provider, changes))
    return bool(ways)


def _change(way: str, before: str, after: str) -> str:
    if way == "gateway":
        return f"gateway {before} -> {after}"
    old, new = _host(before), _host(after)
    return f"{way} {old} -> {new}" + (" (another path)" if old == new else "")


def _host(url: str) -> str:
    """Host and port only."""
    return urlsplit(url).netloc or "none"


def _mail_text(provider: Provider, changes: list[str], who: str) -> tuple[str, str]:
    """Subject and body."""
    facts = {"who": who, "name": provider.name, "slug": provider.slug, "changes": "\n".join(changes)}
    subject = gettext("SMS of provider %(slug)s go elsewhere now")
    body = gettext(
        "%(who)s changed where the SMS of %(name)s (%(slug)s) go:\n\n%(changes)s\n\n"
        "Whoever reads what arrives there reads every code that is sent. If you do not know of this, deactivate the "
        "provider in the admin, and see who has the permission “change_destination”."
    )
    return subject % facts, body % facts
