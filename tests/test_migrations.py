"""The migrations: complete, and never changed once they were released."""

from __future__ import annotations

import io
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.migrations import AddField, AddIndex, AlterField, AlterModelOptions, CreateModel
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field

from django_smsverify import migrations

NAMES = sorted(path.stem for path in Path(migrations.__path__[0]).glob("0*.py"))
RELEASED = {"0001_initial": "d21c1920cd45933486deed22e921d61a3eba6eab1b94da7b78542823b2711a56"}


def test_released_migrations_stay_as_they_are() -> None:
    folder = Path(migrations.__path__[0])

    found = {
        name: sha256((folder / f"{name}.py").read_text(encoding="utf-8").encode()).hexdigest() for name in RELEASED
    }

    assert found == RELEASED, "sites that have run a migration get no change of it: write a new one"


def column_of(field: Field[Any, Any]) -> tuple[object, ...]:
    """What the database knows of a field."""
    _, kind, args, options = field.deconstruct()
    return kind, args, {name: value for name, value in options.items() if name != "choices"}


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_release_before_runs_on_after_a_migration(name: str) -> None:
    """Its INSERTs do not name what is new, and its other statements name what is old."""
    found = import_module(f"{migrations.__name__}.{name}").Migration.operations
    added = [operation.field for operation in found if isinstance(operation, AddField)]
    altered = [operation for operation in found if isinstance(operation, AlterField)]
    before = MigrationLoader(None).project_state(("smsverify", NAMES[NAMES.index(name) - 1]))

    assert {type(operation) for operation in found} <= {AddField, AddIndex, AlterField, AlterModelOptions, CreateModel}
    for one in altered:  # only in what the database does not know
        assert column_of(before.models["smsverify", one.model_name].fields[one.name]) == column_of(one.field)
    assert all(field.null or field.has_db_default() for field in added)


@pytest.mark.django_db
def test_they_match_the_models() -> None:
    out = io.StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=out)

    assert out.getvalue() == "No changes detected\n"
