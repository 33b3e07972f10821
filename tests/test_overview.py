"""The overview and the scorecard: their figures equal independent sums, and their pages show them to whom they may."""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from django_smsverify.admin.charts import Series, columns, lines, percent, seconds
from django_smsverify.admin.overview import digits_of, yuan
from django_smsverify.admin.scorecard import HEADS
from django_smsverify.diagnosis.last_tests import remember_change
from django_smsverify.enums import Carrier, Cause, DeliveryOutcome, ReportSource
from django_smsverify.models import Closure, Message, Provider, Recipient, Refusal, SummedDay, Verification
from django_smsverify.models.identifiers import new_id
from django_smsverify.reports.storing import store_events
from django_smsverify.statistics.delays import kept, percentile
from django_smsverify.statistics.overview import Window, overview, parts_of
from django_smsverify.statistics.scorecard import scorecard
from django_smsverify.statistics.sums import sum_days
from django_smsverify.types import DeliveryEvent, News

from .conftest import PHONE, MakeProvider
from .summing import PURPOSES, SHANGHAI, add_accepted

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)
NUMBERS = ("+8613800{:06}", "+8613000{:06}", "+8618900{:06}", "+8619200{:06}", "+8522100{:06}")
"""Of each carrier, and of none."""
FAILED = ("MK:0012", "DB:0141")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


class Site:
    """A site where codes are sent, reported on in any order, entered and refused."""

    def __init__(self, memory: MakeProvider, clock: time_machine.Traveller, rng: random.Random) -> None:
        self.clock, self.rng, self.count = clock, rng, 0
        self.providers = [memory(*PURPOSES, slug=slug, price=price) for slug, price in (("a", "0.045"), ("b", None))]
        self.accepted: list[Message] = []

    def send(self) -> None:
        """A code, which is perhaps entered."""
        self.count += 1
        phone, now = self.rng.choice(NUMBERS).format(self.count), timezone.now()
        recipient = Recipient.objects.create(phone=phone)
        fields = {"recipient": recipient, "phone": phone, "purpose": self.rng.choice(PURPOSES), "code_length": 6}
        ends = {"expires_at": now + timedelta(seconds=300), "max_attempts": 5, "created_at": now}
        is_entered = self.rng.random() < 0.6
        code = Verification.objects.create(**fields, **ends, verified_at=now if is_entered else None)
        Verification.objects.create(**fields, **ends, simulated_at=now)
        if self.rng.random() < 0.2:  # the SMS of a request that joined it
            code = Verification.objects.create(**fields, **ends, root=code)
        is_probe = self.rng.random() < 0.1
        own = {"phone": phone, "purpose": code.purpose, "verification": code, "sent_at": now, "is_probe": is_probe}
        self.accepted.append(add_accepted(self.rng.choice(self.providers), **own))

    def refuse(self) -> None:
        """A request that was refused some times."""
        fields = {"reason": self.rng.choice(["resend", "ip"]), "count": self.rng.choice([1, 2, 4])}
        now = timezone.now()
        Refusal.objects.create(id=new_id(), phone="", purpose=PURPOSES[0], first_at=now, last_at=now, **fields)

    def report(self, message: Message) -> None:
        """What the vendor says of a message, perhaps days later."""
        code = self.rng.choice(["DELIVRD", *FAILED])
        outcome = DeliveryOutcome.UNDELIVERED if code in FAILED else DeliveryOutcome.DELIVERED
        took = timedelta(seconds=self.rng.randint(0, 400))
        happened = min(message.created_at + took, timezone.now())
        event = DeliveryEvent(
            remote_id=message.remote_id, phone=message.phone, outcome=outcome, code=code, occurred_at=happened
        )
        store_events(message.provider, News(events=(event,)), ReportSource.PUSH)

    def run(self, days: int, a_day: int) -> None:
        """So many days; reports are shuffled, and some come after three days or never."""
        waiting: list[tuple[datetime, Message]] = []
        for _number in range(days * a_day):
            self.clock.shift(timedelta(days=1) / a_day)
            self.send()
            if self.rng.random() < 0.3:
                self.refuse()
            if self.rng.random() < 0.9:
                late = timedelta(hours=self.rng.choice([0, 0, 2, 30, 70]))
                waiting.append((timezone.now() + late, self.accepted[-1]))
            self.rng.shuffle(waiting)
            for due, message in [one for one in waiting if one[0] <= timezone.now()]:
                waiting.remove((due, message))
                self.report(message)
            if self.rng.random() < 0.1:
                self.sum()

    def sum(self) -> None:
        """As the poll does."""
        for _day in sum_days():
            pass


@pytest.fixture
def site(memory: MakeProvider, clock: time_machine.Traveller) -> Site:
    found = Site(memory, clock, random.Random(7))
    found.run(days=7, a_day=7)
    return found


def messages_of(window: Window) -> list[Message]:
    """Those of the time, read one by one."""
    parts = parts_of(window, timezone.now())
    return [
        one
        for one in Message.objects.select_related("verification__root")
        if parts[0].starts_at <= one.created_at < parts[-1].ends_at
    ]


@pytest.mark.parametrize("window", Window)
def test_the_figures_equal_an_independent_sum_after_shuffled_late_reports(site: Site, window: Window) -> None:
    add_accepted(site.providers[0], is_probe=False)  # a notice
    messages = messages_of(window)
    own = [one for one in messages if not one.is_probe]
    taken = [one for one in own if one.status in ("accepted", "delivered", "undelivered")]
    delays = sorted(kept(one.delivery_seconds) for one in own if one.delivery_seconds is not None)

    total = overview(window, timezone.now()).total

    assert total.statuses == Counter(one.status for one in own)
    assert (total.sent, total.delivered) == (len(taken), sum(one.status == "delivered" for one in taken))
    assert total.converted == sum(bool(one.verification and one.verification.holder.verified_at) for one in taken)
    codes = sum((one.cost or Decimal(0) for one in taken if one.verification), Decimal(0))
    assert total.cost_of_codes == codes < total.cost
    assert total.cost_per_verified == (codes / total.verified if total.verified else None)
    assert total.cost == sum((one.cost for one in messages if one.cost is not None), Decimal(0))
    assert total.p50 == (delays[-(-len(delays) // 2) - 1] if delays else None)
    parts = parts_of(window, timezone.now())
    real = Verification.objects.filter(simulated_at=None)
    begun = [one for one in real if parts[0].starts_at <= one.created_at < parts[-1].ends_at]
    assert total.asked - total.refused == len(begun)
    assert total.verified == sum(one.verified_at is not None for one in begun)
    refused = [one.count for one in Refusal.objects.all() if parts[0].starts_at <= one.first_at < parts[-1].ends_at]
    assert total.refused == sum(refused)


def test_the_code_of_a_joined_request_is_entered_where_it_began(memory: MakeProvider, clock: Any) -> None:
    provider = memory()
    began, joined = (_code(provider, status="delivered") for _ in range(2))
    assert began.verification
    assert joined.verification
    Verification.objects.filter(pk=began.verification.pk).update(verified_at=NOW)
    clock.shift(1)
    assert overview(Window.HOUR, timezone.now()).total.converted == 1

    Verification.objects.filter(pk=joined.verification.pk).update(root=began.verification)
    assert overview(Window.HOUR, timezone.now()).total.converted == 2


@pytest.mark.slow
@pytest.mark.parametrize("window", Window)
def test_each_grouping_adds_up_to_the_whole(site: Site, window: Window) -> None:
    found = overview(window, timezone.now())

    for groups in (found.by_part, found.by_provider, found.by_carrier, found.by_purpose):
        for name in ("sent", "delivered", "undelivered", "unknown", "not_sent", "converted", "cost"):
            assert sum(getattr(one, name) for one in groups.values()) == getattr(found.total, name), name
    for groups in (found.by_part, found.by_purpose):
        assert sum(one.asked for one in groups.values()) == found.total.asked
    assert set(found.by_carrier) <= {"mobile", "unicom", "telecom", "broadnet", ""}
    assert [part.starts_at for part in found.by_part] == sorted(part.starts_at for part in found.parts)


@pytest.mark.parametrize("what", ["a message", "a request", "a refusal"])
def test_an_hour_of_which_only_one_thing_is_stored_is_summed(what: str, memory: MakeProvider, clock: Any) -> None:
    site = Site(memory, clock, random.Random(7))
    add_accepted(site.providers[0], is_probe=False)  # sums begin with the first message
    clock.shift(timedelta(hours=2))
    hour_of = timezone.now()
    if what == "a message":
        add_accepted(site.providers[0], is_probe=False)
    elif what == "a request":
        _request(PHONE)
    else:
        site.refuse()
    clock.shift(timedelta(hours=3))
    site.sum()
    hour = SummedDay.objects.get(starts_at__lte=hour_of, ends_at__gt=hour_of)
    assert (hour.sums.exists(), hour.requests.exists()) == (what == "a message", what != "a message")

    total = overview(Window.DAY, timezone.now()).total

    assert total.sent == 1 + (what == "a message")
    assert (total.asked > 0, total.refused > 0) == (what != "a message", what == "a refusal")


@pytest.mark.slow
@pytest.mark.parametrize("window", Window)
def test_what_is_summed_takes_four_statements(site: Site, window: Window) -> None:
    site.sum()
    site.sum()
    assert SummedDay.objects.filter(is_hour=True).exists()
    assert SummedDay.objects.filter(is_hour=False).exists()
    with CaptureQueriesContext(connection) as queries:
        overview(window, timezone.now())

    assert len(queries) <= 4


@pytest.mark.parametrize(
    ("window", "count", "first", "last"),
    [
        (Window.HOUR, 12, "2026-11-21 19:35", "2026-11-21 20:30"),
        (Window.TODAY, 21, "2026-11-21 00:00", "2026-11-21 20:00"),
        (Window.DAY, 24, "2026-11-20 21:00", "2026-11-21 20:00"),
        (Window.WEEK, 7, "2026-11-15 00:00", "2026-11-21 00:00"),
        (Window.MONTH, 30, "2026-10-23 00:00", "2026-11-21 00:00"),
    ],
)
def test_a_time_has_these_parts(window: Window, count: int, first: str, last: str) -> None:
    parts = parts_of(window, NOW)

    starts = [f"{part.starts_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" for part in parts]
    assert (len(parts), starts[0], starts[-1]) == (count, first, last)
    assert all(one.ends_at == after.starts_at for one, after in pairwise(parts))
    assert parts[-1].starts_at <= NOW < parts[-1].ends_at


@pytest.mark.parametrize("minute", [0, 59])
def test_today_begins_at_midnight_with_one_part(minute: int, db: None, admin_client: Client) -> None:
    midnight = datetime(2026, 11, 22, tzinfo=SHANGHAI)
    with time_machine.travel(midnight + timedelta(minutes=minute), tick=False):
        assert [part.starts_at for part in parts_of(Window.TODAY, timezone.now())] == [midnight]
        html = admin_client.get(f"{reverse('admin:smsverify_overview')}?time=today").content.decode()
    assert "Today, since midnight" in html


def test_percentiles_are_those_of_the_kept_seconds() -> None:
    rng = random.Random(3)
    times = [rng.choice([rng.randint(0, 30), rng.randint(0, 300), rng.randint(0, 300_000)]) for _ in range(999)]
    ranked = sorted(times)

    for share, place in ((0.5, 499), (0.95, 949), (0.99, 989)):
        assert percentile(Counter(map(kept, times)), share) == kept(ranked[place])
    assert [kept(one) for one in (0, 199, 205, 1234, 7300, 10**6)] == [0, 199, 200, 1200, 7200, 259_200]
    assert percentile(Counter(), 0.5) is None


class TestScorecard:
    def test_a_vendor_answers_for_its_own_failures_alone(self, memory: MakeProvider, clock: Any) -> None:
        provider = memory("login", price="0.0450")
        for cause, status, count in [
            ("delivered", "delivered", 5),
            ("", "accepted", 1),
            ("route_fault", "undelivered", 1),
            ("signature_unfiled", "undelivered", 1),
            ("phone_off", "undelivered", 1),
            ("expired", "undelivered", 1),
            ("content_blocked", "undelivered", 2),
        ]:
            for _number in range(count):
                _code(provider, cause=cause, status=status, delivery_seconds=70 if status == "delivered" else None)
        _code(provider, status="not_sent")
        _code(provider, status="delivered", is_probe=True)
        add_accepted(provider, purpose="login", phone="+8613800999999", is_probe=False)  # a notice

        ((_key, score),) = scorecard(NOW.date()).items()

        assert (score.submitted, score.clear, score.valid) == (12, 2, 8)
        assert score.reached_sla == 1 - 2 / 8, "the report that is missing counts as reached"
        assert score.reached_strict == 5 / 12
        assert (score.in_60s, score.in_180s, score.p99) == (0, 5 / 12, 70)
        assert score.per_delivered == Decimal("0.045") * 12 / 5

    def test_a_vendor_that_tells_no_times_is_not_slow(
        self, memory: MakeProvider, clock: Any, admin_client: Client
    ) -> None:
        provider = memory("login", slug="a", price="0.0450")
        for _number in range(3):
            _code(provider, status="delivered")
        ((_key, score),) = scorecard(NOW.date()).items()
        assert (score.reached_strict, score.in_60s, score.in_180s) == (1, None, None)
        url = reverse("admin:smsverify_scorecard")
        page, answer = admin_client.get(url), admin_client.get(url, {"format": "csv"})
        (row,) = csv.DictReader(answer.content.decode("utf-8-sig").splitlines())
        assert (row["Delivered"], row["Within 1 min"], row["Within 3 min"]) == ("1.0000", "", "")
        assert page.content.decode().count('<td class="number">-</td>') == 6

        _code(provider, status="delivered", delivery_seconds=50)
        _code(provider, status="delivered", delivery_seconds=70)
        _code(provider, status="undelivered")
        _code(provider, status="accepted")
        ((_key, score),) = scorecard(NOW.date()).items()

        assert (score.in_60s, score.in_180s) == (1 / 4, 2 / 4), "of the four that are not the first three"

    def test_what_never_arrived_did_not_arrive_in_a_minute(self, memory: MakeProvider, clock: Any) -> None:
        _code(memory("login", price="0.0450"), status="accepted")

        ((_key, score),) = scorecard(NOW.date()).items()

        assert (score.in_60s, score.in_180s) == (0, 0)

    def test_another_month_is_not_in_it(self, memory: MakeProvider, clock: Any) -> None:
        provider = memory("login", price="0.0450")
        _code(provider, status="delivered", created_at=datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC))
        _code(provider, status="delivered", created_at=datetime(2026, 10, 31, 16, tzinfo=UTC))

        assert [score.submitted for score in scorecard(date(2026, 10, 5)).values()] == [1]
        assert [score.submitted for score in scorecard(date(2026, 11, 30)).values()] == [1]

    def test_the_vendor_gets_plain_numbers(self, site: Site, admin_client: Client) -> None:
        url = reverse("admin:smsverify_scorecard")
        page = admin_client.get(url, {"month": "2026-11"}).content.decode()
        answer = admin_client.get(url, {"month": "2026-11", "format": "csv", "provider": "a"})

        rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
        scores = {key[1]: one for key, one in scorecard(NOW.date()).items() if key[0] == site.providers[0].pk}
        labels = {**dict(Carrier.choices), "": "abroad, or not known"}
        assert {row["Carrier"]: int(row["Submitted"]) for row in rows} == {
            str(labels[carrier]): one.submitted for carrier, one in scores.items()
        }
        assert all(row["Provider"] == "a" and 0 <= float(row["Reached (SLA)"] or 0) <= 1 for row in rows)
        assert len(set(rows[0])) == len(HEADS) + len(Cause), "no two columns have one name"
        chinese = admin_client.get(url, {"format": "csv"}, headers={"accept-language": "zh-hans"}).content.decode()
        assert "运营商" in chinese.splitlines()[0]
        assert answer["Content-Disposition"] == 'attachment; filename="sms-scorecard-2026-11.csv"'
        assert "format=csv&amp;provider=a" in page
        assert "+86" not in page + answer.content.decode()

    def test_an_unknown_month_is_the_present_one(self, clock: Any, admin_client: Client) -> None:
        page = admin_client.get(reverse("admin:smsverify_scorecard"), {"month": "x'\"<1"}).content.decode()

        assert '<option value="2026-11" selected>' in page


def _request(phone: str) -> Verification:
    """A request for a code."""
    recipient = Recipient.objects.create(phone=phone)
    lasting = {"expires_at": NOW, "max_attempts": 5, "code_length": 6}
    return Verification.objects.create(recipient=recipient, phone=phone, purpose="login", **lasting)


def _code(provider: Provider, **fields: Any) -> Message:
    """A message with a code."""
    phone = f"+86138{Message.objects.count():08}"
    code = _request(phone)
    template = provider.templates.get()
    own = {"cost": None if fields["status"] == "not_sent" else Decimal("0.045"), "created_at": NOW, **fields}
    return Message.objects.create(
        provider=provider, template=template, verification=code, phone=phone, purpose="login", **own
    )


def read_by(queries: Iterable[Mapping[str, str]]) -> list[str]:
    """What a page reads. These tests listen to the logs of templates, which for that read the log of the admin."""
    return [one["sql"] for one in queries if one["sql"].startswith("SELECT") and "admin_log" not in one["sql"][:40]]


class TestPage:
    @pytest.mark.parametrize("window", [*Window.values, "", "x'"])
    def test_it_shows_the_figures_of_each_time(self, window: str, site: Site, admin_client: Client) -> None:
        remember_change(site.providers[0])  # what is told of a test costs no statement
        with CaptureQueriesContext(connection) as queries:
            page = admin_client.get(reverse("admin:smsverify_overview"), {"time": window}).content.decode()

        total = overview(Window(window) if window in Window.values else Window.DAY, timezone.now()).total
        tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
        assert tiles["Sent"] == str(total.sent)
        assert tiles["Delivered"] == str(total.delivered)
        assert tiles["Verified"] == str(total.verified)
        assert page.count("<figure") == page.count("<details") == 4
        assert "+86" not in page
        assert len(read_by(queries)) <= 12

    def test_a_notice_does_not_make_the_verified_dearer(
        self, memory: MakeProvider, clock: Any, admin_client: Client
    ) -> None:
        provider = memory("login", price="0.0450")
        code = _code(provider, status="delivered").verification
        assert code
        Verification.objects.filter(pk=code.pk).update(verified_at=NOW)
        for _number in range(3):
            add_accepted(provider, purpose="login", is_probe=False)

        page = admin_client.get(reverse("admin:smsverify_overview")).content.decode()

        tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
        assert (tiles["Yuan for each verified"], tiles["Sent"]) == ("0.0450", "4")

    def test_the_costs_of_a_table_add_up_to_the_whole(
        self, memory: MakeProvider, clock: Any, admin_client: Client
    ) -> None:
        for slug, cost in (("a", "0.0450"), ("b", "0.0334"), ("c", "0.0400")):
            _code(memory("login", slug=slug), status="delivered", cost=Decimal(cost))

        page = admin_client.get(reverse("admin:smsverify_overview")).content.decode()

        tile = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))["Cost, in yuan"]
        table = page[page.index("By provider") : page.index("By carrier")]
        amounts = re.findall(r'<td class="number">([\d.]+)</td></tr>', table)
        assert sorted(amounts) == ["0.0334", "0.0400", "0.0450"]
        assert str(sum(map(Decimal, amounts))) == tile == "0.1184"

    def test_the_index_of_the_app_shows_the_last_day(self, clock: Any, admin_client: Client) -> None:
        page = admin_client.get(reverse("admin:app_list", args=["smsverify"])).content.decode()

        assert "Within 24 hours" in page
        assert reverse("admin:smsverify_overview") in page

    def test_a_user_who_may_not_view_messages_sees_no_figures(self, clock: Any, client: Client) -> None:
        user = User.objects.create_user("eve", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_provider"))
        client.force_login(user)

        assert client.get(reverse("admin:smsverify_overview")).status_code == 403
        assert client.get(reverse("admin:smsverify_scorecard")).status_code == 403
        index = client.get(reverse("admin:app_list", args=["smsverify"]))
        assert index.status_code == 200
        assert "sv-tiles" not in index.content.decode()

    def test_a_site_where_nothing_happened_has_an_overview(self, db: None, admin_client: Client) -> None:
        for window in Window.values:
            page = admin_client.get(reverse("admin:smsverify_overview"), {"time": window})
            assert page.status_code == 200
        assert "No codes were sent" in admin_client.get(reverse("admin:smsverify_scorecard")).content.decode()

    def test_pictures_hold_no_style_that_a_policy_would_refuse(self, clock: Any, admin_client: Client) -> None:
        page = admin_client.get(reverse("admin:smsverify_overview")).content.decode()
        own = page[page.index('class="smsverify"') :]

        assert " style=" not in own
        assert "<script" not in own[: own.index("sv-charts")]


class TestTodos:
    """The provider's eight failures are the first thing to do."""

    @pytest.fixture
    def failing(self, memory: MakeProvider, clock: Any) -> Provider:
        provider = memory("login", price="0.0450")
        for _number in range(8):
            _code(provider, status="not_sent", error_reason="account", claimed_at=NOW)
        ends = {"since": NOW, "until": NOW + timedelta(hours=1)}
        Closure.objects.create(pk=1234, kind="block", subject="1380013", sent=9, verified=0, **ends)
        return provider

    def listed(self, client: Client) -> str:
        page = client.get(reverse("admin:smsverify_overview"), headers={"accept-language": "en"}).content.decode()
        return page[page.index("What to do now") : page.index("sv-windows")]

    def test_each_has_a_sentence_a_link_and_a_button(self, failing: Provider, admin_client: Client) -> None:
        with override_settings(USE_THOUSAND_SEPARATOR=True):
            listed = self.listed(admin_client)

        assert "last hour: 8 of 8 SMS failed (100 %)" in listed
        assert f'href="{reverse("admin:smsverify_provider_change", args=[failing.pk])}"' in listed
        assert f'action="{reverse("admin:smsverify_provider_test", args=[failing.pk])}"' in listed
        assert 'name="_selected_action" value="1234"' in listed

    def test_the_button_of_a_closure_lifts_it(self, failing: Provider, admin_client: Client) -> None:
        listed = self.listed(admin_client)
        (lift,) = [form for form in re.findall(r"<form.*?</form>", listed, re.DOTALL) if ">Lift<" in form]
        url = re.findall(r'action="([^"]+)"', lift)[0]

        admin_client.post(url, dict(re.findall(r'name="(action|_selected_action)" value="([^"]+)"', lift)))

        assert Closure.objects.get().lifted_at is not None

    def test_nobody_is_offered_what_may_not_be_pressed_or_seen(self, failing: Provider, client: Client) -> None:
        user = User.objects.create_user("viewer", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_message"))
        client.force_login(user)
        listed = self.listed(client)

        assert "last hour: 8 of 8 SMS failed (100 %)" in listed
        assert "<form" not in listed
        assert "<a href" not in listed


def test_a_purpose_that_does_not_exist_is_no_purpose(clock: Any, db: None) -> None:
    """Anybody may ask for one."""
    fields = {"phone": "", "purpose": "nosuch", "first_at": NOW, "last_at": NOW}
    Refusal.objects.create(id=new_id(), reason="unknown_purpose", count=2, **fields)
    found = overview(Window.HOUR, NOW)

    assert found.total.refused == 2
    assert found.by_purpose == {}


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        (("0.7700", "0.4100"), ["0.77", "0.41"]),
        (("0.7650", "1000.0000"), ["0.765", "1,000.000"]),
        (("0.0000", "0.0334"), ["0.0000", "0.0334"]),
        (("30.0000",), ["30.00"]),
    ],
)
def test_amounts_have_the_digits_that_add_up(amounts: tuple[str, ...], shown: list[str]) -> None:
    exact = [Decimal(amount) for amount in amounts]

    with translation.override("en"):
        assert [yuan(amount, digits_of(exact)) for amount in exact] == shown


class TestCharts:
    def test_columns_stand_upon_each_other(self) -> None:
        chart = columns("x", ["1", "2"], [Series("a", "good", [30, 0]), Series("b", "bad", [10, 5])])

        assert chart.edge == "40"
        assert [(bar["x"], bar["y"], bar["height"]) for bar in chart.bars] == [
            (1, "25.00", "75.00"),
            (1, "0.00", "25.00"),
            (11, "87.50", "12.50"),
        ]

    def test_a_line_has_a_gap_where_nothing_is_known(self) -> None:
        chart = lines("x", ["1", "2", "3", "4"], [Series("a", "good", [1, None, 0.5, 0])], percent)

        assert [line["path"] for line in chart.lines] == ["M5 0.00h1 M25 50.00h1 L35 100.00"]
        assert chart.rows[1] == ("2", ["-"])

    @pytest.mark.parametrize(
        ("share", "shown"), [(1, "100.0 %"), (0.9999, "99.9 %"), (0.5, "50.0 %"), (0, "0.0 %"), (None, "-")]
    )
    def test_only_all_is_shown_as_all(self, share: float | None, shown: str) -> None:
        assert percent(share) == shown

    def test_times_are_told_in_the_unit_that_fits(self) -> None:
        with translation.override("en"):
            assert [seconds(one) for one in (None, 0, 119, 120, 7199, 7200)] == [
                "-",
                "0 s",
                "119 s",
                "2 min",
                "119 min",
                "2 h",
            ]
