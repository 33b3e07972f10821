"""What a request shows before an SMS is sent for it: a solved captcha, or a page ticket."""

from __future__ import annotations

from .tickets import ticket_for as ticket_for
