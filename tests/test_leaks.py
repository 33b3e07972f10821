"""Laws 1 and 10: after many sends and errors, no code, secret or full number is in a log, error, row or cache."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.contrib.auth import get_user_model
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.urls import reverse
from django.views.debug import ExceptionReporter
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported, SMSVerifyError
from django_smsverify.management.many import send_file
from django_smsverify.models import Message, Provider, Recipient, Template, Verification
from django_smsverify.sending import bulk, send_bulk, send_code, send_message
from django_smsverify.verifying import verify_code

from .conftest import (
    NOTICE_IDS,
    PHONE,
    SECRETS,
    VENDORS,
    LogRecorder,
    MakeProvider,
    Site,
    add_template,
    assert_clean,
    cached,
    code_in,
    codes_of,
    wrong,
)

pytestmark = pytest.mark.django_db(transaction=True)

FAULTS = [Fault.status(500), Fault.status(403), Fault.garbage(), Fault.reset(deliver=True), Fault.redirect()]
ROOMY = {
    "RESEND_INTERVAL": 0,
    "PHONE_LIMITS": (),
    "IP_LIMITS": (),
    "PREFIX_LIMITS": (),
    "TIMEOUT": (0.5, 0.5, 1),
}


def send_with_all_faults(site: Site, vendor: MakeProvider, sandbox: Sandbox) -> list[BaseException]:
    """Sends and verifies at every vendor, with every fault; returns the exceptions that Python callers received."""
    errors_raised: list[BaseException] = []
    for gateway in VENDORS:
        provider = vendor(gateway, gateway)
        sent = site.send(purpose=gateway).json()
        code = code_in(sandbox.inbox.of(PHONE[3:])[-1].text)
        site.resend(sent["verification_id"])
        site.verify(sent["verification_id"], wrong(code))
        site.verify(sent["verification_id"], code)
        site.verify(sent["verification_id"], code)
        if gateway != "veesing":
            notice = add_template(
                provider, "notice", "{name}，您的订单已发货，请注意查收。", NOTICE_IDS.get(gateway, "")
            )
            send_message(notice, {PHONE: {"name": "王先生"}})
        for fault in FAULTS:
            sandbox.misbehave(gateway, fault)
            errors_raised += error_of_a_send(gateway)
        sandbox.behave()
    return errors_raised


def error_of_a_send(purpose: str) -> list[BaseException]:
    try:
        verification = send_code(PHONE, purpose)
        verify_code(verification.pk, wrong(verification.derive_code()))
    except SMSVerifyError as error:
        return [error]
    return []


@pytest.mark.parametrize("text", ["code=123456", "(12345678)", "验证码123456。"])
def test_a_leaked_code_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        assert_clean(text, {"123456", "12345678"})


def test_digits_of_something_longer_are_no_code() -> None:
    assert_clean("1234567 012345678 a123456 123456-7890 654321", {"123456", "12345678"})


def test_nothing_leaks(site: Site, vendor: MakeProvider, sandbox: Sandbox, log: LogRecorder) -> None:
    with override_settings(SMSVERIFY=ROOMY):
        errors = send_with_all_faults(site, vendor, sandbox)
    codes = codes_of(sandbox)
    assert len(codes) >= 5
    assert len(errors) >= 10

    assert_clean(log.text, codes)
    for error in errors:
        assert_clean("".join(traceback.format_exception(error)) + repr(error), codes)
    for row in (*Message.objects.all(), *Verification.objects.all(), *Provider.objects.all(), *Recipient.objects.all()):
        assert_clean(f"{row} {row!r}", codes)
    assert_clean(everything_cached(), codes)
    stored = everything_stored()
    assert "示例站" in stored, "this is the right database"
    for secret in SECRETS:
        assert secret not in stored
    assert not {code for code in codes if re.search(rf"(?<![0-9a-f.-]){code}(?![0-9a-f-])", stored)}


def everything_stored() -> str:
    """The whole file of SQLite, including deleted rows; every row of a server."""
    if connection.vendor == "sqlite":
        return Path(connection.settings_dict["NAME"]).read_bytes().decode(errors="replace")
    with connection.cursor() as cursor:
        rows: list[tuple[object, ...]] = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += cursor.fetchall()
    return "\n".join(str(value) for row in rows for value in row)


def everything_cached() -> str:
    return "".join(f"{key} {value!r}" for key, value in cached().items())


@pytest.mark.any_database
@pytest.mark.slow
def test_no_admin_page_shows_a_code_a_secret_or_a_full_number(
    site: Site, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    with override_settings(SMSVERIFY=ROOMY):
        send_with_all_faults(site, vendor, sandbox)
    codes = codes_of(sandbox)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))

    pages = [reverse("admin:index")]
    for model in (Provider, Template, Recipient, Verification, Message):
        name = model._meta.model_name
        pages.append(reverse(f"admin:smsverify_{name}_changelist"))
        pages += [reverse(f"admin:smsverify_{name}_change", args=[row.pk]) for row in model._default_manager.all()[:40]]
    for page in pages:
        html = client.get(page).content.decode()
        assert_clean(re.sub(r'csrfmiddlewaretoken" value="[^"]+"|\d{2}:\d{2}:\d{2}\.\d+', "", html), codes)


def error_report(caught: pytest.ExceptionInfo[Exception], rf: Any) -> str:
    """What Django e-mails to the admins after an exception, without the frame of the test."""
    reporter = ExceptionReporter(rf.post("/sms/send/"), caught.type, caught.value, caught.tb.tb_next)
    return str(reporter.get_traceback_html())


def test_an_error_report_shows_no_code(memory: MakeProvider, rf: Any) -> None:
    memory()

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "remote_id" in sql:
            raise RuntimeError("a bug when the outcome is stored")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), override_settings(DEBUG=False), pytest.raises(RuntimeError) as caught:
        send_code(PHONE, "login")

    html = error_report(caught, rf)

    assert "record_one_acceptance" in html
    assert_clean(html, {str(Verification.objects.get().derive_code())})


def test_debug_logs_of_other_traffic_are_not_changed(log: LogRecorder) -> None:
    logging.getLogger("urllib3.connectionpool").debug("https://example.com/ of another app")
    assert "another app" in log.text


@pytest.mark.parametrize("table", ["smsverify_recipient", "smsverify_message", "smsverify_verification"])
def test_an_error_report_of_a_failed_database_shows_no_number(table: str, memory: MakeProvider, rf: Any) -> None:
    memory()

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            raise OperationalError("gone")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), override_settings(DEBUG=False), pytest.raises(OperationalError) as caught:
        send_code(PHONE, "login", ip="203.0.113.7")

    html = error_report(caught, rf)

    assert "cursor.execute(" in html
    assert_clean(html, set())


NAME = "王小明"
NUMBERS = {"13900139001": {"name": NAME}, "13900139002": {"name": NAME}}
Pairs = Iterable[tuple[str, Any]]


class ShownIterator:
    """An iterator whose `repr` shows what it has."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = list(pairs)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self

    def __next__(self) -> tuple[str, Any]:
        if not self._pairs:
            raise StopIteration
        return self._pairs.pop(0)

    def __repr__(self) -> str:
        return f"ShownIterator({self._pairs})"


def as_items(pairs: Pairs) -> Pairs:
    return dict(pairs).items()


@pytest.mark.parametrize("given", [list, as_items, ShownIterator])
@pytest.mark.parametrize(
    ("phone", "values", "error"),
    [
        ("139001390034", {"name": NAME}, InvalidPhone),
        ("+447911123456", {"name": NAME}, PhoneNotSupported),
        ("13900139003", {"name": NAME, "more": NAME}, ValueError),
        ("13900139003", {"name": 20031122}, ValueError),
        ("13900139003", [NAME], ValueError),
        ("13900139003", None, ValueError),
    ],
)
def test_an_error_report_of_a_bulk_send_shows_no_number_and_no_value(
    given: Callable[[Pairs], Pairs], phone: str, values: Any, error: type[Exception], memory: MakeProvider, rf: Any
) -> None:
    template = add_template(memory(), "notice", "{name}，您好。", "")

    with override_settings(DEBUG=False), pytest.raises(error) as caught:
        send_bulk(template, given([*NUMBERS.items(), (phone, values)]), name="b")

    assert_shows_none(error_report(caught, rf), phone)


def assert_shows_none(html: str, phone: str) -> None:
    assert "masked_pairs(recipients)" in html, "the frame of send_bulk is there"
    for secret in (*NUMBERS, phone, NAME, "20031122"):
        assert secret not in html


def test_an_error_report_of_a_file_shows_no_number_and_no_value(
    memory: MakeProvider, rf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = add_template(memory(), "notice", "{name}，您好。", "")
    file = tmp_path / "numbers.csv"
    file.write_text("\n".join(["phone,name", *(f"{phone},{NAME}" for phone in NUMBERS)]), encoding="utf-8")

    def fail(*given: object) -> NoReturn:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bulk, "read_chunks", fail)
    options = dict.fromkeys(["skip_bad", "unsent_of", "again", "dry_run"], False)
    with override_settings(DEBUG=False), pytest.raises(RuntimeError) as caught:
        send_file(OutputWrapper(StringIO()), {"template": str(template.pk), "file": file, "batch": "b", **options})

    assert_shows_none(error_report(caught, rf), PHONE)
