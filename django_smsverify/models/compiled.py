"""Statements that are compiled once: Django writes their SQL, which is kept and run again with other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import sql as queries
from django.db.models.expressions import Expression
from django.utils.functional import cached_property

from django_smsverify.transactions import retry_on_conflict

VENDORS = {"sqlite", "postgresql", "mysql"}
"""Databases whose SQL is kept, as Django's own backends write it; for any other the ORM compiles it every time."""


class Parameter(Expression):
    """The place of a value. `parameter + constant` is the place of a sum that Python makes, not the database."""

    def __init__(self, name: str, field: Any, plus: Any = None, *, is_set: bool = False) -> None:
        super().__init__(output_field=field)
        self.name, self.plus, self.is_set = name, plus, is_set

    def __add__(self, other: Any) -> Parameter:  # type: ignore[override]
        return Parameter(self.name, self.output_field, other if self.plus is None else self.plus + other)

    def as_sql(self, compiler: object, connection: object) -> tuple[str, Any]:
        return "%s", [self]

    def prepared(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> Any:
        """The value for the database; raises ValueError for None but where it is set: nothing equals NULL."""
        value = values[self.name]
        if value is None and not (self.is_set and self.plus is None):
            raise ValueError(f"{self.name} is None, which a condition would never find, nor a sum add.")
        value = value if self.plus is None else value + self.plus
        return self.output_field.get_db_prep_value(value, connection, prepared=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    sql: str
    params: tuple[Any, ...] = ()
    """Values, and a Parameter for each that changes."""
    converted: tuple[tuple[int, Expression], ...] = ()
    """The columns of a result whose values Django converts."""
    names: tuple[str, ...] = ()
    """The attribute of each column."""

    def converters(self, connection: BaseDatabaseWrapper) -> list[tuple[int, Expression, tuple[Any, ...]]]:
        """The functions that convert these columns; they belong to one connection, and are kept with it."""
        kept: dict[_Kept, list[Any]] = vars(connection).setdefault("_smsverify_converters", {})
        if self not in kept:
            kept[self] = [
                (place, column, (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)))
                for place, column in self.converted
            ]
        return kept[self]

    def bound(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        return [one.prepared(values, connection) if isinstance(one, Parameter) else one for one in self.params]


class _Statement:
    """What `build` returns for Parameters is compiled once for each database; for values the ORM can run it."""

    def __init__(self, model: str, build: Callable[..., Any], **fields: str) -> None:
        """`build` gets all rows of the model, and the values; `fields` names the model's field that prepares each."""
        self._name, self.build, self.fields = f"smsverify.{model}", build, fields
        self._kept: dict[tuple[str, str, bool], _Kept] = {}

    @cached_property
    def model(self) -> type[models.Model]:
        return apps.get_model(self._name)

    def by_orm(self, using: str, **values: Any) -> Any:
        """What `build` returns for these values."""
        return self.build(self.model._default_manager.using(using), **values)

    def _for(self, connection: BaseDatabaseWrapper) -> _Kept:
        # Some converters are chosen by USE_TZ.
        key = connection.alias, connection.vendor, settings.USE_TZ
        if (kept := self._kept.get(key)) is None:
            kept = self._kept[key] = self._compile(connection)
        return kept

    def _built(self, using: str) -> Any:
        get_field = self.model._meta.get_field
        return self.by_orm(using, **{name: Parameter(name, get_field(field)) for name, field in self.fields.items()})

    def _compile(self, connection: BaseDatabaseWrapper) -> _Kept:
        raise NotImplementedError


class Select(_Statement):
    """A query; `build` returns a QuerySet with `values_list`. A call returns its rows."""

    def __call__(self, **values: Any) -> list[Any]:
        connection = connections[router.db_for_write(self.model)]
        if connection.vendor not in VENDORS:
            return list(self.by_orm(connection.alias, **values))
        kept = self._for(connection)
        with connection.cursor() as cursor:
            cursor.execute(kept.sql, kept.bound(values, connection))
            rows = cursor.fetchall()
        if not rows:
            return []
        converters = kept.converters(connection)
        return [self._result(_converted(row, converters, connection), kept.names, connection.alias) for row in rows]

    def _result(self, row: tuple[Any, ...], names: tuple[str, ...], using: str) -> Any:
        return row

    def _compile(self, connection: BaseDatabaseWrapper) -> _Kept:
        compiler = self._built(connection.alias).query.get_compiler(using=connection.alias)
        sql, params = compiler.as_sql()
        columns = compiler.get_converters([column for column, *_ in compiler.select])
        converted = tuple((place, column) for place, (_, column) in columns.items())
        names = tuple(alias or column.target.attname for column, _, alias in compiler.select)
        return _Kept(sql, tuple(params), converted, names)


class SelectObjects(Select):
    """A query for objects; `build` returns a QuerySet, perhaps with `only` and with annotations. A call returns them.

    Its SQL is shorter than that of `values_list`, which names each column twice; SQLite's cursor reads every character.
    """

    def _result(self, row: tuple[Any, ...], names: tuple[str, ...], using: str) -> Any:
        found = self.model.from_db(using, names, row[: len(names) - len(self._annotations)])
        for name, value in zip(self._annotations, row[len(row) - len(self._annotations) :], strict=True):
            setattr(found, name, value)
        return found

    @cached_property
    def _annotations(self) -> list[str]:
        return list(self._built(router.db_for_write(self.model)).query.annotation_select)


def _converted(row: Sequence[Any], converters: Sequence[Any], connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    """The row as the ORM returns it."""
    values = list(row)
    for place, column, functions in converters:
        for convert in functions:
            values[place] = convert(values[place], column, connection)
    return tuple(values)


class Update(_Statement):
    """A change; `build` returns a QuerySet and what is set, as for `update()`. A call returns how many rows matched.

    It must be about one table: Django changes joined rows with more than one statement.
    """

    def __call__(self, **values: Any) -> int:
        connection = connections[router.db_for_write(self.model)]
        return retry_on_conflict(lambda: self._run(connection, values), connection.alias)

    def _run(self, connection: BaseDatabaseWrapper, values: Mapping[str, Any]) -> int:
        if connection.vendor not in VENDORS:
            rows, changes = self.by_orm(connection.alias, **values)
            return int(models.QuerySet.update(rows, **changes))
        kept = self._for(connection)
        params = kept.bound(values, connection)
        with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
            cursor.execute(kept.sql, params)
            return int(cursor.rowcount)

    def _compile(self, connection: BaseDatabaseWrapper) -> _Kept:
        rows, changes = self._built(connection.alias)
        query = rows.query.chain(queries.UpdateQuery)
        query.add_update_values({name: self._placed(name, value) for name, value in changes.items()})
        sql, params = query.get_compiler(using=connection.alias).as_sql()
        return _Kept(sql, tuple(params))

    def _placed(self, name: str, value: Any) -> Any:
        """What is set may be NULL, and is prepared by the column that it is set in."""
        if not isinstance(value, Parameter):
            return value
        return Parameter(value.name, self.model._meta.get_field(name), value.plus, is_set=True)
