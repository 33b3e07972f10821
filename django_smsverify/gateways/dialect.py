"""What a vendor's file says of the vendor: a few words and a few pure methods."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import requests
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Billing, Reason, Submission
from django_smsverify.exceptions import GatewayError, GatewayRejected, InvalidCallback
from django_smsverify.linting import TextRules
from django_smsverify.masked import Secret
from django_smsverify.types import (
    Acceptance,
    Account,
    Answer,
    Credential,
    DeliveryEvent,
    Draft,
    News,
    Option,
    OutgoingSMS,
    Push,
    ReviewEvent,
)

from .parsing import as_text

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Outcome = Acceptance | GatewayError

PROXY = Option(
    name="proxy",
    label=_("HTTP proxy"),
    is_address=True,
    help_text=_("Such as http://10.0.0.5:3128; blank: none. Proxy settings of the environment are ignored."),
)
PACE = Option(
    name="pace",
    label=_("Calls per second"),
    is_number=True,
    initial="10",
    help_text=_("When many numbers are sent to at once. No vendor documents its limit: ask yours before you raise it."),
)


class Dialect:
    """One vendor's HTTP dialect.

    A subclass says what stands here and nothing else. It gets an Account and never sees models, settings or
    the cache.
    """

    label: ClassVar[StrOrPromise]
    """The vendor's name for the operator."""
    base_url: ClassVar[str] = ""
    """The vendor's own address, for providers that leave theirs blank."""
    credentials: ClassVar[tuple[Credential, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = (PROXY, PACE)
    reasons: ClassVar[Mapping[str, Reason]] = {}
    """The vendor's codes as text to our reasons; what is not listed is OTHER."""
    billing: ClassVar[Billing] = Billing.SUBMITTED
    """Which messages the vendor charges for; where it does not say, the upper bound."""
    max_recipients: ClassVar[int] = 1
    """Numbers in one call."""
    same_text: ClassVar[bool] = False
    """Whether all numbers of one call get the same values."""
    local: ClassVar[bool] = False
    """For development only: nothing leaves the machine."""
    pushes: ClassVar[bool] = False
    """Whether the vendor calls our webhook; then `parse_push` reads the call."""
    acknowledgement: ClassVar[str] = "success"
    """What the vendor wants to read when a push was taken."""
    answers_status: ClassVar[bool] = False
    """Whether the vendor can be asked what became of one message: `build_status`, `parse_status`."""
    hands_out_reports: ClassVar[bool] = False
    """Whether the vendor hands out its delivery reports, each once: `build_reports`, `parse_reports`."""
    answers_review: ClassVar[frozenset[Submission]] = frozenset()
    """Of what the vendor can be asked how its review stands: `build_review`, `parse_review`."""
    submits: ClassVar[frozenset[Submission]] = frozenset()
    """What can be submitted to the vendor for review: `build_submit`, `parse_submit`."""
    resubmits: ClassVar[frozenset[Submission]] = frozenset()
    """What can be changed there and submitted again once it was rejected: `build_resubmit`, `parse_resubmit`."""
    deletes: ClassVar[frozenset[Submission]] = frozenset()
    """What can be deleted there: `build_delete`, `parse_delete`."""
    text_rules: ClassVar[TextRules] = TextRules()
    """What the vendor takes in sender names, texts and values; known before it is asked."""

    @classmethod
    def rules_for(cls, options: Mapping[str, str]) -> TextRules:
        """The rules of an account with these options."""
        return cls.text_rules

    answers_balance: ClassVar[bool] = False
    """Whether the vendor can be asked what is left on the account: `build_balance`, `parse_balance`."""
    balance_unit: ClassVar[StrOrPromise] = _("SMS credits")
    """What a balance counts, for the operator; not money with the vendors that are known to tell one."""

    def check_recipient(self, sms: OutgoingSMS, phone: str) -> None:
        """Raises GatewayRejected for a number that the vendor could only refuse; the others go out.

        What is wrong with a value by `text_rules` is found without it.
        """

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        """The vendor's request; raises GatewayRejected for what the vendor could only refuse, whoever gets it."""
        raise NotImplementedError

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """What became of each number; raises a GatewayError where it is the same for all.

        The answer's HTTP status is 2xx; a number that is left out counts as uncertain.
        """
        raise NotImplementedError

    def refusal(self, code: object, message: object) -> GatewayRejected:
        """The vendor's explicit no, with the reason that its code (or its words, by a vendor's own rule) stands for."""
        known = as_text(code)
        reason = self.reasons.get(known, Reason.OTHER)
        return GatewayRejected(as_text(message), reason=reason, error_code=known)

    def parse_push(self, push: Push) -> News:
        """What one call of our webhook says; raises InvalidCallback when nothing of it can be read."""
        raise InvalidCallback("this vendor is not known to push anything")

    def build_status(self, remote_id: str, phone: str) -> requests.Request:
        raise NotImplementedError

    def parse_status(self, answer: Answer, remote_id: str, phone: str) -> DeliveryEvent | None:
        """None while the message is under way; raises GatewayRejected when the vendor knows no such message."""
        raise NotImplementedError

    def build_reports(self) -> requests.Request:
        raise NotImplementedError

    def parse_reports(self, answer: Answer) -> News:
        """Neither events nor problems when there are no more."""
        raise NotImplementedError

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        raise NotImplementedError

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        raise NotImplementedError

    def build_submit(self, draft: Draft) -> requests.Request:
        raise NotImplementedError

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        """The vendor's id for what was submitted."""
        raise NotImplementedError

    def build_resubmit(self, draft: Draft) -> requests.Request:
        raise NotImplementedError

    def parse_resubmit(self, answer: Answer, draft: Draft) -> None:
        """Raises GatewayRejected when the vendor did not take it."""
        raise NotImplementedError

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        raise NotImplementedError

    def parse_delete(self, answer: Answer, submission: Submission, remote_id: str) -> None:
        """Raises GatewayRejected when the vendor did not delete it."""

    def build_balance(self) -> requests.Request:
        raise NotImplementedError

    def parse_balance(self, answer: Answer) -> Decimal:
        """What is left, such as `reading.amount` reads it; raises GatewayRejected when the vendor will not tell."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what it finds when it builds a request

    account: Account

    def url(self, path: str) -> str:
        return self.account.base_url.rstrip("/") + path

    def option(self, name: str) -> str:
        """The operator's choice, or the option's default."""
        declared = next(option for option in self.options if option.name == name)
        return self.account.options.get(name) or declared.default

    @staticmethod
    def mobile(phone: str) -> Secret:
        """The 11 digits of a mainland number, which is all that these vendors take."""
        if not phone.startswith("+86"):
            raise GatewayRejected("this vendor serves mainland numbers (+86) only", error_code="not-mainland")
        return Secret(phone.removeprefix("+86"))
