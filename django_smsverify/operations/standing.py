"""What stands in small tables and matters now, all of it in one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import CharField, DateTimeField, IntegerField, Max, Q, Value
from django.db.models.functions import Cast

from django_smsverify.diagnosis.last_tests import LastTest
from django_smsverify.enums import ReviewStatus
from django_smsverify.models import Closure, JobRun, Probe, Provider, Signature, Template, TestNumber
from django_smsverify.numbers.test_numbers import are_allowed
from django_smsverify.reviews.carrier_filing import STOPPING

from .job_runs import POLL
from .route_alarms import BAD
from .standing_tests import shown_to_work

WAITING = (ReviewStatus.PENDING, ReviewStatus.REJECTED)
CLOSURE, TEST_NUMBER, PROBE, SIGNATURE, TEMPLATE = "closure", "test number", "probe", "signature", "template"
WAY, WORKS = "way", "works"


class Matter(NamedTuple):
    """A row that matters now; what its kind has none of is blank or None."""

    what: str
    """CLOSURE: one that holds; TEST_NUMBER: one that works in production; POLL: its last run; PROBE: the last one of a
    provider to a carrier, which did not arrive; SIGNATURE and TEMPLATE: one that waits for a review, or, a row for each
    carrier, that a carrier holds back; WAY: a template with a code, whose purpose is the name, and whose signature's
    state is `filing`; WORKS: a provider that works, whatever its last test found."""
    pk: int
    provider: int | None
    kind: str
    name: str
    status: str
    carrier: str | None
    filing: str | None
    moment: datetime | None
    """When it ends; when the poll began."""


def matters(now: datetime, providers: Sequence[Provider], tests: Mapping[int, LastTest]) -> list[Matter]:
    """Returns what matters now, of these providers, of their last tests and of the site."""
    found = [_closures(now), _runs(), _bad_probes(providers)]
    found += [_rows(shown_to_work(tests), WORKS)] if tests else []
    found += [_texts(Signature.objects.all(), SIGNATURE, "text")]
    found += [_texts(Template.objects.filter(is_active=True), TEMPLATE, "name"), _ways()]
    if are_allowed() and not settings.DEBUG:
        found.append(_rows(TestNumber.objects.live(now), TEST_NUMBER, moment="expires_at"))
    first, *others = found
    return [Matter(*row) for row in first.union(*others, all=True).order_by()]


def _closures(now: datetime) -> Any:
    hold = Closure.objects.filter(until__gt=now, lifted_at=None, is_watched=False)
    return _rows(hold, CLOSURE, kind="kind", name="subject", moment="until")


def _runs() -> Any:
    return _rows(JobRun.objects.filter(job=POLL), POLL, moment="started_at")


def _bad_probes(providers: Sequence[Provider]) -> Any:
    groups = Probe.objects.filter(provider__in=[one.pk for one in providers]).order_by().values("provider", "carrier")
    newest = groups.annotate(last=Max("pk")).values("last")
    bad = Probe.objects.filter(pk__in=newest, state__in=BAD)
    return _rows(bad, PROBE, provider="provider", status="state", carrier="carrier")


def _texts(texts: Any, what: str, name: str) -> Any:
    is_held = Q(status=ReviewStatus.APPROVED, filings__status__in=STOPPING)
    found = texts.filter(Q(status__in=WAITING) | is_held, provider__is_active=True)
    filing = {"carrier": "filings__carrier", "filing": "filings__status"}
    return _rows(found, what, provider="provider", name=name, status="status", **filing)


def _ways() -> Any:
    codes = Template.objects.filter(is_active=True, content__contains="{code}")
    return _rows(codes, WAY, provider="provider", name="purpose", status="status", filing="signature__status")


def _rows(rows: Any, what: str, **columns: str) -> Any:
    """The columns of a Matter; those that are not named are empty, of the kind that the others have there."""
    empty = {"provider": Cast(Value(None), IntegerField()), "moment": Cast(Value(None), DateTimeField())}
    values = [columns.get(name, empty.get(name, _constant(""))) for name in Matter._fields[2:]]
    return rows.order_by().values_list(_constant(what), "pk", *values)


def _constant(word: str) -> Value:
    return Value(word, output_field=CharField())
