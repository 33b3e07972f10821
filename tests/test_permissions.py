"""Every permission opens something that is closed without it; the groups of `smsverify_groups`, and whole numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_smsverify.admin.privacy import sealed
from django_smsverify.enums import Accessed, Guarded
from django_smsverify.management.groups import GROUPS, known_codenames
from django_smsverify.models import (
    Access,
    Alert,
    CarrierFiling,
    ClientKey,
    Closure,
    DeliveryReport,
    ListEntry,
    Message,
    OptOut,
    ProbeNumber,
    Provider,
    Recipient,
    Refusal,
    Reply,
    ReportBatch,
    Signature,
    Spending,
    Template,
    TestNumber,
    Verification,
)

from .conftest import CODE_TEXT, PHONE, MakeProvider, add_template
from .test_models import rows_of

pytestmark = pytest.mark.django_db

NUMBERED = (Recipient, Verification, Message, DeliveryReport, Reply, Refusal)
DOCS = Path(__file__).parent.parent / "docs"
ENGLISH, CHINESE = r"^``(\w+)``  .*?((?:  +[✓—]){4})$", r"^   \* - ``(\w+)``\n     - .*\n((?:     - [✓—]\n){4})"
"""A row of the table of permissions."""

Opens = Callable[[Client], bool]


def url(name: str, model: type[models.Model], *args: object) -> str:
    return reverse(f"admin:smsverify_{model._meta.model_name}_{name}", args=args)


def answers(name: str, model: type[models.Model]) -> Opens:
    """Whether a page is shown: of the first row, or of none."""

    def opens(client: Client) -> bool:
        args = () if name in ("changelist", "add") else (model._default_manager.all()[0].pk,)
        return client.get(url(name, model, *args)).status_code == 200

    return opens


def shows(words: str, name: str, model: type[models.Model]) -> Opens:
    """Whether a page shows these words, such as the name of a button or an action."""

    def opens(client: Client) -> bool:
        args = () if name == "changelist" else (model._default_manager.all()[0].pk,)
        return words in client.get(url(name, model, *args), headers={"accept-language": "en"}).content.decode()

    return opens


def posts(name: str, model: type[models.Model]) -> Opens:
    def opens(client: Client) -> bool:
        return client.post(url(name, model, model._default_manager.all()[0].pk)).status_code == 200

    return opens


@dataclass(frozen=True)
class Door:
    """What a permission opens, for somebody who has these others."""

    opens: Opens
    others: tuple[str, ...] = ()


def four(model: type[models.Model]) -> dict[str, Door]:
    """The doors of a model that is entered, changed and deleted."""
    name = str(model._meta.model_name)
    return {
        f"view_{name}": Door(answers("changelist", model)),
        f"add_{name}": Door(answers("add", model)),
        f"change_{name}": Door(shows('name="_save"', "change", model), (f"view_{name}",)),
        f"delete_{name}": Door(answers("delete", model), (f"view_{name}",)),
    }


def only(model: type[models.Model], *actions: str) -> dict[str, Door]:
    return {key: door for key, door in four(model).items() if key.partition("_")[0] in actions}


FILINGS = "filings-0-"
DOORS: dict[str, Door] = {
    **four(Provider),
    **four(Signature),
    **four(Template),
    **four(ClientKey),
    **four(TestNumber),
    **only(ListEntry, "view", "add", "delete"),
    **only(OptOut, "view", "add", "delete"),
    **only(ReportBatch, "view", "delete"),
    **{
        key: door
        for model in (*NUMBERED, Spending, Closure, Alert, Access)
        for key, door in only(model, "view").items()
    },
    "add_provider": Door(answers("add", Provider), ("change_credentials",)),
    "change_credentials": Door(answers("add", Provider), ("add_provider",)),
    "change_recipient": Door(shows("lift_lock", "changelist", Recipient), ("view_recipient",)),
    "change_closure": Door(shows('value="lift"', "changelist", Closure), ("view_closure",)),
    "change_destination": Door(
        lambda client: not shows("needs a permission of its own", "change", Provider)(client),
        ("view_provider", "change_provider"),
    ),
    "test_provider": Door(posts("test", Provider), ("view_provider",)),
    "probe_routes": Door(answers("changelist", ProbeNumber)),
    "send_message": Door(lambda client: client.get(notice_page()).status_code == 200, ("view_template",)),
    "export_person": Door(lambda client: served(client, "export") == 200, ("view_recipient", "forget_person")),
    "forget_person": Door(lambda client: served(client, "forget") == 200, ("view_recipient", "export_person")),
    "view_full_phone": Door(posts("number", Message), ("view_message",)),
    "view_carrierfiling": Door(shows(FILINGS, "change", Template), ("view_template", "change_template")),
    "add_carrierfiling": Door(shows("filings-__prefix__-", "change", Template), ("view_template", "change_template")),
    "change_carrierfiling": Door(
        shows(f'name="{FILINGS}status"', "change", Template), ("view_template", "change_template", "view_carrierfiling")
    ),
    "delete_carrierfiling": Door(
        shows(f'name="{FILINGS}DELETE"', "change", Template), ("view_template", "change_template", "view_carrierfiling")
    ),
}


def served(client: Client, what: str) -> int:
    """The status of what a person may ask for, of a number that is not known here."""
    return client.post(f"/admin/smsverify/recipient/person/{what}/", {"whom": sealed("+8613900000000")}).status_code


def notice_page() -> str:
    return reverse("admin:smsverify_template_many", args=[Template.objects.get(purpose="notice").pk])


@pytest.fixture
def rows(memory: MakeProvider) -> Provider:
    """One row of each model that has a page."""
    provider = memory()
    rows_of(provider)
    now = timezone.now()
    add_template(provider, "notice", "您的订单已发货。", "")
    Template.objects.filter(content=CODE_TEXT).update(name="a")  # the first of its list
    for template in Template.objects.all():
        CarrierFiling.objects.create(template=template, carrier="mobile", status="filed")
    ReportBatch.objects.create(provider=provider, body="[]", problems="row 1")
    ListEntry.objects.create(kind="region", subject="HK", length=2, action="block")
    OptOut.objects.create(phone=PHONE)
    ClientKey.objects.create(name="app")
    Spending.objects.create(subject="site", period="day", starts_on=now.date(), spent=1)
    Closure.objects.create(kind=Guarded.SITE, sent=9, verified=0, since=now, until=now)
    return provider


def person(*codenames: str, name: str = "person") -> Client:
    user = User.objects.create_user(name, is_staff=True)
    found = Permission.objects.filter(content_type__app_label="smsverify", codename__in=codenames)
    assert len(found) == len(codenames)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def test_every_permission_has_a_door() -> None:
    stored = set(Permission.objects.filter(content_type__app_label="smsverify").values_list("codename", flat=True))

    assert stored == known_codenames()
    assert stored == DOORS.keys()


@pytest.mark.parametrize("codename", sorted(DOORS))
def test_each_permission_opens_what_is_closed_without_it(codename: str, rows: Provider) -> None:
    door = DOORS[codename]

    assert not door.opens(person(*door.others))
    assert door.opens(person(*door.others, codename, name="another"))


class TestWholeNumbers:
    @pytest.fixture(params=NUMBERED, ids=lambda model: model.__name__)
    def row(self, request: Any, rows: Provider) -> Any:
        return request.param.objects.get()

    def test_one_look_is_shown_once_and_logged_masked(self, row: Any) -> None:
        client = person(f"view_{row._meta.model_name}", "view_full_phone", name="curious")
        page = url("change", type(row), row.pk)
        assert url("number", type(row), row.pk) in client.get(page).content.decode()

        answer = client.post(url("number", type(row), row.pk))

        assert PHONE in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        assert PHONE[3:] not in client.get(page).content.decode(), "the page stays masked"
        access = Access.objects.get()
        assert (access.who, access.what, access.about) == ("curious", Accessed.VIEWED_NUMBER, "138****8000")

    def test_without_the_permission_there_is_neither_a_button_nor_a_number(self, row: Any) -> None:
        client = person(f"view_{row._meta.model_name}")

        assert "/number/" not in client.get(url("change", type(row), row.pk)).content.decode()
        assert client.post(url("number", type(row), row.pk)).status_code == 403
        assert not Access.objects.exists()

    def test_whoever_may_see_numbers_needs_the_right_to_the_row_too(self, row: Any) -> None:
        assert person("view_full_phone").post(url("number", type(row), row.pk)).status_code == 403
        assert not Access.objects.exists()

    def test_an_address_alone_shows_nothing(self, row: Any) -> None:
        client = person(f"view_{row._meta.model_name}", "view_full_phone")

        assert client.get(url("number", type(row), row.pk)).status_code == 405
        assert client.post(url("number", type(row), "0")).status_code == 404

    def test_another_site_cannot_press_the_button(self, row: Any) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.create_superuser("boss"))

        assert strict.post(url("number", type(row), row.pk)).status_code == 403


def test_a_row_about_all_numbers_has_no_button(rows: Provider, admin_client: Client) -> None:
    row = Refusal.objects.get()
    Refusal.objects.update(phone="")

    assert "/number/" not in admin_client.get(url("change", Refusal, row.pk)).content.decode()
    assert admin_client.post(url("number", Refusal, row.pk)).status_code == 404


class TestGroups:
    def made(self, *args: str) -> str:
        out = StringIO()
        call_command("smsverify_groups", *args, stdout=out)
        return out.getvalue()

    def codenames(self, name: str) -> set[str]:
        return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))

    def test_four_groups_with_what_their_work_needs(self) -> None:
        told = self.made()

        assert {name: self.codenames(f"SMS {name}") for name in GROUPS} == {
            name: set(codenames) for name, codenames in GROUPS.items()
        }
        assert "SMS support (made):\n    add_optout: Can add opt-out of notices\n" in told

    def test_again_it_changes_nothing_and_leaves_people_and_others_permissions(self) -> None:
        self.made()
        group, user = Group.objects.get(name="SMS support"), User.objects.create_user("helper")
        others = Permission.objects.get(codename="view_user")
        group.permissions.add(others, Permission.objects.get(codename="change_provider"))
        user.groups.add(group)

        assert "SMS support (changed):" in self.made()
        assert self.codenames("SMS support") == {*GROUPS["support"], "view_user"}
        assert list(user.groups.all()) == [group]
        assert self.made().count("(as it was):") == len(GROUPS)

    def test_a_dry_run_only_tells(self) -> None:
        self.obsolete()

        told = self.made("--dry-run", "--prefix", "短信")

        assert "短信finance (would be made):" in told
        assert "delete_message opens nothing any more: would be deleted; 0 users and 0 groups had it" in told
        assert not Group.objects.exists()
        assert Permission.objects.filter(codename="delete_message").exists()

    def test_the_prefix_is_the_sites(self) -> None:
        self.made("--prefix", "短信")

        assert Group.objects.filter(name="短信auditor").exists()

    def obsolete(self) -> Permission:
        """As 0.1 left it."""
        kind = ContentType.objects.get_for_model(Message)
        return Permission.objects.create(codename="delete_message", content_type=kind, name="Can delete message")

    def test_permissions_of_earlier_versions_are_deleted_and_who_had_them_is_counted(self) -> None:
        User.objects.create_user("clerk").user_permissions.add(self.obsolete())

        told = self.made()

        assert "delete_message opens nothing any more: deleted; 1 users and 0 groups had it" in told
        assert not Permission.objects.filter(codename="delete_message").exists()
        assert Permission.objects.filter(codename="delete_user").exists(), "other apps' stay"

    def test_before_migrate_it_says_so(self) -> None:
        Permission.objects.filter(codename="send_message").delete()

        with pytest.raises(CommandError, match="send_message do not exist yet: run migrate first"):
            self.made()
        assert not Group.objects.exists()

    @pytest.mark.parametrize("role", GROUPS)
    def test_nobody_in_a_group_sees_numbers_or_changes_keys(self, role: str) -> None:
        dangerous = {"view_full_phone", "export_person", "forget_person", "change_credentials", "change_destination"}

        assert dangerous.isdisjoint(GROUPS[role])
        assert not {"add_provider", "delete_provider"}.intersection(GROUPS[role])
        assert not [name for name in GROUPS[role] if name.startswith(("add_testnumber", "add_clientkey"))]

    def test_an_auditor_changes_nothing(self) -> None:
        assert all(codename.startswith("view_") for codename in (*GROUPS["auditor"], *GROUPS["finance"]))

    @pytest.mark.parametrize(("page", "row"), [("admin.rst", ENGLISH), ("zh-Hans/admin.rst", CHINESE)])
    def test_the_documentation_says_who_may_what(self, page: str, row: str) -> None:
        found = re.findall(row, (DOCS / page).read_text(), re.MULTILINE)
        marks = {codename: re.findall("[✓—]", cells) for codename, cells in found}

        assert marks.keys() == known_codenames()
        for place, role in enumerate(GROUPS):
            assert {codename for codename, cells in marks.items() if cells[place] == "✓"} == set(GROUPS[role]), role
