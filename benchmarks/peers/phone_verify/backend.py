"""The backend that django-phone-verify asks a site for, to send with another vendor than Twilio and Nexmo."""

from __future__ import annotations

from typing import Any

import requests
from phone_verify.backends.base import BaseBackend

session = requests.Session()


class Backend(BaseBackend):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.url = options["url"]
        self.exception_class = requests.RequestException

    def send_sms(self, number: str, message: str) -> None:
        session.post(self.url, data={"phone": number, "text": message}, timeout=5).raise_for_status()

    def send_bulk_sms(self, numbers: list[str], message: str) -> None:
        for number in numbers:
            self.send_sms(number, message)
