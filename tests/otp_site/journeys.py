"""What people with a password and a phone do on a site with django-otp."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.test import TestCase
from django.utils import timezone
from django_otp import verify_token
from django_otp.forms import OTPAuthenticationForm, otp_verification_failed
from django_otp.plugins.otp_static.models import StaticDevice
from members.phones import add_phone, confirm_phone

from django_smsverify.contrib.otp.forms import SMSAuthenticationForm, SMSTokenForm
from django_smsverify.contrib.otp.models import SMSDevice
from django_smsverify.exceptions import (
    ContextMismatch,
    InsideTransaction,
    InvalidPhone,
    Throttled,
    TooManyAttempts,
    VerificationNotFound,
    WrongCode,
)
from django_smsverify.models import Verification
from django_smsverify.testing import SMSTestMixin

PHONE, OTHER, PASSWORD = "13800138000", "13900139000", "long-enough-1"


class SecondFactorTest(SMSTestMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = User.objects.create_user("member", password=PASSWORD)

    def device(self, user: User | None = None, phone: str = PHONE) -> SMSDevice:
        """A phone that has been confirmed."""
        device: SMSDevice = add_phone(user or self.user, phone)[0]
        confirm_phone(device, self.sms.code)
        return device

    def post(self, device: Any = None, **typed: str) -> Any:
        known = {"username": "member", "password": PASSWORD, "otp_device": getattr(device, "persistent_id", "")}
        return self.client.post("/login/", {**known, **typed})

    def errors(self, *args: Any, **typed: str) -> list[str]:
        answer = self.post(*args, **typed)
        assert answer.status_code == 200
        return list(answer.context["form"].non_field_errors())

    def is_safe(self) -> bool:
        return self.client.get("/safe/").status_code == 200

    def test_a_phone_is_confirmed_by_its_first_right_code(self) -> None:
        device, told = add_phone(self.user, "+86 138 0013 8000")
        assert (told, device.phone, device.confirmed) == ("A code was sent to 138****8000.", "+8613800138000", False)
        with pytest.raises(WrongCode):
            confirm_phone(device, "000000")

        confirm_phone(device, self.sms.code)

        assert SMSDevice.objects.get().confirmed
        assert f"{SMSDevice.objects.get()!r}" == "<SMSDevice: Phone (138****8000)>"
        assert PHONE not in f"{SMSDevice.objects.get().phone!r}"

    def test_password_and_code_log_in(self) -> None:
        device = self.device()
        answer = self.post()
        assert str(answer.context["form"].fields["otp_device"].widget.choices[1][1]) == "Phone"
        self.sms.outbox.clear()
        assert self.errors(device, otp_challenge="1") == ["A code was sent to 138****8000."]
        assert not self.is_safe()

        answer = self.post(device, otp_token=f" {self.sms.code[:3]}-{self.sms.code[3:]} ")

        assert answer["Location"] == "/safe/"
        assert self.is_safe()
        assert SMSDevice.objects.get().last_used_at

    def test_no_row_has_a_code(self) -> None:
        device, _told = add_phone(self.user, PHONE)

        assert self.sms.code not in str(SMSDevice.objects.values())
        assert device.verification is not None

    def test_a_wrong_and_a_used_code_are_told(self) -> None:
        heard: list[Any] = []
        otp_verification_failed.connect(lambda user, **more: heard.append(user), weak=False, dispatch_uid="test")
        self.addCleanup(otp_verification_failed.disconnect, dispatch_uid="test")
        device = self.device()
        self.errors(device, otp_challenge="1")
        right = self.sms.code

        assert self.errors(device, otp_token="000000") == ["Wrong code. 4 attempts left."]
        assert heard == [self.user]
        assert self.errors(device) == ["Please enter your OTP token."]
        self.post(device, otp_token=right)
        self.client.logout()
        assert self.errors(device, otp_token=right) == [str(VerificationNotFound())]
        assert not device.verify_token(right)

    def test_the_limits_hold_and_the_live_code_is_sent_again(self) -> None:
        device = self.device()
        self.sms.limits(RESEND_INTERVAL=60)
        with time_machine.travel(timezone.now() + timedelta(minutes=2)) as clock:
            self.errors(device, otp_challenge="1")
            assert "Please try again in" in self.errors(device, otp_challenge="1")[0]
            first, count = self.sms.code, len(self.sms.outbox)
            clock.shift(61)
            self.errors(device, otp_challenge="1")
            assert (self.sms.code, len(self.sms.outbox)) == (first, count + 1)

    def test_the_address_of_who_adds_phones_is_limited(self) -> None:
        self.sms.limits(IP_LIMITS=("2/h",))
        for number in ("13800138001", "13800138002"):
            add_phone(self.user, number, "203.0.113.7")

        with pytest.raises(Throttled):
            add_phone(self.user, "13800138003", "203.0.113.7")

    def test_a_vendor_that_fails_is_told(self) -> None:
        device = self.device()
        self.sms.fail()

        assert self.errors(device, otp_challenge="1") == ["The SMS could not be sent. Please try again in a moment."]

    def test_a_code_opens_its_own_device_alone(self) -> None:
        mine = self.device()
        other = self.device(User.objects.create_user("other"), OTHER)
        twin = self.device()
        self.errors(mine, otp_challenge="1")
        code = self.sms.code

        assert self.errors(other, otp_token=code) == ["Please select a device."]
        assert self.errors(twin, otp_token=code) == [str(VerificationNotFound())]
        twin.verification = SMSDevice.objects.get(pk=mine.pk).verification
        with pytest.raises(ContextMismatch):
            twin.check_token(code)
        assert not self.is_safe()

    def test_a_code_for_the_old_number_does_not_open_the_new_one(self) -> None:
        device = self.device()
        self.errors(device, otp_challenge="1")
        code = self.sms.code
        SMSDevice.objects.update(phone="+8613900139000")  # past `save`

        assert self.errors(device, otp_token=code) == [str(VerificationNotFound())]
        assert self.errors(device, otp_challenge="1") == ["A code was sent to 139****9000."]

    def test_a_phone_that_is_not_confirmed_is_not_offered(self) -> None:
        add_phone(self.user, PHONE)

        answer = self.post()

        assert len(answer.context["form"].fields["otp_device"].widget.choices) == 1

    def test_its_migrations_are_complete(self) -> None:
        call_command("makemigrations", "smsverify_otp", check=True, dry_run=True, verbosity=0)

    def test_what_is_no_number_is_refused(self) -> None:
        with pytest.raises(InvalidPhone):
            SMSDevice.objects.create(user=self.user, name="Phone", phone="12")

    def test_devices_of_other_kinds_work_as_before(self) -> None:
        backup = StaticDevice.objects.create(user=self.user, name="Backup")
        backup.token_set.create(token="abcdefgh")

        assert self.post(backup, otp_token="abcdefgh")["Location"] == "/safe/"

    def test_the_form_for_who_is_logged_in(self) -> None:
        device = self.device()
        typed = {"otp_device": device.persistent_id}
        assert not SMSTokenForm(self.user, None, {**typed, "otp_challenge": "1"}).is_valid()

        form = SMSTokenForm(self.user, None, {**typed, "otp_token": self.sms.code})

        assert form.is_valid()
        assert form.get_user().otp_device == device

    def test_what_calls_a_device_inside_a_transaction_is_told_at_once(self) -> None:
        device = self.device()
        typed = {"username": "member", "password": PASSWORD, "otp_device": device.persistent_id}
        sent = len(self.sms.outbox)

        form = OTPAuthenticationForm(None, {**typed, "otp_challenge": "1"})
        assert "must not run inside a transaction" in str(form.errors)
        device.generate_challenge()
        with pytest.raises(InsideTransaction):
            verify_token(self.user, device.persistent_id, self.sms.code)
        with pytest.raises(InsideTransaction), transaction.atomic():
            SMSAuthenticationForm(None, {**typed, "otp_token": self.sms.code}).is_valid()
        assert len(self.sms.outbox) == sent + 1
        assert Verification.objects.latest("created_at").attempts == 0

    def test_the_admin_masks_the_number(self) -> None:
        self.device()
        self.client.force_login(User.objects.create_superuser("admin"))
        listed, page = (
            "/admin/smsverify_otp/smsdevice/",
            f"/admin/smsverify_otp/smsdevice/{SMSDevice.objects.get().pk}/change/",
        )

        for path in (listed, page):
            content = self.client.get(path).content.decode()
            assert "138****8000" in content
            assert "13800138000" not in content
        added = {"user": self.user.pk, "name": "Second", "phone": OTHER}
        self.client.post(f"{listed}add/", added)
        assert SMSDevice.objects.get(name="Second").phone == "+8613900139000"

    def test_a_phone_that_is_not_confirmed_lets_nobody_in(self) -> None:
        device, _told = add_phone(self.user, PHONE)

        assert self.errors(device, otp_token=self.sms.code) == ["Please select a device."]
        assert self.errors(device, otp_challenge="1") == ["The selected OTP device is not interactive"]
        assert (len(self.sms.outbox), self.is_safe()) == (1, False)
        assert not SMSDevice.objects.get().confirmed

    def test_a_confirmed_phone_keeps_its_number_and_its_owner(self) -> None:
        self.device()
        for name, value in (("phone", OTHER), ("user", User.objects.create_user("other"))):
            device = SMSDevice.objects.get()
            setattr(device, name, value)
            with pytest.raises(ValueError, match="make another device"):
                device.save()
        renamed = SMSDevice.objects.get()
        renamed.name = "My phone"
        renamed.save()

        kept = SMSDevice.objects.get()
        assert (kept.phone, kept.user, kept.name) == ("+8613800138000", self.user, "My phone")

    def test_strangers_cannot_use_up_what_a_confirmed_phone_may_get(self) -> None:
        device = self.device()
        self.sms.limits(PHONE_LIMITS=("6/d",), IP_LIMITS=("1/h",))
        for _ in range(3):
            self.sms.send(PHONE)
        with pytest.raises(Throttled):
            self.sms.send(PHONE)

        told = "A code was sent to 138****8000."
        assert [self.errors(device, otp_challenge="1") for _ in range(2)] == [[told], [told]]

    def test_why_no_code_is_taken_is_told_before_one_is_typed(self) -> None:
        device = self.device()
        assert device.verify_is_allowed() == (False, {"error_message": str(VerificationNotFound())})
        device.generate_challenge()
        assert device.verify_is_allowed() == (True, None)
        for _ in range(5):
            assert not device.verify_token("000000")

        assert device.verify_is_allowed() == (False, {"error_message": str(TooManyAttempts())})

    def test_a_form_that_cannot_ask_a_phone_names_those_that_can(self) -> None:
        device = self.device()
        with transaction.atomic(), pytest.raises(InsideTransaction, match=r"contrib\.otp\.forms"):
            device.generate_challenge()
        device.generate_challenge()
        with transaction.atomic(), pytest.raises(InsideTransaction, match=r"contrib\.otp\.forms"):
            device.verify_token(self.sms.code)

    def test_the_admin_refuses_what_is_no_number(self) -> None:
        self.client.force_login(User.objects.create_superuser("admin"))
        added = {"user": self.user.pk, "name": "Second"}

        page = self.client.post("/admin/smsverify_otp/smsdevice/add/", {**added, "phone": "12"})
        assert str(InvalidPhone()) in page.content.decode()
        self.client.post("/admin/smsverify_otp/smsdevice/add/", {**added, "phone": "+86 138 0013 8000"})
        assert SMSDevice.objects.get().phone == "+8613800138000"

    def test_the_admin_shows_no_number_of_an_owner_and_changes_none(self) -> None:
        self.user = User.objects.create_user(PHONE)
        device = self.device()
        self.client.force_login(User.objects.create_superuser("admin"))
        listed = "/admin/smsverify_otp/smsdevice/"
        page = f"{listed}{device.pk}/change/"

        for path in (listed, page, f"{listed}{device.pk}/delete/"):
            assert PHONE not in self.client.get(path).content.decode()
        self.client.post(page, {"name": "Renamed", "user": User.objects.create_user("other").pk, "phone": OTHER})
        changed = SMSDevice.objects.get()
        assert (changed.name, changed.user, changed.phone) == ("Renamed", self.user, "+8613800138000")
        assert not LogEntry.objects.filter(object_repr__contains=PHONE).exists()

    def test_the_admin_of_django_otp_logs_in_with_a_code(self) -> None:
        self.user = User.objects.create_superuser("admin", password=PASSWORD)
        typed = {"username": "admin", "password": PASSWORD, "otp_device": self.device().persistent_id}
        self.client.post("/safe-admin/login/", {**typed, "otp_challenge": "1"})

        page = self.client.post("/safe-admin/login/", {**typed, "otp_token": "000000"})
        assert "Wrong code. 4 attempts left." in page.content.decode()
        assert self.client.get("/safe-admin/").status_code == 302
        self.client.post("/safe-admin/login/", {**typed, "otp_token": self.sms.code})

        assert self.client.get("/safe-admin/").status_code == 200
        assert self.is_safe()
