"""One run over many numbers: by whom they are handed over, how fast, and when the provider is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from django.db import transaction
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.base import PACE, Outcome
from django_smsverify.models import Message, Template
from django_smsverify.models.gateway_classes import gateway_class

from . import circuits
from .batching import batches, calls_for_one, send_batch
from .dispatch import enqueue_many
from .pacing import Pace, WorkerPool
from .worker import is_void

CHUNK = 1000
"""Numbers that get their rows at once; a run that is stopped hands over no more than these."""
CHUNK_OF_CALLS = 50
"""The same where each number is a call of its own."""
THREADS = 8
CALLS_WITHOUT_THREADS = 20
"""So many calls are made one after the other, without threads."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class BulkResult:
    """What a run has come to."""

    total: int
    """Numbers that were given."""
    messages: list[Message] = field(default_factory=list, repr=False)
    """In their order, of those that it came to."""
    why_over: str = ""
    """Why it ended before the last number; empty when it did not."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(message.status for message in self.messages)

    @property
    def troubles(self) -> list[Message]:
        """Those that were not sent, or perhaps not."""
        doubtful = (MessageStatus.UNKNOWN, MessageStatus.NOT_SENT, MessageStatus.UNDELIVERED)
        return [message for message in self.messages if message.status in doubtful]


class Run:
    """One run over many numbers, which ends early when the provider fails again and again or refuses the account."""

    def __init__(self, template: Template, result: BulkResult, progress: Progress) -> None:
        self.result = result
        self._provider, self._progress = template.provider, progress
        self._calls_for_one = calls_for_one(template)
        self._pace = Pace(int(template.provider.options.get(PACE.name) or PACE.initial))
        self._done = self._failures = 0
        self._started = timezone.now()
        self._lock = Lock()

    def chunk(self, batch: str | None) -> int:
        """How many numbers get their rows at once; all when nobody could go on without them."""
        if batch is None:
            return self.result.total
        return CHUNK_OF_CALLS if self._calls_for_one else CHUNK

    @contextmanager
    def hands(self) -> Iterator[Callable[[list[Message]], object]]:
        """What a batch is given to: this thread, or several where each number is a call of its own."""
        local = gateway_class(self._provider.gateway).local
        # Inside a transaction, which is that of a test, other threads would see nothing.
        seen = not transaction.get_connection(Message.objects.primary().db).in_atomic_block
        if (
            self._calls_for_one
            and self.result.total > CALLS_WITHOUT_THREADS
            and seen
            and not local
            and conf.DISPATCH == "inline"
        ):
            with WorkerPool(THREADS, self._deliver_in_turn) as pool:
                yield pool.submit
        else:
            yield self._deliver

    def go_through(self, messages: list[Message], submit: Callable[[list[Message]], object], batch: str | None) -> None:
        """Delivers those of a chunk that still are queued, or has workers deliver them."""
        self.result.messages += messages
        queued = [message for message in messages if message.status == MessageStatus.QUEUED and self._is_due(message)]
        self._advance(len(messages) - len(queued))
        if conf.DISPATCH != "inline":
            if not enqueue_many(queued, keep=batch is not None):
                self.end("the task queue could not be reached")
            self._advance(len(queued))
            return
        for some in batches(queued):
            if self.result.why_over:
                break
            submit(some)
            self._advance(len(some))

    def end(self, why: str) -> None:
        """Hands nothing more over; what is queued by then is left to the next run, or to the poll."""
        self.result.why_over = self.result.why_over or why

    def _is_due(self, message: Message) -> bool:
        """Whether it is as it should be; a row of a run before may have become too old or unusable."""
        return message.created_at >= self._started or not is_void(message)

    def _advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self.result.total)

    def _deliver_in_turn(self, batch: list[Message]) -> None:
        if not self.result.why_over:
            self._pace.wait()
            self._deliver(batch)

    def _deliver(self, batch: list[Message]) -> None:
        if not self.result.why_over:
            self._stop_if_failing(send_batch(batch))

    def _stop_if_failing(self, outcomes: list[Outcome]) -> None:
        """Draws the conclusions for the rest."""
        reasons = {outcome.reason: outcome for outcome in outcomes if isinstance(outcome, GatewayRejected)}
        healths = {circuits.is_healthy(outcome): outcome for outcome in outcomes}
        if Reason.RATE in reasons:
            self._pace.halve()
        with self._lock:
            if True in healths:
                self._failures = 0
            elif Reason.ACCOUNT in reasons:
                self.end(f"{self._provider} refuses the account: {reasons[Reason.ACCOUNT]}")
            elif False in healths:
                self._failures += 1
                if self._failures >= circuits.FAILURES:
                    self.end(f"{self._provider} failed {self._failures} times in a row, at last with: {healths[False]}")
