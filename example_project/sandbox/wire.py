"""Parsing of HTTP requests and encoding of replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl

_FORM = "application/x-www-form-urlencoded"
_BODILESS = frozenset({204, 304})
_MAX_FIELDS = 64


class MalformedError(ValueError):
    """The request does not match its declared format."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower case, path and query are still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def content_is(self, media_type: str) -> bool:
        given, _, parameters = self.headers.get("content-type", "").partition(";")
        charset = parameters.strip().lower().replace('"', "")
        if charset not in ("", "charset=utf-8"):
            raise MalformedError("charset")
        return given.strip().lower() == media_type

    def query_fields(self) -> dict[str, str]:
        if not self.query.isascii():
            raise MalformedError("query")
        return _fields(self.query)

    def has_form(self) -> bool:
        return self.content_is(_FORM)

    def form_fields(self) -> dict[str, str]:
        """The fields of the body; empty if the body is not declared as a form."""
        if not self.has_form():
            return {}
        try:
            return _fields(self.body.decode())
        except UnicodeDecodeError as error:
            raise MalformedError("body") from error

    def json_object(self) -> dict[str, object]:
        if not self.content_is("application/json"):
            raise MalformedError("content type")
        try:
            text = self.body.decode()
        except UnicodeDecodeError as error:
            raise MalformedError("body") from error
        return json_object(text)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, before it is written on a connection."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: object, status: int = 200) -> Reply:
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, "application/json; charset=utf-8")

    @classmethod
    def page(cls, status: int, *headers: tuple[str, str]) -> Reply:
        title = f"{status} {_phrase(status)}".strip()
        body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return cls(status, body.encode(), "text/html; charset=utf-8", headers)

    def encoded(self, pad_to: int = 0) -> bytes:
        """The bytes to send, the body padded with spaces to pad_to bytes."""
        body = b"" if self.status in _BODILESS else self.body.ljust(pad_to)
        lines = [
            f"HTTP/1.1 {self.status} {_phrase(self.status)}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def json_object(text: str) -> dict[str, object]:
    """Parse a JSON object; refuses any other value and any repeated name."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedError("json") from error
    if not isinstance(value, dict):
        raise MalformedError("not an object")
    return value


def only(fields: Mapping[str, object], *names: str) -> None:
    """Refuse unknown fields."""
    if not fields.keys() <= set(names):
        raise MalformedError("unknown field")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("repeated name")
    return value


def _fields(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise MalformedError("form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedError("repeated field")
    return fields


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
