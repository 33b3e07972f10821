"""The way of queued messages through their gateway, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from .enums import Reason
from .exceptions import GatewayRejected
from .gateways.base import Outcome
from .models import Message, Template
from .recording import claim, claim_all
from .types import OutgoingSMS


@sensitive_variables()
def hand_over(messages: Sequence[Message], values: Mapping[str, Mapping[str, str]]) -> list[tuple[Message, Outcome]]:
    """Gives queued messages of one template to its gateway in one call and returns what became of each.

    Leaves out those that somebody else hands over. What it returns must be recorded by the caller.
    """
    claimed = {message.phone: message for message in _claimed(messages)}
    if not claimed:
        return []
    template = next(iter(claimed.values())).template
    outcomes = _outcomes(template, {phone: values[phone] for phone in claimed})
    return [(message, outcomes[phone]) for phone, message in claimed.items()]


def _claimed(messages: Sequence[Message]) -> Sequence[Message]:
    """Those that nobody else has claimed: as a rule all, which one statement tells."""
    if len(messages) > 1 and claim_all(messages):
        return messages
    return [message for message in messages if claim(message)]


@sensitive_variables()
def _outcomes(template: Template, values: Mapping[str, Mapping[str, str]]) -> Mapping[str, Outcome]:
    try:
        gateway = template.provider.connect()
    except ImproperlyConfigured as error:
        refusal = GatewayRejected(str(error), reason=Reason.ACCOUNT, error_code="configuration")
        return dict.fromkeys(values, refusal)
    missing = [c.name for c in gateway.credentials if not gateway.account.credentials.get(c.name)]
    if missing:
        words = f"the provider has no {', '.join(missing)}: enter it in the admin"
        return dict.fromkeys(values, GatewayRejected(words, reason=Reason.ACCOUNT, error_code="configuration"))
    return gateway.send(outgoing(template, values))


def outgoing(template: Template, values: Mapping[str, Mapping[str, str]]) -> OutgoingSMS:
    """What a gateway is told to send."""
    signature = template.signature
    return OutgoingSMS(
        content=template.content,
        signature=signature.text if signature else "",
        signature_id=signature.remote_id if signature else "",
        template_id=template.remote_id,
        variables=template.variables,
        recipients=values,
    )
