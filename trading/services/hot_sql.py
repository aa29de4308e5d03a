"""The statements that every idle tick runs, as SQL by hand: building them takes Django ten times as long as running them.

Both databases take them as they stand. Everything else goes through the ORM.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from trading.models import LIVE, OPEN_INSTRUCTIONS, UNDECIDED, SignalStatus, TradeStatus

Value = str | float | datetime


def insert_once(table: str, **row: Value) -> bool:
    """Insert a row unless a unique key has one already; return whether this call did."""
    return _insert(table, [row], "NOTHING") == 1


def upsert(table: str, rows: Sequence[dict[str, Value]], *, key: Sequence[str]) -> None:
    """Insert rows, or overwrite what stands under their unique key."""
    if rows:
        changes = ", ".join(f"{name} = excluded.{name}" for name in rows[0] if name not in key)
        _insert(table, rows, f"UPDATE SET {changes}", key)


def newest_revision() -> tuple[int, str] | None:
    """Return the newest parameter revision's primary key and its values as JSON text."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT id, CAST("values" AS TEXT) FROM trading_parameterrevision ORDER BY number DESC LIMIT 1')
        row = cursor.fetchone()
    return (int(row[0]), str(row[1])) if row else None


def is_any_order_live() -> bool:
    return _exists("trading_order", LIVE)


def is_any_trade_open() -> bool:
    return _exists("trading_trade", (TradeStatus.OPEN,))


def is_any_trade_entering() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM trading_trade WHERE is_entering LIMIT 1")
        return cursor.fetchone() is not None


def is_any_signal_awaiting() -> bool:
    return _is_any(f"trading_signal WHERE status = '{SignalStatus.AWAITING}'")


def is_any_proposal_open() -> bool:
    return _is_any(f"trading_proposal WHERE status IN ({', '.join(repr(str(status)) for status in UNDECIDED)})")


def is_any_instruction_open() -> bool:
    return _is_any(
        f"trading_instruction WHERE status IN ({', '.join(repr(str(status)) for status in OPEN_INSTRUCTIONS)})"
    )


def _is_any(where: str) -> bool:
    """Return whether there is such a row; its values stand in the statement, so that a partial index serves it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {where} LIMIT 1")  # noqa: S608 - nothing from outside
        return cursor.fetchone() is not None


def _exists(table: str, statuses: Sequence[str]) -> bool:
    marks = ", ".join(["%s"] * len(statuses))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE status IN ({marks}) LIMIT 1", [str(s) for s in statuses])  # noqa: S608
        return cursor.fetchone() is not None


def _insert(table: str, rows: Sequence[dict[str, Value]], conflict: str, key: Sequence[str] = ()) -> int:
    columns, target = ", ".join(rows[0]), f"({', '.join(key)})" if key else ""
    marks = ", ".join(["(" + ", ".join(["%s"] * len(rows[0])) + ")"] * len(rows))
    values = [_adapted(value) for row in rows for value in row.values()]
    with connection.cursor() as cursor:
        # Table and column names are ours, values are parameters.
        cursor.execute(f"INSERT INTO {table} ({columns}) VALUES {marks} ON CONFLICT {target} DO {conflict}", values)  # noqa: S608
        return int(cursor.rowcount)


def _adapted(value: Value) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
