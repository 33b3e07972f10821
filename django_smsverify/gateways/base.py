"""What every gateway is: a few words about the vendor, two pure methods, and one way to the network."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import requests
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from django_smsverify import texts
from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUncertain
from django_smsverify.types import Acceptance, Account, Answer, Credential, JSONObject, Option, OutgoingSMS

from .hygiene import scrub, storable
from .transport import HTTPTransport, Transport

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

logger = logging.getLogger("django_smsverify")

Outcome = Acceptance | GatewayError

PROXY = Option(
    name="proxy",
    label=_("HTTP proxy"),
    help_text=_("Such as http://10.0.0.5:3128; blank: none. Proxy settings of the environment are ignored."),
)
LONGEST_DETAIL = 500
LONGEST_WORD = 64
"""Characters of a vendor's code or id, as the columns hold."""
HTTP_REASONS = {401: Reason.ACCOUNT, 402: Reason.ACCOUNT, 403: Reason.ACCOUNT, 429: Reason.RATE}


class Gateway:
    """One vendor's HTTP dialect.

    A subclass says what stands in the first part and nothing else. It gets an Account and never sees
    models, settings or the cache.
    """

    label: ClassVar[StrOrPromise]
    """The vendor's name for the operator."""
    base_url: ClassVar[str] = ""
    """The vendor's own address, for providers that leave theirs blank."""
    credentials: ClassVar[tuple[Credential, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = (PROXY,)
    reasons: ClassVar[Mapping[str, Reason]] = {}
    """The vendor's codes as text to our reasons; what is not listed is OTHER."""
    max_recipients: ClassVar[int] = 1
    """Numbers in one call."""
    same_text: ClassVar[bool] = False
    """Whether all numbers of one call get the same values."""
    local: ClassVar[bool] = False
    """For development only: nothing leaves the machine."""

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        """The vendor's request; raises GatewayRejected for what the vendor could only refuse."""
        raise NotImplementedError

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """What became of each number; raises a GatewayError where it is the same for all.

        The answer's HTTP status is 2xx; a number that is left out counts as uncertain.
        """
        raise NotImplementedError

    def refusal(self, code: object, message: object) -> GatewayRejected:
        """The vendor's explicit no, with the reason that its code (or its words, by a vendor's own rule) stands for."""
        known = word(code)
        reason = self.reasons.get(known, Reason.OTHER)
        return GatewayRejected(word(message), reason=reason, error_code=known)

    @sensitive_variables()
    def deliver(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """One call to the vendor; overridden by a gateway that speaks no HTTP."""
        answer = self.call(self._request(sms))
        try:
            return self.parse_send(answer, sms)
        except (AttributeError, LookupError, TypeError, ValueError):
            failure = GatewayUncertain(f"the answer has an unknown shape (HTTP {answer.status})")
        raise failure

    # ------------------------------------------------------------------ for nobody to override below

    def __init__(self, account: Account, transport: Transport | None = None) -> None:
        self.account = account
        self.transport = transport or HTTPTransport()

    @sensitive_variables()
    def send(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        """Hands one text over and returns what became of each number; never raises a GatewayError."""
        try:
            outcomes = self.deliver(sms)
        except GatewayError as error:
            outcomes = dict.fromkeys(sms.recipients, error)
        return {phone: self._told(outcomes.get(phone), sms) for phone in sms.recipients}

    @sensitive_variables()
    def _request(self, sms: OutgoingSMS) -> requests.Request:
        """A request that cannot be built has certainly not been sent, whatever the reason."""
        try:
            return self.build_send(sms)
        except GatewayError:
            raise
        except Exception as error:
            failure = GatewayRejected(f"the request could not be built ({type(error).__name__})", error_code="bug")
            logger.error("%s.build_send has a bug (%s).", type(self).__name__, type(error).__name__)
        raise failure

    def call(self, request: requests.Request) -> Answer:
        """All I/O of all gateways: one request, one answer with a 2xx status, or a GatewayError."""
        answer = self.transport.send(request, self.account)
        if answer.status >= 500:
            raise GatewayUncertain(self._excerpt(answer), error_code=str(answer.status))
        if answer.status >= 300:
            reason = HTTP_REASONS.get(answer.status, Reason.OTHER)
            raise GatewayRejected(self._excerpt(answer), reason=reason, error_code=str(answer.status))
        return answer

    def url(self, path: str) -> str:
        return self.account.base_url.rstrip("/") + path

    def option(self, name: str) -> str:
        """The operator's choice, or the option's default."""
        declared = next(option for option in self.options if option.name == name)
        return self.account.options.get(name) or declared.default

    @staticmethod
    def mobile(phone: str) -> str:
        """The 11 digits of a mainland number, which is all that these vendors take."""
        if not phone.startswith("+86"):
            raise GatewayRejected("this vendor serves mainland numbers (+86) only", error_code="not-mainland")
        return phone.removeprefix("+86")

    @staticmethod
    def _excerpt(answer: Answer) -> str:
        return f"HTTP {answer.status}: {' '.join(answer.text.split())}"

    @sensitive_variables()
    def _told(self, outcome: Outcome | None, sms: OutgoingSMS) -> Outcome:
        """The outcome with the vendor's words freed of numbers, values and keys, which vendors like to repeat."""
        if outcome is None:
            return GatewayUncertain("the vendor's answer does not name this number")
        remote_id = storable(outcome.remote_id, LONGEST_WORD)
        if isinstance(outcome, Acceptance):
            return replace(outcome, remote_id=remote_id)
        secrets = [secret for secret in self._secrets(sms) if len(secret) > 1]
        # Cut last: half a code would not be found.
        outcome.detail = storable(scrub(str(outcome.detail), secrets), LONGEST_DETAIL)
        outcome.args = (outcome.detail,)
        # Codes are short, and so are some values: "10" is a reason more often than it is ten minutes.
        outcome.error_code = storable(scrub(outcome.error_code, [s for s in secrets if len(s) > 3]), LONGEST_WORD)
        outcome.remote_id = remote_id
        return outcome

    def _secrets(self, sms: OutgoingSMS) -> Iterator[str]:
        yield from self.account.credentials.values()
        for phone, values in sms.recipients.items():
            yield from (phone, phone.removeprefix("+86"), *values.values())


def word(value: object) -> str:
    """A vendor's code or id as text: `1`, `"1"` and `"1 "` are one, None is none."""
    return "" if value is None else str(value).strip()


def stated(code: object) -> str:
    """The code that decides, as text; raises ValueError where the vendor gives none, which says neither yes nor no."""
    if not word(code):
        raise ValueError("no code")
    return word(code)


def json_object(answer: Answer) -> JSONObject:
    """The answer as a JSON object, its numbers kept as the digits that were sent.

    Raises GatewayUncertain for anything else.
    """
    try:
        found: Any = json.loads(answer.text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise GatewayUncertain(f"the answer is not a JSON object (HTTP {answer.status})")
    return found


def full_text(sms: OutgoingSMS, phone: str) -> str:
    """The text for one number, without the signature."""
    return texts.render(sms.content, sms.recipients[phone])


def ordered_values(sms: OutgoingSMS, phone: str) -> list[str]:
    """The values for one number in the order of the placeholders."""
    return [sms.recipients[phone][name] for name in texts.placeholders(sms.content)]


def named_values(sms: OutgoingSMS, phone: str) -> dict[str, str]:
    """The values for one number under the vendor's names."""
    values = sms.recipients[phone]
    return {sms.variables.get(name, name): values[name] for name in texts.placeholders(sms.content)}


def forbid(pattern: str, values: list[str], why: str) -> None:
    """Refuses values that the vendor's syntax cannot carry, before anything is sent."""
    if any(re.search(pattern, value) for value in values):
        raise GatewayRejected(why, reason=Reason.CONTENT, error_code="value")
