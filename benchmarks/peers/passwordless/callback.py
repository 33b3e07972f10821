"""The callback with which a site of drfpasswordless sends by another vendor than Twilio."""

from __future__ import annotations

from typing import Any

import requests
from django.conf import settings

site: Any = settings
session = requests.Session()


def send_sms(user: Any, token: Any, **texts: str) -> bool:
    fields = {"phone": user.mobile, "text": texts["mobile_message"] % token.key}
    return session.post(site.VENDOR_URL, data=fields, timeout=5).ok
