"""Filings with carriers: entered by hand, told by a vendor, inferred from reports, and listed where they stop SMS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import translation
from sandbox.server import Sandbox

from django_smsverify.checks.filings import check_filings
from django_smsverify.diagnosis.texts import filings, held_back
from django_smsverify.enums import Carrier, FilingSource, FilingStatus, ReviewStatus, Submission
from django_smsverify.gateways.aliyun.verdicts import asked_verdict
from django_smsverify.models import CarrierFiling, Message, Provider, Signature
from django_smsverify.polling.poll import poll
from django_smsverify.reviews.carrier_filing import UNUSED_FOR, note_filing
from django_smsverify.reviews.next_step import next_step
from django_smsverify.sending import circuits, send_message

from .conftest import MakeProvider, add_template
from .test_carrier_circuits import MOBILE, OFF, TELECOM, UNFILED, number, sent, tell

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HAND, VENDOR, REPORTS = FilingSource
NO_TEMPLATE = "DB:0302"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller, override_settings(SMSVERIFY={"PREFIX_LIMITS": ()}):
        yield traveller


@pytest.fixture
def provider(memory: MakeProvider) -> Provider:
    return memory(slug="first", priority=1)


@pytest.fixture
def signature(provider: Provider) -> Signature:
    return provider.signatures.get()


def known() -> list[tuple[str, str, str, str]]:
    """What, carrier, status and source of each filing."""
    rows = CarrierFiling.objects.order_by("carrier")
    return [("signature" if row.signature_id else "template", row.carrier, row.status, row.source) for row in rows]


class TestReports:
    @pytest.mark.parametrize(("code", "what"), [(UNFILED, "signature"), (NO_TEMPLATE, "template")])
    def test_a_failure_for_want_of_filing_is_stored(self, code: str, what: str, provider: Provider) -> None:
        tell(sent(TELECOM), code)

        assert known() == [(what, "telecom", "unfiled", "reports")]
        assert CarrierFiling.objects.get().note == code

    def test_so_is_that_of_a_notice(self, provider: Provider) -> None:
        notice = add_template(provider, "notice", "您的订单已发货。", "")
        (message,) = send_message(notice, {number(MOBILE): {}})
        tell(message, UNFILED)

        assert known() == [("signature", "mobile", "unfiled", "reports")]

    @pytest.mark.parametrize("code", [OFF, "MA:0051", "DB:0309", "what?"])
    def test_other_causes_say_nothing_of_it(self, code: str, provider: Provider) -> None:
        tell(sent(TELECOM), code)

        assert known() == []

    def test_a_repetition_stores_nothing_new(self, provider: Provider, clock: time_machine.Traveller) -> None:
        tell(sent(TELECOM), UNFILED)
        clock.shift(3600)
        tell(sent(TELECOM), UNFILED)

        assert CarrierFiling.objects.get().changed_at == NOW

    def test_a_template_without_a_signature(self, provider: Provider) -> None:
        provider.templates.update(signature=None)
        tell(sent(TELECOM), UNFILED)

        assert known() == []

    def test_what_the_count_suspects_is_stored_as_suspected(self, provider: Provider, signature: Signature) -> None:
        tell(sent(MOBILE), delivered=True)
        for _ in range(5):
            tell(sent(TELECOM), OFF)

        assert known() == [("signature", "telecom", "suspected", "reports")]
        assert CarrierFiling.objects.get().note == "5/5"

    @pytest.mark.parametrize(
        ("status", "source"),
        [(FilingStatus.REFUSED, VENDOR), (FilingStatus.FILED, HAND), (FilingStatus.UNFILED, REPORTS)],
    )
    def test_a_suspicion_does_not_replace_what_is_known(
        self, status: FilingStatus, source: FilingSource, provider: Provider, signature: Signature
    ) -> None:
        note_filing(signature, TELECOM, status, source)
        tell(sent(MOBILE), delivered=True)
        for _ in range(5):
            tell(sent(TELECOM), OFF)

        assert known() == [("signature", "telecom", status, source)]

    @pytest.mark.parametrize(("source", "after"), [(REPORTS, "filed"), (HAND, "unfiled")])
    def test_a_trial_that_arrives_ends_what_reports_have_said(
        self,
        source: FilingSource,
        after: str,
        provider: Provider,
        signature: Signature,
        memory: MakeProvider,
        clock: time_machine.Traveller,
    ) -> None:
        memory(slug="second", priority=2)
        for _ in range(circuits.FAILURES):
            tell(sent(TELECOM), UNFILED)
        CarrierFiling.objects.update(source=source)
        clock.shift(circuits.FIRST_PAUSE)
        trial = sent(TELECOM)
        assert trial.is_trial
        tell(trial, delivered=True)

        assert known() == [("signature", "telecom", after, source)]


class TestVendor:
    """Aliyun tells the state of a signature at each carrier."""

    @pytest.fixture
    def aliyun(self, vendor: MakeProvider, sandbox: Sandbox) -> Signature:
        signature = vendor("aliyun").signatures.get()
        Signature.objects.update(remote_id=signature.text, poll_at=NOW)
        sandbox.aliyun_filings = {"mobile": 3, "unicom": -1, "telecom": 2, "satellite": 3}
        return signature

    def test_it_is_stored_and_asked_again_after_a_week(
        self, aliyun: Signature, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        poll()
        assert known() == [
            ("signature", "mobile", "filed", "vendor"),
            ("signature", "telecom", "expired", "vendor"),
            ("signature", "unicom", "pending", "vendor"),
        ]
        sandbox.aliyun_filings = {"mobile": 3, "unicom": 3, "telecom": 3}
        clock.shift(timedelta(days=6))
        poll()
        assert {status for _, _, status, _ in known()} == {"filed", "expired", "pending"}

        clock.shift(timedelta(days=1))
        poll()

        assert {status for _, _, status, _ in known()} == {"filed"}
        aliyun.refresh_from_db()
        assert aliyun.status == ReviewStatus.APPROVED

    def test_the_newest_word_counts(self, aliyun: Signature) -> None:
        note_filing(aliyun, Carrier.MOBILE, FilingStatus.UNFILED, REPORTS)
        poll()

        assert ("signature", "mobile", "filed", "vendor") in known()

    @pytest.mark.parametrize(
        "told", [None, {}, "", [None], [{}], [{"OperatorCode": "mobile"}], [{"RegisterStatus": 3}], [[]], [{"a": 1}]]
    )
    def test_another_shape_is_left_out(self, told: Any) -> None:
        found = {"SignName": "示例站", "SignStatus": 1, "SignIspRegisterDetailList": told}

        assert asked_verdict(Submission.SIGNATURE, found).filings == {}

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (3, FilingStatus.FILED),
            ("1", FilingStatus.PENDING),
            (-1, FilingStatus.PENDING),
            (0, FilingStatus.REFUSED),
            (2, FilingStatus.EXPIRED),
            (-2, FilingStatus.UNFILED),
        ],
    )
    def test_each_status(self, status: Any, expected: FilingStatus) -> None:
        rows = [{"OperatorCode": "Telecom", "RegisterStatus": status}, {"OperatorCode": "mobile", "RegisterStatus": 99}]
        found = {"SignName": "示例站", "SignStatus": 1, "SignIspRegisterDetailList": rows}

        assert asked_verdict(Submission.SIGNATURE, found).filings == {TELECOM: expected}


class TestAdmin:
    @pytest.fixture
    def boss(self, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("boss"))
        return client

    def save(self, boss: Client, signature: Signature, **filing: Any) -> Any:
        rows = list(signature.filings.all())
        forms = {"filings-TOTAL_FORMS": 1, "filings-INITIAL_FORMS": len(rows), "filings-0-signature": signature.pk}
        forms |= {"filings-0-id": rows[0].pk} if rows else {}
        fields = {"provider": signature.provider_id, "text": signature.text, "status": signature.status, "remark": ""}
        fields |= {"remote_id": signature.remote_id, "reason": ""}
        url = reverse("admin:smsverify_signature_change", args=[signature.pk])
        return boss.post(url, {**fields, **forms, **{f"filings-0-{name}": value for name, value in filing.items()}})

    def test_an_operator_enters_a_filing(self, boss: Client, signature: Signature) -> None:
        answer = self.save(boss, signature, carrier="telecom", status="unfiled")

        assert answer.status_code == 302, answer.content.decode()
        assert known() == [("signature", "telecom", "unfiled", "hand")]

    def test_what_an_operator_changes_is_his_word(self, boss: Client, signature: Signature) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS, "DB:0151")
        self.save(boss, signature, carrier="telecom", status="pending")

        assert known() == [("signature", "telecom", "pending", "hand")]
        assert CarrierFiling.objects.get().note == ""

    def test_saving_the_page_alone_changes_no_source(self, boss: Client, signature: Signature) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS, "DB:0151")
        self.save(boss, signature, carrier="telecom", status="unfiled")

        assert known() == [("signature", "telecom", "unfiled", "reports")]

    @pytest.mark.parametrize(
        ("source", "advice"),
        [
            (HAND, "set it to “filed” below when it is"),
            (VENDOR, "enter nothing here"),
            (REPORTS, "it becomes “filed” by itself"),
        ],
    )
    def test_its_page_begins_with_what_is_held_back_and_what_to_do(
        self, source: FilingSource, advice: str, boss: Client, signature: Signature
    ) -> None:
        url = reverse("admin:smsverify_signature_change", args=[signature.pk])
        note_filing(signature, MOBILE, FilingStatus.FILED, source)
        assert "It is approved: templates" in boss.get(url, headers={"accept-language": "en"}).content.decode()
        note_filing(signature, TELECOM, FilingStatus.UNFILED, source)

        html = boss.get(url, headers={"accept-language": "en"}).content.decode()
        panel = html[html.index('class="smsverify-panel"') :].partition("</section>")[0]
        assert '<span class="smsverify-state bad">China Telecom: not filed</span>' in panel
        assert "to file it (报备) with: China Telecom." in panel
        assert advice in panel
        assert "It is approved: templates" not in panel
        with translation.override("en"):
            told = next_step(signature.templates.get()).words
        assert "carriers hold back its signature 【示例站】, whose page says what to do: China Telecom." in told

    def test_the_lists_show_who_holds_back(self, boss: Client, signature: Signature, provider: Provider) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS, "13800138000")
        note_filing(provider.templates.get(), MOBILE, FilingStatus.REFUSED, VENDOR)
        for model, words in (("signature", "中国电信: 未报备"), ("template", "中国移动: 被运营商拒绝")):
            url = reverse(f"admin:smsverify_{model}_changelist")
            assert words in boss.get(url, headers={"accept-language": "zh-hans"}).content.decode()
        url = reverse("admin:smsverify_signature_changelist")
        shown = boss.get(url, {"filings__status": "unfiled"}, headers={"accept-language": "en"}).content.decode()
        assert "China Telecom: not filed" in shown
        page = boss.get(reverse("admin:smsverify_signature_change", args=[signature.pk])).content.decode()
        assert "13800138000" not in page


def found() -> list[CheckMessage]:
    return check_filings(databases=["default"])


class TestChecks:
    def test_a_signature_that_is_held_back(self, signature: Signature) -> None:
        assert found() == []
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)
        note_filing(signature, MOBILE, FilingStatus.FILED, REPORTS)

        (message,) = found()
        assert message.id == "smsverify.W013"
        assert message.msg == "The signature 【示例站】 of first is approved and not filed (telecom: unfiled)."

    @pytest.mark.parametrize("status", [ReviewStatus.PENDING, ReviewStatus.REJECTED, ReviewStatus.DRAFT])
    def test_one_that_is_not_approved_is_no_news(self, status: ReviewStatus, signature: Signature) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)
        Signature.objects.update(status=status)

        assert found() == []

    def test_an_inactive_provider_is_left_out(self, signature: Signature) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)
        Provider.objects.update(is_active=False)

        assert found() == []

    def test_a_signature_that_was_not_used_for_months(
        self, signature: Signature, clock: time_machine.Traveller
    ) -> None:
        sent(MOBILE)
        clock.shift(UNUSED_FOR - timedelta(seconds=1))
        assert found() == []
        clock.shift(2)

        (message,) = found()
        assert (message.id, message.msg) == (
            "smsverify.W014",
            "The signature 【示例站】 of first was not used since 2026-11-27.",
        )

    def test_one_that_was_never_used_is_new(self, signature: Signature, clock: time_machine.Traveller) -> None:
        clock.shift(2 * UNUSED_FOR)

        assert found() == []

    def test_nothing_is_asked_without_the_database(self, signature: Signature) -> None:
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)

        assert check_filings(databases=None) == []
        assert check_filings(databases=["other"]) == []

    def test_the_check_of_a_provider_lists_both(
        self, provider: Provider, signature: Signature, clock: time_machine.Traveller
    ) -> None:
        tell(sent(TELECOM), UNFILED)
        note_filing(provider.templates.get(), MOBILE, FilingStatus.EXPIRED, VENDOR)
        clock.shift(UNUSED_FOR + timedelta(seconds=1))
        output = StringIO()
        with pytest.raises(CommandError, match="signature 【示例站】, template first login"):
            call_command("smsverify_check", "first", stdout=output)

        told = output.getvalue()
        assert "China Telecom: not filed (seen in delivery reports, 2026-11-27)" in told
        assert "China Mobile: expired, because it was not used (told by the vendor, 2026-11-27)" in told
        assert "It was not used since 2026-11-27" in told

    def test_its_dates_are_those_of_the_site(
        self, provider: Provider, signature: Signature, clock: time_machine.Traveller
    ) -> None:
        """At 18:03 in UTC the next day has begun in Shanghai."""
        clock.move_to(NOW.replace(hour=18, minute=3))
        sent(MOBILE)
        note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)

        assert [finding.words for finding in held_back(signature, signature.filings.all())] == [
            "China Telecom: not filed (seen in delivery reports, 2026-11-28)"
        ]
        clock.shift(UNUSED_FOR + timedelta(seconds=1))
        assert "was not used since 2026-11-28" in found()[1].msg
        assert any("It was not used since 2026-11-28" in finding.words for finding in filings(provider))


def test_a_filing_goes_with_its_signature(signature: Signature, provider: Provider) -> None:
    note_filing(signature, TELECOM, FilingStatus.UNFILED, REPORTS)
    note_filing(signature, TELECOM, FilingStatus.FILED, VENDOR)
    assert CarrierFiling.objects.count() == 1
    Message.objects.all().delete()
    provider.templates.all().delete()
    signature.delete()

    assert known() == []
