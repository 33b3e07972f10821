"""Records that are older than RETENTION_DAYS are deleted, when the sums of their day are closed and survive them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Min

from django_smsverify.models import (
    Access,
    DeliveryReport,
    Message,
    OptOut,
    Probe,
    RememberedRequest,
    Reply,
    Verification,
)
from django_smsverify.statistics.closing import close_days, forget_marks

from .batches import Row, Stage, delete_rows


def stages(before: datetime, *, is_trial: bool = False) -> Iterator[Stage]:
    """Yields what is to be deleted; messages go before the verifications that they refer to. A trial only counts."""
    yield Stage(
        "reports deleted", DeliveryReport.objects.filter(received_at__lt=before), "received_at", _delete_reports
    )
    yield Stage("replies deleted", Reply.objects.filter(received_at__lt=before), "received_at", _delete_replies)
    for starts_at, ends_at in close_days(before, is_trial=is_trial):
        rows = Message.objects.filter(created_at__gte=starts_at, created_at__lt=ends_at)
        yield Stage("messages deleted", rows, "created_at", _delete_messages)
        if not is_trial:
            forget_marks((starts_at, ends_at))
    until = before if is_trial else _oldest_message(before)
    verifications = Verification.objects.filter(created_at__lt=until)
    yield Stage("verifications deleted", verifications, "created_at", _delete_verifications, ["root_id"])
    yield Stage("accesses deleted", Access.objects.filter(at__lt=before), "at", _delete_accesses)


def _oldest_message(before: datetime) -> datetime:
    """When the oldest message was created that is left: the sums of its day, which is not closed, count all
    verifications of that day, too."""
    oldest: datetime | None = Message.objects.order_by().aggregate(oldest=Min("created_at"))["oldest"]
    return min(before, oldest or before)


def _delete_reports(rows: Sequence[Row]) -> int:
    return delete_rows(DeliveryReport, _ids(rows))


def _delete_replies(rows: Sequence[Row]) -> int:
    OptOut.objects.filter(reply__in=_ids(rows)).update(reply=None)
    return delete_rows(Reply, _ids(rows))


def _delete_messages(rows: Sequence[Row]) -> int:
    """With their reports; a reply may be younger, and stays."""
    ids = _ids(rows)
    # First: under load SQLite refuses to write after a read.
    Reply.objects.filter(message__in=ids).update(message=None)
    for model in (Probe, DeliveryReport):
        of_messages: Any = model.objects.filter(message__in=ids).order_by()
        delete_rows(model, list(of_messages.values_list("pk", flat=True)))
    return delete_rows(Message, ids)


def _delete_verifications(rows: Sequence[Row]) -> int:
    """Leaves those that have messages, and those whose code another one has that is left, to the next run."""
    roots = {row[0]: row[2] for row in rows}
    RememberedRequest.objects.filter(verification__in=list(roots)).delete()
    used = set(
        Message.objects.filter(verification__in=list(roots)).order_by().values_list("verification_id", flat=True)
    )
    joined = Verification.objects.filter(root__in=list(roots)).order_by().values_list("pk", "root_id")
    kept = used | {root for pk, root in joined if pk in used or pk not in roots}
    deletable = [pk for pk in roots if pk not in kept]
    first: list[UUID] = [pk for pk in deletable if roots[pk] is not None]
    return delete_rows(Verification, first) + delete_rows(Verification, [pk for pk in deletable if roots[pk] is None])


def _delete_accesses(rows: Sequence[Row]) -> int:
    return delete_rows(Access, _ids(rows))


def _ids(rows: Sequence[Row]) -> list[Any]:
    return [row[0] for row in rows]
