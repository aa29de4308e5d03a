"""How often the venue is asked while the stream is up: the call counter of the fake venue over jumping clocks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests import accelerated
from tests.venue.launch import venue
from trading.adapters import kept_market, meters
from trading.services import feed_repair


async def test_twenty_pairs_over_two_bars_cost_no_call_but_those_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerated, "STEP", timedelta(seconds=20))
    # A jump of the clock makes nothing faster that the machine does: what may be late by seconds may be by two jumps.
    monkeypatch.setattr(feed_repair, "LATE", timedelta(seconds=50))
    monkeypatch.setattr(kept_market, "GRACE", timedelta(seconds=50))
    monkeypatch.setattr(kept_market, "ALIVE", timedelta(seconds=50))
    rules = {"quote": "USDT", "tick": "0.0001", "lot": "0.001", "min_notional": "5", "price": "100"}
    with venue(tmp_path / "venue.db") as place:
        coins = [f"S{number:02d}" for number in range(20)]
        for coin in coins:
            place.market(f"{coin}USDT", base=coin, exchange="binance", **rules)

        counted = requests_counted()
        start, rest = await accelerated.calls_in_an_hour(
            place, [f"{coin}/USDT" for coin in coins], tmp_path / "candles", span=timedelta(minutes=20)
        )

    assert start == {"binance GET exchangeInfo": 1, "binance GET klines": 20}
    assert rest.total() <= 2
    # Whatever the venue saw of us stands in our own count, which the stream writes down as workers do.
    assert requests_counted() - counted == start.total() + rest.total()


def requests_counted() -> int:
    return int(sum(value for (name, _), value in meters._waiting.items() if name == "julaba_exchange_requests"))
