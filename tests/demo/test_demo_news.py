"""Reports and replies after a send: the site stores them, and the phone shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from demo.phone import screen
from demo.seed import seed
from demo.vendors import sandbox
from sandbox import catalogue
from sandbox.server import SMS

from django_smsverify.models import Provider, Signature, Template
from django_smsverify.reviews.actions import copy_as_draft

from .conftest import VENDORS, Demo, until

HELLO = "请问，现在可以下单吗？ & more=1"


def reply(demo: Demo, phone: str, content: Any) -> requests.Response:
    return demo.post("reply/", {"phone": phone, "content": content})


def as_text(url: str, data: dict[str, str]) -> requests.Response:
    """Sends JSON as a form of another site could."""
    return requests.post(url, json.dumps(data), headers={"Content-Type": "text/plain"}, timeout=20)


@pytest.mark.parametrize("vendor", ["topthink", "veesing", "ihuyi", "twilio"])
def test_a_report_makes_an_sms_delivered(demo: Demo, vendor: str) -> None:
    phone = f"1380000123{VENDORS.index(vendor)}"
    assert demo.send(phone, f"login-{vendor}").status_code == 202
    demo.until_status("delivered", phone)
    row = next(row for row in demo.wire() if row["phone"] == f"138****{phone[-4:]}")
    assert (row["status"], row["error"]) == ("delivered", "")


@pytest.mark.parametrize("vendor", ["topthink", "veesing", "ihuyi", "twilio"])
def test_a_report_can_make_an_sms_undelivered(demo: Demo, vendor: str) -> None:
    phone = f"1381000000{VENDORS.index(vendor)}"
    assert demo.post("trouble/", {"vendor": vendor, "mood": "fails"}).status_code == 200
    demo.send(phone, f"login-{vendor}")
    assert demo.post("trouble/", {"vendor": vendor, "mood": "works"}).status_code == 200
    demo.until_status("undelivered", phone)
    row = next(row for row in demo.wire() if row["phone"] == f"138****{phone[-4:]}")
    assert row["error"]


def test_a_report_can_be_lost(demo: Demo) -> None:
    assert demo.post("trouble/", {"vendor": "ihuyi", "mood": "loses-reports"}).status_code == 200
    demo.send("13820000001", "login-ihuyi")
    assert demo.post("trouble/", {"vendor": "ihuyi", "mood": "works"}).status_code == 200
    demo.send("13820000002", "login-ihuyi")
    demo.until_status("delivered", "13820000002")
    assert demo.status("13820000001") == "accepted"


@pytest.mark.parametrize(
    ("vendor", "mood", "status"),
    [
        ("apispace", "fails", 200),
        ("apispace", "loses-reports", 400),
        ("qixuntong", "fails", 400),
        ("qixuntong", "loses-reports", 400),
    ],
)
def test_a_vendor_offers_only_moods_that_have_an_effect(demo: Demo, vendor: str, mood: str, status: int) -> None:
    assert demo.post("trouble/", {"vendor": vendor, "mood": mood}).status_code == status
    assert demo.post("trouble/", {"vendor": vendor, "mood": "works"}).json()["moods"][vendor] == "works"
    choices = demo.get("").text.partition(f'name="{vendor}"')[2].partition("</select>")[0]
    assert (f'value="{mood}"' in choices) == (status == 200)


@pytest.mark.parametrize("vendor", ["veesing", "ihuyi"])
def test_a_reply_reaches_the_site(demo: Demo, vendor: str) -> None:
    phone = f"1383000000{VENDORS.index(vendor)}"
    demo.send(phone, f"login-{vendor}")
    assert demo.screen(phone)["closed"] == ""
    first, second = (reply(demo, phone, content) for content in (f"  {HELLO}\t\n", "退订"))
    assert [answer.status_code for answer in (first, second)] == [200, 200]
    assert [shown["text"] for shown in second.json()["replies"]] == [HELLO, "退订"]
    assert [shown["received"] for shown in first.json()["replies"]] == [False]
    until(lambda: all(shown["received"] for shown in demo.screen(phone)["replies"]))
    statement = "select content from smsverify_reply where phone = ? order by id"
    assert demo.stored(statement, f"+86{phone}") == [HELLO, "退订"]
    assert demo.screen("13830009999")["replies"] == []


def test_the_same_text_typed_twice_is_two_replies(demo: Demo) -> None:
    phone = "13840000000"
    demo.send(phone, "login-ihuyi")
    reply(demo, phone, "退订")
    until(lambda: demo.screen(phone)["replies"][0]["received"])
    demo.post("trouble/", {"vendor": "ihuyi", "mood": "loses-reports"})
    reply(demo, phone, "退订")
    demo.post("trouble/", {"vendor": "ihuyi", "mood": "works"})
    reply(demo, phone, "在吗")
    until(lambda: demo.screen(phone)["replies"][2]["received"])
    assert [shown["received"] for shown in demo.screen(phone)["replies"]] == [True, False, True]


@pytest.mark.parametrize("vendor", ["topthink", "apispace", "qixuntong"])
def test_a_reply_to_a_vendor_that_forwards_none_is_refused(demo: Demo, vendor: str) -> None:
    phone = f"1385000000{VENDORS.index(vendor)}"
    assert demo.screen(phone) == {"messages": [], "replies": [], "closed": ""}
    assert reply(demo, phone, "在吗").status_code == 400
    demo.send(phone, f"login-{vendor}")
    closed = demo.screen(phone)["closed"]
    refused = reply(demo, phone, "在吗")
    assert closed.endswith(" 不转发用户的回复。")
    assert (refused.status_code, refused.json()["detail"]) == (400, closed)
    assert demo.screen(phone)["replies"] == []


def test_wrong_replies_are_refused(demo: Demo) -> None:
    phone = "13860000000"
    demo.send(phone, "login-veesing")
    for content in ("", "  \n ", "长" * 201, "\ud800", 1, None, ["退订"]):
        assert reply(demo, phone, content).status_code == 400
    assert reply(demo, "12", "退订").status_code == 400
    assert reply(demo, "13860009999", "退订").status_code == 400
    url = demo.url + "reply/"
    assert requests.post(url, data={"phone": phone, "content": "退订"}, timeout=20).status_code == 400
    for body in ('["退订"]', '{"phone": NaN, "content": "x"}', '{"phone": [], "content": "x"}', "[" * 50_000):
        headers = {"Content-Type": "application/json"}
        assert requests.post(url, body.encode(), headers=headers, timeout=20).status_code == 400
    assert as_text(url, {"phone": phone, "content": "退订"}).status_code == 400
    assert requests.get(url, timeout=20).status_code == 405
    assert demo.screen(phone)["replies"] == []
    assert reply(demo, phone, f" {'长' * 200} ").status_code == 200


def test_another_site_s_form_changes_no_mood(demo: Demo) -> None:
    assert as_text(demo.url + "trouble/", {"vendor": "ihuyi", "mood": "works"}).status_code == 400


@pytest.mark.django_db
def test_only_the_newest_sms_can_be_answered() -> None:
    try:
        for vendor, closed in (("topthink", "TopThink passes on no replies."), ("ihuyi", ""), ("veesing", "")):
            sandbox.inbox.put(SMS(vendor, "13870000000", "text", vendor, datetime.now(UTC)))
            assert screen("+8613870000000")["closed"] == closed
    finally:
        sandbox.inbox.clear()


@pytest.mark.django_db
def test_seed_updates_the_vendor_urls_and_keeps_other_options() -> None:
    seed(dict.fromkeys(catalogue.CREDENTIALS, "http://127.0.0.1:1/old"))
    Provider.objects.filter(slug="apispace").update(options={"success_codes": "0", "report_host": "http://127.0.0.1:1"})
    seed(dict.fromkeys(catalogue.CREDENTIALS, "http://127.0.0.1:2/new"))
    for provider in Provider.objects.all():
        provider.full_clean()
        assert provider.base_url == "http://127.0.0.1:2/new"
    apispace = Provider.objects.get(slug="apispace")
    assert apispace.options == {"success_codes": "0", "report_host": "http://127.0.0.1:2/new"}


@pytest.mark.django_db
def test_seed_accepts_texts_that_visitors_added_in_the_admin() -> None:
    urls = dict.fromkeys(catalogue.CREDENTIALS, "http://127.0.0.1:1")
    seed(urls)
    for text in (*Signature.objects.all(), *Template.objects.all()):
        copy_as_draft(text)

    seed(urls)

    assert Template.objects.filter(status="approved").count() == 5 * len(catalogue.CREDENTIALS) + 6
