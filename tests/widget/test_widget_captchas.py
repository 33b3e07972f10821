"""Tickets and captchas in a browser."""

from __future__ import annotations

import pytest
from captcha.models import CaptchaStore
from django.core.cache import cache
from django.test import override_settings

from django_smsverify.challenges import altcha
from django_smsverify.gateways.local import MemoryGateway
from tests.conftest import PHONE

from .conftest import ENTER, Widget

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.widget.urls")]

NUMBER = PHONE[3:]
OTHER = "13900139000"


def requests_of(widget: Widget, path: str) -> int:
    """How many requests the page has made to a path of the endpoints."""
    script = "return performance.getEntriesByType('resource').filter(({name}) => name.endsWith(arguments[0])).length"
    return int(widget.run(script, path))


@override_settings(SMSVERIFY={"CAPTCHA": "image"})
def test_a_ticket_spares_the_captcha_and_is_used_up(widget: Widget) -> None:
    widget.open()
    widget.send(NUMBER)
    assert not widget.is_shown("letters")
    widget.until(lambda: requests_of(widget, "/ticket/") == 1)  # for the next SMS


@override_settings(SMSVERIFY={"CAPTCHA": "image", "CAPTCHA_WHEN": "always", "RESEND_INTERVAL": 1})
def test_an_image(widget: Widget) -> None:
    widget.open("without_ticket")
    widget.type("number", NUMBER)
    widget.part("send").click()
    widget.until(lambda: widget.focused() == "letters")
    widget.until(lambda: widget.run("return part('image').naturalWidth"))
    assert widget.part("image").get_attribute("alt") == "Characters in the image"
    widget.part("another").click()
    widget.until(lambda: CaptchaStore.objects.count() == 2)
    widget.until(lambda: widget.text("send") == "Send code")
    widget.part("letters").send_keys("wrong", ENTER)
    widget.until_error("Please solve the captcha first.")
    widget.until(lambda: widget.text("send") == "Send code")
    newest = CaptchaStore.objects.latest("pk")
    widget.part("letters").send_keys(newest.response, ENTER)
    widget.until(lambda: widget.is_shown("code"))
    assert not widget.is_shown("letters")


@override_settings(SMSVERIFY={"CAPTCHA": "altcha", "CAPTCHA_WHEN": "always"})
def test_a_proof_of_work_is_done_by_itself(widget: Widget, monkeypatch: pytest.MonkeyPatch) -> None:
    widget.open("without_ticket")
    monkeypatch.setattr(altcha, "TRIES", range(8, 9))
    widget.open()
    widget.send(NUMBER)
    assert len(MemoryGateway.outbox) == 1
    cache.clear()
    widget.run("element.reset(); Object.defineProperty(crypto, 'subtle', {value: undefined})")
    widget.send(OTHER)
    assert len(MemoryGateway.outbox) == 2


@override_settings(SMSVERIFY={"CAPTCHA": "tests.widget.urls.service"})
def test_a_service_is_asked_by_the_page(widget: Widget) -> None:
    widget.open("without_ticket")
    widget.type("number", NUMBER)
    widget.part("send").click()
    widget.until_error("Please solve the captcha first.")
    widget.run("element.captcha = async ({code}) => code === 'captcha_required' && 'solved'")
    widget.part("send").click()
    widget.until(lambda: widget.is_shown("code"))
