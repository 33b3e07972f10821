"""`smsverify_send --file`: the lists it reads, what it prints, and no second SMS by mistake."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import ListKind
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits.lists import entry_of
from django_smsverify.models import Message, OptOut, Provider, Template
from django_smsverify.sending import number_list
from django_smsverify.sending.bulk_rows import CHUNK
from django_smsverify.sending.number_list import UnreadableList, batch_name, decoded
from django_smsverify.types import OutgoingSMS

from .conftest import MakeProvider, add_template

pytestmark = pytest.mark.django_db(transaction=True)

NOTICE = "{name}，您的订单已发货，请注意查收。"
LINES = "phone,name\n13800138001,王先生\n13800138002,李女士\n"


@pytest.fixture
def notice(memory: MakeProvider) -> Template:
    return add_template(memory(price="0.05"), "notice", NOTICE, "")


@pytest.fixture
def plain(memory: MakeProvider) -> Template:
    return add_template(memory(slug="plain"), "plain", "系统维护已完成。", "")


class SendCommand:
    """Runs the command with a file, and keeps its error."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "numbers.csv"

    def run(self, content: str | bytes, template: Template | str, **options: Any) -> str:
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)
        out, name = io.StringIO(), str(template.pk) if isinstance(template, Template) else template
        try:
            call_command("smsverify_send", file=str(self.file), template=name, stdout=out, **options)
        except CommandError as error:
            self.error = str(error)
        else:
            self.error = ""
        return out.getvalue()


@pytest.fixture
def command(tmp_path: Path) -> SendCommand:
    return SendCommand(tmp_path)


def texts() -> list[str]:
    return [f"{sms.phone[-4:]} {sms.text}" for sms in MemoryGateway.outbox]


# ------------------------------------------------------------------------------------------- the list


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n") + "\r\n",
        LINES.encode("gb18030"),
        LINES.encode("utf-16"),
        LINES.replace(",", ";"),
        LINES.replace(",", "\t"),
        'name,phone\n\n王先生,+86 138 0013 8001\n"李女士",１３８００１３８００２\n,\n',
        *(LINES.replace("phone", written) for written in ("手机号", "手机号码", "号码", "mobile")),
    ],
    ids=["utf-8", "bom", "crlf", "gb18030", "utf-16", "semicolons", "tabs", "order", *range(4)],
)
def test_common_list_formats_are_read(content: str | bytes, notice: Template) -> None:
    result = number_list.read(decoded(content.encode() if isinstance(content, str) else content), notice)

    assert result.recipients == {"+8613800138001": {"name": "王先生"}, "+8613800138002": {"name": "李女士"}}
    assert not result.problems


@pytest.mark.parametrize("content", ["13800138001\n13800138002\n", "phone\n13800138001\n13800138002"])
def test_numbers_alone_need_no_header(content: str, plain: Template) -> None:
    assert number_list.read(decoded(content.encode()), plain).recipients == {"+8613800138001": {}, "+8613800138002": {}}


def test_a_placeholder_is_not_taken_for_the_column_of_numbers(memory: MakeProvider) -> None:
    template = add_template(memory(slug="named"), "named", "您的新号码是{mobile}，已生效。", "")
    content = "手机号,mobile\n13800138001,13800138002\n"

    assert number_list.read(decoded(content.encode()), template).recipients == {
        "+8613800138001": {"mobile": "13800138002"}
    }


def test_a_list_accepts_every_mobile_prefix_of_china(plain: Template) -> None:
    result = number_list.read(decoded(b"14900138000\n+86 146-0013-8000\n008614800138000\n"), plain)

    assert list(result.recipients) == ["+8614900138000", "+8614600138000", "+8614800138000"]
    assert not result.problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "There is no number in it."),
        (b"\n\n", "There is no number in it."),
        (b"PK\x03\x04\x00\xff\xff", "This is no text in UTF-8 or GB18030."),
        (b"\xff\xfe\x00\xd8", "This is no text in UTF-8 or GB18030."),
        (b"13800138001\n", "The first line must name the columns, these and no others: phone, name"),
        (b"phone,colour\n13800138001,red\n", "these and no others: phone, name"),
        (b"phone,name,name\n13800138001,a,b\n", "these and no others: phone, name"),
        (b"phone,mobile,name\n13800138001,a,b\n", "these and no others: phone, name"),
        ("phone,姓名\n13800138001,a\n".encode(), "these and no others: phone, name"),
        (b"phone,name\n13800138001,a,b\n", "line 2: it has not as many columns as the first line"),
        (
            b'phone,name\n13800138001,"a\n',
            "line 2: this cannot be read as CSV: perhaps a quotation mark is not closed (unexpected end of data)",
        ),
    ],
)
def test_an_unreadable_list_is_explained(content: bytes, expected: str, notice: Template) -> None:
    try:
        output = [str(problem) for problem in number_list.read(decoded(content), notice).problems]
    except UnreadableList as error:
        output = [str(error)]
    assert expected in output[0]


def test_each_bad_line_is_named_with_its_number_masked(vendor: MakeProvider) -> None:
    template = add_template(vendor("apispace"), "notice", NOTICE, "")
    lines = [
        "phone,name",
        "13800138001,王",
        "138 0013 8001,李",
        "nobody,李",
        "1.38E+10,李",
        "+44 7911 123456,李",
        "13800138002,",
        '13800138003,"a,b"',
    ]

    result = number_list.read(decoded("\n".join(lines).encode()), template)

    assert [str(problem) for problem in result.problems] == [
        "line 3: 138****8001 stands in line 2 already",
        "line 4: This is not a phone number. Give the 11 digits of a mobile number.",
        "line 5: the spreadsheet has rounded the number: format the column as text, and enter the numbers again",
        "line 6: SMS cannot be sent to this number. Use a mobile number of a supported region.",
        "line 7: 138****8002 has no text for: name",
        "line 8: 138****8003: a value may not contain , at this vendor",
    ]
    assert list(result.recipients) == ["+8613800138001"]


def test_the_batch_name_does_not_depend_on_encoding_or_order(notice: Template, plain: Template) -> None:
    variants = [
        LINES.encode(),
        LINES.encode("gb18030"),
        b"\n".join([LINES.encode().splitlines()[i] for i in (0, 2, 1)]),
    ]

    names = {batch_name(notice, number_list.read(decoded(variant), notice).recipients) for variant in variants}

    assert len(names) == 1
    other = number_list.read(decoded(LINES.replace("王", "赵").encode()), notice).recipients
    assert batch_name(notice, other) not in names
    assert batch_name(plain, other) != batch_name(notice, other)


# ---------------------------------------------------------------------------------------- the command


def test_the_plan_and_the_result_are_printed(command: SendCommand, notice: Template) -> None:
    output = command.run(LINES, notice).splitlines()

    batch = Message.objects.values_list("batch", flat=True)[0]
    assert output == [
        f"template {notice.pk} memory notice by memory; batch {batch}",
        "2 numbers, 0 of them in this batch already; 2 segments, about 0.1000 yuan",
        "138****8001: 【示例站】王先生，您的订单已发货，请注意查收。",
        "accepted 2",
    ]
    assert command.error == ""
    assert texts() == [
        f"800{n} 【示例站】{name}，您的订单已发货，请注意查收。" for n, name in ((1, "王先生"), (2, "李女士"))
    ]


def test_numbers_that_get_no_notices_are_told_and_cost_nothing(command: SendCommand, notice: Template) -> None:
    OptOut.objects.create(phone="+8613800138001")
    entry_of(ListKind.NUMBER, "13800138003", action="block").save()

    output = command.run(LINES + "13800138003,陈\n", notice).splitlines()[1:]

    assert output == [
        "1 numbers, 0 of them in this batch already; 1 segments, about 0.0500 yuan",
        "1 more numbers get none: the number is on the block list",
        "1 more numbers get none: the number has opted out of notices",
        "138****8002: 【示例站】李女士，您的订单已发货，请注意查收。",
        "accepted 1, not_sent 2",
        "1 of those not sent have opted out of notices",
        "1 of those not sent are on the block list",
    ]
    assert command.error == ""


def test_a_repeated_command_sends_again_only_with_the_option_again(command: SendCommand, notice: Template) -> None:
    command.run(LINES, notice)
    output = command.run(LINES.encode("gb18030"), notice)
    assert "2 of them in this batch already" in output
    assert len(texts()) == 2

    command.run(LINES, notice, again=True)

    assert (command.error, len(texts())) == ("", 4)


def test_a_dry_run_sends_nothing(command: SendCommand, notice: Template) -> None:
    assert "2 numbers" in command.run(LINES, notice, dry_run=True)
    assert not Message.objects.exists()
    assert not texts()


def test_a_bad_line_stops_the_command_unless_bad_lines_are_skipped(command: SendCommand, notice: Template) -> None:
    content = LINES + "nobody,陈\n13800138001,赵\n"

    output = command.run(content, notice)
    assert [line.partition(":")[0] for line in output.splitlines()] == ["line 4", "line 5"]
    assert "correct these lines, or leave them out with --skip-bad" in command.error
    assert not texts()

    output = command.run(content, notice, skip_bad=True)
    assert "line 4: " in output
    assert (command.error, [text[:4] for text in texts()]) == ("", ["8001", "8002"])
    assert "王先生" in texts()[0], "the first line of a number counts"


def test_a_corrected_list_is_not_sent_as_a_new_batch(command: SendCommand, notice: Template) -> None:
    command.run(LINES + "1380013800,陈\n", notice, skip_bad=True)
    batch = str(Message.objects.values_list("batch", flat=True)[0])

    command.run(LINES + "13800138003,陈\n", notice)
    assert f"2 of these numbers got this template within a day, in another batch: {batch} (2)" in command.error
    assert len(texts()) == 2

    command.run(LINES + "13800138003,陈\n", notice, batch=batch)
    assert (command.error, [text[:4] for text in texts()]) == ("", ["8001", "8002", "8003"])


def test_numbers_without_an_sms_are_listed_and_the_command_fails(
    command: SendCommand, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    template = add_template(vendor("qixuntong"), "notice", NOTICE, "")
    sandbox.misbehave("qixuntong", Fault.refuse_number(12), times=1)

    output = command.run(LINES, template).splitlines()

    assert output[3:] == ["138****8001: not_sent 12 result 12 for this number", "accepted 1, not_sent 1"]
    assert command.error.startswith("1 of 2 numbers may not have received it.")

    batch = re.findall(r"--unsent-of (\S+);", command.error)[0]
    assert command.run(LINES, template, unsent_of=batch).splitlines()[-1] == "accepted 1"
    assert command.run(LINES, template, unsent_of=batch).splitlines()[-1] == "accepted 1", (
        "a second run sends nothing again"
    )
    assert sorted(sms.phone for sms in sandbox.inbox.all()) == ["13800138001", "13800138002"]


def test_a_run_that_ended_early_prints_how_to_continue(
    command: SendCommand, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    template = add_template(vendor("ihuyi"), "notice", NOTICE, "2002")
    sandbox.misbehave("ihuyi", Fault.refuse("4051"), times=1)

    command.run(LINES, template)
    assert "Ended early: ihuyi refuses the account: " in command.error
    batch = command.error.rpartition(" ")[2]
    command.run(LINES, template, batch=batch)

    assert [sms.phone for sms in sandbox.inbox.all()] == ["13800138002"]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("nothing", {}, "There is no template nothing; without a code, approved and active are: "),
        ("9999999", {}, "There is no template 9999999"),
        ("memory login", {}, "has {code}"),
        ("twin", {}, "There are several templates twin; name one by its id: "),
        ("memory notice", {"batch": "x", "again": True}, "--again makes a new batch name"),
        ("memory notice", {"batch": "x" * 65}, "1 to 64 characters"),
    ],
)
def test_an_invalid_template_or_option_is_explained(
    name: str, options: dict[str, Any], expected: str, command: SendCommand, notice: Template, memory: MakeProvider
) -> None:
    for slug in ("one", "two"):
        twin = add_template(memory(slug=slug), "twin", NOTICE, "")
        Template.objects.filter(pk=twin.pk).update(name="twin")
    content = "phone,code,minutes\n13800138001,1234,5\n" if name == "memory login" else LINES

    command.run(content, name, **options)

    assert expected in command.error
    assert not texts()


def test_a_missing_file_or_gateway_is_reported(command: SendCommand, notice: Template) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read: No such file"):
        call_command("smsverify_send", file="nowhere.csv", template=str(notice.pk))
    Provider.objects.update(gateway="gone")
    command.run(LINES, notice)
    assert "gone" in command.error


class InterruptedGateway(MemoryGateway):
    """The operator presses Ctrl-C during the first call."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        if not self.outbox:
            os.kill(os.getpid(), signal.SIGINT)
        return super().transmit(sms)


@pytest.mark.slow
@override_settings(SMSVERIFY={"GATEWAYS": {"interrupted": f"{__name__}.InterruptedGateway"}})
def test_ctrl_c_leaves_nothing_queued_and_the_same_command_continues(command: SendCommand, plain: Template) -> None:
    Provider.objects.filter(slug="plain").update(gateway="interrupted")
    content = "\n".join(f"138{number:08}" for number in range(CHUNK + 5))

    output = command.run(content, plain)

    assert output.splitlines()[-1] == f"accepted {CHUNK}"
    assert command.error.startswith("Ended early: it was stopped. 5 numbers were not processed;")
    assert Message.objects.count() == CHUNK
    assert command.run(content, plain).splitlines()[-1] == f"accepted {CHUNK + 5}"
    assert len(texts()) == len(set(texts())) == 1000, "the outbox keeps the last 1000"


def test_with_workers_the_messages_are_reported_as_queued(
    command: SendCommand, notice: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", lambda ids: None)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        output = command.run(LINES, notice)
    assert (output.splitlines()[-1], command.error) == ("queued 2", "")
