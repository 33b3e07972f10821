"""The lists of the site: who is refused, who is challenged, who passes; and their page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.enums import ListAction, ListKind
from django_smsverify.exceptions import PhoneNotSupported, SMSVerifyError, Throttled
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.lists import entry_of, find_entry
from django_smsverify.models import ListEntry, Refusal
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, last_code
from .test_limits import NO_LIMITS

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 20, 4, 0, 1, tzinfo=UTC)
OTHER = "+8613900139000"
IP = "203.0.113.7"
PAGE = "/admin/smsverify/listentry/"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _provider(memory: MakeProvider) -> None:
    memory("login", regions=[])


def listed(kind: str, subject: str, action: str = "block", **fields: Any) -> ListEntry:
    entry = entry_of(ListKind(kind), subject, action=action, **fields)
    entry.save()
    return entry


def ask(phone: str = PHONE, ip: str = IP) -> Any:
    return Client().post("/sms/send/", {"phone": phone, "purpose": "login"}, "application/json", REMOTE_ADDR=ip)


class TestRefused:
    @pytest.mark.parametrize(
        ("kind", "subject", "scope"),
        [
            ("number", "138 0013 8000", "phone"),
            ("block", "1380013", "prefix"),
            ("block", "138", "prefix"),
            ("block", "+86138", "prefix"),
            ("network", IP, "ip"),
            ("network", "203.0.0.0/16", "ip"),
        ],
    )
    def test_it_looks_like_a_limit_that_is_used_up(self, kind: str, subject: str, scope: str) -> None:
        listed(kind, subject)

        answer = ask()

        assert answer.status_code == 429
        assert answer.json()["code"] == "throttled"
        assert answer.json()["scope"] == scope
        assert 0 < answer.json()["retry_after"] <= 3600
        assert answer["Retry-After"] == str(answer.json()["retry_after"])
        assert not MemoryGateway.outbox
        assert [(row.reason, row.phone) for row in Refusal.objects.all()] == [("listed", PHONE)]

    def test_others_are_not_concerned(self) -> None:
        listed("number", PHONE)
        listed("block", "1381")
        listed("network", "198.51.100.0/24")

        assert ask(OTHER).status_code == 202

    def test_the_seconds_become_fewer(self, clock: time_machine.Traveller) -> None:
        listed("number", PHONE)
        waits = []
        for _time in range(3):
            waits.append(ask().json()["retry_after"])
            clock.shift(10)

        assert waits == [waits[0], (waits[0] - 11) % 3600 + 1, (waits[0] - 21) % 3600 + 1]

    def test_an_ipv6_network(self) -> None:
        listed("network", "2001:db8::/32")

        assert ask(ip="2001:db8:7::1").status_code == 429
        assert ask(ip="2001:db9:7::1").status_code == 202

    def test_a_region(self) -> None:
        listed("region", "hk")
        with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK")}):
            assert ask("+85251234567").json()["code"] == "phone_not_supported"
            assert ask().status_code == 202

    def test_a_known_number_with_its_device_too(self) -> None:
        verify_code(send_code(PHONE, "login").pk, last_code())
        listed("number", PHONE)

        with pytest.raises(Throttled):
            send_code(PHONE, "login", trusted=True)

    def test_a_resend_too(self) -> None:
        with override_settings(SMSVERIFY=NO_LIMITS):
            verification = send_code(PHONE, "login")
            listed("number", PHONE)

            with pytest.raises(Throttled):
                resend_code(verification.pk)

    def test_a_network_has_one_wait_for_all_numbers(self) -> None:
        listed("network", "203.0.113.0/24")

        assert len({ask(phone).json()["retry_after"] for phone in (PHONE, OTHER)}) == 1

    @pytest.mark.parametrize("purpose", ["nosuch", "!"])
    def test_a_purpose_that_does_not_exist_tells_nothing(self, purpose: str) -> None:
        listed("number", PHONE)

        answers = [
            Client().post("/sms/send/", {"phone": phone, "purpose": purpose}, "application/json")
            for phone in (PHONE, OTHER)
        ]

        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["code"] == "unknown_purpose"

    def test_where_a_captcha_is_asked_for_it_tells_nothing(self) -> None:
        listed("number", PHONE)
        with override_settings(SMSVERIFY={"CAPTCHA": "altcha"}):
            assert ask().json()["code"] == ask(OTHER).json()["code"] == "captcha_required"

    def test_its_owner_does_not_join_a_live_code(self) -> None:
        verify_code(send_code(PHONE, "login").pk, last_code())
        with override_settings(SMSVERIFY=NO_LIMITS):
            send_code(PHONE, "login")
        listed("number", PHONE)

        with pytest.raises(Throttled):
            send_code(PHONE, "login", trusted=True)

    @pytest.mark.parametrize(
        ("network", "length"),
        [
            ("::ffff:192.0.2.7", 32),
            ("::ffff:192.0.2.0/120", 24),
            ("2002:c000:207::/48", 32),
            ("2002:c000::/32", 16),
            ("64:ff9b::192.0.2.7", 32),
        ],
    )
    @pytest.mark.parametrize("ip", ["192.0.2.7", "::ffff:192.0.2.7", "2002:c000:207::1", "64:ff9b::192.0.2.7"])
    def test_addresses_that_stand_for_others(self, network: str, length: int, ip: str) -> None:
        assert listed("network", network).length == length

        assert ask(ip=ip).status_code == 429

    def test_until_it_expires(self, clock: time_machine.Traveller) -> None:
        listed("number", PHONE, expires_at=NOW + timedelta(hours=1))
        assert ask().status_code == 429

        clock.shift(3600)

        assert ask().status_code == 202


class TestAllowed:
    def test_shared_limits_do_not_bind(self) -> None:
        with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",), "GLOBAL_LIMITS": ("1/h",), "PREFIX_LIMITS": ("1/h",)}):
            assert ask().status_code == 202
            assert ask(OTHER).status_code == 429
            listed("network", "203.0.113.0/24", "allow")

            assert ask(OTHER).status_code == 202

    def test_the_number_s_own_do(self) -> None:
        listed("number", PHONE, "allow")
        ask()

        assert ask().json()["scope"] == "resend"

    def test_no_captcha_is_asked_for(self) -> None:
        listed("number", PHONE, "allow")
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_conf.closed"}):
            assert ask().status_code == 202
            assert ask(OTHER).json()["code"] == "captcha_required"

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            (("number", PHONE, "allow"), ("network", IP, "block"), 202),
            (("block", "1380013", "block"), ("block", "138", "allow"), 429),
            (("network", IP, "allow"), ("network", "203.0.113.0/24", "block"), 202),
            (("network", IP, "block"), ("region", "CN", "allow"), 429),
        ],
    )
    def test_the_most_specific_entry_decides(self, first: Any, second: Any, status: int) -> None:
        listed(*second)
        listed(*first)

        assert ask().status_code == status


class TestChallenged:
    def test_without_a_captcha_it_is_closed_to_new_numbers(self) -> None:
        verify_code(send_code(OTHER, "login").pk, last_code())
        listed("network", IP, "challenge")

        with override_settings(SMSVERIFY=NO_LIMITS):
            assert ask().json()["scope"] == "phone"
            assert ask(OTHER).status_code == 202
        assert Refusal.objects.get().reason == "listed"

    def test_who_solved_the_captcha_passes(self) -> None:
        listed("network", IP, "challenge")
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_one_code.accept_all"}):
            assert ask().status_code == 202


class TestNumberKinds:
    VIRTUAL, FOREIGN = "+8617012345678", "+85251234567"

    @pytest.mark.parametrize(("kind", "phone"), [("virtual", VIRTUAL), ("foreign", FOREIGN)])
    def test_they_can_be_refused(self, kind: str, phone: str) -> None:
        with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK"), "NUMBER_KINDS": {kind: "refuse"}}):
            assert ask(phone).json()["code"] == "phone_not_supported"
            assert ask().status_code == 202
        with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK"), "NUMBER_KINDS": {kind: "allow"}}):
            assert ask(phone).status_code == 202
        assert Refusal.objects.get().reason == "not_supported"

    @pytest.mark.parametrize(("kind", "phone"), [("virtual", VIRTUAL), ("foreign", FOREIGN)])
    def test_they_can_be_challenged(self, kind: str, phone: str) -> None:
        with override_settings(SMSVERIFY={"REGIONS": ("CN", "HK"), "NUMBER_KINDS": {kind: "challenge"}}):
            assert ask(phone).status_code == 429
            listed("number", phone, "allow")
            assert ask(phone).status_code == 202


class TestCost:
    def statements(self) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            find_entry(PHONE, IP)
        return [query["sql"] for query in queries]

    def test_without_an_entry_nothing_is_asked_once_that_is_known(self) -> None:
        assert len(self.statements()) == 1
        assert self.statements() == []

    def test_with_any_it_is_one_statement(self) -> None:
        for kind, subject in (("number", OTHER), ("block", "1999"), ("network", "10.0.0.0/8"), ("region", "US")):
            listed(kind, subject)
        assert len(self.statements()) == 2
        assert len(self.statements()) == 1

    def test_entries_of_another_process_are_noticed_after_ten_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert find_entry(PHONE, IP) is None
        ListEntry.objects.bulk_create([entry_of(ListKind.NUMBER, PHONE, action="block")])  # sends no signal
        assert find_entry(PHONE, IP) is None

        later = time.monotonic() + 10.1
        monkeypatch.setattr(time, "monotonic", lambda: later)

        assert find_entry(PHONE, IP) is not None


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        *[("number", "12345"), ("number", "+1"), ("number", ""), ("number", "x" * 1000)],
        *[("block", "13a"), ("block", "1"), ("block", "1380013800138"), ("block", "一三八"), ("block", "+")],
        *[
            ("network", "fe80::1%eth0"),
            ("network", "203.0.113"),
            ("network", "203.0.113.0/33"),
            ("network", "example.com"),
            ("network", "::/129"),
        ],
        *[("region", "China"), ("region", "XX"), ("region", "C\0")],
    ],
)
def test_what_is_no_subject_is_refused(kind: str, written: str) -> None:
    with pytest.raises((SMSVerifyError, ValueError)):
        entry_of(ListKind(kind), written)


@pytest.mark.parametrize(
    ("regions", "written", "stored"),
    [
        (("CN",), "1380013", "+861380013"),
        (("CN",), "861380013", "+861380013"),
        (("CN",), "+852", "+852"),
        (("HK",), "9123", "+8529123"),
        (("HK",), "+9123", "+9123"),
    ],
)
def test_a_block_begins_with_the_country(regions: tuple[str, ...], written: str, stored: str) -> None:
    with override_settings(SMSVERIFY={"REGIONS": regions}):
        assert entry_of(ListKind.BLOCK, written).subject == stored


def test_python_callers_are_refused_as_well() -> None:
    listed("region", "CN")

    with pytest.raises(PhoneNotSupported):
        send_code(PHONE, "login")


class TestPage:
    def enter(self, admin: Client, kind: str, subjects: str, **fields: Any) -> Any:
        data = {"kind": kind, "subjects": subjects, "action": "block", "note": "bombed", **fields}
        return admin.post(f"{PAGE}add/", data, follow=True)

    def test_many_lines_are_entered_at_once(self, admin_client: Client) -> None:
        answer = self.enter(admin_client, "number", "13800138000\n\n +86 139-0013-9000 \r\n13800138000\n")

        assert "2 entries are stored." in answer.content.decode()
        assert sorted(ListEntry.objects.values_list("subject", "action", "note", "added_by")) == [
            (phone, "block", "bombed", "admin") for phone in (PHONE, OTHER)
        ]
        assert ask().status_code == 429

    def test_it_is_told_once_and_the_list_is_open(self, admin_client: Client) -> None:
        answer = self.enter(admin_client, "number", PHONE)

        assert [str(one) for one in answer.context["messages"]] == ["1 entry is stored."]
        assert answer.redirect_chain == [(PAGE, 302)]

    @pytest.mark.parametrize(("button", "leads_to"), [("_addanother", "add/"), ("_continue", "%d/change/")])
    def test_other_buttons_lead_elsewhere(self, button: str, leads_to: str, admin_client: Client) -> None:
        answer = self.enter(admin_client, "number", PHONE, **{button: "1"})

        where = leads_to % ListEntry.objects.get().pk if "%" in leads_to else leads_to
        assert answer.redirect_chain == [(f"{PAGE}{where}", 302)]
        assert len(answer.context["messages"]) == 1

    def test_the_form_says_what_an_entry_stops_and_the_page_does_not_speak_of_another_action(
        self, admin_client: Client
    ) -> None:
        entry = listed("number", PHONE)
        form = admin_client.get(f"{PAGE}add/", headers={"accept-language": "en"}).content.decode()
        page = admin_client.get(f"{PAGE}{entry.pk}/change/", headers={"accept-language": "en"}).content.decode()

        assert "A number that is refused gets neither codes nor notices." in form
        assert "Allowed: no captcha" in form
        assert "gets neither codes" not in page
        assert "Allowed: no captcha" not in page
        assert ">refuse<" in page

    @pytest.mark.parametrize("query", ["", "action__exact=block"])
    def test_after_a_deletion_the_list_is_open_as_it_was(self, query: str, admin_client: Client) -> None:
        entry = listed("number", PHONE)
        back = f"{PAGE}?{query}" if query else PAGE
        kept = {"_changelist_filters": query} if query else {}

        answer = admin_client.post(f"{PAGE}{entry.pk}/delete/?{urlencode(kept)}", {"post": "yes"})

        assert answer["Location"] == back
        assert not ListEntry.objects.exists()

    def test_who_may_not_see_the_list_is_not_led_there(self, client: Client) -> None:
        user = User.objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="delete_listentry"))
        client.force_login(user)

        answer = client.post(f"{PAGE}{listed('number', PHONE).pk}/delete/", {"post": "yes"})

        assert answer["Location"] == "/admin/"

    def test_numbers_are_masked(self, admin_client: Client) -> None:
        text = self.enter(admin_client, "number", PHONE).content.decode()
        text += admin_client.get(f"{PAGE}{ListEntry.objects.get().pk}/change/").content.decode()

        assert "138****8000" in text
        assert PHONE[3:] not in text

    def test_what_is_listed_already_is_replaced(self, admin_client: Client) -> None:
        listed("network", "203.0.113.0/24", "allow")

        self.enter(admin_client, "network", "203.0.113.9/24", expires_at_0="2026-12-01", expires_at_1="00:00:00")

        entry = ListEntry.objects.get()
        assert (entry.action, entry.length) == (ListAction.BLOCK, 24)
        assert timezone.localtime(entry.expires_at).year == 2026

    def test_a_bad_line_is_named_and_nothing_is_stored(self, admin_client: Client) -> None:
        text = self.enter(admin_client, "number", f"{OTHER}\n{PHONE[1:]}123\n").content.decode()

        assert "Line 2, “" in text
        assert "This is not a phone number." in text
        assert not ListEntry.objects.exists()

    @pytest.mark.parametrize("subjects", ["", "\n \n", "\0", "\U0001f4a9"])
    def test_nothing_sensible_is_an_error(self, subjects: str, admin_client: Client) -> None:
        answer = self.enter(admin_client, "region", subjects)

        assert answer.status_code == 200
        assert "errorlist" in answer.content.decode()

    def test_too_many_lines(self, admin_client: Client) -> None:
        text = self.enter(admin_client, "block", "138\n" * 20_001).content.decode()

        assert "At most 20000 lines at once." in text

    @pytest.mark.parametrize(
        ("words", "count"),
        [
            ("138 0013 8000", 1),
            ("138****8000", 1),
            (" 138****8000 ", 1),
            ("138****8001", 0),
            ("137****8000", 0),
            ("139", 1),
            ("139****", 0),
            ("10.0.0.0/8", 1),
            ("nobody", 0),
            ("", 3),
        ],
    )
    def test_search(self, words: str, count: int, admin_client: Client) -> None:
        for kind, subject in (("number", PHONE), ("block", "139"), ("network", "10.0.0.0/8")):
            listed(kind, subject)

        answer = admin_client.get(PAGE, {"q": words})

        assert answer.context["cl"].result_count == count

    def test_who_may_not_add_does_not_see_the_form(self, client: Client) -> None:
        client.force_login(User.objects.create_user("clerk", is_staff=True))

        assert client.get(f"{PAGE}add/").status_code == 403
