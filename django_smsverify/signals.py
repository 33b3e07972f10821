"""What a site can listen to: each is sent after the commit, and receivers' errors are logged and break nothing.

A process that dies between the commit and the signal never sends it: ask the rows where nothing may be missed.
"""

from __future__ import annotations

from django.dispatch import Signal

phone_verified = Signal()
"""A number was verified: `verification`. Sent once at most for each verification."""

delivery_reported = Signal()
"""A vendor's report has found its message: `report`, with `report.message`. Sent once at most for each report."""

message_settled = Signal()
"""No more news of a message is expected: `message`. Sent again in the rare case that a vendor corrects itself."""

reply_received = Signal()
"""The owner of a phone has sent a text back: `reply`. Sent once at most for each reply."""

review_changed = Signal()
"""A vendor's verdict has changed: `text`, a Signature or a Template. The sender is its class."""

balance_low = Signal()
"""A provider's balance has fallen below its alert: `provider`. Sent again only after it was at the alert or over it."""

circuit_changed = Signal()
"""A provider is now left alone, or again not: `provider`, and `circuit`, None when it is closed. See `circuits`."""
