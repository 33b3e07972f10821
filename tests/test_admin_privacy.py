"""What a person may ask for, by clicks, with the permissions that it takes and an entry in the log of accesses."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_smsverify.admin.privacy import sealed
from django_smsverify.enums import Accessed
from django_smsverify.journal.words import moment
from django_smsverify.models import Access, Forgetting, Message, OptOut, Recipient, Refusal, Reply, Verification
from django_smsverify.privacy import exporting
from django_smsverify.privacy.access_log import log_access
from django_smsverify.privacy.forgetting import forget_person
from django_smsverify.privacy.pseudonyms import pseudonym

from .conftest import PHONE, MakeProvider
from .past import RECORDS, past_sms
from .test_admin import page

pytestmark = pytest.mark.django_db(transaction=True)

PERSON, EXPORT, FORGET = (f"admin:smsverify_recipient_{name}" for name in ("person", "export", "forget"))
OTHER = "+8613900139000"


@pytest.fixture
def sms(memory: MakeProvider) -> Any:
    return partial(past_sms, memory())


@pytest.fixture
def number(sms: Any) -> Recipient:
    """One that was used lately."""
    sms(0.5)
    return Recipient.objects.get()


def client_with(*permissions: str) -> Client:
    user = User.objects.create_user("+8613700137000", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_recipient", *permissions)))
    client = Client(enforce_csrf_checks=False)
    client.force_login(user)
    return client


def html_of(response: Any) -> str:
    html: str = response.content.decode()
    assert response.status_code == 200
    for phone in (PHONE, OTHER):
        assert phone[3:] not in html
    return html


def whom(html: str) -> str:
    """The sealed number that a page holds."""
    (found,) = set(re.findall('name="whom" value="([^"]+)"', html))
    return str(found)


class TestThePageOfAPerson:
    def test_a_recipient_leads_there_and_to_the_file(self, number: Recipient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exporting, "date_of", lambda moment: date(2026, 11, 30))
        client = client_with("export_person")
        link = f"{reverse(PERSON)}?recipient={number.pk}"
        assert link in html_of(client.get(page(number, "change")))
        html = html_of(client.get(link))
        assert "138****8000" in html
        assert 'Delivery reports</th><td class="number">1</td>' in html
        assert "Forget this number" not in html

        response = client.post(reverse(EXPORT), {"whom": whom(html)})
        assert response["Content-Disposition"] == 'attachment; filename="person-2026-11-30.json"'
        assert "no-store" in response["Cache-Control"]
        assert json.loads(response.content)["phone"] == PHONE
        access = Access.objects.get()
        assert (access.who, access.what, access.about) == (
            "+137****7000",
            Accessed.EXPORTED_PERSON,
            "138****8000",
        )

    def test_a_number_is_posted_and_in_no_address(self, number: Recipient) -> None:
        client = client_with("forget_person")
        assert reverse(PERSON) in html_of(client.get(page(Recipient)))
        assert 'name="phone"' in html_of(client.get(reverse(PERSON)))
        html = html_of(client.post(reverse(PERSON), {"phone": "138 0013 8000"}))

        assert "Forget this number" in html
        assert "Export all about" not in html

    def test_a_number_that_cannot_be_read_is_an_error(self, number: Recipient) -> None:
        response = client_with("export_person").post(reverse(PERSON), {"phone": "12"})

        assert response.context["form"].errors["phone"]

    def test_a_number_of_which_nothing_is_stored_is_told(self, number: Recipient) -> None:
        html = html_of(client_with("export_person", "forget_person").post(reverse(PERSON), {"phone": OTHER}))

        assert "Nothing is stored about this number." in html
        assert "Forget this number" not in html

    def test_a_page_holds_no_number_that_can_be_read_or_made_up(self, number: Recipient) -> None:
        client = client_with("export_person", "forget_person")
        for url in (EXPORT, FORGET):
            for posted in ({"whom": PHONE}, {"whom": sealed(PHONE)[:-9] + "xxxxxxxx="}, {"whom": ""}):
                assert client.post(reverse(url), posted).status_code == 404
        assert not Access.objects.exists()

    @pytest.mark.parametrize("pk", ["0", "x", "", "1" * 30, "9" * 18])
    def test_a_row_that_is_not_there_is_not_found(self, pk: str, number: Recipient) -> None:
        assert client_with("export_person").get(reverse(PERSON), {"recipient": pk}).status_code == 404


class TestForgetting:
    def test_it_asks_and_then_forgets(self, number: Recipient) -> None:
        client = client_with("forget_person")
        OptOut.objects.create(phone=PHONE)
        html = html_of(client.get(f"{reverse(PERSON)}?recipient={number.pk}"))
        html = html_of(client.post(reverse(FORGET), {"whom": whom(html)}))
        assert "The number 138****8000 is forgotten for good" in html
        assert Message.objects.get().phone == PHONE

        html = html_of(client.post(reverse(FORGET), {"whom": whom(html), "confirmed": "yes"}, follow=True))
        assert "138****8000 is forgotten." in html
        assert "What its limits and SMS under way still need is forgotten by the poll at " in html
        assert f"Entered on purpose, and kept until you delete it: {OptOut._meta.verbose_name}" in html
        assert Message.objects.get().phone == pseudonym(PHONE)
        assert Reply.objects.exists()
        assert Access.objects.get().what == Accessed.FORGOT_PERSON

    def test_what_still_has_the_number_is_told_to_go_by_itself(self, number: Recipient, sms: Any) -> None:
        """An operator who still sees the number would think that it failed."""
        client = client_with("forget_person")
        sms(0.5, OTHER)
        forget_person(PHONE)
        due = moment(Forgetting.objects.get().due_at)
        assert html_of(client.get(page(Recipient))).count(f"yes, the rest goes at {due}") == 1
        assert f"yes, the rest goes at {due}" in html_of(client.get(page(number, "change")))

        html = html_of(client.post(reverse(PERSON), {"phone": PHONE}))
        assert f"which goes by itself at {due}: nothing more is to be done." in html
        assert "Records stay under a digest for 190 days" in html
        assert str(Forgetting._meta.verbose_name_plural) not in html.lower()
        assert "nothing more is to be done" not in html_of(client.post(reverse(PERSON), {"phone": OTHER}))

        forget_person(PHONE, deletes_records=True)
        assert "Records stay" not in html_of(client.post(reverse(PERSON), {"phone": PHONE}))

    def test_what_is_to_go_is_shown_masked_only(self, number: Recipient, admin_client: Client) -> None:
        assert page(number, "number") in html_of(admin_client.get(page(number, "change")))
        assert admin_client.post(page(number, "number")).status_code == 200

        forget_person(PHONE)

        assert page(number, "number") not in html_of(admin_client.get(page(number, "change")))
        assert admin_client.post(page(number, "number")).status_code == 404

    def test_a_number_of_which_a_digest_is_left(self, sms: Any) -> None:
        client = client_with("forget_person")
        sms(20)
        forget_person(PHONE)
        html = html_of(client.post(reverse(PERSON), {"phone": PHONE}))
        assert "No record names this number any more: nothing more is to be done." in html

    def test_a_list_of_many_costs_no_query_for_each(self, sms: Any) -> None:
        client = client_with("forget_person")
        counts = []
        for part in (range(1), range(1, 6)):
            for one in part:
                sms(0.5, f"+861390013900{one}")
                forget_person(f"+861390013900{one}")
            with CaptureQueriesContext(connection) as captured:
                client.get(page(Recipient))
            counts.append(len(captured))
        assert counts[0] == counts[1]

    def test_whoever_asks_for_the_number_soon_is_told_that_it_was_forgotten(
        self, number: Recipient, admin_client: Client
    ) -> None:
        forget_person(PHONE)
        html = html_of(admin_client.post(reverse("admin:smsverify_message_explain"), {"whom": PHONE, "days": "7"}))

        assert "The number was forgotten at " in html
        assert "look whether the page reaches this site" not in html

    def test_it_forgets_the_records_too(self, number: Recipient) -> None:
        form = {"whom": sealed(PHONE), "confirmed": "yes", "records": "on"}
        html = html_of(client_with("forget_person").post(reverse(FORGET), form, follow=True))

        assert "138****8000 is forgotten." in html
        assert not Reply.objects.exists()
        assert Message.objects.get().phone != pseudonym(PHONE)

    def test_a_site_with_atomic_requests_keeps_what_was_done(self, sms: Any) -> None:
        """The settings of this suite have ATOMIC_REQUESTS, under which it would be refused."""
        sms(20)
        client_with("forget_person").post(reverse(FORGET), {"whom": sealed(PHONE), "confirmed": "yes"})

        assert Recipient.objects.get().phone == pseudonym(PHONE)

    def test_a_form_of_another_site_does_nothing(self, number: Recipient) -> None:
        client = client_with("forget_person", "export_person")
        client.handler.enforce_csrf_checks = True
        for url in (EXPORT, FORGET):
            assert client.post(reverse(url), {"whom": sealed(PHONE), "confirmed": "yes"}).status_code == 403
        assert Message.objects.get().phone == PHONE


class TestPermissions:
    def test_each_opens_its_own_page_only(self, number: Recipient) -> None:
        form = {"whom": sealed(PHONE), "confirmed": "yes"}
        client = client_with("view_message", "change_recipient")
        assert "Export or forget" not in html_of(client.get(page(number, "change")))
        assert "Export or forget" not in html_of(client.get(page(Recipient)))
        assert client.get(reverse(PERSON)).status_code == 403
        for allowed, closed in (("export_person", FORGET), ("forget_person", EXPORT)):
            User.objects.all().delete()
            client = client_with(allowed)
            assert client.get(reverse(PERSON)).status_code == 200
            assert client.post(reverse(closed), form).status_code == 403

    @pytest.mark.parametrize("url", [EXPORT, FORGET])
    def test_nothing_happens_by_a_link(self, url: str, admin_client: Client) -> None:
        assert admin_client.get(reverse(url)).status_code == 405


class TestForgottenNumbers:
    """Every page copes with the digest that stands where a number was."""

    @pytest.fixture(autouse=True)
    def forgotten(self, sms: Any) -> None:
        sms(20)
        forget_person(PHONE)

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_lists_and_pages_show_that_it_was_forgotten(self, language: str, admin_client: Client) -> None:
        mark = f"({pseudonym(PHONE)[1:5]})" if language == "en" else pseudonym(PHONE)[1:5]
        for model in RECORDS:
            row = model._default_manager.get()
            for url in (page(model), page(row, "change")):
                assert mark in html_of(admin_client.get(url, headers={"accept-language": language}))
        assert "Export or forget<" not in html_of(admin_client.get(page(Recipient.objects.get(), "change")))

    def test_its_story_is_told_without_it(self, admin_client: Client) -> None:
        url = reverse("admin:smsverify_message_explain")
        for row in (Message.objects.get(), Verification.objects.get(), Refusal.objects.get()):
            html = html_of(admin_client.get(url, {"whom": str(row.pk), "days": "30"}))
            assert "Its number was forgotten" in html
            assert f"forgotten ({pseudonym(PHONE)[1:5]})" in html
            assert "Export or forget" not in html

    def test_who_may_see_whole_numbers_sees_none(self, admin_client: Client) -> None:
        row = Message.objects.get()
        assert page(row, "number") not in html_of(admin_client.get(page(row, "change")))
        assert admin_client.post(page(row, "number")).status_code == 404
        assert not Access.objects.exists()

        table = b"".join(admin_client.get(page(Message, "export")).streaming_content).decode()  # type: ignore[attr-defined]
        assert f"forgotten ({pseudonym(PHONE)[1:5]})" in table
        assert pseudonym(PHONE) not in table

    def test_a_search_for_the_number_finds_nothing(self, admin_client: Client) -> None:
        for model in RECORDS:
            assert not admin_client.get(page(model), {"q": PHONE}).context["cl"].result_list

    def test_its_row_leads_to_no_person(self, admin_client: Client) -> None:
        assert admin_client.get(reverse(PERSON), {"recipient": str(Recipient.objects.get().pk)}).status_code == 404


def test_the_story_of_a_number_leads_to_its_page(number: Recipient, admin_client: Client) -> None:
    url = reverse("admin:smsverify_message_explain")
    pk = str(Message.objects.get().pk)
    link = f"{reverse(PERSON)}?whom={pk}"

    assert link in html_of(admin_client.get(url, {"whom": pk}))
    assert "138****8000" in html_of(admin_client.get(link))
    for bad in ("x", "0" * 32, PHONE):
        assert admin_client.get(reverse(PERSON), {"whom": bad}).status_code == 404


class TestTheLog:
    @pytest.fixture(autouse=True)
    def entry(self) -> Access:
        return log_access("boss", Accessed.EXPORTED_LIST, "messages", rows=12)

    def test_who_may_view_it_reads_it(self, entry: Access) -> None:
        client = client_with("view_access")
        html = html_of(client.get(page(Access)))
        assert [word in html for word in ("boss", "exported a list", "messages", ">12<")] == [True] * 4
        assert client.get(page(Access), {"q": "boss"}).context["cl"].result_count == 1
        assert client.get(page(Access), {"q": "bos"}).context["cl"].result_count == 0
        assert client.get(page(Access), {"who__startswith": "b"}).status_code in (302, 400)
        html_of(client.get(page(entry, "change")))

    def test_a_list_is_named_as_the_admin_calls_it(self, entry: Access, admin_client: Client) -> None:
        log_access("boss", Accessed.EXPORTED_LIST, "deliveryreport", rows=3)
        log_access("boss", Accessed.EXPORTED_NUMBERS, "verification", rows=3)
        html = html_of(admin_client.get(page(Access), headers={"accept-language": "en"}))
        assert '<td class="field-concerned">Delivery reports</td>' in html
        assert '<td class="field-concerned">Verifications</td>' in html
        assert '<td class="field-concerned">messages</td>' in html, "as an earlier version wrote it"

    def test_its_times_are_those_of_the_site(self, entry: Access) -> None:
        assert str(entry).startswith(moment(entry.at))

    def test_nobody_writes_it(self, entry: Access, admin_client: Client) -> None:
        for url in (page(Access, "add"), page(entry, "delete")):
            assert admin_client.get(url).status_code == 403
        assert admin_client.post(page(entry, "change"), {"who": "x"}).status_code == 403

    def test_others_do_not_see_it(self) -> None:
        assert client_with().get(page(Access)).status_code == 403
        assert Access.objects.get().at <= timezone.now()
