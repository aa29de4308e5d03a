"""A million rows: every order and every filter of the long lists is answered by an index, whichever way the planner leans."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from dashboard import listings
from dashboard.listings import Listing, narrowing
from tests import factories, page_factories

pytestmark = pytest.mark.django_db
LONG: dict[str, Listing[Any]] = {
    "trades": listings.TRADES,
    "orders": listings.ORDERS,
    "signals": listings.SIGNALS,
    "events": listings.EVENTS,
}
on_sqlite = pytest.mark.skipif(
    "not __import__('django').db.connection.vendor == 'sqlite'", reason="reads SQLite's plans"
)


@pytest.fixture(autouse=True)
def rows() -> None:
    now = timezone.now()
    factories.overview(now)
    for number in range(3):
        page_factories.orders_of(factories.closed_trade(now - timedelta(hours=number), exit="68000"))


def asked() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every choice of every filter, and a text that occurs and one that does not."""
    for name, listing in LONG.items():
        for filter in listing.filters:
            values = [value for value, _ in filter.choices]
            if filter.kind == "text":
                values = ["b", "BTC/USDT", "stop", "none such"]
            for value in values:
                yield name, {filter.name: value}


def ids(listing: Listing[Any], question: dict[str, str]) -> list[int]:
    """Return the ids of a list as a cursor finds them, seven at a time."""
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        rows, cursor = listing.after({**question, "limit": "7", "cursor": cursor})
        found += [row.pk for row in rows]
    return found


def test_looking_up_and_walking_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [(name, {**question, **({"sort": sort} if sort else {})}) for name, question in asked()
                 for sort in ("", list(LONG[name].sorts)[-1])]  # fmt: skip
    looked_up = [ids(LONG[name], question) for name, question in questions]

    monkeypatch.setattr(narrowing, "FEW", 0)
    monkeypatch.setattr(narrowing, "MOST_VALUES", 0)

    assert [ids(LONG[name], question) for name, question in questions] == looked_up
    assert sum(map(bool, looked_up)) > len(looked_up) / 4


def test_pages_and_cursors_agree() -> None:
    for name, listing in LONG.items():
        for sort in (f"{sign}{each}" for each in listing.sorts for sign in ("", "-")):
            whole = ids(listing, {"sort": sort})
            pages = [
                listing.page({"sort": sort, "page": str(number)}, size=5) for number in range(1, len(whole) // 5 + 2)
            ]

            assert [row.pk for page in pages if page.first <= len(whole) for row in page.rows][: len(whole)] == whole, (
                name,
                sort,
            )


@on_sqlite
@pytest.mark.parametrize("name", LONG)
def test_no_order_needs_sorting_and_a_cursor_begins_where_it_stands(name: str) -> None:
    listing = LONG[name]
    last = listing.after({"limit": "1"})[1]
    assert last is not None

    for sort in (f"{sign}{each}" for each in listing.sorts for sign in ("", "-")):
        column, down = listing.sorting({"sort": sort})
        for part in listing.parts([], column, down=down):
            plan = plan_of(part)
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan, (sort, plan)
        place, beyond = listing._beyond({"sort": sort, "cursor": last})
        further = plan_of(listing.parts([], column, down=down)[place].filter(beyond))
        assert f"SEARCH {listing.rows().model._meta.db_table} USING" in further, (sort, further)


@on_sqlite
def test_every_filter_of_few_values_has_an_index_of_its_own() -> None:
    seen = set()
    for name, question in asked():
        listing = LONG[name]
        filter = next(each for each in listing.filters if each.name in question)
        if not filter.is_indexed or filter.column:
            continue
        probe = listing.rows().model.objects.filter(filter.narrow(question[filter.name])).order_by().values_list("pk")
        plan = plan_of(probe)
        # All but one status is most of the table: an index has nothing to offer there.
        assert "SEARCH" in plan or "USING COVERING INDEX" in plan or question == {"live": "false"}, (question, plan)
        seen.add((name, filter.name))

    assert seen >= {
        ("trades", "status"),
        ("trades", "reason"),
        ("trades", "side"),
        ("orders", "role"),
        ("signals", "status"),
    }


def plan_of(rows: QuerySet[Any]) -> str:
    assert connection.vendor == "sqlite"
    return str(rows[:51].explain())
