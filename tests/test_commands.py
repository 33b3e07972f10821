"""The management commands, as an operator runs them."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, Message, Provider, Verification
from django_smsverify.types import OutgoingSMS

from .conftest import PHONE, MakeProvider, last_code
from .test_fields import column

REFUSING = {"GATEWAYS": {"refusing": f"{__name__}.RefusingGateway"}}


class RefusingGateway(MemoryGateway):
    """Refuses every number as blacklisted."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        raise GatewayRejected("blacklisted", reason=Reason.RECIPIENT, error_code="12")


def run(command: str, *args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *args, stdout=out, **options)
    return out.getvalue()


def send(phone: str = "138 0013 8000", purpose: str = "login") -> str:
    return run("smsverify_send", phone, "--purpose", purpose)


@pytest.mark.django_db(transaction=True)
class TestSend:
    def test_shows_which_provider_accepted_the_sms(self, memory: MakeProvider) -> None:
        memory()

        output = send()

        verification = Verification.objects.get()
        assert output.splitlines() == ["memory: accepted", f"138****8000: verification {verification.pk}"]
        assert [sms.phone for sms in MemoryGateway.outbox] == [PHONE]
        assert last_code() not in output.replace(str(verification.pk), "")

    def test_shows_why_a_provider_did_not_accept_it(self, memory: MakeProvider) -> None:
        memory(slug="broken", priority=1)
        memory(slug="works", priority=2)
        Provider.objects.filter(slug="broken").update(gateway="gone")

        broken, works, _ = send().splitlines()

        assert broken.startswith('broken: not_sent configuration There is no gateway "gone".')
        assert works == "works: accepted"

    @pytest.mark.parametrize(
        ("phone", "purpose", "output"),
        [
            ("hello", "login", "This is not a phone number. Give the 11 digits of a mobile number"),
            ("010-62781234", "login", "SMS cannot be sent to this number. Use a mobile number of a supported region."),
            ("13800138000", "payment", "There is no such purpose. Ask the operator of the site which purposes exist."),
            ("13800138000", "Login", "There is no such purpose."),
        ],
    )
    def test_a_mistake_is_explained_in_a_sentence(
        self, phone: str, purpose: str, output: str, memory: MakeProvider
    ) -> None:
        memory()

        with pytest.raises(CommandError) as caught:
            send(phone, purpose)

        assert str(caught.value).startswith(output)
        assert str(caught.value).endswith((" (invalid)", " (phone_not_supported)", " (unknown_purpose)"))
        assert not Message.objects.exists()

    def test_no_provider(self, memory: MakeProvider) -> None:
        memory(is_active=False)

        with pytest.raises(CommandError, match=r"^The SMS could not be sent\..*\(gateway_unavailable\)$"):
            send()

    def test_too_soon(self, memory: MakeProvider) -> None:
        memory()
        send()

        with pytest.raises(CommandError, match=r"^Too many requests\. .* \d+ seconds\. \(throttled\)$"):
            send("+8613800138000")

        assert Message.objects.count() == 1

    def test_a_number_that_the_vendor_cannot_serve(self, memory: MakeProvider) -> None:
        memory()
        Provider.objects.update(gateway="refusing")

        with (
            override_settings(SMSVERIFY=REFUSING),
            pytest.raises(CommandError, match=r"^This number cannot receive our SMS\..*\(phone_rejected\)$"),
        ):
            send()

    def test_no_cache(self, memory: MakeProvider) -> None:
        memory()

        with (
            override_settings(RATELIMIT_USE_CACHE="nowhere"),
            pytest.raises(CommandError, match=r"^The service is busy\..*\(throttle_unavailable\)$"),
        ):
            send()

        assert not MemoryGateway.outbox

    @pytest.mark.parametrize(
        "args",
        [
            [],
            ["13800138000"],
            ["--purpose", "login"],
            ["--file", "x.csv"],
            ["--template", "1"],
            ["13800138000", "--purpose", "login", "--file", "x.csv", "--template", "1"],
            ["13800138000", "--file", "x.csv", "--template", "1"],
        ],
    )
    def test_requires_number_and_purpose_or_file_and_template(self, args: list[str]) -> None:
        with pytest.raises(CommandError, match="Give PHONE and --purpose for a code, or --file and --template"):
            call_command("smsverify_send", *args)


def keys(*secrets: str) -> override_settings:
    return override_settings(SMSVERIFY={"ENCRYPTION_KEYS": secrets})


@pytest.mark.django_db
class TestReencrypt:
    def provider(self, slug: str) -> Provider:
        return Provider.objects.create(name=slug.title(), slug=slug, gateway="apispace", credentials={"token": slug})

    def message(self, provider: Provider, values: dict[str, str]) -> Message:
        template = provider.templates.create(purpose="notice", name="notice", content="{name}")
        return Message.objects.create(
            provider=provider, template=template, phone=PHONE, purpose="notice", values=values
        )

    def test_counts_the_encrypted_rows(self) -> None:
        with keys("old"):
            for slug in ("one", "two"):
                self.message(self.provider(slug), {"name": "王"})
        Provider.objects.create(name="none", slug="none", gateway="memory")

        counted = "providers: 2 encrypted anew\nmessages: 2 encrypted anew\nclient keys: 0 encrypted anew\n"
        counted += "test numbers: 0 encrypted anew\n"
        with keys("new", "old"):
            assert run("smsverify_reencrypt") == counted

    def test_has_nothing_to_do_on_a_new_site(self) -> None:
        counted = "providers: 0 encrypted anew\nmessages: 0 encrypted anew\nclient keys: 0 encrypted anew\n"
        counted += "test numbers: 0 encrypted anew\n"
        assert run("smsverify_reencrypt") == counted

    def test_can_be_run_again(self) -> None:
        with keys("old"):
            provider = self.provider("acme")
            message = self.message(provider, {"name": "王"})

        with keys("new", "old"):
            first, before = run("smsverify_reencrypt"), column(provider)
            second, after = run("smsverify_reencrypt"), column(provider)

        assert first.startswith("providers: 1 encrypted anew\nmessages: 1 encrypted anew\n")
        assert second.startswith("providers: 0 encrypted anew\nmessages: 0 encrypted anew\n")
        assert before == after
        with keys("new"):
            assert Provider.objects.get(pk=provider.pk).credentials == {"token": "acme"}
            assert Message.objects.get(pk=message.pk).values == {"name": "王"}

    def test_names_the_rows_with_a_lost_key_and_encrypts_the_others(self) -> None:
        with keys("lost"):
            lost = self.provider("lost")
            message = self.message(lost, {"name": "王"})
        with keys("old"):
            kept = self.provider("kept")
        token = column(lost)

        with keys("new", "old"), pytest.raises(CommandError) as caught:
            run("smsverify_reencrypt")

        assert str(caught.value).splitlines() == [
            "No configured key decrypts:",
            f"  provider {lost.pk}: Lost",
            f"  message {message.pk}: 138****8000 · notice · queued",
            "Add their key, or enter the values again.",
        ]
        assert column(lost) == token
        with keys("new"):
            assert Provider.objects.get(pk=kept.pk).credentials == {"token": "kept"}


OTHER = "+8613900139000"


@pytest.fixture
def known(db: None) -> None:
    """Two numbers that were verified here."""
    for phone in (PHONE, OTHER):
        KnownNumber.objects.remember(phone, datetime.now(UTC), before=None)


def type_in(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))


@pytest.mark.usefixtures("known")
class TestForget:
    def test_each_number_has_a_line_that_says_what_was_forgotten(self) -> None:
        output = run("smsverify_forget", "138-0013-8000", "+8613900139001", "１３８００１３８０００")

        assert output.splitlines() == ["138****8000: forgotten, and its device tokens", "139****9001: was not known"]
        assert KnownNumber.objects.get() == KnownNumber.objects.of(OTHER).get()

    def test_numbers_are_read_from_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        type_in(monkeypatch, "\ufeff138 0013 8000\r\n\r\n".encode())

        output = run("smsverify_forget", OTHER, "-")

        assert [line[:11] for line in output.splitlines()] == ["139****9000", "138****8000"]
        assert not KnownNumber.objects.exists()

    @pytest.mark.parametrize(
        ("written", "output"),
        [
            ("139001390011", "139****0011: This is not a phone number. Give the 11 digits of a mobile number"),
            ("010-62781234", "010****1234: SMS cannot be sent to this number. Use a mobile number of a supported reg"),
            ("", "****: This is not a phone number."),
        ],
    )
    def test_nothing_is_forgotten_when_a_number_cannot_be_read(self, written: str, output: str) -> None:
        with pytest.raises(CommandError) as caught:
            run("smsverify_forget", PHONE, written)

        assert str(caught.value).startswith(f"Number 2 of 2, {output}")
        assert str(caught.value).endswith(" Nothing was forgotten.")
        assert KnownNumber.objects.count() == 2

    @pytest.mark.parametrize(
        ("typed", "output"), [(b"\n \n", "has no number"), (b"\xc9\xcc138", "is not text in the encoding")]
    )
    def test_standard_input_without_numbers_is_explained(
        self, typed: bytes, output: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        type_in(monkeypatch, typed)
        with pytest.raises(CommandError, match=f"^Standard input {output}"):
            run("smsverify_forget", "-")
