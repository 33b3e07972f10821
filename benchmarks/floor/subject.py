"""The floor as a subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.actions import ACTIONS
from benchmarks.subjects import Call, Subject, posted

SECRET = "the-webhook-secret-of-a-measured-site"  # noqa: S105 - of no site


class Site(Subject):
    """Three views and five tables."""

    apps = ("rest_framework",)
    urls = "benchmarks.floor.urls"
    actions = ACTIONS

    def settings(self, vendor: str) -> dict[str, Any]:
        return {"VENDOR_URL": f"{vendor}/sms/send", "APP_CODE": "an-app-code", "WEBHOOK_SECRET": SECRET}

    def install(self, vendor: str) -> None:
        from .tables import create_tables

        create_tables()

    def send(self, phone: str, status: int) -> Call:
        return posted("/send/", {"phone": phone, "purpose": "login"}, status)

    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        return posted("/verify/", {"verification_id": answer["verification_id"], "code": code}, 200)

    def report(self, phone: str, remote_id: str) -> Call:
        sms = {"id": remote_id, "phone": phone, "status": 1, "message": "DELIVRD", "receiveDate": "2026-11-21 10:00:00"}
        return posted(f"/reports/{SECRET}/", {"action": "report", "sms": sms}, 200)
