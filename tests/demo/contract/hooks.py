"""What schemathesis is told of the endpoints beyond their schema; it runs in an environment of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from zlib import crc32

import schemathesis

PURPOSE = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
ABOUT_WHAT_EXISTS = {
    *("phone_not_supported", "unknown_purpose", "wrong_code", "context_mismatch"),
    *("expired", "too_many_attempts", "already_used", "not_found", "idempotency_mismatch"),
}
"""Words that answer a valid body: it depends on the number, the purpose, the code and earlier requests."""
BEYOND_A_SCHEMA = {"phone", "code", "context"}
"""Fields that people fill in, or whose names OpenAPI 3.0 cannot describe: `invalid` may be about them."""


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leaves out what is malformed in three fields that show who asks: it counts as absent, and is no error."""
    body = case.body if isinstance(case.body, dict) else {}
    captcha = body.get("captcha")
    if isinstance(captcha, dict):
        captcha = "" if captcha.keys() == {"key", "value"} and are_texts(captcha.values()) else captcha
    return are_texts(found for found in (body.get("device"), body.get("ticket"), captcha) if found is not None)


def are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Replaces most texts that are no phone number by numbers that get an SMS, as the demo sends to each of them."""
    if not isinstance(body, dict) or not {"phone", "purpose"} <= body.keys():
        return body
    phone, purpose = body["phone"], body["purpose"]
    if not isinstance(phone, str) or not 0 < len(phone) <= 40:
        return body
    if not isinstance(purpose, str) or len(purpose) > 64 or not PURPOSE.fullmatch(purpose):
        return body
    chance = crc32(phone.encode("utf-8", "replace"))
    return {**body, "phone": f"138{chance % 10**8:08}", "purpose": "login"} if chance % 4 else body


@schemathesis.check
def a_valid_body_is_refused_only_for_what_no_schema_says(context: Any, response: Any, case: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    refusal = response.json()
    about = set(refusal.get("errors", {}))
    if refusal["code"] in ABOUT_WHAT_EXISTS or (about and about <= BEYOND_A_SCHEMA):
        return
    raise AssertionError(f"The schema calls this valid: {refusal}")
