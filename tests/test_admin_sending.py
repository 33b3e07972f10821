"""A text to many numbers from the admin: seen before it is sent, sent once however often it is asked for."""

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


class Desk:
    """Someone at the admin who may send this template."""

    def __init__(self, template: Template) -> None:
        self.client, self.url = Client(), reverse("admin:smsverify_template_many", args=[template.pk])
        self.client.force_login(User.objects.create_superuser("root"))

    def look(self, lines: str = "", **more: Any) -> str:
        """The page that shows what would be sent, on which no number may stand."""
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
def desk(notice: Template) -> Desk:
    return Desk(notice)


def send_what_is_queued() -> None:
    Message.objects.update(created_at=Message.objects.latest("created_at").created_at - FORGOTTEN * 2)
    poll()


def test_what_would_be_sent_is_seen_and_sent_once_however_often_it_is_confirmed(desk: Desk, notice: Template) -> None:
    page = desk.look(LINES)
    for words in ("<td>2</td>", "0.1000", "138****8001: 【示例站】王先生，您的订单", "smsverify_poll sends them"):
        assert words in page
    assert not Message.objects.exists()

    first, second = desk.confirm(page), desk.confirm(page)

    batch = Message.objects.values_list("batch", flat=True)[0]
    assert first.url == second.url == f"{MESSAGES}?batch={batch}"
    assert list(Message.objects.values_list("status", flat=True)) == ["queued", "queued"]
    assert not MemoryGateway.outbox, "the request holds for no vendor"
    send_what_is_queued()
    assert {sms.text[:8] for sms in MemoryGateway.outbox} == {"【示例站】王先生", "【示例站】李女士"}
    assert len(MemoryGateway.outbox) == 2
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == [f"Sent to 2 numbers, batch {batch}"] * 2


def test_the_list_of_messages_shows_one_mailing_and_how_it_stands(desk: Desk, notice: Template) -> None:
    url = desk.confirm(desk.look(LINES)).url
    desk.confirm(desk.look("phone,name\n13800138003,陈\n"))
    Message.objects.filter(phone="+8613800138001").update(status="accepted")

    page: Any = desk.client.get(url)

    assert len(page.context["cl"].result_list) == 2
    assert "queued 1, accepted 1" in page.content.decode()
    assert len(desk.client.get(MESSAGES).context["cl"].result_list) == 3
    assert desk.client.get(MESSAGES, {"batch__startswith": "1"}).status_code == 400, "no lookup but the filter's own"


def test_the_same_list_again_says_so_and_goes_out_only_when_that_is_asked_for(desk: Desk) -> None:
    desk.confirm(desk.look(LINES))

    page = desk.look(LINES)
    assert "This batch has 2 messages already: these numbers get no second SMS." in page
    desk.confirm(page)
    assert Message.objects.count() == 2

    page = desk.look(LINES, again="on")
    assert "2 of these numbers got this text within a day, in the batch" in page
    desk.confirm(page)
    desk.confirm(page)
    assert Message.objects.count() == 4


def test_a_file_is_read_and_bad_lines_are_named(desk: Desk) -> None:
    content = (LINES + "nobody,陈\n").encode("gb18030")

    page = desk.look(file=SimpleUploadedFile("numbers.csv", content))
    assert "line 4: This is not a phone number." in page
    assert 'name="sealed"' not in page
    page = desk.look(file=SimpleUploadedFile("numbers.csv", content), skip_bad="on")
    assert "line 4: " in page
    desk.confirm(page)

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
def test_what_cannot_be_read_is_said(lines: str, file: bytes, words: str, desk: Desk) -> None:
    more = {"file": SimpleUploadedFile("numbers.csv", file)} if file else {}
    assert words in desk.look(lines, **more)


def test_only_what_was_looked_at_can_be_confirmed(desk: Desk, notice: Template, memory: MakeProvider) -> None:
    other = Desk.__new__(Desk)
    other.client, twin = desk.client, add_template(memory(slug="twin"), "notice", notice.content, "")
    other.url = reverse("admin:smsverify_template_many", args=[twin.pk])

    for url, sealed in ((desk.url, "gAAAAforged"), (other.url, None)):
        sealed = sealed or re.findall(r'name="sealed" value="([^"]+)"', desk.look(LINES))[0]
        answer: Any = desk.client.post(url, {"sealed": sealed}, follow=True)
        assert "This list is no longer valid: give it again." in answer.content.decode()
    assert not Message.objects.exists()


def test_the_action_leads_there_and_only_for_those_who_may_add_messages(desk: Desk, notice: Template) -> None:
    choice = {"action": "send_to_many", "_selected_action": [notice.pk]}
    assert desk.client.post(TEMPLATES, choice)["Location"] == desk.url
    both = {**choice, "_selected_action": list(Template.objects.values_list("pk", flat=True))}
    assert "Choose one template." in desk.client.post(TEMPLATES, both, follow=True).content.decode()

    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_template", "change_template"]))
    desk.client.force_login(clerk)
    assert desk.client.get(desk.url).status_code == 403
    assert desk.client.post(desk.url, {"lines": LINES}).status_code == 403
    assert "send_to_many" not in desk.client.get(TEMPLATES).content.decode()

    clerk.user_permissions.add(Permission.objects.get(codename="add_message"))
    assert desk.client.get(desk.url).status_code == 200


def test_a_template_that_cannot_be_sent_is_turned_away(desk: Desk, notice: Template) -> None:
    with_code = Template.objects.get(purpose="login")
    Template.objects.filter(pk=notice.pk).update(status=ReviewStatus.PENDING)

    for pk in (notice.pk, with_code.pk):
        answer: Any = desk.client.get(reverse("admin:smsverify_template_many", args=[pk]), follow=True)
        assert "has a code, or it, its signature or its provider is not approved" in answer.content.decode()


def test_a_provider_that_is_gone_is_said(desk: Desk) -> None:
    page = desk.look(LINES)
    Provider.objects.update(gateway="gone")
    assert "gone" in desk.look(LINES)
    assert desk.confirm(page).url == desk.url, "back to the list, with the error"
    assert not Message.objects.exists()


def test_workers_are_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", told.append)

    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        page = desk.look(LINES)
        assert "The workers send it" in page
        desk.confirm(page)

    assert sorted(told[0]) == sorted(str(pk) for pk in Message.objects.values_list("pk", flat=True))
