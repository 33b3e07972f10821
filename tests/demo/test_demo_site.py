from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polib
import pytest
import requests
from demo.words import took
from django.utils import translation
from sandbox.catalogue import SIGNED

from tests.folding import folded

from .conftest import MANAGE, VENDORS, Demo, run, running, until

DEMO = MANAGE.parent / "demo"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_code_goes_through_each_vendor_and_verifies(demo: Demo, vendor: str) -> None:
    phone = f"1360013600{VENDORS.index(vendor)}"
    sent = demo.send(phone, f"login-{vendor}")
    assert sent.status_code == 202
    (sms,) = demo.inbox(phone)
    assert sms["vendor"] == vendor
    assert sms["text"].startswith(SIGNED)
    code = re.search(r"\d{6}", sms["text"])[0]  # type: ignore[index]
    verified = demo.post("sms/verify/", {"verification_id": sent.json()["verification_id"], "code": code})
    assert verified.status_code == 200
    assert verified.json()["purpose"] == f"login-{vendor}"
    row = next(row for row in demo.wire() if row["phone"] == verified.json()["phone"])
    assert row["status"] in ("accepted", "delivered")
    assert (row["segments"], row["error"]) == (1, "")
    assert re.fullmatch(r"\d+ 毫秒|\d\.\d 秒", row["took"])
    assert float(row["cost"]) > 0


@folded("seconds, shown", [(0.0414, "41 ms"), (0.9994, "999 ms"), (1, "1.0 s"), (62.089, "62 s"), (600, "10 min")])
def test_a_long_time_is_told_in_seconds(seconds: float, shown: str) -> None:
    with translation.override("en"):
        assert took(timedelta(seconds=seconds)) == shown


def test_a_refusal_is_shown_and_another_vendor_takes_over(demo: Demo) -> None:
    working = "qixuntong"
    try:
        for vendor in set(VENDORS) - {working}:
            assert demo.post("trouble/", {"vendor": vendor, "mood": "refuses"}).status_code == 200
        refused = demo.send("13900001111", "login-ihuyi")
        taken_over = demo.send("13900002222")
    finally:
        for vendor in VENDORS:
            demo.post("trouble/", {"vendor": vendor, "mood": "works"})
    assert (refused.status_code, refused.json()["code"]) == (503, "gateway_unavailable")
    row = next(row for row in demo.wire() if row["phone"] == "139****1111")
    assert (row["status"], row["cost"], row["error"]) == ("not_sent", None, "4051 剩余条数不足")
    assert taken_over.status_code == 202
    assert [sms["vendor"] for sms in demo.inbox("13900002222")] == [working]


def test_a_lost_answer_does_not_cause_a_second_send(demo: Demo) -> None:
    demo.post("trouble/", {"vendor": "topthink", "mood": "loses-answer"})
    sent = demo.send("13900003333", "login-topthink")
    demo.post("trouble/", {"vendor": "topthink", "mood": "works"})
    assert sent.status_code == 202
    assert len(demo.inbox("13900003333")) == 1
    row = next(row for row in demo.wire() if row["phone"] == "139****3333")
    assert (row["status"], row["took"]) == ("unknown", "")


def test_a_vendor_that_is_dead_for_one_carrier_loses_no_code(demo: Demo) -> None:
    """The report of the first SMS says that it did not arrive; the same code takes another way at once."""
    demo.post("trouble/", {"vendor": "tencent", "mood": "dead-at-mobile"})
    demo.send("13800005555")
    demo.send("13000005555")
    until(lambda: demo.inbox("13800005555"))
    demo.post("trouble/", {"vendor": "tencent", "mood": "works"})

    assert [sms["vendor"] for sms in demo.inbox("13800005555")] == ["aliyun"]
    assert [sms["vendor"] for sms in demo.inbox("13000005555")] == ["tencent"]
    assert [row["error"] for row in demo.wire() if row["phone"] == "138****5555"] == ["", "SIGNERR 签名未报备"]
    first = demo.get("story/", params={"phone": "13800005555"}).json()["entries"][-1]
    assert "签名" in first["sentence"] + first["advice"]


@pytest.mark.parametrize(("vendor", "code"), [("ihuyi", "SIGNERR"), ("aliyun", "PORT_NOT_REGISTERED")])
def test_other_vendors_can_be_dead_for_a_carrier(demo: Demo, vendor: str, code: str) -> None:
    number = f"1330000{VENDORS.index(vendor)}666"
    demo.post("trouble/", {"vendor": vendor, "mood": "dead-at-telecom"})
    demo.send(number, f"login-{vendor}")
    demo.post("trouble/", {"vendor": vendor, "mood": "works"})

    def row() -> dict[str, Any]:
        return next(row for row in demo.wire() if row["phone"] == f"133****{number[-4:]}")

    until(lambda: row()["status"] == "undelivered")
    assert code in row()["error"]
    assert demo.inbox(number) == []


def test_the_story_tells_what_happened_to_a_number(demo: Demo) -> None:
    english = {"Accept-Language": "en"}
    demo.send("13900006666", "pay")

    told = demo.get("story/", params={"phone": "139 0000 6666"}, headers=english).json()

    assert (told["phone"], len(told["entries"])) == ("139****6666", 1)
    assert "Tencent Cloud 腾讯云" in told["entries"][0]["sentence"]
    assert told["present"][0].startswith("By its first digits it is a number of China Mobile")
    assert demo.get("story/", params={"phone": "12"}).status_code == 400


def test_the_demo_s_own_tests_pass(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-W", "error", str(MANAGE), "test", "demo"]
    done = subprocess.run(command, env=env | {"DEMO_VAR": str(tmp_path)}, capture_output=True, text=True, timeout=120)
    assert (done.returncode, re.findall(r"^Ran \d\d tests", done.stderr, re.MULTILINE)) == (0, ["Ran 16 tests"]), (
        done.stderr
    )


def test_wrong_requests_of_the_page_are_refused(demo: Demo) -> None:
    assert demo.get("inbox/", params={"phone": "12"}).status_code == 400
    assert demo.inbox("+86 139-0000-4444") == []
    assert demo.get("trouble/").status_code == 405
    assert demo.post("trouble/", {"vendor": "unknown", "mood": "works"}).status_code == 400
    assert demo.post("trouble/", {"vendor": "ihuyi", "mood": "sulks"}).status_code == 400
    form = requests.post(demo.url + "trouble/", data={"vendor": "ihuyi", "mood": "refuses"}, timeout=20)
    assert form.status_code == 400


@pytest.mark.parametrize(("language", "title"), [("zh-CN", "登录或注册"), ("en", "Log in or register")])
def test_the_page_has_both_languages_and_follows_a_strict_policy(demo: Demo, language: str, title: str) -> None:
    page = demo.get("", headers={"Accept-Language": language})
    assert title in page.text
    assert "default-src 'none'; script-src 'self';" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|https?://", page.text)
    for script in re.findall(r"<script[^>]*>", page.text):
        assert "src=" in script or 'type="application/json"' in script
    assert '<sms-verify purpose="login"' in page.text


def test_the_language_can_be_chosen(demo: Demo) -> None:
    with requests.Session() as session:
        session.headers["Accept-Language"] = "zh-CN"
        page = session.post(demo.url + "language/", data={"language": "en"}, timeout=20)
        assert 'lang="en"' in page.text


def test_static_files_are_served(demo: Demo) -> None:
    for file in (DEMO / "static" / "demo").iterdir():
        answer = demo.get(f"static/demo/{file.name}")
        assert answer.status_code == 200
        assert answer.content == file.read_bytes()


def test_the_printed_login_opens_the_admin(demo: Demo) -> None:
    assert f"{demo.url}admin/" in demo.banner
    with requests.Session() as session:
        session.get(demo.url + "admin/login/", timeout=20)
        login = {
            "username": "admin",
            "password": demo.password,
            "csrfmiddlewaretoken": session.cookies["csrftoken"],
            "next": "/admin/smsverify/provider/",
        }
        page = session.post(demo.url + "admin/login/", data=login, timeout=20)
    assert page.url.endswith("/admin/smsverify/provider/")
    assert "Qixuntong" in page.text


@pytest.mark.skipif(find_spec("drf_spectacular_sidecar") is None, reason="drf-spectacular-sidecar is not installed")
def test_the_schema_and_its_pages_come_from_the_demo_itself(demo: Demo) -> None:
    assert "/sms/verify/" in demo.get("api/schema/").text
    files = re.findall(r'(?:src|href)="([^"]+)"', demo.get("api/").text)
    assert len(files) == 4
    assert {(file[0], demo.get(file[1:]).status_code) for file in files} == {("/", 200)}


def test_a_second_start_keeps_the_database_and_gives_a_new_password(tmp_path: Path) -> None:
    passwords = set()
    for start in (1, 2):
        with running(tmp_path) as demo:
            passwords.add(demo.password)
            assert demo.send(f"1370000000{start}", "login-veesing").status_code == 202
            assert len(demo.wire()) == start
            demo.until_status("delivered", f"1370000000{start}")
    assert len(passwords) == 2
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_a_used_port_is_reported_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        with run(tmp_path, "--port", port, stderr=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (1, "")
    assert f"Port {port} of 127.0.0.1 is taken" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("option", [("--port", "65536"), ("--host", "203.0.113.1")])
def test_an_unavailable_address_is_reported_without_a_traceback(tmp_path: Path, option: tuple[str, str]) -> None:
    with run(tmp_path, *option, stderr=subprocess.PIPE) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"cannot listen on {'203.0.113.1' if option[0] == '--host' else '127.0.0.1'}" in stderr
    assert "Traceback" not in stderr


def test_the_translation_is_complete_and_compiled() -> None:
    where = DEMO / "locale" / "zh_Hans" / "LC_MESSAGES"
    written, compiled = polib.pofile(str(where / "django.po")), polib.mofile(str(where / "django.mo"))
    assert written.percent_translated() == 100
    assert {entry.msgid: entry.msgstr for entry in written} == {entry.msgid: entry.msgstr for entry in compiled}
