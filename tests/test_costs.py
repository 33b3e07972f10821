"""Costs of any period, in any grouping, equal an independent sum, to the last decimal and the last second of a day."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations, permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst

from django_smsverify.admin.costs import LABELS
from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.gateways.base import Outcome
from django_smsverify.management.commands.smsverify_costs import width
from django_smsverify.messages import claim
from django_smsverify.models import Message, Provider, Recipient, Verification
from django_smsverify.money.costs import BY, FIGURES, CostRow, as_csv, columns, costs, in_fen, today, total
from django_smsverify.spreadsheets import BYTE_ORDER_MARK
from django_smsverify.types import Acceptance
from tests.conftest import record

from .conftest import PHONE, VENDORS, MakeProvider
from .test_storing_reports import push, report

pytestmark = pytest.mark.django_db

Figures = tuple[Any, ...]
YEAR = 2025
BEGIN, END = date(YEAR, 1, 1), date(YEAR, 12, 31)
PURPOSES = ("login", "register", "payment")
STATUSES = ("queued", "sending", "unknown", "not_sent", "accepted", "undelivered", "delivered")
NO_CODES = (0, 0)
"""What notices add to the cost of codes, and to the number of those that were entered."""
SENT = {"accepted", "undelivered", "delivered"}
SUBSETS = [by for size in range(4) for by in combinations(BY, size)]


def figures(row: CostRow) -> Figures:
    return tuple(row.figures().values())


def charge(gateway: str, status: str, price: int | None, segments: int) -> int | None:
    """The charge in ten-thousandths of a yuan, by the rules on the vendors' pages."""
    if price is None or status not in SENT:
        return None
    return 0 if gateway in BILLED_ON_DELIVERY and status == "undelivered" else price * segments


BILLED_ON_DELIVERY = {"topthink", "aliyun", "aliyun_pnvs"}


class Ledger:
    """An independent sum of what is sent: in whole numbers, with days at UTC+8."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, date, str, int, int | None, bool]] = []

    def note(
        self,
        provider: Provider,
        purpose: str,
        at: datetime,
        status: str,
        segments: int,
        price: int | None,
        *,
        is_probe: bool = False,
    ) -> int | None:
        day, cost = (at + timedelta(hours=8)).date(), charge(provider.slug, status, price, segments)
        self.lines.append((provider.slug, purpose, day, status, segments, cost, is_probe))
        return cost

    def by(self, words: tuple[str, ...], first: date = BEGIN, last: date = END) -> dict[tuple[Any, ...], Figures]:
        sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * 7)
        for slug, purpose, day, status, segments, cost, is_probe in self.lines:
            if status in {"queued", "not_sent"} or not first <= day <= last:
                continue
            values = {"provider": slug, "purpose": purpose, "day": day}
            sent, provisional = status in SENT, slug in BILLED_ON_DELIVERY and status == "accepted"
            paid = cost or 0
            line = [sent, segments * sent, paid, paid * provisional, not sent, sent and cost is None, paid * is_probe]
            key = tuple(values[word] for word in words)
            sums[key] = [a + b for a, b in zip(sums[key], line, strict=True)]
        return {
            key: (m, s, Decimal(c) / 10000, Decimal(p) / 10000, u, n, Decimal(o) / 10000, *NO_CODES)
            for key, (m, s, c, p, u, n, o) in sums.items()
        }


@pytest.fixture
def vendors(memory: MakeProvider) -> list[Provider]:
    """An account at each vendor; nothing is sent there."""
    for gateway in VENDORS:
        memory(*PURPOSES, slug=gateway)
        Provider.objects.filter(slug=gateway).update(gateway=gateway, name=f"{gateway} 短信")
    return list(Provider.objects.prefetch_related("templates"))


@pytest.fixture
def year(vendors: list[Provider]) -> Ledger:
    """A year of messages with changing prices: most are stored as they ended, some are processed by the app."""
    ledger = Ledger()
    Message.objects.bulk_create([random_message(random.choice(vendors), ledger) for _ in range(3000)])
    for number in range(250):
        process_message(random.choice(vendors), f"id{number}", ledger)
    return ledger


def random_moment() -> datetime:
    """A moment in the year or a few hours before or after it; often close to midnight."""
    begin = datetime(YEAR, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")) - timedelta(hours=3)
    moment = begin + timedelta(seconds=random.uniform(0, 365.25 * 86400))
    if random.random() < 0.3:
        day = begin + timedelta(hours=3, days=random.randint(0, 365))
        moment = day + random.choice([timedelta(0), timedelta(microseconds=-1), timedelta(seconds=1)])
    return moment.astimezone(UTC)


def random_price() -> int | None:
    return random.choice([None, 0, 1, 333, 450, 450, 451, random.randint(1, 99_999)])


def random_message(provider: Provider, ledger: Ledger) -> Message:
    purpose, at, status = random.choice(PURPOSES), random_moment(), random.choice(STATUSES)
    segments, price = random.choice([1, 1, 1, 2, 3, 8]), random_price()
    is_probe = random.random() < 0.1
    cost = ledger.note(provider, purpose, at, status, segments, price, is_probe=is_probe)
    stored = None if cost is None else Decimal(cost) / 10000
    return new_message(provider, purpose, at, status=status, segments=segments, cost=stored, is_probe=is_probe)


def new_message(provider: Provider, purpose: str, at: datetime, **fields: Any) -> Message:
    template = provider.templates.all()[0]
    return Message(provider=provider, template=template, phone=PHONE, purpose=purpose, created_at=at, **fields)


def process_message(provider: Provider, remote_id: str, ledger: Ledger) -> None:
    """A message that is claimed, answered and reported on, while the price changes."""
    purpose, at, segments, price = random.choice(PURPOSES), random_moment(), random.randint(1, 4), random_price()
    set_price(provider, price)
    message = new_message(provider, purpose, at, segments=segments)
    message.save()
    message = Message.objects.select_related("provider").get(pk=message.pk)
    claim(message)
    set_price(provider, random_price())
    outcomes: list[Outcome] = [
        Acceptance(remote_id=remote_id),
        GatewayRejected("no"),
        GatewayUncertain("?", remote_id=remote_id),
    ]
    outcome = random.choice(outcomes)
    pushed = [] if isinstance(outcome, GatewayRejected) else random.sample(list(DeliveryOutcome), random.randint(0, 2))
    acts: list[Callable[[], None]] = [lambda: record(message, outcome)]
    acts += [lambda one=one: push(provider, report(remote_id, one, one)) for one in pushed]  # type: ignore[misc]
    random.shuffle(acts)
    for act in acts:
        act()
    first = {Acceptance: "accepted", GatewayRejected: "not_sent", GatewayUncertain: "unknown"}[type(outcome)]
    ledger.note(provider, purpose, at, max([first, *pushed], key=STATUSES.index), segments, price)


def set_price(provider: Provider, price: int | None) -> None:
    provider.price = None if price is None else Decimal(price) / 10000
    provider.save()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_random_year_adds_up_in_every_grouping(year: Ledger) -> None:
    whole = year.by(())[()]
    assert all(whole[: -len(NO_CODES)]), "a year without some of the figures proves little"

    for by in SUBSETS:
        rows = costs(BEGIN, END, by)

        assert {tuple(getattr(row, word) for word in by): figures(row) for row in rows} == year.by(by)
        assert figures(total(rows)) == whole
    for month in range(1, 13):
        first = date(YEAR, month, 1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        days = [total(costs(first + timedelta(days=n), first + timedelta(days=n))) for n in range(last.day)]
        assert figures(total(days)) == figures(total(costs(first, last))) == year.by((), first, last)[()]


@pytest.mark.parametrize("by", list(permutations(BY)))
def test_rows_are_in_the_requested_order(by: tuple[str, ...], vendors: list[Provider]) -> None:
    ledger = Ledger()
    Message.objects.bulk_create([random_message(random.choice(vendors), ledger) for _ in range(300)])

    rows = costs(BEGIN, BEGIN + timedelta(days=60), by)

    keys = [tuple(getattr(row, word) for word in by) for row in rows]
    assert keys == sorted(keys)


@pytest.fixture
def memory_message(memory: MakeProvider) -> Callable[..., Message]:
    provider = memory(price="0.0450")

    def make(at: datetime | None = None, **fields: Any) -> Message:
        fields = {"status": MessageStatus.DELIVERED, "cost": Decimal("0.0450"), **fields}
        message = new_message(provider, "login", at or timezone.now(), **fields)
        message.save()
        return message

    return make


SHANGHAI, HAVANA, CAIRO = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Havana"), ZoneInfo("Africa/Cairo")


@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends"),
    [
        ("Asia/Shanghai", date(2026, 1, 31), "2026-01-30T16:00:00", "2026-01-31T16:00:00"),
        ("UTC", date(2026, 1, 31), "2026-01-31T00:00:00", "2026-02-01T00:00:00"),
        ("America/New_York", date(2024, 3, 10), "2024-03-10T05:00:00", "2024-03-11T04:00:00"),  # 23 hours
        ("America/New_York", date(2024, 11, 3), "2024-11-03T04:00:00", "2024-11-04T05:00:00"),  # 25 hours
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-25T22:00:00", "2024-04-26T21:00:00"),  # begins at one o'clock
        ("America/Havana", date(2024, 11, 3), "2024-11-03T04:00:00", "2024-11-04T05:00:00"),  # midnight comes twice
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00", "2011-12-31T10:00:00"),  # after a day left out
    ],
)
def test_a_day_is_that_of_the_sites_time_zone(
    zone: str, day: date, begins: str, ends: str, memory_message: Callable[..., Message]
) -> None:
    first, after = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (begins, ends))
    moments = [first - timedelta(microseconds=1), first, after - timedelta(microseconds=1), after]
    for segments, moment in zip((1000, 100, 10, 1), moments, strict=True):
        memory_message(moment, segments=segments)

    with override_settings(TIME_ZONE=zone), timezone.override("Asia/Kathmandu"):
        own = total(costs(day, day)).segments
        days = [row.segments for row in costs(day - timedelta(days=2), day + timedelta(days=2), ["day"])]

    assert own == 110
    assert days == [1000, 110, 1]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_without_time_zones_a_day_is_a_day_of_local_time(zone: str, memory_message: Callable[..., Message]) -> None:
    with override_settings(USE_TZ=False, TIME_ZONE=zone):
        for segments, moment in [
            (1, datetime(2026, 3, 7, 23, 59, 59, 999999)),
            (10, datetime(2026, 3, 8)),
            (100, datetime(2026, 3, 8, 23, 59, 59, 999999)),
            (1000, datetime(2026, 3, 9)),
        ]:
            memory_message(moment, segments=segments)

        rows = costs(date(2026, 3, 1), date(2026, 3, 31), ["day"])

        assert {row.day: row.segments for row in rows} == {
            date(2026, 3, 7): 1,
            date(2026, 3, 8): 110,
            date(2026, 3, 9): 1000,
        }


@pytest.mark.parametrize(("zone", "day"), [("Asia/Shanghai", 22), ("UTC", 21), ("America/New_York", 21)])
def test_today_is_in_the_sites_time_zone(zone: str, day: int) -> None:
    with (
        time_machine.travel(datetime(2026, 11, 21, 16, 30, tzinfo=UTC), tick=False),
        override_settings(TIME_ZONE=zone),
        timezone.override("Pacific/Auckland"),
    ):
        assert today() == date(2026, 11, day)


@pytest.mark.parametrize("status", MessageStatus)
def test_a_message_counts_by_its_status(status: MessageStatus, memory_message: Callable[..., Message]) -> None:
    memory_message(status=status, segments=2, cost=Decimal("0.0900") if status in SENT else None)

    expected = {
        **dict.fromkeys(("sending", "unknown"), (0, 0, 0, 0, 1, 0, 0, *NO_CODES)),
        **dict.fromkeys(SENT, (1, 2, Decimal("0.0900"), 0, 0, 0, 0, *NO_CODES)),
    }
    assert [figures(row) for row in costs(today(), today())] == [expected[s] for s in (status,) if s in expected]


def test_decimals_add_up_without_float_errors(memory_message: Callable[..., Message]) -> None:
    prices = ["0.1000", "0.2000", "0.0001", "999999.9999", "1.1000", "2.2000"] * 30
    for price in prices:
        memory_message(cost=Decimal(price))

    (row,) = costs(today(), today())

    assert str(row.cost) == str(sum(map(Decimal, prices))) == "30000108.0000"


@pytest.mark.parametrize(
    ("amount", "fen"),
    [("0.0049", "0.00"), ("0.0050", "0.01"), ("0.0150", "0.02"), ("0.0250", "0.03"), ("1.2345", "1.23")],
)
def test_a_half_fen_is_rounded_up(amount: str, fen: str) -> None:
    assert str(in_fen(Decimal(amount))) == fen


def test_a_period_needs_one_query_by_day_too(memory_message: Callable[..., Message]) -> None:
    for day in (1, 2, 20):
        memory_message(datetime(2026, 2, day, 12, tzinfo=SHANGHAI))

    for by, queries in [(("provider", "purpose"), 1), (("day",), 1)]:
        with CaptureQueriesContext(connection) as captured:
            costs(date(2026, 2, 1), date(2026, 2, 28), by)
        assert len([query for query in captured if "smsverify_message" in query["sql"]]) == queries


@pytest.mark.parametrize(
    ("first", "last", "by", "words"),
    [
        (date(2026, 2, 1), date(2026, 1, 31), ("day",), "The first day, 2026-02-01, comes after the last, 2026-01-31"),
        (date(2026, 2, 1), date(2026, 2, 1), ("week",), "by provider, purpose, day; 'week' is none"),
        (date(1, 1, 1), date(2026, 1, 1), ("day",), "3660 days at most, between 2000-01-01 and 2999-12-31"),
        (date(9999, 12, 31), date(9999, 12, 31), ("day",), "between 2000-01-01 and 2999-12-31"),
        (date(2000, 1, 1), date(2010, 1, 8), (), "3660 days at most"),
    ],
)
def test_an_invalid_request_is_explained(first: date, last: date, by: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        costs(first, last, by)


@pytest.mark.parametrize(("first", "last"), [(date(2000, 1, 1), date(2010, 1, 7)), (date(2999, 12, 31),) * 2])
def test_the_longest_period_and_the_last_day_can_be_asked_for(first: date, last: date) -> None:
    assert costs(first, last) == []


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("smsverify_costs", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def november() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 21, 2, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def accounts(memory: MakeProvider, november: None) -> list[Provider]:
    """Two accounts with awkward names, and what they sent this month."""
    names = {"main": "顶想云（主）", "spare": '=cmd|" /C calc"!A1'}
    providers = [memory(slug=slug) for slug in names]
    for number, provider in enumerate(providers):
        Provider.objects.filter(pk=provider.pk).update(name=names[provider.slug])
        for price in ("0.0450", "0.0334", None):
            at = timezone.now() - timedelta(days=number)
            new_message(provider, "login", at, status="accepted", segments=2, cost=price and Decimal(price)).save()
        new_message(provider, "login", timezone.now(), status="unknown").save()
    Provider.objects.filter(slug="main").update(gateway="topthink")
    return providers


@pytest.mark.usefixtures("accounts")
class TestCommand:
    def test_the_table_is_aligned_on_a_terminal(self) -> None:
        assert run().splitlines() == [
            "provider  name                messages  segments    cost  provisional  unknown  unpriced  probes  "
            "per_verified",
            "main      顶想云（主）               3         6  0.0784       0.0784        1         1  0.0000",
            'spare     =cmd|" /C calc"!A1         3         6  0.0784       0.0000        1         1  0.0000',
            "total                                6        12  0.1568       0.0784        2         2  0.0000",
            "2026-11-01 to 2026-11-21: 0.16 yuan, 0.08 of it provisional, 2 messages unknown, 2 without a price",
        ]

    def test_the_default_period_is_the_month_of_the_last_day(self) -> None:
        assert "2026-10-01 to 2026-10-15: 0.00 yuan" in run("--to", "2026-10-15")
        assert "2026-11-21 to 2026-11-21" in run("--from=2026-11-21")
        assert "2024-02-01 to 2024-02-29" in run("--to", "2024-02-29")

    def test_both_ends_are_included(self) -> None:
        assert run("--from=2026-11-20", "--to=2026-11-20", "--by=provider").splitlines()[1].startswith("spare")
        assert run("--from=2026-11-21", "--to=2026-11-21", "--by=day").splitlines()[1].startswith("2026-11-21  ")

    def test_csv_opens_in_excel_and_runs_no_formula(self) -> None:
        output = run("--format", "csv", "--by", "provider,day")

        assert output.startswith("\ufeffprovider,name,day,messages,")
        main, *spare = csv.reader(io.StringIO(output.removeprefix("\ufeff")))
        assert main == ["provider", "name", "day", *FIGURES]
        assert spare == [
            ["main", "顶想云（主）", "2026-11-21", "3", "6", "0.0784", "0.0784", "1", "1", "0.0000", ""],
            ["spare", '\'=cmd|" /C calc"!A1', "2026-11-20", "3", "6", "0.0784", "0.0000", "0", "1", "0.0000", ""],
            ["spare", '\'=cmd|" /C calc"!A1', "2026-11-21", "0", "0", "0.0000", "0.0000", "1", "0", "0.0000", ""],
        ]

    @pytest.mark.parametrize("format_", ["table", "csv", "json"])
    def test_a_file_is_utf_8_whatever_the_console_is(self, format_: str, tmp_path: Path) -> None:
        file = tmp_path / "costs"

        assert run("--format", format_, "--output", str(file)) == ""

        assert file.read_bytes().decode() == run("--format", format_)

    def test_json_has_exact_money_as_text(self) -> None:
        report = json.loads(run("--format", "json", "--by", "purpose, purpose"))

        expected = {
            "messages": 6,
            "segments": 12,
            "cost": "0.1568",
            "provisional": "0.0784",
            "unknown": 2,
            "unpriced": 2,
            "probes": "0.0000",
            "per_verified": "",
        }
        assert report == {
            "from": "2026-11-01",
            "to": "2026-11-21",
            "by": ["purpose"],
            "rows": [{"purpose": "login", **expected}],
            "total": expected,
        }

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--from=2026-02-30"], "--from: '2026-02-30' is no day: write it like 2026-01-31"),
            (["--to=yesterday"], "--to: 'yesterday' is no day"),
            (["--from=2026-11-22"], "The first day, 2026-11-22, comes after the last, 2026-11-21: exchange them"),
            (["--by=provider,week"], "provider, purpose, day; 'week' is none of them"),
            (["--by="], "'' is none of them"),
            (["--format=xls"], "invalid choice: 'xls'"),
            (["--output=/nowhere/costs.csv"], "No such file or directory: '/nowhere/costs.csv'"),
        ],
    )
    def test_a_mistake_is_explained(self, arguments: list[str], words: str) -> None:
        with pytest.raises(CommandError) as caught:
            run(*arguments)

        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠1"])
def test_no_name_becomes_a_formula(name: str) -> None:
    (_, (cell, *_rest)) = csv.reader(io.StringIO(as_csv([CostRow(purpose=name)], ["purpose"]), newline=""))

    assert cell == f"'{name.strip()}"


@pytest.mark.parametrize(
    ("text", "columns"), [("a", 1), ("主", 2), ("（", 2), ("ｱ", 1), ("é", 1), ("e\u0301", 1), ("😀", 2)]
)
def test_a_chinese_character_takes_two_columns(text: str, columns: int) -> None:
    assert width(text) == columns


PAGE = "/admin/smsverify/message/costs/"


@pytest.mark.usefixtures("accounts")
class TestPage:
    def cells(self, response: Any) -> list[list[str]]:
        lines = [*response.context["rows"], response.context["total"]]
        return [[str(cell) for cell, _ in line] for line in lines]

    def test_the_list_links_to_the_page_of_this_month(self, admin_client: Client) -> None:
        assert reverse("admin:smsverify_message_costs") == PAGE
        assert PAGE in admin_client.get(reverse("admin:smsverify_message_changelist")).content.decode()

        response = admin_client.get(PAGE)

        html = response.content.decode()
        assert '<input type="date" name="start" value="2026-11-01"' in html
        assert '<input type="date" name="end" value="2026-11-21"' in html
        assert "0.16 yuan, rounded to the fen." in html
        assert "=cmd|&quot; /C calc&quot;!A1" in html

    @pytest.mark.parametrize("by", SUBSETS)
    def test_it_shows_what_the_command_shows(self, by: tuple[str, ...], admin_client: Client) -> None:
        query = {"start": "2026-11-01", "end": "2026-11-21", "by": by}
        shown = self.cells(admin_client.get(PAGE, query))

        told = costs(date(2026, 11, 1), date(2026, 11, 21), by)
        rows = [[*map(str, figures(row)[: -len(NO_CODES)]), "-"] for row in told]
        assert [line[-len(FIGURES) :] for line in shown[:-1]] == rows
        assert shown[-1][-len(FIGURES) :] == ["6", "12", "0.1568", "0.0784", "2", "2", "0.0000", "-"]
        if by:
            output = run("--from=2026-11-01", "--format=csv", f"--by={','.join(by)}")
            download = admin_client.get(PAGE, {**query, "format": "csv"})
            heads, _newline, lines = download.content.decode().partition("\n")
            assert lines == output.partition("\n")[2]
            (named,) = csv.reader([heads.removeprefix(BYTE_ORDER_MARK)])
            assert named == [capfirst(str(LABELS[one])) for one in columns(by)]
            assert download["Content-Disposition"] == 'attachment; filename="sms-costs-2026-11-01-2026-11-21.csv"'

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"start": "2026-02-30", "end": "2026-03-01"}, "Enter a valid date."),
            ({"start": "2026-02-03"}, "This field is required."),
            ({"start": "2026-03-02", "end": "2026-03-01"}, "The first day comes after the last."),
            ({"start": "0001-01-01", "end": "2026-03-01"}, "Ask for 3660 days at most"),
            ({"start": "9999-12-31", "end": "9999-12-31"}, "between 2000-01-01 and 2999-12-31"),
            ({"start": "2026-03-01", "end": "2026-03-01", "by": "week"}, "week is not one of the available choices"),
        ],
    )
    @pytest.mark.parametrize("more", [{}, {"format": "csv"}])
    def test_a_mistake_is_explained(
        self, query: dict[str, str], words: str, more: dict[str, str], admin_client: Client
    ) -> None:
        response = admin_client.get(PAGE, {**query, **more})

        assert response.status_code == 200
        assert words in response.content.decode()

    def test_the_heads_of_the_download_are_in_the_users_language(self, admin_client: Client) -> None:
        query = {"start": "2026-11-01", "end": "2026-11-21", "by": "provider", "format": "csv"}
        chinese = admin_client.get(PAGE, query, headers={"accept-language": "zh-hans"}).content.decode()

        assert "服务商" in chinese.splitlines()[0]
        assert "provider,name" in run("--format", "csv", "--by", "provider").splitlines()[0], "the command's are stable"

    def test_a_user_who_may_not_view_messages_may_not_view_costs(self, client: Client) -> None:
        user = User.objects.create(username="clerk", is_staff=True)
        client.force_login(user)
        assert client.get(PAGE).status_code == 403

        user.user_permissions.add(Permission.objects.get(codename="view_message"))
        assert client.get(PAGE).status_code == 200

    def test_an_anonymous_user_is_redirected_to_the_login(self, client: Client) -> None:
        assert client.get(PAGE).status_code == 302

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_it_is_in_the_operators_language(self, language: str, admin_client: Client) -> None:
        html = admin_client.get(PAGE, headers={"accept-language": language}).content.decode()

        assert f'<html lang="{language}"' in html


def test_counts_are_whole_numbers(memory_message: Callable[..., Message]) -> None:
    """MySQL's SUM of integers is a Decimal."""
    memory_message(segments=2)

    (row,) = costs(today(), today())

    assert Counter(type(value) for value in figures(row)) == {int: 5, Decimal: 4}


def test_a_verified_user_costs_what_codes_cost(memory_message: Callable[..., Message], admin_client: Client) -> None:
    """Notices and probes verify nobody, and a code that was not entered is paid all the same."""
    recipient = Recipient.objects.create(phone=PHONE)
    asked: dict[str, Any] = {"recipient": recipient, "phone": PHONE, "purpose": "login", "expires_at": timezone.now()}
    codes = [
        Verification.objects.create(**asked, max_attempts=5, code_length=6, verified_at=entered_at)
        for entered_at in (timezone.now(), None, None, timezone.now())
    ]
    of_each: list[dict[str, Any]] = [{}, {"status": "undelivered"}, {}, {"is_probe": True}]
    for code, fields in zip(codes, of_each, strict=True):
        memory_message(verification=code, **fields)
    for _number in range(6):
        memory_message(cost=Decimal("0.0900"))

    (row,) = costs(today(), today())

    assert (row.cost, row.codes, row.verified) == (Decimal("0.7200"), Decimal("0.1350"), 1)
    assert row.per_verified == total([row]).per_verified == Decimal("0.1350")
    html = admin_client.get(PAGE).content.decode()
    assert html.count(">0.1350<") == 2
    assert "Yuan a verified one" in html
    download = admin_client.get(PAGE, {"start": str(today()), "end": str(today()), "by": "provider", "format": "csv"})
    (line,) = csv.DictReader(io.StringIO(download.content.decode("utf-8-sig")))
    assert line["Yuan a verified one"] == "0.1350"
    assert line["Cost, in yuan"] == "0.7200"
    assert run("--format", "csv").strip().endswith(",0.1350")


def test_a_repeated_grouping_is_one_column(memory_message: Callable[..., Message]) -> None:
    """The page accepts `?by=purpose&by=purpose`: a header wider than its rows puts amounts under wrong names."""
    memory_message(status=MessageStatus.ACCEPTED)
    by = ("purpose", "purpose")

    head, *rows = as_csv(costs(today(), today(), by), by).splitlines()

    assert {len(line.split(",")) for line in rows} == {len(head.split(","))}
