"""manage.py smsverify_setup: one command from an empty database to the first code."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from sandbox import catalogue
from sandbox.server import Sandbox

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.management.commands import smsverify_setup
from django_smsverify.models import Provider, Signature, Template
from django_smsverify.sending import send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, last_code

pytestmark = pytest.mark.django_db(transaction=True)
KEYS = catalogue.CREDENTIALS["ihuyi"]


def setup(*args: str) -> list[str]:
    out = io.StringIO()
    call_command("smsverify_setup", *args, stdout=out)
    return out.getvalue().splitlines()


def rows() -> list[int]:
    return [model.objects.count() for model in (Provider, Signature, Template)]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(*lines: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return write


def test_one_command_is_enough_for_the_first_code() -> None:
    output = setup("memory", "--purpose", "login")

    verification = send_code(PHONE, "login")
    assert verify_code(verification.pk, last_code()).verified_at
    assert MemoryGateway.outbox[-1].text.startswith("【示例站】")
    assert output == [
        "provider memory: made",
        "signature 【示例站】: made",
        "template memory login: made",
        "Send a code: manage.py smsverify_send PHONE --purpose login",
    ]


def test_a_second_run_changes_nothing() -> None:
    setup("memory", "--purpose", "login")
    Template.objects.update(content="{code}", is_active=False)
    before = list(Template.objects.values())

    output = setup("memory", "--purpose", "login")

    assert rows() == [1, 1, 1]
    assert list(Template.objects.values()) == before
    assert [line.rpartition(": ")[2] for line in output[:3]] == ["there already"] * 3


def test_another_purpose_adds_one_template() -> None:
    setup("memory", "--purpose", "login")
    setup("memory", "--purpose", "register")

    assert rows() == [1, 1, 2]


def test_the_keys_of_a_vendor_are_read_from_a_pipe_and_never_printed(sandbox: Sandbox, pipe: Any) -> None:
    pipe(*KEYS.values())

    texts = ("--signature", "示例站", "--content", catalogue.CODE_TEXT, "--template-id", "2001")
    output = setup("ihuyi", "--purpose", "login", *texts)

    provider = Provider.objects.get()
    assert provider.credentials == KEYS
    assert not [secret for secret in KEYS.values() if secret in "\n".join(output)]
    assert output[-1] == "Tell the vendor where to report: manage.py smsverify_webhooks ihuyi"
    Provider.objects.update(base_url=sandbox.base_urls["ihuyi"])
    send_code(PHONE, "login")
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_keys_that_are_typed_are_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "typed"

    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    monkeypatch.setattr(smsverify_setup, "getpass", ask)

    setup("ihuyi", "--purpose", "login", "--approved")

    assert Provider.objects.get().credentials == dict.fromkeys(KEYS, "typed")
    assert len(prompts) == len(KEYS)


def test_a_text_that_is_not_approved_is_a_draft(pipe: Any) -> None:
    pipe(*KEYS.values())

    output = setup("ihuyi", "--purpose", "login")

    assert Template.objects.get().status == "draft"
    assert "not approved yet" in output[2]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["nobody", "--purpose", "login"], 'There is no gateway "nobody"'),
        (["memory", "--purpose", "Log In"], "purpose: A purpose is lower-case letters"),
        (["memory", "--purpose", "login", "--content", "{code} {name}"], "content: A text with {code}"),
        (["memory", "--purpose", "login", "--slug", "a b"], "The provider cannot be made. slug:"),
        (["memory", "--purpose", "login", "--option", "pace=3"], "The options of this gateway are"),
        (["memory", "--purpose", "login", "--option", "pace"], "Write --option NAME=VALUE, not 'pace'"),
        (["memory", "--purpose", "login", "--signature", "x" * 31], "The signature cannot be made. text:"),
    ],
)
def test_invalid_arguments_are_explained_and_create_nothing(args: list[str], expected: str) -> None:
    with pytest.raises(CommandError, match=expected.replace("{", r"\{").replace("(", r"\(")):
        setup(*args)

    assert rows() == [0, 0, 0]


def test_a_missing_key_is_named(pipe: Any) -> None:
    first, second = KEYS
    pipe(KEYS[first])

    with pytest.raises(CommandError, match=f"{second} .* is missing: nothing was made") as raised:
        setup("ihuyi", "--purpose", "login")

    assert KEYS[first] not in str(raised.value)
    assert rows() == [0, 0, 0]


def test_a_missing_option_is_named(pipe: Any) -> None:
    pipe("id", "key")

    with pytest.raises(CommandError, match="Nothing can be sent without this: SmsSdkAppId"):
        setup("tencent", "--purpose", "login")

    assert rows() == [0, 0, 0]


def test_a_slug_of_another_gateway_is_refused() -> None:
    setup("memory", "--purpose", "login", "--slug", "main")

    with pytest.raises(CommandError, match="The provider main is one of memory: choose another --slug"):
        setup("console", "--purpose", "login", "--slug", "main")
