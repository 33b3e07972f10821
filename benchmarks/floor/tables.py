"""The floor's tables and statements, for SQLite, PostgreSQL and MariaDB. Times are UNIX times."""

from __future__ import annotations

from typing import Any

from django.db import connection

TABLES = (
    "CREATE TABLE floor_number (phone varchar(16) PRIMARY KEY, used_at double precision NOT NULL)",
    "CREATE TABLE floor_known (phone varchar(16) PRIMARY KEY, verified_at double precision NOT NULL)",
    """CREATE TABLE floor_verification (
        id char(32) PRIMARY KEY, phone varchar(16) NOT NULL, purpose varchar(64) NOT NULL, digest char(64) NOT NULL,
        attempts integer NOT NULL, created_at double precision NOT NULL, expires_at double precision NOT NULL,
        verified_at double precision)""",
    """CREATE TABLE floor_message (
        id char(32) PRIMARY KEY, verification_id char(32) NOT NULL REFERENCES floor_verification (id),
        phone varchar(16) NOT NULL, status varchar(16) NOT NULL, remote_id varchar(64) NOT NULL,
        created_at double precision NOT NULL, sent_at double precision, reported_at double precision)""",
    "CREATE INDEX floor_message_phone ON floor_message (phone, created_at)",
    "CREATE INDEX floor_message_remote ON floor_message (remote_id)",
    """CREATE TABLE floor_report (
        fingerprint char(64) PRIMARY KEY, remote_id varchar(64) NOT NULL, phone varchar(16) NOT NULL,
        outcome varchar(16) NOT NULL, payload text NOT NULL, created_at double precision NOT NULL)""",
)
MYSQL = connection.vendor == "mysql"
STORE = "ON DUPLICATE KEY UPDATE {0} = VALUES({0})" if MYSQL else "ON CONFLICT (phone) DO UPDATE SET {0} = excluded.{0}"

LOCK_NUMBER = f"INSERT INTO floor_number (phone, used_at) VALUES (%s, %s) {STORE.format('used_at')}"  # noqa: S608
STORE_KNOWN = f"INSERT INTO floor_known (phone, verified_at) VALUES (%s, %s) {STORE.format('verified_at')}"  # noqa: S608
HISTORY = "SELECT created_at FROM floor_message WHERE phone = %s AND created_at > %s AND status <> 'not_sent'"
INSERT_VERIFICATION = (
    "INSERT INTO floor_verification (id, phone, purpose, digest, attempts, created_at, expires_at)"
    " VALUES (%s, %s, %s, %s, 0, %s, %s)"
)
INSERT_MESSAGE = (
    "INSERT INTO floor_message (id, verification_id, phone, status, remote_id, created_at)"
    " VALUES (%s, %s, %s, 'sending', '', %s)"
)
UPDATE_MESSAGE = "UPDATE floor_message SET status = %s, remote_id = %s, sent_at = %s WHERE id = %s"
SELECT_VERIFICATION = (
    "SELECT phone, purpose, digest, attempts, expires_at, verified_at FROM floor_verification WHERE id = %s"
)
COUNT_GUESS = (
    "UPDATE floor_verification SET attempts = attempts + 1, verified_at = %s"
    " WHERE id = %s AND attempts = %s AND verified_at IS NULL AND expires_at > %s"
)
INSERT_REPORT = (
    f"INSERT {'IGNORE ' if MYSQL else ''}INTO floor_report"  # noqa: S608 - of constants
    " (fingerprint, remote_id, phone, outcome, payload, created_at) VALUES (%s, %s, %s, %s, %s, %s)"
    f"{'' if MYSQL else ' ON CONFLICT DO NOTHING'}"
)
MATCH_REPORT = (
    "UPDATE floor_message SET status = %s, reported_at = %s"
    " WHERE remote_id = %s AND phone = %s AND status IN ('sending', 'sent', 'unknown')"
)


def create_tables() -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table)


def change(statement: str, *values: Any) -> int:
    """Runs a statement and returns the number of rows that it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def read(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
