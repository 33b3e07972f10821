"""Page tickets: a browser that showed the page for a moment gets by without a captcha, once, in its own network.

A ticket costs a bot a request, a pause and an address for each SMS. It is signed, and nothing of it is stored until it
is used.
"""

from __future__ import annotations

import secrets
import time

from django.core import signing
from django.http import HttpRequest

from django_smsverify.addresses import network_of
from django_smsverify.enums import Scope
from django_smsverify.http.client_address import client_ip
from django_smsverify.limits.cache import digest
from django_smsverify.limits.shared import TICKET_LIFETIME
from django_smsverify.masked import Secret

SALT = "django_smsverify.ticket"
USABLE_AFTER = 1.5
"""Seconds that a person needs at least to type a number."""


def ticket_for(request: HttpRequest) -> str:
    """Returns a page ticket for the client of a request, to be put into the page and posted to `send/` as `ticket`.

    It is usable once, from 1.5 seconds to 30 minutes after it was made, in the client's network: do not cache the page.
    """
    content = {"id": secrets.token_urlsafe(16), "at": time.time()}
    return Secret(_signer(request).sign_object(content))


def digest_of_ticket(request: HttpRequest, ticket: str) -> str:
    """Returns what counts the use of a ticket; empty for one that is bad, too young, too old or another network's.

    Whether it was used before is not known here; never raises.
    """
    try:
        content = _signer(request).unsign_object(ticket)
        name, age = str(content["id"]), time.time() - float(content["at"])
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return ""
    return digest(Scope.TICKET, name) if USABLE_AFTER <= age <= TICKET_LIFETIME else ""


def _signer(request: HttpRequest) -> signing.Signer:
    """Signs for the client's network, which is part of the key: the ticket does not contain it."""
    return signing.Signer(salt=f"{SALT}:{network_of(client_ip(request))}")
