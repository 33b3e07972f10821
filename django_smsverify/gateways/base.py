"""What every gateway does: one way to the network, and what comes back freed of secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TypeVar

import requests

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
)

from .dialect import PACE as PACE
from .dialect import PROXY as PROXY
from .dialect import Dialect
from .dialect import Outcome as Outcome
from .parsing import SHAPE_ERRORS, amount, amount_if_any, as_text, excerpt, ordered_values
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
from .transport import HTTPTransport, Transport

T = TypeVar("T")
logger = logging.getLogger("django_smsverify")

HTTP_REASONS = {401: Reason.ACCOUNT, 402: Reason.ACCOUNT, 403: Reason.ACCOUNT, 429: Reason.RATE}


class Gateway(Dialect):
    """A dialect that is spoken: how a call goes, whoever the vendor is."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        """One call to the vendor; overridden by a gateway that speaks no HTTP.

        What it raises and is no GatewayError leaves the outcome uncertain.
        """
        answer = self.call(self._built(lambda: self.build_send(sms)))
        return self._parsed(lambda: self.parse_send(answer, sms), answer)

    # ------------------------------------------------------------------ for nobody to override below

    def __init__(self, account: Account, transport: Transport | None = None) -> None:
        self.account = account
        self.transport = transport or HTTPTransport()

    def send(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """Hands one text over and returns what became of each number; raises nothing."""
        found = self._refused(sms)
        rest = PerNumber((phone, values) for phone, values in sms.recipients.items() if phone not in found)
        answered = self._delivered(replace(sms, recipients=rest)) if rest else PerNumber[Outcome]()
        unnamed = GatewayUncertain("the vendor's answer does not name this number")
        for phone in rest:
            outcome = answered.get(phone)
            found[phone] = outcome if isinstance(outcome, Outcome) else unnamed
        # Each once: hundreds of numbers may share one, and to free it of secrets takes a while.
        freed = {key: self._told(outcome, sms) for key, outcome in {id(one): one for one in found.values()}.items()}
        return PerNumber((phone, freed[id(found[phone])]) for phone in sms.recipients)

    def _delivered(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """What became of each number; a bug in `transmit` leaves that uncertain, as the SMS may have left."""
        failure = GatewayUncertain("the gateway failed while it was sending: see the log", error_code="bug")
        try:
            return self._guarded(lambda: PerNumber(self.transmit(sms)), "fails while it is sending", failure)
        except GatewayError as error:
            return PerNumber(dict.fromkeys(sms.recipients, error))

    def require_sendable(self, sms: OutgoingSMS, phone: str) -> None:
        """Raises GatewayRejected for a number, or for values, that the vendor could only refuse."""
        self._built(partial(self.check_recipient, sms, phone))
        rules = self.rules_for(self.account.options)
        problems = filter(
            None, (value_problem(rules, value) for value in self._built(partial(ordered_values, sms, phone)))
        )
        if why := next(problems, None):
            raise GatewayRejected(why, reason=Reason.CONTENT, error_code="value")

    def _refused(self, sms: OutgoingSMS) -> PerNumber[Outcome]:
        """The numbers that the vendor need not be asked about, and why; each by itself."""
        refused = PerNumber[Outcome]()
        for phone in sms.recipients:
            try:
                self.require_sendable(sms, phone)
            except GatewayError as error:
                refused[phone] = error
        return refused

    def read_push(self, push: Push) -> News:
        """What one call of our webhook says, fit to be stored; raises InvalidCallback when that is nothing."""
        try:
            news = self._cleaned(self.parse_push(push))
        except SHAPE_ERRORS as error:
            failure = InvalidCallback(loggable(f"{type(error).__name__}: {error}", self._keys()))
        else:
            if news.events or not news.problems:
                return news
            failure = InvalidCallback("; ".join(news.problems))
        raise failure

    def ask_status(self, remote_id: str, phone: str) -> DeliveryEvent | None:
        """What became of a message, None while it is under way; raises a GatewayError."""

        def read(answer: Answer) -> DeliveryEvent | None:
            event = self.parse_status(answer, remote_id, phone)
            if event is not None and (event.remote_id, event.phone) != (remote_id, phone):
                raise GatewayUncertain("the answer is about another message")
            return event and clean_delivery(event, self._keys())

        return self._asked(lambda: self.build_status(remote_id, phone), read)

    def pull_reports(self) -> Answer:
        """The next delivery reports, which the vendor forgets now: keep the answer. Raises a GatewayError."""
        return self._asked(self.build_reports, lambda answer: answer)

    def read_reports(self, answer: Answer) -> News:
        """What pulled reports say; raises a GatewayError when they are none."""
        return self._read(lambda: self._cleaned(self._parsed(lambda: self.parse_reports(answer), answer)))

    def ask_review(self, submission: Submission, remote_id: str) -> ReviewEvent:
        """How a review stands; raises a GatewayError."""

        def read(answer: Answer) -> ReviewEvent:
            event = self.parse_review(answer, submission, remote_id)
            if (event.submission, event.remote_id) != (submission, remote_id):
                raise GatewayUncertain("the answer is about another text")
            return clean_review(event, self._keys())

        return self._asked(lambda: self.build_review(submission, remote_id), read)

    def submit(self, draft: Draft) -> str:
        """Files it and returns the vendor's id for it; raises a GatewayError."""

        def read(answer: Answer) -> str:
            remote_id = storable(self.parse_submit(answer, draft), LONGEST_WORD)
            if not remote_id:
                raise GatewayUncertain("the vendor took it and gave no id")
            return remote_id

        return self._asked(lambda: self.build_submit(draft), read)

    def resubmit(self, draft: Draft) -> None:
        """Files it again as it is now; raises a GatewayError."""
        self._asked(lambda: self.build_resubmit(draft), lambda answer: self.parse_resubmit(answer, draft))

    def delete(self, submission: Submission, remote_id: str) -> None:
        """Deletes it at the vendor; raises a GatewayError."""
        self._asked(
            lambda: self.build_delete(submission, remote_id),
            lambda answer: self.parse_delete(answer, submission, remote_id),
        )

    def ask_balance(self) -> Decimal:
        """What is left on the account, in `balance_unit`; raises a GatewayError."""
        return self._asked(self.build_balance, lambda answer: amount(self.parse_balance(answer)))

    def _asked(self, build: Callable[[], requests.Request], read: Callable[[Answer], T]) -> T:
        def ask() -> T:
            answer = self.call(self._built(build))
            return self._parsed(lambda: read(answer), answer)

        return self._read(ask)

    def _read(self, read: Callable[[], T]) -> T:
        """What it returns, or its GatewayError with words that may stand in a log."""
        try:
            return read()
        except GatewayError as error:
            failure = error
        failure.detail = loggable(str(failure.detail), self._keys())
        failure.args = (failure.detail,)
        failure.error_code = loggable(failure.error_code, self._keys(), LONGEST_WORD, digits=7)
        raise failure

    def _built(self, build: Callable[[], T]) -> T:
        """What was made before the call; whatever goes wrong here, nothing has been sent."""
        bug = GatewayRejected("the request could not be built: see the log", error_code="bug")
        try:
            return self._guarded(build, "cannot build a request", bug)
        except GatewayUncertain as error:
            failure = GatewayUnavailable(str(error.detail), error_code=error.error_code)
        raise failure

    def _parsed(self, parse: Callable[[], T], answer: Answer) -> T:
        """What was made of the answer; whatever goes wrong here, the SMS may have been sent."""
        bug = GatewayUncertain(f"the answer has an unknown shape (HTTP {answer.status})")
        try:
            return self._guarded(parse, "cannot read an answer", bug)
        except GatewayUnavailable as error:
            failure = GatewayUncertain(str(error.detail), error_code=error.error_code)
        raise failure

    def _guarded(self, work: Callable[[], T], what: str, failure: GatewayError) -> T:
        """What `work` returns; an error that nobody foresaw is logged without any value, and raised as `failure`."""
        try:
            return work()
        except GatewayError:
            raise
        except Exception as error:
            bug = describe(error)
        logger.error("%s %s: %s", type(self).__name__, what, bug)
        raise failure

    def _cleaned(self, news: News) -> News:
        keys = self._keys()
        events = tuple(clean(event, keys) for event in news.events)
        return News(events=events, problems=loggable_problems(news.problems, keys))

    def _keys(self) -> list[str]:
        return [secret for secret in self.account.credentials.values() if len(secret) > 1]

    def call(self, request: requests.Request) -> Answer:
        """All I/O of all gateways: one request, one answer with a 2xx status, or a GatewayError."""
        broken = GatewayUncertain("the call broke off: see the log", error_code="bug")
        answer = self._guarded(partial(self.transport.send, request, self.account), "cannot call its vendor", broken)
        if answer.status >= 500:
            raise GatewayUncertain(excerpt(answer), error_code=str(answer.status))
        if answer.status >= 300:
            reason = HTTP_REASONS.get(answer.status, Reason.OTHER)
            raise GatewayRejected(excerpt(answer), reason=reason, error_code=str(answer.status))
        return answer

    def _told(self, outcome: Outcome, sms: OutgoingSMS) -> Outcome:
        """The outcome with the vendor's words freed of numbers, values and keys, which vendors like to repeat."""
        remote_id = storable(as_text(outcome.remote_id), LONGEST_WORD)
        if isinstance(outcome, Acceptance):
            return replace(outcome, remote_id=remote_id, balance=amount_if_any(outcome.balance))
        secrets = [secret for secret in self._secrets(sms) if len(secret) > 1]
        # Cut last: half a code would not be found.
        outcome.detail = storable(scrub(str(outcome.detail), secrets), LONGEST_DETAIL)
        outcome.args = (outcome.detail,)
        # Codes are short, and so are some values: "10" is a reason more often than it is ten minutes.
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
