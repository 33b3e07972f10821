"""The values that pass between the verbs and the gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One secret that a gateway needs; the admin shows a field for each."""

    name: str
    label: StrOrPromise
    help_text: StrOrPromise = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting of a gateway that is not secret; its value is text."""

    name: str
    label: StrOrPromise
    choices: tuple[str, ...] = ()
    """Empty: any text. Otherwise the first is the default."""
    initial: str = ""
    """The default where there are no choices."""
    help_text: StrOrPromise = ""

    @property
    def default(self) -> str:
        return self.choices[0] if self.choices else self.initial


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a gateway is told of one provider."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    timeout: tuple[float, float, float] = (3, 5, 10)
    """Connect, read and total seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingSMS:
    """One approved text on its way to one or more numbers."""

    content: str
    """The template's text in the neutral syntax, without the signature."""
    signature: str = ""
    """The approved sender name, without brackets."""
    signature_id: str = ""
    template_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Our placeholder's name to the vendor's, where they differ."""
    recipients: Mapping[str, Mapping[str, str]] = field(repr=False)
    """E.164 number to the values of the placeholders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The vendor's synchronous "I took it"."""

    remote_id: str = ""
    """The vendor's id, always as text; it may stand for a whole batch."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, read whole."""

    status: int
    content: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """UTF-8 without a byte order mark; broken bytes become U+FFFD, for the parser to stumble on."""
        return self.content.decode("utf-8-sig", errors="replace")


JSONObject = dict[str, Any]
