"""New rows, and rows that are made or changed: the SQL of each model's INSERT is compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import sql as queries
from django.db.models.constants import OnConflict

from . import compiled

_inserts: dict[tuple[type[models.Model], str, str], str] = {}
"""The SQL of each model's INSERT on each database."""
_upserts: dict[tuple[object, ...], str] = {}
AS_IT_IS: Mapping[type, type] = {
    models.BooleanField: bool,
    models.CharField: str,
    models.PositiveIntegerField: int,
    models.PositiveSmallIntegerField: int,
    models.TextField: str,
}
"""Fields, and the type of which a value goes to the database unchanged."""


def insert(row: models.Model) -> None:
    """Stores a new row, as `save(force_insert=True)` does, but without Django's signals."""
    meta, connection = row._meta, connections[router.db_for_write(type(row))]
    if connection.vendor not in compiled.VENDORS:
        return row.save(force_insert=True, using=connection.alias)
    key = type(row), connection.alias, connection.vendor
    if (sql := _inserts.get(key)) is None:
        sql = _inserts[key] = _insert_sql(row, connection)
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(sql, _values(row, connection))
        if meta.auto_field is not None:
            row.pk = _new_id(cursor, row, connection)
    row._state.adding, row._state.db = False, connection.alias
    return None


def upsert(row: models.Model, unique: str, *changed: str, returning: Sequence[str] = ()) -> bool:
    """Stores a row, or its fields `changed` in the row that has the same unique field.

    The object gets the row's id, and its fields `returning`, which must be numbers, where the database returns them.
    Returns False, and does nothing, where the database may have no upsert.
    """
    connection = connections[router.db_for_write(type(row))]
    if connection.vendor not in compiled.VENDORS:
        return False
    key = type(row), connection.alias, connection.vendor, unique, changed, returning
    if (sql := _upserts.get(key)) is None:
        get_field, has_target = row._meta.get_field, connection.features.supports_update_conflicts_with_target
        conflict = {
            "on_conflict": OnConflict.UPDATE,
            "update_fields": [get_field(name) for name in changed],
            "unique_fields": [get_field(unique)] if has_target else [],
        }
        sql = _upserts[key] = _insert_sql(row, connection, [get_field(name) for name in returning], **conflict)
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        cursor.execute(sql, _values(row, connection))
        if row._meta.auto_field is not None and connection.features.can_return_columns_from_insert:
            row.pk, *returned = cursor.fetchall()[0]
            for name, value in zip(returning, returned, strict=True):
                setattr(row, name, value)
    row._state.adding, row._state.db = False, connection.alias
    return True


def _insert_sql(
    row: models.Model, connection: BaseDatabaseWrapper, returning: Sequence[Any] = (), **conflict: Any
) -> str:
    query = queries.InsertQuery(type(row), **conflict)
    query.insert_values(_fields(row), [row])
    compiler = query.get_compiler(using=connection.alias)
    if connection.features.can_return_columns_from_insert:
        compiler.returning_fields = [*row._meta.db_returning_fields, *returning]
    return str(compiler.as_sql()[0][0])


def _fields(row: models.Model) -> list[Any]:
    return [field for field in row._meta.local_concrete_fields if field is not row._meta.auto_field]


def _values(row: models.Model, connection: BaseDatabaseWrapper) -> list[Any]:
    return [_value(row, field, connection) for field in _fields(row)]


def _value(row: models.Model, field: Any, connection: BaseDatabaseWrapper) -> Any:
    given = getattr(row, field.attname)
    if type(given) is AS_IT_IS.get(type(field)):
        return given
    value = field.pre_save(row, add=True)
    return None if value is None and field.null else field.get_db_prep_save(value, connection)


def _new_id(cursor: Any, row: models.Model, connection: BaseDatabaseWrapper) -> Any:
    if connection.features.can_return_columns_from_insert:
        return cursor.fetchall()[0][0]
    return connection.ops.last_insert_id(cursor, row._meta.db_table, str(row._meta.pk.column))
