"""Asking the vendors for events that they did not push, and settling messages that get no more events."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_smsverify.enums import Reason, ReportSource
from django_smsverify.exceptions import GatewayError, GatewayRejected, UndecryptableValue, describe
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Message, Provider, ReportBatch
from django_smsverify.models.querysets import MessageQuerySet
from django_smsverify.money import balances
from django_smsverify.reports.storing import store_events
from django_smsverify.reviews.verdicts import Text, ask_review, due_reviews, take_review_turn
from django_smsverify.transactions import retry_on_lost_connection, run_committed
from django_smsverify.types import Answer, News

from .recovery import give_up_stuck, match_orphans, send_forgotten, settle_silent

logger = logging.getLogger("django_smsverify")

LIMIT = 1000
"""Questions to vendors in one run."""
MAX_VENDOR_FAILURES = 3
"""Failures in a row after which the rest of the run skips a vendor."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one vendor; `run` returns the result word that is counted."""

    provider: Provider
    run: Callable[[], str]
    goes_on: bool = False
    """Whether it is run again as long as it brings new events."""


def poll(
    *,
    limit: int = LIMIT,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Asks vendors for missing reports, pending reviews and balances, settles stuck messages and mails low balances.

    Returns how often each result occurred.

    At most `limit` questions are asked. `stopped` is called between two of them, and ends the run with True; `progress`
    is called with how many are done and the total. May run at any time, also several times at once.

    Raises InsideTransaction, because a rollback would lose reports that the vendor no longer keeps.
    """
    run_committed(Message, lambda: None)
    tally: Counter[str] = Counter()
    _recover(send_forgotten(limit), tally, stopped)  # first, because codes expire soon
    _ask_all(deque(islice(_questions(limit), limit)), limit, tally, stopped, progress)
    _recover(
        chain(give_up_stuck(limit), match_orphans(limit), settle_silent(limit), balances.mail_alarms()), tally, stopped
    )
    return tally


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
        return question.run()
    except GatewayError as error:
        logger.warning("%s does not answer a question: %s %s", question.provider.slug, error.error_code, error)
        # The vendor answered and refused only this question: the next may succeed.
        refused = isinstance(error, GatewayRejected) and error.reason not in (Reason.ACCOUNT, Reason.RATE)
        return "refused" if refused else "failed"
    except Exception as error:
        bug = describe(error)  # such as a bug in a gateway: it must not stop the others
    logger.error("A question to %s failed with %s", question.provider.slug, bug)
    return "failed"


def _questions(limit: int) -> Iterator[Question]:
    """The due questions, of each vendor in turn, so that none waits for the backlog of another."""
    by_provider: list[Iterator[Question]] = []
    for provider in Provider.objects.all():
        try:
            gateway = provider.gateway_client()
        except ImproperlyConfigured as error:
            logger.error("%s cannot be asked for anything: %s", provider.slug, error)
            by_provider += [_stored_batches(provider)] if isinstance(error, UndecryptableValue) else []
            continue
        by_provider.append(islice(_questions_of(provider, gateway, limit), limit))
    return filter(None, chain.from_iterable(zip_longest(*by_provider)))


def _questions_of(provider: Provider, gateway: Gateway, limit: int) -> Iterator[Question]:
    if balances.is_due(provider, gateway):
        yield Question(provider, _about_balance(provider, gateway))
    due = Message.objects.silent().filter(provider=provider).due(timezone.now())
    if gateway.hands_out_reports and due.exists():
        yield Question(provider, _report_fetcher(provider, gateway, due), goes_on=True)
    yield from _stored_batches(provider)
    for text in due_reviews(provider, gateway):
        yield Question(provider, _about_review(gateway, text))
    for message in due.named()[:limit] if gateway.answers_status else ():
        yield Question(provider, _about_message(provider, gateway, message))


def _stored_batches(provider: Provider) -> Iterator[Question]:
    """Batches that were fetched but not read yet: they need no credentials, only a gateway that reads them."""
    for batch in ReportBatch.objects.filter(provider=provider, problems="").select_related("provider"):
        yield Question(provider, _about_batch(batch))


def _about_balance(provider: Provider, gateway: Gateway) -> Callable[[], str]:
    def ask() -> str:
        if not balances.take_turn(provider, gateway):
            return "no longer due"
        balances.ask_balance(provider)
        return "balance told"

    return ask


def _about_message(provider: Provider, gateway: Gateway, message: Message) -> Callable[[], str]:
    def ask() -> str:
        if not Message.objects.silent().take_turn(message, timezone.now()):
            return "no longer due"
        event = gateway.ask_status(message.remote_id, message.phone)
        if event is None:
            return "under way"
        store_events(provider, News(events=(event,)), ReportSource.POLL)
        return "reported"

    return ask


def _about_review(gateway: Gateway, text: Text) -> Callable[[], str]:
    def ask() -> str:
        if not take_review_turn(text):
            return "no longer due"
        ask_review(gateway, text)
        return "reviewed"

    return ask


def _about_batch(batch: ReportBatch) -> Callable[[], str]:
    """Reads a batch that an earlier run stored but did not read."""
    return lambda: "fetched" if _read_batch(batch).new else "nothing new"


def _report_fetcher(provider: Provider, gateway: Gateway, due: MessageQuerySet) -> Callable[[], str]:
    """Fetches batch after batch; when there are no more, the due messages count as asked.

    If the vendor fails in between, the next run continues at once, because the vendor keeps reports for 72 hours only.
    """
    has_fetched, empty_batches = False, 0

    def fetch() -> str:
        nonlocal has_fetched, empty_batches
        try:
            # Stored unchanged before anything else is done with it.
            body = gateway.pull_reports().text.replace("\0", " ")
            batch = retry_on_lost_connection(
                ReportBatch, lambda: ReportBatch.objects.create(provider=provider, body=body)
            )
            found = _read_batch(batch)
        except GatewayError:
            if not has_fetched:
                due.take_turns(timezone.now())
            raise
        has_fetched, empty_batches = True, 0 if found.new else empty_batches + 1
        if found.rows and empty_batches < MAX_VENDOR_FAILURES:
            return "fetched"
        due.take_turns(timezone.now())
        return "nothing new"

    return fetch


class Found(NamedTuple):
    """How many rows a batch has, and how many of its events are new."""

    rows: int
    new: int


def _read_batch(batch: ReportBatch) -> Found:
    """Stores the events of a batch; raises a GatewayError when the vendor's answer is not a batch.

    Rows that cannot be read stay in the batch, for an operator.
    """
    rows = ReportBatch.objects.filter(pk=batch.pk)
    gateway = batch.provider.gateway_client(with_keys=batch.provider.has_keys)
    try:
        news = gateway.read_reports(Answer(200, batch.body.encode()))
    except GatewayRejected:
        rows.delete()
        raise
    except GatewayError as error:
        rows.update(problems=str(error))
        raise
    new = store_events(batch.provider, news, ReportSource.POLL)
    if news.problems:
        rows.update(problems="\n".join(news.problems))
    else:
        rows.delete()
    return Found(len(news.events) + len(news.problems), new)
