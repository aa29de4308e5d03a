"""First pages as they were told last: the rows are read each time, and only where one has changed are they told anew.

Whoever follows a list asks the same question again and again, and most rows will never change. To read fifty of them takes a
millisecond or two; to make objects of them, and text of those, takes ten times as long.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from django.db.models import Model, Prefetch, QuerySet

from dashboard.listings.prepared import Raw, Statement
from dashboard.listings.query import Condition, Listing

M = TypeVar("M", bound=Model)
Body = Callable[[Sequence[M], str | None], bytes]
"""Tells rows and the cursor of what follows them. It may look at nothing but the rows, or an answer would outlive its truth."""
MOST_ROWS = 100
MOST_PAGES = 24
"""Some 150 kB each."""
_FIRST = -(10**15)
"""Stand-ins of keys in statements about related rows."""


@dataclass(frozen=True, slots=True)
class _Kept:
    listing: Listing[Any]
    """Held, so that no other one gets its place in memory, which is its name here."""
    conditions: Sequence[Condition]
    parts: Sequence[Statement[Any]]
    lookups: Sequence[Prefetch[str]]
    beside: dict[int, Sequence[Statement[Any]]] = field(default_factory=dict)
    """By how many rows they are about."""
    seen: tuple[Sequence[Raw], ...] = ()
    body: bytes = b""


_lock = threading.Lock()
_pages: OrderedDict[tuple[int, frozenset[tuple[str, str]]], _Kept] = OrderedDict()


def body(listing: Listing[M], asked: Mapping[str, str], tell: Body[M]) -> bytes:
    """Return what `tell` makes of the rows that `asked` names; raises BadQuery."""
    limit = listing.limit(asked)
    if listing.is_moving or limit > MOST_ROWS or asked.get("cursor", "").strip():
        return tell(*listing.after(asked))
    key, conditions = (id(listing), frozenset(asked.items())), listing.conditions(asked)
    with _lock:
        page = _pages.get(key)
    if page is None or page.listing is not listing or page.conditions != conditions:
        page = _prepared(listing, asked, conditions, limit)
    raw: list[Sequence[Raw]] = []
    for part in page.parts:
        raw.append(part.fetch()[: limit + 1 - sum(map(len, raw))])
        if sum(map(len, raw)) > limit:
            break
    places = [part.key for part in page.parts]
    keys = [row[place] for place, rows in zip(places, raw, strict=False) for row in rows]
    beside = _beside(page, keys[:limit])
    seen = (*raw, *beside)
    if not page.body or seen != page.seen:
        rows = [row for part, some in zip(page.parts, raw, strict=False) for row in part.objects(some)][:limit]
        _join(page, rows, beside)
        page = replace(page, seen=seen, body=tell(rows, str(keys[limit - 1]) if len(keys) > limit else None))
    with _lock:
        _pages[key] = page
        _pages.move_to_end(key)
        while len(_pages) > MOST_PAGES:
            _pages.popitem(last=False)
    return page.body


def _prepared(listing: Listing[M], asked: Mapping[str, str], conditions: Sequence[Condition], limit: int) -> _Kept:
    name, down = listing.sorting(asked)
    parts = listing.parts(conditions, name, down=down)
    lookups = parts[0]._prefetch_related_lookups  # type: ignore[attr-defined] # noqa: SLF001 - nothing else tells
    return _Kept(listing, conditions, [Statement(part[: limit + 1]) for part in parts], lookups)


def _beside(page: _Kept, keys: Sequence[int]) -> list[list[Raw]]:
    """Return the related rows that are told with those of these keys."""
    if not keys or not page.lookups:
        return []
    if len(keys) not in page.beside:
        stand_ins = range(_FIRST, _FIRST + len(keys))
        page.beside[len(keys)] = [Statement(_of(page, lookup, stand_ins)) for lookup in page.lookups]
    others = {_FIRST + number: key for number, key in enumerate(keys)}
    return [statement.fetch(others) for statement in page.beside[len(keys)]]


def _join(page: _Kept, rows: Sequence[Model], beside: Sequence[Sequence[Raw]]) -> None:
    """Give each row the related rows that were read, as prefetch_related would; in lists, which is all that `.all()` needs."""
    for lookup, statement, raw in zip(page.lookups, page.beside.get(len(rows), ()), beside, strict=False):
        owner, owned = _towards(page, lookup).attname, defaultdict[int, list[Model]](list)
        for each in statement.objects(raw):
            owned[getattr(each, owner)].append(each)
        for row in rows:
            row.__dict__.setdefault("_prefetched_objects_cache", {})[lookup.prefetch_to] = owned[row.pk]


def _towards(page: _Kept, lookup: Prefetch[str]) -> Any:
    """Return the column of a related row that names its owner."""
    related: Any = page.listing.rows().model._meta.get_field(lookup.prefetch_to)  # noqa: SLF001 - Django says so itself
    return related.field


def _of(page: _Kept, lookup: Prefetch[str], keys: Sequence[int]) -> QuerySet[Any]:
    rows: Any = lookup.queryset
    found: QuerySet[Any] = rows.filter(**{f"{_towards(page, lookup).name}__in": list(keys)})
    return found
