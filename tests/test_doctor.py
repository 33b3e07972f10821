"""The doctor: what codes lack to go out, what an operator is to do now, and the command that prints it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from sandbox.server import Sandbox

from benchmarks.plan_reader import Watch
from django_smsverify.diagnosis.findings import State
from django_smsverify.enums import (
    Carrier,
    Cause,
    FilingStatus,
    Guarded,
    MessageStatus,
    ProbeState,
    Reason,
    ReviewStatus,
    Submission,
)
from django_smsverify.exceptions import NoRoute
from django_smsverify.models import (
    CarrierFiling,
    Closure,
    DeliveryReport,
    JobRun,
    Message,
    Probe,
    Provider,
    Signature,
    Spending,
    Template,
    TestNumber,
)
from django_smsverify.operations.doctor import Action, Kind, Problem, examine_purposes, what_to_do
from django_smsverify.operations.job_runs import POLL, noted
from django_smsverify.sending import circuits, send_code
from django_smsverify.sending.circuits import Way

from .conftest import CODE_TEXT, PHONE, SECRETS, MakeProvider, add_template
from .gateways.support import GATEWAYS, body_of, offline, submitted

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": (), "IP_LIMITS": (), "PREFIX_LIMITS": (), "GUARD": "off"}
READY = {"TRUSTED_PROXIES": 0, **LIMITS}


@pytest.fixture(autouse=True)
def _polled() -> Iterator[None]:
    """A site whose poll has just run, and that knows its proxies."""
    with noted(POLL):
        pass
    with override_settings(SMSVERIFY=READY):
        yield


def run(*arguments: str) -> tuple[str, str]:
    """The output of the command, and its error, which is blank when nothing is wrong."""
    out = io.StringIO()
    try:
        call_command("smsverify_doctor", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def findings(provider: Provider) -> dict[str, State]:
    """The states by subject, of the provider and of its ways."""
    found = examine_purposes(provider)
    of_ways = [one for state in found.purposes for way in state.ways for one in way.lacks]
    every = [*found.site, *found.providers[provider], *of_ways]
    return {str(one.subject): one.state for one in every if one.subject not in ("cache", "webhook")}


def is_ready(purpose: str = "login") -> bool:
    (state,) = (one for one in examine_purposes().purposes if one.purpose == purpose)
    return state.is_ready


def fill(provider: Provider, count: int, status: MessageStatus, **fields: Any) -> None:
    """Messages of the last minutes with one outcome."""
    template, now = provider.templates.all()[0], timezone.now()
    Message.objects.bulk_create(
        Message(
            provider=provider,
            template=template,
            phone=f"+86138001380{number:02}",
            purpose="login",
            status=status,
            claimed_at=now,
            created_at=now - timedelta(seconds=number),
            **fields,
        )
        for number in range(count)
    )


def only(kind: Kind) -> Problem:
    """The one problem of a kind."""
    (problem,) = (one for one in what_to_do() if one.kind == kind)
    return problem


class TestExamination:
    def test_a_site_that_sends_is_ready_and_nothing_is_wrong(self, memory: MakeProvider) -> None:
        memory("login", "payment")
        with override_settings(DEBUG=True):
            output, error = run()

        assert error == ""
        assert output.splitlines() == [
            "memory (memory): ok",
            "login: ready",
            "  memory · memory login: ready",
            "payment: ready",
            "  memory · memory payment: ready",
        ]

    @pytest.mark.parametrize(
        ("change", "subject"),
        [
            ({"is_active": False}, "provider"),
            ({"gateway": "gone"}, "gateway"),
            ({"budget_day": Decimal(1)}, "price"),
            ({"budget_day": Decimal(1), "price": Decimal(2)}, "budget"),
        ],
    )
    def test_what_a_provider_lacks(self, change: dict[str, Any], subject: str, memory: MakeProvider) -> None:
        provider = memory()
        Provider.objects.update(**change)
        provider.refresh_from_db()

        assert findings(provider)[subject] == State.WRONG
        assert not is_ready()
        with pytest.raises(NoRoute):
            send_code(PHONE, "login")

    def test_an_empty_account(self, memory: MakeProvider) -> None:
        provider = memory(balance=Decimal(0))

        assert findings(provider)["balance"] == State.WRONG
        assert not is_ready()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"is_active": False}, "It is switched off."),
            ({"status": ReviewStatus.DRAFT}, "As stored here: draft."),
            ({"status": ReviewStatus.PENDING}, "As stored here: in review."),
            ({"status": ReviewStatus.REJECTED, "reason": f"of {PHONE}"}, "As stored here: rejected. of "),
        ],
    )
    def test_what_a_template_lacks(self, change: dict[str, Any], words: str, memory: MakeProvider) -> None:
        memory()
        Template.objects.update(**change)

        output, error = run()

        assert f"[wrong] template memory login: {words}" in output
        assert PHONE[3:] not in output
        assert "login" in error
        assert not is_ready()

    def test_a_signature_that_is_not_approved(self, memory: MakeProvider) -> None:
        provider = memory()
        Signature.objects.update(status=ReviewStatus.PENDING)

        assert findings(provider)["signature 【示例站】"] == State.WRONG
        assert not is_ready()

    def test_keys_that_cannot_be_decrypted(self, vendor: MakeProvider) -> None:
        provider = vendor("topthink")

        with override_settings(SMSVERIFY={**READY, "ENCRYPTION_KEYS": ["all new"]}):
            assert findings(Provider.objects.get())["keys"] == State.WRONG
            output, _ = run()
        assert "Have the developer put that key back, or enter the credentials again" in output
        assert not any(secret in output for secret in (*SECRETS, provider.webhook_secret))

    def test_a_text_without_the_id_by_which_its_vendor_knows_it(self, vendor: MakeProvider) -> None:
        provider = vendor("topthink")
        assert is_ready()
        Template.objects.update(remote_id="")
        Signature.objects.update(remote_id="")

        found = findings(provider)

        assert (found["template topthink login"], found["signature 【示例站】"]) == (State.WRONG, State.WRONG)
        assert not is_ready()

    def test_a_vendor_that_is_given_the_whole_text_needs_no_id(self, vendor: MakeProvider) -> None:
        vendor("apispace")
        Template.objects.update(remote_id="")

        assert is_ready()

    @pytest.mark.parametrize("gateway", GATEWAYS)
    def test_a_gateway_declares_the_ids_that_its_requests_name(self, gateway: str) -> None:
        for options in ({}, {"mode": "template"}) if gateway == "ihuyi" else ({},):
            found, requests = offline(gateway, b"", **options)
            sms = replace(submitted(gateway), template_id="T4711", signature_id="S4712")

            found.send(sms)

            text = "".join(f"{request.url} {body_of(request)}" for request in requests)
            ids = {"T4711": Submission.TEMPLATE, "S4712": Submission.SIGNATURE}
            assert {kind for word, kind in ids.items() if word in text} == found.sends_ids_with(options)

    def test_a_filing_that_a_carrier_lacks_is_told_and_codes_go_out_all_the_same(self, memory: MakeProvider) -> None:
        provider = memory()
        filing = {"carrier": Carrier.TELECOM, "status": FilingStatus.UNFILED}
        CarrierFiling.objects.create(signature=provider.signatures.get(), **filing)

        output, error = run("login")

        assert "China Telecom: not filed" in output
        assert is_ready()
        assert error == "Something is wrong: signature 【示例站】"

    def test_an_open_circuit(self, memory: MakeProvider) -> None:
        provider = memory()
        circuits.open_by_reports(provider, Way(provider.pk, Carrier.TELECOM), Cause.ROUTE_FAULT, "SIGNERR")
        assert (findings(provider)["circuit"], is_ready()) == (State.NOTABLE, True)
        circuits.close(provider)

        circuits.open_by_reports(provider, Way(provider.pk), Cause.ROUTE_FAULT, "down")

        assert (findings(provider)["circuit"], is_ready()) == (State.WRONG, False)

    def test_the_second_provider_makes_a_purpose_ready(self, memory: MakeProvider) -> None:
        memory(slug="off", is_active=False)
        memory(slug="on")

        assert is_ready()

    def test_the_vendor_refused_eight_of_eight(self, vendor: MakeProvider) -> None:
        provider = vendor("ihuyi")
        fill(provider, 8, MessageStatus.NOT_SENT, error_reason=Reason.ACCOUNT)

        output, error = run("ihuyi")

        assert "last hour: 8 of 8 SMS failed (100 %), most often: account: key, balance" in output
        assert "ihuyi last hour" in error
        assert not is_ready()
        fill(provider, 4, MessageStatus.DELIVERED)
        assert (findings(provider)["last hour"], is_ready()) == (State.WRONG, True), "some codes go out"

    def test_the_poll(self, memory: MakeProvider) -> None:
        provider = memory()
        assert "poll" not in findings(provider)
        JobRun.objects.update(started_at=timezone.now() - timedelta(minutes=16))
        assert findings(provider)["poll"] == State.WRONG
        JobRun.objects.all().delete()

        output, error = run()

        assert "[wrong] poll: The poll never ran" in output
        assert "poll" in error

    def test_a_cache_that_does_not_count_and_proxies_that_are_not_known(
        self, memory: MakeProvider, tmp_path: Any
    ) -> None:
        memory()
        cache = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
        with override_settings(CACHES={"default": cache}, SMSVERIFY=LIMITS):
            output, error = run()

        assert '[wrong] cache: The throttle\'s cache "default" (FileBasedCache) does not count atomically.' in output
        assert '[not known] client addresses: SMSVERIFY["TRUSTED_PROXIES"] is not set' in output
        assert "cache" in error

    def test_a_vendor_that_never_called(self, vendor: MakeProvider) -> None:
        vendor("ihuyi")

        output, _ = run()

        assert "[not known] webhook: No report ever came." in output
        assert "python manage.py smsverify_webhooks ihuyi --test" in output

    def test_it_asks_no_vendor_and_changes_nothing(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("topthink")
        before, exchanges = list(Provider.objects.values()), len(sandbox.exchanges)

        run()
        what_to_do()

        assert len(sandbox.exchanges) == exchanges
        assert list(Provider.objects.values()) == before
        assert not Spending.objects.exists()


class TestCommand:
    def test_one_purpose_or_one_provider(self, memory: MakeProvider) -> None:
        memory("login", "payment", slug="one")
        memory("payment", slug="two", is_active=False)

        assert "payment" not in run("login")[0]
        output, _ = run("two")
        assert "login" not in output
        assert "[wrong] provider: It is switched off." in output

    def test_a_name_that_nothing_has(self, memory: MakeProvider) -> None:
        memory()

        assert run("nonsense") == (
            "",
            "No template has the purpose nonsense, so no code can be sent for it, and no provider is called so. If "
            "your pages ask for it: add one in the admin under Templates, or by smsverify_setup; else compare with "
            "what there is: memory, login.",
        )

    def test_a_purpose_without_a_template_for_codes(self, memory: MakeProvider) -> None:
        add_template(memory("login"), "order", "您的订单已发货", "")
        todo = "add one in the admin under Templates, or by smsverify_setup."

        no_code = f"The templates of the purpose order have no {{code}}, so no code can be sent for it: {todo}"
        assert run("order")[1] == no_code
        with override_settings(SMSVERIFY={**READY, "PURPOSES": {"payment": {"CODE_LENGTH": 6}}}):
            assert run("payment")[1] == (
                f"No template has the purpose payment, which is in PURPOSES, so no code can be sent for it: {todo}"
            )

    def test_a_site_without_a_template(self, db: None) -> None:
        output, _ = run()

        assert output.splitlines()[-1].startswith("No template has {code}")

    def test_json(self, memory: MakeProvider) -> None:
        memory(is_active=False)

        output, error = run("--format", "json")

        found = json.loads(output)
        assert error
        assert (found["wrong"], found["purposes"][0]["ready"]) == (True, False)
        assert found["providers"][0]["findings"][0] == {
            "state": "wrong",
            "subject": "provider",
            "words": "It is switched off.",
            "advice": "Switch it on in the admin.",
        }


class TestWhatToDo:
    def test_nothing_is_to_do(self, memory: MakeProvider) -> None:
        memory()

        assert what_to_do() == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": MessageStatus.NOT_SENT, "error_reason": Reason.CONTENT},
            {"status": MessageStatus.NOT_SENT, "error_reason": ""},
            {"status": MessageStatus.UNKNOWN},
            {"status": MessageStatus.UNDELIVERED, "cause": "signature_unfiled"},
        ],
    )
    def test_a_provider_that_fails_for_any_reason(self, fields: dict[str, Any], memory: MakeProvider) -> None:
        provider = memory()
        fill(provider, 8, **fields)

        problem = only(Kind.FAILING)

        assert (problem.tone, problem.about, problem.action) == (
            "bad",
            ("smsverify.provider", provider.pk),
            Action.TEST,
        )
        assert "last hour: 8 of 8 SMS failed (100 %)" in problem.words

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": MessageStatus.NOT_SENT, "error_reason": Reason.RECIPIENT},
            {"status": MessageStatus.UNDELIVERED, "cause": "phone_off"},
            {"status": MessageStatus.DELIVERED},
        ],
    )
    def test_the_fault_of_a_phone_is_no_failure(self, fields: dict[str, Any], memory: MakeProvider) -> None:
        fill(memory(), 8, **fields)

        assert what_to_do() == []

    def test_the_guard_s_closures(self, db: None) -> None:
        now = timezone.now()
        figures = {"sent": 20, "verified": 0, "since": now, "until": now + timedelta(hours=1)}
        block = Closure.objects.create(kind=Guarded.BLOCK, subject="+861380013", **figures)
        Closure.objects.create(kind=Guarded.SITE, **{**figures, "until": now})
        Closure.objects.create(kind=Guarded.NETWORK, subject="203.0.113.0/24", is_watched=True, **figures)

        with override_settings(SMSVERIFY={**READY, "GUARD": "on"}):
            problem = only(Kind.CLOSURE)

            assert (problem.about, problem.action) == (("smsverify.closure", block.pk), Action.LIFT)
            assert "number block +861380013" in problem.words
            Closure.objects.update(lifted_at=now)
            assert what_to_do() == []

    def test_the_most_urgent_comes_first(self, memory: MakeProvider) -> None:
        provider = memory(balance=Decimal(5), balance_alert=Decimal(9))
        add_template(provider, "pay", CODE_TEXT, "", status=ReviewStatus.PENDING)
        fill(provider, 8, MessageStatus.NOT_SENT, error_reason=Reason.ACCOUNT)
        JobRun.objects.all().delete()

        found = [(one.kind, one.tone) for one in what_to_do()]

        urgent = [(Kind.PURPOSE, "bad"), (Kind.FAILING, "bad"), (Kind.POLL, "bad")]
        assert found == [*urgent, (Kind.BALANCE, "warn"), (Kind.REVIEW, "warn")]

    def test_texts_and_budgets(self, memory: MakeProvider) -> None:
        provider = memory("login", price=Decimal(1), budget_day=Decimal(1))
        send_code(PHONE, "login")
        signature = provider.signatures.get()
        CarrierFiling.objects.create(signature=signature, carrier=Carrier.TELECOM, status=FilingStatus.UNFILED)
        CarrierFiling.objects.create(signature=signature, carrier=Carrier.MOBILE, status=FilingStatus.FILED)
        rejected = add_template(provider, "payment", CODE_TEXT, "", status=ReviewStatus.REJECTED)

        found = {one.kind: one for one in what_to_do()}

        assert found[Kind.FILING].words == "Signature “示例站” of memory at China Telecom: not filed"
        assert found[Kind.FILING].about == ("smsverify.signature", signature.pk)
        assert found[Kind.REVIEW].about == ("smsverify.template", rejected.pk)
        assert found[Kind.BUDGET].about == ("smsverify.spending", Spending.objects.get().pk)
        assert "1 of 1 yuan are spent" in found[Kind.BUDGET].words
        assert found.keys() == {Kind.PURPOSE, Kind.FILING, Kind.REVIEW, Kind.BUDGET}

    def test_probes_and_test_numbers(self, memory: MakeProvider) -> None:
        provider = memory()
        fill(provider, 4, MessageStatus.ACCEPTED)
        probes = [
            (Carrier.MOBILE, ProbeState.DELIVERED),
            (Carrier.MOBILE, ProbeState.SILENT),
            (Carrier.UNICOM, ProbeState.FAILED),
            (Carrier.UNICOM, ProbeState.DELIVERED),
        ]
        for number, (message, (carrier, state)) in enumerate(zip(Message.objects.all(), probes, strict=True), 1):
            Probe.objects.create(message=message, provider=provider, carrier=carrier, number=number, state=state)
        TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=1))

        assert [one.kind for one in what_to_do()] == [Kind.PROBE]
        with override_settings(SMSVERIFY={**READY, "ALLOW_TEST_NUMBERS": True}):
            found = what_to_do()
        assert [one.kind for one in found] == [Kind.PROBE, Kind.TEST_NUMBERS]
        assert PHONE[3:] not in str(found)

    def test_a_purpose_without_an_open_way_is_the_first_thing_to_do(self, memory: MakeProvider) -> None:
        first, second = memory("login", slug="first"), memory("login", "pay", slug="second")
        Provider.objects.filter(pk=second.pk).update(is_active=False)
        found = [one for one in what_to_do() if one.kind == Kind.PURPOSE]
        assert [one.words.partition(". ")[0] for one in found] == ["Nobody gets a code for: pay"]
        assert what_to_do()[0].kind == Kind.PURPOSE

        Template.objects.filter(provider=first).update(status=ReviewStatus.PENDING)
        (found_again,) = [one for one in what_to_do() if one.kind == Kind.PURPOSE]
        assert "login, pay" in found_again.words

        Provider.objects.filter(pk=second.pk).update(is_active=True)
        assert Kind.PURPOSE not in {one.kind for one in what_to_do()}

    def test_it_costs_eight_queries_however_much_is_wrong(self, memory: MakeProvider) -> None:
        for number in range(4):
            provider = memory(slug=f"m{number}", price=Decimal(1), budget_day=Decimal(1), balance=Decimal(0))
            fill(provider, 8, MessageStatus.NOT_SENT, error_reason=Reason.ACCOUNT)
        Provider.objects.filter(slug="m3").update(gateway="ihuyi", credentials={})
        Template.objects.update(status=ReviewStatus.REJECTED)
        TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=1))

        with override_settings(SMSVERIFY={**READY, "ALLOW_TEST_NUMBERS": True, "BUDGET": {"day": 1}}):
            with CaptureQueriesContext(connection) as asked:
                found = what_to_do()
            with CaptureQueriesContext(connection) as examined:
                examine_purposes()

        assert len(found) >= 13
        assert len(asked) <= 8
        assert len(examined) <= 9

    def test_every_query_has_an_index(self, vendor: MakeProvider) -> None:
        vendor("ihuyi", price=Decimal(1), budget_day=Decimal(1))
        fill(Provider.objects.get(), 8, MessageStatus.ACCEPTED)
        watch = Watch(connection)

        with connection.execute_wrapper(watch):
            what_to_do()
            examine_purposes()

        big = {Message._meta.db_table, DeliveryReport._meta.db_table}
        assert len(watch.seen) >= 10
        if connection.vendor == "sqlite":  # others read a table of eight rows as a whole
            assert [fault for one in watch.seen.values() for fault in one.faults(big, most=10**6)] == []


class TestSend:
    def test_a_code_that_nothing_can_send_is_followed_by_what_lacks(self, memory: MakeProvider) -> None:
        memory(is_active=False)
        out = io.StringIO()

        with pytest.raises(CommandError):
            call_command("smsverify_send", PHONE, "--purpose", "login", stdout=out)

        assert "[wrong] provider: It is switched off." in out.getvalue()
        assert "login: no code goes out" in out.getvalue()

    def test_a_code_that_was_refused_is_followed_by_what_lacks(self, vendor: MakeProvider) -> None:
        vendor("topthink")
        Template.objects.update(remote_id="")
        out = io.StringIO()

        with pytest.raises(CommandError):
            call_command("smsverify_send", PHONE, "--purpose", "login", stdout=out)

        assert "It has no id at the vendor" in out.getvalue()
