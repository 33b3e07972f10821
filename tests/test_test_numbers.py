"""Test numbers: nothing is sent, the answers are those of any number, and guesses cost what they always cost."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_smsverify.enums import Refused
from django_smsverify.exceptions import (
    CodeExpired,
    ContextMismatch,
    InsideTransaction,
    TooManyAttempts,
    UnknownPurpose,
    WrongCode,
)
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.models import Message, Provider, Refusal, Template, TestNumber, Verification
from django_smsverify.numbers import forget, test_numbers
from django_smsverify.sending import resend_code, send_code
from django_smsverify.sending.by_hand import send_code_by
from django_smsverify.verifying import redeem_proof, verify_code

from .conftest import PHONE, MakeProvider, Site, last_code, refusal, wrong
from .test_admin_destinations import staff
from .test_checks import found, ids

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
LIST, ADD = "/admin/smsverify/testnumber/", "/admin/smsverify/testnumber/add/"
ALLOWED = {"ALLOW_TEST_NUMBERS": True}
NOTHING_LEFT = {
    **ALLOWED,
    "PHONE_LIMITS": ("1/d",),
    "IP_LIMITS": ("1/d",),
    "PREFIX_LIMITS": ("1/d",),
    "GLOBAL_LIMITS": ("1/d",),
    "BUDGET": {"day": 0},
    "CAPTCHA": "tests.test_conf.closed",
}
"""Limits that let nobody have a second SMS; most let nobody have a first one."""


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now(), tick=False) as traveller, override_settings(SMSVERIFY=ALLOWED):
        test_numbers.known.forget()
        yield traveller
        test_numbers.known.forget()


@pytest.fixture
def number(memory: MakeProvider) -> TestNumber:
    memory("login", "payment")
    return enter()


def enter(phone: str = PHONE, **fields: Any) -> TestNumber:
    return TestNumber.objects.create(phone=phone, **{"expires_at": timezone.now() + timedelta(days=30), **fields})


def shape(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "verification_id": "", "phone": ""}


class TestSending:
    def test_nothing_is_sent_and_the_answer_is_that_of_any_number(self, number: TestNumber, site: Site) -> None:
        simulated, sent = site.send(), site.send(OTHER[3:])

        assert (simulated.status_code, sent.status_code) == (202, 202)
        assert list(simulated.json()) == list(sent.json())
        assert shape(simulated.json()) == shape(sent.json())
        assert set(simulated.headers) == set(sent.headers)
        assert [sms.phone for sms in MemoryGateway.outbox] == [OTHER]
        assert [message.phone for message in Message.objects.all()] == [OTHER]

    def test_no_limit_of_sending_and_no_captcha_stops_it(self, number: TestNumber, site: Site) -> None:
        with override_settings(SMSVERIFY=NOTHING_LEFT):
            answers = [site.send() for _ in range(4)]
            again = site.resend(answers[0].json()["verification_id"])
            other = refusal(site.send(OTHER[3:]))

        assert [answer.status_code for answer in (*answers, again)] == [202] * 5
        assert other == (400, "captcha_required")

    def test_it_takes_nothing_from_the_limits_of_others(self, number: TestNumber) -> None:
        with override_settings(SMSVERIFY={**ALLOWED, "IP_LIMITS": ("1/d",), "GLOBAL_LIMITS": ("1/d",)}):
            for _ in range(3):
                send_code(PHONE, "login", ip="192.0.2.1")

            send_code(OTHER, "login", ip="192.0.2.1")

        assert len(MemoryGateway.outbox) == 1

    def test_it_needs_neither_cache_nor_provider_nor_an_approved_template(self, number: TestNumber) -> None:
        Provider.objects.update(is_active=False)
        Template.objects.update(status="draft")
        dead = {"default": {"BACKEND": "tests.caches.AbsentCache", "LOCATION": "dead"}}
        with override_settings(CACHES=dead):
            caches.close_all()

            assert send_code(PHONE, "login", ip="192.0.2.1").is_simulated

    @pytest.mark.parametrize("purpose", ["nonsense", "LOGIN", "log\0in", "登录", "🙂", ""])
    def test_a_purpose_must_exist_as_for_any_number(self, purpose: str, number: TestNumber) -> None:
        with pytest.raises(UnknownPurpose):
            send_code(PHONE, purpose)

        assert not Verification.objects.exists()

    def test_a_purpose_that_no_template_has_is_recorded(self, number: TestNumber) -> None:
        with pytest.raises(UnknownPurpose):
            send_code(PHONE, "nonsense")

        assert Refusal.objects.get().reason == Refused.UNKNOWN_PURPOSE

    def test_a_flood_is_refused(self, number: TestNumber, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
        """Each request makes a row."""
        monkeypatch.setattr("django_smsverify.limits.flood.RATE", "3/m")
        verification_id = [site.send() for _ in range(2)][-1].json()["verification_id"]

        assert site.resend(verification_id).status_code == 202
        assert refusal(site.resend(verification_id)) == (429, "throttled")
        assert refusal(site.send()) == (429, "throttled")

    def test_it_is_sent_inside_no_transaction(self, number: TestNumber) -> None:
        with pytest.raises(InsideTransaction), transaction.atomic():
            send_code(PHONE, "login")

    def test_a_request_that_is_repeated_is_answered_as_that_of_any_number(self, number: TestNumber, site: Site) -> None:
        key = {"Idempotency_Key": "press-1_of-the-button"}
        first, again = site.send(**key), site.send(**key)

        assert (first.status_code, again.json()) == (202, first.json())
        assert Verification.objects.count() == 1

    def test_a_resend_prolongs_and_begins_the_pause_again(
        self, number: TestNumber, site: Site, clock: time_machine.Traveller
    ) -> None:
        sent = site.send().json()
        clock.shift(50)
        before = site.status(sent["verification_id"]).json()
        again = site.resend(sent["verification_id"])

        assert (before["expires_in"], before["resend_in"], before["status"]) == (250, 10, "accepted")
        assert (again.status_code, again.json()) == (202, sent)
        clock.shift(20)
        after = site.status(sent["verification_id"]).json()
        assert (after["expires_in"], after["resend_in"], after["status"]) == (280, 40, "accepted")
        assert not MemoryGateway.outbox

    def test_it_lives_for_twice_its_lifetime_at_most(self, number: TestNumber, clock: time_machine.Traveller) -> None:
        verification = send_code(PHONE, "login")
        for _ in range(2):
            clock.shift(200)
            resend_code(verification.pk)
        clock.shift(200)

        with pytest.raises(CodeExpired):
            resend_code(verification.pk)

    def test_the_status_of_any_number_has_the_same_fields(self, number: TestNumber, site: Site) -> None:
        simulated, sent = (site.status(site.send(one).json()["verification_id"]) for one in (PHONE[3:], OTHER[3:]))

        assert shape(simulated.json()) == shape(sent.json())


class TestWhereItIsOff:
    @pytest.fixture(autouse=True)
    def off(self) -> Iterator[None]:
        with override_settings(SMSVERIFY={}):
            yield

    def test_an_sms_is_sent_and_its_code_verifies(self, number: TestNumber) -> None:
        verification = send_code(PHONE, "login")

        assert not verification.is_simulated
        with pytest.raises(WrongCode):
            verify_code(verification.pk, number.code(6))
        assert verify_code(verification.pk, last_code()).verified_at

    def test_debug_switches_it_on(self, number: TestNumber) -> None:
        with override_settings(DEBUG=True):
            assert send_code(PHONE, "login").is_simulated

    def test_a_code_that_is_live_ends_with_the_setting(self, number: TestNumber) -> None:
        with override_settings(SMSVERIFY=ALLOWED):
            verification = send_code(PHONE, "login")

        with pytest.raises(CodeExpired):
            verify_code(verification.pk, number.code(6))
        with pytest.raises(CodeExpired):
            resend_code(verification.pk)


class TestVerifying:
    def test_its_code_leads_to_the_proof_and_the_device_token(self, number: TestNumber, site: Site) -> None:
        sent = site.send().json()
        verified = site.verify(sent["verification_id"], number.code(6))

        assert verified.status_code == 200
        assert sorted(verified.json()) == ["device", "phone", "proof", "proof_expires_in", "purpose"]
        assert redeem_proof(verified.json()["proof"], "login") == PHONE
        assert refusal(site.verify(sent["verification_id"], number.code(6))) == (400, "already_used")

    def test_every_request_has_a_verification_of_its_own_with_the_same_code(self, number: TestNumber) -> None:
        first, second = send_code(PHONE, "login"), send_code(PHONE, "login")

        assert verify_code(first.pk, number.code(6)).verified_at
        assert verify_code(second.pk, number.code(6)).verified_at

    def test_a_purpose_with_another_length_has_another_code(self, number: TestNumber) -> None:
        with override_settings(SMSVERIFY={**ALLOWED, "PURPOSES": {"payment": {"CODE_LENGTH": 4}}}):
            verification = send_code(PHONE, "payment")

        assert (verification.code_length, len(number.code(4))) == (4, 4)
        assert verify_code(verification.pk, number.code(4)).verified_at

    def test_what_it_is_for_is_checked(self, number: TestNumber) -> None:
        verification = send_code(PHONE, "payment", context={"amount": 5})

        with pytest.raises(ContextMismatch):
            verify_code(verification.pk, number.code(6), context={"amount": 6})
        assert verify_code(verification.pk, number.code(6), context={"amount": 5}).verified_at

    def test_wrong_codes_use_a_verification_up(self, number: TestNumber) -> None:
        verification = send_code(PHONE, "login")
        left = []
        for _ in range(5):
            with pytest.raises(WrongCode) as caught:
                verify_code(verification.pk, wrong(number.code(6)))
            left.append(caught.value.attempts_left)

        assert left == [4, 3, 2, 1, 0]
        with pytest.raises(TooManyAttempts):
            verify_code(verification.pk, number.code(6))

    def test_the_guesses_of_a_day_are_limited_however_often_it_is_asked_for(self, number: TestNumber) -> None:
        """No SMS is sent, so none adds the guess that every code of another number has."""
        judged = 0
        for _ in range(10):
            verification = send_code(PHONE, "login")
            for _ in range(5):
                try:
                    verify_code(verification.pk, wrong(number.code(6)))
                except WrongCode:
                    judged += 1
                except TooManyAttempts:
                    pass

        assert judged == 15

    def test_requests_alone_take_no_guess_away(self, number: TestNumber) -> None:
        verifications = [send_code(PHONE, "login") for _ in range(30)]

        assert verify_code(verifications[-1].pk, number.code(6)).verified_at

    def test_requests_alone_are_not_read_again(self, number: TestNumber) -> None:
        """Nothing limits them, and each guess reads what the number has guessed."""
        verifications = [send_code(PHONE, "login") for _ in range(5)]
        with pytest.raises(WrongCode):
            verify_code(verifications[0].pk, wrong(number.code(6)))

        history = NumberHistory.read(PHONE, timezone.now())
        assert [past.id for past in history.verifications] == [verifications[0].pk]

    def test_a_code_that_is_guessed_at_once_succeeds_once(self, number: TestNumber) -> None:
        verification, code = send_code(PHONE, "login"), number.code(6)

        def guess(_: int) -> bool:
            try:
                return bool(verify_code(verification.pk, code))
            except Exception:
                return False
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(guess, range(8))) == 1

    def test_a_repeated_verify_gets_the_same_proof(self, number: TestNumber, client: Client) -> None:
        sent = send_code(PHONE, "login")

        def verify() -> Any:
            body = {"verification_id": str(sent.pk), "code": number.code(6)}
            key = {"Idempotency-Key": "press-1_of-the-button"}
            return client.post("/sms/verify/", body, "application/json", headers=key)

        assert verify().json() == verify().json()
        number.delete()
        assert verify().json()["code"] == "already_used"

    def test_a_new_code_counts_at_once(self, number: TestNumber) -> None:
        verification, old = send_code(PHONE, "login"), number.code(6)
        number.codes = {"6": wrong(old)}
        number.save()

        with pytest.raises(WrongCode):
            verify_code(verification.pk, old)
        assert verify_code(verification.pk, wrong(old)).verified_at


class TestItsEnd:
    @pytest.mark.parametrize("how", ["expired", "deleted", "key lost", "no codes"])
    def test_a_live_verification_verifies_no_more(self, how: str, number: TestNumber) -> None:
        verification, code = send_code(PHONE, "login"), number.code(6)
        keys = {}
        if how == "expired":
            TestNumber.objects.update(expires_at=timezone.now())
        elif how == "deleted":
            number.delete()
        elif how == "key lost":
            keys = {"ENCRYPTION_KEYS": ["another"]}
        else:
            TestNumber.objects.update(codes={})

        with override_settings(SMSVERIFY={**ALLOWED, **keys}), pytest.raises(CodeExpired):
            verify_code(verification.pk, code)
        assert Verification.objects.get().attempts == 0

    def test_the_next_request_gets_an_sms_with_a_code_of_its_own(
        self, number: TestNumber, clock: time_machine.Traveller
    ) -> None:
        simulated = send_code(PHONE, "login")
        number.delete()

        sent = send_code(PHONE, "login")

        assert (sent.root_id, sent.is_simulated) == (None, False)
        assert verify_code(sent.pk, last_code()).verified_at
        with pytest.raises(CodeExpired):
            resend_code(simulated.pk)
        assert len(MemoryGateway.outbox) == 1

    def test_it_expires_for_processes_that_keep_it_too(self, number: TestNumber, clock: time_machine.Traveller) -> None:
        send_code(PHONE, "login")
        with override_settings(SMSVERIFY={**ALLOWED, "RESEND_INTERVAL": 0}):
            clock.shift(timedelta(days=30))
            assert not send_code(PHONE, "login").is_simulated

    def test_a_deleted_one_gets_sms_at_once_from_all_processes(self, number: TestNumber) -> None:
        send_code(PHONE, "login")
        kept = dict(test_numbers.known._found)
        number.delete()
        test_numbers.known._found.update(kept)

        assert not send_code(PHONE, "login").is_simulated

    def test_one_that_another_process_has_entered_counts_after_ten_seconds(
        self, memory: MakeProvider, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now)
        memory("login")
        send_code(OTHER, "login")
        kept = dict(test_numbers.known._found)
        enter()
        test_numbers.known._found.update(kept)

        assert not send_code(PHONE, "login").is_simulated
        clock.shift(60)
        now += 11
        assert send_code(PHONE, "login").is_simulated

    def test_a_code_that_was_sent_before_it_was_entered_verifies(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        """Its owner waits for that SMS, also for the next one with the same code."""
        memory("login")
        sent = send_code(PHONE, "login")
        number = enter()
        simulated = send_code(PHONE, "login")
        clock.shift(60)
        resend_code(sent.pk)

        assert len(MemoryGateway.outbox) == 2
        assert verify_code(sent.pk, last_code()).verified_at
        assert verify_code(simulated.pk, number.code(6)).verified_at

    def test_a_code_before_and_after_is_still_one_code(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory("login")
        sent = send_code(PHONE, "login")
        number = enter()
        clock.shift(60)
        send_code(PHONE, "login")
        number.delete()

        assert send_code(PHONE, "login").root_id == sent.pk

    def test_an_operator_who_tests_a_provider_gets_a_real_sms(self, number: TestNumber) -> None:
        send_code(PHONE, "login")
        message = send_code_by(Template.objects.filter(purpose="login").get(), PHONE)

        assert (message.status, len(MemoryGateway.outbox)) == ("accepted", 1)


class TestTrips:
    """A site without test numbers pays nothing; test_trips.py has the other requests."""

    def statements(self, phone: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            send_code(phone, "login")
        return [query["sql"] for query in queries if "testnumber" in query["sql"]]

    def test_where_they_are_off_none_is_looked_for(self, number: TestNumber) -> None:
        with override_settings(SMSVERIFY={}):
            assert self.statements(PHONE) == []

    def test_where_they_are_on_they_are_read_every_ten_seconds(
        self, number: TestNumber, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now)
        found = [len(self.statements(f"+86139{block:04}0000")) for block in range(3)]
        now += 11

        assert (found, len(self.statements(OTHER))) == ([1, 0, 0], 1)

    def test_inside_the_transaction_of_a_test_case_nothing_is_kept(self, number: TestNumber) -> None:
        assert not test_numbers.is_test_number(OTHER)
        with transaction.atomic():
            enter(OTHER)
            assert test_numbers.is_test_number(OTHER)
            transaction.set_rollback(True)

        assert not test_numbers.is_test_number(OTHER)


def told(**options: Any) -> list[str]:
    """What the checks say of test numbers; a database may have other faults."""
    return [one for one in ids(**options) if one in ("smsverify.W017", "smsverify.W018")]


class TestChecks:
    def test_w017_numbers_that_do_not_work(self, number: TestNumber) -> None:
        assert told(databases=["default"]) == []
        with override_settings(SMSVERIFY={}):
            assert told() == []
            assert told(databases=["default"]) == ["smsverify.W017"]
            (message,) = (one for one in found(databases=["default"]) if one.id == "smsverify.W017")
            assert message.msg.split()[0] == "1"
            TestNumber.objects.update(expires_at=timezone.now())
            assert told(databases=["default"]) == []

    def test_w018_numbers_that_work_in_production(self, number: TestNumber) -> None:
        assert told(deploy=True, databases=["default"]) == ["smsverify.W018"]
        with override_settings(DEBUG=True):
            assert told(deploy=True, databases=["default"]) == []
        TestNumber.objects.update(expires_at=timezone.now())
        assert told(deploy=True, databases=["default"]) == []

    def test_a_database_without_tables_is_no_error(self, number: TestNumber, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise DatabaseError

        with override_settings(SMSVERIFY={}):
            assert told(databases=["default"]) == ["smsverify.W017"]
            monkeypatch.setattr(type(TestNumber.objects.all()), "live", fail)
            assert told(databases=["default"]) == []


class TestAtRest:
    def test_the_code_is_in_no_column(self, number: TestNumber) -> None:
        send_code(PHONE, "login")
        with connection.cursor() as cursor:
            cursor.execute("SELECT codes FROM smsverify_testnumber")
            (stored,) = cursor.fetchone()

        assert stored.startswith("gAAAA")
        columns = [str(value) for value in Verification.objects.values_list().get()]
        assert not any(number.code(6) == column for column in columns)

    def test_it_can_be_derived_for_no_sms(self, number: TestNumber) -> None:
        with pytest.raises(LookupError, match="not derived"):
            send_code(PHONE, "login").derive_code()

    def test_its_repr_and_its_text_show_neither_number_nor_code(self, number: TestNumber) -> None:
        shown = f"{number} {number!r} {number.codes!r} {TestNumber.objects.all()!r} {test_numbers.known.get()!r}"

        assert "138****8000" in shown
        assert PHONE[3:] not in shown
        assert not any(code in shown for code in number.codes.values())

    def test_each_is_random_and_has_its_length(self) -> None:
        numbers = [enter(f"+86139{block:04}0000") for block in range(20)]

        assert len({number.code(8) for number in numbers}) > 15
        assert [len(number.code(length)) for number in numbers[:1] for length in range(4, 9)] == [4, 5, 6, 7, 8]
        assert len({number.code(8)[:4] == number.code(4) for number in numbers} - {True}) == 1

    def test_it_is_encrypted_anew(self, number: TestNumber) -> None:
        with override_settings(SMSVERIFY={**ALLOWED, "ENCRYPTION_KEYS": ["new", settings.SECRET_KEY]}):
            call_command("smsverify_reencrypt", stdout=StringIO())
        with override_settings(SMSVERIFY={**ALLOWED, "ENCRYPTION_KEYS": ["new"]}):
            assert TestNumber.objects.get().code(6) == number.code(6)


class TestStory:
    def told(self, language: str = "en") -> str:
        out = StringIO()
        call_command("smsverify_explain", PHONE, "--language", language, stdout=out)
        return out.getvalue()

    def test_explain_says_that_nothing_was_sent(self, number: TestNumber, clock: time_machine.Traveller) -> None:
        first, second = send_code(PHONE, "login"), send_code(PHONE, "payment")
        with pytest.raises(WrongCode):
            verify_code(first.pk, wrong(number.code(6)))
        clock.shift(7)
        verify_code(first.pk, number.code(6))

        told = self.told()

        assert "It is a test number until " in told
        assert (
            "A code for “login” was asked for, and nothing was sent, as it was a test number; 1 wrong code was "
            "entered, then the right one, 7 s later."
        ) in told
        assert "A code for “payment” was asked for, and nothing was sent" in told
        assert told.count("Enter the code that the admin showed") == 3  # beside both requests, and in the conclusion
        assert number.code(6) not in told
        assert str(second.pk) in {str(one.pk) for one in Verification.objects.all()}

    @pytest.mark.parametrize(
        ("written", "expires", "words"),
        [({}, 1, "these are switched off"), (ALLOWED, 0, "now it gets SMS as any number")],
    )
    def test_explain_says_that_it_gets_sms(
        self, written: dict[str, Any], expires: int, words: str, number: TestNumber
    ) -> None:
        TestNumber.objects.update(expires_at=timezone.now() + timedelta(days=expires))
        with override_settings(SMSVERIFY=written):
            assert words in self.told()

    def test_a_flood_of_requests_is_cut(self, number: TestNumber, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django_smsverify.journal.records.MOST", 3)
        for _ in range(5):
            send_code(PHONE, "login")

        assert "Older attempts are left out." in self.told()

    def test_costs_and_messages_have_nothing_of_it(self, number: TestNumber) -> None:
        send_code(PHONE, "login")
        out = StringIO()
        call_command("smsverify_costs", stdout=out)

        assert not Message.objects.exists()
        assert "memory" not in out.getvalue()


def posted(phone: str = "138 0013 8000", days: float = 30, note: str = "App Store") -> dict[str, str]:
    at = timezone.localtime(timezone.now() + timedelta(days=days))
    return {"phone": phone, "expires_at_0": f"{at:%Y-%m-%d}", "expires_at_1": f"{at:%H:%M:%S}", "note": note}


def page(answer: Any) -> str:
    return html.unescape(answer.content.decode())


class TestAdmin:
    @pytest.fixture(autouse=True)
    def login_purpose(self, memory: MakeProvider) -> None:
        memory("login")

    def test_who_may_delete_but_not_change_lands_on_the_list(self, client: Client) -> None:
        user = User.objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=["view_testnumber", "delete_testnumber"]))
        client.force_login(user)

        answer = client.post(f"/admin/smsverify/testnumber/{enter().pk}/delete/", {"post": "yes"})

        assert answer["Location"] == "/admin/smsverify/testnumber/"

    def test_the_code_is_shown_once_after_the_number_was_entered(self, admin_client: Client) -> None:
        answer = admin_client.post(ADD, posted())
        number = TestNumber.objects.get()

        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert number.code(6) in page(answer)
        assert (number.phone, number.note, number.added_by) == (PHONE, "App Store", "admin")
        for path in (LIST, f"{LIST}{number.pk}/change/", f"{LIST}{number.pk}/history/", "/admin/"):
            shown = page(admin_client.get(path))
            assert number.code(6) not in shown
            assert PHONE[3:] not in shown
        assert "138****8000" in page(admin_client.get(LIST))

    def test_the_code_verifies(self, admin_client: Client) -> None:
        answer = page(admin_client.post(ADD, posted()))
        verification = send_code(PHONE, "login")

        code = next(word for word in answer.split("<code>")[1:])[:6]
        assert verify_code(verification.pk, code).verified_at

    def test_purposes_with_another_length_are_named(self, admin_client: Client) -> None:
        with override_settings(
            SMSVERIFY={**ALLOWED, "PURPOSES": {"payment": {"CODE_LENGTH": 4}, "login": {"MAX_ATTEMPTS": 3}}}
        ):
            shown = page(admin_client.post(ADD, posted()))

        number = TestNumber.objects.get()
        assert f"payment</td><td><code>{number.code(4)}" in shown
        assert "login</td>" not in shown

    @pytest.mark.parametrize("days", [0, -1, 90.01, 400000])
    def test_it_must_expire_within_ninety_days(self, days: float, admin_client: Client) -> None:
        shown = page(admin_client.post(ADD, posted(days=days)))

        assert "Choose a time within the next 90 days." in shown
        assert not TestNumber.objects.exists()

    def test_an_expired_one_is_not_revived(self, admin_client: Client, clock: time_machine.Traveller) -> None:
        """Its number may be a person's by now."""
        url = f"{LIST}{enter().pk}/change/"
        later = {name: value for name, value in posted(days=60).items() if name.startswith("expires_at")}
        assert admin_client.post(url, later).status_code == 302
        clock.shift(timedelta(days=61))
        admin_client.force_login(User.objects.get())  # the session has ended
        again = {name: value for name, value in posted(days=60).items() if name.startswith("expires_at")}

        assert "It has expired: delete it, and enter it again." in page(admin_client.post(url, again))

    @pytest.mark.parametrize("missing", ["expires_at_0", "phone"])
    def test_number_and_end_are_required(self, missing: str, admin_client: Client) -> None:
        admin_client.post(ADD, {**posted(), missing: ""})

        assert not TestNumber.objects.exists()

    @pytest.mark.parametrize("phone", ["12345", "🙂", "138001380\x0000", "1" * 400])
    def test_what_is_no_number_is_refused(self, phone: str, admin_client: Client) -> None:
        assert "errorlist" in page(admin_client.post(ADD, posted(phone)))
        assert not TestNumber.objects.exists()

    def test_a_number_is_entered_once(self, admin_client: Client) -> None:
        enter()

        assert "It is a test number already." in page(admin_client.post(ADD, posted()))

    def test_the_number_of_somebody_who_was_verified_here_is_refused(self, admin_client: Client) -> None:
        verify_code(send_code(PHONE, "login").pk, last_code())

        assert "it is somebody's" in page(admin_client.post(ADD, posted()))
        forget(PHONE)
        admin_client.post(ADD, posted())
        assert TestNumber.objects.exists()

    def test_a_new_code_is_shown_once_and_the_old_one_is_void(self, admin_client: Client) -> None:
        number = enter()
        TestNumber.objects.update(codes={"6": "old"})

        answer = admin_client.post(LIST, {"action": "make_new_code", "_selected_action": [number.pk]})

        assert TestNumber.objects.get().code(6) in page(answer)
        assert LogEntry.objects.get().action_flag == CHANGE

    def test_the_end_can_be_changed_and_nothing_else(self, admin_client: Client) -> None:
        number = enter(note="before")
        answer = admin_client.post(f"{LIST}{number.pk}/change/", posted(OTHER, days=60, note="after"))

        changed = TestNumber.objects.get()
        assert (answer.status_code, changed.phone, changed.note) == (302, PHONE, "before")
        assert changed.expires_at > number.expires_at
        assert changed.code(6) == number.code(6)
        assert "within the next 90 days" in page(admin_client.post(f"{LIST}{number.pk}/change/", posted(days=91)))

    @pytest.mark.parametrize(("written", "rows"), [("13800138000", 1), ("13900139000", 0), ("8000", 0), ("", 1)])
    def test_it_is_found_by_its_number(self, written: str, rows: int, admin_client: Client) -> None:
        enter()

        assert len(admin_client.get(LIST, {"q": written}).context["cl"].result_list) == rows

    def test_no_other_filter_can_ask_for_digits(self, admin_client: Client) -> None:
        enter()

        assert admin_client.get(LIST, {"phone__startswith": "+861380"}).status_code in (302, 400)

    def test_the_list_says_what_it_does(self, admin_client: Client) -> None:
        number = enter()
        assert "no SMS, its code verifies" in page(admin_client.get(LIST))
        with override_settings(SMSVERIFY={}):
            assert "switched off: it gets SMS" in page(admin_client.get(LIST))
            assert "Test numbers are switched off" in page(
                admin_client.post(LIST, {"action": "make_new_code", "_selected_action": [number.pk]})
            )
        with override_settings(SMSVERIFY={**ALLOWED, "ENCRYPTION_KEYS": ["another"]}):
            assert "its code cannot be decrypted" in page(admin_client.get(LIST))
        TestNumber.objects.update(codes={})
        assert "it has no code" in page(admin_client.get(LIST))
        TestNumber.objects.update(expires_at=timezone.now())
        assert "expired: it gets SMS" in page(admin_client.get(LIST))

    def test_who_may_only_view_sees_no_code_and_changes_nothing(self, client: Client) -> None:
        number = enter(note="call 13800138000")
        client.force_login(staff("view_testnumber", username="viewer"))

        shown = page(client.get(f"{LIST}{number.pk}/change/"))
        client.post(LIST, {"action": "make_new_code", "_selected_action": [number.pk]})

        assert (client.get(ADD).status_code, TestNumber.objects.get().code(6)) == (403, number.code(6))
        assert PHONE[3:] not in shown
        assert "138****8000" in shown

    def test_the_page_of_a_verification_says_that_nothing_was_sent(self, admin_client: Client) -> None:
        enter()
        verification = send_code(PHONE, "login")

        assert "open (test number)" in page(admin_client.get("/admin/smsverify/verification/"))
        shown = page(admin_client.get(f"/admin/smsverify/verification/{verification.pk}/change/"))
        assert "Nothing was sent, as it was a test number then." in shown
