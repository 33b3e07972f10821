"""The page on privacy: its map has every table and every column that may name a person, and its commands run."""

from __future__ import annotations

import io
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from django_smsverify.models import Message, Recipient, Reply

from .conftest import PHONE, MakeProvider
from .past import past_sms
from .test_docs import CHINESE, PAGES, commands

ROW = re.compile(r"^   \* - ``([A-Z]\w*[a-z])``\n((?:     .*\n)+)", re.MULTILINE)
BOTH = pytest.mark.parametrize("rst", [PAGES["privacy"], CHINESE["privacy"]], ids=["en", "zh-hans"])


def rows_of(rst: str) -> dict[str, set[str]]:
    """The tables of the map, with the columns that it names."""
    return {name: set(re.findall(r"``(\w+)``", text)) for name, text in ROW.findall(rst)}


def fields_of() -> dict[str, dict[str, Any]]:
    """The columns of each table, by name. That of `contrib.otp` is read from its migration: to import its model without
    its app would make it one of ours."""
    models_ = [model for model in apps.get_app_config("smsverify").get_models() if not model._meta.proxy]
    (of_device,) = import_module("django_smsverify.contrib.otp.migrations.0001_initial").Migration.operations
    found: dict[str, dict[str, Any]] = {m.__name__: {f.name: f for f in m._meta.concrete_fields} for m in models_}
    return {**found, of_device.name: dict(of_device.fields)}


def is_text(field: Any) -> bool:
    """Whether a column may hold a number or free text."""
    return isinstance(field, (models.CharField, models.TextField, models.JSONField)) and not field.choices


FIELDS = fields_of()


@BOTH
def test_the_map_has_every_table(rst: str) -> None:
    assert set(rows_of(rst)) == set(FIELDS)


@BOTH
def test_the_map_names_every_column_that_may_hold_personal_data(rst: str) -> None:
    named = rows_of(rst)
    left = {
        name: missing
        for name, fields in FIELDS.items()
        if (missing := {column for column, field in fields.items() if is_text(field)} - named[name])
    }

    assert left == {}


@BOTH
def test_the_map_names_no_column_that_is_not_there(rst: str) -> None:
    surplus = {name: found - FIELDS[name].keys() for name, found in rows_of(rst).items()}

    assert {name: columns for name, columns in surplus.items() if columns} == {}


@BOTH
@pytest.mark.django_db(transaction=True)
def test_the_commands_of_the_page_run(
    rst: str, memory: MakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past_sms(memory(), 20)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    lines = commands(rst)

    # The page forgets first, and would export nothing.
    for line in sorted(lines, key=lambda line: "forget" in line):
        name, *arguments = shlex.split(line)
        call_command(name, *arguments, stdout=io.StringIO())

    assert {line.split()[0] for line in lines} == {"smsverify_prune", "smsverify_forget", "smsverify_export"}
    assert PHONE in (tmp_path / "person.json").read_text("utf-8")
    assert Message.objects.get().phone == Recipient.objects.get().phone != PHONE
    assert not Reply.objects.exists()
