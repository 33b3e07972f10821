"""The documentation is correct: its snippets run, its commands exist, its tables are complete."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import textwrap
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import pytest
import requests
import time_machine
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.core.checks import CheckMessage
from django.core.management import CommandParser, get_commands, load_command_class
from django.db import connection, router
from django.dispatch import Signal
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings
from django.urls import path, reverse
from django.utils import timezone
from sandbox.reviews import IN_REVIEW
from sandbox.server import Sandbox

import django_smsverify
from django_smsverify import checks, exceptions, signals
from django_smsverify.admin.test_numbers import MOST_DAYS
from django_smsverify.challenges.client_keys import HEADERS
from django_smsverify.challenges.tickets import digest_of_ticket
from django_smsverify.checks.alerts import check_alerts
from django_smsverify.checks.captchas import check_captchas
from django_smsverify.checks.settings import check_delivery_codes, check_gateways, check_settings
from django_smsverify.conf import BUILTIN_GATEWAYS, KEYS, conf
from django_smsverify.enums import AlertKind, Cause, Guarded
from django_smsverify.events import EVENTS
from django_smsverify.exceptions import CodeExpired, SMSVerifyError
from django_smsverify.gateways.dialect import Dialect
from django_smsverify.limits.cache import cache_alias
from django_smsverify.limits.flood import RATE
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.models import ClientKey, Message, Provider, Signature, Spending, Template, TestNumber
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.operations import metrics
from django_smsverify.reports.causes import delivery_codes
from django_smsverify.sending import send_code, send_message
from django_smsverify.signals import abuse_detected, message_settled
from django_smsverify.testing import SMSKit, pytest_plugin
from django_smsverify.verifying import verify_code

from . import settings as suite
from .conftest import PHONE, MakeProvider, Site, add_template, last_code
from .test_startup import HEAVY
from .test_structure import FLOORS

sms = pytest_plugin.sms
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {path.stem: path.read_text() for path in sorted(DOCS.glob("*.rst"))}
CHINESE = {path.stem: path.read_text() for path in sorted(DOCS.glob("zh-Hans/*.rst"))}
BLOCK = re.compile(r"^( *)\.\. code-block:: (\w+)\n\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
TITLE = re.compile(r"^\S.*\n([=~-])\1{2,}$", re.MULTILINE)
VENDORS = BUILTIN_GATEWAYS.keys() - {"console", "memory"}
USERS = ("test_adapters.py", "test_docs.py", "test_login_project.py", "test_migrating.py")
TRANSLATED = sorted(CHINESE.keys() - {"index"})
NOT_RETURNED = {
    "error",
    "gateway_error",
    "invalid_callback",
    "forged_callback",
    "too_early",
    "submission_refused",
}
"""Codes of errors that no endpoint returns."""

PYTEST = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:smsverify", "-p", pytest_plugin.__name__]
"""With the plugin, whether or not its entry point is installed."""

LOGIN_PAGE = """
from django.test import Client
print(Client().get("/login/").content.decode())
"""
BAD_BODIES = """
from django.test import Client
for body in ("{}", "", "[]", "5", '{"proof": 5}', '{"proof": null}', '{"proof": "x"}'):
    print("=>", Client().post("/sms-login/", body, "application/json").status_code)
print("=>", Client(enforce_csrf_checks=True).post("/sms-login/", "{}", "application/json").status_code)
chinese = {"accept-language": "zh-CN"}
print("=>", Client().post("/sms/send/", "{}", "application/json", headers=chinese).json()["errors"])
"""


def blocks(page: str, *languages: str) -> list[str]:
    found = [(language, textwrap.dedent(body).strip() + "\n") for _, language, body in BLOCK.findall(page)]
    return [text for language, text in found if language in languages]


SNIPPETS = [(page, text) for page, rst in PAGES.items() for text in blocks(rst, "python")]


def snippet(page: str, words: str) -> str:
    """The one snippet of a page that contains these words."""
    (found,) = [text for where, text in SNIPPETS if where == page and words in text]
    return found


def used_snippets() -> set[tuple[str, str]]:
    """The snippets that the tests and fixtures of the documentation use."""
    body = [node for name in USERS for node in ast.parse((ROOT / "tests" / name).read_text()).body]
    users = [
        node
        for node in body
        if isinstance(node, ast.FunctionDef)
        and (node.name.startswith("test_") or any("fixture" in ast.unparse(d) for d in node.decorator_list))
    ]
    calls = [node for user in users for node in ast.walk(user) if isinstance(node, ast.Call)]
    asked = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "snippet"]
    literals = [[ast.literal_eval(argument) for argument in call.args] for call in asked]
    return {(page, snippet(page, words)) for page, words in literals}


def table(page: str, pattern: str, pages: dict[str, str] = PAGES) -> dict[str, str]:
    return dict(re.findall(pattern, pages[page], re.MULTILINE))


def run(where: Path, *arguments: str, module: str = "mysite.settings") -> str:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{where}:{ROOT}", "DJANGO_SETTINGS_MODULE": module}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as `startproject` makes it, with the snippets of the tutorial added."""
    run(tmp_path, "-m", "django", "startproject", "mysite", ".", module="")
    inside = tmp_path / "mysite"
    with (inside / "settings.py").open("a") as settings:
        settings.write(f'\n{snippet("tutorial", "INSTALLED_APPS +=")}\nALLOWED_HOSTS = ["testserver"]\n')
    with (inside / "urls.py").open("a") as urls:
        urls.write(f"\n{snippet('tutorial', 'urlpatterns +=')}\n{snippet('tutorial', 'def sms_login')}\n")
        urls.write('urlpatterns += [path("sms-login/", sms_login)]\n')
    return tmp_path


def test_every_snippet_is_run_by_a_test() -> None:
    assert used_snippets() == set(SNIPPETS)


@pytest.mark.slow
def test_the_tutorial_and_the_example_of_a_test(project: Path) -> None:
    (project / "mysite" / "tests.py").write_text(snippet("testing", "class LoginTest"))
    (project / "mysite" / "test_login.py").write_text(snippet("testing", "def test_a_visitor_logs_in(client, sms)"))

    run(project, "manage.py", "migrate")
    run(project, "manage.py", "check")
    run(project, "manage.py", "smsverify_setup", "console", "--purpose", "login")
    output = run(project, "manage.py", "smsverify_send", "13800138000", "--purpose", "login")
    assert re.search(r"【示例站】您的验证码是\d{6}，5分钟内有效", output)
    assert "accepted" in output

    page = run(project, "manage.py", "shell", "-c", LOGIN_PAGE)
    assert '<sms-verify purpose="login" name="proof" base="/sms/"' in page
    *statuses, errors = re.findall("^=> (.*)$", run(project, "manage.py", "shell", "-c", BAD_BODIES), re.MULTILINE)
    assert statuses == ["400"] * 7 + ["403"]
    assert "该字段是必填项。" in errors
    assert "Ran 1 test " in run(project, "manage.py", "test", "mysite.tests")
    assert "1 passed" in run(project, *PYTEST, "mysite/test_login.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [snippet("workers", 'SMSVERIFY = {"DISPATCH": "celery"}'), snippet("workers", "TASKS =")]
)
def test_a_site_with_workers_passes_its_checks(settings: str, project: Path) -> None:
    if django.VERSION >= (6, 0):
        settings = settings.replace('"django_tasks", ', "")
    with (project / "mysite" / "settings.py").open("a") as written:
        written.write(f"\n{settings}\n")

    run(project, "manage.py", "migrate")
    assert "no issues" in run(project, "manage.py", "check")


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    options = ("-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees"))

    run(ROOT, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "html"), module="")

    for page in [*PAGES, *(f"zh-Hans/{name}" for name in CHINESE)]:
        assert (tmp_path / "html" / f"{page}.html").is_file()


@pytest.mark.parametrize(
    "settings",
    [
        snippet("tutorial", '"TRUSTED_PROXIES": 1'),
        snippet("settings", "PHONE_LIMITS"),
        snippet("captcha", 'SMSVERIFY = {"CAPTCHA": "altcha"}'),
        snippet("captcha", 'SMSVERIFY = {"CAPTCHA": "mysite.captcha.geetest"}'),
        snippet("captcha", '"PURPOSES"'),
        snippet("guard", '"NUMBER_KINDS"'),
        snippet("upgrading", '"GUARD": "watch"'),
        snippet("privacy", '"NUMBER_DAYS": 30'),
        snippet("guard", '"ON_CACHE_FAILURE"'),
        snippet("adding-a-gateway", 'SMSVERIFY = {"GATEWAYS"'),
    ],
)
def test_the_settings_of_the_documentation_pass_the_checks(settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests")
    captcha: Any = ModuleType("mysite.captcha")
    captcha.geetest = print
    monkeypatch.setitem(sys.modules, "mysite", ModuleType("mysite"))
    monkeypatch.setitem(sys.modules, "mysite.captcha", captcha)
    found: dict[str, Any] = {}

    exec(settings, found)

    with override_settings(SMSVERIFY=found["SMSVERIFY"]):
        problems: list[CheckMessage] = [*check_settings(), *check_gateways(), *check_captchas()]
    assert problems == []


def test_no_snippet_sets_the_trusted_proxies_to_zero() -> None:
    for page in [*PAGES.values(), *CHINESE.values()]:
        assert not [text for text in blocks(page, "python") if '"TRUSTED_PROXIES": 0' in text]


def test_the_middleware_of_the_tutorial_is_in_the_right_order() -> None:
    without = [name for name in suite.MIDDLEWARE if "LocaleMiddleware" not in name]
    found: dict[str, Any] = {"INSTALLED_APPS": [], "MIDDLEWARE": without}

    exec(snippet("tutorial", "INSTALLED_APPS +="), found)

    assert found["MIDDLEWARE"] == suite.MIDDLEWARE
    assert found["INSTALLED_APPS"] == ["rest_framework", "django_smsverify"]


@pytest.mark.django_db(transaction=True)
def test_the_python_of_the_documentation_runs(
    memory: MakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, _, answered = snippet("python", "make_proof(verification)").partition("verification = verify_code")
    template = add_template(memory(price="0.045"), "notice", "{name}，您的订单已发货，请注意查收。", "")
    found: dict[str, Any] = {"template": template}

    exec(asked, found)
    exec("verification = verify_code" + answered.replace("123456", last_code()), found)

    assert found["phone"] == PHONE
    assert [message.status for message in found["messages"]] == ["accepted"]
    found["recipients"] = {"13800138001": {"name": "李女士"}}
    exec(snippet("bulk", "messages = send_message"), found)
    assert [message.batch for message in found["messages"]] == ["2026-12 maintenance"]
    (tmp_path / "numbers.csv").write_text("phone,name\n13800138002,王先生\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(snippet("bulk", "send_bulk(template"), found)
    assert found["result"].counts == {"accepted": 1}
    exec(snippet("costs", "from django_smsverify.costs import costs"), found)
    assert found["rows"] == []
    exec(snippet("reviews", "template.lint()"), {"template": template})
    exec(snippet("costs", '"BUDGET": {"day": 50'), found)
    with override_settings(SMSVERIFY=found["SMSVERIFY"]):
        send_code("13800138009", "login")
    assert {row.subject for row in Spending.objects.all()} == {"", "purpose:login"}


def test_a_site_explains_delivery_codes_by_a_table_of_its_own(tmp_path: Path) -> None:
    found: dict[str, Any] = {"BASE_DIR": tmp_path}
    exec(snippet("arrival", "DELIVERY_CODES"), found)
    (table_of_the_page,) = blocks(PAGES["arrival"], "text")
    (tmp_path / "delivery_codes.csv").write_text(table_of_the_page)

    with override_settings(SMSVERIFY=found["SMSVERIFY"]):
        assert check_delivery_codes() == []
        assert delivery_codes().meaning("XJ:0002").cause == Cause.CONTENT_BLOCKED


def test_a_site_sends_no_second_sms_for_a_purpose() -> None:
    found: dict[str, Any] = {}
    exec(snippet("arrival", "REPORT_FAILOVER"), found)
    with override_settings(SMSVERIFY=found["SMSVERIFY"]):
        assert (conf.of("marketing-login").REPORT_FAILOVER, conf.of("login").REPORT_FAILOVER) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_the_page_on_test_numbers(memory: MakeProvider) -> None:
    memory()
    number = TestNumber.objects.create(phone=PHONE, expires_at=timezone.now() + timedelta(days=1))
    found: dict[str, Any] = {}
    exec(snippet("test-numbers", "ALLOW_TEST_NUMBERS"), found)
    with override_settings(SMSVERIFY=found["SMSVERIFY"]):
        simulated, person = send_code(PHONE, "login"), send_code("13900139000", "login")
        verify_code(simulated.pk, number.code(6))

    exec(snippet("test-numbers", "people ="), found)

    assert [one.pk for one in found["people"]] == [person.pk]
    for text in (PAGES["test-numbers"], CHINESE["test-numbers"]):
        assert str(MOST_DAYS) in text
        assert RATE.partition("/")[0] in text


@pytest.mark.parametrize("page", ["docs/arrival.rst", "docs/zh-Hans/arrival.rst"])
def test_the_page_on_causes_has_each_of_them(page: str) -> None:
    rows = re.findall(r"^``(\w+)`` +\S", (ROOT / page).read_text(), re.MULTILINE)

    assert rows == Cause.values


def test_the_libraries_that_a_server_may_load_before_it_forks() -> None:
    line = snippet("operations", "import cryptography.fernet")

    loaded = run(ROOT, "-c", f"{line}import sys; print(*sys.modules)", module="").split()

    assert {*HEAVY, "cryptography.fernet"} <= set(loaded)


def test_the_names_at_the_top_of_the_package() -> None:
    found: dict[str, Any] = {}

    exec(snippet("python", "from django_smsverify import redeem_proof, resend_code"), found)

    assert set(django_smsverify.__all__) <= found.keys()


@pytest.mark.django_db
def test_a_number_from_wechat_leads_to_no_account_that_it_was_silent_for() -> None:
    found: dict[str, Any] = {}
    exec(snippet("python", "def number_from_wechat"), found)
    exec(snippet("python", "def log_in"), found)
    proof = found["number_from_wechat"]({"phone_info": {"phoneNumber": "13800138000"}})
    made_at = timezone.now() - timedelta(days=400)

    assert found["log_in"](proof, made_at) == f"silent since {made_at:%Y-%m-%d}"

    found["confirm_owner"]("+8613800138000")
    assert found["log_in"](proof, made_at) == "+8613800138000"


@pytest.mark.django_db
def test_the_view_that_sends_from_python(memory: MakeProvider, rf: RequestFactory) -> None:
    found: dict[str, Any] = {}
    exec(snippet("python", "def send_to_me"), found)

    assert found["send_to_me"](rf.post("/")).status_code == 400
    memory()
    assert found["send_to_me"](rf.post("/")).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_the_receiver_of_the_guard_s_page_is_told() -> None:
    calls: list[Any] = []
    found: dict[str, Any] = {"__name__": "receivers", "ring": lambda *words: calls.append(words)}
    exec(snippet("guard", "@receiver(abuse_detected)"), found)
    try:
        closure = closures.close(Guarded.SITE, "", Figures(200, 200, 0))
        assert closure is not None
        closures.close(Guarded.BLOCK, "+861380013", Figures(20, 20, 0, 3))
    finally:
        abuse_detected.disconnect(found["call_the_operator"])

    assert calls == [("SMS: new numbers are refused until", closure.until)]


def test_the_receiver_of_the_documentation_receives_its_signal(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {"__name__": "receivers"}
    exec(snippet("python", "@receiver(message_settled)"), found)
    message = Message(status="undelivered", error_code="7")
    message.provider = Provider(slug="acme")

    message_settled.send(Message, message=message)

    assert capsys.readouterr().out == "acme 7\n"
    message_settled.disconnect(found["count_failures"])


def test_a_site_shows_images() -> None:
    found: dict[str, Any] = {"INSTALLED_APPS": [], "urlpatterns": []}
    exec(snippet("captcha", 'INSTALLED_APPS += ["captcha"]'), found)
    exec(snippet("captcha", 'path("captcha/"'), found)
    urls: Any = ModuleType("urls_of_the_page")
    urls.urlpatterns = found["urlpatterns"]

    assert set(found["INSTALLED_APPS"]) <= set(suite.INSTALLED_APPS)
    assert reverse("captcha-image", urlconf=urls, kwargs={"key": "x"}) == "/captcha/image/x/"


def test_a_page_of_the_site_has_a_ticket(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.shortcuts.render", lambda request, template, context: context)
    found: dict[str, Any] = {}
    exec(snippet("captcha", "def login_page"), found)

    assert digest_of_ticket(rf.get("/"), found["login_page"](rf.get("/"))["ticket"]) == "", "it is too young"


GEETEST = {name: f"{name} 1" for name in ("lot_number", "captcha_output", "pass_token", "gen_time")}
CAPTCHA_SETTINGS = {
    "GEETEST_ID": "id",
    "GEETEST_KEY": "key",
    "ALIYUN_SCENE_ID": "scene",
    "ALIYUN_KEY_ID": "id",
    "ALIYUN_KEY_SECRET": "secret",
    "TENCENT_CAPTCHA_APP_ID": 190,
    "TENCENT_CAPTCHA_APP_KEY": "app",
    "TENCENT_SECRET_ID": "i",
    "TENCENT_SECRET_KEY": "k",
}


@pytest.mark.parametrize(
    ("text", "name", "solved", "good", "bad", "sent"),
    [
        (
            snippet("captcha", "def geetest"),
            "geetest",
            GEETEST,
            {"status": "success", "result": "success"},
            {"status": "success", "result": "fail", "reason": "pass_token expire"},
            ("https://gcaptcha4.geetest.com/validate", "lot_number=lot_number+1", "captcha_id=id", "sign_token="),
        ),
        (
            snippet("captcha", "def aliyun"),
            "aliyun",
            "a b/c",
            {"Code": "Success", "Success": True, "Result": {"VerifyResult": True, "VerifyCode": "T001"}},
            {"Code": "Success", "Success": True, "Result": {"VerifyResult": False, "VerifyCode": "F001"}},
            ("https://captcha.cn-shanghai.aliyuncs.com/", "CaptchaVerifyParam=a%20b%2Fc", "SceneId=scene"),
        ),
        (
            snippet("captcha", "def tencent"),
            "tencent",
            {"ticket": "t", "randstr": "@r"},
            {"Response": {"CaptchaCode": 1, "CaptchaMsg": "OK"}},
            {"Response": {"CaptchaCode": 9, "CaptchaMsg": "used"}},
            ("https://captcha.tencentcloudapi.com/", '"Ticket": "t"', '"UserIp": "203.0.113.7"', '"CaptchaType": 9'),
        ),
    ],
    ids=["geetest", "aliyun", "tencent"],
)
def test_a_captcha_of_a_service(
    text: str, name: str, solved: Any, good: Any, bad: Any, sent: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, Any] = {}
    exec(text, found)
    check, answer, prepared = found[name], requests.Response(), requests.PreparedRequest()
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "203.0.113.7"

    def post(url: str, data: Any, headers: Any = None, *, timeout: tuple[int, int]) -> requests.Response:
        assert sum(timeout) <= 5
        prepared.prepare("POST", url, headers, data=data)
        return answer

    monkeypatch.setattr(requests, "post", post)
    with override_settings(**CAPTCHA_SETTINGS):
        answer._content = json.dumps(good).encode()
        assert check(request, {"captcha": solved}) is True
        asked = f"{prepared.url} {prepared.body!r}"
        assert [part for part in sent if part not in asked] == []
        for content in (json.dumps(bad).encode(), b"[]", b"{}", b"null", b'{"Response": null}', b"<html>"):
            answer._content = content
            assert check(request, {"captcha": solved}) is False
        answer._content = json.dumps(good).encode()
        surrogates = dict.fromkeys(solved, "\ud800") if isinstance(solved, dict) else "\ud800"
        bad_ones: list[Any] = [None, 7, "", {}, [], dict.fromkeys(solved, 7)]
        for wrong in bad_ones if name == "tencent" else [*bad_ones, surrogates]:
            assert check(request, {"captcha": wrong}) is False
        assert check(request, {}) is False
        monkeypatch.setattr(requests, "post", unreachable)
        assert check(request, {"captcha": solved}) is False


@pytest.mark.django_db(transaction=True)
def test_an_app_signs_its_requests(site: Site, memory: MakeProvider) -> None:
    memory()
    found: dict[str, Any] = {}
    exec(snippet("app-requests", "def signed_post"), found)
    key = ClientKey.objects.create(name="app")
    secret = key.new_secret(timezone.now())
    body = {"phone": PHONE, "purpose": "login"}
    with override_settings(SMSVERIFY={"CAPTCHA": "altcha"}):
        assert found["signed_post"](f"{site.url}/sms/send/", body, key.key_id, "another").status_code == 400
        assert found["signed_post"](f"{site.url}/sms/send/", body, key.key_id, secret).status_code == 202
        other = found["signed_post"](f"{site.url}/sms/send/?v=2", {**body, "phone": "13900139000"}, key.key_id, secret)
        assert other.status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_form_with_the_widget_logs_in(site: Site, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    memory()
    page: Any = ModuleType("page_with_the_widget")
    exec(snippet("widget", "def sms_login"), vars(page))
    page.urlpatterns = [*import_module(suite.ROOT_URLCONF).urlpatterns, path("", login_not_required(page.sms_login))]
    monkeypatch.setitem(sys.modules, page.__name__, page)
    (template,) = re.findall(r"block:: html\+django\n\n((?:    .*\n|\n)+)", PAGES["widget"])
    loaders = [("django.template.loaders.locmem.Loader", {"login.html": template})]
    options = {"loaders": loaders, "context_processors": ["django.template.context_processors.request"]}
    sent = site.send().json()
    proof = site.verify(sent["verification_id"], last_code()).json()["proof"]

    with override_settings(
        ROOT_URLCONF=page.__name__, TEMPLATES=[{**suite.TEMPLATES[0], "APP_DIRS": False, "OPTIONS": options}]
    ):
        client = Client()
        assert '<sms-verify purpose="login" name="proof"' in client.get("/").content.decode()
        assert "This proof of verification is not valid." in client.post("/", {"proof": "x"}).content.decode()
        assert client.post("/", {"proof": proof}).status_code == 302

    assert User.objects.get(pk=client.session["_auth_user_id"]).username == PHONE.removeprefix("+86")


@pytest.mark.parametrize("pages", [PAGES, CHINESE])
def test_the_page_on_the_widget_names_all_of_it(pages: dict[str, str]) -> None:
    source = (Path(django_smsverify.__path__[0]) / "static/smsverify/smsverify.js").read_text("utf-8")
    reflected = re.findall(r"^  (\w+):", source.partition("const FALLBACKS")[2].partition("}")[0], re.MULTILINE)
    named = set(re.findall(r"^``([a-z]+)`` ", pages["widget"], re.MULTILINE))
    parts = set(re.findall(r'(?:part\("\w+", |button\()"(\w+)"', source))

    assert named == {*reflected, "context", "proof", "altcha", "lang"}
    assert set(re.findall(r"^``(--[a-z-]+)``", pages["widget"], re.MULTILINE)) == set(
        re.findall(r"--smsverify-[a-z-]+", source)
    )
    assert len(parts) > 10
    assert [name for name in parts if f"``{name}``" not in pages["widget"]] == []


@pytest.mark.parametrize("language", ["python", "kotlin", "swift", "javascript"])
def test_each_sample_of_a_signature_has_all_headers(language: str) -> None:
    (sample,) = blocks(PAGES["app-requests"], language)

    assert [name for name in (*HEADERS, "SHA256", "\\n") if name not in sample.replace("sha256", "SHA256")] == []


def unreachable(*args: Any, **options: Any) -> requests.Response:
    raise requests.ConnectTimeout


def run_example(example: str, *arguments: object) -> None:
    """Runs the function of a snippet on testing."""
    found: dict[str, Any] = {
        "CodeExpired": CodeExpired,
        "pytest": pytest,
        "send_message": send_message,
        "time_machine": time_machine,
        "verify_code": verify_code,
    }
    exec(example, found)
    (function,) = [value for name, value in found.items() if name.startswith("test_")]
    function(*arguments)


def test_the_examples_of_tests_pass(client: Client, sms: SMSKit) -> None:
    run_example(snippet("testing", "def test_a_code_is_sent_and_verified"), client, sms)


def test_the_example_of_a_notice_passes(sms: SMSKit) -> None:
    run_example(snippet("testing", "def test_a_parcel_is_announced"), sms)


def test_the_example_of_refusals_passes(client: Client, sms: SMSKit) -> None:
    run_example(snippet("testing", "def test_what_a_visitor_sees_when_it_fails"), client, sms)


def test_the_example_of_limits_passes(client: Client, sms: SMSKit) -> None:
    run_example(snippet("testing", "def test_a_second_sms_has_to_wait"), client, sms)


def test_the_example_of_time_passes(sms: SMSKit) -> None:
    run_example(snippet("testing", "def test_a_code_expires"), sms)


def test_python_accepts_the_logging_of_the_documentation() -> None:
    found: dict[str, Any] = {}

    exec(snippet("operations", "LOGGING ="), found)

    run(ROOT, "-c", f"import logging.config; logging.config.dictConfig({found['LOGGING']!r})", module="")


def test_each_kind_of_alert_is_explained() -> None:
    for text in (PAGES["observability"], CHINESE["observability"]):
        kinds = re.findall(r"^   \* - ``([a-z]+)``$", text, re.MULTILINE)
        assert set(kinds) == set(AlertKind.values) - {AlertKind.TEST}


def test_the_channels_of_the_documentation_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = next(text for text in blocks(PAGES["observability"], "text") if "dingtalk" in text).split()
    for name, url in zip(("DINGTALK", "FEISHU", "WECOM"), urls[1:], strict=True):
        monkeypatch.setenv(f"ALERTS_{name}", url)
    found: dict[str, Any] = {}
    exec(snippet("observability", '"ALERTS"'), found)

    with override_settings(SMSVERIFY={**found["SMSVERIFY"], "ALERTS": [*found["SMSVERIFY"]["ALERTS"], *urls]}):
        assert [*check_settings(), *check_alerts()] == []


def test_the_events_of_the_documentation_are_written_as_json() -> None:
    found: dict[str, Any] = {}
    exec(snippet("observability", "class EventFormatter"), found)
    assert found["LOGGING"]["formatters"]["events"]["()"] is found["EventFormatter"]
    logs = """import logging.config
logging.config.dictConfig(LOGGING)
logging.getLogger("django_smsverify.events").info("x", extra={"smsverify": {"event": "sms.sent", "ms": 5}})
"""

    written = run(ROOT, "-c", snippet("observability", "class EventFormatter") + logs, module="")

    assert json.loads(written).items() >= {"event": "sms.sent", "ms": 5}.items()


@pytest.mark.parametrize("pages", [PAGES, CHINESE])
def test_each_event_is_listed_with_its_fields(pages: dict[str, str]) -> None:
    rows = table("observability", r"^   \* - ``([a-z]+\.[a-z]+)``\n     - (.+)$", pages)

    assert {name: tuple(re.findall(r"``(\w+)``", fields)) for name, fields in rows.items()} == EVENTS


@pytest.mark.django_db(transaction=True)
def test_a_site_includes_the_urls_for_load_balancers(monkeypatch: pytest.MonkeyPatch) -> None:
    page: Any = ModuleType("page_on_observability")
    page.urlpatterns = []
    exec(snippet("observability", "operations.urls"), vars(page))
    monkeypatch.setitem(sys.modules, page.__name__, page)

    with override_settings(ROOT_URLCONF=page.__name__):
        assert Client().get("/ops/health/live/").json() == {"status": "ok"}
        answered = Client().get("/ops/health/").json()
        assert Client().get("/ops/metrics/").status_code == 401
    for text in (PAGES["observability"], CHINESE["observability"]):
        (sample,) = blocks(text, "json")
        assert json.loads(sample)["parts"].keys() == answered["parts"].keys()
        assert table_of(text, 2).keys() == answered["parts"].keys()


def table_of(text: str, columns: int) -> dict[str, str]:
    """The rows of the table with so many columns whose first cell is a word of code."""
    (rows,) = [
        part.splitlines()[3:-1]
        for part in re.findall(rf"^(?:=+  +){{{columns - 1}}}=+\n.*?\n=+ [= ]+\n.*?\n=+ [= ]+\n", text, re.M | re.S)
        if part.splitlines()[0].count("  =") == columns - 1
    ]
    return dict(re.findall(r"^``([a-z_]+)`` +(.*)$", "\n".join(rows), re.MULTILINE))


def test_the_documentation_names_every_metric() -> None:
    source = (Path(metrics.__file__)).read_text()
    names = set(re.findall(r'_(?:gauge|histogram)\(\s*"([a-z_]+)"', source))

    assert len(names) == 14
    for text in (PAGES["observability"], CHINESE["observability"]):
        assert table_of(text, 3).keys() == names


def test_a_site_sets_up_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", made.append)
    exec(snippet("observability", "TracerProvider()"), {})

    (provider,) = made
    provider.shutdown()


def test_the_sentry_events_are_scrubbed() -> None:
    found: dict[str, Any] = {}
    exec(snippet("operations", "def scrub_sms"), found)
    frames = [{"module": "gunicorn", "vars": {"x": 1}}, {"module": "django_smsverify.views", "vars": {"y": 2}}]
    event = {
        "request": {"url": "https://example.com/sms/webhooks/topthink/secret/", "data": "13800138000"},
        "exception": {"values": [{"stacktrace": {"frames": frames}}]},
    }

    scrubbed = found["scrub_sms"](event, {})

    assert scrubbed["request"] == {"url": "https://example.com/sms"}
    assert frames == [{"module": "gunicorn"}, {"module": "django_smsverify.views", "vars": {"y": 2}}]


def test_the_submissions_of_the_documentation_are_made(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("topthink")
    signature = Signature.objects.create(provider=provider, text="新站", remark="网站登录")
    template = Template.objects.get()
    template.remark = "网站登录"
    found: dict[str, Any] = {"signature": signature, "template": template}

    for line in snippet("reviews", "submit(signature)").splitlines():
        exec(line, found)
        if line.startswith("submit(signature"):
            sandbox.judge("topthink", "sign", signature.remote_id, False, "缺公章")

    assert (signature.status, signature.remote_id) == ("draft", "")
    assert sandbox.submitted("topthink", "template")[-1][2] == IN_REVIEW


def test_the_limits_can_have_a_redis_of_their_own() -> None:
    found: dict[str, Any] = {"CACHES": {}}
    exec(snippet("performance", 'CACHES["sms"]'), found)

    with override_settings(**{name: found[name] for name in ("CACHES", "RATELIMIT_USE_CACHE")}):
        assert isinstance(caches[cache_alias()], RedisCache)


def test_a_replica_takes_the_questions_of_costs_only() -> None:
    found: dict[str, Any] = {"__name__": "mysite.routers"}
    exec(snippet("performance", "class CostsOnReplica"), found)
    (path,) = found["DATABASE_ROUTERS"]
    kind = found[path.removeprefix("mysite.routers.")]

    with override_settings(DATABASE_ROUTERS=[kind()]):
        assert router.db_for_read(Message) == "replica"
        assert Message.objects.all().db == router.db_for_write(Message) == "default"
        assert router.db_for_read(User) == "default"


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="these statements are for PostgreSQL")
def test_postgresql_knows_the_settings_of_the_tables() -> None:
    statements = [line for block in blocks(PAGES["performance"], "sql") for line in block.splitlines()]

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SELECT count(*) FROM pg_class WHERE reloptions IS NOT NULL AND relname LIKE 'smsverify%'")
        assert cursor.fetchall() == [(len(statements),)]


def test_the_example_gateway_is_the_one_that_is_tested() -> None:
    assert snippet("adding-a-gateway", "class AcmeGateway(") == (ROOT / "tests/acme_sms.py").read_text()


def test_the_example_gateways_pass_the_test_class_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests")
    found: dict[str, Any] = {}

    exec(snippet("adding-a-gateway", "class TestAcme"), found)
    exec(snippet("adding-a-gateway", "class StrictAcmeGateway"), found)

    for gateway in (found["AcmeGateway"], found["StrictAcmeGateway"]):
        contract = found["TestAcme"]()
        contract.gateway_class = gateway
        for name in [name for name in dir(contract) if name.startswith("test_")]:
            getattr(contract, name)()


def commands(rst: str) -> list[str]:
    """The command lines on a page, in blocks and within sentences."""
    lines = [line for block in blocks(rst, "sh", "text") for line in block.replace("\\\n", " ").splitlines()]
    lines += [" ".join(words.split()) for words in re.findall(r"``([^`]+)``", rst)]
    return [found[1] for line in lines if (found := re.search(r"python manage\.py (smsverify_.+)", line))]


@pytest.mark.parametrize("page", [*PAGES, *(f"zh-Hans/{name}" for name in CHINESE)])
def test_the_commands_of_a_page_exist_and_take_their_options(page: str) -> None:
    rst = (DOCS / f"{page}.rst").read_text()
    for line in commands(rst):
        name, *arguments = shlex.split(line)
        command = load_command_class("django_smsverify", name)
        parser = command.create_parser("manage.py", name)
        assert isinstance(parser, CommandParser)
        if arguments != ["--help"]:
            parser.parse_args(arguments)
    ours = {name for name, app in get_commands().items() if app == "django_smsverify"}
    assert set(re.findall(r"``(smsverify_[a-z]+)", rst)) <= ours


def test_the_page_on_providers_names_the_keys_of_each_gateway() -> None:
    english = table("providers", r"^   ``([a-z_]+)`` +(\S.*?)  ")
    chinese = table("providers", r"^      \* - ``([a-z_]+)``\n        - (.+)$", CHINESE)

    keys = {alias: ", ".join(str(one.label) for one in gateway_class(alias).credentials) for alias in VENDORS}
    assert english == keys
    assert chinese == keys


def test_the_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*PAGES.values(), *CHINESE.values()]:
        assert set(re.findall(r"(?:^ +|``)make ([a-z-]+)", page, re.MULTILINE)) <= targets


def test_the_tables_name_every_command_and_every_bulk_option() -> None:
    ours = {name for name, app in get_commands().items() if app == "django_smsverify"}
    assert table("operations", r"^``(smsverify_[a-z]+)`` +(\S.*)$").keys() == ours
    parser = load_command_class("django_smsverify", "smsverify_send").create_parser("manage.py", "smsverify_send")
    for option in re.findall(r"^``(--[a-z-]+)", PAGES["bulk"], re.MULTILINE):
        assert option in parser._option_string_actions


def test_the_settings_table_names_every_key_with_its_default() -> None:
    rows = table("settings", r"^``([A-Z_]+)``  +``(.+?)``  ")
    assert rows.keys() == KEYS.keys()
    for name, default in rows.items():
        assert repr(KEYS[name].default).replace("'", '"') == default, name


def test_the_settings_that_a_purpose_can_override_are_named() -> None:
    (sentence,) = re.findall(r"``PURPOSES`` can override (.+?)\.", PAGES["settings"])
    assert set(re.findall(r"``(\w+)``", sentence)) == {name for name, key in KEYS.items() if key.per_purpose}


def test_the_gateways_table_names_every_gateway_with_its_credentials() -> None:
    gateways = PAGES["settings"].partition("\nGateways\n")[2]
    rows = dict(re.findall(r"^``([a-z_]+)``  +(.+?)  ", gateways, re.MULTILINE))
    assert rows.keys() == BUILTIN_GATEWAYS.keys()
    for alias, credentials in rows.items():
        assert re.findall(r"``(\w+)``", credentials) == [c.name for c in gateway_class(alias).credentials]


def error_tree(base: type[SMSVerifyError]) -> set[type[SMSVerifyError]]:
    return {base}.union(*(error_tree(error) for error in base.__subclasses__()))


def ours(base: type[SMSVerifyError] = SMSVerifyError) -> set[type[SMSVerifyError]]:
    return {error for error in error_tree(base) if error.__module__.startswith("django_smsverify.")}


def test_the_endpoints_table_names_every_refusal() -> None:
    words = {error.code for error in ours()} - NOT_RETURNED
    for code in words | {"method_not_allowed", "unsupported_media_type"}:
        assert f"``{code}``" in PAGES["endpoints"] + PAGES["logins"], code


def test_the_tree_of_errors_names_every_error() -> None:
    (tree,) = [text for text in blocks(PAGES["python"], "text") if "SMSVerifyError" in text]
    names = {error.__name__ for error in ours() if error.__module__ == exceptions.__name__}
    assert set(re.findall(r"^[│├└─ ]*([A-Z]\w+)", tree, re.MULTILINE)) == names


def test_the_signals_table_names_every_signal_and_its_argument() -> None:
    rows = table("python", r"^``([a-z_]+)`` +``([a-z]+)``  ")
    every = {name: signal for name, signal in vars(signals).items() if isinstance(signal, Signal)}
    source = Path(signals.__file__).read_text()
    assert rows.keys() == every.keys()
    for name, argument in rows.items():
        assert re.search(rf'^{name} = Signal\(\)\n""".*`{argument}`', source, re.MULTILINE), name


ENGLISH_ROW, CHINESE_ROW = r"^``([a-z_]+)`` +(\S.*?)  ", r"^   \* - ``([a-z_]+)``\n     - (.+)$"


@pytest.mark.parametrize(
    ("pages", "row", "nothing"), [(PAGES, ENGLISH_ROW, "nothing"), (CHINESE, CHINESE_ROW, "不推送")]
)
def test_the_webhooks_table_shows_which_vendors_push(pages: dict[str, str], row: str, nothing: str) -> None:
    rows = table("webhooks", row, pages)
    assert rows.keys() == VENDORS
    for alias in VENDORS:
        assert gateway_class(alias).pushes == (rows[alias] != nothing), alias


@pytest.mark.parametrize(
    ("pages", "row", "words"),
    [
        (PAGES, ENGLISH_ROW, {"submitted": "what was submitted", "delivered": "what was delivered"}),
        (CHINESE, CHINESE_ROW, {"submitted": "按提交计费", "delivered": "按送达计费"}),
    ],
)
def test_the_table_of_costs_shows_what_each_vendor_charges_for(
    pages: dict[str, str], row: str, words: dict[str, str]
) -> None:
    assert table("costs", row, pages) == {alias: words[gateway_class(alias).billing] for alias in VENDORS}


def test_the_table_of_gateway_features_is_complete() -> None:
    page = PAGES["adding-a-gateway"].partition("\nWhat a vendor reports afterwards\n")[2]
    words = re.findall(r"^``([a-z_]+)``  ", page, re.MULTILINE)
    methods = re.findall(r"``((?:build|parse)_[a-z]+)``", page)
    flags = {name for name, kind in Dialect.__annotations__.items() if "ClassVar[bool]" in kind or "Submission" in kind}
    assert set(words) == flags - {
        "same_text",
        "local",
        "mainland_only",
        "finds_own_ids",
        "sends_ids",
        "needs_signatures",
        "reviews_texts",
    }
    every = {name for name in vars(Dialect) if name.startswith(("build_", "parse_"))}
    sending = {"build_send", "parse_send", "build_one", "parse_one", "parse_refusal"}
    assert set(methods) - sending == every - sending


@pytest.mark.parametrize("pages", [PAGES, CHINESE])
def test_troubleshooting_explains_every_system_check(pages: dict[str, str]) -> None:
    (folder,) = checks.__path__
    sources = [path.read_text() for path in Path(folder).glob("*.py")]
    ids = {found for source in sources for found in re.findall(r'="(smsverify\.[EW]\d+)"', source)}
    assert set(re.findall(r"^   \* - ``(smsverify\.[EW]\d+)``", pages["troubleshooting"], re.MULTILINE)) == ids


def test_the_picture_of_the_layers_is_correct() -> None:
    (picture,) = [text for text in blocks(PAGES["architecture"], "text") if "│" in text]
    layers = [line.split("│")[1].replace("·", "").split() for line in picture.splitlines() if "│" in line]
    assert layers[::-1] == [floor.split() for floor in FLOORS]


def test_architecture_names_packages_that_exist() -> None:
    package = Path(django_smsverify.__path__[0])
    for name in table("architecture", r"^``([a-z]+)`` +(\S.*)$"):
        assert (package / name).is_dir() or (package / f"{name}.py").is_file(), name


@pytest.mark.parametrize("page", TRANSLATED)
def test_the_chinese_page_has_the_sections_and_snippets_of_the_english_one(page: str) -> None:
    english, chinese = PAGES[page], CHINESE[page]
    assert TITLE.findall(chinese) == TITLE.findall(english)
    for language in ("python", "sh", "nginx", "javascript", "sql"):
        assert blocks(chinese, language) == blocks(english, language)
    if page == "troubleshooting":
        assert chinese.count("   * - ") == english.count("   * - ")


def test_every_picture_exists() -> None:
    for folder, pages in ((DOCS, PAGES), (DOCS / "zh-Hans", CHINESE)):
        for page in pages.values():
            for name in re.findall(r"image:: (\S+)", page):
                assert (folder / name).is_file()
