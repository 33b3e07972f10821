"""`smsverify_send --file`: lists as people keep them, what is said before and after, and no second SMS by mistake."""

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

from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Template
from django_smsverify.sending import number_list
from django_smsverify.sending.bulk_run import CHUNK
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


class Desk:
    """Where the operator types the command."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "numbers.csv"

    def send(self, content: str | bytes, template: Template | str, **options: Any) -> str:
        self.file.write_bytes(content.encode() if isinstance(content, str) else content)
        out, named = io.StringIO(), str(template.pk) if isinstance(template, Template) else template
        try:
            call_command("smsverify_send", file=str(self.file), template=named, stdout=out, **options)
        except CommandError as error:
            self.error = str(error)
        else:
            self.error = ""
        return out.getvalue()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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
    ],
    ids=["utf-8", "mark", "crlf", "gb18030", "utf-16", "semicolons", "tabs", "order"],
)
def test_lists_are_read_as_people_keep_them(content: str | bytes, notice: Template) -> None:
    read = number_list.read(decoded(content.encode() if isinstance(content, str) else content), notice)

    assert read.recipients == {"+8613800138001": {"name": "王先生"}, "+8613800138002": {"name": "李女士"}}
    assert not read.problems


@pytest.mark.parametrize("content", ["13800138001\n13800138002\n", "phone\n13800138001\n13800138002"])
def test_numbers_alone_need_no_header(content: str, plain: Template) -> None:
    assert number_list.read(decoded(content.encode()), plain).recipients == {"+8613800138001": {}, "+8613800138002": {}}


def test_a_list_may_hold_every_mobile_number_of_china(plain: Template) -> None:
    read = number_list.read(decoded(b"14900138000\n+86 146-0013-8000\n008614800138000\n"), plain)

    assert list(read.recipients) == ["+8614900138000", "+8614600138000", "+8614800138000"]
    assert not read.problems


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "There is no number in it."),
        (b"\n\n", "There is no number in it."),
        (b"PK\x03\x04\x00\xff\xff", "This is no text in UTF-8 or GB18030."),
        (b"\xff\xfe\x00\xd8", "This is no text in UTF-8 or GB18030."),
        (b"13800138001\n", "The first line must name the columns, these and no others: phone, name"),
        (b"phone,colour\n13800138001,red\n", "these and no others: phone, name"),
        (b"phone,name,name\n13800138001,a,b\n", "these and no others: phone, name"),
        (b"phone,name\n13800138001,a,b\n", "line 2: it has not as many columns as the first line"),
        (b'phone,name\n13800138001,"a\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_list_says_what_to_do(content: bytes, words: str, notice: Template) -> None:
    try:
        said = [str(problem) for problem in number_list.read(decoded(content), notice).problems]
    except UnreadableList as error:
        said = [str(error)]
    assert words in said[0]


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

    read = number_list.read(decoded("\n".join(lines).encode()), template)

    assert [str(problem) for problem in read.problems] == [
        "line 3: 138****8001 stands in line 2 already",
        "line 4: This is not a phone number. Give the 11 digits of a mobile number.",
        "line 5: the spreadsheet has rounded the number: format the column as text, and enter the numbers again",
        "line 6: SMS cannot be sent to this number. Use a mobile number of a supported region.",
        "line 7: 138****8002 has no text for: name",
        "line 8: 138****8003: a value may not contain , at this vendor",
    ]
    assert list(read.recipients) == ["+8613800138001"]


def test_the_same_list_has_the_same_name_however_it_is_written(notice: Template, plain: Template) -> None:
    ways = [LINES.encode(), LINES.encode("gb18030"), b"\n".join([LINES.encode().splitlines()[i] for i in (0, 2, 1)])]

    names = {batch_name(notice, number_list.read(decoded(way), notice).recipients) for way in ways}

    assert len(names) == 1
    other = number_list.read(decoded(LINES.replace("王", "赵").encode()), notice).recipients
    assert batch_name(notice, other) not in names
    assert batch_name(plain, other) != batch_name(notice, other)


# ---------------------------------------------------------------------------------------- the command


def test_it_says_what_it_is_about_to_do_and_what_came_of_it(desk: Desk, notice: Template) -> None:
    said = desk.send(LINES, notice).splitlines()

    batch = Message.objects.values_list("batch", flat=True)[0]
    assert said == [
        f"template {notice.pk} memory notice by memory; batch {batch}",
        "2 numbers, 0 of them in this batch already; 2 segments, about 0.1000 yuan",
        "138****8001: 【示例站】王先生，您的订单已发货，请注意查收。",
        "accepted 2",
    ]
    assert desk.error == ""
    assert texts() == [
        f"800{n} 【示例站】{name}，您的订单已发货，请注意查收。" for n, name in ((1, "王先生"), (2, "李女士"))
    ]


def test_the_same_command_again_sends_nothing_twice_and_again_is_said_for_it(desk: Desk, notice: Template) -> None:
    desk.send(LINES, notice)
    said = desk.send(LINES.encode("gb18030"), notice)
    assert "2 of them in this batch already" in said
    assert len(texts()) == 2

    desk.send(LINES, notice, again=True)

    assert (desk.error, len(texts())) == ("", 4)


def test_a_dry_run_sends_nothing(desk: Desk, notice: Template) -> None:
    assert "2 numbers" in desk.send(LINES, notice, dry_run=True)
    assert not Message.objects.exists()
    assert not texts()


def test_nothing_is_sent_unless_all_lines_are_good_or_the_bad_are_to_be_skipped(desk: Desk, notice: Template) -> None:
    content = LINES + "nobody,陈\n13800138001,赵\n"

    said = desk.send(content, notice)
    assert [line.partition(":")[0] for line in said.splitlines()] == ["line 4", "line 5"]
    assert "mend these lines, or leave them out with --skip-bad" in desk.error
    assert not texts()

    said = desk.send(content, notice, skip_bad=True)
    assert "line 4: " in said
    assert (desk.error, [text[:4] for text in texts()]) == ("", ["8001", "8002"])
    assert "王先生" in texts()[0], "the first line of a number counts"


def test_a_mended_list_is_not_taken_for_a_new_mailing(desk: Desk, notice: Template) -> None:
    desk.send(LINES + "1380013800,陈\n", notice, skip_bad=True)
    batch = str(Message.objects.values_list("batch", flat=True)[0])

    desk.send(LINES + "13800138003,陈\n", notice)
    assert f"2 of these numbers got this template within a day, in another batch: {batch} (2)" in desk.error
    assert len(texts()) == 2

    desk.send(LINES + "13800138003,陈\n", notice, batch=batch)
    assert (desk.error, [text[:4] for text in texts()]) == ("", ["8001", "8002", "8003"])


def test_whoever_did_not_get_it_is_named_and_the_exit_status_says_so(
    desk: Desk, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    template = add_template(vendor("qixuntong"), "notice", NOTICE, "")
    sandbox.misbehave("qixuntong", Fault.refuse_number(12), times=1)

    said = desk.send(LINES, template).splitlines()

    assert said[3:] == ["138****8001: not_sent 12 result 12 for this number", "accepted 1, not_sent 1"]
    assert desk.error.startswith("1 of 2 numbers have not got it for sure.")

    again = re.findall(r"--unsent-of (\S+);", desk.error)[0]
    assert desk.send(LINES, template, unsent_of=again).splitlines()[-1] == "accepted 1"
    assert desk.send(LINES, template, unsent_of=again).splitlines()[-1] == "accepted 1", "that is a mailing, too"
    assert sorted(sms.phone for sms in sandbox.inbox.all()) == ["13800138001", "13800138002"]


def test_a_run_that_ended_early_says_how_to_go_on(desk: Desk, vendor: MakeProvider, sandbox: Sandbox) -> None:
    template = add_template(vendor("ihuyi"), "notice", NOTICE, "2002")
    sandbox.misbehave("ihuyi", Fault.refuse("4051"), times=1)

    desk.send(LINES, template)
    assert "Ended early: ihuyi refuses the account: " in desk.error
    batch = desk.error.rpartition(" ")[2]
    desk.send(LINES, template, batch=batch)

    assert [sms.phone for sms in sandbox.inbox.all()] == ["13800138002"]


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [
        ("nothing", {}, "There is no template nothing; without a code, approved and active are: "),
        ("9999999", {}, "There is no template 9999999"),
        ("memory login", {}, "has {code}"),
        ("twin", {}, "There are several templates twin; name one by its id: "),
        ("memory notice", {"batch": "x", "again": True}, "--again makes a name of its own"),
        ("memory notice", {"batch": "x" * 65}, "1 to 64 characters"),
    ],
)
def test_what_cannot_be_is_said(
    named: str, options: dict[str, Any], words: str, desk: Desk, notice: Template, memory: MakeProvider
) -> None:
    for slug in ("one", "two"):
        twin = add_template(memory(slug=slug), "twin", NOTICE, "")
        Template.objects.filter(pk=twin.pk).update(name="twin")
    content = "phone,code,minutes\n13800138001,1234,5\n" if named == "memory login" else LINES

    desk.send(content, named, **options)

    assert words in desk.error
    assert not texts()


def test_a_file_or_a_provider_that_is_not_there_is_said(desk: Desk, notice: Template) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read: No such file"):
        call_command("smsverify_send", file="nowhere.csv", template=str(notice.pk))
    Provider.objects.update(gateway="gone")
    desk.send(LINES, notice)
    assert "gone" in desk.error


class InterruptedGateway(MemoryGateway):
    """The operator presses Ctrl-C during the first call."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        if not self.outbox:
            os.kill(os.getpid(), signal.SIGINT)
        return super().transmit(sms)


@override_settings(SMSVERIFY={"GATEWAYS": {"interrupted": f"{__name__}.InterruptedGateway"}})
def test_ctrl_c_leaves_nothing_that_goes_out_by_itself_and_the_same_command_goes_on(
    desk: Desk, plain: Template
) -> None:
    Provider.objects.filter(slug="plain").update(gateway="interrupted")
    content = "\n".join(f"138{number:08}" for number in range(CHUNK + 5))

    said = desk.send(content, plain)

    assert said.splitlines()[-1] == f"accepted {CHUNK}"
    assert desk.error.startswith("Ended early: it was stopped. 5 numbers have not been come to;")
    assert Message.objects.count() == CHUNK
    assert desk.send(content, plain).splitlines()[-1] == f"accepted {CHUNK + 5}"
    assert len(texts()) == len(set(texts())) == 1000, "the outbox keeps so many"


def test_with_workers_it_says_that_they_have_it(desk: Desk, notice: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", lambda ids: None)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        said = desk.send(LINES, notice)
    assert (said.splitlines()[-1], desk.error) == ("queued 2", "")
