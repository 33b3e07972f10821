"""Expressions of SQL that Django does not have, or not as cheap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models.expressions import Expression


class ValueOfRow(Expression):
    """Another value of a field for each primary key; rows that are not named keep theirs.

    `Case` with a `When` for each row is the same, but Django compiles a condition for each.
    """

    def __init__(self, model: type[models.Model], field: str, values: Mapping[Any, Any]) -> None:
        column: Any = model._meta.get_field(field)
        super().__init__(output_field=column)
        self._values = values

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        field = self.output_field
        pk, params = field.model._meta.pk, []
        for key, value in self._values.items():
            params += [pk.get_db_prep_value(key, connection), field.get_db_prep_save(value, connection)]
        quote = connection.ops.quote_name
        branches = "WHEN %s THEN %s " * len(self._values)
        return f"CASE {quote(pk.column)} {branches}ELSE {quote(field.column)} END", params
