"""The two views that a site must write itself around the device of django-otp-twilio."""

from __future__ import annotations

import json

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from otp_twilio.models import TwilioSMSDevice


@csrf_exempt
def send(request: HttpRequest) -> JsonResponse:
    device = TwilioSMSDevice.objects.get(number=json.loads(request.body)["phone"])
    return JsonResponse({"detail": device.generate_challenge()})


@csrf_exempt
def verify(request: HttpRequest) -> JsonResponse:
    given = json.loads(request.body)
    device = TwilioSMSDevice.objects.get(number=given["phone"])
    right = device.verify_token(given["code"])
    return JsonResponse({"right": right}, status=200 if right else 400)


urlpatterns = [path("send/", send), path("verify/", verify)]
