"""Sending one code through one provider and no other, for an operator who tests the provider."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django_smsverify import phones
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import PhoneNotSupported
from django_smsverify.limits.admission import admission
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.lists import refuse_blocked
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.limits.shared import SHARED
from django_smsverify.models import Message, Provider, Recipient, Template, Verification
from django_smsverify.numbers import requester_of
from django_smsverify.verifying.context import context_of_test

from .attempt import send_queued
from .choosing import Chosen, whatever_is_open
from .request import CodeRequest
from .single import create_rows, in_turn


def code_templates(provider: Provider) -> list[Template]:
    """The templates of a provider by which a code can be sent now."""
    return [one for one in Template.objects.routable().filter(provider=provider).order_by("pk") if one.carries_code]


def send_code_by(
    template: Template,
    phone: str,
    *,
    is_probe: bool = False,
    store: Callable[[Message], object] = lambda message: None,
) -> Message:
    """Sends a code by this template, now and by this process, and returns its message as it is stored.

    Rows and limits are those of `send_code`. The provider is tried whatever its circuit is, whose trial this is, and
    no other is. The code is bound to the provider's name, so that it opens nothing on the site. `store` is called with
    the new message, in the transaction that stores it.

    Raises InvalidPhone, PhoneNotSupported, Throttled, ThrottleUnavailable, OverBudget and InsideTransaction. A number
    that is blocked gets nothing from operators either.
    """
    number = phone = phones.parse(phone)
    if not template.provider.serves(number):
        raise PhoneNotSupported
    refuse_blocked(number)
    request = _request(template, number)
    admitted = admission(number, "", None, request.requester, by_operator=True)
    with time_limit(), admitted as charge:
        create = partial(_create, request, whatever_is_open(template, number), store, is_probe)
        verification, message = in_turn(number, request.requester, create)
    last = send_queued(verification, message, fails_over=False)
    last.refresh_from_db()
    if last.status == MessageStatus.NOT_SENT:
        charge.refund(*SHARED)
    return last


def _request(template: Template, number: phones.E164) -> CodeRequest:
    context = context_of_test(template.provider.slug)
    return CodeRequest(
        phone=number,
        purpose=template.purpose,
        context=context,
        requester=requester_of(number),
        ip=None,
        by_operator=True,
    )


def _create(
    request: CodeRequest,
    chosen: Chosen,
    store: Callable[[Message], object],
    is_probe: bool,
    recipient: Recipient,
    history: NumberHistory,
) -> tuple[Verification, Message]:
    """Creates the rows, claimed also where workers send: one of them would choose the provider anew."""
    of_message = {"is_claimed": True, "is_probe": is_probe}
    rows = create_rows(request, chosen, lambda chosen, earlier: chosen, recipient, history, **of_message)
    store(rows[1])
    return rows
