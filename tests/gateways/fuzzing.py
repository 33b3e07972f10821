"""Mutated bodies; one seed always gives the same ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

PHONE = "13800138000"
"""The number in all mutated bodies, which must never be shown."""
TOKENS = [
    *("", " ", "\0", "&", "=", "%", "%00", "%FF", "%C4%A3", "+", ";", '"', "{", "}", "[", "]", ",", ":", "\\", "\r\n"),
    *("null", "true", "NaN", "-1", "0", "1", "2", "1 ", "1e9", "9" * 70, "0000-00-00 00:00:00", "9999-12-31"),
    *(PHONE, f"+86{PHONE}", f"86{PHONE}", "1380013800", "sms", "sign", "template", "report", "action", "status"),
    *("content", "reply_time", "report_time", "templateid", "taskId", "一", "👍", "长" * 2100, "x" * 600),
    *(r"\ud800", r"\u0000", r"\u2028", "\ufeff", "\u202e", "\x85", "\x1b[31m", "[" * 50, '{"a":' * 50),
]


def with_phone(body: str) -> bytes:
    """The body with this number instead of its own."""
    return re.sub(r"1[35][0-9]{9}(?=[\"&,])", PHONE, body).encode()


def mutated(random: Random, body: bytes) -> bytes:
    for _ in range(random.choice([1, 1, 2, 3, 8])):
        body = random.choice(CHANGES)(random, body or b" ")
    return body


def flip(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body))
    return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]


def cut(random: Random, body: bytes) -> bytes:
    start, end = sorted(random.sample(range(len(body) + 1), 2))
    return body[:start] + body[end:]


def double(random: Random, body: bytes) -> bytes:
    start, end = sorted(random.sample(range(len(body) + 1), 2))
    return body[:end] + body[start:end] + body[end:]


def insert(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body) + 1)
    return body[:place] + random.choice(TOKENS).encode(random.choice(["utf-8", "gb18030"])) + body[place:]


def replace_value(random: Random, body: bytes) -> bytes:
    """Replaces one value by another one, of the same call or of TOKENS."""
    values = list(re.finditer(rb"[^&={}\[\]:,\"]+", body))
    if not values:
        return body
    old = random.choice(values)
    new = random.choice([*(token.encode() for token in TOKENS), *(value[0] for value in values)])
    return body[: old.start()] + new + body[old.end() :]


def reencode(random: Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(random.choice(["gb18030", "utf-8-sig", "utf-16"]))


CHANGES: list[Callable[[Random, bytes], bytes]] = [
    flip,
    cut,
    double,
    insert,
    insert,
    replace_value,
    replace_value,
    reencode,
]
