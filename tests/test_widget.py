"""The widget without a browser: its size, its source, and the template tag. tests/widget has the rest."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.template import Context, Template, engines
from django.test import RequestFactory, override_settings
from django.utils import translation

import django_smsverify
from django_smsverify.challenges.tickets import digest_of_ticket

from .folding import folded

FOLDER = Path(django_smsverify.__file__).parent / "static" / "smsverify"
LARGEST = 8192
"""Bytes of the script as browsers load it, compressed."""
FORBIDDEN = (
    r"\beval\b|\bFunction\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.style\b|style=|setTimeout\([\"'`]"
)


def rendered(tag: str, **context: Any) -> str:
    return str(
        engines["django"].from_string(f"{{% load smsverify %}}{tag}").render(context, context.pop("request", None))
    )


def attributes(element: str) -> dict[str, str]:
    return dict(re.findall(r' ([a-z-]+)="([^"]*)"', element.partition("</sms-verify>")[0]))


def test_the_script_is_small() -> None:
    assert len(gzip.compress((FOLDER / "smsverify.js").read_bytes(), 9, mtime=0)) <= LARGEST


@pytest.mark.parametrize("name", ["smsverify.js", "altcha.js"])
def test_a_script_uses_nothing_that_a_strict_policy_forbids(name: str) -> None:
    source = (FOLDER / name).read_text("utf-8")

    assert re.findall(FORBIDDEN, source) == []
    assert re.findall(r"https?://", source) == []
    assert max(map(len, source.splitlines())) <= 120


def test_the_files_are_found_by_the_static_files_of_django() -> None:
    shipped = {f"smsverify/{path.name}" for path in FOLDER.iterdir()}

    widget = {"smsverify/smsverify.js", "smsverify/smsverify.d.ts", "smsverify/altcha.js"}
    admin = {"smsverify/admin.css", "smsverify/copy.js", "smsverify/unsaved.js"}
    assert shipped == widget | admin | {"smsverify/login.css"}
    assert all(map(finders.find, shipped))


def test_the_declarations_name_every_attribute_and_event() -> None:
    source, types = ((FOLDER / name).read_text("utf-8") for name in ("smsverify.js", "smsverify.d.ts"))
    reflected = re.findall(r"^  (\w+):", source.partition("const FALLBACKS")[2].partition("}")[0], re.MULTILINE)
    told = set(re.findall(r'#tell\("(\w+)"', source))

    assert len(reflected) == 9
    assert [name for name in reflected if not re.search(rf"^  {name}: ", types, re.MULTILINE)] == []
    assert {f'"smsverify:{name}"' for name in told} == set(re.findall(r'"smsverify:\w+"', types))


class TestTag:
    def test_it_writes_the_element_and_its_script(self) -> None:
        with translation.override("zh-hans"):
            written = rendered('{% sms_verify purpose="login" %}')

        assert written == (
            '<sms-verify purpose="login" name="proof" base="/sms/" lang="zh-hans" altcha="/static/smsverify/altcha.js">'
            '</sms-verify><script type="module" src="/static/smsverify/smsverify.js"></script>'
        )

    def test_any_keyword_is_an_attribute(self) -> None:
        given = 'purpose="pay" name="code" context=bound autosubmit=True remember=no data_x=1 class="a" lang="en"'

        written = rendered(f"{{% sms_verify {given} %}}", bound={"payee": "甲", "amount": 10}, no=False)

        assert " autosubmit " in written
        assert "remember" not in written
        expected = {"purpose": "pay", "name": "code", "data-x": "1", "class": "a", "lang": "en"}
        assert expected.items() <= attributes(written).items()
        assert attributes(written)["context"] == "{&quot;payee&quot;: &quot;甲&quot;, &quot;amount&quot;: 10}"

    @folded("evil", ['"><script>alert(1)</script>', "' onload='x", "&<>"])
    def test_everything_is_escaped(self, evil: str) -> None:
        tag = "{% sms_verify purpose=evil name=evil base=evil lang=evil context=bound title=evil %}"

        written = rendered(tag, evil=evil, bound={"payee": evil})

        assert written.count("<") == 4
        assert not re.search(r"[\"'<>]", "".join(attributes(written).values()))
        assert len(attributes(written)) == 7

    @override_settings(SMSVERIFY={"REGIONS": ("CN", "HK", "GB")})
    def test_more_than_one_region_is_a_choice(self) -> None:
        assert attributes(rendered('{% sms_verify "login" %}'))["regions"] == "CN:86,HK:852,GB:44"

    @override_settings(SMSVERIFY={"CAPTCHA": "altcha", "PURPOSES": {"pay": {"CAPTCHA": None}}})
    def test_the_page_brings_a_ticket_where_there_is_a_captcha(self, rf: RequestFactory, settings: Any) -> None:
        request = rf.get("/")

        first, second = (attributes(rendered('{% sms_verify "login" %}', request=request))["ticket"] for _ in range(2))

        assert first != second
        assert digest_of_ticket(request, first) == "", "it is too young yet, and of this network"
        assert " ticket " in rendered('{% sms_verify "login" %}'), "without a request the widget asks for one"
        assert "ticket" not in rendered('{% sms_verify "pay" %}', request=request)

    def test_the_nonce_of_a_policy(self, rf: RequestFactory) -> None:
        request: Any = rf.get("/")
        assert "nonce" not in rendered('{% sms_verify "login" %}', request=request)
        assert ' nonce="abc"></script>' in rendered('{% sms_verify "login" %}', csp_nonce="abc")
        request.csp_nonce = "def"
        assert ' nonce="def"></script>' in rendered('{% sms_verify "login" %}', request=request)

    def test_a_plain_context_will_do(self) -> None:
        assert "<sms-verify" in Template("{% load smsverify %}{% sms_verify 'login' %}").render(Context())
