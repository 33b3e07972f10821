"""Law 9 for pushes: a process is killed while it handles a push, and only its answer is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
import requests
from django.db import connection
from django.utils import timezone

from django_smsverify.models import DeliveryReport, Message, Provider, Reply

from .conftest import PHONE
from .test_webhooks import IDS, ihuyi_reply, ihuyi_report

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 60
SECRET = "A-SECRET-of-this-test-alone"
KILL_POINTS = ("before the transaction", "before the row", "before the commit", "before the answer")
"""Where the process is killed, in the order in which a report is stored together with the status of its message."""
OVERTAKEN = ("before the match", "before the status", "before the link", "before the last signal")
"""The same, if the message gets its id after it was searched: then the report is stored first."""

RUNNER = """
import os, signal, sys
from django.conf import settings
from tests import settings as suite

task, database, kill_point, is_overtaken = sys.argv[1:]
own = {name: getattr(suite, name) for name in dir(suite) if name.isupper()}
own["DATABASES"] = {"default": {**suite.DATABASES["default"], "NAME": database}}
settings.configure(**own)

import django
django.setup()
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.db.models.signals import post_save, pre_save
from wsgiref.simple_server import WSGIRequestHandler
from django_smsverify import signals
from django_smsverify.models import Reply
from django_smsverify.reports import matching, single

def kill_self(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def settle_and_kill_self(*args, settle=matching._settle):
    settle(*args)
    kill_self()

def insert_and_kill_self(row, insert=single.insert):
    insert(row)
    kill_self()

def arm():
    if is_overtaken == "yes":
        single._message_of = lambda *args: None
    if kill_point == "before the transaction":
        single._store = kill_self
    if kill_point == "before the row":
        single.insert = kill_self
        pre_save.connect(kill_self, sender=Reply)
    if kill_point == "before the commit":
        single.insert = insert_and_kill_self
        post_save.connect(kill_self, sender=Reply)
    if kill_point == "before the match":
        single.match_reports = kill_self
    if kill_point == "before the last signal":
        signals.message_settled.connect(kill_self)
    if kill_point == "before the status":
        matching._settle = kill_self
    if kill_point == "before the link":
        matching._settle = settle_and_kill_self
    if kill_point == "before the answer":
        signals.delivery_reported.connect(kill_self)
        signals.reply_received.connect(kill_self)

def serve():
    arm()
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    print(server.server_port, flush=True)
    server.serve_forever()

{"serve": serve, "poll": lambda: call_command("smsverify_poll")}[task]()
"""


@contextmanager
def runner(task: str, errors: Path, kill_point: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that shares only the database with others; it is killed at the end, or after TIMEOUT seconds."""
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    is_overtaken = "yes" if kill_point in OVERTAKEN else "no"
    arguments = task, str(connection.settings_dict["NAME"]), kill_point, is_overtaken
    command = [sys.executable, "-W", "error", "-c", RUNNER, *arguments]
    with (
        errors.open("a") as log,
        subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        watchdog = Timer(TIMEOUT, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def line_of(process: subprocess.Popen[str], errors: Path) -> str:
    """The next line that the process prints."""
    assert process.stdout
    line = process.stdout.readline().strip()
    assert line, errors.read_text()
    return line


def poll(errors: Path) -> str:
    with runner("poll", errors) as process:
        return line_of(process, errors)


@contextmanager
def serving(errors: Path, kill_point: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The webhook's URL at a process that serves the site, and the process."""
    with runner("serve", errors, kill_point) as process:
        yield f"http://127.0.0.1:{line_of(process, errors)}/sms/webhooks/ihuyi/{SECRET}/", process


@pytest.fixture
def errors(tmp_path: Path) -> Path:
    """The file for the errors of the processes; the database has one message that the vendor has accepted."""
    credentials = {"account": "a", "api_key": "k"}
    provider = Provider.objects.create(
        slug="ihuyi",
        gateway="ihuyi",
        webhook_secret=SECRET,
        credentials=credentials,
        balance=1,
        balance_checked_at=timezone.now(),
    )
    template = provider.templates.create(purpose="login", content="{code}")
    fields = {"provider": provider, "template": template, "phone": PHONE, "purpose": "login"}
    Message.objects.create(remote_id=IDS["ihuyi"], status="accepted", **fields)
    return tmp_path / "errors.log"


def push(url: str, body: bytes) -> requests.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return requests.post(url, body, headers=headers, timeout=TIMEOUT)


def push_and_kill(errors: Path, kill_point: str, body: bytes) -> None:
    with serving(errors, kill_point) as (url, process):
        with pytest.raises(requests.ConnectionError):
            push(url, body)
        assert process.wait(TIMEOUT) == -signal.SIGKILL


def push_again(errors: Path, body: bytes) -> None:
    with serving(errors) as (url, _):
        for _ in range(2):
            answer = push(url, body)
            assert (answer.status_code, answer.text) == (200, "success")


def assert_complete() -> None:
    report = DeliveryReport.objects.get()
    assert (report.remote_id, report.outcome) == (IDS["ihuyi"], "delivered")
    assert report.message
    assert report.message.status == "delivered"
    assert report.message.settled_at


@pytest.mark.parametrize("kill_point", [*KILL_POINTS, *OVERTAKEN])
def test_another_push_completes_a_report_that_was_not_acknowledged(kill_point: str, errors: Path) -> None:
    push_and_kill(errors, kill_point, ihuyi_report())
    assert DeliveryReport.objects.count() == (0 if kill_point in KILL_POINTS[:3] else 1)
    assert Message.objects.get().status == (
        "accepted" if kill_point in (*KILL_POINTS[:3], *OVERTAKEN[:2]) else "delivered"
    )

    push_again(errors, ihuyi_report())

    assert_complete()


@pytest.mark.parametrize("kill_point", OVERTAKEN[:3])
def test_the_poll_completes_a_report_that_was_stored(kill_point: str, errors: Path) -> None:
    push_and_kill(errors, kill_point, ihuyi_report())

    assert poll(errors) == "matched 1"

    assert_complete()
    assert poll(errors) == "nothing to ask"


@pytest.mark.parametrize("kill_point", ["before the row", "before the commit", "before the answer"])
def test_a_reply_is_stored_once_however_often_it_is_pushed(kill_point: str, errors: Path) -> None:
    push_and_kill(errors, kill_point, ihuyi_reply())

    push_again(errors, ihuyi_reply())

    reply = Reply.objects.get()
    assert (reply.content, reply.message) == ("退订", Message.objects.get(remote_id=IDS["ihuyi"]))
