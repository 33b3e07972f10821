"""The values that are passed between this app and the gateways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from .enums import Carrier, DeliveryOutcome, FilingStatus, ReviewStatus, Submission
from .masked import PerNumber, secrets_of

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
    """Empty: any text is allowed. Otherwise the first is the default."""
    initial: str = ""
    """The default if there are no choices."""
    is_number: bool = False
    """Whether it is a whole number from 1 to 999, or blank."""
    is_address: bool = False
    """Whether requests with credentials go there: it must be a safe URL, and after a change the credentials must be
    entered again."""
    help_text: StrOrPromise = ""

    @property
    def default(self) -> str:
        """The value that is used if none is entered."""
        return self.choices[0] if self.choices else self.initial


PrivateHosts = Literal["loopback"] | bool
"""Whether requests may go to private, link-local and loopback addresses; see Account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The data of one provider that its gateway gets."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    timeout: tuple[float, float, float] = (3, 5, 10)
    """Connect, read and total seconds."""
    private_hosts: PrivateHosts = "loopback"
    """Whether a request may go to addresses that are not on the internet: all (True), none (False), or only to
    loopback, written literally, over http and without a proxy. A proxy may be at any address."""
    ca_bundle: str | None = None
    """Path of a PEM file with more certificate authorities, in addition to the usual ones."""
    webhook_url: str = field(default="", repr=False)
    """Where the vendor may push; empty unless the gateway has the option PUBLIC_URL and the operator entered it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingSMS:
    """One approved template to send to one or more numbers."""

    content: str
    """The template's content in the neutral syntax, without the signature."""
    signature: str = ""
    """The approved signature, without brackets."""
    signature_id: str = ""
    template_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Our placeholder's name to the vendor's, where they differ."""
    own_id: str = ""
    """Our id of the only message of this call, 32 letters and digits; empty when the call has several."""
    recipients: Mapping[str, Mapping[str, str]] = field(repr=False)
    """E.164 number to the values of the placeholders."""

    def __post_init__(self) -> None:
        secret = {phone: secrets_of(values) for phone, values in self.recipients.items()}
        object.__setattr__(self, "recipients", PerNumber(secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The vendor's answer that it accepted the message."""

    remote_id: str = ""
    """The vendor's id, always as text; it may stand for a whole batch."""
    balance: Decimal | None = None
    """The balance of the account after this message, if the answer has it; in the gateway's `balance_unit`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    content: bytes = field(repr=False)
    content_type: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The content in the most likely encoding, without a byte order mark; see `possible_texts`."""
        return possible_texts(self.content, self.content_type)[0]


def possible_texts(content: bytes, content_type: str) -> list[str]:
    """Returns the possible texts of a vendor's bytes, the most likely first; never empty.

    Encodings are UTF-8, as the vendors document, and the GBK family, as older systems send; a charset in the content
    type decides the order. Bytes that are valid in neither become U+FFFD.
    """
    encodings = ["utf-8-sig", "gb18030"]
    if "charset=gb" in re.sub(r"""[\s"']""", "", content_type.lower()):
        encodings.reverse()
    texts = []
    for encoding in encodings:
        try:
            texts.append(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    # Only a character that is cut in half is lost, not the rest.
    return texts or [content.decode("utf-8-sig", errors="replace")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One call of our webhook by a vendor."""

    content_type: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    url: str = field(default="", repr=False)
    """The URL as the vendor called it, with its query; empty for a gateway without the option PUBLIC_URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSMS:
    """A message about which the vendor is asked."""

    remote_id: str = ""
    """The vendor's id; empty if it was lost with the vendor's answer, and only where `finds_own_ids`."""
    phone: str = field(repr=False)
    """E.164."""
    own_id: str = ""
    """The `own_id` that it was sent with."""
    sent_at: datetime
    """When the vendor was called, with a time zone."""
    asked: int = 0
    """How often the vendor was asked about it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """The vendor's report on one message; raises ValueError without its id or number."""

    remote_id: str
    phone: str = field(repr=False)
    """E.164."""
    own_id: str = ""
    """The `own_id` that the message was sent with, if the vendor returns it: it finds one whose `remote_id` is lost."""
    outcome: DeliveryOutcome
    code: str = ""
    """The vendor's own code for the outcome."""
    detail: str = field(default="", repr=False)
    occurred_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the vendor sent, without the content of the SMS."""

    def __post_init__(self) -> None:
        _require_id(self.remote_id)
        _require_number(self.phone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyEvent:
    """A text that the phone's owner sent back; raises ValueError without a number."""

    remote_id: str = ""
    """The message that it answers according to the vendor, if the vendor names one."""
    phone: str = field(repr=False)
    content: str = field(repr=False)
    occurred_at: datetime | None = None
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _require_number(self.phone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A signature or a template as submitted to a vendor."""

    submission: Submission
    text: str
    """The signature without brackets, or the template's content with its placeholders as `{name}`, using the vendor's
    name where it differs from ours."""
    name: str = ""
    """The template's name; a signature has none besides its text."""
    remark: str = ""
    remote_id: str = ""
    """Empty before the first submission."""
    signature: str = ""
    """The text of a template's signature, if it has one."""
    our_names: Mapping[str, str] = field(default_factory=dict)
    """The vendor's name of a placeholder to ours, where they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEvent:
    """The vendor's verdict on a signature or a template; raises ValueError without its id."""

    submission: Submission
    remote_id: str
    status: ReviewStatus
    reason: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    """What was reviewed, as in a Draft; empty if the vendor does not return it."""
    name: str = field(default="", repr=False)
    remark: str = field(default="", repr=False)
    filings: Mapping[Carrier, FilingStatus] = field(default_factory=dict, repr=False)
    """Its state at each carrier, as far as the vendor tells it (报备)."""

    def __post_init__(self) -> None:
        _require_id(self.remote_id)


def _require_id(remote_id: str) -> None:
    if not any(character.isprintable() and not character.isspace() for character in remote_id):
        raise ValueError("no id")


def _require_number(phone: str) -> None:
    if not re.fullmatch(r"\+[1-9][0-9]{5,14}", phone, re.ASCII):
        raise ValueError("no phone number as E.164")


Event = DeliveryEvent | ReplyEvent | ReviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The events that a vendor sent in one answer or push; a row that cannot be read does not affect the others."""

    events: tuple[Event, ...] = ()
    problems: tuple[str, ...] = ()
    """The reason for each row that cannot be read."""


JSONObject = dict[str, Any]
