"""What a site can listen to. Receivers' errors are logged and break nothing."""

from __future__ import annotations

from django.dispatch import Signal

phone_verified = Signal()
"""A number was verified: `verification`. Sent once for each verification, after its commit."""
