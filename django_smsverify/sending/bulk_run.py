"""One run over many numbers: in which threads it sends, how fast, and when it stops because of the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from django.db import transaction
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.base import PACE, Outcome
from django_smsverify.models import Message, Provider, Template
from django_smsverify.models.gateway_classes import gateway_class

from . import circuits
from .batching import batches, numbers_per_call, send_what_fits
from .bulk_input import Chunk
from .bulk_rows import CHUNK, get_or_create_messages
from .dispatch import enqueue_many
from .pacing import Pace, WorkerPool
from .worker import without_void

CHUNK_OF_CALLS = 50
"""Numbers whose rows are created at once, when each number needs its own call."""
THREADS = 8
"""Calls at the same time."""
CALLS_WITHOUT_THREADS = 20
"""Up to this many calls with one number are made one after another, without threads."""

OF_MONEY = ("price", "budget_day", "budget_month")
Submit = Callable[[list[Message]], object]


class Run:
    """One run over many numbers; it ends early when the provider fails repeatedly or refuses the account."""

    def __init__(self, template: Template, batch: str | None, progress: Callable[[int], object]) -> None:
        """`progress` is called with how many numbers are done."""
        self.reached = 0
        """How many numbers have a message."""
        self.why_over = ""
        """Why the run ended early; empty when it did not."""
        self._template, self._provider, self._batch = template, template.provider, batch
        self._progress = progress
        self._per_call = numbers_per_call(template)
        self._pace = Pace(int(template.provider.options.get(PACE.name) or PACE.initial))
        self._done = self._failures = 0
        self._is_working = False
        self._started = timezone.now()
        self._lock, self._alone = Lock(), Lock()

    @property
    def chunk_size(self) -> int:
        """How many numbers get their rows at once; a stopped run sends these before it ends."""
        return CHUNK_OF_CALLS if self._per_call == 1 else CHUNK

    def send(
        self,
        chunks: Iterator[Chunk],
        stopped: Callable[[], bool] | None = None,
        keep: Callable[[list[Message]], object] = lambda messages: None,
    ) -> None:
        """Sends to the numbers of each chunk, until `stopped()`; `keep` is called with the messages of a chunk.

        Rows of the next chunk are created while calls are under way. An error of `chunks` is raised when the chunks
        before it have been sent.
        """
        is_stopped, submit = False, None
        with ExitStack() as stack:
            while not self.why_over and not (is_stopped := bool(stopped and stopped())):
                if (chunk := next(chunks, None)) is None:
                    break
                # What an operator has changed since, such as its budget, holds for a long run too.
                self._provider.refresh_from_db(using=Provider.objects.db, fields=OF_MONEY)
                submit = submit or stack.enter_context(self._threads(chunk.given))
                messages = get_or_create_messages(self._template, chunk.values, self._batch)
                self.reached += chunk.given
                keep(messages)
                self._go_through(messages, chunk.given, submit)
        if is_stopped:
            # Only after the threads have sent their batches: they skip those of an ended run.
            self.end("it was stopped")

    def end(self, why: str) -> None:
        """Ends the run with this reason; messages that are still queued are left to the next run or the poll."""
        self.why_over = self.why_over or why

    @contextmanager
    def _threads(self, count: int) -> Iterator[Submit]:
        """Yields the function that sends a batch: in several threads, or in this one.

        `count` is the size of the first chunk, which holds all numbers when they are few.
        """
        few = max(CALLS_WITHOUT_THREADS, min(self._per_call, CHUNK - 1))
        local = gateway_class(self._provider.gateway).local
        # Inside a transaction, as in tests, other threads cannot see the rows.
        rows_are_visible = not transaction.get_connection(Message.objects.db).in_atomic_block
        if count > few and rows_are_visible and not local and conf.DISPATCH == "inline":
            with WorkerPool(THREADS, self._send_at_pace) as pool:
                yield pool.submit
        else:
            yield self._send

    def _go_through(self, messages: list[Message], count: int, submit: Submit) -> None:
        """Sends the messages of a chunk that are still queued, or enqueues them for workers."""
        own = [message for message in messages if message.status == MessageStatus.QUEUED]
        # Rows of an earlier run may be too old or unusable by now.
        earlier = [message for message in own if message.created_at < self._started]
        queued = [message for message in own if message.created_at >= self._started] + without_void(earlier)
        self._advance(count - len(queued))
        if conf.DISPATCH != "inline":
            if not enqueue_many(queued, keep=self._batch is not None):
                self.end("the task queue could not be reached")
            self._advance(len(queued))
            return
        for some in batches(queued):
            if self.why_over:
                break
            submit(some)
            self._advance(len(some))

    def _advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done)

    def _send_at_pace(self, batch: list[Message]) -> None:
        """Sends beside other threads, or alone before the first success and after a failure: of a provider that does
        not work, no more calls are lost than those that are under way."""
        with self._alone:
            if not self._is_working:
                return self._wait_and_send(batch)
        return self._wait_and_send(batch)

    def _wait_and_send(self, batch: list[Message]) -> None:
        if not self.why_over:
            self._pace.wait()
            self._send(batch)

    def _send(self, batch: list[Message]) -> None:
        if self.why_over:
            return
        outcomes, refused = send_what_fits(batch)
        self._stop_if_failing(outcomes)
        if refused:
            self.end(refused.why)

    def _stop_if_failing(self, outcomes: list[Outcome]) -> None:
        """Slows down or ends the run, depending on the outcomes of a call."""
        reasons = {outcome.reason: outcome for outcome in outcomes if isinstance(outcome, GatewayRejected)}
        healths = {circuits.is_healthy(outcome): outcome for outcome in outcomes}
        if Reason.RATE in reasons:
            self._pace.halve()
        with self._lock:
            if True in healths:
                self._failures, self._is_working = 0, True
            elif False in healths:
                self._failures, self._is_working = self._failures + 1, False
                if Reason.ACCOUNT in reasons:
                    self.end(f"{self._provider} refuses the account: {reasons[Reason.ACCOUNT]}")
                elif self._failures >= circuits.FAILURES:
                    self.end(f"{self._provider} failed {self._failures} times in a row, at last with: {healths[False]}")
