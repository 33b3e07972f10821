"""The servers that tests may use: their addresses, and whether they can be reached.

They are on loopback, or at the URLs in TEST_POSTGRESQL, TEST_MARIADB, TEST_REDIS and TEST_RABBITMQ, written as in
tests/services.py. With REQUIRE_SERVICES=1 an unreachable server is a failure; otherwise its tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest


def ask_postgresql(where: str) -> None:
    import psycopg

    psycopg.connect(where, dbname="postgres", connect_timeout=5).close()


def ask_mariadb(where: str) -> None:
    import pymysql

    url = urlsplit(where)
    who = {"user": unquote(url.username or ""), "password": unquote(url.password or "")}
    pymysql.connect(host=url.hostname, port=url.port or 3306, **who, **dict(parse_qsl(url.query))).close()


def ask_redis(where: str) -> None:
    from redis import Redis

    with Redis.from_url(where) as client:
        client.ping()


def ask_rabbitmq(where: str) -> None:
    url = urlsplit(where)
    socket.create_connection((url.hostname or "127.0.0.1", url.port or 5672), 5).close()


ASK: dict[str, tuple[Callable[[str], None], str]] = {
    "PostgreSQL": (ask_postgresql, "postgresql://postgres@127.0.0.1:5432"),
    "MariaDB": (ask_mariadb, "mysql://root@localhost?unix_socket=/run/mysqld/mysqld.sock"),
    "Redis": (ask_redis, "redis://127.0.0.1:6379/15"),
    "RabbitMQ": (ask_rabbitmq, "amqp://guest:guest@127.0.0.1:5672//"),
}
WHERE = {name: os.environ.get(f"TEST_{name.upper()}", default) for name, (_, default) in ASK.items()}


def require(name: str) -> str:
    """The URL of a server; skips the test if the server cannot be used."""
    try:
        ASK[name][0](WHERE[name])
    except Exception as error:
        missing(f"{name} cannot be used (TEST_{name.upper()} sets its address): {error!r}")
    return WHERE[name]


def require_own_redis() -> None:
    """Skips the test unless redis-server and redis-py are installed, for a Redis that the test starts and stops."""
    if not shutil.which("redis-server"):
        missing("redis-server is not installed")
    if not find_spec("redis"):
        missing("redis-py is not installed: pip install --group services")


def missing(what: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(what)
    pytest.skip(what)
