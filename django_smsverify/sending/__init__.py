"""Sending codes and messages: from a phone number to the vendor's answer."""

from __future__ import annotations

from .bulk import send_message as send_message
from .single import resend_code as resend_code
from .single import send_code as send_code
