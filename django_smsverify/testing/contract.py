"""For authors of gateways: a transport that needs no network, and the tests that every gateway must pass.

class TestAcme(GatewayContract):
    gateway_class = AcmeGateway
    accepted = b'{"ok": true, "id": "42"}'
    refused = b'{"ok": false, "error": "no such template"}'
    pushed = (Push(content_type="application/json", headers={}, body=b'{"id": "42", "state": "ok"}'),)

Set `pushed` only if the vendor calls our webhook.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import requests

from django_smsverify.enums import Reason, Submission
from django_smsverify.exceptions import (
    ForgedCallback,
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    InvalidCallback,
)
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.linting import Level, lint_content, lint_signature, value_problem
from django_smsverify.types import Acceptance, Account, Answer, Draft, OutgoingSMS, Push, SentSMS

JUNK = (b"", b" ", b"\xff\xfe", b"<html>", b"[]", b"{}", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"of=no&use=1")
"""Bodies that no vendor sends to a webhook."""


class FakeTransport:
    """Returns prepared answers, each once, and stores what was sent in `requests`.

    An answer is the body of an HTTP 200, an Answer, or a GatewayError to raise.
    """

    def __init__(self, *answers: bytes | Answer | GatewayError) -> None:
        self.answers = deque(answers)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.Request, account: Account) -> Answer:
        """Stores the prepared request and returns or raises the next answer."""
        self.requests.append(request.prepare())
        answer = self.answers.popleft()
        if isinstance(answer, GatewayError):
            raise answer
        return Answer(200, answer) if isinstance(answer, bytes) else answer


class GatewayContract:
    """Inherit this in a pytest class, set the gateway and two of its vendor's answers, and run it."""

    gateway_class: ClassVar[type[Gateway]]
    accepted: ClassVar[bytes]
    """The vendor's answer when it accepts the SMS to `phone`."""
    refused: ClassVar[bytes | Answer]
    """The vendor's answer when it refuses it."""
    refusals: ClassVar[Mapping[Reason, bytes | Answer]] = {}
    """More refusals, by the reason that each must have; an Answer for those with an HTTP status of their own."""
    uncertain: ClassVar[tuple[bytes | Answer, ...]] = ()
    """The vendor's answers with which the SMS may have been sent."""
    pushed: ClassVar[tuple[Push, ...]] = ()
    """Calls of our webhook by the vendor; each must contain an event."""
    forged: ClassVar[tuple[Push, ...]] = ()
    """Calls that are not signed as the vendor signs them, if it does."""
    own_id: ClassVar[str] = "0198f3c55e7a7f3e9d1c6b2a40d8e715"
    sent_at: ClassVar[datetime] = datetime(2026, 11, 21, tzinfo=UTC)
    options: ClassVar[dict[str, str]] = {}
    content: ClassVar[str] = "您的验证码是{code}，5分钟内有效。"
    phone: ClassVar[str] = "+8613800138000"
    values: ClassVar[dict[str, str]] = {"code": "471102"}

    def gateway(self, transport: FakeTransport) -> Gateway:
        """Returns the gateway with made-up credentials and this transport."""
        kind = self.gateway_class
        credentials = {credential.name: f"SECRET-{credential.name}" for credential in kind.credentials}
        account = Account(base_url=kind.base_url, credentials=credentials, options=self.options)
        return kind(account, transport)

    def sms(self) -> OutgoingSMS:
        return OutgoingSMS(
            content=self.content,
            signature="示例站",
            signature_id="78",
            template_id="234",
            own_id=self.own_id,
            recipients={self.phone: self.values},
        )

    def send(self, *answers: bytes | Answer | GatewayError) -> Outcome:
        """Returns the outcome of one SMS after these answers of the vendor."""
        return self.gateway(FakeTransport(*answers)).send(self.sms())[self.phone]

    def send_with(self, method: str, error: Exception) -> Outcome:
        """Returns the outcome of an SMS when a method of the gateway raises this error."""

        def fail(*args: object) -> None:
            raise error

        gateway = self.gateway(FakeTransport(self.accepted))
        setattr(gateway, method, fail)
        return gateway.send(self.sms())[self.phone]

    def questions(self) -> list[requests.Request]:
        """Returns one request of each kind that the gateway supports."""
        gateway = self.gateway(FakeTransport())
        asked = [gateway.build_review(submission, "234") for submission in sorted(gateway.answers_review)]
        signature = Draft(submission=Submission.SIGNATURE, text="示例站", remark="网站登录")
        template = Draft(
            submission=Submission.TEMPLATE, text=self.content, name="名称", remark="网站登录", signature="示例站"
        )
        drafts = {draft.submission: draft for draft in (signature, template)}
        asked += [gateway.build_submit(drafts[submission]) for submission in sorted(gateway.submits)]
        asked += [gateway.build_resubmit(replace(drafts[f], remote_id="234")) for f in sorted(gateway.resubmits)]
        asked += [gateway.build_delete(submission, "234") for submission in sorted(gateway.deletes)]
        if gateway.answers_status:
            sent = SentSMS(remote_id="42", phone=self.phone, own_id=self.own_id, sent_at=self.sent_at)
            asked += [gateway.build_status(replace(sent, asked=times)) for times in range(3)]
            if gateway.finds_own_ids:
                asked.append(gateway.build_status(replace(sent, remote_id="")))
        if gateway.hands_out_reports:
            asked.append(gateway.build_reports())
        if gateway.answers_balance:
            asked.append(gateway.build_balance())
        if gateway.answers_question:
            asked.append(gateway.build_question())
        return asked

    def refuses(self, push: Push) -> bool:
        """Whether the gateway raises InvalidCallback for a push."""
        try:
            self.gateway(FakeTransport()).read_push(push)
        except InvalidCallback:
            return True
        return False

    def test_has_a_label_and_an_https_address(self) -> None:
        assert str(self.gateway_class.label)
        assert self.gateway_class.base_url.startswith("https://")

    def test_no_method_is_missing(self) -> None:
        missing = self.gateway_class.missing_methods()
        assert not missing, f"the class has no {', '.join(missing)}"

    def test_the_rules_allow_a_usual_text(self) -> None:
        rules = self.gateway_class.rules_for(self.options)
        found = lint_content(self.content, rules) + lint_signature("示例站", rules)
        assert [finding for finding in found if finding.level is Level.ERROR] == []
        assert [value_problem(rules, value) for value in self.values.values()] == [None] * len(self.values)

    def test_an_accepted_sms_has_its_id_as_text(self) -> None:
        outcome = self.send(self.accepted)
        assert isinstance(outcome, Acceptance), outcome
        assert isinstance(outcome.remote_id, str)

    def test_a_refused_sms_is_rejected_with_a_reason(self) -> None:
        outcome = self.send(self.refused)
        assert isinstance(outcome, GatewayRejected), outcome
        assert outcome.reason in Reason

    def test_each_refusal_has_its_reason(self) -> None:
        for reason, answer in self.refusals.items():
            outcome = self.send(answer)
            assert isinstance(outcome, GatewayRejected), outcome
            assert outcome.reason == reason, outcome.error_code

    def test_an_answer_that_leaves_it_open_is_uncertain(self) -> None:
        for answer in self.uncertain:
            assert isinstance(self.send(answer), GatewayUncertain), answer

    def test_one_request_for_one_sms(self) -> None:
        transport = FakeTransport(self.accepted)
        self.gateway(transport).send(self.sms())
        assert len(transport.requests) == 1

    def test_an_unreadable_answer_is_uncertain(self) -> None:
        for body in (b"", b"\xff\xfe", b"<html>", b"[]", b"{}", b"null", b"[" * 5000):
            assert isinstance(self.send(body), GatewayUncertain), body

    def test_a_server_error_is_uncertain(self) -> None:
        assert isinstance(self.send(Answer(500, self.accepted)), GatewayUncertain)

    def test_a_refusal_by_http_status_is_rejected(self) -> None:
        for status in (302, 400, 401, 403, 404, 429):
            assert isinstance(self.send(Answer(status, b"no")), GatewayRejected), status

    def test_a_network_error_keeps_its_class(self) -> None:
        assert isinstance(self.send(GatewayUnavailable("refused")), GatewayUnavailable)
        assert isinstance(self.send(GatewayUncertain("timeout")), GatewayUncertain)

    def test_an_unexpected_exception_becomes_an_outcome(self) -> None:
        for error in (ArithmeticError, AssertionError, OSError, RuntimeError, requests.ReadTimeout):
            assert isinstance(self.send_with("parse_send", error()), GatewayUncertain), error
            assert isinstance(self.send_with("transmit", error()), GatewayUncertain), error
            assert isinstance(self.send_with("build_send", error()), (GatewayRejected, GatewayUnavailable)), error

    def test_no_secret_is_shown(self) -> None:
        echo = f"{self.phone} {self.phone[3:]} {self.values.get('code', '')}".encode()
        shown = repr(self.gateway(FakeTransport()).account) + repr(self.sms()) + repr(self.send(Answer(400, echo)))
        for secret in ("SECRET-", self.phone, self.phone[3:], self.values.get("code", "SECRET-")):
            assert secret not in shown

    def test_each_push_has_an_event(self) -> None:
        assert bool(self.pushed) == self.gateway_class.pushes, "a gateway that pushes, and no other, has calls to show"
        for push in self.pushed:
            assert self.gateway(FakeTransport()).read_push(push).events, push.body

    def test_each_push_is_acknowledged(self) -> None:
        for push in self.pushed:
            words, content_type = self.gateway(FakeTransport()).acknowledge(push)
            assert isinstance(words, str)
            assert content_type.isprintable(), content_type
            assert "/" in content_type

    def test_a_forged_push_is_refused(self) -> None:
        for push in self.forged:
            try:
                self.gateway(FakeTransport()).read_push(push)
            except ForgedCallback:
                continue
            raise AssertionError(f"a forged push was read: {push.body!r}")

    def test_a_push_without_an_event_is_refused(self) -> None:
        for content_type in ("", "application/json", "application/x-www-form-urlencoded; charset=gbk"):
            for body in JUNK:
                assert self.refuses(Push(content_type=content_type, headers={}, body=body)), body[:20]

    def test_each_query_is_a_request(self) -> None:
        for question in self.questions():
            assert isinstance(question, requests.Request), question
            assert str(question.prepare().url).startswith("https://"), question.url
