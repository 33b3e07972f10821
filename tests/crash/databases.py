"""The databases of these tests: SQLite, and the servers that can be reached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests import services
from tests.servers import require

DATABASES = ("SQLite", "PostgreSQL", "MariaDB")


def database(name: str, directory: Path) -> dict[str, Any]:
    """Django's settings of a new database, as JSON; skips the test when its server cannot be reached."""
    if name == "SQLite":
        file = str(directory / "site.sqlite3")
        return {**services.database("sqlite"), "NAME": file, "TEST": {"NAME": file}}
    found, own = services.database(require(name)), f"smsverify_crash_{os.getpid()}"
    options = {key: value for key, value in found["OPTIONS"].items() if key != "isolation_level"}
    return {**found, "NAME": own, "OPTIONS": options, "TEST": {**found["TEST"], "NAME": own}}
