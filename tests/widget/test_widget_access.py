"""The widget for everybody: axe-core, narrow windows, both languages, light and dark; and its types."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from captcha.models import CaptchaStore
from django.test import override_settings

from tests.browser import problems_found_by_axe
from tests.conftest import PHONE, last_code, wrong

from .conftest import Widget

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.widget.urls")]

NUMBER = PHONE[3:]
USE = """
import type { Failed, SMSVerify, Verified } from "./smsverify";

const element: SMSVerify = document.createElement("sms-verify");
element.purpose = "payment";
element.context = { payee: "A", amount: 10 };
element.captcha = async (refusal: Failed) => refusal.code;
element.addEventListener("smsverify:verified", ({ detail }) => {
  const { proof, proof_expires_in }: Verified = detail;
  console.log(proof.length + proof_expires_in, element.form?.action);
});
"""
MISUSE = """
import "./smsverify";

document.createElement('sms-verify').addEventListener('smsverify:sent', ({ detail }) => detail.proof);
"""


def shown_states(widget: Widget, query: str, width: int) -> Iterator[str]:
    """Leads a person through all states: number, captcha, code, error, verified."""
    with override_settings(SMSVERIFY={"CAPTCHA": "image", "CAPTCHA_WHEN": "always", "REGIONS": ("CN", "HK")}):
        widget.open(f"{query}&without_ticket", width=width)
        yield "number"
        widget.type("number", NUMBER)
        widget.part("send").click()
        widget.until(lambda: widget.is_shown("letters"))
        yield "captcha"
        widget.part("letters").send_keys(CaptchaStore.objects.latest("pk").response)
        widget.part("send").click()
        widget.until(lambda: widget.is_shown("code"))
        yield "code"
        widget.type("code", wrong(last_code()))
        widget.until(lambda: widget.text("error"))
        yield "error"
        widget.type("code", last_code())
        widget.until_verified()
        yield "verified"


def overflow(widget: Widget) -> int:
    return int(
        widget.run("const {scrollWidth, clientWidth} = document.documentElement; return scrollWidth - clientWidth")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: str, widget: Widget, node_modules: Path) -> None:
    widget.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    found: dict[str, Any] = {}
    for state in shown_states(widget, "lang=zh-hans", 1280):
        found[state] = problems_found_by_axe(widget.driver, node_modules)
    background = widget.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert found == {"number": [], "captcha": [], "code": [], "error": [], "verified": []}


@pytest.mark.parametrize("lang", ["en", "zh-hans"])
def test_nothing_is_wider_than_a_narrow_window_and_targets_are_large(lang: str, widget: Widget) -> None:
    for state in shown_states(widget, f"lang={lang}", 320):
        assert overflow(widget) == 0, state
        script = (
            "return [...element.shadowRoot.querySelectorAll('button, input, select')].filter((one) => one.offsetHeight)"
            ".filter((one) => one.offsetHeight < 44 || one.offsetWidth < 44).map(({id}) => id)"
        )
        assert widget.run(script) == [], state


def test_the_texts_follow_the_language_of_the_page(widget: Widget) -> None:
    widget.open("lang=zh-hans")
    assert (widget.text("number-label"), widget.text("send")) == ("手机号", "获取验证码")
    widget.type("number", "123")
    widget.part("send").click()
    widget.until_error("这不是手机号")
    widget.run("element.lang = 'en'")
    assert (widget.text("number-label"), widget.text("send")) == ("Mobile number", "Send code")


def test_a_site_themes_it(widget: Widget) -> None:
    widget.open()
    widget.run("element.style.setProperty('--smsverify-accent', 'rgb(1, 2, 3)')")
    assert widget.run("return getComputedStyle(part('send')).backgroundColor") == "rgb(1, 2, 3)"
    # A page has names of its own.
    widget.run("document.documentElement.style.setProperty('--accent', 'rgb(4, 5, 6)')")
    widget.run("element.style.setProperty('--smsverify-accent', 'var(--accent)')")
    assert widget.run("return getComputedStyle(part('send')).backgroundColor") == "rgb(4, 5, 6)"
    controls = "input, select, button, p, label, img"
    unnamed = "return [...element.shadowRoot.querySelectorAll(arguments[0])].filter((one) => !one.part.length)"
    assert widget.run(unnamed, controls) == []


def test_the_declarations_of_its_types(node_modules: Path, tmp_path: Path) -> None:
    types = Path(__file__).parents[2] / "django_smsverify" / "static" / "smsverify" / "smsverify.d.ts"
    (tmp_path / "smsverify.d.ts").write_text(types.read_text("utf-8"), "utf-8")
    for name, source in (("use", USE), ("misuse", MISUSE)):
        (tmp_path / f"{name}.ts").write_text(source, "utf-8")
    options = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom", "--moduleResolution", "bundler"]
    command = [str(node_modules / ".bin" / "tsc"), *options, "--module", "esnext", "use.ts", "misuse.ts"]

    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    (problem,) = checked.stdout.splitlines()
    assert problem.startswith("misuse.ts")
    assert "'proof' does not exist" in problem
