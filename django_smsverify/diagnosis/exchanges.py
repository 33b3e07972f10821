"""Shows recorded exchanges without keys, codes and numbers, so that they can be pasted into a bug report."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.translation import gettext

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.gateways.parsing import excerpt
from django_smsverify.gateways.recording import Recorded
from django_smsverify.gateways.redaction import scrub, storable
from django_smsverify.masked import Secret
from django_smsverify.models import Provider
from django_smsverify.phones import masked

LONGEST = 2000
"""Characters of a line."""
SHOWN_HEADERS = ("content-type", "date", "server", "via", "retry-after", "www-authenticate")
"""Those of an answer that help; others may be cookies of a page that is not the vendor's."""
DIGEST = re.compile(r"(?=[A-Za-z+/_-]*[0-9])[A-Za-z0-9+/_-]{20,}={0,2}")
"""What may be a key, a signature or a random id: long, with a digit, unlike words and paths."""
FIELD = re.compile(
    r"""(?ix) (?P<name> \b (?:\w*(?:passw|secret|token|signature|api[_-]?key|app[_-]?(?:code|key))\w* | pwd | sign) )
    (?P<between> "?\s*[=:]\s*"? ) [^&",;\s}]+"""
)
"""A field whose value is a key or a signature, in a query, a form or JSON."""


def secrets_of(provider: Provider) -> list[Secret]:
    """What may not be shown: the credentials that can be decrypted, and the secrets of the webhook."""
    try:
        keys = [str(value) for value in dict(provider.credentials or {}).values()]
    except UndecryptableValue:
        keys = []
    every = (*keys, provider.webhook_secret, provider.previous_webhook_secret)
    return [Secret(secret) for secret in every if len(secret) > 1]


def shown(recorded: Recorded, secrets: Iterable[str]) -> str:
    """One exchange as text: the lines of the request after `>`, those of the answer after `<`."""
    known = list(secrets)
    lines = [f"> {recorded.method} {_address(recorded.url, known)}"]
    lines += [f"> {name}: {_header(name, value, known)}" for name, value in recorded.headers.items()]
    lines += [f"> {_hidden(line, known)}".rstrip() for line in ["", *recorded.body.splitlines()] if recorded.body]
    return "\n".join([*lines, *_answer(recorded, known)])


def _answer(recorded: Recorded, secrets: list[str]) -> list[str]:
    if recorded.answered_at is None:
        return ["< " + gettext("no answer")]
    lines = [
        f"< {name}: {_header(name, recorded.answer_headers[name], secrets)}"
        for name in SHOWN_HEADERS
        if name in recorded.answer_headers
    ]
    # The excerpt tells only the type and the length of what is no vendor's answer.
    words = gettext("not read") if recorded.answer is None else _hidden(excerpt(recorded.answer), secrets)
    return [f"< {words}", *lines]


def _header(name: str, value: str, secrets: list[str]) -> str:
    if name.lower() == "authorization":
        scheme, blank, _rest = value.partition(" ")
        return f"{_readable(scheme, secrets)} ***" if blank else "***"
    return FIELD.sub(r"\g<name>\g<between>***", f"{name}: {_hidden(value, secrets)}").removeprefix(f"{name}: ")


def _hidden(words: str, secrets: list[str]) -> str:
    """The words without secrets, signatures and numbers."""
    hidden = DIGEST.sub("***", FIELD.sub(r"\g<name>\g<between>***", scrub(words, secrets)))
    return storable(masked(hidden), LONGEST)


def _address(url: str, secrets: list[str]) -> str:
    address, mark, query = map(Secret, url.partition("?"))
    return f"{_readable(address, secrets)}{mark}{_hidden(query, secrets)}"


def _readable(words: str, secrets: list[str]) -> str:
    """The same of words that hold no signature, such as a host, which may be long and have digits."""
    return storable(masked(scrub(words, secrets)), LONGEST)
