"""Sending one code through one provider and no other, for an operator who tests the provider."""

from __future__ import annotations

from functools import partial

from django_smsverify import phones
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import PhoneNotSupported
from django_smsverify.limits.admission import admission
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.shared import SHARED
from django_smsverify.masked import Secret
from django_smsverify.models import Message, Provider, Template
from django_smsverify.numbers import requester_of
from django_smsverify.verifying.context import canonical

from .attempt import send_queued
from .choosing import Chosen
from .request import CodeRequest
from .single import create_rows, in_turn


def context_of(provider: Provider) -> Secret:
    """What a code is bound to that tests a provider."""
    return canonical({"provider": provider.slug})


def send_code_by(template: Template, phone: str) -> Message:
    """Sends a code by this template, now and by this process, and returns its message as it is stored.

    Rows and limits are those of `send_code`. The provider is tried whatever its circuit is, and no other is. The code
    is bound to the provider's name, so that it opens nothing on the site.

    Raises InvalidPhone, PhoneNotSupported, Throttled, ThrottleUnavailable and InsideTransaction.
    """
    number = phone = phones.parse(phone)
    if not template.provider.serves(number):
        raise PhoneNotSupported
    requester = requester_of(number)
    context = context_of(template.provider)
    request = CodeRequest(phone=number, purpose=template.purpose, context=context, requester=requester, ip=None)
    is_known, by_stranger = requester.is_known, requester.is_stranger
    with time_limit(), admission(number, None, is_known=is_known, by_stranger=by_stranger) as charge:
        create = partial(create_rows, request, Chosen(template), lambda chosen, earlier: chosen)
        verification, message = in_turn(number, requester, create)
    last = send_queued(verification, message, fails_over=False)
    last.refresh_from_db()
    if last.status == MessageStatus.NOT_SENT:
        charge.refund(*SHARED)
    return last
