"""What the README tells is true: its snippets run in a fresh project, its tables name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import django
import pytest
from django.dispatch import Signal
from sandbox.reviews import IN_REVIEW
from sandbox.server import Sandbox

from django_smsverify import signals
from django_smsverify.conf import BUILTIN_GATEWAYS, KEYS
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.gateways.dialect import Dialect
from django_smsverify.models import Signature, Template
from django_smsverify.models.gateway_classes import gateway_class

from .conftest import PHONE, MakeProvider, add_template, last_code

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.rst").read_text()
BLOCK = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
SNIPPETS = [textwrap.dedent(body).strip() + "\n" for _, body in BLOCK.findall(README)]
INSTALL, CELERY, TASKS = 'INSTALLED_APPS += ["django_smsverify"]', 'SMSVERIFY = {"DISPATCH": "celery"}', "TASKS ="

SEED = """
from django_smsverify.models import Provider, Signature, Template
provider = Provider.objects.create(name="console", slug="console", gateway="console")
signature = Signature.objects.create(provider=provider, text="示例站", status="approved")
Template.objects.create(provider=provider, signature=signature, purpose="login", name="login", status="approved",
    content="您的验证码是{code}，{minutes}分钟内有效。")
"""
FORGET = "from django_smsverify.models import Message; Message.objects.all().delete()"
LOG_IN = """
import io, contextlib, json, re
from django.test import Client
client, said = Client(), io.StringIO()
with contextlib.redirect_stdout(said):
    sent = client.post("/sms/send/", {"phone": "13800138000", "purpose": "login"}, "application/json").json()
code = re.findall(r"[0-9]{6}(?![0-9])", said.getvalue().rpartition("】")[2])[0]
verified = client.post("/sms/verify/", {"verification_id": sent["verification_id"], "code": code}, "application/json")
for _ in range(2):
    answer = client.post("/sms-login/", {"proof": verified.json()["proof"]}, "application/json")
    print(answer.status_code, "sessionid" in client.cookies, answer.json())
"""


def snippet(start: str) -> str:
    """The one snippet with a line that starts so."""
    (found,) = [text for text in SNIPPETS if re.search(f"^{re.escape(start)}", text, re.MULTILINE)]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as `startproject` makes it, with the README's snippets put in."""
    run(tmp_path, "-m", "django", "startproject", "mysite", ".", module="")
    inside = tmp_path / "mysite"
    with (inside / "settings.py").open("a") as settings:
        settings.write(f'\n{snippet(INSTALL)}\nALLOWED_HOSTS = ["testserver"]\n')
    with (inside / "urls.py").open("a") as urls:
        urls.write(f"\n{snippet('urlpatterns')}\n{snippet('@require_POST')}\n")
        urls.write('urlpatterns += [path("sms-login/", sms_login)]\n')
    return tmp_path


def run(where: Path, *arguments: str, module: str = "mysite.settings") -> str:
    command = [sys.executable, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(where), "DJANGO_SETTINGS_MODULE": module}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_five_minutes_to_the_first_code(project: Path) -> None:
    run(project, "manage.py", "migrate")
    run(project, "manage.py", "check")
    run(project, "manage.py", "shell", "-c", SEED)

    said = run(project, "manage.py", "smsverify_send", "13800138000", "--purpose", "login")
    assert re.search(r"【示例站】您的验证码是\d{6}，5分钟内有效。", said)
    assert "console: accepted" in said

    run(
        project,
        "manage.py",
        "shell",
        "-c",
        "from django_smsverify.models import Message; Message.objects.all().delete()",
    )
    first, second = run(project, "manage.py", "shell", "-c", LOG_IN).strip().splitlines()[-2:]
    assert first == "200 True {'created': True}"
    assert second.startswith("400 ")


@pytest.mark.slow
@pytest.mark.parametrize("start", [CELERY, TASKS])
def test_a_site_with_workers_passes_its_checks(start: str, project: Path) -> None:
    settings = snippet(start)
    if django.VERSION >= (6, 0):
        settings = settings.replace('"django_tasks", ', "")
    with (project / "mysite" / "settings.py").open("a") as written:
        written.write(f"\n{settings}\n")

    run(project, "manage.py", "migrate")
    assert "no issues" in run(project, "manage.py", "check")


def test_the_settings_table_names_every_key_with_its_default() -> None:
    rows = dict(re.findall(r"^``([A-Z_]+)``  +``(.+?)``  ", README, re.MULTILINE))
    assert rows.keys() == KEYS.keys()
    for name, default in rows.items():
        assert repr(KEYS[name].default).replace("'", '"') == default, name


def test_the_endpoints_table_names_every_refusal() -> None:
    table = README.partition("\nEndpoints\n")[2].partition("\nFrom Python\n")[0]
    ours = {error.code for error in every_error(SMSVerifyError)} - {
        "error",
        "gateway_error",
        "proof_rejected",
        "invalid_callback",
        "too_early",
        "submission_refused",
    }
    for code in ours | {"method_not_allowed", "unsupported_media_type"}:
        assert f"``{code}``" in table, code


def section(title: str) -> str:
    return re.split(r"\n[^\n]+\n=+\n\n", README.partition(f"\n{title}\n===")[2])[0]


def test_the_signals_table_names_every_signal_and_what_it_carries() -> None:
    rows = dict(re.findall(r"^``([a-z_]+)`` +``([a-z]+)``  ", section("From Python"), re.MULTILINE))
    ours = {name: signal for name, signal in vars(signals).items() if isinstance(signal, Signal)}
    source = Path(signals.__file__).read_text()
    assert rows.keys() == ours.keys()
    for name, carried in rows.items():
        assert re.search(rf'^{name} = Signal\(\)\n""".*`{carried}`', source, re.MULTILINE), name


def test_the_webhooks_table_tells_which_vendors_call() -> None:
    rows = dict(re.findall(r"^``([a-z]+)`` +(\S.*?)  ", section("Webhooks"), re.MULTILINE))
    for alias in BUILTIN_GATEWAYS.keys() - {"console", "memory"}:
        assert gateway_class(alias).pushes == (rows[alias] != "nothing"), alias


def test_the_table_of_costs_tells_which_vendors_charge_for_what() -> None:
    rows = dict(re.findall(r"^``([a-z]+)`` +what was ([a-z]+)  ", section("Operations"), re.MULTILINE))
    vendors = BUILTIN_GATEWAYS.keys() - {"console", "memory"}
    assert rows == {alias: gateway_class(alias).billing for alias in vendors}


def test_the_table_of_what_a_gateway_can_do_names_what_there_is() -> None:
    table = section("Adding a gateway")
    words = re.findall(r"^``([a-z_]+)``  ", table, re.MULTILINE)
    methods = re.findall(r"``((?:build|parse)_[a-z]+)``", table)
    can = {name for name, kind in Dialect.__annotations__.items() if "ClassVar[bool]" in kind or "Submission" in kind}
    assert set(words) == can - {"same_text", "local"}
    every = {name for name in vars(Dialect) if name.startswith(("build_", "parse_"))}
    assert set(methods) == every - {"build_send", "parse_send"}


def every_error(base: type[SMSVerifyError]) -> set[type[SMSVerifyError]]:
    return {base}.union(*(every_error(error) for error in base.__subclasses__()))


def test_the_gateways_table_names_every_gateway_with_its_credentials() -> None:
    rows = dict(re.findall(r"^``([a-z]+)``  +(.+?)  ", section("Gateways"), re.MULTILINE))
    assert rows.keys() == BUILTIN_GATEWAYS.keys()
    for alias, credentials in rows.items():
        assert re.findall(r"``(\w+)``", credentials) == [c.name for c in gateway_class(alias).credentials]


def test_the_gateway_of_an_outsider_is_the_one_that_is_tested() -> None:
    assert (ROOT / "tests/acme_sms.py").read_text() in [f"{text}" for text in SNIPPETS]


def test_the_pictures_are_there() -> None:
    for name in re.findall(r"image:: (\S+)", README):
        assert (ROOT / name).is_file()


def test_the_python_of_the_readme_runs(memory: MakeProvider) -> None:
    asked, _, answered = snippet("verification = send_code").partition("verification = verify_code")
    template = add_template(memory(), "notice", "{name}，您的订单已发货，请注意查收。", "")
    found: dict[str, Any] = {"template": template}

    exec(asked, found)
    exec("verification = verify_code" + answered.replace("123456", last_code()), found)

    assert found["phone"] == PHONE
    assert [message.status for message in found["messages"]] == ["accepted"]
    found["recipients"] = {"13800138001": {"name": "李女士"}}
    exec(snippet("messages = send_message(template, recipients"), found)
    assert [message.batch for message in found["messages"]] == ["2026-12 maintenance"]


def test_the_filing_of_the_readme_is_done(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("topthink")
    signature = Signature.objects.create(provider=provider, text="新站", remark="网站登录")
    template = Template.objects.get()
    template.remark = "网站登录"
    found: dict[str, Any] = {"signature": signature, "template": template}

    for line in snippet("submit(signature)").splitlines():
        exec(line, found)
        if line.startswith("submit(signature"):
            sandbox.judge("topthink", "sign", signature.remote_id, False, "缺公章")

    assert (signature.status, signature.remote_id) == ("draft", "")
    assert sandbox.submitted("topthink", "template")[-1][2] == IN_REVIEW


def test_the_test_class_of_the_readme_is_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests")
    found: dict[str, Any] = {}

    exec(snippet("class TestAcme"), found)

    contract = found["TestAcme"]()
    for name in [name for name in dir(contract) if name.startswith("test_")]:
        getattr(contract, name)()
