"""A site that reports to Sentry, with a transport that records the events, and with all errors that can occur.

It is a process of its own, as sentry-sdk changes Django, http.client and logging permanently.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock
from urllib.parse import urlencode
from uuid import uuid4

import django
import sentry_sdk
from django.conf import settings
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

NUMBER = "13800138000"
WEBHOOK_SECRET = "WEBHOOK-SECRET-of-the-monitored-site"
TEXT = "您的验证码是{code}，{minutes}分钟内有效。"
SHORT_TEXT = "您的验证码是{code}，5分钟内有效。"
NOTICE = "系统维护已完成，感谢您的耐心等待。"
SITE = {
    "CODE_LENGTH": 8,  # so that no other digits of an event look like a code
    "RESEND_INTERVAL": 0,
    "PHONE_LIMITS": (),
    "GUESS_LIMIT": "99999/d",
    "IP_LIMITS": (),
    "PREFIX_LIMITS": (),
    "TIMEOUT": (1, 0.2, 1),
}


class RecordingTransport(Transport):
    """Records what would be sent to Sentry's servers."""

    envelopes: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope.serialize().decode())


def set_up(database: str, traced: bool, scrub: str) -> None:
    """`scrub` is the code that the documentation recommends to a site."""
    from tests import settings as suite

    own = {name: getattr(suite, name) for name in dir(suite) if name.isupper()}
    quick = {"init_command": "PRAGMA synchronous=OFF"}
    own["DATABASES"] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": quick}}
    settings.configure(**own, SMSVERIFY=SITE)
    advice: dict[str, Any] = {}
    exec(scrub, advice)
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=RecordingTransport,
        before_send=advice["scrub_sms"],
        before_send_transaction=advice["scrub_sms"],
        traces_sample_rate=1.0 if traced else None,
        attach_stacktrace=traced,
    )
    django.setup()
    from django.core.management import call_command

    from django_smsverify.sending import circuits

    call_command("migrate", verbosity=0)
    circuits.FAILURES = 1  # each failure is an error in the log, from which Sentry makes an event
    logging.getLogger("django_smsverify").setLevel(logging.INFO)


class ProviderActions:
    """One provider, and the actions that are run with it."""

    def __init__(
        self,
        gateway: str,
        base_url: str,
        credentials: dict[str, str],
        options: dict[str, str],
        remote_id: str,
        plain_id: str,
    ) -> None:
        from django_smsverify.models import Provider, Signature, Template

        self.gateway, self.base_url = gateway, base_url
        self.provider = Provider.objects.create(
            name=gateway,
            slug=gateway,
            gateway=gateway,
            base_url=base_url,
            credentials=credentials,
            options=options,
            webhook_secret=WEBHOOK_SECRET,
        )
        signature = Signature.objects.create(provider=self.provider, text="示例站", remote_id="78", status="approved")
        common = {"provider": self.provider, "signature": signature, "status": "approved"}
        text = SHORT_TEXT if gateway == "veesing" else TEXT
        Template.objects.create(name="login", purpose=gateway, content=text, remote_id=remote_id, **common)
        self.notice = Template.objects.create(
            name="notice", purpose="notice", content=NOTICE, remote_id=plain_id, **common
        )

    def send(self) -> tuple[int, dict[str, Any]]:
        return post("send", {"phone": NUMBER, "purpose": self.gateway})

    def right_code(self) -> tuple[int, dict[str, Any]]:
        return post("verify", {"verification_id": last_id(), "code": last_code()})

    def wrong_code(self) -> tuple[int, dict[str, Any]]:
        return post("verify", {"verification_id": last_id(), "code": f"{(int(last_code()) + 1) % 10**8:08}"})

    def send_notice(self) -> None:
        from django_smsverify.sending import send_message

        send_message(self.notice, {NUMBER: {}})

    def push(self) -> tuple[int, dict[str, Any]]:
        """A reply, as VeeSing pushes it."""
        form = urlencode({"mobile": NUMBER, "taskid": uuid4().hex, "content": f"call {NUMBER}"})
        return request(f"webhooks/{self.gateway}/{WEBHOOK_SECRET}", form, "application/x-www-form-urlencoded")

    def close_circuit(self) -> None:
        from django_smsverify.sending import circuits

        circuits.close(self.provider)


def last_id() -> str:
    from django_smsverify.models import Verification

    return str(Verification.objects.latest("created_at").pk)


def last_code() -> str:
    from django_smsverify.models import Verification

    return str(Verification.objects.latest("created_at").derive_code())


def post(path: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    return request(path, json.dumps(body), "application/json")


def request(path: str, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
    """A request as a server handles it, in another thread, so that its stack contains no frame of this test."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    environ = RequestFactory().post(f"/sms/{path}/", body, content_type).environ
    status: list[int] = []
    answer: list[bytes] = []

    def start(line: str, headers: Any, error: Any = None) -> Any:
        status.append(int(line[:3]))

    def serve() -> None:
        response = WSGIHandler()(environ, start)
        answer.extend(response)
        response.close()

    thread = Thread(target=serve)
    thread.start()
    thread.join()
    text = b"".join(answer)
    return status[0], json.loads(text) if text.startswith(b"{") else {}


class FailingDatabase:
    """A database that fails at the nth statement."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        from django.db import OperationalError

        self.left -= 1
        if self.left == 0:
            raise OperationalError("the database is gone")
        return execute(sql, params, many, context)


@contextmanager
def failing_at(nth: int) -> Iterator[FailingDatabase]:
    """The database fails at the nth statement, in any thread."""
    from django.db.backends.utils import CursorWrapper

    failing = FailingDatabase(nth)
    execute = CursorWrapper.execute

    def failing_execute(self: Any, sql: str, params: Any = None) -> Any:
        return failing(lambda *args: execute(self, sql, params), sql, params, False, {})

    with mock.patch.object(CursorWrapper, "execute", failing_execute):
        yield failing


def at_each_statement(act: Callable[[], Any]) -> int:
    """Repeats the act with the database failing one statement later each time; returns the number of statements."""
    for nth in count(1):
        with failing_at(nth) as failing:
            try:
                act()
            except Exception as error:
                sentry_sdk.capture_exception(error)
        if failing.left > 0:
            return nth - 1
    raise AssertionError


def bug(*args: Any, **kwargs: Any) -> Any:
    plain = f"{NUMBER} {last_code()}"
    raise RuntimeError(f"a bug that repeats {plain}")


def patched_with_bug(actions: ProviderActions, where: str) -> Any:
    from django_smsverify.gateways.transport import HTTPTransport
    from django_smsverify.models.gateway_classes import gateway_class

    if where == "transport":
        return mock.patch.object(HTTPTransport, "send", bug)
    return mock.patch.object(gateway_class(actions.gateway), where, bug)


def cases(actions: ProviderActions, silent: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "good send", actions.send
    yield "wrong code", actions.wrong_code
    yield "right code", actions.right_code
    yield "used code", actions.right_code
    yield "timeout", lambda: at_address(actions, silent)
    for where in ("check_recipient", "build_send", "parse_send", "transport", "transmit"):
        yield f"bug in {where}", partial(with_bug, actions, where)
    yield "database fails in send", lambda: at_each_statement(actions.send)
    actions.send()
    yield "database fails in wrong code", lambda: at_each_statement(actions.wrong_code)
    yield "database fails in right code", lambda: at_each_statement(actions.right_code)
    if actions.gateway == "veesing":
        yield "good push", actions.push
        yield "database fails in push", lambda: at_each_statement(actions.push)
    yield "good notice", actions.send_notice
    yield "database fails in notice", lambda: at_each_statement(actions.send_notice)


def at_address(actions: ProviderActions, silent: str) -> Any:
    with ExitStack() as stack:
        stack.callback(lambda: type(actions.provider).objects.update(base_url=actions.base_url))
        type(actions.provider).objects.update(base_url=silent)
        return actions.send()


def with_bug(actions: ProviderActions, where: str) -> Any:
    actions.send()
    with patched_with_bug(actions, where):
        return actions.send()


def leak() -> str:
    """A leak that the test must find, as a proof that it finds any."""
    try:
        leaky(last_code())
    except RuntimeError as error:
        sentry_sdk.capture_exception(error)
    return last_code()


def leaky(code: str) -> None:
    raise RuntimeError(f"a leak of {len(code)} digits")


class ResultFile:
    """A file with one line for each case; in a variable, each event would contain all earlier events."""

    def __init__(self, path: str) -> None:
        self._file = Path(path)

    def record(self, case: str, act: Callable[[], Any]) -> None:
        RecordingTransport.envelopes = []
        with sentry_sdk.isolation_scope():
            result = act()
            sentry_sdk.capture_message("later")  # includes earlier records as breadcrumbs
        with self._file.open("a") as file:
            print(json.dumps({"case": case, "result": result, "events": RecordingTransport.envelopes}), file=file)


def main(order: dict[str, Any]) -> None:
    set_up(order["database"], order["traced"], order["scrub"])
    result_file, actions = ResultFile(order["found"]), ProviderActions(**order.pop("actions"))
    for case, act in cases(actions, order["silent"]):
        result_file.record(case, act)
        actions.close_circuit()
    result_file.record("leak", leak)


if __name__ == "__main__":
    main(json.load(sys.stdin))
