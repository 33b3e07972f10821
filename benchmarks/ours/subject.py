"""This app, with every setting at its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.actions import ACTIONS
from benchmarks.subjects import Call, Subject, posted

SECRET = "the-webhook-secret-of-a-measured-site"  # noqa: S105 - of no site


class Site(Subject):
    """One account at TopThink with one template."""

    apps = ("rest_framework", "django_smsverify")
    urls = "benchmarks.ours.urls"
    actions = ACTIONS

    def install(self, vendor: str) -> None:
        from django_smsverify.enums import ReviewStatus
        from django_smsverify.models import Provider, Signature, Template

        provider = Provider.objects.create(
            name="TopThink",
            slug="topthink",
            gateway="topthink",
            credentials={"app_code": "an-app-code"},
            base_url=vendor,
            price="0.0450",
            webhook_secret=SECRET,
        )
        approved = {"provider": provider, "status": ReviewStatus.APPROVED}
        signature = Signature.objects.create(text="示例站", remote_id="78", **approved)
        content = "您的验证码是{code}，{minutes}分钟内有效。"
        Template.objects.create(
            purpose="login", signature=signature, name="login", content=content, remote_id="234", **approved
        )

    def under_callgrind(self) -> None:
        from django_smsverify.limits import cache
        from django_smsverify.models import kept
        from django_smsverify.sending import route_cache

        route_cache.KEEP_SECONDS *= 100
        kept.KEEP_SECONDS *= 100
        cache.MAX_SECONDS *= 100

    def send(self, phone: str, status: int) -> Call:
        return posted("/sms/send/", {"phone": phone, "purpose": "login"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        return posted("/sms/verify/", {"verification_id": answer["verification_id"], "code": code}, 200)

    def report(self, phone: str, remote_id: str) -> Call:
        sms = {"id": remote_id, "phone": phone, "status": 1, "message": "DELIVRD", "receiveDate": "2026-11-21 10:00:00"}
        return posted(f"/sms/webhooks/topthink/{SECRET}/", {"action": "report", "sms": sms}, 200)
