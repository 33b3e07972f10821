"""django-otp with django-otp-twilio: a code for a number that a user has enrolled. It has no limits on sending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.actions import SEND, VERIFY
from benchmarks.subjects import Call, Subject, posted


class Site(Subject):
    """Users and their devices are there before: enrolling them is the site's part."""

    apps = ("django_otp", "otp_twilio")
    urls = "benchmarks.peers.otp_twilio.urls"
    accepted = 200
    actions = (SEND, VERIFY)

    def settings(self, vendor: str) -> dict[str, Any]:
        return {
            "MIDDLEWARE": ["django_otp.middleware.OTPMiddleware"],
            "OTP_TWILIO_URL": vendor,
            "OTP_TWILIO_ACCOUNT": "AC-of-no-site",
            "OTP_TWILIO_AUTH": "of-no-site",
            "OTP_TWILIO_FROM": "+15555550100",
            "OTP_TWILIO_TOKEN_VALIDITY": 300,
        }

    def enrol(self, phone: str) -> None:
        from django.contrib.auth.models import User
        from otp_twilio.models import TwilioSMSDevice

        user = User.objects.create(username=phone)
        TwilioSMSDevice.objects.create(user=user, name="phone", number=f"+86{phone}")

    def send(self, phone: str, status: int) -> Call:
        return posted("/send/", {"phone": f"+86{phone}"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        return posted("/verify/", {"phone": f"+86{phone}", "code": code}, 200)
