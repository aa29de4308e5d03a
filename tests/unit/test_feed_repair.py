"""Symbols that fall quiet: how old a price may grow, and how often a venue is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from trading.core.types import Ticker
from trading.services import feed_repair
from trading.services.feed_repair import Repair

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Venue:
    """A venue whose every price is of now, and which counts what it is asked."""

    asked: list[Sequence[str]] = field(default_factory=list)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        self.asked.append(symbols)
        return {symbol: Ticker(symbol=symbol, price=1.0, at=now) for symbol in symbols}


def test_no_price_grows_old_whenever_symbols_fall_quiet_and_the_venue_is_asked_seldom() -> None:
    venue, now = Venue(), START
    nobody: Any = None
    past: Any = venue
    repair = Repair(past=past, store=nobody, board=nobody, desk=nobody, clock=lambda: now)
    # Each says its last word at another second, one never says any, and one goes on talking.
    last: dict[str, Ticker | None] = {
        f"S{n}": Ticker(symbol=f"S{n}", price=1.0, at=START + timedelta(seconds=37 * n)) for n in range(10)
    }
    last["mute"] = None
    oldest = timedelta(0)

    while now < START + timedelta(hours=1):
        now += timedelta(seconds=1)
        last["loud"] = Ticker(symbol="loud", price=1.0, at=now)
        for ticker in repair.quiet(last):
            last[ticker.symbol] = ticker
        oldest = max([oldest, *(now - ticker.at for ticker in last.values() if ticker)])

    assert oldest <= feed_repair.QUIET
    assert len(venue.asked) <= 30
    assert venue.asked[0] == ["mute"]
    assert not any("loud" in symbols for symbols in venue.asked)
