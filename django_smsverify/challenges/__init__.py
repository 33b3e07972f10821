"""What a request shows before an SMS is sent for it: a solved captcha, a page ticket, or the signature of an app."""

from __future__ import annotations

from .tickets import ticket_for as ticket_for
