"""Fields whose schema is written by hand, because drf-spectacular cannot know it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field

from django_smsverify.enums import MessageStatus, Scope
from django_smsverify.models.texts import PURPOSE
from django_smsverify.serializers import LONGEST_NUMBER, LONGEST_PURPOSE, AnyField
from django_smsverify.verifying.context import MAX_DIGITS, MAX_LENGTH, MAX_NAMES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}


def enum_of(kind: str, *values: object) -> Schema:
    """Returns an inline enum: drf-spectacular would make a component of it, and rename a site's own StatusEnum."""
    return {"oneOf": [{"type": kind, "enum": list(values)}]}


def words_of(*words: str) -> Schema:
    """Returns an inline enum of texts."""
    return enum_of("string", *words)


def object_of(**properties: Schema) -> Schema:
    """Returns an inline object with exactly these properties."""
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def described_as(schema: Schema) -> type[AnyField]:
    """Returns a class of fields with this schema."""

    class Described(AnyField):
        pass

    return extend_schema_field(schema)(Described)


Number = described_as({"type": "string", "minLength": 1, "maxLength": LONGEST_NUMBER})
Purpose = described_as({"type": "string", "maxLength": LONGEST_PURPOSE, "pattern": f"^{PURPOSE.pattern}$"})
Code = described_as({"type": "string", "minLength": 4})
Id = described_as({"type": "string", "format": "uuid"})
Token = described_as(TEXT)
_LARGEST = 10**MAX_DIGITS - 1
Context = described_as(
    {
        "type": "object",
        "maxProperties": MAX_NAMES,
        "additionalProperties": {
            "oneOf": [
                {"type": "string", "maxLength": MAX_LENGTH},
                {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST},
            ]
        },
    }
)
SolvedCaptcha = described_as({"oneOf": [object_of(key=TEXT, value=TEXT), TEXT]})
OfferedCaptcha = described_as(
    {
        "oneOf": [
            object_of(kind=words_of("image"), key=TEXT, image=TEXT),
            object_of(kind=words_of("altcha"), challenge={"type": "object", "additionalProperties": {}}),
        ]
    }
)
Limit = described_as(words_of(*Scope.limits()))
StatusOfSent = described_as(words_of(*(status for status in MessageStatus if status != MessageStatus.NOT_SENT)))
NotSent = described_as(words_of(MessageStatus.NOT_SENT))
Unsent = described_as(enum_of("boolean", False))
SecondTry = described_as(enum_of("integer", 2))
