"""smsverify_explain and the page of the admin: whom an operator may mean, and who may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_smsverify.exceptions import InvalidPhone, Throttled
from django_smsverify.journal import finding
from django_smsverify.journal.finding import Candidate, find
from django_smsverify.models import Message, Refusal, Verification
from django_smsverify.phones import E164
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider, last_code
from .test_admin import searched

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8615912348000"
"""With the same last four digits."""
NOBODY = "018f0000-0000-4000-8000-000000000000"
PAGE = "/admin/smsverify/message/explain/"
ASKED = "A code for “login” was asked for"


@pytest.fixture(autouse=True)
def clock(memory: MakeProvider) -> Iterator[time_machine.Traveller]:
    memory("login")
    with time_machine.travel(timezone.now().replace(minute=20), tick=False) as traveller:
        yield traveller


@pytest.fixture
def sms() -> Message:
    send_code(PHONE, "login")
    Message.objects.update(remote_id="vendor-123")
    return Message.objects.get()


def numbers(written: str, days: int = 7) -> list[str]:
    return [str(one.phone) for one in find(written, days)]


class TestFinding:
    @pytest.mark.parametrize(
        "written", [PHONE, "138 0013 8000", "１３８００１３８０００", " 8000 ", "８０００", "vendor-123"]
    )
    def test_a_number_in_any_notation_its_last_digits_or_the_vendors_id(self, written: str, sms: Message) -> None:
        assert find(written, 7) == [Candidate(E164(sms.phone), sms.pk, sms.created_at)]
        assert numbers(written) == [PHONE]

    def test_our_ids(self, sms: Message) -> None:
        with pytest.raises(Throttled):
            send_code(PHONE, "login")
        verification, refused = Verification.objects.get(), Refusal.objects.get()

        for pk in (sms.pk, verification.pk, refused.pk):
            assert numbers(str(pk)) == numbers(pk.hex) == [PHONE]

    def test_a_number_of_which_nothing_is_stored(self) -> None:
        assert find(PHONE, 7) == [Candidate(find(PHONE, 7)[0].phone)]
        assert numbers(PHONE) == [PHONE]

    def test_last_digits_of_several_numbers_the_last_used_first(
        self, sms: Message, clock: time_machine.Traveller
    ) -> None:
        clock.shift(5)
        send_code(OTHER, "login")
        assert numbers("8000") == [OTHER, PHONE]
        clock.shift(5)
        with pytest.raises(Throttled):
            send_code(PHONE, "login")

        assert numbers("8000") == [PHONE, OTHER]
        assert [one.masked for one in find("8000", 7)] == ["138****8000", "159****8000"]
        assert numbers(str(find("8000", 7)[0].id)) == [PHONE]

    def test_last_digits_of_older_days_are_not_looked_for(self, sms: Message, clock: time_machine.Traveller) -> None:
        clock.shift(timedelta(days=8))

        assert numbers("8000") == []
        assert numbers("8000", days=9) == [PHONE]
        assert numbers(PHONE) == [PHONE]

    def test_a_vendors_id_that_looks_like_a_number(self, sms: Message) -> None:
        Message.objects.update(remote_id="13912345678")
        assert numbers("13912345678") == [PHONE]

        send_code("+8613912345678", "login")
        assert numbers("13912345678") == ["+8613912345678"], "the number, now that it is used"

    def test_last_digits_are_looked_for_among_the_newest_rows(
        self, sms: Message, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is no index for them."""
        monkeypatch.setattr(finding, "LOOKED_THROUGH", 1)
        assert numbers("8000") == [PHONE]
        clock.shift(1)
        for phone in ("+8613900139001", "+8613900139002"):
            send_code(phone, "login")
            clock.shift(1)

        assert numbers("8000") == []

    def test_a_row_about_all_numbers_is_nobody(self) -> None:
        now = timezone.now()
        row = Refusal.objects.create(id=uuid4(), phone="", reason="no_cache", first_at=now, last_at=now)

        with pytest.raises(InvalidPhone):
            find(str(row.pk), 7)

    @pytest.mark.parametrize("written", ["", " ", "what?", "12345", "🔑" * 20, "x" * 10_000, "a\x00b", NOBODY])
    def test_anything_else(self, written: str, sms: Message) -> None:
        with pytest.raises(InvalidPhone):
            find(written, 7)


class TestCommand:
    def explained(self, *args: str) -> str:
        out = StringIO()
        call_command("smsverify_explain", *args, stdout=out)
        return out.getvalue()

    def test_it_prints_the_story(self, sms: Message, clock: time_machine.Traveller) -> None:
        clock.shift(30)
        story = self.explained(PHONE)

        assert story.splitlines()[:7] == [
            "138****8000 in the last 7 days",
            "  Whether it arrived is not known: the code for “login” was accepted by “memory”; the code is valid for "
            "another 4 min.",
            "    -> Wait for a minute and look again.",
            "",
            "  By its first digits it is a number of China Mobile, unless it was ported.",
            "  It can get the next SMS in 30 s (pause between two SMS).",
            "",
        ]
        assert re.search(rf"\n\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  {ASKED}; “memory” accepted it; ", story)
        assert story.endswith("    -> Wait for a minute and look again.\n")
        assert PHONE[3:] not in story
        assert last_code() not in story

    def test_in_chinese(self, sms: Message) -> None:
        told = self.explained("8000", "--language", "zh-hans").splitlines()

        assert told[0] == "138****8000 最近 7 天"
        assert told[4].startswith("  按号段是中国移动的号码")

    def test_several_numbers(self, sms: Message, clock: time_machine.Traveller) -> None:
        clock.shift(1)
        send_code(OTHER, "login")
        head, first, second = self.explained("8000").splitlines()

        assert head == "Several numbers may be meant; ask again with the id of one of them:"
        assert first.startswith("  159****8000  ")
        assert self.explained(second.split()[-1]).startswith("138****8000 in the last")

    def test_no_number(self) -> None:
        assert (
            self.explained("8000", "--days", "3") == "No number with these last digits was used in the last 3 days.\n"
        )

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (["138001380001"], "380****0001: This is not a phone number"),
            ([PHONE, "--days", "0"], "--days is 0; use 1 to 190."),
            ([PHONE, "--days", "191"], "--days is 191; use 1 to 190."),
            ([PHONE, "--language", "klingon"], "There is no language 'klingon'; try en or zh-hans."),
        ],
    )
    def test_what_cannot_be_explained(self, args: list[str], words: str) -> None:
        with pytest.raises(CommandError, match=re.escape(words)):
            self.explained(*args)


class TestPage:
    def ask(self, client: Client, whom: str, **fields: Any) -> Any:
        """Posts the form and follows the redirect; the text of the page and its URL."""
        response: Any = client.post(PAGE, {"whom": whom, "days": "7", **fields}, follow=True)
        assert response.status_code == 200
        return response

    def test_a_number_is_asked_for_and_told_without_being_in_an_address(
        self, sms: Message, admin_client: Client
    ) -> None:
        listed = admin_client.get(reverse("admin:smsverify_message_changelist")).content.decode()
        assert f'href="{PAGE}"' in listed
        response = self.ask(admin_client, PHONE[3:])

        assert response.redirect_chain == [(f"{PAGE}?whom={sms.pk}&days=7", 302)]
        html = searched(response).content.decode()
        assert f"{ASKED}; “memory” accepted it" in html
        assert reverse("admin:smsverify_message_change", args=[sms.pk]) in html

    def test_a_message_and_a_verification_lead_to_it(self, sms: Message, admin_client: Client) -> None:
        for row in (sms, Verification.objects.get()):
            url = reverse(f"admin:smsverify_{row._meta.model_name}_change", args=[row.pk])
            link = f"{PAGE}?whom={row.pk}"
            assert f'href="{link}"' in admin_client.get(url).content.decode()
            assert ASKED in searched(admin_client.get(link)).content.decode()

    def test_the_next_question_leaves_the_person_before_out_of_the_address(
        self, sms: Message, admin_client: Client
    ) -> None:
        html = admin_client.get(f"{PAGE}?whom={sms.pk}").content.decode()

        assert f'<form action="{PAGE}" method="post"' in html

    def test_an_old_message_is_told_too(
        self, sms: Message, admin_client: Client, clock: time_machine.Traveller
    ) -> None:
        clock.shift(timedelta(days=10))
        html = searched(admin_client.get(f"{PAGE}?whom={sms.pk}")).content.decode()

        assert "<h2>138****8000 in the last 10 days</h2>" in html
        assert ASKED in html

    @pytest.mark.parametrize("whom", ["13900139000", "8000", "vendor-123", "", "\x00", "🔑"])
    def test_only_an_id_of_ours_may_be_in_an_address(self, whom: str, sms: Message, admin_client: Client) -> None:
        response = admin_client.get(PAGE, {"whom": whom})

        assert response.status_code == 200
        assert "story" not in response.context
        assert "candidates" not in response.context

    def test_several_numbers_are_offered(
        self, sms: Message, admin_client: Client, clock: time_machine.Traveller
    ) -> None:
        clock.shift(1)
        send_code(OTHER, "login")
        html = self.ask(admin_client, "8000").content.decode()
        links = re.findall(r'<a href="(\?whom=[^"]+)">(.{3}\*{4}\d{4})</a>', html)

        assert [words for _, words in links] == ["159****8000", "138****8000"]
        assert OTHER[3:] not in html
        told = admin_client.get(PAGE + links[1][0].replace("&amp;", "&")).content.decode()
        assert "<h2>138****8000 in the last 7 days</h2>" in told

    def test_a_number_of_which_nothing_is_stored(self, admin_client: Client) -> None:
        response = self.ask(admin_client, PHONE)

        assert response.redirect_chain == []
        assert "No code was asked for" in response.content.decode()

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"whom": "what?"}, "This is neither a phone number nor an id that is known here."),
            ({"whom": ""}, "This field is required."),
            ({"whom": "x" * 65}, "at most 64 characters"),
            ({"whom": "a\x00b"}, "Null characters are not allowed."),
            ({"whom": "8000"}, "No number with these last digits was used in that time."),
            ({"days": "9"}, "Select a valid choice."),
            ({"days": "🔑"}, "Select a valid choice."),
        ],
    )
    def test_what_cannot_be_explained(self, fields: dict[str, str], words: str, admin_client: Client) -> None:
        assert words in self.ask(admin_client, **{"whom": PHONE, **fields}).content.decode()

    def test_words_of_a_vendor_are_text(self, sms: Message, admin_client: Client) -> None:
        Message.objects.update(
            status="not_sent", error_reason="other", error_message=f"<script>alert(1)</script> {PHONE}"
        )
        html = searched(self.ask(admin_client, PHONE)).content.decode()

        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html

    def test_it_takes_the_permission_to_view_all_that_it_tells_of(self, sms: Message, client: Client) -> None:
        user = User.objects.create_user("staff", is_staff=True)
        client.force_login(user)
        assert client.get(f"{PAGE}?whom={sms.pk}").status_code == 403
        assert client.post(PAGE, {"whom": PHONE, "days": 7}).status_code == 403

        page = reverse("admin:smsverify_message_change", args=[sms.pk])
        user.user_permissions.set(Permission.objects.filter(codename="view_message"))
        assert client.get(f"{PAGE}?whom={sms.pk}").status_code == 403
        assert PAGE not in client.get(page).content.decode()

        told = ["view_message", "view_verification", "view_refusal"]
        user.user_permissions.set(Permission.objects.filter(codename__in=told))
        assert PAGE in client.get(page).content.decode()
        assert client.get(f"{PAGE}?whom={sms.pk}").status_code == 200

    def test_visitors_are_sent_to_the_login(self, client: Client) -> None:
        assert client.get(PAGE).status_code == 302
