"""The login by number of a site with djangorestframework-simplejwt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import update_last_login
from django.http import HttpRequest
from django.utils.module_loading import import_string
from rest_framework_simplejwt import settings
from rest_framework_simplejwt.tokens import RefreshToken

from django_smsverify.exceptions import AccountInactive

from .views import PhoneLoginEndpoint


class PhoneJWTEndpoint(PhoneLoginEndpoint):
    """`POST login/` that answers with the tokens of SimpleJWT, as its settings want them.

    They are `access` and `refresh`, or `token` where TOKEN_OBTAIN_SERIALIZER makes sliding ones.
    """

    granted = {"access": "For the header `Authorization: Bearer …`", "refresh": "For the next `access`"}

    def grant(self, request: HttpRequest, user: Any) -> Mapping[str, Any]:
        own = settings.api_settings
        if not own.USER_AUTHENTICATION_RULE(user):
            raise AccountInactive
        token = import_string(own.TOKEN_OBTAIN_SERIALIZER).get_token(user)
        if own.UPDATE_LAST_LOGIN:
            update_last_login(type(user), user)
        if isinstance(token, RefreshToken):
            return {"refresh": str(token), "access": str(token.access_token)}
        return {"token": str(token)}
