"""The captcha "altcha": a proof of work, which a browser does by itself while the person types.

A challenge is signed and not stored; only the digest of a used one is kept, in the cache of the limits.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework.request import Request

from django_smsverify.limits.cache import ask_or_refuse

ALGORITHM = "PBKDF2/SHA-256"
COST = 1000
"""Iterations of one try."""
TRIES = range(500, 1500)
"""How many tries find the solution: a million iterations on average, which take a cheap phone about a second."""
LIFETIME = 600
"""Seconds in which it must be solved and sent."""
REMEMBERED = 2 * LIFETIME
"""Seconds for which its use is remembered: a process whose clock is behind accepts it for longer."""


class AltchaCaptcha:
    """Work that costs a person nothing, and a bot a second for each SMS."""

    def offer(self, request: Request) -> dict[str, Any]:
        if self.why_unusable():
            return {}
        import altcha

        sign, sign_solution = next(_keys())
        challenge = altcha.create_challenge(
            ALGORITHM,
            COST,
            counter=secrets.choice(TRIES),
            expires_at=int(time.time()) + LIFETIME,
            hmac_secret=sign,
            hmac_key_secret=sign_solution,
        )
        return {"kind": "altcha", "challenge": challenge.to_dict()}

    def is_solved(self, request: Request, data: Mapping[str, Any]) -> bool:
        written = data.get("captcha")
        if not written or not isinstance(written, str) or self.why_unusable():
            return False
        challenge = _solved(written)
        return bool(challenge) and _use(challenge)

    def why_unusable(self) -> tuple[str, str] | None:
        """Returns what is missing and what to do about it; None if challenges can be made."""
        return None if find_spec("altcha") else ("altcha is not installed", "pip install 'django-smsverify[altcha]'")


def _solved(written: str) -> str:
    """The signature of the challenge that a text solves; empty if it solves none of ours."""
    import altcha

    try:
        solution = altcha.Payload.from_base64(written)
        if any(altcha.verify_solution(solution, key, hmac_key_secret=other).verified for key, other in _keys()):
            return str(solution.challenge.signature)
    except Exception:  # noqa: S110 - whatever a stranger's text does to the library, it is no solution
        pass
    return ""


def _use(challenge: str) -> bool:
    """Whether it is used for the first time; raises ThrottleUnavailable if the cache does not tell."""
    key = f"smsverify:altcha:{challenge}"
    return bool(ask_or_refuse(lambda cache: cache.add(key, 1, REMEMBERED), lambda cache: cache.delete(key)))


def _keys() -> Iterator[tuple[bytes, bytes]]:
    """The keys that sign a challenge and its solution, the current ones first."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        signed, solved = (
            salted_hmac(f"django_smsverify.altcha.{what}", "key", secret=secret, algorithm="sha256").digest()
            for what in ("challenge", "solution")
        )
        yield signed, solved
