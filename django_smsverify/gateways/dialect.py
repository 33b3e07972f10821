"""The Dialect class: what a vendor's file declares about the vendor, as attributes and pure methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Billing, Reason, Submission
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUncertain, InvalidCallback
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
    SentSMS,
)

from .parsing import as_text

if TYPE_CHECKING:
    import requests
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
    help_text=_("When many numbers are sent to at once. Ask the vendor before you raise it."),
)
PUBLIC_URL = Option(
    name="public_url",
    label=_("Public address of this site"),
    is_address=True,
    help_text=_(
        "Such as https://www.example.com: by which the vendor calls the webhook. Blank: as each call says, and no SMS "
        "tells the vendor where to report."
    ),
)

NOTHING = OutgoingSMS(content="", recipients={})
"""An SMS to nobody."""
CAPABILITIES = {
    "pushes": ("parse_push",),
    "answers_status": ("build_status", "parse_status"),
    "hands_out_reports": ("build_reports", "parse_reports"),
    "answers_balance": ("build_balance", "parse_balance"),
    "answers_question": ("build_question",),
}
"""What a vendor can do, by the methods that implement it."""
PARSE_DONE = "parse_done"
"""Reads two kinds of answers."""
SUBMISSIONS = {
    "answers_review": ("build_review", "parse_review"),
    "submits": ("build_submit", "parse_submit"),
    "resubmits": ("build_resubmit", PARSE_DONE),
    "deletes": ("build_delete", PARSE_DONE),
}
"""The same for signatures and templates: here a class declares the kinds of submission."""


class Dialect:
    """One vendor's HTTP dialect: how its requests are built and its answers are parsed.

    A subclass overrides only what this class declares. It gets an Account, and uses no models, settings or cache.
    """

    label: ClassVar[StrOrPromise]
    """The vendor's name, as the admin shows it."""
    base_url: ClassVar[str] = ""
    """The vendor's own address, used when a provider's base URL is blank."""
    credentials: ClassVar[tuple[Credential, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()
    """The vendor's own options; PROXY and PACE are added where `build_one` or `build_send` is overridden."""
    required_options: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The names of options without which nothing can be sent; of each group, one option is enough."""
    reasons: ClassVar[Mapping[str, Reason]] = {}
    """Maps the vendor's error codes, as text, to our reasons; a code that is not here is OTHER.

    A key that ends in `*` stands for all codes that begin so; a longer key goes before a shorter one.
    """
    uncertain: ClassVar[Collection[str]] = ()
    """The error codes, written as in `reasons`, with which the SMS may have been sent all the same.

    A longer key goes before a shorter one, also where one of them is in `reasons`.
    """
    delivery_codes: ClassVar[tuple[str, ...]] = ()
    """The vendors whose tables of delivery codes explain its reports, as `delivery_codes.csv` or the site's own file
    names them; the carriers' table comes after them."""
    cause_field: ClassVar[Literal["code", "detail", ""]] = "code"
    """Which field of its DeliveryEvents holds such a code; blank if none does."""
    billing: ClassVar[Billing] = Billing.SUBMITTED
    """Which messages the vendor charges for; if it is not documented, the most expensive rule."""
    mainland_only: ClassVar[bool] = False
    """Whether the vendor serves mainland numbers (+86) only."""
    max_recipients: ClassVar[int] = 1
    """The most numbers in one call; more than one: the class overrides `build_send` and `parse_send`."""
    same_text: ClassVar[bool] = False
    """Whether all numbers of one call must get the same values."""
    local: ClassVar[bool] = False
    """For development only: sends nothing over the network."""
    pushes: ClassVar[bool] = False
    """Whether the vendor calls our webhook. This and the other `bool`s of CAPABILITIES follow from the methods."""
    webhook_place: ClassVar[StrOrPromise] = ""
    """Where in the vendor's console the webhook's address is registered, as far as that is known."""
    acknowledgement: ClassVar[str] = "success"
    """The response body that the vendor expects after a push was accepted."""
    acknowledgement_type: ClassVar[str] = "text/plain; charset=utf-8"
    """The content type of the acknowledgement."""
    answers_status: ClassVar[bool] = False
    """Whether the vendor has a query for the status of one message."""
    finds_own_ids: ClassVar[bool] = False
    """Whether that query also finds a message by our own id."""
    hands_out_reports: ClassVar[bool] = False
    """Whether delivery reports can be fetched, each once."""
    answers_balance: ClassVar[bool] = False
    """Whether the vendor has a query for the balance."""
    answers_question: ClassVar[bool] = False
    """Whether the class has a harmless question of its own; without one `ask_question` takes another query."""
    answers_review: ClassVar[frozenset[Submission]] = frozenset()
    """The kinds of submission whose review state can be queried."""
    submits: ClassVar[frozenset[Submission]] = frozenset()
    """The kinds that can be submitted to the vendor for review."""
    resubmits: ClassVar[frozenset[Submission]] = frozenset()
    """The kinds that can be changed and submitted again after a rejection."""
    deletes: ClassVar[frozenset[Submission]] = frozenset()
    """The kinds that can be deleted at the vendor."""
    balance_unit: ClassVar[StrOrPromise] = _("SMS credits")
    """The unit of a balance, as the admin shows it."""
    needs_signatures: ClassVar[bool] = False
    """Whether the vendor takes no template, or no SMS to the mainland, that names no signature."""
    reviews_texts: ClassVar[bool] = True
    """Whether the vendor approves each text before it may be sent, also where this site is not told."""
    sends_ids: ClassVar[frozenset[Submission]] = frozenset()
    """The kinds of submission that an SMS names by the vendor's id: without it the vendor does not know the text."""
    text_rules: ClassVar[TextRules] = TextRules()
    """The vendor's rules for signatures, contents and values; they are checked before the vendor is called."""

    @classmethod
    def lacking_options(cls, options: Mapping[str, str]) -> list[tuple[str, ...]]:
        """The groups of `required_options` of which these options have none."""
        return [group for group in cls.required_options if not any(map(options.get, group))]

    @classmethod
    def rules_for(cls, options: Mapping[str, str]) -> TextRules:
        """The text rules of an account with these options."""
        return cls.text_rules

    @classmethod
    def sends_ids_with(cls, options: Mapping[str, str]) -> frozenset[Submission]:
        """What `sends_ids` is for an account with these options."""
        return cls.sends_ids

    def check_recipient(self, sms: OutgoingSMS, phone: str) -> None:
        """Raises GatewayRejected for a number that the vendor would refuse; the other numbers are still sent.

        Values are checked against `text_rules` elsewhere.
        """
        if self.mainland_only:
            self.mobile(phone)

    def build_one(self, sms: OutgoingSMS, phone: str) -> requests.Request:
        """Builds the request that sends an SMS to one number; raises GatewayRejected when the vendor would refuse."""
        raise NotImplementedError

    def parse_one(self, answer: Answer) -> Acceptance:
        """Returns the acceptance of an SMS to one number; raises a GatewayError for any other answer.

        The answer's HTTP status is 2xx.
        """
        raise NotImplementedError

    def build_send(self, sms: OutgoingSMS) -> requests.Request:
        """Like `build_one`, for one or more numbers; raises GatewayRejected when the vendor would refuse all."""
        (phone,) = sms.recipients
        return self.build_one(sms, phone)

    def parse_send(self, answer: Answer, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """Returns the outcome for each number; raises a GatewayError when all numbers have the same one.

        A number that is missing here counts as uncertain.
        """
        return dict.fromkeys(sms.recipients, self.parse_one(answer))

    def refusal(self, code: object, message: object) -> GatewayRejected | GatewayUncertain:
        """The error for a code of the vendor: uncertain, or a refusal with the reason that `reasons` has for it."""
        known = as_text(code)
        key = _key_of((*self.uncertain, *self.reasons), known) or known
        if key in self.uncertain:
            return GatewayUncertain(as_text(message), error_code=known)
        return GatewayRejected(as_text(message), reason=self.reasons.get(key, Reason.OTHER), error_code=known)

    def parse_refusal(self, answer: Answer) -> GatewayError | None:
        """Returns the error that an answer with HTTP status 4xx names, made by `refusal`.

        If there is none, or it cannot be read, the status decides.
        """
        return None

    def parse_push(self, push: Push) -> News:
        """Parses one call of our webhook; raises InvalidCallback when nothing in it can be read, and ForgedCallback
        when it is not signed as the vendor signs."""
        raise InvalidCallback("this vendor is not known to push anything")

    def acknowledge(self, push: Push) -> tuple[str, str]:
        """Returns the body and the content type of our response to a push that was stored."""
        return self.acknowledgement, self.acknowledgement_type

    def build_status(self, sent: SentSMS) -> requests.Request:
        """Builds the query for the status of one message."""
        raise NotImplementedError

    def parse_status(self, answer: Answer, sent: SentSMS) -> DeliveryEvent | None:
        """None while the message is under way; raises GatewayRejected when the vendor does not know the message."""
        raise NotImplementedError

    def build_reports(self) -> requests.Request:
        """Builds the request that fetches the next delivery reports."""
        raise NotImplementedError

    def parse_reports(self, answer: Answer) -> News:
        """Parses fetched reports; without events and problems there are no more reports."""
        raise NotImplementedError

    def build_review(self, submission: Submission, remote_id: str) -> requests.Request:
        """Builds the query for the state of a review."""
        raise NotImplementedError

    def parse_review(self, answer: Answer, submission: Submission, remote_id: str) -> ReviewEvent:
        """Returns the state of the review; raises a GatewayError when the vendor refuses."""
        raise NotImplementedError

    def build_submit(self, draft: Draft) -> requests.Request:
        """Builds the request that submits a signature or a template."""
        raise NotImplementedError

    def parse_submit(self, answer: Answer, draft: Draft) -> str:
        """Returns the vendor's id of the submission; raises GatewayRejected when it was not accepted."""
        raise NotImplementedError

    def build_resubmit(self, draft: Draft) -> requests.Request:
        """Builds the request that submits a rejected signature or template again."""
        raise NotImplementedError

    def build_delete(self, submission: Submission, remote_id: str) -> requests.Request:
        """Builds the request that deletes a signature or a template."""
        raise NotImplementedError

    def parse_done(self, answer: Answer) -> None:
        """Reads the answer to a resubmission or a deletion; raises GatewayRejected when the vendor did not do it."""
        raise NotImplementedError

    def build_balance(self) -> requests.Request:
        """Builds the query for the balance."""
        raise NotImplementedError

    def parse_balance(self, answer: Answer) -> Decimal | None:
        """Returns the balance, parsed by `parsing.amount`; None for an account that has none, as it pays afterwards.

        Raises GatewayRejected when the vendor refuses.
        """
        raise NotImplementedError

    def build_question(self) -> requests.Request:
        """Builds a request that shows whether the vendor takes the keys, and can neither send nor cost anything.

        Such as a send without a number, where the vendor has no query.
        """
        raise NotImplementedError

    def parse_question(self, answer: Answer) -> None:
        """Returns if the answer proves that the keys are right, also if the vendor refuses the rest of the question.

        By default it is read like the answer to a send. Raises a GatewayError for any other answer.
        """
        self.parse_send(answer, NOTHING)

    # ------------------------------------------------------------------ what an account has, and helpers for requests

    account: Account

    def url(self, path: str) -> str:
        """The URL of a path below the account's base URL."""
        return self.account.base_url.rstrip("/") + path

    @staticmethod
    def host(url: str) -> str:
        """The header Host of a request to this URL, for a vendor that signs it."""
        parts = urlsplit(url)
        return parts.netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, ""))

    def option(self, name: str) -> str:
        """The value that the operator entered for an option, or the option's default."""
        declared = next(option for option in self.options if option.name == name)
        return self.account.options.get(name) or declared.default

    def lacking(self) -> list[str]:
        """What the account has not, and without which nothing can be sent: names of credentials and of options."""
        credentials = [one.name for one in self.lacking_credentials()]
        return [*credentials, *map(" or ".join, self.lacking_options(self.account.options))]

    def lacking_credentials(self) -> list[Credential]:
        """The credentials that the account has not."""
        return [one for one in self.credentials if not self.account.credentials.get(one.name)]

    @staticmethod
    def mobile(phone: str) -> Secret:
        """The 11 digits of a mainland number; raises GatewayRejected for any other number."""
        if not phone.startswith("+86"):
            raise GatewayRejected("this vendor serves mainland numbers (+86) only", error_code="not-mainland")
        return Secret(phone.removeprefix("+86"))


def _key_of(keys: Collection[str], code: str) -> str | None:
    """The key that stands for a code: the code itself, or the longest one that ends in `*` and fits."""
    if code in keys:
        return code
    return max((key for key in keys if key.endswith("*") and code.startswith(key[:-1])), key=len, default=None)
