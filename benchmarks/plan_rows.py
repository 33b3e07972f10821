"""Half a year of a busy site in the database, by a few statements that compute their rows themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_smsverify.enums import ReviewStatus
from django_smsverify.models import DeliveryReport, Message, Provider, Recipient, Reply, Template, Verification

BIG: tuple[type[models.Model], ...] = (Recipient, Verification, Message, DeliveryReport, Reply)
DAYS = 180
PURPOSES = ("login", "register", "reset-password", "change-phone", "payment", "retired")
GATEWAYS = {"new": "memory", "pushing": "ihuyi", "asked": "asked", "fetched": "fetched", "retired": "memory"}
"""Slug to gateway: three have most of the messages, `new` has none yet, and `retired` has a few old ones."""

SERIES = {
    "postgresql": "generate_series(1, CAST({} AS bigint)) AS s(n)",
    "mysql": "(SELECT seq AS n FROM seq_1_to_{}) AS s",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s) AS s",
}
AGO = {
    "postgresql": "now() - ({}) * interval '1 second'",
    "mysql": "UTC_TIMESTAMP(6) - INTERVAL ({}) SECOND",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', julianday('now') - ({}) / 86400.0)",
}
UUID = {"postgresql": "CAST({} AS uuid)", "mysql": "CAST({} AS uuid)", "sqlite": "{}"}
BIG_INTEGER = {"postgresql": "bigint", "mysql": "signed", "sqlite": "integer"}
HEX = {
    "postgresql": "lpad(to_hex({}), 12, '0')",
    "mysql": "LPAD(LOWER(HEX({})), 12, '0')",
    "sqlite": "printf('%012x', {})",
}
"""Twelve hexadecimal digits of a whole number."""
BULK = {
    # The generated rows satisfy the constraints; checking 25 million of them would take longer than all the rest.
    "postgresql": ("SET session_replication_role = replica", "SET maintenance_work_mem = '1GB'"),
    "mysql": ("SET foreign_key_checks = 0, unique_checks = 0, sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')",),
    "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF"),
}

FACTS = """
    SELECT n, age, person, status, provider, '+86' || (13000000000 + person * 599) AS phone, age * {step} AS old,
        CASE WHEN status IN ('queued', 'sending', 'not_sent') THEN '' ELSE md5('r' || n) END AS remote_id,
        CASE WHEN n % 10007 = 5 THEN 'payment' WHEN n <= 50 THEN 'retired' WHEN n % 101 < 70 THEN 'login'
            WHEN n % 101 < 90 THEN 'register' WHEN n % 101 < 99 THEN 'reset-password'
            ELSE 'change-phone' END AS purpose,
        CASE WHEN status IN ('queued', 'sending') THEN 0
            WHEN status IN ('unknown', 'accepted') AND age < {overdue} + 50 THEN 0 ELSE 1 END AS settled
    FROM (
        SELECT n, {rows} - n AS age,
            CASE WHEN n % 10000 < 10 THEN 1 + n % 10 ELSE 1 + (n * 7919) % {people} END AS person,
            CASE WHEN n <= 100 THEN {retired} WHEN n % 97 % 10 < 6 THEN {pushing}
                WHEN n % 97 % 10 < 9 THEN {asked} ELSE {fetched} END AS provider,
            CASE WHEN {rows} - n < 5 THEN 'queued'
                WHEN n % {rare} = 7 THEN 'sending'
                WHEN n % {rare} IN (11, 12, 13, 14) THEN 'unknown'
                WHEN {rows} - n < {fresh} OR {rows} - n BETWEEN {overdue} AND {overdue} + 49 THEN 'accepted'
                WHEN n % 50 = 1 THEN 'not_sent' WHEN n % 25 = 2 THEN 'undelivered' WHEN n % 50 = 3 THEN 'accepted'
                ELSE 'delivered' END AS status
        FROM {series}
    ) AS made
"""
"""One line for each message, oldest first; `age` counts from the newest, `old` is in seconds."""

REASON = (
    "CASE WHEN n % 103 = 0 THEN 'recipient' WHEN n % 103 = 1 THEN 'content'"
    " WHEN n % 103 < 10 THEN 'account' ELSE 'rate' END"
)


@dataclass(frozen=True)
class Filling:
    """Fills an empty database with `rows` messages and their related rows, or with some of these tables."""

    connection: BaseDatabaseWrapper
    rows: int
    newest: int = field(default_factory=lambda: int(time.time() * 1000))
    """When the newest row was made, in milliseconds since 1970."""
    only: tuple[type[models.Model], ...] = BIG

    def run(self, report: Callable[[str], None]) -> None:
        accounts()
        with self.connection.cursor() as cursor:
            for statement in BULK[self.connection.vendor]:
                cursor.execute(statement)
        for model, columns, where in self.tables():
            if model in self.only:
                report(model._meta.db_table)
                self._fill(model, columns, where)
        self.connection.close()  # which ends the settings of BULK
        with self.connection.cursor() as cursor:
            for model in BIG:
                analyze = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE"}.get(
                    self.connection.vendor, "ANALYZE"
                )
                cursor.execute(f"{analyze} {model._meta.db_table}")

    def _fill(self, model: type[models.Model], columns: dict[str, str], where: str) -> None:
        """Builds indexes after the rows, which is faster; but MariaDB does not drop the index of a foreign key."""
        names = ", ".join(map(self.connection.ops.quote_name, columns))
        series = self._facts() if model is not Recipient else SERIES[self.connection.vendor].format(self._people)
        indexes = [i for i in model._meta.indexes if not model._meta.get_field(i.fields[0]).is_relation]
        with self.connection.schema_editor(atomic=False) as editor:
            for index in indexes:
                editor.remove_index(model, index)
        with self.connection.cursor() as cursor:
            values = ", ".join(columns.values())
            cursor.execute(f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} FROM {series} {where}")  # noqa: S608
        with self.connection.schema_editor(atomic=False) as editor:
            for index in indexes:
                editor.add_index(model, index)

    @property
    def _people(self) -> int:
        return self.rows // 3

    @property
    def _rare(self) -> int:
        return self.rows // 20

    def _facts(self) -> str:
        providers = {slug: pk for pk, slug in Provider.objects.values_list("pk", "slug")}
        overdue, fresh = self.rows // 50, min(5000, self.rows // 100)
        sizes = {"rows": self.rows, "people": self._people, "rare": self._rare, "step": DAYS * 86400 / self.rows}
        series = SERIES[self.connection.vendor].format(self.rows)
        made = FACTS.format(series=series, overdue=overdue, fresh=fresh, **sizes, **providers)
        return f"({made}) AS facts"

    def ago(self, seconds: str) -> str:
        return AGO[self.connection.vendor].format(seconds)

    def uuid(self, text: str) -> str:
        """A hash of the text, as a fingerprint is one."""
        return self._uuid(f"substr(md5({text}), 1, 12)", 5, text)

    def id(self, text: str) -> str:
        """An id as `models.identifiers` makes them: the row's time, then a part of a hash instead of chance."""
        vendor = self.connection.vendor
        moment = f"CAST({self.newest} - old * 1000 AS {BIG_INTEGER[vendor]})"
        return self._uuid(HEX[vendor].format(moment), 7, text)

    def _uuid(self, first: str, version: int, text: str) -> str:
        """MariaDB checks version and variant."""
        digits = f"{first} || '{version}' || substr(md5({text}), 14, 3) || '8' || substr(md5({text}), 18, 15)"
        return UUID[self.connection.vendor].format(digits)

    def tables(self) -> list[tuple[type[models.Model], dict[str, str], str]]:
        """Each big table with its columns as expressions over FACTS, in the order of their foreign keys."""
        return [
            (Recipient, self._recipient(), ""),
            (Verification, self._verification(), ""),
            (Message, self._message(), ""),
            (DeliveryReport, self._report(), "WHERE status IN ('delivered', 'undelivered')"),
            (Reply, self._reply(), "WHERE n % 50 = 0"),
        ]

    def _recipient(self) -> dict[str, str]:
        return {
            "phone": "'+86' || (13000000000 + n * 599)",
            "created_at": self.ago("86400"),
            "claimed_at": self.ago("60"),
        }

    def _verification(self) -> dict[str, str]:
        guessed, right = "CASE WHEN n % 10 < 8 THEN {} END", "CASE WHEN n % 10 < 7 THEN {} END"
        moment = self.ago("old - 20")
        return {
            "id": self.id("'v' || n"),
            "recipient_id": "person",
            "phone": "phone",
            "purpose": "purpose",
            "context": "''",
            "nonce": "md5('n' || n)",
            "key_id": "'0123456789ab'",
            "code_length": "6",
            "max_attempts": "5",
            "is_reserved": "TRUE",
            "by_stranger": "FALSE",
            "created_at": self.ago("old"),
            "expires_at": self.ago("old - 300"),
            "attempts": "CASE WHEN n % 10 < 8 THEN 1 ELSE 0 END",
            "attempted_at": guessed.format(moment),
            "verified_at": right.format(moment),
            "redeemed_at": right.format(moment),
        }

    def _message(self) -> dict[str, str]:
        template = Template.objects.filter(provider__slug="pushing").values_list("pk", flat=True)[0]
        refused = "CASE WHEN status = 'not_sent' THEN {} ELSE '' END"
        waits = "CASE WHEN settled = 0 AND remote_id <> '' THEN {} END"
        return {
            "id": self.id("'m' || n"),
            "verification_id": self.id("'v' || n"),
            "provider_id": "provider",
            "template_id": str(template),
            "phone": "phone",
            "purpose": "purpose",
            "values": "''",
            "by_stranger": "FALSE",
            "attempt": "1",
            "segments": "1",
            "cost": "0.045",
            "remote_id": "remote_id",
            "status": "status",
            "error_reason": refused.format(REASON),
            "error_code": refused.format("'4010'"),
            "error_message": refused.format("'too many'"),
            "created_at": self.ago("old"),
            "claimed_at": self.ago("old"),
            "sent_at": self.ago("old - 1"),
            "polls": "n % 5",
            "settled_at": f"CASE WHEN settled = 1 THEN {self.ago('old - 4')} END",
            "poll_at": waits.format(self.ago("old - 60")),
        }

    def _report(self) -> dict[str, str]:
        # One in a hundred is for an unknown message; twenty have no message because of a crash.
        unknown, kept = "n % 100 = 50", f"n % {self._rare} = 9"
        own = self.id("'m' || n")
        source = "CASE WHEN provider = {pushing} THEN 'push' ELSE 'poll' END"
        known = dict(Provider.objects.values_list("slug", "pk"))
        return {
            "message_id": f"CASE WHEN {unknown} OR {kept} THEN NULL ELSE {own} END",
            "remote_id": f"CASE WHEN {unknown} THEN md5('x' || n) ELSE remote_id END",
            "provider_id": "provider",
            "phone": "phone",
            "outcome": "status",
            "code": "'DELIVRD'",
            "detail": "''",
            "occurred_at": self.ago("old - 3"),
            "received_at": self.ago("old - 4"),
            "payload": "'{}'",
            "source": source.format(**known),
            "fingerprint": self.uuid("'f' || n"),
        }

    def _reply(self) -> dict[str, str]:
        return {
            "provider_id": "provider",
            "message_id": self.id("'m' || n"),
            "remote_id": "remote_id",
            "phone": "phone",
            "content": "'TD' || n",
            "payload": "'{}'",
            "fingerprint": self.uuid("'f' || n"),
            "occurred_at": self.ago("old - 60"),
            "received_at": self.ago("old - 61"),
        }


def accounts() -> None:
    """The providers, with a template for each purpose."""
    common: dict[str, Any] = {"content": "您的验证码是{code}，{minutes}分钟内有效。", "status": ReviewStatus.APPROVED}
    for priority, (slug, gateway) in enumerate(GATEWAYS.items()):
        provider = Provider.objects.create(name=slug, slug=slug, gateway=gateway, priority=priority)
        for purpose in PURPOSES:
            Template.objects.create(provider=provider, purpose=purpose, name=f"{slug} {purpose}", **common)
