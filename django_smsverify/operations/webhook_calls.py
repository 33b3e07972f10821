"""The address that a vendor is to call, and a harmless call of it, to see what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_smsverify.conf import conf
from django_smsverify.exceptions import GatewayError
from django_smsverify.gateways.base import PUBLIC_URL
from django_smsverify.models import Provider
from django_smsverify.models.accounts import LOOPBACK
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.types import Account
from django_smsverify.webhooks import TEST

HINTS = {
    2: gettext_lazy("something else answers there: look which application serves this path"),
    3: gettext_lazy("vendors follow no redirect: register the address to which it leads, or let this path through"),
    4: gettext_lazy("look at what stands in front (firewall, nginx, a middleware), and whether this is the right site"),
    5: gettext_lazy("look into the site's log"),
}
"""What to do, by the first digit of the HTTP status."""


def public_site(hosts: Iterable[str] | None = None) -> str:
    """The site's scheme and host, from ALLOWED_HOSTS, as vendors reach it; blank where that names no host."""
    given = settings.ALLOWED_HOSTS if hosts is None else hosts
    named = [host.removeprefix(".") for host in given if host.strip("*.")]
    return f"https://{min(named, key=LOOPBACK.__contains__)}" if named else ""


def address_of(provider: Provider) -> str:
    """The whole URL of a provider's webhook, secret included, by the option of its gateway or ALLOWED_HOSTS.

    Blank where neither names a host. Raises NoReverseMatch when the site does not include the URLs.
    """
    site = provider.options.get(PUBLIC_URL.name, "").rstrip("/") or public_site()
    return site + provider.webhook_path if site else ""


def what_is_in_the_way(url: str, provider: Provider) -> str:
    """Posts a harmless push; returns why it does not get through and what to do, or an empty string."""
    import requests  # here, because an admin page only offers to do this

    from django_smsverify.gateways.transport import HTTPTransport

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = requests.Request("POST", url, data=TEST, headers=headers)
    try:
        # Our transport keeps the URL with its secret out of logs. The site may be on a private host.
        site = Account(base_url=url, credentials={}, private_hosts=True, ca_bundle=conf.CA_BUNDLE)
        answer = HTTPTransport().send(request, site)
    except GatewayError as error:
        return _("%s: is the site up, and its name public?") % error
    if answer.status == 200 and answer.text == gateway_class(provider.gateway).acknowledgement:
        return ""
    return f"HTTP {answer.status}: {HINTS.get(answer.status // 100, HINTS[2])}"
