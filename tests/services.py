"""The database and the cache that the suite runs on, told by environment variables.

TEST_DATABASE   sqlite, a file of its own (default)
                postgresql://postgres@127.0.0.1:5432
                mysql://root@localhost?unix_socket=/run/mysqld/mysqld.sock   (MySQL, MariaDB)
                … &charset=utf8mb3   connection and tables that have no emoji; &tables=utf8mb3: the tables alone
TEST_ISOLATION  "read committed" (default) or "repeatable read"; SQLite knows neither
TEST_CACHE      locmem (default)
                redis://127.0.0.1:6379/15   each test empties this database of the server
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DATABASE = os.environ.get("TEST_DATABASE") or "sqlite"
ISOLATION = os.environ.get("TEST_ISOLATION", "")
CACHE = os.environ.get("TEST_CACHE") or "locmem"
ELSEWHERE = (DATABASE, CACHE) != ("sqlite", "locmem")
"""Whether this run repeats, on other services, what SQLite and LocMem have shown."""
CONNECTIONS = 200 if DATABASE == "sqlite" else 40
"""How many threads may have a connection at once; servers admit a hundred or so, of all who use them."""
HAS_EMOJI = "utf8mb3" not in DATABASE
"""Whether the database stores every character; where it does not, tests expect what `as_stored` tells."""
NAME = f"django_smsverify_tests_{os.getpid()}"


def database(where: str = DATABASE, isolation: str = ISOLATION) -> dict[str, Any]:
    """Django's settings of the database; every run has one of its own, so that runs may overlap."""
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
    """A file, not memory: the races are run by threads with a connection each.

    Nothing is waited for to be on the disk: what a process wrote outlives its death all the same.
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
    return {"isolation_level": isolation or "read committed", "charset": "utf8mb4"}


def pose_as_mysqlclient() -> None:
    """PyMySQL does, as mysqlclient needs a compiler and MySQL's headers."""
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()


def as_stored(text: str) -> str:
    """What the database keeps of it."""
    return text if HAS_EMOJI else re.sub(r"[^\0-\uffff]", "\ufffd", text)


def charset(url: SplitResult) -> dict[str, str]:
    """That of the tables: as the address says, else that of the connection."""
    asked = dict(parse_qsl(url.query))
    return {"CHARSET": asked.get("tables") or asked.get("charset") or "utf8mb4"} if url.scheme == "mysql" else {}


def cache(where: str = CACHE) -> dict[str, str]:
    """Django's settings of the cache."""
    if where == "locmem":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": where}
