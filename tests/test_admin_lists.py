"""The lists of the admin: search, a span of days, times and states, the export, and the order of the index."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from django_smsverify.admin import exporting
from django_smsverify.admin.ordering import ORDER, use_our_order
from django_smsverify.enums import Accessed
from django_smsverify.models import (
    Access,
    DeliveryReport,
    Forgetting,
    Message,
    Recipient,
    Refusal,
    Reply,
    Verification,
)
from django_smsverify.spreadsheets import BYTE_ORDER_MARK, as_cell

from .conftest import PHONE, MakeProvider
from .test_admin import RECORDS, page
from .test_models import rows_of

pytestmark = pytest.mark.django_db

OTHER = "+8615912348000"
"""With the same last four digits."""
EXPORTED = (Message, Verification, DeliveryReport, Refusal)


@pytest.fixture
def rows(memory: MakeProvider) -> dict[type[models.Model], Any]:
    found = {type(row): row for row in rows_of(memory())}
    for record in (Message, DeliveryReport, Reply):
        record.objects.update(remote_id="SMS-42")
    return found


@pytest.fixture
def another(rows: dict[type[models.Model], Any], memory: MakeProvider) -> None:
    """One more row of each, of another number."""
    recipient = Recipient.objects.create(phone=OTHER)
    past = timezone.now() - timedelta(days=1)
    verification: Any = Verification.objects.get()
    Verification.objects.create(
        recipient=recipient,
        phone=OTHER,
        purpose="login",
        code_length=6,
        max_attempts=5,
        created_at=past,
        expires_at=past,
    )
    message: Any = rows[Message]
    new = Message.objects.create(
        provider=message.provider, template=message.template, phone=OTHER, purpose="login", values={}, created_at=past
    )
    common = {"provider": message.provider, "phone": OTHER, "message": new, "received_at": past}
    DeliveryReport.objects.create(outcome="undelivered", source="poll", fingerprint=UUID(int=2), **common)
    Reply.objects.create(content="N", fingerprint=UUID(int=2), **common)
    Refusal.objects.create(id=UUID(int=2), phone=OTHER, reason="ip", first_at=past, last_at=past)
    assert verification.phone == PHONE


def found(client: Client, model: type[models.Model], **query: str) -> list[str]:
    """The numbers of the rows that a list shows."""
    response: Any = client.get(page(model), query)
    assert response.status_code == 200
    return [row.phone for row in response.context["cl"].result_list]


class TestSearch:
    @pytest.mark.parametrize("model", RECORDS)
    def test_by_the_last_digits_and_as_it_is_shown(
        self, model: type[models.Model], another: None, admin_client: Client
    ) -> None:
        assert sorted(found(admin_client, model, q="8000")) == [PHONE, OTHER]
        assert found(admin_client, model, q="138****8000") == [PHONE]
        assert found(admin_client, model, q="159****8000") == [OTHER]
        assert found(admin_client, model, q="137****8000") == []
        assert found(admin_client, model, q="0008") == []

    @pytest.mark.parametrize("model", RECORDS)
    def test_by_an_id_of_a_message_of_a_verification_or_at_the_vendor(
        self, model: type[models.Model], another: None, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        for text in (rows[Message].pk.hex, str(rows[Verification].pk), " SMS-42 "):
            assert found(admin_client, model, q=text) == [PHONE], text
        assert found(admin_client, model, q=str(UUID(int=99))) == []

    def test_a_message_is_found_by_its_own_id_alone(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        first: Any = Message.objects.get()
        Message.objects.create(
            provider=first.provider, template=first.template, phone=PHONE, purpose="login", values={}
        )

        assert len(found(admin_client, Message, q=PHONE)) == 2
        assert len(found(admin_client, Message, q=str(first.pk))) == 1

    @pytest.mark.parametrize("model", RECORDS)
    def test_what_can_be_searched_is_said(
        self, model: type[models.Model], rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        assert "its last four digits; an id at the vendor" in admin_client.get(page(model)).content.decode()

    def test_a_search_stays_within_the_filters(self, another: None, admin_client: Client) -> None:
        assert found(admin_client, DeliveryReport, q="8000", outcome__exact="undelivered") == [OTHER]


class TestSpan:
    @pytest.fixture(autouse=True)
    def three_days(self, rows: dict[type[models.Model], Any]) -> list[datetime]:
        """A message shortly before and after each midnight of Shanghai around the tenth, newest first."""
        first: Any = rows[Message]
        moments = [datetime.fromisoformat(f"2026-11-{at}+08:00") for at in TIMES]
        first.delete()
        for at in moments:
            Message.objects.create(
                provider=first.provider,
                template=first.template,
                phone=PHONE,
                purpose="login",
                values={},
                created_at=at,
            )
        return moments

    def days(self, client: Client, **query: str) -> list[str]:
        response: Any = client.get(page(Message), query)
        shown = [timezone.localtime(row.created_at) for row in response.context["cl"].result_list]
        return [f"{at:%d %H:%M}" for at in shown]

    def test_both_days_are_included(self, admin_client: Client) -> None:
        assert self.days(admin_client, created_at__gte="2026-11-10", created_at__lte="2026-11-10") == [
            "10 23:59",
            "10 00:00",
        ]
        assert self.days(admin_client, created_at__gte="2026-11-10") == ["11 00:00", "10 23:59", "10 00:00"]
        assert self.days(admin_client, created_at__lte="2026-11-10") == ["10 23:59", "10 00:00", "09 23:59"]

    def test_a_moment_as_simpleui_sends_it(self, admin_client: Client) -> None:
        assert self.days(
            admin_client, created_at__gte="2026-11-10 12:00:00", created_at__lte="2026-11-11 00:00:00"
        ) == [
            "11 00:00",
            "10 23:59",
        ]

    def test_djangos_own_links_work_on(self, admin_client: Client) -> None:
        response: Any = admin_client.get(page(Message))
        (spec,) = (one for one in response.context["cl"].filter_specs if one.title == "created at")

        for choice in spec.choices(response.context["cl"]):
            assert admin_client.get(page(Message) + choice["query_string"]).status_code == 200

    def test_the_form_repeats_what_is_shown_and_keeps_the_other_filters(self, admin_client: Client) -> None:
        query = {
            "created_at__gte": "2026-11-10",
            "created_at__lte": "2026-11-11",
            "status__exact": "queued",
            "q": PHONE,
        }
        html = admin_client.get(page(Message), query).content.decode()
        form = html[html.index('class="smsverify-span"') :]

        assert 'name="created_at__gte" value="2026-11-10"' in form
        assert 'name="created_at__lte" value="2026-11-11"' in form
        assert '<input type="hidden" name="status__exact" value="queued">' in form

    @pytest.mark.parametrize("written", ["2026-13-40", "yesterday", "'", "2026-11-10T99:00"])
    def test_no_day_is_refused_as_django_does(self, written: str, admin_client: Client) -> None:
        for name in ("created_at__gte", "created_at__lte"):
            assert admin_client.get(page(Message), {name: written})["Location"].endswith("?e=1")

    def test_an_empty_form_shows_all(self, admin_client: Client) -> None:
        assert len(self.days(admin_client, created_at__gte="", created_at__lte="")) == len(TIMES)


TIMES = ("11 00:00", "10 23:59", "10 00:00", "09 23:59")


class TestLook:
    def test_times_have_their_seconds(self, rows: dict[type[models.Model], Any], admin_client: Client) -> None:
        Message.objects.update(created_at="2026-11-29T09:03:12Z")

        for language in ("en", "zh-hans"):
            html = admin_client.get(page(Message), headers={"accept-language": language}).content.decode()
            assert re.search(r'<th class="field-created_at"><a href="[^"]+">2026-11-29 17:03:12</a></th>', html)

    def test_no_list_or_page_shows_one_without_them(self) -> None:
        for model in apps.get_app_config("smsverify").get_models():
            shown = admin.site.get_model_admin(model) if admin.site.is_registered(model) else None
            times = {field.name for field in model._meta.fields if isinstance(field, models.DateTimeField)}
            assert times.isdisjoint([*shown.list_display, *shown.readonly_fields] if shown else []), model

    def test_a_state_has_a_colour_and_a_word(self, rows: dict[type[models.Model], Any], admin_client: Client) -> None:
        Message.objects.update(status="undelivered")

        assert (
            '<span class="smsverify-state bad">undelivered</span>' in admin_client.get(page(Message)).content.decode()
        )

    def test_a_sentence_of_ours_is_shown_in_the_operators_language(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        Message.objects.update(status="not_sent", error_message="while it was queued the budget was spent")
        row: Any = rows[Message]

        for url in (page(Message), page(row, "change")):
            html = admin_client.get(url, headers={"accept-language": "zh-hans"}).content.decode()
            assert "while it was queued" not in html
            with translation.override("zh-hans"):
                assert translation.gettext("while it was queued the budget was spent") in html

    def test_the_words_of_a_vendor_are_shown_as_its_own(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        Message.objects.update(status="not_sent", error_reason="other", error_code="7", error_message="黑名单")

        html = admin_client.get(page(rows[Message], "change")).content.decode()

        assert re.search(r"<dt>Vendor.{0,6}s words</dt><dd>黑名单</dd>", html)

    @pytest.mark.parametrize(
        ("statuses", "state"),
        [(["not_sent"], "no SMS went out"), (["not_sent", "unknown"], "expired"), ([], "expired")],
    )
    def test_a_code_that_no_vendor_took_is_not_called_expired(
        self, statuses: list[str], state: str, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        first: Any = Message.objects.get()
        past = timezone.now() - timedelta(days=1)
        Verification.objects.update(expires_at=past, created_at=past)
        common = {"provider": first.provider, "template": first.template, "purpose": "login", "values": {}}
        Message.objects.all().delete()
        for status in statuses:
            Message.objects.create(phone=PHONE, status=status, verification=Verification.objects.get(), **common)

        assert f">{state}</span>" in admin_client.get(page(Verification)).content.decode()

    def test_a_joined_request_has_the_state_of_the_code(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        Message.objects.update(status="not_sent")
        root: Any = Verification.objects.get()
        Verification.objects.create(
            root=root,
            recipient=root.recipient,
            phone=PHONE,
            purpose="login",
            code_length=6,
            max_attempts=5,
            expires_at=root.expires_at,
        )

        assert admin_client.get(page(Verification)).content.decode().count(">no SMS went out</span>") == 2

    @pytest.mark.parametrize("model", RECORDS)
    def test_a_list_costs_few_queries_and_a_search_few_more(
        self,
        model: type[models.Model],
        another: None,
        admin_client: Client,
        django_assert_max_num_queries: Any,
    ) -> None:
        for query in ({}, {"q": "8000"}, {"q": PHONE}, {"q": str(UUID(int=99))}):
            with django_assert_max_num_queries(14 if "q" in query else 9):
                admin_client.get(page(model), query)


class TestExport:
    def exported(
        self, client: Client, model: type[models.Model], name: str = "export", **query: str
    ) -> list[dict[str, str]]:
        answer: Any = client.get(export_url(model, name), query)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.streaming
        text = b"".join(answer.streaming_content).decode()
        assert text.startswith(BYTE_ORDER_MARK)
        return list(csv.DictReader(StringIO(text.removeprefix(BYTE_ORDER_MARK))))

    @pytest.mark.parametrize("model", EXPORTED)
    def test_the_rows_of_the_list_masked_and_logged(
        self, model: type[models.Model], another: None, client: Client
    ) -> None:
        client.force_login(viewer(model))

        rows_ = self.exported(client, model)

        assert [row["Phone"] for row in rows_] == ["138****8000", "159****8000"]
        assert PHONE[3:] not in str(rows_)
        access = Access.objects.get()
        assert (access.who, access.what, access.about, access.rows) == (
            "viewer",
            Accessed.EXPORTED_LIST,
            model._meta.model_name,
            2,
        )

    @pytest.mark.parametrize("model", EXPORTED)
    def test_full_numbers_by_a_link_of_its_own_for_those_who_may_see_them(
        self, model: type[models.Model], another: None, client: Client
    ) -> None:
        client.force_login(viewer(model, "view_full_phone"))
        assert f'href="{export_url(model, "export_full")}' in client.get(page(model)).content.decode()

        assert [row["Phone"] for row in self.exported(client, model)] == ["138****8000", "159****8000"]
        full = self.exported(client, model, "export_full")

        assert [row["Phone"] for row in full] == ["13800138000", "15912348000"]
        logged = Access.objects.order_by("pk").values_list("what", "about", "rows")
        name = model._meta.model_name
        assert list(logged) == [(Accessed.EXPORTED_LIST, name, 2), (Accessed.EXPORTED_NUMBERS, name, 2)]

    def test_a_number_that_is_to_be_forgotten_is_exported_masked(self, another: None, client: Client) -> None:
        Forgetting.objects.create(phone=OTHER, asked_at=timezone.now(), due_at=timezone.now() + timedelta(days=4))
        client.force_login(viewer(Message, "view_full_phone"))

        full = self.exported(client, Message, "export_full")

        assert [row["Phone"] for row in full] == ["13800138000", "159****8000"]

    @pytest.mark.parametrize("model", EXPORTED)
    def test_no_full_numbers_for_others(self, model: type[models.Model], another: None, client: Client) -> None:
        client.force_login(viewer(model))

        assert export_url(model, "export_full") not in client.get(page(model)).content.decode()
        assert client.get(export_url(model, "export_full")).status_code == 403
        assert not Access.objects.exists()

    @pytest.mark.parametrize("model", EXPORTED)
    def test_nothing_without_the_permission_to_view(
        self, model: type[models.Model], another: None, client: Client
    ) -> None:
        client.force_login(viewer(Recipient, "view_full_phone"))

        assert client.get(export_url(model)).status_code == 403
        assert client.get(export_url(model, "export_full")).status_code == 403
        assert not Access.objects.exists()

    @pytest.mark.parametrize("model", EXPORTED)
    def test_as_the_list_is_filtered_and_searched(
        self, model: type[models.Model], another: None, admin_client: Client
    ) -> None:
        assert len(self.exported(admin_client, model, q="159****8000")) == 1
        yesterday = str(timezone.localtime() - timedelta(days=1))[:10]
        time = {DeliveryReport: "received_at", Refusal: "first_at"}.get(model, "created_at")
        assert len(self.exported(admin_client, model, **{f"{time}__lte": yesterday})) == 1

    def test_the_link_keeps_the_filters(self, rows: dict[type[models.Model], Any], admin_client: Client) -> None:
        html = admin_client.get(page(Message), {"status__exact": "queued"}).content.decode()

        assert f'href="{export_url(Message)}?status__exact=queued"' in html
        assert "the newest 100,000 rows" in html

    def test_a_filter_that_does_not_exist_leads_back_to_the_list(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        answer = admin_client.get(export_url(Message), {"created_at__gte": "never"})

        assert answer["Location"] == f"{page(Message)}?e=1"

    def test_it_is_bounded_and_read_in_parts(
        self, another: None, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of rows with the same time, too, each is there once."""
        message: Any = Message.objects.first()
        same = {"provider": message.provider, "template": message.template, "phone": PHONE, "purpose": "login"}
        at = message.created_at
        Message.objects.bulk_create([Message(values={}, created_at=at, attempt=number, **same) for number in range(8)])
        monkeypatch.setattr(exporting, "CHUNK", 3)

        ids = [row["Id on this site"] for row in self.exported(admin_client, Message)]
        monkeypatch.setattr(exporting, "MOST_ROWS", 7)

        assert ids == [str(pk) for pk in Message.objects.order_by("-created_at", "-pk").values_list("pk", flat=True)]
        assert len(ids) == 10
        assert [row["Id on this site"] for row in self.exported(admin_client, Message)] == ids[:7]
        assert [access.rows for access in Access.objects.order_by("pk")] == [10, 7]

    def test_what_a_spreadsheet_would_spoil_is_quoted(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        Message.objects.update(
            status="not_sent", error_reason="other", error_message="=1+1", remote_id="1234567890123456789"
        )

        (row,) = self.exported(admin_client, Message)

        assert row["What was said"] == "'=1+1"
        assert row["Id at the vendor"] == "'1234567890123456789"

    @pytest.mark.parametrize("model", EXPORTED)
    def test_no_head_is_the_bare_name_of_a_field(
        self, model: type[models.Model], rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        (row,) = self.exported(admin_client, model)

        heads = dict(zip(admin.site._registry[model].exported, row, strict=True))  # type: ignore[attr-defined]
        ids = {name: head for name, head in heads.items() if name in ("id", "verification_id", "message_id")}
        assert set(ids.values()) <= {"Id on this site", "Id of the verification", "Id of the message"}

    def test_it_speaks_the_operators_language_to_its_end(
        self, rows: dict[type[models.Model], Any], admin_client: Client
    ) -> None:
        answer: Any = admin_client.get(export_url(Message), headers={"accept-language": "zh-hans"})
        translation.deactivate()

        text = b"".join(answer.streaming_content).decode()

        assert "手机号" in text.splitlines()[0]
        assert "排队中" in text.splitlines()[1]


def export_url(model: type[models.Model], name: str = "export") -> str:
    return reverse(f"admin:smsverify_{model._meta.model_name}_{name}")


def viewer(model: type[models.Model], *others: str) -> User:
    user = User.objects.create_user("viewer", is_staff=True)
    codenames = (f"view_{model._meta.model_name}", *others)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        ("＋1", "'＋1"),
        ("a\nb", "a b"),
        (7, 7),
        ("13800138000", "13800138000"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456", "'1234567890123456"),
    ],
)
def test_a_cell_is_read_as_it_is_written(value: str | int, cell: str | int) -> None:
    assert as_cell(value) == cell


class TestOrder:
    def names(self, html: str) -> Iterator[str]:
        """The models of ours in the order of the links to their lists."""
        yield from dict.fromkeys(re.findall(r'<a href="/admin/smsverify/(\w+)/"', html))

    @pytest.mark.parametrize("url", ["/admin/", "/admin/smsverify/", "/admin/smsverify/message/"])
    def test_the_index_and_the_navigation_have_an_operators_order(self, url: str, admin_client: Client) -> None:
        shown = list(self.names(admin_client.get(url).content.decode()))

        wanted = [name.lower() for name in ORDER if name.lower() in shown]
        assert len(wanted) > 15
        assert shown == wanted

    def test_every_model_with_a_page_has_a_place(self) -> None:
        ours = {model._meta.object_name for model in admin.site._registry if model._meta.app_label == "smsverify"}

        assert ours <= {*ORDER}

    def test_other_apps_keep_their_order(self, admin_client: Client) -> None:
        assert re.findall(r'<a href="/admin/auth/(\w+)/"', admin_client.get("/admin/").content.decode())[:1] == [
            "group"
        ]

    def test_a_site_that_makes_its_own_list_keeps_it(self, rf: Any, admin_user: User) -> None:
        class Own(AdminSite):
            def get_app_list(self, request: Any, app_label: str | None = None) -> list[Any]:
                return [
                    {"app_label": "smsverify", "models": [{"object_name": "Verification"}, {"object_name": "Message"}]}
                ]

        site = Own("own")
        use_our_order(site)

        (app,) = site.get_app_list(rf.get("/"))
        assert [model["object_name"] for model in app["models"]] == ["Verification", "Message"]
