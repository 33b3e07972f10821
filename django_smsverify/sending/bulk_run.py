"""One run over many numbers: in which threads it sends, how fast, and when it stops because of the provider."""

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
"""Numbers whose rows are created at once; a stopped run sends at most these before it ends."""
CHUNK_OF_CALLS = 50
"""The same, when each number needs its own call."""
THREADS = 8
CALLS_WITHOUT_THREADS = 20
"""Up to this many calls are made one after another, without threads."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class BulkResult:
    """The result of a run."""

    total: int
    """How many numbers were given."""
    messages: list[Message] = field(default_factory=list, repr=False)
    """The messages of the numbers that were reached, in order."""
    why_over: str = ""
    """Why the run ended early; empty when it did not."""

    @property
    def counts(self) -> Counter[str]:
        """How many messages have each status."""
        return Counter(message.status for message in self.messages)

    @property
    def troubles(self) -> list[Message]:
        """Messages that were not sent or not delivered, or whose result is unknown."""
        doubtful = (MessageStatus.UNKNOWN, MessageStatus.NOT_SENT, MessageStatus.UNDELIVERED)
        return [message for message in self.messages if message.status in doubtful]


class Run:
    """One run over many numbers; it ends early when the provider fails repeatedly or refuses the account."""

    def __init__(self, template: Template, result: BulkResult, progress: Progress) -> None:
        self.result = result
        self._provider, self._progress = template.provider, progress
        self._calls_for_one = calls_for_one(template)
        self._pace = Pace(int(template.provider.options.get(PACE.name) or PACE.initial))
        self._done = self._failures = 0
        self._started = timezone.now()
        self._lock = Lock()

    def chunk(self, batch: str | None) -> int:
        """How many numbers get their rows at once: all without a batch name, as such a run cannot be continued."""
        if batch is None:
            return self.result.total
        return CHUNK_OF_CALLS if self._calls_for_one else CHUNK

    @contextmanager
    def hands(self) -> Iterator[Callable[[list[Message]], object]]:
        """Yields the function that sends a batch: in this thread, or in several when each number needs its own call."""
        local = gateway_class(self._provider.gateway).local
        # Inside a transaction, as in tests, other threads cannot see the rows.
        rows_are_visible = not transaction.get_connection(Message.objects.db).in_atomic_block
        if (
            self._calls_for_one
            and self.result.total > CALLS_WITHOUT_THREADS
            and rows_are_visible
            and not local
            and conf.DISPATCH == "inline"
        ):
            with WorkerPool(THREADS, self._send_at_pace) as pool:
                yield pool.submit
        else:
            yield self._send

    def go_through(self, messages: list[Message], submit: Callable[[list[Message]], object], batch: str | None) -> None:
        """Sends the messages of a chunk that are still queued, or enqueues them for workers."""
        self.result.messages += messages
        queued = [
            message for message in messages if message.status == MessageStatus.QUEUED and self._can_be_sent(message)
        ]
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
        """Ends the run with this reason; messages that are still queued are left to the next run or the poll."""
        self.result.why_over = self.result.why_over or why

    def _can_be_sent(self, message: Message) -> bool:
        """Whether it can be sent; the row of an earlier run may be too old or unusable by now."""
        return message.created_at >= self._started or not is_void(message)

    def _advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self.result.total)

    def _send_at_pace(self, batch: list[Message]) -> None:
        if not self.result.why_over:
            self._pace.wait()
            self._send(batch)

    def _send(self, batch: list[Message]) -> None:
        if not self.result.why_over:
            self._stop_if_failing(send_batch(batch))

    def _stop_if_failing(self, outcomes: list[Outcome]) -> None:
        """Slows down or ends the run, depending on the outcomes of a call."""
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
