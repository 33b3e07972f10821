"""The migrations: complete, and never changed once they were released."""

from __future__ import annotations

import io
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.migrations import AddField, AddIndex, AlterModelOptions, CreateModel

from django_smsverify import migrations

NAMES = sorted(path.stem for path in Path(migrations.__path__[0]).glob("0*.py"))
RELEASED = {"0001_initial": "d21c1920cd45933486deed22e921d61a3eba6eab1b94da7b78542823b2711a56"}


def test_released_migrations_stay_as_they_are() -> None:
    folder = Path(migrations.__path__[0])

    found = {
        name: sha256((folder / f"{name}.py").read_text(encoding="utf-8").encode()).hexdigest() for name in RELEASED
    }

    assert found == RELEASED, "sites that have run a migration get no change of it: write a new one"


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_release_before_runs_on_after_a_migration(name: str) -> None:
    """Its INSERTs do not name what is new, and its other statements name what is old."""
    found = import_module(f"{migrations.__name__}.{name}").Migration.operations
    added = [operation.field for operation in found if isinstance(operation, AddField)]

    assert {type(operation) for operation in found} <= {AddField, AddIndex, AlterModelOptions, CreateModel}
    assert all(field.null or field.has_db_default() for field in added)


@pytest.mark.django_db
def test_they_match_the_models() -> None:
    out = io.StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=out)

    assert out.getvalue() == "No changes detected\n"
