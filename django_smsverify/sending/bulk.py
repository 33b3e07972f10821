"""Sending to many numbers: rows are created before calls, chunk by chunk, so that an interrupted run can continue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice

from django_smsverify import phones, texts
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.masked import PerNumber, secrets_of
from django_smsverify.messages import refresh
from django_smsverify.models import Message, Provider, Template
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.transactions import require_autocommit, run_committed

from . import circuits
from .bulk_run import CHUNK, BulkResult, Progress, Run
from .content import segments
from .dispatch import enqueue_many

LONGEST_NAME = 64

Values = Mapping[str, Mapping[str, str]]
Stopped = Callable[[], bool]


def send_message(
    template: Template,
    recipients: Values,
    *,
    batch: str | None = None,
    progress: Progress | None = None,
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
    account, numbers that were not reached have no message.

    Raises ValueError for a template with `{code}`, one that may not be used now, missing or surplus values, duplicate
    numbers and a name that another template has; InvalidPhone, PhoneNotSupported, InvalidGateway and InsideTransaction.
    Then nothing was sent.
    """
    recipients = PerNumber(recipients)  # its repr shows no numbers from here on
    return send_bulk(template, recipients, batch=batch, progress=progress, stopped=stopped).messages


def send_bulk(
    template: Template,
    recipients: Values,
    *,
    batch: str | None = None,
    progress: Progress | None = None,
    stopped: Stopped | None = None,
) -> BulkResult:
    """Like `send_message`, but returns a BulkResult, which also has the reason for an early end."""
    gateway_class(template.provider.gateway)  # raises InvalidGateway
    values = _checked_values(template, recipients)
    require_autocommit(Message)
    _check_name(batch, template, stopped)
    run = Run(template, BulkResult(len(values)), progress or (lambda done, total: None))
    if batch is not None:
        run.end(_why_not_now(template.provider))
    rest, is_stopped = iter(values.items()), False
    with run.hands() as submit:
        while not run.result.why_over and (chunk := PerNumber(islice(rest, run.chunk(batch)))):
            if is_stopped := stopped is not None and stopped():
                break
            run.go_through(_get_or_create_messages(template, chunk, batch), submit, batch)
    if is_stopped:
        # Only after the threads have sent their batches: they skip those of an ended run.
        run.end("it was stopped")
    _refresh_unfinished(run.result.messages)
    return run.result


def queue_up(template: Template, recipients: Values, batch: str) -> None:
    """Creates the messages of a batch and enqueues them for the workers; without workers the poll sends them.

    Raises what `send_message` raises.
    """
    gateway_class(template.provider.gateway)
    values = _checked_values(template, recipients)
    require_autocommit(Message)
    _check_name(batch, template, None)
    rest = iter(values.items())
    while chunk := PerNumber(islice(rest, CHUNK)):
        messages = _get_or_create_messages(template, chunk, batch)
        if conf.DISPATCH != "inline":
            enqueue_many([message for message in messages if message.status == MessageStatus.QUEUED], keep=True)


def _checked_values(template: Template, recipients: Values) -> Values:
    names = set(texts.placeholders(template.content))
    if "code" in names:
        raise ValueError(f"The template {template} has {{code}}: it is for send_code(), not for send_message().")
    if not Template.objects.routable().filter(pk=template.pk).exists():
        raise ValueError(f"The template {template} is not approved and active, or its signature or provider is not.")
    values = PerNumber[Mapping[str, str]]()
    for written, own in recipients.items():
        phone = phones.parse(written)
        if phone in values:
            raise ValueError(f"The number {phones.mask(phone)} is given twice.")
        if own.keys() != names or not all(map(texts.is_text, own.values())):
            raise ValueError(f"Give {phones.mask(phone)} a text for each of: {', '.join(sorted(names)) or 'nothing'}.")
        values[phone] = secrets_of(own)
    return values


def _check_name(batch: str | None, template: Template, stopped: Stopped | None) -> None:
    if batch is None:
        if stopped is not None:
            raise ValueError("Give the batch a name with batch=…: without it nobody could go on where it stopped.")
        return
    if not 0 < len(batch) <= LONGEST_NAME:
        raise ValueError(f"The name of a batch has 1 to {LONGEST_NAME} characters, not {len(batch)}.")
    others = Message.objects.filter(batch=batch).exclude(template=template.pk)
    if other := others.select_related("template").first():
        raise ValueError(f"The batch {batch} is of the template {other.template}: give this batch another name.")


def _why_not_now(provider: Provider) -> str:
    """Why nothing should be sent now, or an empty text; a batch without a name cannot continue later and ignores it."""
    circuit = circuits.open_circuits([provider.pk]).get(provider.pk)
    if circuit is None or not circuit.is_resting:
        return ""
    return f"the circuit of {provider} is open, close it in the admin or try again in a while: {circuit.why}"


def _get_or_create_messages(template: Template, values: Values, batch: str | None) -> list[Message]:
    """One message per number, created if it does not exist yet; the caller must send the queued ones."""
    known = _existing_messages(template, batch, values)
    fresh = [
        Message(
            provider=template.provider,
            template=template,
            phone=phone,
            purpose=template.purpose,
            batch=batch,
            values=dict(own),
            segments=segments(template, own),
        )
        for phone, own in values.items()
        if phone not in known
    ]
    rows = Message.objects.all()
    create = partial(rows.bulk_create, fresh, batch_size=CHUNK, ignore_conflicts=batch is not None)
    if fresh:
        run_committed(Message, create)
    # Another process may have created rows of the same batch first: use the stored rows.
    if batch is None:
        return fresh
    known = _existing_messages(template, batch, values)
    return [known[phone] for phone in values if phone in known]


def _existing_messages(template: Template, batch: str | None, values: Values) -> PerNumber[Message]:
    if batch is None:
        return PerNumber()
    rows = Message.objects.filter(batch=batch, phone__in=values)
    found = PerNumber((message.phone, message) for message in rows)
    for message in found.values():
        if message.template_id == template.pk and message.provider_id == template.provider_id:
            message.template, message.provider = template, template.provider
    return found


def _refresh_unfinished(messages: list[Message]) -> None:
    """Reloads messages that a worker, the poll or a concurrent run may have changed meanwhile."""
    under_way = (MessageStatus.QUEUED, MessageStatus.SENDING)
    unfinished = iter([message for message in messages if message.status in under_way])
    while some := list(islice(unfinished, CHUNK)):
        refresh(some)
