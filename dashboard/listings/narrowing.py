"""How a filter is asked so that a million rows answer at once, however many of them it lets through.

Two ways lead to the first rows of an order, and each is slow where the other is fast:

    few rows pass     look them up by the filter's own index, then sort them
    many rows pass    walk the index of the order until enough have passed

A database that does not know how often a value occurs takes the wrong one, so the rows are counted first, up to FEW.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Func, Model, Q, QuerySet

from dashboard.listings.prepared import Statement

FEW = 1000
MOST_VALUES = 500
"""A column with more different values than this is searched row by row."""


class Walked(Func):
    """A condition that SQLite does not look for in an index: the rows come in their order, and are asked one by one.

    PostgreSQL keeps count of values and needs no help.
    """

    template = "(%(expressions)s)"
    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="+(%(expressions)s)", **context)


def few(rows: QuerySet[Any], condition: Q) -> Q | None:
    """Return the few rows of a table that pass a condition with an index of its own, None where they are many."""
    model: Any = rows.model
    if _beyond(model, condition, FEW).fetch():
        return None
    return Q(pk__in=list(rows.model.objects.filter(condition).order_by().values_list("pk", flat=True)[: FEW + 1]))


@lru_cache(maxsize=100)
def _beyond(model: type[Model], condition: Q, few: int) -> Statement[Any]:
    """Return the question for a row beyond so many that pass."""
    return Statement(model._default_manager.filter(condition).order_by().values_list("pk")[few : few + 1])  # noqa: SLF001


def starting(model: type[Model], column: str, text: str) -> list[str] | None:
    """Return the values of an indexed column that begin so, in whichever case; None where it holds too many to look through.

    One jump of the index to each value: as fast over a million rows as over a hundred.
    """
    *path, name = column.split("__")
    options: Any = model._meta  # noqa: SLF001 - Django says so itself
    for step in path:
        options = options.get_field(step).related_model._meta  # noqa: SLF001
    quote = connection.ops.quote_name
    table, field = quote(options.db_table), quote(options.get_field(name).column)
    sql = (
        f"WITH RECURSIVE known(word, number) AS (SELECT MIN({field}), 1 FROM {table} UNION ALL "  # noqa: S608 - names of ours
        f"SELECT (SELECT MIN({field}) FROM {table} WHERE {field} > known.word), number + 1 FROM known "
        f"WHERE known.word IS NOT NULL AND number <= %s) SELECT word FROM known WHERE word IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [MOST_VALUES])
        words = [str(row[0]) for row in cursor.fetchall()]
    if len(words) > MOST_VALUES:
        return None
    return [word for word in words if word.casefold().startswith(text.casefold())]
