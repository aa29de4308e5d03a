"""The venue's own SQLite file: it outlives a kill, and it never forgets an accepted order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from tests.venue.values import Order, Trade, plain

Row = TypeVar("Row", Order, Trade)

_ORDER = [f.name for f in fields(Order)]
_TRADE = [f.name for f in fields(Trade)]
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS orders (exchange TEXT, {", ".join(_ORDER)}, PRIMARY KEY (exchange, id));
CREATE TABLE IF NOT EXISTS trades (exchange TEXT, {", ".join(_TRADE)}, PRIMARY KEY (exchange, id));
CREATE TABLE IF NOT EXISTS balances (exchange TEXT, asset TEXT, free TEXT, locked TEXT, PRIMARY KEY (exchange, asset));
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS accepted (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, exchange TEXT, order_id INTEGER, client_id TEXT, symbol TEXT,
    side TEXT, type TEXT, quantity TEXT, price TEXT, stop_price TEXT, signed_at INTEGER, accepted_at INTEGER, origin TEXT
);
CREATE INDEX IF NOT EXISTS accepted_client ON accepted (client_id);
CREATE TRIGGER IF NOT EXISTS accepted_stays BEFORE UPDATE ON accepted BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS accepted_remains BEFORE DELETE ON accepted BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""
_ACCEPT = """
INSERT INTO accepted (exchange, order_id, client_id, symbol, side, type, quantity, price, stop_price, signed_at,
    accepted_at, origin) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
"""
_WAYS: dict[str, Callable[[Any], Any]] = {
    "Decimal": lambda value: Decimal(str(value)),
    "int": int,
    "bool": bool,
    "str": str,
}


class Store:
    """Rows are gathered while a request is worked on and committed once, before its reply."""

    def __init__(self, path: str) -> None:
        # A kill of this process loses nothing that was committed, even without a sync: the kernel holds the pages.
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(_SCHEMA)
        self._pending: list[tuple[str, tuple[Any, ...]]] = []

    def close(self) -> None:
        self._db.close()

    def accept(self, exchange: str, order: Order) -> None:
        self._pending.append(
            (
                _ACCEPT,
                (exchange, order.id, order.client_id, order.symbol, order.side, order.type, str(order.quantity),
                 str(order.price), str(order.stop_price), order.signed_at, order.accepted_at, order.origin),
            )
        )  # fmt: skip

    def order(self, exchange: str, order: Order) -> None:
        self._put("orders", _ORDER, exchange, order)

    def trade(self, exchange: str, trade: Trade) -> None:
        self._put("trades", _TRADE, exchange, trade)

    def balance(self, exchange: str, asset: str, free: Decimal, locked: Decimal) -> None:
        row = (exchange, asset, str(free), str(locked))
        self._pending.append(("INSERT OR REPLACE INTO balances VALUES (?,?,?,?)", row))

    def setting(self, name: str, body: object) -> None:
        row = (name, orjson.dumps(body, default=plain).decode())
        self._pending.append(("INSERT OR REPLACE INTO settings VALUES (?,?)", row))

    def flush(self) -> None:
        """Commit what was gathered; nothing is promised to a client before."""
        if not self._pending:
            return
        self._db.execute("BEGIN IMMEDIATE")
        for statement, row in self._pending:
            self._db.execute(statement, row)
        self._db.execute("COMMIT")
        self._pending.clear()

    def orders(self, exchange: str) -> list[Order]:
        return list(self._get(Order, "orders", _ORDER, exchange))

    def trades(self, exchange: str) -> list[Trade]:
        return list(self._get(Trade, "trades", _TRADE, exchange))

    def balances(self, exchange: str) -> dict[str, list[Decimal]]:
        rows = self._db.execute("SELECT asset, free, locked FROM balances WHERE exchange = ?", (exchange,))
        return {asset: [Decimal(free), Decimal(locked)] for asset, free, locked in rows}

    def read_setting(self, name: str) -> Any:
        row = self._db.execute("SELECT body FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def accepted(self, exchange: str) -> list[dict[str, Any]]:
        """Return every order ever accepted, oldest first."""
        cursor = self._db.execute("SELECT * FROM accepted WHERE exchange = ? ORDER BY sequence", (exchange,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _put(self, table: str, names: list[str], exchange: str, row: Order | Trade) -> None:
        values = (getattr(row, name) for name in names)
        cells = tuple(str(value) if isinstance(value, Decimal) else value for value in values)
        marks = ",".join("?" * (len(names) + 1))
        self._pending.append((f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (exchange, *cells)))

    def _get(self, kind: type[Row], table: str, names: list[str], exchange: str) -> Iterable[Row]:
        ways = {f.name: _WAYS[str(f.type)] for f in fields(kind)}
        for row in self._db.execute(
            f"SELECT {', '.join(names)} FROM {table} WHERE exchange = ? ORDER BY id", (exchange,)
        ):
            yield kind(**{name: ways[name](value) for name, value in zip(names, row, strict=True)})


def as_row(row: Order | Trade) -> dict[str, Any]:
    """Return an order or a trade as JSON cells."""
    return asdict(row)
