"""A list of rows as pages and API ask for it: filters, one sort, and paging by page or by cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, OrderBy, Q, QuerySet

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """What rows may be ordered by; a column that may be null has its nulls last, whichever way it is sorted."""

    column: str
    is_nullable: bool = False

    def order(self, *, down: bool) -> OrderBy:
        nulls_last = True if self.is_nullable else None
        return F(self.column).desc(nulls_last=nulls_last) if down else F(self.column).asc(nulls_last=nulls_last)


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
    default_sort: str = "-id"

    def chosen(self, asked: Mapping[str, str]) -> QuerySet[M]:
        """Return the rows that pass every filter of `asked`; raises BadQuery. Empty values do not count."""
        rows = self.rows()
        for filter in self.filters:
            if value := asked.get(filter.name, "").strip():
                try:
                    rows = rows.filter(filter.narrow(value))
                except ValueError as wrong:
                    raise BadQuery(filter.name, str(wrong)) from wrong
        return rows

    def sorting(self, asked: Mapping[str, str]) -> tuple[str, bool]:
        """Return the name of the sort and whether it goes down; raises BadQuery."""
        wanted = asked.get("sort", "").strip() or self.default_sort
        name, down = wanted.removeprefix("-"), wanted.startswith("-")
        if name not in self.sorts:
            raise BadQuery("sort", f"{name!r} is none of {', '.join(self.sorts)}; a minus before it turns it round")
        return name, down

    def ordered(self, asked: Mapping[str, str]) -> QuerySet[M]:
        name, down = self.sorting(asked)
        return self.chosen(asked).order_by(self.sorts[name].order(down=down), "-pk" if down else "pk")

    def page(self, asked: Mapping[str, str], *, size: int) -> Page[M]:
        """Return the page that `asked` names; a page beyond the end is the last one."""
        rows = self.ordered(asked)
        count = self.chosen(asked).order_by()[: MOST_COUNTED + 1].count()
        pages = max(1, -(-min(count, MOST_COUNTED) // size))
        number = min(_whole("page", asked.get("page", ""), default=1, high=10**6), pages)
        start = (number - 1) * size
        shown = list(rows[start : start + size])
        known = count if count <= MOST_COUNTED else None
        return Page(rows=shown, number=number, first=start + 1, count=known, has_next=number < pages)

    def after(self, asked: Mapping[str, str]) -> tuple[list[M], str | None]:
        """Return the rows after the cursor and the cursor of what follows; the cursor is the last row's id.

        The place is looked up in the database, so no rounding of a value can lose a row or show it twice.
        """
        limit = _whole("limit", asked.get("limit", ""), default=50, high=500)
        rows = self.ordered(asked)
        if asked.get("cursor", "").strip():
            rows = rows.filter(self._beyond(asked))
        found = list(rows[: limit + 1])
        return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None

    def _beyond(self, asked: Mapping[str, str]) -> Q:
        name, down = self.sorting(asked)
        sort, pk = self.sorts[name], _whole("cursor", asked["cursor"], default=0, high=2**63 - 1)
        here = self.rows().order_by().filter(pk=pk)
        place = here.values_list(sort.column, flat=True).first() if sort.is_nullable else here.exists()
        if (place is None and not here.exists()) or place is False:
            raise BadQuery("cursor", f"{pk} is no row of this list: begin again without a cursor")
        later = Q(pk__lt=pk) if down else Q(pk__gt=pk)
        if sort.column == "pk":
            return later
        if place is None:
            return Q(**{f"{sort.column}__isnull": True}) & later
        value = here.values(sort.column)[:1]
        further = Q(**{f"{sort.column}__{'lt' if down else 'gt'}": value})
        beyond = further | (Q(**{sort.column: value}) & later)
        return beyond | Q(**{f"{sort.column}__isnull": True}) if sort.is_nullable else beyond


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


def choice(name: str, label: str, column: str, choices: Sequence[tuple[str, str]]) -> Filter:
    def narrow(value: str) -> Q:
        values = [key for key, _ in choices]
        if value not in values:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(values)}")
        return Q(**{column: value})

    return Filter(name=name, label=label, narrow=narrow, choices=tuple(choices), kind="choice")


def conditions(name: str, label: str, choices: Sequence[tuple[str, str, Q]]) -> Filter:
    """Return a choice of conditions, each a (value, words, condition)."""
    known = {value: condition for value, _, condition in choices}

    def narrow(value: str) -> Q:
        if value not in known:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(known)}")
        return known[value]

    shown = tuple((value, words) for value, words, _ in choices)
    return Filter(name=name, label=label, narrow=narrow, choices=shown, kind="choice")


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
