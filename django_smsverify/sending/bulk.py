"""Many numbers at once: rows before calls, chunk by chunk, so that whatever ends a run can be gone on from."""

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
from django_smsverify.transactions import run_committed

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
    """Sends an approved text without a code to many numbers, in batches where the vendor takes them.

    `recipients` maps each number to the values of the template's placeholders. The site decides who gets
    it: no allowance is asked or spent. Returns a message for each number, in order; what became of it is
    its `status`. `progress` is told how many numbers are done, of how many.

    `batch` names the batch, in at most 64 characters: under one name a number gets one message at most,
    whoever asks how often. Called again after a crash, it sends to whom nothing was sent, touches nothing
    else (the values that came first stay) and returns what is. Only with a name may `stopped` end it between
    chunks of at most 1000 numbers; then, and when the provider fails 5 calls in a row or refuses the account,
    numbers that it did not come to have no message.

    Raises ValueError for a template with `{code}`, one that may not be used now, missing or surplus values,
    numbers given twice and a name that another template has; InvalidPhone, PhoneNotSupported, InvalidGateway
    and InsideTransaction. Then nothing was sent.
    """
    recipients = PerNumber(recipients)  # shows no number from here on
    return send_bulk(template, recipients, batch=batch, progress=progress, stopped=stopped).messages


def send_bulk(
    template: Template,
    recipients: Values,
    *,
    batch: str | None = None,
    progress: Progress | None = None,
    stopped: Stopped | None = None,
) -> BulkResult:
    """As `send_message`, and also tells why it ended early."""
    gateway_class(template.provider.gateway)  # raises when there is none
    values = _checked(template, recipients)
    run_committed(Message, lambda: None)
    _check_name(batch, template, stopped)
    run = Run(template, BulkResult(len(values)), progress or (lambda done, total: None))
    if batch is not None:
        run.end(_rest_of(template.provider))
    rest, is_stopped = iter(values.items()), False
    with run.hands() as submit:
        while not run.result.why_over and (chunk := PerNumber(islice(rest, run.chunk(batch)))):
            if is_stopped := stopped is not None and stopped():
                break
            run.go_through(_rows(template, chunk, batch), submit, batch)
    if is_stopped:
        run.end("it was stopped")  # not before what was begun is handed over: else the poll would do it
    _look_again(run.result.messages)
    return run.result


def queue_up(template: Template, recipients: Values, batch: str) -> None:
    """Makes the messages of a batch and leaves them to the workers, and where there are none to the poll.

    Raises what `send_message` raises.
    """
    gateway_class(template.provider.gateway)
    values = _checked(template, recipients)
    run_committed(Message, lambda: None)
    _check_name(batch, template, None)
    rest = iter(values.items())
    while chunk := PerNumber(islice(rest, CHUNK)):
        messages = _rows(template, chunk, batch)
        if conf.DISPATCH != "inline":
            enqueue_many([message for message in messages if message.status == MessageStatus.QUEUED], keep=True)


def _checked(template: Template, recipients: Values) -> Values:
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
    others = Message.objects.primary().filter(batch=batch).exclude(template=template.pk)
    if other := others.select_related("template").first():
        raise ValueError(f"The batch {batch} is of the template {other.template}: give this batch another name.")


def _rest_of(provider: Provider) -> str:
    """Why nothing should be handed over now; without a name to go on under, it is tried all the same."""
    circuit = circuits.open_circuits([provider.pk]).get(provider.pk)
    if circuit is None or not circuit.is_resting:
        return ""
    return f"the circuit of {provider} is open, close it in the admin or try again in a while: {circuit.why}"


def _rows(template: Template, values: Values, batch: str | None) -> list[Message]:
    """The message of each number, made where there is none yet; a queued one is for the caller to deliver."""
    known = _known(template, batch, values)
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
    rows = Message.objects.primary()
    create = partial(rows.bulk_create, fresh, batch_size=CHUNK, ignore_conflicts=batch is not None)
    if fresh:
        run_committed(Message, create)
    # Another process may have been faster with the same batch: the rows decide.
    if batch is None:
        return fresh
    known = _known(template, batch, values)
    return [known[phone] for phone in values if phone in known]


def _known(template: Template, batch: str | None, values: Values) -> PerNumber[Message]:
    if batch is None:
        return PerNumber()
    rows = Message.objects.primary().filter(batch=batch, phone__in=values)
    found = PerNumber((message.phone, message) for message in rows)
    for message in found.values():
        if message.template_id == template.pk and message.provider_id == template.provider_id:
            message.template, message.provider = template, template.provider
    return found


def _look_again(messages: list[Message]) -> None:
    """Others may have come to some of them meanwhile: a worker, the poll, a run beside this one."""
    under_way = (MessageStatus.QUEUED, MessageStatus.SENDING)
    doubtful = iter([message for message in messages if message.status in under_way])
    while some := list(islice(doubtful, CHUNK)):
        refresh(some)
