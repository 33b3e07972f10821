"""When each provider's vendor last told what became of an SMS, and when it last pushed that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet, Subquery
from django.utils.translation import gettext as _

from django_smsverify.enums import ReportSource
from django_smsverify.journal.words import moment
from django_smsverify.models import DeliveryReport, Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .questions import ask_at_once

READ = 100
"""Of so many of the newest reports it is looked whether they were pushed: without a push all would be read."""


class LastReport(NamedTuple):
    """The newest delivery report of a provider."""

    received_at: datetime
    source: str
    pushed_at: datetime | None
    """When one was pushed last, among the newest."""

    @property
    def words(self) -> str:
        """When it came, and how."""
        how = ReportSource(self.source).label
        return _("%(when)s (%(how)s)") % {"when": moment(self.received_at), "how": how}


def last_reports(providers: Collection[Provider]) -> Mapping[int, LastReport]:
    """Returns the newest reports by primary key, in one query that reads a few rows of each provider, and one more for
    vendors that push and whose newest report was asked for."""
    newest = {one.pk: DeliveryReport.objects.filter(provider=one.pk).order_by("-received_at") for one in providers}
    questions: dict[tuple[int, str], Any] = {
        (pk, name): Subquery(rows.values(name)[:1]) for pk, rows in newest.items() for name in ("received_at", "source")
    }
    questions |= {(pk, "oldest"): Subquery(rows.values("received_at")[READ - 1 : READ]) for pk, rows in newest.items()}
    found = ask_at_once(questions)
    polled = [one.pk for one in providers if _may_have_pushed(one, found[one.pk, "source"])]
    pushed = ask_at_once({pk: Subquery(_pushed(newest[pk], found[pk, "oldest"])[:1]) for pk in polled})
    return {
        pk: LastReport(at, source, at if source == ReportSource.PUSH else pushed.get(pk))
        for pk in newest
        for at, source in [(found[pk, "received_at"], found[pk, "source"])]
        if at
    }


def _may_have_pushed(provider: Provider, source: str | None) -> bool:
    """Whether the vendor pushes, and the newest report does not tell that it did."""
    return source == ReportSource.POLL and gateway_class_or_missing(provider.gateway).pushes


def _pushed(reports: QuerySet[DeliveryReport], oldest: datetime | None) -> QuerySet[DeliveryReport, Any]:
    """When those of these reports were pushed that were, from a time on: MySQL limits a search by no subquery."""
    read = reports if oldest is None else reports.filter(received_at__gte=oldest)
    return read.filter(source=ReportSource.PUSH).values("received_at")
