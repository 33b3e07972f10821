"""Signals for sites. Each is sent after the commit; errors of receivers are logged and have no other effect.

If a process dies between the commit and the signal, the signal is never sent: query the rows if none may be missed.
"""

from __future__ import annotations

from django.dispatch import Signal

phone_verified = Signal()
"""A number was verified: `verification`. Sent at most once for each verification."""

delivery_reported = Signal()
"""A vendor's report was matched with its message: `report`, with `report.message`. Sent at most once for each
report."""

message_settled = Signal()
"""No more events of a message are expected: `message`. Sent again in the rare case that a vendor corrects itself."""

reply_received = Signal()
"""The owner of a phone has sent a reply: `reply`. Sent at most once for each reply."""

review_changed = Signal()
"""A vendor's verdict has changed: `text`, a Signature or a Template, whose class is the sender."""

balance_low = Signal()
"""A provider's balance has fallen below its alert: `provider`. Sent again only after it was at or above the alert."""

budget_spent = Signal()
"""A budget has no room for one more SMS: `spending`, a Spending, and `budget`, in yuan. Sent once in a day or
month, and again after the budget was raised."""

abuse_detected = Signal()
"""The guard closes something to numbers that are new here, or would if it did not only watch: `closure`, a Closure.
Sent once for each closure."""

route_silent = Signal()
"""Probes of a provider to a carrier have begun to fail, or to get no report: `provider`, `carrier`, `message` (the
probe) and `why`, in English. Sent again only after a probe of both has arrived."""

circuit_changed = Signal()
"""A provider's circuit was opened or closed: `provider`, and `circuit`, None when it is closed; `carrier` is blank, or
the only one whose numbers the circuit is for. See `circuits`."""
