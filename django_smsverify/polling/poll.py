"""The periodic run: asks the vendors for what they did not push, and settles messages that get no more events."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_smsverify.challenges import captchas
from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, UndecryptableValue, describe
from django_smsverify.gateways.base import Gateway
from django_smsverify.limits import refusals
from django_smsverify.limits.budget import forget_unused
from django_smsverify.limits.failures import add_up_failures
from django_smsverify.limits.guard import alarms as guard_alarms
from django_smsverify.models import Message, Provider, ReportBatch
from django_smsverify.money import balances
from django_smsverify.numbers import known
from django_smsverify.operations import alerts
from django_smsverify.operations.job_runs import POLL, noted
from django_smsverify.operations.watching import watch
from django_smsverify.privacy.forgetting import finish_due
from django_smsverify.reviews.verdicts import due_reviews
from django_smsverify.statistics.sums import sum_days
from django_smsverify.transactions import require_autocommit

from .questions import BalanceQuestion, Question, ReportsQuestion, ReviewQuestion, StatusQuestion, StoredBatch
from .recovery import give_up_stuck, match_orphans, send_forgotten, settle_silent

logger = logging.getLogger("django_smsverify")

LIMIT = 1000
"""Questions to vendors in one run."""
MAX_VENDOR_FAILURES = 3
"""Failures in a row after which the rest of the run skips a vendor."""


def poll(
    *,
    limit: int = LIMIT,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Asks vendors for missing reports, pending reviews and balances, settles stuck messages, judges probes, tells
    operators what they must hear of and sums days that are over.

    Returns how often each result occurred.

    At most `limit` questions are asked. `stopped` is called between two of them, and ends the run with True; `progress`
    is called with how many are done and the total. May run at any time, also several times at once.

    Raises InsideTransaction, because a rollback would lose reports that the vendor no longer keeps.
    """
    require_autocommit(Message)
    with noted(POLL):
        return _run(limit, stopped, progress)


def _run(limit: int, stopped: Callable[[], bool], progress: Callable[[int, int], None]) -> Counter[str]:
    tally: Counter[str] = Counter()
    _recover(send_forgotten(limit), tally, stopped)  # first, because codes expire soon
    providers = list(Provider.objects.all())  # only now: sending may take long, and meanwhile an account may be changed
    _ask_all(deque(islice(_questions(limit, providers), limit)), limit, tally, stopped, progress)
    ended = chain(give_up_stuck(limit), match_orphans(limit), settle_silent(limit, providers))
    _recover(chain(ended, watch(providers), _old(providers)), tally, stopped)
    days = sum_days()
    while not stopped() and next(days, None):
        pass
    return tally


def _old(providers: Sequence[Provider]) -> Iterator[str]:
    """Deletes what is not needed any more, and adds up what would be forgotten."""
    yield from forget_unused(providers)
    yield from known.forget_old()
    yield from finish_due()
    yield from refusals.forget_old()
    yield from guard_alarms.forget_old()
    yield from captchas.forget_old()
    yield from alerts.forget_old()
    yield from add_up_failures()


def _recover(words: Iterator[str], tally: Counter[str], stopped: Callable[[], bool]) -> None:
    while not stopped() and (word := next(words, None)):
        tally[word] += 1


def _ask_all(
    questions: deque[Question],
    limit: int,
    tally: Counter[str],
    stopped: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> None:
    failures: Counter[int] = Counter()
    done = 0
    while questions and done < limit and not stopped():
        question = questions.popleft()
        provider = question.provider
        if failures[provider.pk] < MAX_VENDOR_FAILURES:
            word = _ask(question)
            tally[word] += 1
            failures[provider.pk] = failures[provider.pk] + 1 if word == "failed" else 0
            if question.goes_on and word == "fetched":
                questions.append(question)
        else:
            tally["passed over"] += 1
        done += 1
        progress(done, min(limit, done + len(questions)))


def _ask(question: Question) -> str:
    try:
        return question.ask()
    except GatewayError as error:
        logger.warning("%s does not answer a question: %s %s", question.provider.slug, error.error_code, error)
        # The vendor answered and refused only this question: the next may succeed.
        refused = isinstance(error, GatewayRejected) and error.reason not in (Reason.ACCOUNT, Reason.RATE)
        return "refused" if refused else "failed"
    except Exception as error:
        bug = describe(error)  # such as a bug in a gateway: it must not stop the others
    logger.error("A question to %s failed with %s", question.provider.slug, bug)
    return "failed"


def _questions(limit: int, providers: Sequence[Provider]) -> Iterator[Question]:
    """The due questions, of each vendor in turn, so that none waits for the backlog of another."""
    by_provider: list[Iterator[Question]] = []
    batches = list(ReportBatch.objects.filter(problems=""))
    for provider in providers:
        stored = [batch for batch in batches if batch.provider_id == provider.pk]
        try:
            gateway = provider.gateway_client()
        except ImproperlyConfigured as error:
            logger.error("%s cannot be asked for anything: %s", provider.slug, error)
            by_provider += [_stored_batches(provider, stored)] if isinstance(error, UndecryptableValue) else []
            continue
        by_provider.append(islice(_questions_of(provider, gateway, stored, limit), limit))
    return filter(None, chain.from_iterable(zip_longest(*by_provider)))


def _questions_of(
    provider: Provider, gateway: Gateway, stored: Sequence[ReportBatch], limit: int
) -> Iterator[Question]:
    if balances.is_due(provider, gateway):
        yield BalanceQuestion(provider, gateway)
    due = Message.objects.silent().filter(provider=provider).due(timezone.now())
    if gateway.hands_out_reports and due.exists():
        yield ReportsQuestion(provider, gateway, due)
    yield from _stored_batches(provider, stored)
    for text in due_reviews(provider, gateway):
        yield ReviewQuestion(provider, gateway, text)
    known = due.known_to_vendor() if gateway.finds_own_ids else due.named()
    for message in known[:limit] if gateway.answers_status else ():
        yield StatusQuestion(provider, gateway, message)


def _stored_batches(provider: Provider, batches: Iterable[ReportBatch]) -> Iterator[Question]:
    """Batches that were fetched but not read yet: they need no credentials, only a gateway that reads them."""
    for batch in batches:
        batch.provider = provider
        yield StoredBatch(provider, batch)
