"""Rows that cannot be deleted because records refer to them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from .looks import ModelAdmin


class KeptByRecords(ModelAdmin):
    """Reports only which kinds of records protect an object; Django would load and list millions of them."""

    kept_by: tuple[str, ...] = ()
    """The relations to the records."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        kept = [
            f"{obj}: {getattr(obj, name).model._meta.verbose_name_plural}"
            for obj in objs
            for name in self.kept_by
            if getattr(obj, name).first()  # the newest, by an index; exists() has no order and may read the table
        ]
        return ([], {}, set(), kept) if kept else super().get_deleted_objects(objs, request)
