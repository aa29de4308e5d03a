"""A list of rows as pages and API ask for it: filters, one sort, and paging by page or by cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from dashboard.listings import narrowing
from dashboard.listings.narrowing import Walked
from dashboard.told import Json

M = TypeVar("M", bound=Model)
MOST_COUNTED = 10_000
MOST_EXPORTED = 10_000


class BadQuery(Exception):
    """Something in the address that cannot be answered: `field` is what to correct, the text says how."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(cause)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One way to ask for less; `narrow` returns the condition of a value, or raises ValueError with what is wrong."""

    name: str
    label: str
    narrow: Callable[[str], Q]
    choices: tuple[tuple[str, str], ...] = ()
    kind: str = "text"
    """text, date or choice: what a form offers."""
    is_indexed: bool = False
    """Whether an index of its own finds what it lets through."""
    column: str = ""
    """Of a text: the indexed column that begins with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a filter lets through; where that is a lot, the rows are asked one by one in their order."""

    lets: Q
    is_walked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """What rows may be ordered by; a column that may be null has its nulls last, whichever way it is sorted."""

    column: str
    is_nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[M]):
    """One page of rows; `count` is None where there are more than MOST_COUNTED."""

    rows: list[M]
    number: int
    first: int
    count: int | None
    has_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[M]):
    """A resource that can be listed: its rows, how to narrow and order them, and what one is as JSON."""

    name: str
    rows: Callable[[], QuerySet[M]]
    filters: Sequence[Filter]
    sorts: Mapping[str, Sort]
    told: Callable[[M], dict[str, Json]]
    """Looks at nothing but the row."""
    default_sort: str = "-id"
    is_moving: bool = False
    """Whether `rows` are those of something that is another one from time to time."""

    def conditions(self, asked: Mapping[str, str]) -> list[Condition]:
        """Return what every filter of `asked` lets through; raises BadQuery. Empty values do not count."""
        found = []
        for filter in self.filters:
            if value := asked.get(filter.name, "").strip():
                try:
                    found.append(_condition(self.rows(), filter, value))
                except ValueError as wrong:
                    raise BadQuery(filter.name, str(wrong)) from wrong
        return found

    def sorting(self, asked: Mapping[str, str]) -> tuple[str, bool]:
        """Return the name of the sort and whether it goes down; raises BadQuery."""
        wanted = asked.get("sort", "").strip() or self.default_sort
        name, down = wanted.removeprefix("-"), wanted.startswith("-")
        if name not in self.sorts:
            raise BadQuery("sort", f"{name!r} is none of {', '.join(self.sorts)}; a minus before it turns it round")
        return name, down

    def limit(self, asked: Mapping[str, str]) -> int:
        """Return how many rows are asked for at most; raises BadQuery."""
        return _whole("limit", asked.get("limit", ""), default=50, high=500)

    def first(self, asked: Mapping[str, str], *, most: int) -> list[M]:
        """Return the first rows in the order asked for."""
        name, down = self.sorting(asked)
        found: list[M] = []
        for part in self.parts(self.conditions(asked), name, down=down):
            found += part[: most - len(found)]
        return found

    def page(self, asked: Mapping[str, str], *, size: int) -> Page[M]:
        """Return the page that `asked` names; a page beyond the end is the last one."""
        name, down = self.sorting(asked)
        conditions = self.conditions(asked)
        count = _counted(self.rows().filter(*(each.lets for each in conditions)))
        pages = max(1, -(-min(count, MOST_COUNTED) // size))
        number = min(_whole("page", asked.get("page", ""), default=1, high=10**6), pages)
        start = (number - 1) * size
        shown: list[M] = []
        for part in self.parts(conditions, name, down=down):
            shown += part[start : start + size - len(shown)]
            if len(shown) == size:
                break
            # The next part goes on at its begin, or further in where the page begins beyond this one.
            start = 0 if shown else start - _counted(part)
        known = count if count <= MOST_COUNTED else None
        return Page(rows=shown, number=number, first=(number - 1) * size + 1, count=known, has_next=number < pages)

    def after(self, asked: Mapping[str, str]) -> tuple[list[M], str | None]:
        """Return the rows after the cursor and the cursor of what follows; the cursor is the last row's id.

        The place is looked up in the database, so no rounding of a value can lose a row or show it twice.
        """
        limit, (name, down) = self.limit(asked), self.sorting(asked)
        begin = self._beyond(asked) if asked.get("cursor", "").strip() else None
        found: list[M] = []
        for place, part in enumerate(self.parts(self.conditions(asked), name, down=down)):
            if begin is not None and place < begin[0]:
                continue
            further = part.filter(begin[1]) if begin is not None and place == begin[0] else part
            found += further[: limit + 1 - len(found)]
            if len(found) > limit:
                break
        return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None

    def skipping(self, asked: Mapping[str, str]) -> tuple[list[M], str | None]:
        """Return the rows that follow so many others as `offset` says, and the cursor of what follows; raises BadQuery."""
        limit, (name, down) = self.limit(asked), self.sorting(asked)
        start = _whole("offset", asked.get("offset", "").strip().lstrip("0"), default=0, high=MOST_COUNTED)
        found: list[M] = []
        for part in self.parts(self.conditions(asked), name, down=down):
            found += part[start : start + limit + 1 - len(found)]
            if len(found) > limit:
                break
            start = 0 if found else max(0, start - _counted(part))
        return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None

    def parts(self, conditions: Sequence[Condition], name: str, *, down: bool) -> list[QuerySet[M]]:
        """Return the rows in their order; of a column that may be null, those without a value follow on their own.

        One query for both would be served by no index, on PostgreSQL in one direction, on SQLite with a cursor.
        """
        sort, by_pk = self.sorts[name], "-pk" if down else "pk"
        rows = self.rows().filter(*(Walked(each.lets) if each.is_walked else each.lets for each in conditions))
        known = rows.order_by(f"-{sort.column}" if down else sort.column, by_pk)
        if not sort.is_nullable:
            return [known]
        is_null = f"{sort.column}__isnull"
        return [known.filter(**{is_null: False}), rows.filter(**{is_null: True}).order_by(by_pk)]

    def _beyond(self, asked: Mapping[str, str]) -> tuple[int, Q]:
        """Return in which part the cursor stands, and the condition of what comes after it there."""
        name, down = self.sorting(asked)
        sort, pk = self.sorts[name], _whole("cursor", asked["cursor"], default=0, high=2**63 - 1)
        here = self.rows().order_by().filter(pk=pk)
        place = here.values_list(sort.column, flat=True).first() if sort.is_nullable else here.exists()
        if (place is None and not here.exists()) or place is False:
            raise BadQuery("cursor", f"{pk} is no row of this list: begin again without a cursor")
        later = Q(pk__lt=pk) if down else Q(pk__gt=pk)
        if sort.column == "pk":
            return 0, later
        if place is None:
            return 1, later
        value, less = here.values(sort.column)[:1], "lt" if down else "gt"
        # The first half alone tells an index where to begin; with the second no row of the same value is lost.
        return 0, Q(**{f"{sort.column}__{less}e": value}) & (Q(**{f"{sort.column}__{less}": value}) | later)


def _condition(rows: QuerySet[M], filter: Filter, value: str) -> Condition:
    lets = filter.narrow(value)
    if filter.column:
        words = narrowing.starting(rows.model, filter.column, value)
        if words is None:
            return Condition(lets=lets)
        lets = Q(**{f"{filter.column}__in": words})
    if not filter.is_indexed:
        return Condition(lets=lets)
    few = narrowing.few(rows, lets)
    return Condition(lets=few or lets, is_walked=few is None)


def _counted(rows: QuerySet[M]) -> int:
    """Return how many rows there are, up to one more than MOST_COUNTED."""
    return rows.order_by().values("pk")[: MOST_COUNTED + 1].count()


def _whole(field: str, text: str, *, default: int, high: int) -> int:
    text = text.strip()
    if not text:
        return default
    # isdecimal alone would take the digits of every script.
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and 1 <= int(text) <= high):
        raise BadQuery(field, f"{text[:40]!r} is no whole number from 1 to {high}")
    return int(text)


def text(name: str, label: str, lookup: str) -> Filter:
    """Return a filter for text; `lookup` says how, such as symbol__istartswith."""

    def narrow(value: str) -> Q:
        if len(value) > 100 or "\x00" in value:
            raise ValueError("is too long: at most 100 characters")
        return Q(**{lookup: value})

    return Filter(name=name, label=label, narrow=narrow)


def beginning(name: str, label: str, column: str) -> Filter:
    """Return a filter for what a column with an index and few values begins with, in whichever case."""
    return replace(text(name, label, f"{column}__istartswith"), is_indexed=True, column=column)


def choice(
    name: str, label: str, column: str, choices: Sequence[tuple[str, str]], *, is_indexed: bool = False
) -> Filter:
    def narrow(value: str) -> Q:
        values = [key for key, _ in choices]
        if value not in values:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(values)}")
        return Q(**{column: value})

    return Filter(name=name, label=label, narrow=narrow, choices=tuple(choices), kind="choice", is_indexed=is_indexed)


def conditions(name: str, label: str, choices: Sequence[tuple[str, str, Q]], *, is_indexed: bool = False) -> Filter:
    """Return a choice of conditions, each a (value, words, condition)."""
    known = {value: condition for value, _, condition in choices}

    def narrow(value: str) -> Q:
        if value not in known:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(known)}")
        return known[value]

    shown = tuple((value, words) for value, words, _ in choices)
    return Filter(name=name, label=label, narrow=narrow, choices=shown, kind="choice", is_indexed=is_indexed)


def since(column: str, *, name: str = "since", label: str = "From") -> Filter:
    return Filter(name=name, label=label, narrow=lambda value: Q(**{f"{column}__gte": _moment(value)}), kind="date")


def until(column: str, *, name: str = "until", label: str = "Before") -> Filter:
    return Filter(name=name, label=label, narrow=lambda value: Q(**{f"{column}__lt": _moment(value)}), kind="date")


def _moment(value: str) -> datetime:
    """Return the moment that an ISO date or time names, in UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{value[:40]!r} is no date such as 2026-03-01 or 2026-03-01T12:00:00Z") from None


def asked_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a QueryDict as plain text, the last one of each name."""
    return {str(name): str(value) for name, value in parameters.items()}
