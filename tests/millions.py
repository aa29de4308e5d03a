"""As many rows as years of trading leave, made inside the database: a million trades take seconds, not hours.

    millions.fill(trades=1_000_000, now=timezone.now())

Each trade has its decision with one verdict and one answer of the AI, an entry order with its fill, and a line in the journal; beside them stands
one point of the curve a minute, one opening a day. What is the same in all of them is copied from one row that the
factories made, so a new column of a model is filled here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Model

from tests import factories, page_factories
from trading.core.advising import AI
from trading.models import Advice, DayOpening, EquityPoint, Event, Fill, Order, Signal, SignalVerdict, Trade

MINUTE = timedelta(minutes=1)
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "LINK/USDT", "ADA/USDT", "XRP/USDT", "DOGE/USDT", "AVAX/USDT")
EXITS = ("stop", "target_1", "target_2", "trailing", "time", "break_even")


def fill(*, trades: int, now: datetime) -> None:
    """Make so many closed trades, one a minute up to `now`, in an empty database that has its tables."""
    begin = now.replace(second=0, microsecond=0) - trades * MINUTE
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
        _first(begin)
        for model, columns in _plan(begin).items():
            _copy(model, columns, trades)
        factories.bot(now)
    openings = [begin + timedelta(days=day) for day in range(trades // 1440 + 1)]
    DayOpening.objects.bulk_create(
        DayOpening(date=at.date(), equity=Decimal(10_000 + number)) for number, at in enumerate(openings)
    )
    if connection.vendor == "postgresql":
        # What its autovacuum does by itself; nobody does it for SQLite.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _first(begin: datetime) -> None:
    """Make the row that the others are copies of."""
    trade = factories.closed_trade(begin, exit="67410", entry="66500", quantity="0.1", risk="1000")
    Advice.objects.create(signal=trade.signal, source=AI, approve=True, confidence=0.8, at=begin)
    page_factories.order(trade, begin, number=1, role="entry", at_price=trade.entry_price)
    factories.event(begin, "BTC/USDT long made +77.61 after fees")
    EquityPoint.objects.create(at=begin, equity=Decimal(10_000), balance=Decimal(10_000))


def _plan(begin: datetime) -> Mapping[type[Model], Mapping[str, str]]:
    """Return for each table what differs from row to row, as SQL of the number n, counted from 1."""
    at, symbol = _moment(begin), _one_of(SYMBOLS)
    side = "CASE WHEN n % 3 = 0 THEN 'short' ELSE 'long' END"
    earlier = _moment(begin - timedelta(hours=2))
    won = "(n * 7919 % 400) - 190"
    return {
        Signal: {"id": "n + 1", "symbol": symbol, "side": side, "bar_at": at, "decided_at": earlier, "score": "n % 101"},
        SignalVerdict: {"id": "n + 10", "signal_id": "n + 1", "position": "0"},
        Advice: {"id": "n + 1", "signal_id": "n + 1", "confidence": "(n % 100) / 100.0", "at": earlier},
        Trade: {
            "id": "n + 1", "signal_id": "n + 1", "symbol": symbol, "side": side, "created_at": earlier,
            "opened_at": earlier, "closed_at": at, "exit_reason": _one_of(EXITS), "gross_pnl": won,
            "fees": "1 + n % 13",
        },
        Order: {"id": "n + 10", "trade_id": "n + 1", "client_id": "'jlb-m-' || n", "created_at": earlier},
        Fill: {"id": "n + 10", "order_id": "n + 10", "venue_fill_id": "'fill-m-' || n", "at": earlier},
        Event: {"id": "n + 10", "at": at, "symbol": symbol},
        EquityPoint: {"id": "n + 10", "at": at, "equity": f"10000 + {won}"},
    }  # fmt: skip


def _copy(model: type[Model], columns: Mapping[str, str], count: int) -> None:
    """Insert copies of a table's first row; names and expressions are ours, so nothing is quoted but the columns."""
    quote, table = connection.ops.quote_name, model._meta.db_table
    names = [str(field.column) for field in model._meta.concrete_fields]
    chosen = ", ".join(f"({columns[name]})" if name in columns else f"r.{quote(name)}" for name in names)
    listed = ", ".join(quote(name) for name in names)
    first = f"(SELECT * FROM {quote(table)} ORDER BY id LIMIT 1)"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {quote(table)} ({listed}) SELECT {chosen} FROM {_numbers(count)}, {first} r")
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")


def _numbers(count: int) -> str:
    if connection.vendor == "postgresql":
        return f"generate_series(1, {count}) AS s(n)"
    return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"


def _moment(begin: datetime) -> str:
    """Return the moment n minutes after `begin` as SQL, written as Django writes moments."""
    text = begin.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if connection.vendor == "postgresql":
        return f"TIMESTAMPTZ '{text}+00' + n * INTERVAL '1 minute'"
    return f"strftime('%Y-%m-%d %H:%M:%S', {int(begin.timestamp())} + n * 60, 'unixepoch')"


def _one_of(words: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN {number} THEN '{word}'" for number, word in enumerate(words))
    return f"CASE n % {len(words)} {cases} END"
