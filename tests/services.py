"""The database and the cache that the suite runs on, set by environment variables.

TEST_DATABASE   sqlite, a file of its own (default)
                postgresql://postgres@127.0.0.1:5432
                mysql://root@localhost?unix_socket=/run/mysqld/mysqld.sock   (MySQL, MariaDB)
                … &charset=utf8mb3   connection and tables without emoji; &tables=utf8mb3: the tables alone
TEST_ISOLATION  "read committed" (default) or "repeatable read"; SQLite has neither
TEST_CACHE      locmem (default)
                redis://127.0.0.1:6379/15   each test empties this database of the server, or with pytest-xdist that
                                            of its worker: 15, 14, 13 …
TEST_QUICK_ONES 1: the quick tests that use no database are run elsewhere, too, as the run has other versions
"""

from __future__ import annotations

import os
import re
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DATABASE = os.environ.get("TEST_DATABASE") or "sqlite"
ISOLATION = os.environ.get("TEST_ISOLATION", "")
CACHE = os.environ.get("TEST_CACHE") or "locmem"
ELSEWHERE = (DATABASE, CACHE) != ("sqlite", "locmem")
"""Whether this run repeats tests on other services than SQLite and LocMem."""
QUICK_ONES = os.environ.get("TEST_QUICK_ONES") == "1"
CONNECTIONS = 200 if DATABASE == "sqlite" else 25
"""How many threads may have a connection at the same time. Servers accept about a hundred from all clients together,
with those that were just closed and have not ended."""
HAS_EMOJI = "utf8mb3" not in DATABASE
"""Whether the database stores every character; if not, tests expect the result of `as_stored`."""
NAME = f"django_smsverify_tests_{os.getpid()}"


def database(where: str = DATABASE, isolation: str = ISOLATION) -> dict[str, Any]:
    """Django's settings of the database; every run has its own database, so that runs may overlap."""
    if where == "sqlite":
        return sqlite()
    url = urlsplit(where)
    options = {"postgresql": postgresql, "mysql": mysql}[url.scheme](isolation)
    return {
        "ENGINE": f"django.db.backends.{url.scheme}",
        "NAME": NAME,
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": {**options, **{name: value for name, value in parse_qsl(url.query) if name != "tables"}},
        "TEST": {"NAME": NAME, **charset(url)},
    }


def sqlite() -> dict[str, Any]:
    """A file, not memory: tests of races run threads with a connection each.

    Writes do not wait for the disk: what a process wrote survives its crash anyway.
    """
    if ISOLATION:
        raise ValueError(f"TEST_ISOLATION={ISOLATION!r}: SQLite has no isolation levels; unset it.")
    file = Path(tempfile.gettempdir()) / f"{NAME}.sqlite3"
    options = {"timeout": 60, "init_command": "PRAGMA synchronous=OFF"}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options, "TEST": {"NAME": file}}


def postgresql(isolation: str) -> dict[str, Any]:
    from psycopg import IsolationLevel

    level = IsolationLevel[(isolation or "read committed").replace(" ", "_").upper()]
    return {"isolation_level": level, "options": "-c synchronous_commit=off"}


def mysql(isolation: str) -> dict[str, Any]:
    pose_as_mysqlclient()
    driver = import_module("MySQLdb").__name__
    # Otherwise PyMySQL reads all certificates of the system for each connection, which takes longer than most tests.
    return {"isolation_level": isolation or "read committed", "charset": "utf8mb4"} | (
        {"ssl_disabled": True} if driver == "pymysql" else {}
    )


def pose_as_mysqlclient() -> None:
    """Installs PyMySQL as mysqlclient, which needs a compiler and MySQL's headers, unless mysqlclient is there."""
    if find_spec("MySQLdb"):
        return
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()


def as_stored(text: str) -> str:
    """The text as the database stores it."""
    return text if HAS_EMOJI else re.sub(r"[^\0-\uffff]", "\ufffd", text)


def charset(url: SplitResult) -> dict[str, str]:
    """The charset of the tables: that in the URL, otherwise that of the connection."""
    query = dict(parse_qsl(url.query))
    return {"CHARSET": query.get("tables") or query.get("charset") or "utf8mb4"} if url.scheme == "mysql" else {}


def cache(where: str = CACHE) -> dict[str, str]:
    """Django's settings of the cache."""
    if where == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": where}


def of_worker(where: str, worker: str) -> str:
    """The address of a cache; in Redis that of the database which a worker of pytest-xdist has for itself."""
    server, slash, database = where.rpartition("/")
    if not (worker and where.startswith("redis") and database.isdecimal()):
        return where
    own = int(database) - int(worker.removeprefix("gw"))
    if own < 0:
        raise ValueError(
            f"TEST_CACHE={where!r}: no database is left for {worker}; name a higher one, or use fewer workers."
        )
    return f"{server}{slash}{own}"
