"""Bulk sending from the admin: a preview comes first, and a batch is sent once even if confirmed twice."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse

from django_smsverify.admin.sending import MOST_BYTES
from django_smsverify.enums import ReviewStatus
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Template
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import FORGOTTEN

from .conftest import MakeProvider, add_template

pytestmark = pytest.mark.django_db(transaction=True)

LINES = "phone,name\n13800138001,王先生\n13800138002,李女士\n"
TEMPLATES = reverse("admin:smsverify_template_changelist")
MESSAGES = reverse("admin:smsverify_message_changelist")


@pytest.fixture
def notice(memory: MakeProvider) -> Template:
    return add_template(memory(price="0.05"), "notice", "{name}，您的订单已发货，请注意查收。", "")


class Browser:
    """A client of the admin whose user may send this template."""

    def __init__(self, template: Template) -> None:
        self.client, self.url = Client(), reverse("admin:smsverify_template_many", args=[template.pk])
        self.client.force_login(User.objects.create_superuser("root"))

    def preview(self, lines: str = "", **more: Any) -> str:
        """The page that previews the batch; no unmasked number may stand on it."""
        answer = self.client.post(self.url, {"lines": lines, **more})
        assert answer.status_code == 200
        page = unescape(answer.content.decode())
        shown = page.partition('<textarea name="lines"')[0]
        assert not re.search(r"1380013800\d", shown)
        return page

    def confirm(self, page: str) -> Any:
        (sealed,) = re.findall(r'name="sealed" value="([^"]+)"', page)
        return self.client.post(self.url, {"sealed": sealed})


@pytest.fixture
def browser(notice: Template) -> Browser:
    return Browser(notice)


def send_queued() -> None:
    Message.objects.update(created_at=Message.objects.latest("created_at").created_at - FORGOTTEN * 2)
    poll()


def test_a_batch_is_previewed_and_sent_once_even_if_confirmed_twice(browser: Browser, notice: Template) -> None:
    page = browser.preview(LINES)
    for words in ("<td>2</td>", "0.1000", "138****8001: 【示例站】王先生，您的订单", "smsverify_poll sends them"):
        assert words in page
    assert not Message.objects.exists()

    first, second = browser.confirm(page), browser.confirm(page)

    batch = Message.objects.values_list("batch", flat=True)[0]
    assert first.url == second.url == f"{MESSAGES}?batch={batch}"
    assert list(Message.objects.values_list("status", flat=True)) == ["queued", "queued"]
    assert not MemoryGateway.outbox, "the request does not wait for a vendor"
    send_queued()
    assert {sms.text[:8] for sms in MemoryGateway.outbox} == {"【示例站】王先生", "【示例站】李女士"}
    assert len(MemoryGateway.outbox) == 2
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == [f"Sent to 2 numbers, batch {batch}"] * 2


def test_the_list_of_messages_shows_one_batch_and_its_statuses(browser: Browser, notice: Template) -> None:
    url = browser.confirm(browser.preview(LINES)).url
    browser.confirm(browser.preview("phone,name\n13800138003,陈\n"))
    Message.objects.filter(phone="+8613800138001").update(status="accepted")

    page: Any = browser.client.get(url)

    assert len(page.context["cl"].result_list) == 2
    assert "queued 1, accepted 1" in page.content.decode()
    assert len(browser.client.get(MESSAGES).context["cl"].result_list) == 3
    assert browser.client.get(MESSAGES, {"batch__startswith": "1"}).status_code == 400, (
        "only the filter's own lookup is allowed"
    )


def test_a_repeated_list_is_named_and_sent_again_only_on_request(browser: Browser) -> None:
    browser.confirm(browser.preview(LINES))

    page = browser.preview(LINES)
    assert "This batch has 2 messages already: these numbers get no second SMS." in page
    browser.confirm(page)
    assert Message.objects.count() == 2

    page = browser.preview(LINES, again="on")
    assert "2 of these numbers got this text within a day, in the batch" in page
    browser.confirm(page)
    browser.confirm(page)
    assert Message.objects.count() == 4


def test_a_file_is_read_and_bad_lines_are_named(browser: Browser) -> None:
    content = (LINES + "nobody,陈\n").encode("gb18030")

    page = browser.preview(file=SimpleUploadedFile("numbers.csv", content))
    assert "line 4: This is not a phone number." in page
    assert 'name="sealed"' not in page
    page = browser.preview(file=SimpleUploadedFile("numbers.csv", content), skip_bad="on")
    assert "line 4: " in page
    browser.confirm(page)

    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("lines", "file", "words"),
    [
        ("", b"", "Give a file or some lines"),
        (LINES, LINES.encode(), "Give a file or some lines"),
        ("", b"PK\x03\x04\x00\xff", "This is no text in UTF-8 or GB18030."),
        ("", b"1" * (MOST_BYTES + 1), "The file is larger than 1 MB"),
        ("13800138001", b"", "The first line must name the columns, these and no others: phone, name"),
    ],
)
def test_unreadable_input_is_explained(lines: str, file: bytes, words: str, browser: Browser) -> None:
    more = {"file": SimpleUploadedFile("numbers.csv", file)} if file else {}
    assert words in browser.preview(lines, **more)


def test_only_a_previewed_list_can_be_confirmed(browser: Browser, notice: Template, memory: MakeProvider) -> None:
    other = Browser.__new__(Browser)
    other.client, twin = browser.client, add_template(memory(slug="twin"), "notice", notice.content, "")
    other.url = reverse("admin:smsverify_template_many", args=[twin.pk])

    for url, sealed in ((browser.url, "gAAAAforged"), (other.url, None)):
        sealed = sealed or re.findall(r'name="sealed" value="([^"]+)"', browser.preview(LINES))[0]
        answer: Any = browser.client.post(url, {"sealed": sealed}, follow=True)
        assert "This list is no longer valid: give it again." in answer.content.decode()
    assert not Message.objects.exists()


def test_the_action_opens_the_page_only_for_users_who_may_add_messages(browser: Browser, notice: Template) -> None:
    choice = {"action": "send_to_many", "_selected_action": [notice.pk]}
    assert browser.client.post(TEMPLATES, choice)["Location"] == browser.url
    both = {**choice, "_selected_action": list(Template.objects.values_list("pk", flat=True))}
    assert "Choose one template." in browser.client.post(TEMPLATES, both, follow=True).content.decode()

    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_template", "change_template"]))
    browser.client.force_login(clerk)
    assert browser.client.get(browser.url).status_code == 403
    assert browser.client.post(browser.url, {"lines": LINES}).status_code == 403
    assert "send_to_many" not in browser.client.get(TEMPLATES).content.decode()

    clerk.user_permissions.add(Permission.objects.get(codename="add_message"))
    assert browser.client.get(browser.url).status_code == 200


def test_a_template_that_cannot_be_sent_is_refused(browser: Browser, notice: Template) -> None:
    with_code = Template.objects.get(purpose="login")
    Template.objects.filter(pk=notice.pk).update(status=ReviewStatus.PENDING)

    for pk in (notice.pk, with_code.pk):
        answer: Any = browser.client.get(reverse("admin:smsverify_template_many", args=[pk]), follow=True)
        assert "has a code, or it, its signature or its provider is not approved" in answer.content.decode()


def test_a_gateway_that_is_gone_is_reported(browser: Browser) -> None:
    page = browser.preview(LINES)
    Provider.objects.update(gateway="gone")
    assert "gone" in browser.preview(LINES)
    assert browser.confirm(page).url == browser.url, "back to the list, with the error"
    assert not Message.objects.exists()


def test_the_messages_are_queued_for_workers(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    queued_ids: list[list[str]] = []
    monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", queued_ids.append)

    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        page = browser.preview(LINES)
        assert "The workers send it" in page
        browser.confirm(page)

    assert sorted(queued_ids[0]) == sorted(str(pk) for pk in Message.objects.values_list("pk", flat=True))
