"""The Gateway class: calls a vendor over HTTP and removes secrets from everything that it returns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django_smsverify.enums import Reason, Submission
from django_smsverify.exceptions import (
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    InvalidCallback,
    describe,
)
from django_smsverify.linting import value_problem
from django_smsverify.masked import PerNumber
from django_smsverify.types import (
    Acceptance,
    Account,
    Answer,
    DeliveryEvent,
    Draft,
    News,
    OutgoingSMS,
    Push,
    ReviewEvent,
    SentSMS,
)

from .dialect import CAPABILITIES, PARSE_DONE, SUBMISSIONS, Dialect
from .dialect import PACE as PACE
from .dialect import PROXY as PROXY
from .dialect import PUBLIC_URL as PUBLIC_URL
from .dialect import Outcome as Outcome
from .hosts import host_of
from .parsing import SHAPE_ERRORS, UNREADABLE, amount, amount_if_any, as_text, excerpt, ordered_values
from .redaction import (
    LONGEST_DETAIL,
    LONGEST_WORD,
    clean,
    clean_delivery,
    clean_review,
    loggable,
    loggable_problems,
    scrub,
    storable,
)

if TYPE_CHECKING:
    import requests

    from .transport import Transport

T = TypeVar("T")
logger = logging.getLogger("django_smsverify")

NOBODY = "+8610000000000"
"""A number that nobody can have: mobile numbers of the mainland begin with 13 to 19, and no area code with 100."""
NO_ID = "0" * 32
"""An id of ours that no message has."""
HTTP_REASONS = {401: Reason.ACCOUNT, 402: Reason.ACCOUNT, 403: Reason.ACCOUNT, 429: Reason.RATE}


class Gateway(Dialect):
    """A vendor's dialect, plus the calls to the vendor, which are the same for all vendors."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """Sends one SMS, to one or more numbers, by one call; a gateway that does not use HTTP overrides this.

        Returns an outcome for each number. Any exception except a GatewayError makes the outcome uncertain.
        """
        answer = self.call(self._before_call(partial(self.build_send, sms)))
        return self._after_call(lambda answer: self.parse_send(answer, sms), answer)

    # ------------------------------------------------------------------ subclasses override nothing below

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Derives the capabilities from the methods, and adds the options of all vendors that are called over HTTP."""
        super().__init_subclass__(**kwargs)
        for capability, methods in CAPABILITIES.items():
            if capability not in vars(cls):
                setattr(cls, capability, all(map(cls._overrides, methods)))
        if any(map(cls._overrides, ("build_one", "build_send"))):
            cls.options = (*cls.options, *(option for option in (PROXY, PACE) if option not in cls.options))

    @classmethod
    def missing_methods(cls) -> list[str]:
        """Returns the methods that a vendor's file lacks for what it can do."""
        missing = []
        if not cls._overrides("transmit"):
            pairs = (("build_one", "build_send"), ("parse_one", "parse_send"))
            missing += [one for one, many in pairs if not cls._overrides(one) and not cls._overrides(many)]
        for capability, methods in (CAPABILITIES | SUBMISSIONS).items():
            if getattr(cls, capability) or any(cls._overrides(method) for method in methods if method != PARSE_DONE):
                missing += [method for method in methods if not cls._overrides(method)]
        return missing

    @classmethod
    def _overrides(cls, method: str) -> bool:
        return getattr(cls, method) is not getattr(Gateway, method)

    def __init__(self, account: Account, transport: Transport | None = None) -> None:
        self.account = account
        self.transport = transport or _http_transport()

    def send(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """Sends one text to the numbers of `sms` and returns an outcome for each number; raises nothing."""
        found = self._unsendable(sms)
        sendable = PerNumber((phone, values) for phone, values in sms.recipients.items() if phone not in found)
        answered = self._transmit_safely(replace(sms, recipients=sendable)) if sendable else PerNumber[Outcome]()
        missing: GatewayError | None = None
        for phone in sendable:
            outcome = answered.get(phone)
            if not isinstance(outcome, Outcome):
                outcome = missing = missing or GatewayUncertain("the vendor's answer does not name this number")
            found[phone] = outcome
        # Redact each outcome once: hundreds of numbers may share it, and redaction is slow.
        redacted = {
            key: self._redacted(outcome, sms) for key, outcome in {id(one): one for one in found.values()}.items()
        }
        return PerNumber((phone, redacted[id(found[phone])]) for phone in sms.recipients)

    def _transmit_safely(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """Calls `transmit`; a bug in it makes the outcome uncertain, because the SMS may have been sent."""

        def failure() -> GatewayError:
            return GatewayUncertain("the gateway failed while it was sending: see the log", error_code="bug")

        try:
            return self._guarded(lambda: PerNumber(self.transmit(sms)), "fails while it is sending", failure)
        except GatewayError as error:
            return PerNumber(dict.fromkeys(sms.recipients, error))

    def require_sendable(self, sms: OutgoingSMS, phone: str) -> None:
        """Raises GatewayRejected for a number or a value that the vendor would certainly refuse."""
        self._before_call(partial(self.check_recipient, sms, phone))
        rules = self.rules_for(self.account.options)
        problems = filter(
            None, (value_problem(rules, value) for value in self._before_call(partial(ordered_values, sms, phone)))
        )
        if why := next(problems, None):
            raise GatewayRejected(why, reason=Reason.CONTENT, error_code="value")

    def _unsendable(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """The numbers that are not sent to the vendor because it would refuse them, each with its error."""
        refused = PerNumber[Outcome]()
        try:
            self._require_complete()
        except GatewayRejected as error:
            return PerNumber(dict.fromkeys(sms.recipients, error))
        for phone in sms.recipients:
            try:
                self.require_sendable(sms, phone)
            except GatewayError as error:
                refused[phone] = error
        return refused

    def read_push(self, push: Push) -> News:
        """Parses one call of our webhook into events that can be stored; raises InvalidCallback when there are none."""
        try:
            news = self._cleaned(self.parse_push(push))
        except SHAPE_ERRORS as error:
            failure = InvalidCallback(loggable(f"{type(error).__name__}: {error}", self._keys()))
        else:
            if news.events or not news.problems:
                return news
            failure = InvalidCallback("; ".join(news.problems))
        raise failure

    def ask_status(self, sent: SentSMS) -> DeliveryEvent | None:
        """Asks for the delivery status of a message; None while it is under way. Raises a GatewayError."""

        def parse(answer: Answer) -> DeliveryEvent | None:
            event = self.parse_status(answer, sent)
            if event is None:
                return None
            if (event.remote_id, event.phone) != (sent.remote_id or event.remote_id, sent.phone):
                raise GatewayUncertain("the answer is about another message")
            return clean_delivery(replace(event, own_id=sent.own_id), self._keys())

        return self.exchange(partial(self.build_status, sent), parse)

    def pull_reports(self) -> Answer:
        """Fetches the next delivery reports; raises a GatewayError.

        The vendor deletes the reports that it returns, so the caller must store this answer.
        """
        return self.exchange(self.build_reports, lambda answer: answer)

    def read_reports(self, answer: Answer) -> News:
        """Parses the answer of `pull_reports`; raises a GatewayError when it holds no reports."""
        with self._safe_errors():
            return self._cleaned(self._after_call(self.parse_reports, answer))

    def ask_review(self, submission: Submission, remote_id: str) -> ReviewEvent:
        """Asks for the state of a review; raises a GatewayError."""

        def parse(answer: Answer) -> ReviewEvent:
            event = self.parse_review(answer, submission, remote_id)
            if (event.submission, event.remote_id) != (submission, remote_id):
                raise GatewayUncertain("the answer is about another text")
            return clean_review(event, self._keys())

        return self.exchange(partial(self.build_review, submission, remote_id), parse)

    def submit(self, draft: Draft) -> str:
        """Submits a signature or a template; returns its id at the vendor, or raises a GatewayError."""

        def parse(answer: Answer) -> str:
            remote_id = storable(self.parse_submit(answer, draft), LONGEST_WORD)
            if not remote_id:
                raise GatewayUncertain("the vendor took it and gave no id")
            return remote_id

        return self.exchange(partial(self.build_submit, draft), parse)

    def refusal_of_draft(self, draft: Draft) -> GatewayRejected | None:
        """Returns why the vendor would not be called for this draft; None if it would be. Calls nobody."""
        try:
            with self._safe_errors():
                self._before_call(partial(self.build_resubmit if draft.remote_id else self.build_submit, draft))
        except GatewayError as error:
            return error if isinstance(error, GatewayRejected) else None
        return None

    def resubmit(self, draft: Draft) -> None:
        """Submits a changed signature or template again; raises a GatewayError."""
        self.exchange(partial(self.build_resubmit, draft), self.parse_done)

    def delete(self, submission: Submission, remote_id: str) -> None:
        """Deletes a signature or a template at the vendor; raises a GatewayError."""
        self.exchange(partial(self.build_delete, submission, remote_id), self.parse_done)

    def ask_balance(self) -> Decimal | None:
        """Asks for the balance of the account, in `balance_unit`; None if it has none. Raises a GatewayError."""

        def parse(answer: Answer) -> Decimal | None:
            left = self.parse_balance(answer)
            return None if left is None else amount(left)

        return self.exchange(self.build_balance, parse)

    @property
    def has_question(self) -> bool:
        """Whether `ask_question` can ask anything."""
        return any((self.answers_question, self.answers_balance, self.answers_status, self.answers_review))

    def ask_question(self) -> None:
        """Asks the vendor something that neither sends nor costs anything; raises a GatewayError.

        This is the class's own question, or the balance, or the state of a message or a text that does not exist:
        then a refusal is the usual answer.
        """
        if self.answers_question:
            self.exchange(self.build_question, self.parse_question)
        elif self.answers_balance:
            self.ask_balance()
        elif self.answers_status:
            self.ask_status(SentSMS(remote_id="0", phone=NOBODY, own_id=NO_ID, sent_at=datetime.now(UTC)))
        else:
            self.ask_review(min(self.answers_review), "0")

    def exchange(self, build: Callable[[], requests.Request], parse: Callable[[Answer], T]) -> T:
        """Builds a request, sends it and parses the answer; raises a GatewayError whose text is safe to log."""
        with self._safe_errors():
            self._require_complete()
            answer = self.call(self._before_call(build))
            return self._after_call(parse, answer)

    def _require_complete(self) -> None:
        """Raises GatewayRejected while the operator has not entered what every call needs."""
        if lacking := self.lacking():
            why = f"the provider has no {', '.join(lacking)}: enter it in the admin"
            raise GatewayRejected(why, reason=Reason.ACCOUNT, error_code="configuration")

    @contextmanager
    def _safe_errors(self) -> Iterator[None]:
        try:
            yield
        except GatewayError as error:
            failure = error
        else:
            return
        failure.detail = loggable(str(failure.detail), self._keys(), hosts=self._hosts())
        failure.args = (failure.detail,)
        failure.error_code = loggable(failure.error_code, self._keys(), LONGEST_WORD, digits=7)
        raise failure

    def _before_call(self, build: Callable[[], T]) -> T:
        """Runs code before the call; nothing was sent, so that any error means rejected or unavailable."""

        def bug() -> GatewayError:
            return GatewayRejected("the request could not be built: see the log", error_code="bug")

        try:
            return self._guarded(build, "cannot build a request", bug)
        except GatewayUncertain as error:
            failure = GatewayUnavailable(str(error.detail), error_code=error.error_code)
        raise failure

    def _after_call(self, parse: Callable[[Answer], T], answer: Answer) -> T:
        """Runs code after the call; the SMS may have been sent, so that a bug or a failure means uncertain."""

        def bug() -> GatewayError:
            return GatewayUncertain(f"the answer has an unknown shape (HTTP {answer.status})", error_code=UNREADABLE)

        try:
            return self._guarded(partial(parse, answer), "cannot read an answer", bug)
        except GatewayUnavailable as error:
            failure = GatewayUncertain(str(error.detail), error_code=error.error_code)
        raise failure

    def _guarded(self, work: Callable[[], T], what: str, failure: Callable[[], GatewayError]) -> T:
        """Calls `work`; logs an unexpected error without any values, and raises `failure()` instead."""
        try:
            return work()
        except GatewayError:
            raise
        except Exception as error:
            bug = describe(error)
        logger.error("%s %s: %s", type(self).__name__, what, bug)
        raise failure()

    def _cleaned(self, news: News) -> News:
        keys = self._keys()
        events = tuple(clean(event, keys) for event in news.events)
        return News(events=events, problems=loggable_problems(news.problems, keys))

    def _keys(self) -> list[str]:
        return [secret for secret in self.account.credentials.values() if len(secret) > 1]

    def _hosts(self) -> list[str]:
        """Where the account's requests go: not secret, and the first thing to know when a host cannot be reached."""
        urls = [self.account.base_url, *(self.option(option.name) for option in self.options if option.is_address)]
        return [host for url in urls if (host := host_of(url))]

    def call(self, request: requests.Request) -> Answer:
        """Sends one request; all network access of all gateways goes through here.

        Returns an answer with a 2xx status, or raises a GatewayError.
        """

        def broken() -> GatewayError:
            return GatewayUncertain("the call broke off: see the log", error_code="bug")

        answer = self._guarded(partial(self.transport.send, request, self.account), "cannot call its vendor", broken)
        if answer.status >= 500:
            raise GatewayUncertain(excerpt(answer), error_code=str(answer.status))
        if answer.status >= 300:
            raise self._refusal_by_status(answer)
        return answer

    def _refusal_by_status(self, answer: Answer) -> GatewayError:
        """The error for an answer with HTTP status 3xx or 4xx: the vendor's own, where its dialect can read it."""
        reason, own = HTTP_REASONS.get(answer.status, Reason.OTHER), None
        if answer.status >= 400:
            with suppress(GatewayError):
                own = self._guarded(partial(self.parse_refusal, answer), "cannot read a refusal", GatewayUncertain)
        if own is None:
            return GatewayRejected(excerpt(answer), reason=reason, error_code=str(answer.status))
        if isinstance(own, GatewayRejected) and own.reason == Reason.OTHER:
            own.reason = reason
        return own

    def _redacted(self, outcome: Outcome, sms: OutgoingSMS) -> Outcome:
        """The outcome without numbers, values and keys in its texts: vendors often repeat these in their answers."""
        remote_id = storable(as_text(outcome.remote_id), LONGEST_WORD)
        if isinstance(outcome, Acceptance):
            return replace(outcome, remote_id=remote_id, balance=amount_if_any(outcome.balance))
        secrets = [secret for secret in self._secrets(sms) if len(secret) > 1]
        # Cut after scrubbing: a secret that was cut in half would not be found.
        outcome.detail = storable(scrub(str(outcome.detail), secrets, self._hosts()), LONGEST_DETAIL)
        outcome.args = (outcome.detail,)
        # A short value such as "10" (minutes) may equal an error code: scrub long values only.
        code = scrub(as_text(outcome.error_code), [secret for secret in secrets if len(secret) > 3])
        outcome.error_code = storable(code, LONGEST_WORD)
        outcome.remote_id = remote_id
        if isinstance(outcome, GatewayRejected) and outcome.reason not in Reason.values:
            outcome.reason = Reason.OTHER
        return outcome

    def _secrets(self, sms: OutgoingSMS) -> Iterator[str]:
        yield from self.account.credentials.values()
        for phone, values in sms.recipients.items():
            yield from (phone, phone.removeprefix("+86"), *values.values())


def _http_transport() -> Transport:
    # Imported here: it needs requests, and a process that calls no vendor need not load that.
    from .transport import HTTPTransport

    return HTTPTransport()
