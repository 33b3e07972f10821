"""What a person does with the widget in a browser; with REQUIRE_BROWSER, a missing browser is a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from django.utils import timezone

from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import GatewayRejected, GatewayUnavailable
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Verification
from tests.conftest import PHONE, last_code, wrong

from .conftest import ENTER, Widget

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.widget.urls")]

NUMBER = PHONE[3:]
OTHER = "13900139000"
AGAIN = re.compile(r"Again in (60|5\d) s")
WORKS = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


@contextmanager
def offline(widget: Widget) -> Iterator[None]:
    widget.cdp("Network.enable")
    widget.cdp("Network.emulateNetworkConditions", **{**WORKS, "offline": True})
    try:
        yield
    finally:
        widget.cdp("Network.emulateNetworkConditions", **WORKS)


def codes(widget: Widget) -> list[str]:
    """The codes of the refusals that the page was told of."""
    return [refusal["code"] for refusal in widget.heard("failed")]


def stored(widget: Widget, storage: str) -> str:
    return str(widget.run(f"return JSON.stringify(Object.entries({storage}))"))


class TestFlow:
    def test_a_verified_number_is_posted_with_the_form(self, widget: Widget) -> None:
        widget.open()
        assert not widget.run("return element.form.checkValidity()")
        widget.send("１３８ 0013-8000")
        assert widget.focused() == "code"
        assert widget.text("status") == "A code was sent to 138****8000."
        widget.type("code", last_code())
        widget.until_verified()
        assert widget.text("verified") == "138****8000 is verified"
        assert widget.focused() == "verified"
        ((sent,), (verified,)) = widget.heard("sent"), widget.heard("verified")
        assert (sent["phone"], sent["resend_in"]) == ("138****8000", 60)
        assert verified["proof"] == widget.run("return element.proof")
        widget.driver.find_element("css selector", "form > button").click()
        widget.until(lambda: widget.driver.title == "Posted")
        assert widget.driver.find_element("css selector", "p").text == str(len(verified["proof"]))
        widget.driver.back()
        widget.until(lambda: widget.is_shown("number"))
        assert '\\"proof\\"' not in stored(widget, "sessionStorage")

    def test_the_keyboard_alone_is_enough_and_the_form_goes_by_itself(self, widget: Widget) -> None:
        widget.open("autosubmit")
        widget.part("number").send_keys(NUMBER, ENTER)
        widget.until(lambda: widget.focused() == "code")
        code = last_code()
        widget.part("code").send_keys(code[:-1], ENTER)
        widget.until_error("Enter the 6 digits of the code.")
        widget.part("code").send_keys(code[-1])
        widget.until(lambda: widget.driver.title == "Posted")

    def test_all_survives_a_reload_but_the_code(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        code = last_code()
        widget.type("code", code[:5])
        assert code[:5] not in stored(widget, "sessionStorage")
        Message.objects.update(status=MessageStatus.DELIVERED)
        widget.driver.refresh()
        widget.until(lambda: widget.is_shown("code"))
        assert widget.part("number").get_property("value") == NUMBER
        assert AGAIN.fullmatch(widget.text("send"))
        widget.until(lambda: widget.text("status") == "The SMS was delivered to 138****8000.")
        widget.type("code", code)
        widget.until_verified()
        widget.driver.refresh()
        widget.until_verified()
        assert widget.run("return element.form.checkValidity()")
        assert code not in stored(widget, "sessionStorage") + stored(widget, "localStorage")

    def test_another_number_and_the_reset_of_the_form_begin_anew(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        widget.type("code", last_code())
        widget.until_verified()
        widget.part("other").click()
        widget.until(lambda: widget.focused() == "number")
        assert widget.part("number").get_property("value") == ""
        widget.send(OTHER)
        widget.part("number").send_keys("1")
        widget.until(lambda: not widget.is_shown("code"))
        widget.run("element.form.reset()")
        assert widget.part("number").get_property("value") == ""
        widget.run("element.disabled = true")
        assert not widget.part("send").is_enabled()

    @override_settings(SMSVERIFY={"RESEND_INTERVAL": 1})
    def test_the_same_code_is_sent_again_after_the_pause(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        widget.until(lambda: widget.text("send") == "Send again")
        widget.part("send").click()
        widget.until(lambda: len(MemoryGateway.outbox) == 2)
        widget.until(lambda: len(widget.heard("sent")) == 2)
        first, second = widget.heard("sent")
        assert first["verification_id"] == second["verification_id"]

    def test_a_code_is_bound_to_its_context(self, widget: Widget) -> None:
        widget.open("context=%7B%22payee%22%3A%22A%22%7D")
        widget.send(NUMBER)
        widget.run("element.context = {payee: 'B'}")
        assert not widget.is_shown("code")
        widget.run("element.context = {payee: 'A'}")
        assert widget.is_shown("code")
        widget.type("code", last_code())
        widget.until_verified()
        widget.run("element.context = {payee: 'B'}")
        assert not widget.run("return element.proof")

    def test_what_is_kept_is_of_one_given_number(self, widget: Widget) -> None:
        """An account that logs in after another one sees nothing of it."""
        widget.open()
        widget.run("element.phone = arguments[0]", NUMBER)
        assert widget.part("number").get_property("value") == NUMBER
        widget.part("send").click()
        widget.until(lambda: widget.is_shown("code"))
        widget.run("element.phone = '13900139000'")
        assert widget.part("number").get_property("value") == "13900139000"
        assert not widget.is_shown("code")

    @override_settings(SMSVERIFY={"REGIONS": ("CN", "HK", "GB")})
    def test_a_number_of_another_region(self, widget: Widget) -> None:
        widget.open("lang=zh-hans")
        assert widget.part("region").text.split("\n") == ["+86 中国", "+852 中国香港", "+44 英国"]
        widget.run("part('region').value = 'GB'")
        widget.send("07400 123456")
        assert widget.text("status") == "验证码已发送至 +44****3456。"
        assert Verification.objects.get().phone == "+447400123456"

    def test_a_remembered_browser_needs_no_captcha(self, widget: Widget) -> None:
        widget.open("remember")
        widget.send(NUMBER)
        widget.type("code", last_code())
        widget.until_verified()
        assert NUMBER in stored(widget, "localStorage")
        widget.driver.execute_script("sessionStorage.clear()")
        Message.objects.update(created_at=timezone.now() - timedelta(hours=2))
        with override_settings(SMSVERIFY={"CAPTCHA": "image", "CAPTCHA_WHEN": "always", "RESEND_INTERVAL": 0}):
            widget.open("remember")
            widget.send(f"+86 {NUMBER}")
        assert not widget.is_shown("letters")


PASTES = {
    "123 456": "123456",
    "123-456": "123456",
    "G-123456": "123456",
    "１２３４５６": "123456",
    "123\u200b456": "123456",
    "【示例站】您的验证码是123456，5分钟内有效。如非本人操作请致电 4008001234。": "123456",
    "【示例站】123456（登录验证码），10分钟内有效，订单 20261129。": "123456",
    "订单888888的验证码为：123456": "123456",
    "Your Example code is 123-456. It is valid for 10 minutes. Call +8613800138000.": "123456",
    "123456 is your code. Call 400800 for help.": "123456",
    "没有数字的短信，请于 2026-11-29 致电 13800138000 或 4008001234": "",
}


def test_a_code_is_pasted_as_people_and_phones_copy_it(widget: Widget) -> None:
    widget.open()
    widget.send(NUMBER)
    widget.run("window.fetch = () => new Promise(() => {})")
    found = {}
    for text in PASTES:
        widget.paste(text)
        found[text] = widget.part("code").get_property("value")
    assert found == PASTES


class TestEnds:
    def test_a_wrong_code_and_then_none_left(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        code = last_code()
        for left in ("4 attempts", "3 attempts", "2 attempts", "1 attempt"):
            widget.type("code", wrong(code))
            widget.until_error(f"{left} left.")
            assert widget.part("code").get_attribute("aria-invalid") == "true"
        widget.type("code", wrong(code))
        widget.until_error("Wrong code. 0 attempts left. Ask for a new code.")
        assert not widget.is_shown("code")
        assert widget.focused() == "send"
        assert codes(widget) == ["wrong_code"] * 5

    def test_one_guess_at_a_time_and_none_with_the_same_code(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        widget.run(
            "window.guesses = 0; const real = fetch; window.fetch = (url, options) => {"
            "  guesses += url.endsWith('/verify/'); return real(url, options); }"
        )
        widget.part("code").send_keys(wrong(last_code()), ENTER, ENTER)
        widget.until_error("4 attempts left.")
        widget.part("code").send_keys(ENTER)
        widget.part("verify").click()
        assert widget.run("return guesses") == 1

    def test_a_code_that_expired_on_the_server(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        Verification.objects.update(expires_at=timezone.now())
        widget.type("code", last_code())
        widget.until_error("expired. Ask for a new")
        assert not widget.is_shown("code")
        assert widget.text("send").startswith("Send") or widget.text("send").startswith("Again")

    def test_a_code_expires_while_the_page_is_looked_at(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        Verification.objects.update(expires_at=timezone.now() + timedelta(seconds=3))
        widget.until_error("This has expired. Ask for a new code.")
        assert codes(widget) == ["expired"]
        assert widget.focused() == "send"

    @override_settings(SMSVERIFY={"PROOF_LIFETIME": 1})
    def test_a_proof_expires(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        widget.type("code", last_code())
        widget.until(lambda: widget.heard("verified"))
        widget.until_error("This has expired.")
        assert not widget.run("return element.form.checkValidity()")

    def test_a_code_that_was_used_elsewhere(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        Verification.objects.update(verified_at=timezone.now())
        widget.type("code", last_code())
        widget.until_error("This code has been used. Ask for a new one.")
        assert not widget.is_shown("code")

    def test_whoever_must_wait_sees_the_seconds_after_a_reload_too(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        widget.run("element.reset()")
        widget.type("number", NUMBER)
        widget.part("send").click()
        widget.until_error("Too many requests.")
        assert AGAIN.fullmatch(widget.text("send"))
        widget.driver.refresh()
        widget.until(lambda: AGAIN.fullmatch(widget.text("send")))
        assert len(MemoryGateway.outbox) == 1

    def test_a_number_that_cannot_be_served(self, widget: Widget) -> None:
        widget.open()
        widget.part("send").click()
        widget.until_error("Enter your mobile number.")
        for number, words in (("123", "This is not a phone number."), ("+85291234567", "SMS cannot be sent")):
            widget.type("number", number)
            widget.part("send").click()
            widget.until_error(words)
            assert widget.focused() == "number"
            assert widget.part("number").get_attribute("aria-invalid") == "true"
        assert codes(widget) == ["invalid", "phone_not_supported"]

    def test_a_vendor_that_is_down(self, widget: Widget, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> Any:
            raise GatewayUnavailable

        widget.open()
        with monkeypatch.context() as patch:
            patch.setattr(MemoryGateway, "transmit", fail)
            widget.type("number", NUMBER)
            widget.part("send").click()
            widget.until_error("The SMS could not be sent. Please try again in a moment.")
        widget.part("send").click()
        widget.until(lambda: widget.is_shown("code"))

    def test_a_page_of_a_proxy_is_no_answer(self, widget: Widget) -> None:
        widget.open()
        widget.run("element.base = '/posted/'")
        widget.type("number", NUMBER)
        widget.part("send").click()
        widget.until_error("Something went wrong. Try again in a moment.")
        assert widget.text("send") == "Try again"

    def test_an_answer_is_lost_and_the_same_press_is_repeated(self, widget: Widget) -> None:
        widget.open()
        widget.run(
            "window.keys = []; const real = fetch; let lost = 0;"
            "window.fetch = async (url, options) => { const answer = await real(url, options);"
            "  if (options.method !== 'POST') return answer;"
            "  keys.push(options.headers['Idempotency-Key']);"
            "  if (lost++ < 1) throw new TypeError('lost'); return answer; }"
        )
        widget.send(NUMBER)
        first, second = widget.run("return keys")
        assert first == second
        assert len(MemoryGateway.outbox) == 1

    def test_without_a_network_a_button_tries_again(self, widget: Widget) -> None:
        widget.open()
        widget.type("number", NUMBER)
        with offline(widget):
            widget.part("send").click()
            widget.until(lambda: "No connection" in widget.text("status"))
            widget.until_error("No connection. Check the network, then try again.")
            assert widget.text("send") == "Try again"
        widget.part("send").click()
        widget.until(lambda: widget.is_shown("code"))
        assert codes(widget) == ["offline"]


class TestNews:
    def test_undelivered_and_then_sent_another_way(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        first = Message.objects.get()
        Message.objects.update(status=MessageStatus.UNDELIVERED)
        widget.until_error("The SMS to 138****8000 could not be delivered.")
        assert widget.focused() == "code"
        second = Message.objects.get()
        second.pk, second.follows, second.attempt, second.status = uuid4(), first.pk, 2, MessageStatus.ACCEPTED
        second.save(force_insert=True)
        widget.until(lambda: widget.text("status") == "The code was sent to 138****8000 again, another way.")
        assert widget.text("error") == ""
        assert codes(widget) == ["undelivered"]

    def test_a_worker_could_not_send_it(self, widget: Widget) -> None:
        widget.open()
        widget.send(NUMBER)
        Message.objects.update(status=MessageStatus.NOT_SENT, error_reason=Reason.ACCOUNT)
        widget.until_error("The SMS could not be sent. Please try again in a moment.")
        widget.until(lambda: widget.text("send") == "Send again")
        assert codes(widget) == ["gateway_unavailable"]


def test_a_vendor_that_refuses_the_number(widget: Widget, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise GatewayRejected(reason=Reason.RECIPIENT)

    monkeypatch.setattr(MemoryGateway, "transmit", refuse)
    widget.open()
    widget.type("number", NUMBER)
    widget.part("send").click()
    widget.until_error("This number cannot receive our SMS.")
    assert widget.focused() == "number"


def test_a_framework_sets_properties_before_the_script_is_there(widget: Widget) -> None:
    widget.open()
    values = widget.run(
        "const other = document.createElement('sms-verify');"
        "other.context = {payee: 'A'}; other.purpose = 'payment'; other.remember = true; document.body.append(other);"
        "const plain = new DOMParser().parseFromString('<sms-verify></sms-verify>', 'text/html').body.firstChild;"
        "plain.purpose = 'register'; plain.captcha = Math.abs; document.body.append(document.adoptNode(plain));"
        "return [other.getAttribute('context'), other.getAttribute('purpose'), other.hasAttribute('remember'),"
        "  plain.getAttribute('purpose'), plain.captcha === Math.abs]"
    )
    assert values == ['{"payee":"A"}', "payment", True, "register", True]
