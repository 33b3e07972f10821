"""Credentials at rest: encrypted in the column, decrypted on first access, re-encrypted by a command."""

from __future__ import annotations

import io
import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.models import Message, Provider
from django_smsverify.models.fields import Ciphertext

from .conftest import MakeProvider

pytestmark = pytest.mark.django_db

SECRET = "Pa55-of-the-account"
CREDENTIALS = {"account": "C31", "api_key": SECRET}


@pytest.fixture
def provider() -> Provider:
    return make()


def make(slug: str = "acme", **fields: Any) -> Provider:
    fields.setdefault("credentials", dict(CREDENTIALS))
    return Provider.objects.create(name=slug, slug=slug, gateway="ihuyi", **fields)


def column(provider: Provider) -> str:
    """The value that the database stores."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM smsverify_provider WHERE id = %s", [provider.pk])
        (value,) = cursor.fetchone()
    return str(value)


def stored(provider: Provider) -> dict[str, str]:
    return Provider.objects.get(pk=provider.pk).credentials


def test_a_secret_is_stored_encrypted(provider: Provider) -> None:
    token = column(provider)

    assert token.startswith("gAAAA")  # a Fernet token
    assert not any(word in token for word in (*CREDENTIALS, *CREDENTIALS.values()))
    assert stored(provider) == CREDENTIALS


def test_equal_secrets_are_stored_differently(provider: Provider) -> None:
    assert column(provider) != column(make("other"))


@pytest.mark.parametrize("empty", [{}, None])
def test_no_credentials_are_stored_as_an_empty_text(empty: Any) -> None:
    provider = make(credentials=empty)

    assert column(provider) == ""
    assert stored(provider) == {}
    assert Provider.objects.filter(credentials={}).get() == provider


def test_the_values_of_a_message_are_encrypted_too(memory: MakeProvider) -> None:
    template = memory().templates.get()
    Message.objects.create(
        provider=template.provider,
        template=template,
        phone="+8613900139000",
        purpose="login",
        values={"name": "王小明"},
    )

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM smsverify_message")
        row = str(cursor.fetchall())

    assert "gAAAA" in row
    assert not any(word in row for word in ("王小明", r"\u738b", "name"))
    assert Message.objects.get().values == {"name": "王小明"}


@pytest.mark.parametrize("value", [{"k": '"\\\n\x00😀'}, {"k": ""}, {str(n): "x" * 500 for n in range(50)}])
def test_any_text_is_read_as_it_was_stored(value: dict[str, str]) -> None:
    assert stored(make(credentials=value)) == value


def test_a_row_with_a_lost_key_can_be_listed_edited_and_repaired(provider: Provider) -> None:
    with override_settings(SECRET_KEY="all new"):
        (row,) = Provider.objects.all()
        assert (str(row), row.gateway) == ("acme", "ihuyi")

        row.name = "renamed"
        row.save()
        assert "renamed" in repr(Provider.objects.get())
        with pytest.raises(UndecryptableValue):
            _ = row.credentials

        row.credentials = {"account": "C32", "api_key": "new"}
        row.save()
        assert stored(row) == {"account": "C32", "api_key": "new"}


def test_a_row_with_a_lost_key_keeps_its_ciphertext_when_it_is_saved(provider: Provider) -> None:
    before = column(provider)

    with override_settings(SECRET_KEY="all new"):
        Provider.objects.get().save()

    assert column(provider) == before
    assert stored(provider) == CREDENTIALS


@pytest.mark.parametrize("damaged", ["x", "gAAAA", "鍵", "{}", '{"account": "C31"}'])
def test_the_error_of_a_failed_decryption_says_what_to_do(damaged: str, provider: Provider) -> None:
    Provider.objects.update(credentials=Ciphertext(damaged))

    with pytest.raises(UndecryptableValue) as caught:
        stored(provider)

    text = str(caught.value)
    assert all(
        word in text for word in ("no longer configured", 'SMSVERIFY["ENCRYPTION_KEYS"]', "SECRET_KEY_FALLBACKS")
    )
    assert all(word in text for word in ("smsverify_reencrypt", "enter the credentials again"))
    assert "gAAAA" not in text


@pytest.mark.parametrize(
    ("before", "after", "readable"),
    [
        ({"SECRET_KEY": "old"}, {"SECRET_KEY": "new"}, False),
        ({"SECRET_KEY": "old"}, {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": ["older", "old"]}, True),
        ({"SECRET_KEY": "old"}, {"SMSVERIFY": {"ENCRYPTION_KEYS": ["new"]}}, False),
        ({"SECRET_KEY": "old"}, {"SMSVERIFY": {"ENCRYPTION_KEYS": ["new", "old"]}}, True),
        ({"SMSVERIFY": {"ENCRYPTION_KEYS": ["old"]}}, {"SMSVERIFY": {"ENCRYPTION_KEYS": ["new"]}}, False),
        ({"SMSVERIFY": {"ENCRYPTION_KEYS": ["old"]}}, {"SMSVERIFY": {"ENCRYPTION_KEYS": ["new", "old"]}}, True),
        ({"SMSVERIFY": {"ENCRYPTION_KEYS": ["old"]}}, {"SECRET_KEY": "new"}, False),
        (
            {"SMSVERIFY": {"ENCRYPTION_KEYS": ["old"]}},
            {"SECRET_KEY": "new", "SMSVERIFY": {"ENCRYPTION_KEYS": ["old"]}},
            True,
        ),
    ],
)
def test_a_value_of_any_configured_key_is_read(before: dict[str, Any], after: dict[str, Any], readable: bool) -> None:
    with override_settings(**before):
        provider = make()

    with override_settings(**after):
        if readable:
            assert stored(provider) == CREDENTIALS
        else:
            with pytest.raises(UndecryptableValue):
                stored(provider)


def test_new_secrets_are_encrypted_with_the_first_key() -> None:
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["first", "second"]}):
        provider = make()

    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["first"]}):
        assert stored(provider) == CREDENTIALS


def test_after_a_rotation_the_old_key_is_not_needed() -> None:
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["old"]}):
        provider = make()

    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["new", "old"]}):
        call_command("smsverify_reencrypt", stdout=io.StringIO())

    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["new"]}):
        assert stored(provider) == CREDENTIALS
    with override_settings(SMSVERIFY={"ENCRYPTION_KEYS": ["old"]}), pytest.raises(UndecryptableValue):
        stored(provider)


NEW_CREDENTIALS = {"account": "C99", "api_key": "another"}


def by_save(provider: Provider) -> None:
    provider.credentials = dict(NEW_CREDENTIALS)
    provider.save(update_fields=["credentials"])


def by_change_in_place(provider: Provider) -> None:
    provider.credentials.update(NEW_CREDENTIALS)
    provider.save()


def by_update(provider: Provider) -> None:
    Provider.objects.filter(pk=provider.pk).update(credentials=NEW_CREDENTIALS)


def by_bulk_update(provider: Provider) -> None:
    provider.credentials = dict(NEW_CREDENTIALS)
    Provider.objects.bulk_update([provider], ["credentials"])


def by_update_or_create(provider: Provider) -> None:
    Provider.objects.update_or_create(slug=provider.slug, defaults={"credentials": NEW_CREDENTIALS})


def by_a_copy(provider: Provider) -> None:
    copy: Provider = pickle.loads(pickle.dumps(deepcopy(Provider.objects.get(pk=provider.pk))))
    copy.credentials = dict(NEW_CREDENTIALS)
    copy.save()


@pytest.mark.parametrize(
    "write", [by_save, by_change_in_place, by_update, by_bulk_update, by_update_or_create, by_a_copy]
)
def test_every_way_of_writing_encrypts(write: Any, provider: Provider) -> None:
    write(provider)

    assert column(provider).startswith("gAAAA")
    assert stored(provider) == NEW_CREDENTIALS
    provider.refresh_from_db()
    assert provider.credentials == NEW_CREDENTIALS


def test_bulk_create_encrypts() -> None:
    rows = [Provider(name=slug, slug=slug, gateway="ihuyi", credentials=CREDENTIALS) for slug in ("one", "two")]

    Provider.objects.bulk_create(rows)

    for row in Provider.objects.all():
        assert column(row).startswith("gAAAA")
        assert row.credentials == CREDENTIALS


@pytest.mark.parametrize("pick", ["defer", "only"])
def test_a_deferred_field_is_loaded_on_first_access(pick: str, provider: Provider) -> None:
    rows = Provider.objects.defer("credentials") if pick == "defer" else Provider.objects.only("name")
    row = rows.get()

    assert row.get_deferred_fields() >= {"credentials"}
    assert row.credentials == CREDENTIALS
    assert "credentials" not in row.get_deferred_fields()


def test_values_contain_the_ciphertext(provider: Provider) -> None:
    (token,) = Provider.objects.values_list("credentials", flat=True)

    assert repr(token) == repr(column(provider))


@pytest.mark.parametrize("accessed", [False, True])
def test_no_repr_shows_a_secret(accessed: bool, provider: Provider) -> None:
    row = Provider.objects.get()
    if accessed:
        assert row.credentials == CREDENTIALS

    shown = f"{row!r} {row} {Provider.objects.all()!r} {row.gateway_client().account!r} {Provider.objects.values()!r}"

    assert SECRET not in shown
    assert "api_key" not in shown


@pytest.mark.parametrize("format_", ["json", "xml", "jsonl"])
def test_a_fixture_contains_ciphertext_and_can_be_loaded(format_: str, provider: Provider, tmp_path: Path) -> None:
    make("empty", credentials={})
    path = tmp_path / f"fixture.{format_}"

    call_command("dumpdata", "smsverify.provider", format=format_, output=str(path))

    assert "gAAAA" in path.read_text()
    assert SECRET not in path.read_text()
    Provider.objects.all().delete()
    call_command("loaddata", str(path), stdout=io.StringIO())
    assert {row.slug: row.credentials for row in Provider.objects.all()} == {"acme": CREDENTIALS, "empty": {}}
    assert column(provider).startswith("gAAAA")


def test_a_lost_key_does_not_stop_a_dump(provider: Provider) -> None:
    dumped = io.StringIO()
    with override_settings(SECRET_KEY="another"):
        call_command("dumpdata", "smsverify.provider", stdout=dumped)
    assert "gAAAA" in dumped.getvalue()


def test_a_fixture_with_another_sites_keys_is_refused_with_what_to_do(provider: Provider, tmp_path: Path) -> None:
    path = tmp_path / "fixture.json"
    call_command("dumpdata", "smsverify.provider", output=str(path))

    Provider.objects.all().delete()

    with (
        override_settings(SECRET_KEY="of another site"),
        pytest.raises(UndecryptableValue, match=r"fixture\.json.* enter the credentials again"),
    ):
        call_command("loaddata", str(path), stdout=io.StringIO())

    assert not Provider.objects.exists()
