"""Consoles of other encodings: missing characters are escaped, and stop neither a command nor an SMS."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from django_smsverify.characters import as_shown
from django_smsverify.gateways.local import ConsoleGateway
from django_smsverify.management import commands
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import Message, Provider, Signature
from django_smsverify.spreadsheets import BYTE_ORDER_MARK
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Acceptance, Account, OutgoingSMS

from . import services
from .conftest import CODE_TEXT, PHONE, add_template

ROOT = Path(__file__).resolve().parents[1]
KEY, PARTY = "\\U0001f511", "\\U0001f389"
"""🔑 and 🎉, as a console shows them whose encoding has neither."""
PROVIDER = {"gbk": f"短信{KEY}", "ascii": f"\\u77ed\\u4fe1{KEY}", "utf-8": "短信🔑"}
ENCODINGS = list(PROVIDER)


def console(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


def shown_on(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "验证码 🎉"),
        ("utf-16", "验证码 🎉"),
        ("gb18030", "验证码 🎉"),
        ("gbk", f"验证码 {PARTY}"),
        ("cp1252", f"\\u9a8c\\u8bc1\\u7801 {PARTY}"),
        (None, "验证码 🎉"),
    ],
)
def test_a_character_that_the_encoding_lacks_is_escaped(encoding: str | None, shown: str) -> None:
    assert as_shown("验证码 🎉", console(encoding) if encoding else io.StringIO()) == shown


def test_a_surrogate_is_escaped_in_every_encoding() -> None:
    assert as_shown("\ud83d", console("utf-8")) == "\\ud83d"


@pytest.mark.parametrize("name", [module.name for module in iter_modules(commands.__path__)])
def test_every_command_writes_to_any_console(name: str) -> None:
    assert issubclass(import_module(f"{commands.__name__}.{name}").Command, TerminalCommand)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_console_gateway_shows_any_text(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = console(encoding)
    monkeypatch.setattr("sys.stdout", stream)
    sms = OutgoingSMS(content="{code} 🎉", signature="", recipients={PHONE: {"code": "0042"}})

    outcomes = ConsoleGateway(Account(base_url="", credentials={}), FakeTransport()).send(sms)

    assert isinstance(outcomes[PHONE], Acceptance)
    assert shown_on(stream) == f"SMS to {PHONE}: 0042 {'🎉' if encoding == 'utf-8' else PARTY}\n"


@pytest.mark.django_db
class TestOutput:
    def test_output_to_the_callers_stream_is_escaped_too(self) -> None:
        stream = console("gbk")

        call_command("smsverify_costs", stdout=stream)

        assert "yuan" in shown_on(stream)

    @pytest.mark.parametrize(("encoding", "mark"), [("utf-8", BYTE_ORDER_MARK), ("gbk", ""), ("gb18030", "\ufeff")])
    def test_csv_begins_with_a_byte_order_mark_if_the_encoding_has_one(self, encoding: str, mark: str) -> None:
        stream = console(encoding)

        call_command("smsverify_costs", format="csv", stdout=stream)

        assert shown_on(stream).startswith(f"{mark}provider,name,")


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> list[tuple[list[str], str]]:
    """Names and texts with characters that GBK lacks; returns command lines and how they end."""
    if not services.HAS_EMOJI:
        pytest.skip("utf8mb3 has no emoji")
    provider = Provider.objects.create(name="短信🔑", slug="console", gateway="console")
    Signature.objects.create(provider=provider, text="示例🔑", status="draft")
    code = add_template(provider, "login", f"{CODE_TEXT}🎉", "")
    notice = add_template(provider, "notice", "您好{name}🎉", "")
    notice.name = "通知🎉"
    notice.save()
    Provider.objects.create(name="推送🔑", slug="veesing", gateway="veesing", base_url="http://127.0.0.1:9")
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["lost"]}):
        Message.objects.create(
            provider=provider, template=code, phone=PHONE, purpose="notice🔑", values={"name": "王"}, status="accepted"
        )
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("phone,name\n13800138001,王🔑\n", encoding="utf-8")
    to_many = ["smsverify_send", "--file", str(numbers), "--template", "通知🎉"]
    return [
        (["smsverify_lint"], "done"),
        (["smsverify_lint", "--json"], "done"),
        (["smsverify_lint", "--gateway", "topthink", "--text", "🎉"], "done"),
        (["smsverify_costs", "--by", "provider,purpose"], "done"),
        (["smsverify_costs", "--format", "csv"], "done"),
        (["smsverify_costs", "--format", "json"], "done"),
        (["smsverify_send", "13800138000", "--purpose", "login"], "done"),
        ([*to_many, "--dry-run"], "done"),
        (to_many, "done"),
        (["smsverify_send", "--file", str(numbers), "--template", "没有🎉"], "exit 1"),
        (["smsverify_balance"], "exit 1"),
        (["smsverify_balance", "--json"], "exit 1"),
        (["smsverify_webhooks", "--site", "https://示例🎉.cn"], "done"),
        (["smsverify_poll"], "done"),
        (["smsverify_reencrypt"], "exit 1"),
        (["smsverify_forget", "号码🎉"], "exit 1"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_command_fails_because_of_a_console(encoding: str, site: list[tuple[list[str], str]]) -> None:
    name = str(connection.settings_dict["NAME"])
    run = subprocess.run(
        [sys.executable, "-m", "tests.console_site", name, json.dumps([command for command, _ in site])],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'example_project'}"},
        capture_output=True,
        check=True,
    )
    out, err = run.stdout.decode(encoding), run.stderr.decode(encoding)
    outputs = [part.partition("\n")[2] for part in out.split("== smsverify_")[1:]]

    *_, ends = err.splitlines()
    assert json.loads(ends) == [end for _, end in site], err
    lint, lint_json, text, table, csv, costs, code, _, _, _, _, balance, webhooks, *_ = outputs
    emoji = "🎉" if encoding == "utf-8" else PARTY
    assert emoji in lint
    assert emoji in text
    assert PROVIDER[encoding] in table
    assert PROVIDER[encoding] in csv
    assert csv.startswith(BYTE_ORDER_MARK if encoding == "utf-8" else "provider")
    assert emoji in code
    assert emoji in webhooks
    assert all(map(json.loads, (lint_json, costs, balance)))
    assert emoji in err
