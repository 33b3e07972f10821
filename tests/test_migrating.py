"""The page on moving an existing site here: the old code and the new run side by side, and nobody is locked out."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client, override_settings
from django.urls import include, path
from sandbox import catalogue
from sandbox.server import Sandbox

from django_smsverify.models import Message, Provider, Template
from django_smsverify.sending.content import outgoing

from . import services, stand_ins
from .conftest import MakeProvider, add_template, code_in, wrong
from .test_docs import PAGES, commands, snippet

pytestmark = pytest.mark.django_db(transaction=True)

MOVE = datetime(2026, 12, 1, 2, tzinfo=UTC)
"""A day before the `OLD_UNTIL` of the page."""
BEFORE, OTHER, NEW, NEWEST = "13900139000", "13900139001", "13900139002", "13900139003"
Install = Callable[[Mapping[str, ModuleType]], None]
SendByTheSDK = Callable[[str], Any]
"""Sends a code by the page's old code, and returns what the SDK was given."""
SEND, VERIFY, LOGIN = "/sms/send/", "/sms/verify/", "/login/"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MOVE - timedelta(minutes=1)) as traveller:
        yield traveller


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes modules importable."""

    def add(modules: Mapping[str, ModuleType]) -> None:
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)

    return add


class Visitor:
    """Browsers at a site that is a module of views."""

    urls: Any

    def __init__(self, found: Mapping[str, Any], sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.urls = ModuleType("urls_of_the_site")
        ours = [path("sms/", include("django_smsverify.urls"))]
        theirs = [path("sms_codes/<mobile>/", found["sms_code"])] if "sms_code" in found else []
        self.urls.urlpatterns = [*ours, *theirs, *found.get("urlpatterns", [path("login/", found["log_in"])])]

    def call(self, address: str, body: Mapping[str, str] | None = None) -> tuple[int, Any]:
        with override_settings(ROOT_URLCONF=self.urls):
            browser = Client()
            answer = browser.get(address) if body is None else browser.post(address, body, "application/json")
        assert (answer.status_code == 200 and address == LOGIN) == ("sessionid" in browser.cookies)
        return answer.status_code, answer.json()

    def logs_in(self, **body: str) -> bool:
        return self.call(LOGIN, body)[0] == 200

    def code_of(self, mobile: str) -> str:
        """The code in the newest SMS to a number."""
        return code_in(self._sandbox.inbox.of(mobile)[-1].text)

    def proof_of(self, mobile: str) -> str:
        """What a new page gets from the endpoints of the app."""
        sent = self.call(SEND, {"phone": mobile, "purpose": "login"})[1]
        body = {"verification_id": sent["verification_id"], "code": self.code_of(mobile)}
        return str(self.call(VERIFY, body)[1]["proof"])


def run(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "mysite.views"}
    exec(text, found)
    return found


@pytest.fixture
def _ihuyi(vendor: MakeProvider, sandbox: Sandbox) -> Iterator[None]:
    """The old code and the new have one account at one vendor."""
    vendor("ihuyi", base_url=sandbox.base_urls["ihuyi"])
    keys = catalogue.CREDENTIALS["ihuyi"]
    own = {"IHUYI_ACCOUNT": keys["account"], "IHUYI_KEY": keys["api_key"], "IHUYI_URL": address_of(sandbox)}
    with override_settings(**own):
        yield


def address_of(sandbox: Sandbox) -> str:
    return f"{sandbox.base_urls['ihuyi'].rstrip('/')}/webservice/sms.php?method=Submit"


@pytest.fixture
def _redis(install: Install) -> Iterator[None]:
    """A real Redis where the suite has one."""
    if find_spec("django_redis") and services.CACHE.startswith("redis"):
        own = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": services.CACHE}
        with override_settings(CACHES={"default": services.cache(), "verify_codes": own}):
            yield
    else:
        install(stand_ins.django_redis())
        yield


@pytest.fixture
def old_views() -> dict[str, Any]:
    found = run(snippet("migrating", "def send_sms_code"))
    found["send_sms_code"].delay = found["send_sms_code"]  # no broker
    return found


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # which redis-py says from 8.1 on
@pytest.mark.usefixtures("_ihuyi", "_redis")
def test_keys_in_redis_are_left_without_a_gap(
    old_views: dict[str, Any], sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    old = Visitor(old_views, sandbox)
    for mobile in (BEFORE, OTHER):
        assert old.call(f"/sms_codes/{mobile}/") == (200, {"message": "OK"})
    code, other = old.code_of(BEFORE), old.code_of(OTHER)
    assert not any(old.logs_in(mobile=BEFORE, sms_code=wrong(code)) for _ in range(20))
    assert [old.logs_in(mobile=BEFORE, sms_code=code) for _ in range(2)] == [True, True], "it works again and again"

    clock.move_to(MOVE)
    both = Visitor(run(snippet("migrating", 'redis_connection("verify_codes").pipeline()')), sandbox)
    assert [both.logs_in(mobile=BEFORE, sms_code=code) for _ in range(2)] == [True, False]
    assert [both.logs_in(mobile=OTHER, sms_code=guess) for guess in (wrong(other), other)] == [False, False]
    assert both.call(f"/sms_codes/{NEW}/") == (200, {"message": "OK"})
    assert both.call(f"/sms_codes/{NEW}/")[0] == 400
    assert not both.logs_in(mobile=NEW, sms_code=wrong(both.code_of(NEW)))
    assert [both.logs_in(mobile=NEW, sms_code=both.code_of(NEW)) for _ in range(2)] == [True, False]
    proof = both.proof_of(NEWEST)
    assert [both.logs_in(proof=proof) for _ in range(2)] == [True, False]
    # A process of the old release may still send: somebody has then a code of each.
    assert old.call(f"/sms_codes/{NEWEST}/") == (200, {"message": "OK"})
    assert both.logs_in(mobile=NEWEST, sms_code=old.code_of(NEWEST))

    clock.shift(timedelta(days=1))
    assert old.call(f"/sms_codes/{NEW}/") == (200, {"message": "OK"})
    assert not both.logs_in(mobile=NEW, sms_code=old.code_of(NEW)), "the day is over"
    assert both.call(f"/sms_codes/{BEFORE}/") == (200, {"message": "OK"})
    assert both.logs_in(mobile=BEFORE, sms_code=both.code_of(BEFORE))
    after = Visitor(run(snippet("migrating", '{"message": "Send a proof."')), sandbox)
    assert after.call(LOGIN, {"mobile": BEFORE, "sms_code": code})[1]["code"] == "invalid"
    proof = after.proof_of(OTHER)
    assert [after.logs_in(proof=proof) for _ in range(2)] == [True, False]
    assert set(Message.objects.values_list("phone", flat=True)) == {f"+86{one}" for one in (BEFORE, OTHER, NEW, NEWEST)}


@pytest.mark.usefixtures("_ihuyi")
def test_django_phone_verify_is_left_without_a_gap(
    sandbox: Sandbox, clock: time_machine.Traveller, install: Install
) -> None:
    backend: Any = ModuleType("mysite.sms")
    install({**stand_ins.phone_verify(), "mysite": ModuleType("mysite"), "mysite.sms": backend})
    exec(snippet("migrating", "class IhuyiBackend"), vars(backend))
    own = run(snippet("migrating", "PHONE_VERIFICATION ="))["PHONE_VERIFICATION"]
    keys = catalogue.CREDENTIALS["ihuyi"]
    assert own["OPTIONS"]["url"].endswith(address_of(sandbox).partition("/webservice")[2])
    own["OPTIONS"] = {"account": keys["account"], "key": keys["api_key"], "url": address_of(sandbox)}
    with override_settings(PHONE_VERIFICATION=own):
        old = Visitor(run(snippet("migrating", 'include("phone_verify.urls")')), sandbox)
        of_old = register(old, BEFORE)
        used = register(old, OTHER)
        assert old.logs_in(**used)

        clock.move_to(MOVE)
        both = Visitor(run(snippet("migrating", "def old_phone_of")), sandbox)
        assert not both.logs_in(**of_old | {"security_code": wrong(of_old["security_code"])})
        assert both.logs_in(**of_old)
        of_new = register(both, NEW)
        assert both.call("/api/phone/register", {"phone_number": NEW})[0] == 400, "a minute is not over"
        assert not both.logs_in(**of_new | {"security_code": wrong(of_new["security_code"])})
        # The number counts that the code was sent to, whatever the request says.
        assert both.logs_in(**of_new | {"phone_number": OTHER})
        assert not both.logs_in(**of_new)
        assert both.logs_in(proof=both.proof_of(NEWEST))

        clock.shift(timedelta(days=1))
        late = register(old, OTHER)
        assert not both.logs_in(**late)
        assert both.logs_in(**register(both, BEFORE))


def register(visitor: Visitor, mobile: str) -> dict[str, str]:
    """What a page posts after the SMS came."""
    token = visitor.call("/api/phone/register", {"phone_number": mobile})[1]["session_token"]
    return {"phone_number": mobile, "session_token": token, "security_code": visitor.code_of(mobile)}


@pytest.fixture
def send_by_aliyun(install: Install) -> Iterator[SendByTheSDK]:
    calls: list[Any] = []
    install(stand_ins.aliyun(calls))
    found = run(snippet("migrating", "def send_by_aliyun"))
    with override_settings(ALIYUN_KEY_ID="id", ALIYUN_KEY_SECRET="secret"):
        yield lambda mobile: found["send_by_aliyun"](mobile) and calls[-1]


@pytest.fixture
def send_by_tencent(install: Install) -> Iterator[SendByTheSDK]:
    calls: list[Any] = []
    install(stand_ins.tencent(calls))
    found = run(snippet("migrating", "def send_by_tencent"))
    with override_settings(TENCENT_SECRET_ID="id", TENCENT_SECRET_KEY="secret"):
        yield lambda mobile: found["send_by_tencent"](mobile) and calls[-1]


@pytest.mark.usefixtures("_redis")
def test_an_sdk_is_left_without_a_gap(
    vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller, send_by_aliyun: SendByTheSDK
) -> None:
    vendor("aliyun", "login")
    codes = [json.loads(send_by_aliyun(mobile).template_param)["code"] for mobile in (BEFORE, OTHER)]

    clock.move_to(MOVE)
    found = run(snippet("migrating", 'redis_connection("verify_codes").pipeline()'))
    exec(snippet("migrating", "from django.core.cache import cache\nfrom django.utils.crypto"), found)
    both = Visitor(found, sandbox)
    assert [both.logs_in(mobile=BEFORE, sms_code=codes[0]) for _ in range(2)] == [True, False]
    assert both.call(f"/sms_codes/{NEW}/")[0] == 200
    assert both.logs_in(mobile=NEW, sms_code=both.code_of(NEW))
    clock.shift(timedelta(days=1))
    assert not both.logs_in(mobile=OTHER, sms_code=codes[1])


def by_the_page(gateway: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The provider that the page's command makes of the vendor's keys."""
    (line,) = [one for one in commands(PAGES["migrating"]) if one.startswith(f"smsverify_setup {gateway} ")]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(catalogue.CREDENTIALS[gateway].values())))
    call_command(*shlex.split(line), stdout=io.StringIO())
    Provider.objects.filter(slug=gateway).update(base_url=sandbox.base_urls[gateway])
    return Provider.objects.get(slug=gateway)


def test_the_commands_of_the_page_move_an_account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for gateway in ("aliyun", "tencent"):
        by_the_page(gateway, sandbox, monkeypatch)
    checks = [line for line in commands(PAGES["migrating"]) if line.startswith("smsverify_check ")]

    for line in checks:
        call_command(*shlex.split(line), stdout=io.StringIO())

    assert [sms.vendor for sms in sandbox.inbox.all()] == ["tencent"]


def test_aliyun_gets_what_its_sdk_gave(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, send_by_aliyun: SendByTheSDK
) -> None:
    call = send_by_aliyun(BEFORE)
    provider = by_the_page("aliyun", sandbox, monkeypatch)
    template = provider.templates.get()
    sms = outgoing(template, {f"+86{BEFORE}": json.loads(call.template_param)})

    sent = dict(parse_qsl(provider.gateway_client().build_send(sms).data.decode()))

    given = {"PhoneNumbers": call.phone_numbers, "SignName": call.sign_name, "TemplateCode": call.template_code}
    assert sent.items() >= given.items()
    assert json.loads(sent["TemplateParam"]) == json.loads(call.template_param)


def test_tencent_gets_what_its_sdk_gave(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, send_by_tencent: SendByTheSDK
) -> None:
    call = send_by_tencent(BEFORE)
    provider = by_the_page("tencent", sandbox, monkeypatch)
    template = provider.templates.get()
    code, minutes = call.TemplateParamSet

    def parameters(content: str, variables: Mapping[str, str]) -> dict[str, Any]:
        template.content, template.variables = content, variables
        sms = outgoing(template, {f"+86{BEFORE}": {"code": code, "minutes": minutes}})
        return dict(json.loads(provider.gateway_client().build_send(sms).data))

    given = {name: getattr(call, name) for name in type(call).__annotations__}
    assert parameters(template.content, {}).items() >= given.items()
    # The two orders of the page.
    (other,) = re.findall(r"write ``(\{minutes\}.+?)``", PAGES["migrating"])
    assert parameters(other, {})["TemplateParamSet"] == [minutes, code]
    (variables,) = re.findall(r'``(\{"code": "2".+?\})``', PAGES["migrating"])
    assert parameters("验证码{code}，{minutes}分钟", json.loads(variables))["TemplateParamSet"] == [minutes, code]


def test_own_code_sends_by_functions(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("aliyun")
    add_template(provider, "shipped", catalogue.NOTICE_TEXT, "SMS_236")
    found = run(snippet("migrating", "def tell_that_it_is_shipped"))

    found["send_login_code"](BEFORE, "203.0.113.7")
    found["tell_that_it_is_shipped"](OTHER, "王先生")

    assert [sms.phone for sms in sandbox.inbox.all()] == [BEFORE, OTHER]
    assert Template.objects.filter(messages__isnull=False).distinct().count() == 2
