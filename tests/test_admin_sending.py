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
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from django_smsverify.admin import batches
from django_smsverify.admin.list_example import limits_of
from django_smsverify.admin.sending import MOST_BYTES
from django_smsverify.enums import ListKind
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import Message, OptOut, Provider, Signature, Template
from django_smsverify.polling.poll import poll
from django_smsverify.polling.recovery import FORGOTTEN
from django_smsverify.sending import send_message

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
    for words in ("<td>2</td>", "0.1000", "138****8001: 【示例站】王先生，您的订单", "the poll sends them"):
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


class TestLeftOut:
    """Numbers that get no notices are told before anything is sent, and are not counted."""

    @pytest.fixture(autouse=True)
    def _first_has_opted_out(self) -> None:
        OptOut.objects.create(phone="+8613800138001")

    def test_the_preview_counts_the_others_and_says_why(self, browser: Browser) -> None:
        entry_of(ListKind.NUMBER, "13800138003", action="block").save()

        page = browser.preview(LINES + "13800138003,陈\n")

        for words in (
            "<td>1</td>",
            "0.0500",
            "138****8002: 【示例站】李女士",
            "1 number of the list gets none and is not counted here: the number has opted out of notices.",
            "1 number of the list gets none and is not counted here: the number is on the block list.",
        ):
            assert words in page
        assert "138****8001" not in page

    def test_what_is_queued_is_told_apart_from_who_gets_none(self, browser: Browser) -> None:
        answer: Any = browser.client.get(browser.confirm(browser.preview(LINES)).url)

        assert [str(one) for one in answer.context["messages"]] == [
            "1 numbers are queued.",
            "1 number gets none: it has opted out of notices or is on the block list.",
        ]
        assert LogEntry.objects.get().get_change_message().startswith("Sent to 1 numbers, batch ")

    def test_it_is_not_said_to_get_it_again(self, browser: Browser) -> None:
        OptOut.objects.all().delete()
        browser.confirm(browser.preview(LINES))
        OptOut.objects.create(phone="+8613800138001")

        assert "1 of these numbers got this text within a day" in browser.preview(LINES, again="on")

    def test_it_is_not_said_to_be_in_the_batch(self, browser: Browser) -> None:
        browser.confirm(browser.preview(LINES))

        assert "This batch has 1 messages already" in browser.preview(LINES)

    def test_a_list_of_nobody_else_cannot_be_sent(self, browser: Browser) -> None:
        page = browser.preview("phone,name\n13800138001,王先生\n")

        assert "There is nobody to send it to." in page
        assert 'name="sealed"' not in page


class TestBatches:
    """A batch is found again from the page of its template's sending, and from each of its messages."""

    def page(self, browser: Browser) -> str:
        return browser.client.get(browser.url, headers={"accept-language": "en"}).content.decode()

    def test_the_page_lists_those_that_were_sent_lately(self, browser: Browser, memory: MakeProvider) -> None:
        assert "Batches that were sent lately" not in self.page(browser)
        twin = add_template(memory(slug="twin"), "notice", "停机。", "")
        send_message(twin, {"13800138001": {}}, batch="of the twin")
        first = browser.confirm(browser.preview(LINES)).url
        Message.objects.filter(phone="+8613800138001").update(status="accepted")
        second = browser.confirm(browser.preview("phone,name\n13800138003,陈\n")).url

        page = self.page(browser)

        assert re.findall(r'<a href="([^"]+\?batch=[^"]+)">', page) == [second, first]
        assert "<td>queued 1, accepted 1</td>" in page
        assert "of the twin" not in page

    def test_who_may_not_see_messages_sees_no_links(self, browser: Browser) -> None:
        url = browser.confirm(browser.preview(LINES)).url
        clerk = User.objects.create_user("clerk", is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_template", "send_message"]))
        browser.client.force_login(clerk)

        page = self.page(browser)

        assert url.partition("=")[2] in page
        assert url not in page

    def test_what_is_older_than_the_newest_messages_of_its_purpose_is_not_looked_for(
        self, browser: Browser, notice: Template, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "LOOKED_THROUGH", 1)
        for name in ("older", "newer", "newest"):
            send_message(notice, {"13800138001": {"name": "王"}}, batch=name)

        assert [one.name for one in batches.sent_lately(notice)] == ["newest", "newer"]

    def test_it_costs_three_statements(self, notice: Template, django_assert_num_queries: Any) -> None:
        for number in range(12):
            send_message(notice, {"13800138001": {"name": "王"}}, batch=f"b{number}")

        with django_assert_num_queries(3):
            assert len(batches.sent_lately(notice)) == batches.MOST

    def test_the_page_of_a_message_leads_to_its_batch(self, browser: Browser) -> None:
        url = browser.confirm(browser.preview(LINES)).url
        message = Message.objects.all()[0]

        page = browser.client.get(reverse("admin:smsverify_message_change", args=[message.pk])).content.decode()

        assert f'<a href="{url}">{message.batch}</a>' in page


def test_a_file_is_read_and_bad_lines_are_named(browser: Browser) -> None:
    content = (LINES + "nobody,陈\n").encode("gb18030")

    page = browser.preview(file=SimpleUploadedFile("numbers.csv", content))
    assert "line 4: This is not a phone number." in page
    assert 'name="sealed"' not in page
    assert "These lines are left out:" not in page
    page = browser.preview(file=SimpleUploadedFile("numbers.csv", content), skip_bad="on")
    assert "line 4: " in page
    assert "These lines are left out:" in page
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


def test_the_page_shows_a_list_for_this_text_and_its_lines(browser: Browser, notice: Template) -> None:
    page = unescape(browser.client.get(browser.url, headers={"accept-language": "en"}).content.decode())

    assert "phone,name\n138xxxxxxxx,text for name</pre>" in page
    assert "in any order and no others" in page
    assert "The column “phone” may also be called: mobile, 号码, 手机号, 手机号码" in page
    assert "At this vendor a value may not contain: 【 】" in page
    example = page.partition('sv-example">')[2].partition("</pre>")[0]
    assert "line 2: This is not a phone number." in browser.preview(example), (
        "its columns are right, its number is none"
    )

    Template.objects.filter(pk=notice.pk).update(content="今晚停机维护。")
    page = browser.client.get(browser.url, headers={"accept-language": "en"}).content.decode()
    assert "one number in a line is enough" in page
    assert "At this vendor" not in page


def test_what_a_line_may_hold_is_told_for_the_vendor(memory: MakeProvider) -> None:
    text = Template(provider=Provider(gateway="aliyun"), content="{name}，您的订单已发货。")
    with translation.override("en"):
        told = " ".join(limits_of(text))

    assert "a value may not contain an address" in told
    assert f"at most {text.provider.text_rules.longest_value} characters" in told


def test_what_a_gateway_says_of_a_line_is_in_the_operators_language(browser: Browser, notice: Template) -> None:
    said = gettext_noop("a value may not contain %(what)s at this vendor")
    with translation.override("zh-hans"):
        chinese = gettext(said) % {"what": "】"}
    assert chinese != said

    page = browser.client.post(browser.url, {"lines": "phone,name\n13800138001,王】\n"}, headers=CHINESE)

    assert f"138****8001: {chinese}" in page.content.decode()


def test_a_quotation_mark_that_is_not_closed_is_explained(browser: Browser) -> None:
    assert "perhaps a quotation mark is not closed" in browser.preview('phone,name\n13800138001,"王\n')


CHINESE = {"accept-language": "zh-hans"}


def test_only_a_previewed_list_can_be_confirmed(browser: Browser, notice: Template, memory: MakeProvider) -> None:
    other = Browser.__new__(Browser)
    other.client, twin = browser.client, add_template(memory(slug="twin"), "notice", notice.content, "")
    other.url = reverse("admin:smsverify_template_many", args=[twin.pk])

    for url, sealed in ((browser.url, "gAAAAforged"), (other.url, None)):
        sealed = sealed or re.findall(r'name="sealed" value="([^"]+)"', browser.preview(LINES))[0]
        answer: Any = browser.client.post(url, {"sealed": sealed}, follow=True)
        assert "This list is no longer valid: give it again." in answer.content.decode()
    assert not Message.objects.exists()


def test_the_action_opens_the_page_only_for_users_who_may_send_to_many(browser: Browser, notice: Template) -> None:
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

    clerk.user_permissions.add(Permission.objects.get(codename="send_message"))
    assert browser.client.get(browser.url).status_code == 200


def test_a_template_that_cannot_be_sent_is_refused(browser: Browser, notice: Template) -> None:
    with_code = Template.objects.get(purpose="login")

    def why(pk: int) -> str:
        page: Any = browser.client.get(reverse("admin:smsverify_template_many", args=[pk]), follow=True)
        (told,) = page.context["messages"]
        return str(told).partition("” ")[2]

    def has_button(pk: int) -> bool:
        page = browser.client.get(reverse("admin:smsverify_template_change", args=[pk])).content.decode()
        return reverse("admin:smsverify_template_many", args=[pk]) in page

    assert has_button(notice.pk)
    assert why(with_code.pk) == "has a code, which each number asks for itself: it is not sent to many."
    assert not has_button(with_code.pk)
    for rows, change, told in (
        (Provider.objects.all(), {"is_active": False}, "cannot be sent, as its provider is switched off."),
        (Template.objects.all(), {"is_active": False}, "is not active: switch it on first."),
        (Signature.objects.all(), {"status": "pending"}, "cannot be sent before its signature is approved."),
        (Template.objects.all(), {"status": "pending"}, "is not approved: the vendor reviews it first."),
    ):
        rows.update(**change)
        assert why(notice.pk) == told
        assert not has_button(notice.pk)


def test_the_page_of_a_template_has_a_button_for_who_may_send(browser: Browser, notice: Template) -> None:
    page = reverse("admin:smsverify_template_change", args=[notice.pk])
    link = f'<a class="smsverify-button" href="{browser.url}">Send to many numbers…</a>'
    assert link in browser.client.get(page, headers={"accept-language": "en"}).content.decode()

    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_template", "change_template"]))
    browser.client.force_login(clerk)

    assert browser.url not in browser.client.get(page).content.decode()


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
