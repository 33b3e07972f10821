"""The two READMEs are correct: their commands and snippets run in a new project, in the order given."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from django_smsverify.conf import BUILTIN_GATEWAYS
from django_smsverify.verifying.proofs import issue

from .papers import PAGES, ROOT, Paper, curl, with_curl

ENGLISH, CHINESE = Paper("README.rst"), Paper("README.zh-Hans.rst")
BOTH = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=lambda readme: readme.name)
MAX_BYTES = 9000
LONGEST_START = 60
RAW = "https://raw.githubusercontent.com/django-smsverify/django-smsverify/main/"
HOME = "https://github.com/django-smsverify/django-smsverify/blob/main/"
NUMBER = "13800138000"
CODE = re.compile(rf"SMS to \+86{NUMBER}: 【示例站】\D+(\d{{6}})")

with_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def project(readme: Paper, tmp_path: Path) -> Path:
    """A project of `startproject` with the README's snippets added."""
    manage(tmp_path, "-m", "django", "startproject", "mysite", ".", module="")
    settings, urls, _form = readme.snippets
    with (tmp_path / "mysite/settings.py").open("a", encoding="utf-8") as written:
        written.write(f"\n{settings}\n")
    with (tmp_path / "mysite/urls.py").open("a", encoding="utf-8") as written:
        written.write(f"\n{urls}\n")
    return tmp_path


def environment(where: Path, module: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(where),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": module,
    }


def manage(where: Path, *arguments: str, module: str = "mysite.settings", may_fail: bool = False) -> str:
    """The output of a command, on both streams; it must succeed, unless it may fail."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=where,
        env=environment(where, module),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert may_fail or done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def serving(where: Path, *arguments: str) -> Iterator[tuple[str, Path]]:
    """The address of a running site, and the file with its output."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    printed = where / "printed"
    command = [sys.executable, *arguments, "--noreload", address]
    with printed.open("w") as out:
        site = subprocess.Popen(
            command, cwd=where, env=environment(where, "mysite.settings"), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + LONGEST_START
        while f"http://{address}/" not in printed.read_text("utf-8"):
            assert site.poll() is None, printed.read_text("utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://{address}", printed
    finally:
        site.send_signal(signal.SIGTERM)
        site.wait(20)


@pytest.mark.slow
@with_curl
@pytest.mark.parametrize(
    "readme", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.slow)], ids=lambda readme: readme.name
)
def test_five_minutes_to_the_first_code(readme: Paper, project: Path) -> None:
    install, migrate, setup, send, runserver, check = readme.commands[-6:]

    assert install == f"pip install {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['name']}"
    for command in (migrate, setup):
        manage(project, *shlex.split(command)[1:])
    assert re.search(r"【示例站】您的验证码是\d{6}，5分钟内有效", manage(project, *shlex.split(send)[1:]))
    with serving(project, *shlex.split(runserver)[1:]) as (url, printed):
        sent = curl(readme.call("/sms/send/"), url)
        (code,) = CODE.findall(printed.read_text("utf-8"))
        verified = curl(readme.call("/sms/verify/"), url, verification_id=sent["verification_id"], code=code)
        check_login(url, verified["proof"])
        check_language(url)
    with closing(sqlite3.connect(project / "db.sqlite3")) as database:
        assert database.execute("SELECT username FROM auth_user").fetchall() == [(NUMBER,)]
    # Django 6.1 finds an error in the mail settings that its own startproject writes.
    output = manage(project, *shlex.split(check)[1:], may_fail=True)
    assert "smsverify.W003" in output
    assert "smsverify.E" not in output


def check_login(url: str, proof: str) -> None:
    """The page shows the widget, requires the CSRF token, and accepts the proof once."""
    browser = requests.Session()
    browser.trust_env = False
    page = browser.get(f"{url}/login/", timeout=20).text
    assert '<sms-verify purpose="login"' in page
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)

    def log_in(**fields: str) -> tuple[int, str]:
        answer = browser.post(f"{url}/login/", data=fields, timeout=20, allow_redirects=False)
        return answer.status_code, answer.headers.get("Location", "")

    assert log_in(proof=proof) == (403, "")
    assert log_in(proof="x", csrfmiddlewaretoken=token) == (200, "")
    assert "sessionid" not in browser.cookies
    assert log_in(proof=proof, csrfmiddlewaretoken=token) == (302, "/")
    assert "sessionid" in browser.cookies


@pytest.mark.django_db
def test_a_field_gives_the_number() -> None:
    found: dict[str, Any] = {}
    exec(ENGLISH.snippets[2], found)

    form = found["OrderForm"]({"mobile": issue(NUMBER, "order", source="test"), "address": "x"})

    assert (form.is_valid(), form.cleaned_data["mobile"]) == (True, NUMBER)


def test_a_login_takes_few_lines() -> None:
    settings, urls, _form = (uncommented(code).split("\n") for code in ENGLISH.snippets)

    assert len([line for line in [*settings, *urls] if line.strip()]) <= 15


def check_language(url: str) -> None:
    answer = requests.post(f"{url}/sms/send/", json={}, headers={"Accept-Language": "zh-CN"}, timeout=20)
    assert re.search(r"[\u4e00-\u9fff]", answer.json()["detail"])


@with_make
@BOTH
def test_the_targets_of_make_exist(readme: Paper) -> None:
    commands = [command for command in readme.commands if command.startswith("make ")]

    assert commands == ["make demo", "make test"]
    for command in commands:
        subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, check=True)


@BOTH
def test_every_command_is_run_by_these_tests(readme: Paper) -> None:
    kinds = [re.match(r"make|curl|pip install|python manage\.py", command) for command in readme.commands]

    assert [found[0] for found in kinds if found] == [
        "make",
        *["curl"] * 3,
        "make",
        "pip install",
        *["python manage.py"] * 5,
    ]
    assert len(readme.snippets) == 3


@BOTH
def test_it_is_short(readme: Paper) -> None:
    assert len(readme.text.encode()) <= MAX_BYTES


@BOTH
def test_a_package_index_can_show_the_pictures(readme: Paper) -> None:
    assert len(readme.pictures) == 2
    for picture in readme.pictures:
        assert picture.startswith(RAW)
        assert (ROOT / picture.removeprefix(RAW)).is_file()


@BOTH
def test_the_table_of_vendors_names_every_gateway(readme: Paper) -> None:
    rows = re.findall(r"^``([a-z_]+)``  +\S", readme.text, re.MULTILINE)

    assert sorted(rows) == sorted(BUILTIN_GATEWAYS)


def test_each_links_to_the_other_at_its_top() -> None:
    assert ENGLISH.links[0] == HOME + CHINESE.name
    assert CHINESE.links[0] == HOME + ENGLISH.name


def test_both_have_the_same_sections_commands_snippets_and_links() -> None:
    assert ENGLISH.shape == CHINESE.shape
    assert ENGLISH.commands == CHINESE.commands
    assert [uncommented(code) for code in ENGLISH.snippets] == [uncommented(code) for code in CHINESE.snippets]
    assert ENGLISH.links[1:] == CHINESE.links[1:]
    assert ENGLISH.pictures == CHINESE.pictures


def uncommented(code: str) -> str:
    return re.sub(r"\s*#.*", "", code)


@BOTH
def test_the_linked_pages_exist(readme: Paper) -> None:
    pages = [link.removeprefix(PAGES).removesuffix(".html") for link in readme.links if link.startswith(PAGES)]

    assert len(pages) == len(set(pages)) == 27
    assert [page for page in pages if not (ROOT / f"docs/{page}.rst").is_file()] == []
