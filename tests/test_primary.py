"""The default managers read the database that is written to, because a replica may be behind."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import Model

from django_smsverify.models import LateChange

OURS: set[type[Model]] = set(apps.get_app_config("smsverify").get_models()) - {LateChange}
"""All but the marks of changes, which are stored in the database of the change."""


class ReplicaRouter:
    """A router of a site with a replica."""

    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return "replica"

    def db_for_write(self, model: type[Model], **hints: object) -> str:
        return "default"


@pytest.mark.parametrize("model", sorted(OURS, key=str))
def test_the_manager_reads_the_primary(model: type[Model], settings: object) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.ReplicaRouter"]  # type: ignore[attr-defined]
    rows = model._default_manager

    assert rows.db == rows.all().db == rows.filter(pk=None).db == "default"
    assert rows.using("replica").db == rows.db_manager("replica").all().db == "replica"
