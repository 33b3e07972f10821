"""Which characters a database can store: MySQL's older character sets have no emoji.

A database is queried only for texts that have such characters; the result is kept as long as the process lives.
Databases other than MySQL and MariaDB store all characters.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.backends.base.base import BaseDatabaseWrapper

WHOLE = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")
"""MySQL's character sets that have every character."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LAST = "\uffff"
"""The last character that utf8mb3 has."""

_narrow_columns: dict[tuple[str, str], Mapping[str, str]] = {}


def narrow_columns(connection: BaseDatabaseWrapper) -> Mapping[str, str]:
    """Text columns of ours whose character set has no emoji, as `table.column`, with that character set.

    Includes the connection's character set, and the database's if our tables do not exist yet, under their
    variables.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CONCAT(table_name, '.', column_name), character_set_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name LIKE 'smsverify\\_%' AND character_set_name IS NOT NULL"
        )
        found = dict(cursor.fetchall())
        cursor.execute("SELECT @@character_set_client, @@character_set_database")
        client, database = cursor.fetchone()
    found |= {"@@character_set_client": client} | ({} if found else {"@@character_set_database": database})
    return {column: charset for column, charset in sorted(found.items()) if charset not in WHOLE}


def is_storable(text: str, connection: BaseDatabaseWrapper, column: str) -> bool:
    """Whether a column, named as `table.column`, can store every character of a text."""
    if connection.vendor != "mysql" or not text or max(text) <= LAST:
        return True
    key = connection.alias, str(connection.settings_dict["NAME"])
    if key not in _narrow_columns:
        _narrow_columns[key] = narrow_columns(connection)
    return not {"@@character_set_client", column} & _narrow_columns[key].keys()


def storable(text: str, connection: BaseDatabaseWrapper, column: str) -> str:
    """The text with a replacement for each character that the column cannot store."""
    if is_storable(text, connection, column):
        return text
    return "".join(REPLACEMENT if character > LAST else character for character in text)


def forget() -> None:
    """Clears the stored results, for tests that change a database."""
    _narrow_columns.clear()
