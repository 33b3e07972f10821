"""One call to a vendor for queued messages: claim them, send them, record the outcomes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from django_smsverify.enums import Reason
from django_smsverify.exceptions import (
    GatewayRejected,
    OverBudget,
    describe,
)
from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.masked import PerNumber
from django_smsverify.messages import claim, claim_all, record_all, record_one_acceptance
from django_smsverify.models import Message, Provider, Template
from django_smsverify.money import balances
from django_smsverify.reports.matching import match_after_commit
from django_smsverify.tracing import span
from django_smsverify.types import Acceptance

from . import circuits
from .connection import release_connection
from .content import outgoing

logger = logging.getLogger("django_smsverify")


def send_to_vendor(
    messages: Sequence[Message], values: Mapping[str, Mapping[str, str]]
) -> list[tuple[Message, Outcome]]:
    """Sends queued messages of one template to its gateway in one call; returns them with their outcomes.

    Leaves out messages that another process has claimed. The caller must record the outcomes. Raises OverBudget when a
    notice does not fit into a budget; a code that is claimed does.
    """
    claimed = PerNumber((message.phone, message) for message in _claimed(messages))
    if not claimed:
        return []
    template = next(iter(claimed.values())).template
    own_id = next(iter(claimed.values())).own_id if len(claimed) == 1 else ""
    outcomes = call_gateway(template, PerNumber((phone, values[phone]) for phone in claimed), own_id)
    return [(message, outcomes[phone]) for phone, message in claimed.items()]


def _claimed(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages that this process could claim: usually all of them, with one statement."""
    if len(messages) > 1 and claim_all(messages):
        return messages
    claimed: list[Message] = []
    for message in messages:
        try:
            claimed += [message] if claim(message) else []
        except OverBudget:
            if not claimed:
                raise
            break  # what is claimed must be sent
    return claimed


def call_gateway(template: Template, values: Mapping[str, Mapping[str, str]], own_id: str) -> Mapping[str, Outcome]:
    """Returns the outcome for each number; `values` are those of the placeholders. Only `testing` replaces it."""
    try:
        gateway = _gateway(template.provider)
    except GatewayRejected as refusal:
        return PerNumber(dict.fromkeys(values, refusal))
    sms = outgoing(template, values, own_id)
    if not gateway.local:
        release_connection()
    provider = template.provider
    with span("vendor_call", provider=provider.slug, gateway=provider.gateway, sms=len(values)) as current:
        outcomes = gateway.send(sms)
        current.set_attribute("smsverify.accepted", _accepted(outcomes))
    return outcomes


def _accepted(outcomes: Mapping[str, Outcome]) -> int:
    return sum(isinstance(outcome, Acceptance) for outcome in outcomes.values())


def _gateway(provider: Provider) -> Gateway:
    """Raises GatewayRejected for a gateway that cannot send, whatever the cause is."""
    bug = ""
    try:
        return provider.gateway_client()
    except ImproperlyConfigured as error:
        why = str(error)
    except Exception as error:
        why, bug = "the gateway could not be set up: see the log", describe(error)
    if bug:
        logger.error("The gateway of %s could not be set up: %s", provider.slug, bug)
    raise GatewayRejected(why, reason=Reason.ACCOUNT, error_code="configuration")


def record_acceptance(message: Message, acceptance: Acceptance) -> bool:
    """Does what `record_outcomes` does for one acceptance, in one statement; False, and nothing done, where the message
    has a later event."""
    is_recorded = record_one_acceptance(message, acceptance)
    if is_recorded:
        match_after_commit([message])
    return is_recorded


def record_outcomes(outcomes: Sequence[tuple[Message, Outcome]]) -> None:
    """Stores the outcomes of one call; after the commit, matches reports that arrived before the vendor's answer."""
    record_all(outcomes)
    match_after_commit([message for message, _ in outcomes])


def note_health(message: Message, outcomes: Sequence[Outcome], *, has_no_failures: bool = False) -> None:
    """Updates the provider's circuits and balance from the outcomes of one call; `message` is one of its messages."""
    phone = "" if message.verification_id is None else message.phone
    circuits.note(message.provider, outcomes, phone=phone, has_no_failures=has_no_failures)
    balances.note_outcomes(message.provider, outcomes, message.claimed_at or timezone.now())
