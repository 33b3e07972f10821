"""The statements of every request, compiled once."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Count, F, FilteredRelation, Max, Q

from django_smsverify.enums import DeliveryOutcome, MessageStatus

from .compiled import Select, SelectObjects, Update
from .history import OF_SMS, PastVerification

RowsAndValues = tuple[Any, dict[str, Any]]
"""The rows, and what is set in them."""


def _with_pk(rows: Any, pk: Any) -> Any:
    # Without the order of the model: it is one row.
    return rows.filter(pk=pk).order_by().annotate(**{f"root_{name}": F(f"root__{name}") for name in OF_ROOT})


# Not by the provider: a database whose statistics are old takes a provider that was added since for one without rows,
# and would read all of its rows to find one.
def _named(rows: Any, remote_id: Any, phone: Any) -> Any:
    return rows.filter(remote_id=remote_id, phone=phone).order_by()


def _named_in_brief(rows: Any, **values: Any) -> Any:
    return _named(rows, **values).only(*IN_BRIEF)


def _identical(rows: Any, phone: Any, fingerprint: Any) -> Any:
    return rows.filter(phone=phone, fingerprint=fingerprint).order_by()


def _with_slug(rows: Any, slug: Any) -> Any:
    return rows.filter(slug=slug).order_by().defer(*OF_SENDS)


def _known(rows: Any, digest: Any) -> Any:
    return rows.filter(digest=digest)


def _history(rows: Any, phone: Any, since: Any) -> Any:
    sent = FilteredRelation("messages", condition=~Q(messages__status=MessageStatus.NOT_SENT))
    columns = *PastVerification._fields, *(f"sent__{name}" for name in OF_SMS)
    # No limit stops requests for a test number; those without a guess count for nothing.
    counts = Q(simulated_at__isnull=True) | Q(attempts__gt=0)
    past = rows.filter(counts, recipient__phone=phone, created_at__gt=since)
    return past.order_by().annotate(sent=sent).values_list(*columns)


def _listed_kinds(rows: Any, now: Any) -> Any:
    live = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    return live.order_by().values_list("kind", "length").distinct()


def _late_closures(rows: Any, until: Any) -> Any:
    return rows.filter(until__gt=until).order_by("since", "pk")


def _of_block(rows: Any, block: Any, since: Any) -> Any:
    return rows.filter(block=block, created_at__gt=since).order_by("-created_at").values_list(*OF_GUARD)[:MOST_GUARDED]


def _of_network(rows: Any, network: Any, since: Any) -> Any:
    new = rows.filter(network=network, created_at__gt=since, block__gt="")
    return new.order_by("-created_at").values_list(*OF_GUARD)[:MOST_GUARDED]


def _new_numbers(rows: Any, since: Any, until: Any) -> Any:
    lately = rows.filter(created_at__gt=since, created_at__lte=until, verification__block__gt="")
    return (
        lately.exclude(status=MessageStatus.NOT_SENT)
        .order_by()
        .values(signature=F("template__signature__text"))
        .annotate(
            sent=Count("pk"),
            verified=Count("pk", filter=IS_VERIFIED),
            newest=Max("created_at"),
        )
        .values_list("signature", "sent", "verified", "newest")
    )


def _accepted(rows: Any, pk: Any, **fields: Any) -> RowsAndValues:
    status = MessageStatus.ACCEPTED
    return rows.filter(pk=pk, status__in=status.below()), {"status": status, "error_message": "", **fields}


def _locked(rows: Any, phone: Any, now: Any) -> RowsAndValues:
    return rows.filter(phone=phone), {"claimed_at": now}


def _queued_code(rows: Any, pk: Any) -> Any:
    return rows.filter(pk=pk, status=MessageStatus.QUEUED, verification__isnull=False).order_by()


def _claimed(rows: Any, pk: Any, **fields: Any) -> RowsAndValues:
    return rows.filter(pk=pk, status=MessageStatus.QUEUED), {"status": MessageStatus.SENDING, **fields}


def _unmatched(rows: Any, **values: Any) -> Any:
    return _named(rows, **values).filter(message__isnull=True).values_list("provider_id")


def _settled(status: MessageStatus, rows: Any, pk: Any, **fields: Any) -> RowsAndValues:
    raised = rows.filter(pk=pk, status__in=status.below())
    return raised, {"status": status, **fields}


def _guessed(rows: Any, pk: Any, attempts: Any, now: Any) -> RowsAndValues:
    return rows.filter(pk=pk, attempts=attempts), {"attempts": attempts + 1, "attempted_at": now}


def _guessed_while_live(rows: Any, pk: Any, attempts: Any, now: Any) -> RowsAndValues:
    return _guessed(rows.with_live_code(now), pk, attempts, now)


def _verified_by_guess(rows: Any, pk: Any, attempts: Any, now: Any) -> RowsAndValues:
    seen, changes = _guessed_while_live(rows, pk, attempts, now)
    return seen, {**changes, "verified_at": now}


def _verified(rows: Any, pk: Any, now: Any) -> RowsAndValues:
    return rows.filter(pk=pk).with_live_code(now), {"verified_at": now}


def _refused_again(rows: Any, pk: Any, count: Any, now: Any) -> RowsAndValues:
    return rows.filter(pk=pk, count__lt=count), {"count": count, "last_at": now}


OF_ROOT = ("nonce", "key_id", "created_at", "expires_at", "verified_at")
"""What a verification reads from its root; the rest of what belongs to the code is the same in both."""
OF_SENDS = (
    *("is_active", "priority", "weight", "budget_day", "budget_month"),
    *("balance", "balance_checked_at", "balance_alarm", "balance_alert"),
)
"""What a provider's webhook does not need; each column costs SQLite and MySQL's drivers."""
IS_VERIFIED = Q(verification__verified_at__isnull=False) | Q(verification__root__verified_at__isnull=False)
OF_GUARD = ("phone", "network", "created_at", "verified_at", "root__verified_at")
"""What the guard judges by."""
MOST_GUARDED = 200
"""The newest verifications that it looks at."""
IN_BRIEF = ("provider", "remote_id", "phone", "status", "price", "segments", "is_trial", "created_at", "sent_at")
"""What a report needs of its message."""
OF_REPORT = ("cost", "cause", "settled_at", "delivery_seconds")
"""What a report stores of its message."""
GUESS = {"pk": "id", "attempts": "attempts", "now": "attempted_at"}

find_known_number = SelectObjects("KnownNumber", _known, digest="digest")
find_history = Select("Verification", _history, phone="phone", since="created_at")
"""A number's verifications since a moment, each beside each SMS that was sent for it, or may have been."""
find_listed_kinds = Select("ListEntry", _listed_kinds, now="expires_at")
"""The kinds of the list entries that have not expired, with the lengths of their subjects."""
find_late_closures = SelectObjects("Closure", _late_closures, until="until")
"""The closures that hold after a moment, the newest last."""
find_of_block = Select("Verification", _of_block, block="block", since="created_at")
"""The newest requests for numbers of a block that were new here, since a moment."""
find_of_network = Select("Verification", _of_network, network="network", since="created_at")
"""The same, of a network."""
sum_new_numbers = Select("Message", _new_numbers, since="created_at", until="created_at")
"""By the text of the signature: the SMS to numbers that were new here within a time, those of them whose code was
entered, and the newest one."""
accept_message = Update(
    "Message", _accepted, pk="id", remote_id="remote_id", cost="cost", sent_at="sent_at", poll_at="poll_at"
)
"""Stores that a vendor took a message, unless a later event is stored."""
NAMED = {"remote_id": "remote_id", "phone": "phone"}
find_unmatched_reports = Select("DeliveryReport", _unmatched, **NAMED)
"""The providers of the reports with a vendor's id and a number that have no message yet."""
find_verification = SelectObjects("Verification", _with_pk, pk="id")
"""A verification, with OF_ROOT as `root_nonce` and so on, which are None where it has no root."""
count_guess = Update("Verification", _guessed, **GUESS)
"""Counts a guess, unless another was counted since the row was read."""
count_guess_while_live = Update("Verification", _guessed_while_live, **GUESS)
"""The same, of a verification that holds a code, unless that has ended."""
verify_by_guess = Update("Verification", _verified_by_guess, **GUESS)
"""The same, of a right guess."""
verify = Update("Verification", _verified, pk="id", now="verified_at")
"""Stores the success of a code, unless it has ended."""
find_provider = SelectObjects("Provider", _with_slug, slug="slug")
"""A provider by its slug, which a MySQL collation compares without case."""
find_messages = SelectObjects("Message", _named, **NAMED)
"""The messages of all providers with a vendor's id and a number; a vendor may use an id again."""
find_messages_in_brief = SelectObjects("Message", _named_in_brief, **NAMED)
"""The same, with no more fields than a report needs."""
find_report = SelectObjects("DeliveryReport", _identical, phone="phone", fingerprint="fingerprint")
settle_message = {
    status: Update("Message", partial(_settled, status), pk="id", **{name: name for name in OF_REPORT})
    for status in map(MessageStatus, DeliveryOutcome.values)
}
"""Raises a message to the status that a report has; what else follows from it is stored in the same statement."""
count_refusals = Update("Refusal", _refused_again, pk="id", count="count", now="last_at")
"""Raises the count of a row of refusals, if there is one."""
lock_recipient = Update("Recipient", _locked, phone="phone", now="claimed_at")
"""Locks a number's row for the rest of the transaction."""
find_queued_code = SelectObjects("Message", _queued_code, pk="id")
"""A message with a code, while it is queued."""
OF_ROUTE = ("provider_id", "template_id", "segments", "price", "is_trial", "created_at", "claimed_at")
claim_message = Update("Message", _claimed, pk="id", **{name: name for name in OF_ROUTE})
"""Claims a queued message, and stores the route that it takes."""
