"""The migrations: complete, and never changed once they were released."""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import call_command

from django_smsverify import migrations

RELEASED = {"0001_initial": "d21c1920cd45933486deed22e921d61a3eba6eab1b94da7b78542823b2711a56"}


def test_released_migrations_stay_as_they_are() -> None:
    folder = Path(migrations.__path__[0])

    found = {
        name: sha256((folder / f"{name}.py").read_text(encoding="utf-8").encode()).hexdigest() for name in RELEASED
    }

    assert found == RELEASED, "sites that have run a migration get no change of it: write a new one"


@pytest.mark.django_db
def test_they_match_the_models() -> None:
    out = io.StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=out)

    assert out.getvalue() == "No changes detected\n"
