"""Notices (messages without a code), with as many numbers in one call as the gateway accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from django_smsverify import texts
from django_smsverify.exceptions import OverBudget
from django_smsverify.gateways.base import Outcome
from django_smsverify.masked import PerNumber
from django_smsverify.models import Message, Provider, Template
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.transactions import retry_on_lost_connection, run_committed

from .vendor_call import note_health, record_outcomes, send_to_vendor


def send_batch(batch: Sequence[Message]) -> list[Outcome]:
    """Sends one batch of notices, as `batches` builds them, to their gateway in one call.

    Returns their outcomes, without messages that another process has claimed. Raises OverBudget, and sends none, when
    they do not all fit into a budget.
    """
    outcomes = send_to_vendor(batch, PerNumber((message.phone, message.values) for message in batch))
    if outcomes:
        retry_on_lost_connection(Message, lambda: run_committed(Message, partial(record_outcomes, outcomes)))
        note_health(outcomes[0][0], [outcome for _, outcome in outcomes])
    return [outcome for _, outcome in outcomes]


def send_what_fits(batch: Sequence[Message]) -> tuple[list[Outcome], OverBudget | None]:
    """Sends a batch, or its first messages where a budget has no room for all; also returns why not all."""
    try:
        return send_batch(batch), None
    except OverBudget as error:
        outcomes = send_what_fits(batch[: error.fits])[0] if error.fits else []
        return outcomes, error


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yields batches of at most as many messages as their gateway takes in one call.

    A batch has one template, equal values where the gateway requires them, and no number twice.
    """
    open_batches: dict[object, PerNumber[Message]] = {}
    for message in messages:
        most, same_text = _batch_limits(message.provider)
        shared_values = tuple(sorted(message.values.items())) if same_text else None
        batch = open_batches.setdefault((message.template_id, shared_values), PerNumber())
        if message.phone in batch:
            yield list(batch.values())
            batch.clear()
        batch[message.phone] = message
        if len(batch) == most:
            yield list(batch.values())
            batch.clear()
    yield from (list(batch.values()) for batch in open_batches.values() if batch)


def numbers_per_call(template: Template) -> int:
    """How many numbers one call can probably have."""
    most, same_text = _batch_limits(template.provider)
    return 1 if same_text and texts.placeholders(template.content) else most


def _batch_limits(provider: Provider) -> tuple[int, bool]:
    """How many numbers a gateway takes in one call, and whether all of them must get the same text."""
    kind = gateway_class_or_missing(provider.gateway)  # if it is missing, each message gets that error when it is sent
    return kind.max_recipients, kind.same_text
