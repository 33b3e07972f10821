"""The floor's endpoints for front ends."""

from __future__ import annotations

import hmac
import secrets
import time
from math import ceil
from typing import Any
from uuid import uuid4

import phonenumbers
import requests
from django.conf import settings
from django.db import transaction
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound, Throttled, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import tables, windows

LIFETIME, MAX_ATTEMPTS = 300, 5
LIMITS = ((1, 60), (5, 3600), (10, 86400))
"""How often a number may get an SMS, and within how many seconds."""
site: Any = settings  # with settings of its own
session = requests.Session()
session.trust_env = False


class SendSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(max_length=40)
    purpose = serializers.CharField(max_length=64)


class VerifySerializer(serializers.Serializer[Any]):
    verification_id = serializers.UUIDField(format="hex")
    code = serializers.CharField(max_length=8)


class View(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)


class NotSent(APIException):
    status_code = 503


class SendView(View):
    def post(self, request: Request) -> Response:
        serializer = SendSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        phone, purpose = parse(serializer.validated_data["phone"]), serializer.validated_data["purpose"]
        if wait := windows.too_many(request.META["REMOTE_ADDR"], phone[:10]):
            raise Throttled(wait)
        verification, message, code = store(phone, purpose)
        deliver(message, phone, code)
        answer = {"verification_id": verification, "phone": mask(phone), "expires_in": LIFETIME, "resend_in": 60}
        return Response(answer, status=202)


class VerifyView(View):
    def post(self, request: Request) -> Response:
        serializer = VerifySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        verification = serializer.validated_data["verification_id"].hex
        phone, purpose = check(verification, serializer.validated_data["code"])
        proof, device = sign("proof", verification), sign("device", phone)
        return Response({"phone": mask(phone), "purpose": purpose, "proof": proof, "device": device})


def parse(written: str) -> str:
    """The number as E.164."""
    try:
        number = phonenumbers.parse(written, "CN")
    except phonenumbers.NumberParseException:
        raise ValidationError({"phone": ["This is not a phone number."]}) from None
    if number.country_code != 86 or not phonenumbers.is_valid_number(number):
        raise ValidationError({"phone": ["This is not a phone number."]})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def store(phone: str, purpose: str) -> tuple[str, str, str]:
    """Stores a code and its SMS, with the number locked; returns their ids and the code."""
    verification, message, now = uuid4().hex, uuid4().hex, time.time()
    code = f"{secrets.randbelow(10**6):06}"
    with transaction.atomic():
        tables.change(tables.LOCK_NUMBER, phone, now)
        history = sorted(moment for (moment,) in tables.read(tables.HISTORY, phone, now - 86400))
        for times, seconds in LIMITS:
            if len(history) >= times and history[-times] > now - seconds:
                raise Throttled(ceil(history[-times] + seconds - now))
        digest = sign(verification, code)
        tables.change(tables.INSERT_VERIFICATION, verification, phone, purpose, digest, now, now + LIFETIME)
        tables.change(tables.INSERT_MESSAGE, message, verification, phone, now)
    return verification, message, code


def deliver(message: str, phone: str, code: str) -> None:
    """Sends an SMS and stores what the vendor answered."""
    fields = {"signId": "78", "templateId": "234", "phone": phone[3:], "params": f'{{"code":"{code}","minutes":"5"}}'}
    headers = {"Authorization": f"AppCode {site.APP_CODE}"}
    status, remote_id = "unknown", ""
    try:
        answer = session.post(
            site.VENDOR_URL, data=fields, headers=headers, timeout=(3, 5), allow_redirects=False
        ).json()
        status = "sent" if answer["code"] == 0 else "not_sent"
        remote_id = answer["data"]["id"]
    except (requests.RequestException, KeyError, TypeError):
        pass  # it may have been sent
    tables.change(tables.UPDATE_MESSAGE, status, remote_id, time.time(), message)
    if status == "not_sent":
        raise NotSent


def check(verification: str, code: str) -> tuple[str, str]:
    """Counts a guess; returns number and purpose if it is right."""
    now = time.time()
    for phone, purpose, digest, attempts, expires_at, verified_at in tables.read(
        tables.SELECT_VERIFICATION, verification
    ):
        if verified_at or expires_at < now or attempts >= MAX_ATTEMPTS:
            raise ValidationError({"code": ["This code is used or has expired."]})
        right = hmac.compare_digest(sign(verification, code), digest)
        with transaction.atomic():
            if not tables.change(tables.COUNT_GUESS, now if right else None, verification, attempts, now):
                raise ValidationError({"code": ["Another guess was made at the same time."]})
            if right:
                tables.change(tables.STORE_KNOWN, phone, now)
        if right:
            return phone, purpose
        raise ValidationError({"code": ["This code is wrong."]})
    raise NotFound


def sign(what: str, value: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"{what}:{value}".encode(), "sha256").hex()


def mask(phone: str) -> str:
    return f"{phone[3:6]}****{phone[-4:]}"
