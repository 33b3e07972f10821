"""The databases and caches that sites are measured on: SQLite with local memory, and the servers that are reachable."""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers import ASK, WHERE


@dataclass(frozen=True, slots=True)
class Configuration:
    """Addresses as in tests/services.py."""

    name: str
    database: str
    cache: str

    @property
    def first_word(self) -> str:
        return self.name.partition(" ")[0].lower()


REDIS = WHERE["Redis"]
CONFIGURATIONS = (
    Configuration("SQLite + LocMem", "sqlite", "locmem"),
    Configuration("PostgreSQL + Redis", WHERE["PostgreSQL"], REDIS),
    Configuration("MariaDB + Redis", WHERE["MariaDB"], REDIS),
)


def reachable() -> list[Configuration]:
    """The configurations whose servers answer; says which do not."""
    found = []
    for one in CONFIGURATIONS:
        try:
            for server in one.name.split(" + "):
                if server in ASK:
                    ASK[server][0](WHERE[server])
        except Exception as error:
            print(f"Without {one.name}: {error!r}")
        else:
            found.append(one)
    return found
