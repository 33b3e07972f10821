"""The default managers read the database that is written to, because a replica may be behind."""

from __future__ import annotations

import pytest
from django.db.models import Model

from django_smsverify.models import (
    DeliveryReport,
    Message,
    Provider,
    Recipient,
    Reply,
    ReportBatch,
    Signature,
    Template,
    Verification,
)


class ReplicaRouter:
    """A router of a site with a replica."""

    def db_for_read(self, model: type[Model], **hints: object) -> str:
        return "replica"

    def db_for_write(self, model: type[Model], **hints: object) -> str:
        return "default"


@pytest.mark.parametrize(
    "model",
    [DeliveryReport, Message, Provider, Recipient, Reply, ReportBatch, Signature, Template, Verification],
)
def test_the_manager_reads_the_primary(model: type[Model], settings: object) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.ReplicaRouter"]  # type: ignore[attr-defined]
    rows = model._default_manager

    assert rows.db == rows.all().db == rows.filter(pk=None).db == "default"
    assert rows.using("replica").db == rows.db_manager("replica").all().db == "replica"
