"""The questions to vendors: each is one call, and returns the word for its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from django.utils import timezone

from django_smsverify.enums import ReportSource
from django_smsverify.exceptions import GatewayError, GatewayRejected
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Message, Provider, ReportBatch
from django_smsverify.models.querysets import MessageQuerySet
from django_smsverify.money import balances
from django_smsverify.reports.storing import store_events
from django_smsverify.reviews.verdicts import Text, ask_review_as_read, take_review_turn
from django_smsverify.transactions import retry_on_lost_connection
from django_smsverify.types import Answer, News, SentSMS

MAX_EMPTY_BATCHES = 3
"""Batches without a new event after which no more are fetched in a run."""


@dataclass
class Question(ABC):
    """One question to the vendor of a provider."""

    provider: Provider
    goes_on: ClassVar[bool] = False
    """Whether it is asked again as long as it brings new events."""

    @abstractmethod
    def ask(self) -> str:
        """Asks, stores the answer, and returns the word that is counted; raises a GatewayError."""


@dataclass
class BalanceQuestion(Question):
    gateway: Gateway

    def ask(self) -> str:
        if not balances.take_turn(self.provider, self.gateway):
            return "no longer due"
        balances.ask_balance(self.provider)
        return "balance updated"


@dataclass
class StatusQuestion(Question):
    gateway: Gateway
    message: Message

    def ask(self) -> str:
        if not Message.objects.silent().take_turn(self.message, timezone.now()):
            return "no longer due"
        event = self.gateway.ask_status(self._sent())
        if event is None:
            return "under way"
        store_events(self.provider, News(events=(event,)), ReportSource.POLL, about=self.message)
        return "reported"

    def _sent(self) -> SentSMS:
        message, moment = self.message, self.message.claimed_at or self.message.created_at
        return SentSMS(
            remote_id=message.remote_id,
            phone=message.phone,
            own_id=message.own_id,
            sent_at=timezone.make_aware(moment) if timezone.is_naive(moment) else moment,
            asked=message.polls,
        )


@dataclass
class ReviewQuestion(Question):
    gateway: Gateway
    text: Text

    def ask(self) -> str:
        if not take_review_turn(self.text):
            return "no longer due"
        ask_review_as_read(self.gateway, self.text)
        return "reviewed"


@dataclass
class StoredBatch(Question):
    """A batch that an earlier run stored but did not read."""

    batch: ReportBatch

    def ask(self) -> str:
        return "fetched" if read_batch(self.batch).new else "nothing new"


@dataclass
class ReportsQuestion(Question):
    """Fetches batch after batch; when there are no more, the due messages count as asked.

    If the vendor fails in between, the next run continues at once, because the vendor keeps reports for 72 hours only.
    """

    gateway: Gateway
    due: MessageQuerySet
    has_fetched: bool = field(default=False, init=False)
    empty_batches: int = field(default=0, init=False)
    goes_on = True

    def ask(self) -> str:
        try:
            found = read_batch(self._fetch())
        except GatewayError:
            if not self.has_fetched:
                self.due.take_turns(timezone.now())
            raise
        self.has_fetched, self.empty_batches = True, 0 if found.new else self.empty_batches + 1
        if found.rows and self.empty_batches < MAX_EMPTY_BATCHES:
            return "fetched"
        self.due.take_turns(timezone.now())
        return "nothing new"

    def _fetch(self) -> ReportBatch:
        """The next batch, stored unchanged before anything else is done with it."""
        body = self.gateway.pull_reports().text.replace("\0", " ")
        return retry_on_lost_connection(
            ReportBatch, lambda: ReportBatch.objects.create(provider=self.provider, body=body)
        )


class Found(NamedTuple):
    """How many rows a batch has, and how many of its events are new."""

    rows: int
    new: int


def read_batch(batch: ReportBatch) -> Found:
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
