"""Queries that are made into SQL once and asked often: for fifty rows that costs more than the database needs to find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

M = TypeVar("M", bound=Model)
Raw = tuple[Any, ...]
"""A row as the database's driver returns it."""


class Statement(Generic[M]):
    """A query as SQL, for any thread. What its related rows are fetched with is not part of it."""

    def __init__(self, rows: QuerySet[M]) -> None:
        self._compiler: Any = rows.query.get_compiler(rows.db)
        try:
            self._sql, self._values = self._compiler.as_sql()
        except EmptyResultSet:
            self._sql, self._values = "", ()

    def fetch(self, others: Mapping[Any, Any] | None = None) -> list[Raw]:
        """Return the rows raw; `others` are values to be asked with in the place of some that it was made with."""
        if not self._sql:
            return []
        values = [others.get(value, value) for value in self._values] if others else self._values
        with connections[self._compiler.using].cursor() as cursor:
            cursor.execute(self._sql, values)
            found: list[Raw] = cursor.fetchall()
        # Columns that only the order needs come last.
        return [row[: self._compiler.col_count] for row in found] if self._compiler.has_extra_select else found

    def objects(self, raw: Sequence[Raw]) -> list[M]:
        """Return raw rows of it as what a QuerySet returns."""
        return list(ModelIterable(_Fetched(self._compiler, raw))) if raw else []  # type: ignore[arg-type]

    @property
    def key(self) -> int:
        """Return the place of the key in a raw row."""
        select, fields = self._compiler.select, self._compiler.klass_info["select_fields"]
        return next(int(place) for place in fields if select[place][0].target.primary_key)


class _Fetched:
    """Stands before ModelIterable for a QuerySet, its query and their compiler, with rows that are there already."""

    def __init__(self, compiler: Any, raw: Sequence[Raw]) -> None:
        self.db, self.query, self._known_related_objects = compiler.using, self, dict[Any, Any]()
        self.select, self.klass_info = compiler.select, compiler.klass_info
        self.annotation_col_map = compiler.annotation_col_map
        self._compiler, self._raw = compiler, raw

    def get_compiler(self, using: str) -> _Fetched:
        return self

    def execute_sql(self, **_: Any) -> list[Sequence[Raw]]:
        return [self._raw]

    def results_iter(self, results: list[Sequence[Raw]]) -> Any:
        return self._compiler.results_iter(results)
