"""Probes: an SMS to an own number at each carrier, through each provider, so that an operator sees it fail first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import IntegrityError
from django.db.models import Max
from django.utils import timezone

from django_smsverify.enums import ProbeState
from django_smsverify.exceptions import SMSVerifyError, words_for_operators
from django_smsverify.models import Message, Probe, ProbeNumber, Provider, Template
from django_smsverify.sending.by_hand import code_templates, send_code_by
from django_smsverify.transactions import require_autocommit

from .route_alarms import judge
from .watching import watch

logger = logging.getLogger("django_smsverify")

A_DAY = 3
"""Probes of one provider in any 24 hours."""
DAY = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class ProbedRoute:
    """A provider and a carrier: their last probe, and why there is no newer one."""

    provider: Provider
    carrier: str
    probe: Probe | None = None
    """With its message."""
    waits: str = ""
    """Why nothing was sent in this run, in English; blank after a new probe."""

    @property
    def is_silent(self) -> bool:
        """Whether the last probe failed, or got no report in time."""
        return self.probe is not None and self.probe.is_bad


def probe(
    *,
    a_day: int = A_DAY,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ProbedRoute]:
    """Judges earlier probes, sends those that are due, the longest not probed first, and tells operators.

    Returns all routes: each active provider with each carrier at which a number is active. A provider sends at most
    `a_day` probes in any 24 hours. Those to one carrier are spread over the day, and none is sent while one is under
    way. May run several times at once. Stops when `stopped()` is true before a probe; calls `progress(done, total)`
    after each route.

    Raises InsideTransaction, because no transaction may be open during network calls.
    """
    require_autocommit(Message)
    _watch()
    found = routes()
    for done, route in enumerate(found, 1):
        if stopped():
            break
        _probe(route, a_day)
        progress(done, len(found))
    _watch()
    return _as_stored(found)


def _watch() -> None:
    for _word in watch():
        pass


def routes() -> list[ProbedRoute]:
    """Each active provider with each carrier at which a number is active, the longest not probed first."""
    carriers = sorted(
        set(ProbeNumber.objects.filter(is_active=True).exclude(carrier="").values_list("carrier", flat=True))
    )
    providers = list(Provider.objects.filter(is_active=True))
    last = last_probes(providers)
    found = [
        ProbedRoute(provider=provider, carrier=carrier, probe=last.get((provider.pk, carrier)))
        for provider in providers
        for carrier in carriers
    ]
    # Those that were never probed come first, in the order of the providers.
    return sorted(found, key=lambda route: route.probe.pk if route.probe else 0)


def last_probes(providers: Sequence[Provider]) -> dict[tuple[int, str], Probe]:
    """The last probe of each of these providers to each carrier, with its message."""
    groups = Probe.objects.filter(provider__in=providers).order_by().values("provider", "carrier")
    newest = [group["last"] for group in groups.annotate(last=Max("pk"))]
    probes = Probe.objects.filter(pk__in=newest).select_related("message", "provider")
    return {(one.provider_id, one.carrier): one for one in probes}


def _as_stored(found: Sequence[ProbedRoute]) -> list[ProbedRoute]:
    """These routes with their last probes as they are now, by provider and carrier."""
    last = last_probes([route.provider for route in found])
    for route in found:
        route.probe = last.get((route.provider.pk, route.carrier))
    return sorted(found, key=lambda route: (route.provider.priority, route.provider.slug, route.carrier))


def _probe(route: ProbedRoute, a_day: int) -> None:
    """Sends a probe on this route, if it is due as the database is now; else says why not."""
    earlier, now, pause = Probe.objects.filter(provider=route.provider), timezone.now(), DAY / a_day
    # Read first: a probe that another run stores from now on has this number.
    number = (earlier.aggregate(last=Max("number"))["last"] or 0) + 1
    template = next(iter(code_templates(route.provider)), None)
    if template is None:
        route.waits = "no template with a code is approved and active"
    elif earlier.filter(carrier=route.carrier, state=ProbeState.UNDER_WAY).exists():
        route.waits = "a probe is under way"
    elif earlier.filter(carrier=route.carrier, created_at__gt=now - pause).exists():
        route.waits = f"the last one was sent less than {pause.total_seconds() / 3600:.3g} hours ago"
    elif earlier.filter(created_at__gt=now - DAY).count() >= a_day:
        route.waits = f"{a_day} probes in 24 hours are enough"
    else:
        _send(route, template, number)


def _send(route: ProbedRoute, template: Template, number: int) -> None:
    """Sends to the first number of the carrier that may get an SMS now."""
    for phone in _phones(route.carrier):
        try:
            message = send_code_by(template, phone, is_probe=True, store=partial(_store, route, number))
        except SMSVerifyError as error:
            route.waits = f"{words_for_operators(error)} ({error.code})"
            continue
        except IntegrityError:
            if not Probe.objects.filter(provider=route.provider, number=number).exists():
                raise
            route.waits = "another run has just sent one"
            return
        route.waits = ""
        judge(Probe.objects.select_related("message", "provider").get(message=message))
        return


def _phones(carrier: str) -> Iterator[str]:
    yield from ProbeNumber.objects.filter(is_active=True, carrier=carrier).values_list("phone", flat=True)


def _store(route: ProbedRoute, number: int, message: Message) -> None:
    """Stores the probe of a message, in the transaction that stores the message, which another run may not do."""
    Probe.objects.create(
        message=message, provider=route.provider, carrier=route.carrier, number=number, created_at=message.created_at
    )
