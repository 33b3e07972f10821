"""Sentences of this package about an SMS are told apart from a vendor's words, and hosts stay readable in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

import django_smsverify
from django_smsverify.gateways.hosts import Objection
from django_smsverify.gateways.redaction import loggable, scrub
from django_smsverify.journal.own_words import CODES, said_of, translated
from django_smsverify.models import Message
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider

ROOT = Path(django_smsverify.__file__).parent
ERRORS = {"GatewayRejected", "GatewayUnavailable", "GatewayUncertain", "InvalidGateway"}
WITHDRAWN = {"_", "gettext_noop"}
NOT_ABOUT_AN_SMS = {
    "the account has more packages than one answer lists",
    "the answer is about another text",
    "the vendor has nothing with this id",
    "the vendor took it and gave no id",
    "this vendor wants a remark: what the text is used for, with the site's address",
}


def text_of(node: ast.expr) -> str | None:
    """A literal, with X for each part that varies; None for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return None


def written_in(path: Path) -> Iterator[str]:
    """What a file says of an SMS that is not sent, or of which no answer came."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
            yield text_of(node.args[0]) or ""
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "why" for target in node.targets):
            yield text_of(node.value) or ""
        if isinstance(node, ast.FunctionDef) and node.name == "value_problem":
            returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
            yield from (text_of(value) or "" for value in returned)


def all_written() -> set[str]:
    folders = (ROOT / "gateways", ROOT / "linting", ROOT / "sending" / "vendor_call.py")
    files = [path for folder in folders for path in (folder.rglob("*.py") if folder.is_dir() else [folder])]
    files.append(ROOT / "models" / "gateway_classes.py")
    return {words for path in files for words in written_in(path)} - {""}


def withdrawn() -> set[str]:
    """Why messages are withdrawn from a queue: marked for translation, and stored in English."""
    files = ("dispatch", "earlier_tries", "worker")
    found = set()
    for path in (*(ROOT / "sending" / f"{name}.py" for name in files), ROOT / "polling" / "recovery.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WITHDRAWN:
                found.add(text_of(node.args[0]) or "")
    return found


def test_every_sentence_of_ours_is_known_to_be_ours() -> None:
    found = all_written() | withdrawn() | {objection.value for objection in Objection}

    assert len(found) > 40, "they are found in the source"
    assert sorted(words for words in found - NOT_ABOUT_AN_SMS if translated(words) is None) == []


@pytest.mark.parametrize("words", ["手机号码已被列入黑名单", "balance is not enough", "", "isp.RAM_PERMISSION_DENY"])
def test_the_words_of_a_vendor_are_not_ours(words: str) -> None:
    assert translated(words) is None


def test_what_varies_is_kept_and_a_number_in_it_is_masked() -> None:
    assert translated("106.ihuyi.com could not be reached (ConnectTimeout)") == (
        "106.ihuyi.com could not be reached (ConnectTimeout)"
    )
    assert translated("unknown returnStatus, message: 号码13800138000") == (
        "unknown returnStatus, message: 号码138****8000"
    )


@pytest.mark.django_db(transaction=True)
def test_a_vendor_that_is_not_there_is_told_in_our_words_with_its_host(vendor: MakeProvider, closed_port: int) -> None:
    vendor("topthink", base_url=f"http://127.0.0.1:{closed_port}")
    with pytest.raises(Exception, match="could not be sent"):
        send_code(PHONE, "login")
    message = Message.objects.get()

    said = said_of(message)

    assert said.is_ours
    assert said.words.startswith("127.0.0.1 could not be reached (")
    assert said.code == ""


def test_a_code_of_ours_is_not_shown_as_the_vendors() -> None:
    ours = Message(error_code="value", error_message="a value may not contain emoji at this vendor")
    theirs = Message(error_code="4030", error_message="黑名单 13800138000")

    assert (said_of(ours).code, said_of(ours).is_ours) == ("", True)
    assert (str(said_of(theirs)), said_of(theirs).is_ours) == ("4030 黑名单 138****8000", False)
    assert "value" in CODES


def test_a_host_is_not_masked_as_if_it_were_a_code() -> None:
    words = "106.ihuyi.com could not be reached after 10 s, cloud.10658.com.cn neither: 10658, 10"
    hosts = ["106.ihuyi.com", "cloud.10658.com.cn"]

    assert scrub(words, ["10"], hosts) == (
        "106.ihuyi.com could not be reached after *** s, cloud.10658.com.cn neither: ***658, ***"
    )
    assert loggable(words, [], hosts=hosts).endswith("cloud.10658.com.cn neither: ***, 10")
    assert scrub("a10658.com.cn", ["10658"], ["10658.com.cn"]) == "a***.com.cn", "a part of another word"


def test_our_sentences_are_translated() -> None:
    with translation.override("zh-hans"):
        assert translated("while it was queued the budget was spent") != "while it was queued the budget was spent"
