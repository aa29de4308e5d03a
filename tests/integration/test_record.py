"""The record of closed trades: exact, and one query over the newest trades however many there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from trading.models import Trade, TradeStatus
from trading.selectors import Record, account

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the five newest trades move, so that some dozens of rows stand for a million."""
    monkeypatch.setattr(account, "MOVING", 5)
    monkeypatch.setattr(account, "_tally", account._Tally())


def closed(count: int, *, won: bool = True) -> None:
    for number in range(count):
        factories.closed_trade(NOW - timedelta(hours=number), exit="68000" if won else "66000")


def asked() -> tuple[Record, list[str]]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = account.record()
    return found, [query["sql"] for query in queries]


def test_without_a_trade_there_is_nothing_to_count() -> None:
    assert asked()[0] == Record(closed=0, won=0)


def test_what_was_counted_is_not_read_again() -> None:
    closed(20)
    closed(10, won=False)
    first, _ = asked()
    newest = Trade.objects.order_by("-pk").values_list("pk", flat=True)[0]

    again, queries = asked()

    assert first == again == Record(closed=30, won=20)
    assert len(queries) == 1
    assert account._tally.upto == newest - 5
    greatest = "MAX" if connection.vendor == "sqlite" else "GREATEST"
    assert f'"id" > ({greatest}({newest - 5}, ' in queries[0]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan is SQLite's")
def test_the_newest_trades_are_found_by_their_key() -> None:
    closed(30)
    asked()
    _, queries = asked()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0])
        plan = " ".join(str(row[-1]) for row in cursor.fetchall())

    assert "SEARCH trading_trade USING INTEGER PRIMARY KEY (rowid>?)" in plan
    assert "SCAN trading_trade" not in plan


def test_a_trade_that_is_open_or_new_still_counts_when_it_changes() -> None:
    held = factories.trade(NOW)
    closed(30)
    asked()
    newest = Trade.objects.order_by("-pk")[0]

    Trade.objects.filter(pk=held.pk).update(status=TradeStatus.CLOSED, closed_at=NOW, gross_pnl=1, fees=2)
    Trade.objects.filter(pk=newest.pk).update(gross_pnl=-1)

    assert asked()[0] == Record(closed=31, won=29)


def test_another_database_is_counted_from_its_beginning() -> None:
    closed(30)
    asked()
    asked()
    Trade.objects.filter(pk__gt=Trade.objects.order_by("pk")[2].pk).delete()

    assert asked()[0] == Record(closed=3, won=3)


def test_every_count_equals_the_plain_one() -> None:
    for number in range(40):
        closed(1, won=number % 3 == 0)
        found, _ = asked()
        rows = Trade.objects.filter(status=TradeStatus.CLOSED)
        assert found == Record(closed=rows.count(), won=sum(row.pnl > 0 for row in rows))
