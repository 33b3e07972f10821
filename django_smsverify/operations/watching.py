"""All that operators must hear of, as it is now: the poll, the probes and `smsverify_alert` tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone
from django.utils.translation import gettext, ngettext

from django_smsverify import phones
from django_smsverify.enums import AlertKind, Carrier
from django_smsverify.limits import budget_alarms
from django_smsverify.limits.budget import is_any_set
from django_smsverify.limits.guard import alarms as guard_alarms
from django_smsverify.models import NewAlert, Provider
from django_smsverify.money import balances
from django_smsverify.money.balances import BalanceCheck, local
from django_smsverify.sending.circuits import Circuit, Way, find_open

from .alerts import end_all_but, tell
from .failing import FailingProvider, failing_providers
from .job_runs import POLL, last_run
from .route_alarms import watch_probes
from .webhook_silence import SilentWebhook, silent_webhooks

POLL_LATE_AFTER = timedelta(minutes=15)
"""It is to run every minute."""


def watch(providers: Sequence[Provider] | None = None) -> Iterator[str]:
    """Tells what is new, and sends what waits for a channel; yields the words to count.

    A caller that has just read all providers gives them.
    """
    yield from tell(_new_alerts(list(Provider.objects.all()) if providers is None else providers))


def check_balances_and_tell(
    providers: Iterable[Provider] | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[BalanceCheck]:
    """Calls `check_balances`, then tells of low balances."""
    checks = balances.check_balances(providers, stopped=stopped, progress=progress)
    for _word in tell(balances.new_alerts()):
        pass
    return checks


def poll_is_late(now: datetime) -> bool:
    """Whether the poll has not begun for long."""
    run = last_run(POLL)
    return run is None or now - run.started_at > POLL_LATE_AFTER


def _new_alerts(providers: Sequence[Provider]) -> Iterator[NewAlert]:
    now = timezone.now()
    yield from balances.new_alerts(providers)
    yield from watch_probes()
    if is_any_set(providers):
        yield from budget_alarms.new_alerts()
    yield from guard_alarms.new_alerts()
    lasting = [
        *_of_circuits(providers),
        *map(_of_failing, failing_providers(now, providers)),
        *map(_of_silence, silent_webhooks(now, providers)),
        *([_of_poll()] if poll_is_late(now) else []),
    ]
    end_all_but({(alert.kind, alert.subject) for alert in lasting})
    yield from lasting


def _alert(kind: AlertKind, provider: Provider, text: Callable[[], tuple[str, str]], *, carrier: str = "") -> NewAlert:
    page = ("provider_change", str(provider.pk))
    return NewAlert(kind=kind, subject=f"{provider.slug} {carrier}".rstrip(), text=text, page=page, lasts=True)


def _of_circuits(providers: Sequence[Provider]) -> Iterator[NewAlert]:
    by_pk = {provider.pk: provider for provider in providers if provider.is_active}
    ways = [Way(pk, carrier) for pk in by_pk for carrier in ("", *Carrier.values)]
    for way, circuit in find_open(ways).items() if ways else ():
        provider = by_pk[way.provider]
        text = partial(_circuit_text, provider, way.carrier, circuit)
        yield _alert(AlertKind.CIRCUIT, provider, text, carrier=way.carrier)


def _circuit_text(provider: Provider, carrier: str, circuit: Circuit) -> tuple[str, str]:
    facts = {
        "name": provider.name,
        "slug": provider.slug,
        "carrier": Carrier(carrier).label if carrier else "",
        "why": phones.masked(circuit.why),
    }
    if carrier:
        title = gettext("SMS of %(slug)s are not sent to %(carrier)s: its circuit is open")
    else:
        title = gettext("SMS of %(slug)s are not sent: its circuit is open")
    body = gettext(
        "%(name)s (%(slug)s) failed several times in a row, and is left alone for a while. The last error: %(why)s.\n\n"
        "Codes go through other providers, where there are any. Press “Test” on its page in the admin, or run "
        "`manage.py smsverify_check %(slug)s`: it says what to do. It is used again by itself as soon as one "
        "SMS goes through."
    )
    return title % facts, body % facts


def _of_failing(failing: FailingProvider) -> NewAlert:
    return _alert(AlertKind.FAILING, failing.provider, partial(_failing_text, failing))


def _failing_text(failing: FailingProvider) -> tuple[str, str]:
    last = failing.last
    words = [last.get_status_display(), last.error_code, last.error_message]
    facts = {
        "name": failing.provider.name,
        "slug": failing.provider.slug,
        "why": phones.masked(" · ".join(filter(None, words))),
    }
    body = gettext(
        "%(name)s (%(slug)s) was asked to send within the last hour, and took no SMS. The last: %(why)s.\n\n"
        "Press “Test” on its page in the admin, or run `manage.py smsverify_check %(slug)s`: it says what to do. "
        "Deactivate it meanwhile, where there "
        "are other providers."
    )
    return gettext("%(slug)s has sent no SMS for an hour") % facts, body % facts


def _of_silence(silent: SilentWebhook) -> NewAlert:
    return _alert(AlertKind.WEBHOOK, silent.provider, partial(_silence_text, silent))


def _silence_text(silent: SilentWebhook) -> tuple[str, str]:
    facts = {
        "name": silent.provider.name,
        "slug": silent.provider.slug,
        "since": f"{local(silent.since):%Y-%m-%d %H:%M:%S}",
    }
    body = gettext(
        "%(name)s (%(slug)s) has taken SMS since %(since)s, and pushed no report since then, as it did before.\n\n"
        "Press “Send a test push” on its page in the admin, or run `manage.py smsverify_webhooks %(slug)s "
        "--test`: if no push gets through, look at what "
        "stands in front of the site; else look into the vendor's console whether the address is still entered there."
    )
    return gettext("%(slug)s pushes no SMS reports any more") % facts, body % facts


def _of_poll() -> NewAlert:
    return NewAlert(kind=AlertKind.POLL, text=_poll_text, lasts=True)


def _poll_text() -> tuple[str, str]:
    run, minutes = last_run(POLL), int(POLL_LATE_AFTER.total_seconds() // 60)
    last = gettext("It has never run.")
    if run is not None:
        last = gettext("It began last at %s.") % f"{local(run.started_at):%Y-%m-%d %H:%M:%S}"
    title = ngettext("SMS: the poll has not run for %d minute", "SMS: the poll has not run for %d minutes", minutes)
    body = gettext(
        "Without `manage.py smsverify_poll` no report is asked for that was not pushed, nothing that a crash left is "
        "settled, and no alert is sent. %s\n\n"
        "Look whether cron, the timer or Celery beat runs, and run the command by hand: it says what is wrong."
    )
    return title % minutes, body % last
