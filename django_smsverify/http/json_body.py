"""A JSON body of limited size, and the digest by which a client may have signed it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework import exceptions as drf
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.utils.json import strict_constant

from .request_body import content_length, read_body

MAX_JSON_BODY = 16 * 1024


class JSONRequest(Request):
    """A request whose body may have no declared length; DRF treats such a body as missing."""

    body_digest = hashlib.sha256(b"").hexdigest()
    """SHA-256 of the body as it came, in hex, once it was parsed. The body itself is not kept: it has a number."""

    @property
    def stream(self) -> HttpRequest | None:
        """Django's request, from which the parser reads; None without a body."""
        return None if content_length(self._request) == 0 else self._request


class SmallJSONParser(BaseParser):
    """Parses JSON in UTF-8, whatever charset is declared; a large body is refused before it is parsed."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = read_body(stream, MAX_JSON_BODY)
        parser_context["request"].body_digest = hashlib.sha256(body).hexdigest()
        if not body:
            return {}
        try:
            return json.loads(body.decode("utf-8-sig"), parse_constant=strict_constant)
        except (ValueError, RecursionError):
            raise drf.ParseError(_("The body is not JSON in UTF-8.")) from None
