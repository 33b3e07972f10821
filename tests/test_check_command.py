"""smsverify_check, as an operator runs it, over real HTTP: what it says, what it prints, and what it sends."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from sandbox import catalogue
from sandbox.server import Fault, Sandbox

from django_smsverify.diagnosis.findings import State
from django_smsverify.diagnosis.texts import TextExaminer, texts_of
from django_smsverify.enums import ReviewStatus
from django_smsverify.exceptions import (
    ContextMismatch,
    GatewayUnavailable,
)
from django_smsverify.gateways.recording import recording
from django_smsverify.gateways.transport import HTTPTransport
from django_smsverify.models import Message, Provider, Signature, Template, Verification
from django_smsverify.sending import circuits
from django_smsverify.types import Account, Answer
from django_smsverify.verifying import verify_code

from .conftest import CODE_TEXT, FEW_QUICKLY, PHONE, SECRETS, MakeProvider, add_template, code_in
from .gateways.support import GATEWAYS, Vendor

pytestmark = pytest.mark.django_db(transaction=True)

FINDING = re.compile(r"^\[(.+?)\] (.+?): (.*(?:\n    -> .*)?)$", re.MULTILINE)
ACME = {"GATEWAYS": {"acme": "tests.acme_sms.AcmeGateway"}}
WRONG_KEYS = {vendor: dict.fromkeys(own, "WRONG-KEY-OF-A-TEST") for vendor, own in catalogue.CREDENTIALS.items()}
NOT_PROVED = {"apispace", "aliyun_pnvs"}
"""It is not documented that their refusals of an empty send prove the keys."""


def right(vendor: MakeProvider, gateway: str, **fields: Any) -> Provider:
    """A provider of which everything is right, also the id of its signature: at Aliyun that is its text."""
    provider = vendor(gateway, **fields)
    if gateway == "aliyun":
        Signature.objects.filter(provider=provider).update(remote_id=catalogue.SIGNATURE)
    return provider


def assert_pasteable(text: str, *more: str) -> None:
    """No key of any vendor, and nothing of `more`."""
    for secret in (*SECRETS, *more):
        assert secret not in text, f"shows {secret}"


class Report:
    """What the command printed, and whether it failed."""

    def __init__(self, *arguments: str) -> None:
        out = io.StringIO()
        try:
            call_command("smsverify_check", *arguments, stdout=out)
            self.error = ""
        except CommandError as error:
            self.error = str(error)
        self.output = out.getvalue()
        found = FINDING.findall(self.output)
        self.states = {subject: state for state, subject, _ in found}
        self.words = {subject: words for _, subject, words in found}
        assert len(found) == len(self.states), "each subject once"

    @property
    def wrong(self) -> list[str]:
        return [subject for subject, state in self.states.items() if state == "wrong"]


@pytest.fixture(autouse=True)
def _sent_only_when_told(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[None]:
    yield
    if request.cls is not TestSend:
        assert sandbox.inbox.all() == ()
        assert not Message.objects.exists()


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_all_is_right(gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
    right(vendor, gateway)
    left = {name: sandbox.credits(name) for name in ("veesing", "ihuyi")}

    report = Report(gateway)

    assert report.error == ""
    expected = {
        "address": "ok",
        "clock": "ok",
        "keys": "not known" if gateway in NOT_PROVED else "ok",
        "signature 【示例站】": "ok",
        f"template {gateway} login": "ok",
        "webhook": "not known" if GATEWAYS[gateway].pushes else "ok",
        "routes": "ok",
    }
    assert report.states == expected
    assert {name: sandbox.credits(name) for name in left} == left
    assert "\n> " in report.output
    assert "\n< HTTP 200: {" in report.output


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_wrong_keys(gateway: str, vendor: MakeProvider) -> None:
    vendor(gateway, credentials=WRONG_KEYS[gateway])

    report = Report(gateway)

    assert report.wrong == ["keys"]
    assert report.error == "Something is wrong: keys"
    assert report.states["address"] == "ok"
    assert "The vendor refuses the account" in report.words["keys"]
    assert "Enter the keys again" in report.words["keys"]
    assert "WRONG-KEY" not in report.output
    asked = len(re.findall(r"^> (?:GET|POST) ", report.output, re.MULTILINE))
    assert asked == 1, "a vendor that refuses the keys is asked nothing more"


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_wrong_address(gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor(gateway, base_url=f"{sandbox.url}/elsewhere")

    report = Report(gateway)

    assert report.wrong == ["address"]
    assert report.words["address"].startswith("A web page answers (HTTP 404)")
    assert "Look at the base URL" in report.words["address"]
    assert report.states["keys"] == "not known"


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_dead_host(gateway: str, vendor: MakeProvider, closed_port: int) -> None:
    vendor(gateway, base_url=f"http://127.0.0.1:{closed_port}")

    report = Report(gateway)

    assert report.wrong == ["address"]
    assert "127.0.0.1 could not be reached (ConnectionError)" in report.words["address"]
    assert "nothing listens there" in report.words["address"]
    assert (report.states["clock"], report.states["keys"]) == ("not known", "not known")
    assert "< no answer" in report.output
    assert report.words["keys"] == "Without an answer nothing is known of them."


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_no_answer_in_time(gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor(gateway)
    sandbox.misbehave(gateway, Fault.hang(deliver=False))

    with override_settings(SMSVERIFY={"TIMEOUT": (1, 0.2, 0.3)}):
        report = Report(gateway)

    assert report.wrong == ["address"]
    assert "The connection stands, and no whole answer comes" in report.words["address"]
    assert report.states["keys"] == "not known"


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.status(500), "The server fails (HTTP 500)."),
        (Fault.status(502), "The server fails (HTTP 502)."),
        (Fault.status(200), "A web page answers (HTTP 200), not the vendor's interface."),
        (Fault.status(403), "A web page answers (HTTP 403), not the vendor's interface."),
        (Fault.garbage(), "The answer is not one that this vendor is known to give (HTTP 200)."),
        (Fault.empty(), "The answer is not one that this vendor is known to give (HTTP 200)."),
        (Fault.huge(), "the answer is larger than"),
    ],
)
def test_something_else_answers(gateway: str, fault: Fault, words: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor(gateway)
    sandbox.misbehave(gateway, fault)

    report = Report(gateway)

    assert report.wrong == ["address"]
    assert words in report.words["address"]
    assert report.states["keys"] == "not known"


@pytest.mark.parametrize(
    ("status", "content_type", "words"),
    [
        (302, "application/json", "The address leads elsewhere (HTTP 302)."),
        (404, "application/json", "There is no such interface at this address (HTTP 404)."),
        (405, "application/json", "There is no such interface at this address (HTTP 405)."),
        (200, "text/plain", "A web page answers (HTTP 200)"),
    ],
)
def test_an_answer_of_no_vendor(status: int, content_type: str, words: str, vendor: MakeProvider) -> None:
    body = "\n <!DOCTYPE html><p>Welcome" if status == 200 else '{"private": "page"}'
    with Vendor(body, ("Content-Type", content_type), status=status) as server:
        vendor("topthink", base_url=server.url)

        report = Report("topthink")

    assert report.wrong == ["address"]
    assert words in report.words["address"]
    assert "Welcome" not in report.output, "the page may be another system's: only its size is shown"


def answering(body: str, off: timedelta, status: int = 200) -> Vendor:
    """A vendor whose clock is off."""
    date = format_datetime(datetime.now(UTC) + off, usegmt=True)
    return Vendor(body, ("Content-Type", "application/json"), ("Date", date), status=status)


BALANCE = '{"returnStatus":"1","message":"成功","remainPoint":"241"}'


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (timedelta(minutes=-5), r"It is (299|300|301) seconds fast\."),
        (timedelta(hours=8), r"It is 28\d{3} seconds slow\."),
    ],
)
def test_a_clock_that_is_off(off: timedelta, words: str, vendor: MakeProvider) -> None:
    with answering(BALANCE, off) as server:
        vendor("veesing", base_url=server.url)

        report = Report("veesing")

    assert report.wrong == ["clock"]
    assert re.match(words, report.words["clock"])
    assert "Let NTP set it" in report.words["clock"]
    assert report.states["keys"] == "ok"


@pytest.mark.parametrize("off", [timedelta(), timedelta(seconds=90), timedelta(seconds=-90)])
def test_a_clock_that_differs_little(off: timedelta, vendor: MakeProvider) -> None:
    with answering(BALANCE, off) as server:
        vendor("veesing", base_url=server.url)

        assert Report("veesing").states["clock"] == "ok"


@pytest.mark.parametrize("date", ["", "tomorrow", "Fri, 27 Nov 2026"])
def test_an_answer_without_a_time(date: str, vendor: MakeProvider) -> None:
    with Vendor(BALANCE, ("Content-Type", "application/json"), ("Date", date)) as server:
        vendor("veesing", base_url=server.url)

        report = Report("veesing")

    assert report.states["clock"] == "not known"
    assert report.error == ""


def test_keys_that_are_refused_while_the_clock_is_off_are_not_judged(vendor: MakeProvider) -> None:
    refusal = '{"message":"HMAC signature cannot be verified, the x-date header is out of date"}'
    with answering(refusal, timedelta(minutes=-20), status=401) as server:
        vendor("qixuntong", base_url=server.url)

        report = Report("qixuntong")

    assert report.wrong == ["clock"]
    assert report.states["keys"] == "not known"
    assert "the x-date header is out of date" in report.words["keys"]
    assert "Correct the clock first." in report.words["keys"]


@pytest.mark.parametrize(
    ("gateway", "answer", "state"),
    [
        ("qixuntong", '{"status":"8"}', "ok"),
        ("qixuntong", '{"status":"2"}', "wrong"),
        ("apispace", '{"code":"002","errorMsg":"x"}', "wrong"),
        ("apispace", '{"code":"0","msgId":"","errorMsg":""}', "ok"),
        ("apispace", '{"code":"130","errorMsg":"x"}', "not known"),
        ("topthink", '{"code":10005,"message":"x","data":null}', "not known"),
        ("ihuyi", '{"code":405,"msg":"x"}', "wrong"),
        ("ihuyi", '{"code":4070,"msg":"x"}', "ok"),
        ("ihuyi", '{"code":408,"msg":"x"}', "not known"),
    ],
)
def test_what_an_answer_says_of_the_keys(gateway: str, answer: str, state: str, vendor: MakeProvider) -> None:
    with Vendor(answer, ("Content-Type", "application/json")) as server:
        vendor(gateway, base_url=server.url)
        Template.objects.update(remote_id="")
        Signature.objects.update(remote_id="")

        assert Report(gateway).states["keys"] == state


class TestTexts:
    TEMPLATE = "template topthink login"

    @pytest.fixture
    def topthink(self, vendor: MakeProvider) -> Provider:
        return vendor("topthink")

    def test_a_template_in_review(self, topthink: Provider) -> None:
        Template.objects.update(remote_id="238", content="动态码{code}，请勿转发。", status=ReviewStatus.PENDING)

        report = Report("topthink")

        assert report.states[self.TEMPLATE] == "not known"
        assert report.words[self.TEMPLATE] == "The vendor says: in review."
        assert report.wrong == ["routes"]
        assert "No template can be used." in report.words["routes"]

    def test_a_template_that_is_approved_here_and_in_review_there(self, topthink: Provider) -> None:
        Template.objects.update(remote_id="238", content="动态码{code}，请勿转发。")

        report = Report("topthink")

        assert report.states[self.TEMPLATE] == "not known"
        assert "Stored here: approved. Fetch it" in report.words[self.TEMPLATE]

    def test_a_template_that_the_vendor_rejects(self, topthink: Provider, sandbox: Sandbox) -> None:
        sandbox.judge("topthink", "template", "234", approved=False, reason=f"见 {PHONE}")

        report = Report("topthink")

        assert report.wrong == [self.TEMPLATE]
        assert "The vendor says: rejected. 见 +138****8000" in report.words[self.TEMPLATE]
        assert Template.objects.get().status == ReviewStatus.APPROVED, "a check changes nothing"

    def test_a_template_that_is_approved_there_and_a_draft_here(self, topthink: Provider) -> None:
        Template.objects.update(status=ReviewStatus.DRAFT)

        report = Report("topthink")

        assert report.states[self.TEMPLATE] == "not known"
        assert "The vendor says: approved.\n    -> Stored here: draft." in report.words[self.TEMPLATE]

    def test_a_template_with_another_text(self, topthink: Provider) -> None:
        Template.objects.update(content="您的验证码为{code}，{minutes}分钟内有效。")

        report = Report("topthink")

        assert report.wrong == [self.TEMPLATE]
        assert f"The vendor has another text: {CODE_TEXT}" in report.words[self.TEMPLATE]

    def test_an_id_that_the_vendor_does_not_know(self, topthink: Provider) -> None:
        Template.objects.update(remote_id="999")

        report = Report("topthink")

        assert report.wrong == [self.TEMPLATE]
        assert "The vendor says of the id 999: 10005 记录不存在" in report.words[self.TEMPLATE]

    def test_stored_states_where_the_vendor_cannot_be_asked(self, vendor: MakeProvider) -> None:
        provider = vendor("ihuyi")
        add_template(provider, "pay", CODE_TEXT, "", status=ReviewStatus.REJECTED, reason=f"含号码 {PHONE}")
        add_template(provider, "old", CODE_TEXT, "", status=ReviewStatus.REJECTED, is_active=False)

        report = Report("ihuyi")

        assert report.wrong == ["template ihuyi pay"]
        assert report.words["template ihuyi pay"] == "As stored here: rejected. 含号码 +138****8000"
        assert "template ihuyi old" not in report.states

    def test_the_vendor_is_asked_about_ten_texts_at_most(self, topthink: Provider) -> None:
        for number in range(12):
            add_template(topthink, f"p{number}", CODE_TEXT, "234")

        report = Report("topthink")

        assert report.output.count("/sms/query_template") == 9
        assert report.output.count("As stored here: approved.") == 4

    def test_a_vendor_that_falls_silent_is_asked_no_more(self, topthink: Provider, sandbox: Sandbox) -> None:
        add_template(topthink, "pay", CODE_TEXT, "234")
        sandbox.misbehave("topthink", Fault.status(500))

        with recording() as recorded:
            found = list(TextExaminer(topthink.gateway_client(), may_ask=True).findings(texts_of(topthink)))

        assert len(recorded) == 1
        assert [finding.state for finding in found] == [State.UNKNOWN, State.OK, State.OK]

    def test_an_inactive_provider(self, topthink: Provider) -> None:
        Provider.objects.update(is_active=False)

        report = Report("topthink")

        assert report.wrong == ["routes"]
        assert "The provider is not active." in report.words["routes"]

    def test_only_texts_without_a_code(self, topthink: Provider) -> None:
        Template.objects.update(content=catalogue.PLAIN_TEXT, remote_id="237")

        report = Report("topthink")

        assert report.states["routes"] == "not known"
        assert "No template with {code} can be used" in report.words["routes"]


class TestMistakesOfTheSite:
    def test_an_unknown_provider(self, vendor: MakeProvider) -> None:
        vendor("topthink")
        vendor("veesing")

        report = Report("tophink")

        assert report.error == "There is no provider tophink; there are: topthink, veesing."
        assert report.output == ""

    def test_no_provider_at_all(self, db: None) -> None:
        assert Report("topthink").error == "There is no provider topthink; there are: none."

    @pytest.mark.parametrize("gateway", FEW_QUICKLY)
    def test_missing_credentials(self, gateway: str, vendor: MakeProvider) -> None:
        vendor(gateway, credentials={})

        report = Report(gateway)

        assert report.wrong == ["keys"]
        first = GATEWAYS[gateway].credentials[0].name
        assert report.words["keys"].startswith(f"The provider has no {first}")
        assert "\n> " not in report.output

    def test_a_missing_option(self, vendor: MakeProvider) -> None:
        vendor("twilio", options={"from": ""})

        report = Report("twilio")

        assert report.wrong == ["keys"]
        assert report.words["keys"].startswith("The provider has no from or messaging_service_sid.")

    def test_credentials_that_cannot_be_decrypted(self, vendor: MakeProvider) -> None:
        vendor("topthink")

        with override_settings(SECRET_KEY="another-secret-key-of-the-suite-0123456789"):
            report = Report("topthink")

        assert report.wrong == ["keys"]
        assert "enter the credentials again" in report.words["keys"]

    def test_a_gateway_that_is_gone(self, vendor: MakeProvider) -> None:
        vendor("topthink")
        Provider.objects.update(gateway="gone")

        report = Report("topthink")

        assert report.wrong == ["gateway"]
        assert 'There is no gateway "gone".' in report.words["gateway"]

    def test_a_gateway_for_development(self, memory: MakeProvider) -> None:
        memory()

        report = Report("memory")

        assert report.error == ""
        assert report.states == {"vendor": "ok", "webhook": "ok", "routes": "ok"}

    @override_settings(SMSVERIFY=ACME)
    def test_a_gateway_without_a_harmless_question_is_not_asked(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = Provider.objects.create(name="acme", slug="acme", gateway="acme", credentials={"key": "K"})
        add_template(provider, "login", CODE_TEXT, "")

        report = Report("acme")

        assert report.states["vendor"] == "not known"
        assert "    $ python manage.py smsverify_check acme --send PHONE" in report.output.splitlines()
        assert report.states["template acme login"] == "ok"
        assert "\n> " not in report.output

    def test_a_purpose_without_a_number(self, vendor: MakeProvider) -> None:
        vendor("topthink")

        assert Report("topthink", "--purpose", "login").error == "--purpose goes with --send."


class TestSend:
    @pytest.mark.parametrize("gateway", FEW_QUICKLY)
    def test_a_real_sms(self, gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
        right(vendor, gateway)

        report = Report(gateway, "--send", "138 0013 8000")

        assert report.error == ""
        assert report.states["SMS 138****8000"] == "ok"
        (sms,) = sandbox.inbox.all()
        message = Message.objects.get()
        assert (sms.phone, message.phone) == (PHONE[3:], PHONE)
        assert (message.provider.slug, message.purpose, message.attempt) == (gateway, "login", 1)
        assert message.remote_id == sms.remote_id
        code = code_in(sms.text)
        assert code == Verification.objects.get().derive_code()
        assert len(re.findall(r"^> (?:GET|POST) ", report.output, re.MULTILINE)) >= 2
        assert_pasteable(report.output, code, PHONE, PHONE[3:], "0013 8000")

    @pytest.mark.parametrize("gateway", FEW_QUICKLY)
    def test_a_refused_sms(self, gateway: str, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor(gateway, credentials=WRONG_KEYS[gateway])

        report = Report(gateway, "--send", PHONE)

        assert report.wrong == ["keys", "SMS 138****8000"]
        assert "not sent" in report.words["SMS 138****8000"]
        assert sandbox.inbox.all() == ()

    def test_an_unknown_outcome(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing")
        sandbox.misbehave("veesing", Fault.deliver_then_status(500))

        report = Report("veesing", "--send", PHONE)

        assert report.wrong == ["address", "SMS 138****8000"]
        assert report.words["SMS 138****8000"].startswith("unknown 500")

    def test_no_other_provider_is_tried(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("topthink", priority=1)
        vendor("veesing", priority=2, credentials=WRONG_KEYS["veesing"])

        report = Report("veesing", "--send", PHONE)

        assert "SMS 138****8000" in report.wrong
        assert Message.objects.get().provider.slug == "veesing"
        assert sandbox.inbox.all() == ()
        assert Verification.objects.get().expires_at <= timezone.now(), "a code that was never sent is ended"

    @override_settings(SMSVERIFY={"GLOBAL_LIMITS": ["1/h"]})
    def test_a_refused_sms_uses_up_no_limit(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing", credentials=WRONG_KEYS["veesing"])
        assert "SMS 138****8000" in Report("veesing", "--send", PHONE).wrong
        vendor("topthink")

        assert Report("topthink", "--send", PHONE).error == ""
        assert Report("topthink", "--send", "13900139000").error.endswith("(throttled)")

    def test_an_open_circuit_is_no_hindrance(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("topthink", priority=1)
        provider = vendor("veesing", priority=2)
        for _ in range(6):
            circuits.note(provider, [GatewayUnavailable("refused")])
        assert circuits.open_circuits([provider.pk])

        assert Report("veesing", "--send", PHONE).error == ""

        assert [sms.vendor for sms in sandbox.inbox.all()] == ["veesing"]
        assert not circuits.open_circuits([provider.pk]), "the success has closed it"

    @override_settings(SMSVERIFY={"DISPATCH": "celery"})
    def test_the_command_itself_sends_where_workers_send_otherwise(
        self, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("veesing")

        assert Report("veesing", "--send", PHONE).error == ""

        assert len(sandbox.inbox.all()) == 1

    def test_the_limits_of_the_number_hold(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing")
        vendor("topthink")
        assert Report("veesing", "--send", PHONE).error == ""

        report = Report("topthink", "--send", PHONE)

        assert re.fullmatch(r"No SMS: Too many requests\. .* \d+ seconds?\. \(throttled\)", report.error)
        assert len(sandbox.inbox.all()) == 1

    def test_a_row_is_committed_before_the_vendor_is_called(
        self, vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vendor("veesing")
        found: list[tuple[str, bool]] = []

        def send(self: HTTPTransport, request: requests.Request, account: Account) -> Answer:
            found.extend((message.status, connection.in_atomic_block) for message in Message.objects.all())
            raise GatewayUnavailable("stopped by the test")

        monkeypatch.setattr(HTTPTransport, "send", send)

        Report("veesing", "--send", PHONE)

        assert found == [("sending", False)]

    def test_a_purpose(self, vendor: MakeProvider) -> None:
        vendor("topthink", "login", "pay")

        assert Report("topthink", "--send", PHONE, "--purpose", "pay").error == ""

        assert Message.objects.get().purpose == "pay"

    @pytest.mark.parametrize(
        ("phone", "error"),
        [("hello", "(invalid)"), ("010-62781234", "(phone_not_supported)"), ("+85261234567", "(phone_not_supported)")],
    )
    def test_a_number_that_cannot_be_sent_to(self, phone: str, error: str, vendor: MakeProvider) -> None:
        vendor("topthink")

        report = Report("topthink", "--send", phone)

        assert report.error.startswith("No SMS: ")
        assert report.error.endswith(error)
        assert not Message.objects.exists()

    @override_settings(SMSVERIFY={"REGIONS": ["CN", "HK"]})
    def test_a_number_that_the_provider_does_not_serve(self, vendor: MakeProvider) -> None:
        vendor("topthink")

        assert Report("topthink", "--send", "+85261234567").error.endswith("(phone_not_supported)")

    def test_no_usable_template(self, vendor: MakeProvider) -> None:
        vendor("topthink", "login", "pay")

        unknown = Report("topthink", "--send", PHONE, "--purpose", "register")
        Template.objects.update(status=ReviewStatus.PENDING)
        none = Report("topthink", "--send", PHONE)

        words = "No template of topthink can send a code for register; purposes that it can serve: login, pay."
        assert unknown.error == words
        assert none.error == "No template of topthink can send a code; purposes that it can serve: none."

    def test_the_code_opens_nothing_on_the_site(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("veesing")
        Report("veesing", "--send", PHONE)

        with pytest.raises(ContextMismatch):
            verify_code(Verification.objects.get().pk, code_in(sandbox.inbox.all()[0].text))
