"""Vendors' words made fit to be stored and shown: free of secrets, of broken characters, and not too long."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


def storable(words: str, longest: int) -> str:
    """Without what no database stores or what would forge a line of a log, cut to `longest` characters."""
    encodable = words.encode(errors="replace").decode()
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in encodable)[:longest].strip()


def scrub(words: str, secrets: Iterable[str]) -> str:
    """With `***` for each secret, also where it is written as in a URL, in HTML or in JSON."""
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        words = words.replace(spelling, "***")
    return words


def _spellings(secret: str) -> set[str]:
    encodable = secret.encode(errors="replace").decode()
    in_json = json.dumps(secret)[1:-1]
    return {secret, quote(encodable), quote(encodable, safe=""), quote_plus(encodable), html.escape(secret), in_json}
