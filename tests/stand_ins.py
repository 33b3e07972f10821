"""Stand-ins for the packages that the old code of docs/migrating.rst imports, so that it runs without them.

Names, arguments and answers are those of django-redis 7.0.0, django-phone-verify 3.3.0,
alibabacloud-dysmsapi20170525 4.6.0 with alibabacloud-tea-openapi 0.4.6, and tencentcloud-sdk-python-sms 3.1.153: the
page's code was run with these too.
"""

from __future__ import annotations

import secrets
from types import ModuleType, SimpleNamespace
from typing import Any, Self

from django.conf import settings
from django.urls import path
from django.utils.module_loading import import_string
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.response import Response


class RedisKeys:
    """The few calls of a Redis client that the page makes; nothing expires."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def setex(self, key: str, seconds: int, value: str | int) -> None:
        self._values[key] = str(value).encode()

    def delete(self, key: str) -> int:
        return int(self._values.pop(key, None) is not None)

    def pipeline(self) -> Pipeline:
        return Pipeline(self)


class Pipeline:
    """Commands that are run together."""

    def __init__(self, redis: RedisKeys) -> None:
        self._redis = redis
        self._commands: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._commands.clear()

    def get(self, key: str) -> Self:
        self._commands.append(("get", key))
        return self

    def delete(self, key: str) -> Self:
        self._commands.append(("delete", key))
        return self

    def execute(self) -> list[Any]:
        return [getattr(self._redis, name)(key) for name, key in self._commands]


def django_redis() -> dict[str, ModuleType]:
    redis = RedisKeys()
    return modules({"django_redis": {"get_redis_connection": lambda alias="default": redis}})


def phone_verify() -> dict[str, ModuleType]:
    """The app without its table: session tokens lead to a number and a code, as long as the stand-in lives."""
    codes: dict[str, tuple[str, str]] = {}

    class BaseBackend:
        def __init__(self, **settings: Any) -> None:
            self.exception_class: type[Exception] | None = None

    class SMSVerificationSerializer(serializers.Serializer[Any]):
        phone_number = serializers.CharField()
        session_token = serializers.CharField()
        security_code = serializers.CharField()

        def validate(self, attrs: dict[str, str]) -> dict[str, str]:
            wanted = attrs["phone_number"] = f"+86{attrs['phone_number'][-11:]}"
            if codes.get(attrs["session_token"]) != (wanted, attrs["security_code"]):
                raise serializers.ValidationError("Security code is not valid")
            return attrs

    def register(request: Any) -> Response:
        phone, token = f"+86{request.data['phone_number'][-11:]}", f"header.{secrets.token_hex(8)}.signature"
        of_site = settings.PHONE_VERIFICATION  # type: ignore[misc]  # a setting of that app
        code = "".join(secrets.choice("0123456789") for _ in range(of_site["TOKEN_LENGTH"]))
        codes[token] = (phone, code)
        backend = import_string(of_site["BACKEND"])(**of_site["OPTIONS"])
        backend.send_sms(phone, of_site["MESSAGE"].format(app=of_site["APP_NAME"], security_code=code))
        return Response({"session_token": token})

    return modules(
        {
            "phone_verify": {},
            "phone_verify.backends": {},
            "phone_verify.backends.base": {"BaseBackend": BaseBackend},
            "phone_verify.serializers": {"SMSVerificationSerializer": SMSVerificationSerializer},
            "phone_verify.urls": {"urlpatterns": [path("phone/register", api_view(["POST"])(register))]},
        }
    )


def aliyun(calls: list[Any]) -> dict[str, ModuleType]:
    """The SDK, which appends what it would send to `calls`."""

    class Config:
        def __init__(self, access_key_id: str, access_key_secret: str, endpoint: str) -> None:
            self.keys, self.endpoint = (access_key_id, access_key_secret), endpoint

    class SendSmsRequest:
        def __init__(self, phone_numbers: str, sign_name: str, template_code: str, template_param: str) -> None:
            self.phone_numbers, self.sign_name = phone_numbers, sign_name
            self.template_code, self.template_param = template_code, template_param

    class Client:
        def __init__(self, config: Config) -> None:
            self._config = config

        def send_sms(self, request: SendSmsRequest) -> Any:
            calls.append(request)
            return SimpleNamespace(body=SimpleNamespace(code="OK", message="OK", biz_id="1", request_id="R"))

    return modules(
        {
            "alibabacloud_dysmsapi20170525": {},
            "alibabacloud_dysmsapi20170525.client": {"Client": Client},
            "alibabacloud_dysmsapi20170525.models": {"SendSmsRequest": SendSmsRequest},
            "alibabacloud_tea_openapi": {},
            "alibabacloud_tea_openapi.models": {"Config": Config},
        }
    )


def tencent(calls: list[Any]) -> dict[str, ModuleType]:
    """The SDK, which appends what it would send to `calls`."""

    class Credential:
        def __init__(self, secret_id: str, secret_key: str, token: str | None = None) -> None:
            self.keys = (secret_id, secret_key)

    class SendSmsRequest:
        PhoneNumberSet: list[str]
        SmsSdkAppId: str
        SignName: str
        TemplateId: str
        TemplateParamSet: list[str]

    class SmsClient:
        def __init__(self, credential: Credential, region: str, profile: object = None) -> None:
            self._credential = credential

        def SendSms(self, request: SendSmsRequest) -> Any:  # noqa: N802 - the SDK's name
            calls.append(request)
            return SimpleNamespace(SendStatusSet=[SimpleNamespace(Code="Ok", SerialNo="1")], RequestId="R")

    return modules(
        {
            "tencentcloud": {},
            "tencentcloud.common": {},
            "tencentcloud.common.credential": {"Credential": Credential},
            "tencentcloud.sms": {},
            "tencentcloud.sms.v20210111": {},
            "tencentcloud.sms.v20210111.models": {"SendSmsRequest": SendSmsRequest},
            "tencentcloud.sms.v20210111.sms_client": {"SmsClient": SmsClient},
        }
    )


def modules(contents: dict[str, dict[str, Any]]) -> dict[str, ModuleType]:
    """Modules by their dotted names, with what is in each."""
    found = {name: ModuleType(name) for name in contents}
    for name, module in found.items():
        vars(module).update(contents[name])
    return found
