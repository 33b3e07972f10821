from __future__ import annotations

import json

from demo.urls import urlpatterns as demo
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from django_smsverify.exceptions import ProofRejected
from django_smsverify.verifying import redeem_proof


@csrf_exempt
def login(request: HttpRequest) -> JsonResponse:
    """Redeems a proof, as a site does."""
    try:
        return JsonResponse({"phone": redeem_proof(json.loads(request.body)["proof"], "login-ihuyi")})
    except ProofRejected as error:
        return JsonResponse({"code": error.code}, status=400)


urlpatterns = [path("login/", login), *demo]
