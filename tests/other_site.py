"""A site unlike the suite's own, in its own process; prints a line for each response to its front end.

    python -m tests.other_site {plain|hostile|bare}

`hostile` sets every default of REST framework to a class that fails; `bare` has neither users nor content types.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import django
from django.conf import settings


class Hostile:
    """Raises an error when REST framework uses it."""

    media_type = "text/hostile"

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError("a default of the site reached the app")


def hostile(*args: object, **kwargs: object) -> NoReturn:
    raise RuntimeError("a default of the site reached the app")


CLASS, FUNCTION = f"tests.other_site.{Hostile.__name__}", f"tests.other_site.{hostile.__name__}"
USERS = ["django.contrib.auth", "django.contrib.contenttypes"]
DRF: dict[str, Any] = {
    **dict.fromkeys(
        [
            "DEFAULT_RENDERER_CLASSES",
            "DEFAULT_PARSER_CLASSES",
            "DEFAULT_AUTHENTICATION_CLASSES",
            "DEFAULT_PERMISSION_CLASSES",
            "DEFAULT_THROTTLE_CLASSES",
            "DEFAULT_FILTER_BACKENDS",
        ],
        (CLASS,),
    ),
    **dict.fromkeys(
        [
            "DEFAULT_CONTENT_NEGOTIATION_CLASS",
            "DEFAULT_METADATA_CLASS",
            "DEFAULT_VERSIONING_CLASS",
            "DEFAULT_PAGINATION_CLASS",
            "UNAUTHENTICATED_USER",
            "UNAUTHENTICATED_TOKEN",
        ],
        CLASS,
    ),
    **dict.fromkeys(["VIEW_NAME_FUNCTION", "VIEW_DESCRIPTION_FUNCTION", "EXCEPTION_HANDLER"], FUNCTION),
    "DEFAULT_SCHEMA_CLASS": "rest_framework.schemas.openapi.AutoSchema",  # created when REST framework is imported
    "DEFAULT_THROTTLE_RATES": {"user": "0/d", "anon": "0/d"},
    "NUM_PROXIES": 0,
    "DEFAULT_VERSION": "v9",
    "ALLOWED_VERSIONS": ["v9"],
    "NON_FIELD_ERRORS_KEY": "phone",
    "LIST_SERIALIZER_ERRORS_AS_DICT": False,
    "URL_FORMAT_OVERRIDE": "phone",
    "FORMAT_SUFFIX_KWARG": "verification_id",
    "UNICODE_JSON": False,
    "COMPACT_JSON": False,
    "STRICT_JSON": False,
    "COERCE_DECIMAL_TO_STRING": False,
    "COERCE_BIGINT_TO_STRING": True,
}
SITES: dict[str, dict[str, Any]] = {
    "plain": {"INSTALLED_APPS": [*USERS, "rest_framework", "django_smsverify"]},
    "hostile": {"INSTALLED_APPS": [*USERS, "rest_framework", "django_smsverify"], "REST_FRAMEWORK": DRF},
    "bare": {"INSTALLED_APPS": ["rest_framework", "django_smsverify"]},
}


def start(name: str, directory: str) -> None:
    settings.configure(
        SECRET_KEY="TEST-SECRET-KEY-of-the-suite-0123456789",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF="tests.other_urls",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(directory) / "db.sqlite3"}},
        MIDDLEWARE=["django.middleware.locale.LocaleMiddleware", "django.middleware.common.CommonMiddleware"],
        LOGGING_CONFIG=None,
        **SITES[name],
    )
    django.setup()


def journey() -> None:
    """Sends and verifies a code; makes every request that is refused as well."""
    from django.core.management import call_command
    from django.test import Client

    from django_smsverify.gateways.local import MemoryGateway
    from django_smsverify.models import Provider, Template
    from django_smsverify.verifying import redeem_proof

    call_command("migrate", verbosity=0)
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    provider = Provider.objects.create(name="memory", slug="memory", gateway="memory")
    content = "您的验证码是{code}，{minutes}分钟内有效。"
    Template.objects.create(provider=provider, purpose="login", name="login", content=content, status="approved")
    client = Client(headers={"accept-language": "zh-hans"})

    def request(method: str, where: str, body: Any = "", kind: str = "application/json") -> Any:
        response = client.generic(method, f"/sms/{where}", body and json.dumps(body), kind)
        text = re.sub(r'[0-9a-f-]{36}|(?<="proof":")[^"]+|(?<="device":")[^"]+', "…", response.content.decode())
        print(method, where.replace(str(sent.get("verification_id")), "…"), response.status_code, text)
        return response.json()

    sent: dict[str, Any] = {}
    for body in ([1], 7, "text", {"colour": 1}, {"purpose": "login"}, {"phone": "02112345678", "purpose": "login"}):
        request("POST", "send/?phone=api&format=api", body)
    request("POST", "send/", {"phone": "1"}, "text/plain")
    sent = request("POST", "send/", {"phone": "13800138000", "purpose": "login"})
    request("POST", "send/", {"phone": "13800138000", "purpose": "login"})
    for method, where in (("GET", "send/"), ("OPTIONS", "send/"), ("OPTIONS", "verify/"), ("DELETE", "verify/")):
        request(method, where)
    request("GET", f"send/{sent['verification_id']}/")
    request("GET", "send/unknown/")
    code = next(iter(re.findall(r"\d{6}", MemoryGateway.outbox[-1].text)))
    for guess in ("abcdef", f"{(int(code) + 1) % 1_000_000:06}", code, code):
        verified = request("POST", "verify/", {"verification_id": sent["verification_id"], "code": guess})
        if "proof" in verified:
            print("redeemed", redeem_proof(verified["proof"], "login")[-4:])
    call_command("smsverify_webhooks", site="https://www.example.com", stdout=sys.stderr)
    for command in ("smsverify_poll", "smsverify_balance", "smsverify_costs", "smsverify_lint"):
        call_command(command, stdout=sys.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        start(sys.argv[1], place)
        journey()
