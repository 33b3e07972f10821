"""X-Twilio-Signature: whether a call of our webhook is by Twilio (twilio.com/docs/usage/security, and its SDK)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from django_smsverify.exceptions import ForgedCallback
from django_smsverify.gateways.parsing import MAX_FIELDS
from django_smsverify.types import Push

HEADER = "x-twilio-signature"
PORTS = {"https": 443, "http": 80}


def signed_fields(push: Push, token: str) -> dict[str, str]:
    """The fields of a push that is signed with this token; raises ForgedCallback for any other.

    Calls that are signed with a shared key of the account (header X-Twilio-Webhooks-Signature-Settings, a beta of
    2026) are refused, too: their key is not known here.
    """
    if not token:  # everybody can sign with an empty key
        raise ForgedCallback("The credentials cannot be read, so its signature cannot be checked.")
    pairs = parse_qsl(push.body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    given = push.headers.get(HEADER, "").encode()
    fits = [hmac.compare_digest(given, signature(token, url, pairs).encode()) for url in _spellings(push.url)]
    if not any(fits):
        raise ForgedCallback
    return dict(pairs)


def signature(token: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Signs a URL and decoded fields; of a field that is repeated, each value counts once."""
    values: dict[str, set[str]] = defaultdict(set)
    for name, value in pairs:
        values[name].add(value)
    text = url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def _spellings(url: str) -> tuple[str, str]:
    """The URL with a port and without: Twilio has signed both, and its SDK takes both."""
    parts = urlsplit(url)
    bare = re.sub(r":[0-9]*\Z", "", parts.netloc)
    port = parts.port or PORTS.get(parts.scheme)
    return parts._replace(netloc=bare).geturl(), parts._replace(netloc=f"{bare}:{port}").geturl()
