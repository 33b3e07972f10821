"""Sending to many numbers: rows are created before calls, chunk by chunk, so that an interrupted run can continue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from itertools import islice
from typing import NamedTuple

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.limits.budget import over_budget
from django_smsverify.masked import PerNumber
from django_smsverify.messages import refresh
from django_smsverify.models import Message, Provider, Template
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.transactions import require_autocommit

from . import circuits
from .bulk_input import Recipients, check_all, masked_pairs, read_chunks, split
from .bulk_result import BulkResult
from .bulk_rows import CHUNK, Values, get_or_create_messages
from .bulk_run import Run
from .dispatch import enqueue_many
from .left_out import WHYS

LONGEST_NAME = 64

Stopped = Callable[[], bool]


class Queued(NamedTuple):
    """What became of the numbers of a batch that was queued."""

    waiting: int
    """Those whose message waits to be sent."""
    left_out: int
    """Those that get no notices."""


def send_message(
    template: Template,
    recipients: Recipients,
    *,
    batch: str | None = None,
    progress: Callable[[int, int], object] | None = None,
    stopped: Stopped | None = None,
) -> list[Message]:
    """Sends an approved template without a code to many numbers, in batches where the vendor takes them.

    `recipients` maps each number to the values of the template's placeholders. The site decides who gets it: no limits
    are checked or counted. Returns one message per number, in order; its `status` is the result. `progress` is called
    with how many numbers are done and the total.

    `batch` names the batch, in at most 64 characters: under one name each number gets at most one message, however
    often this is called. Called again after a crash, it sends to numbers without a message or with a queued one,
    changes nothing else (the first values stay) and returns all messages. Only with a name may `stopped` end the run
    between chunks of at most 1000 numbers. After that, or when the provider fails 5 calls in a row or refuses the
    account, or a budget is spent, numbers that were not reached have no message.

    Raises ValueError for a template with `{code}`, one that may not be used now, missing or surplus values, duplicate
    numbers and a name that another template has; OverBudget without a name; InvalidPhone, PhoneNotSupported,
    InvalidGateway and InsideTransaction. Then nothing was sent.
    """
    recipients = PerNumber(recipients)  # its repr shows no numbers from here on
    return _send_all(template, recipients, batch, progress, stopped)


def send_bulk(
    template: Template,
    recipients: Iterable[tuple[str, Values]],
    *,
    name: str,
    progress: Callable[[int, int | None], object] | None = None,
    stopped: Stopped | None = None,
) -> BulkResult:
    """Does what `send_message` does for a batch with a name, in memory that does not grow with how many numbers it has.

    `recipients` yields pairs of a number and its values, and may be a generator that reads a file or a table. At most
    1000 pairs are read at once, in this thread, while calls are under way. A number that is given twice gets one
    message. The result counts the messages of the batch in the database, and iterates those that failed.

    The same call continues after a crash or an early end, which `why_over` of the result explains. `progress` is called
    with how many numbers are done, and the total, which is None where `recipients` has no length. `stopped` is called
    before pairs are read.

    A template, provider or name that `send_message` refuses is refused before a pair is read. A bad number, or one with
    missing or surplus values, raises the same error as there when it is read, with its position and the masked number:
    then the chunks before it were sent, and nothing of its own.
    """
    total = len(recipients) if isinstance(recipients, Sized) else None
    recipients = masked_pairs(recipients)  # its repr shows no numbers from here on
    run = _begin(template, name, stopped, lambda done: progress and progress(done, total))
    run.send(read_chunks(template, recipients, run.chunk_size), stopped)
    return BulkResult(name, run.reached, run.why_over)


def _send_all(
    template: Template,
    recipients: Recipients,
    batch: str | None,
    progress: Callable[[int, int], object] | None,
    stopped: Stopped | None,
) -> list[Message]:
    run = _begin(template, batch, stopped, lambda done: progress and progress(done, len(recipients)))
    values, messages = check_all(template, recipients), list[Message]()
    # Without a name it cannot be continued: the rows of all numbers are created first.
    run.send(split(values, max(len(values), 1) if batch is None else run.chunk_size), stopped, messages.extend)
    _refresh_unfinished(messages)
    return messages


def _begin(template: Template, batch: str | None, stopped: Stopped | None, progress: Callable[[int], object]) -> Run:
    """Raises what `send_message` raises before it looks at the numbers."""
    _check_template(template)
    _check_batch(batch, template, stopped)
    run = Run(template, batch, progress)
    refused = over_budget([template.provider], template.purpose).get(template.provider_id)
    if batch is not None:
        run.end(refused.why if refused else _why_not_now(template.provider))
    elif refused:
        raise refused
    return run


def queue_up(template: Template, recipients: Recipients, batch: str) -> Queued:
    """Creates the messages of a batch and enqueues them for the workers; without workers the poll sends them.

    Returns how many wait, and how many get none. Raises what `send_message` raises.
    """
    _check_template(template)
    _check_batch(batch, template, None)
    waiting = left_out = 0
    if refused := over_budget([template.provider], template.purpose).get(template.provider_id):
        raise refused
    for chunk in split(check_all(template, recipients), CHUNK):
        messages = get_or_create_messages(template, chunk.values, batch)
        queued = [message for message in messages if message.status == MessageStatus.QUEUED]
        waiting, left_out = waiting + len(queued), left_out + sum(one.error_message in WHYS for one in messages)
        if conf.DISPATCH != "inline":
            enqueue_many(queued, keep=True)
    return Queued(waiting, left_out)


def _check_template(template: Template) -> None:
    gateway_class(template.provider.gateway)  # raises InvalidGateway
    if "code" in texts.placeholders(template.content):
        raise ValueError(f"The template {template} has {{code}}: it is for send_code(), not for send_message().")
    if not Template.objects.routable().filter(pk=template.pk).exists():
        raise ValueError(f"The template {template} is not approved and active, or its signature or provider is not.")


def _check_batch(batch: str | None, template: Template, stopped: Stopped | None) -> None:
    require_autocommit(Message)
    if batch is None:
        if stopped is not None:
            raise ValueError("Give the batch a name with batch=…: without it nobody could go on where it stopped.")
        return
    if not 0 < len(batch) <= LONGEST_NAME:
        raise ValueError(f"The name of a batch has 1 to {LONGEST_NAME} characters, not {len(batch)}.")
    # All messages of a batch have one template; by the unique index, one row is read.
    found = Message.objects.filter(batch=batch).order_by("phone").select_related("template").first()
    if found is not None and found.template != template:
        raise ValueError(f"The batch {batch} is of the template {found.template}: give this batch another name.")


def _why_not_now(provider: Provider) -> str:
    """Why nothing should be sent now, or an empty text; a batch without a name cannot continue later and ignores it."""
    circuit = circuits.open_circuits([provider.pk]).get(provider.pk)
    if circuit is None or not circuit.is_resting:
        return ""
    return f"the circuit of {provider} is open, close it in the admin or try again in a while: {circuit.why}"


def _refresh_unfinished(messages: list[Message]) -> None:
    """Reloads messages that a worker, the poll or a concurrent run may have changed meanwhile."""
    under_way = (MessageStatus.QUEUED, MessageStatus.SENDING)
    unfinished = iter([message for message in messages if message.status in under_way])
    while some := list(islice(unfinished, CHUNK)):
        refresh(some)
