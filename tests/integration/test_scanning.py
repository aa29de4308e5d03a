"""Scans: ranked once, with what was refused and why; in parts by several workers, with the same result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.unit.core_values import walk
from trading.adapters.stored_market import StoredMarket
from trading.core import pair_filters, portfolio, timeframes
from trading.core.book import Book
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketDataUnavailable
from trading.core.strategies import BandReversion, TrendCross
from trading.models import BlacklistEntry, Event, Scan, ScanRow
from trading.services import retention, scanning
from trading.services.scanning import Sources

pytestmark = pytest.mark.django_db

BARS = 500
NAMES = ("BTC/USDT", "AAA/USDT", "BBB/USDT", "CCC/USDT", "DDD/USDT", "EEE/USDT")


def series(symbol: str, seed: int, *, bars: int = BARS, worth: float = 1e5) -> Candles:
    made = walk(seed, bars)
    shift = timeframes.milliseconds("15m") * (BARS - bars)
    return replace(made, symbol=symbol, opened=made.opened + shift, volume=made.volume * worth)


NOW = walk(1, BARS).closed_at(BARS - 1) + timedelta(seconds=7)


@dataclass
class Market(StoredMarket):
    """A stored market of which some symbols do not answer."""

    silent: frozenset[str] = frozenset()

    def __init__(self, made: Sequence[Candles], *, silent: Sequence[str] = ()) -> None:
        super().__init__({each.symbol: each for each in made}, fee_rate=Decimal("0.001"))
        self.silent = frozenset(silent)

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        if symbol in self.silent:
            raise MarketDataUnavailable("it does not answer")
        return super().candles(symbol, timeframe, now=now, limit=limit)


@dataclass
class Told:
    """The Books port with what a test says."""

    books: dict[str, Book] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def read(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Book]:
        self.asked.append(list(symbols))
        return self.books


def market() -> Market:
    return Market([series(name, seed) for seed, name in enumerate(NAMES, 1)])


def sources(source: Market | None = None, books: Told | None = None) -> Sources:
    return Sources(market_data=source or market(), strategies=(TrendCross(), BandReversion()), books=books)


def params(**values: Any) -> Params:
    return Params.of({"pairs": list(NAMES), "pair_min_volume": 1000, "pair_max_volatility": 1.0} | values)


def scan(
    source: Market | None = None, *, books: Told | None = None, now: datetime = NOW, **values: Any
) -> list[ScanRow]:
    made = scanning.scan_with(sources(source, books), params=params(**values), now=now)
    assert made is not None
    return list(made.rows.order_by("rank"))


def test_every_pair_has_a_rank_a_score_in_parts_and_its_measures() -> None:
    rows = scan()

    made = Scan.objects.get()
    assert (made.at, made.finished_at) == (NOW.replace(second=0), NOW)
    assert [row.rank for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row.symbol for row in rows} == set(NAMES) == set(made.symbols)
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    for row in rows:
        assert row.refused_by == ""
        assert row.score == pytest.approx(sum(row.parts.values()), abs=0.001)
        assert [verdict["name"] for verdict in row.verdicts] == list(Params().pair_filters)
        assert row.measures["bars"] == BARS
        assert 0 <= row.measures["timeframes"] <= 100
        assert row.measures["val"] < row.measures["poc"] < row.measures["vah"]
        assert json.dumps(row.measures, allow_nan=False)
    leader = next(row for row in rows if row.symbol == "BTC/USDT")
    assert leader.measures["bitcoin_correlation"] == 1.0
    assert leader.measures["relative_strength"] == 0.0
    assert leader.volume == pytest.approx(
        float((series("BTC/USDT", 1).tail(96).close * series("BTC/USDT", 1).tail(96).volume).sum())
    )


def test_refused_pairs_rank_after_all_others_and_say_why() -> None:
    BlacklistEntry.objects.create(symbol="AAA/USDT", reason="hack", by="operator", at=NOW)
    source = Market(
        [series(name, seed) for seed, name in enumerate(NAMES[:4], 1)] + [series("DDD/USDT", 5, bars=300)],
        silent=["EEE/USDT"],
    )

    rows = scan(source)

    assert [(row.symbol, row.refused_by) for row in rows[3:]] in (
        [(a, b) for a, b in order]
        for order in (
            [("AAA/USDT", "blacklist"), ("DDD/USDT", "age"), ("EEE/USDT", "data")],
            [("DDD/USDT", "age"), ("AAA/USDT", "blacklist"), ("EEE/USDT", "data")],
        )
    )
    reasons = {row.symbol: row.reason for row in rows}
    assert reasons["DDD/USDT"] == "has 300 bars, needs 400"
    assert reasons["EEE/USDT"] == "it does not answer"
    assert (rows[-1].price, rows[-1].score) == (None, 0.0)
    assert Event.objects.get(kind="scan").text.startswith("Scanned 6 pairs, 3 passed, best ")


def test_a_pair_that_moves_like_a_better_one_is_refused_and_one_that_moves_apart_is_not() -> None:
    twin = replace(series("BBB/USDT", 2), volume=series("BBB/USDT", 2).volume * 0.99)
    source = Market([series("AAA/USDT", 2), twin, series("CCC/USDT", 4)])

    rows = scan(source, pairs=["AAA/USDT", "BBB/USDT", "CCC/USDT"])

    assert sorted((row.symbol in ("AAA/USDT", "BBB/USDT"), row.refused_by) for row in rows) == [
        (False, ""),
        (True, ""),
        (True, "correlation"),
    ]
    told = Scan.objects.get().correlations
    place = {symbol: number for number, symbol in enumerate(told["symbols"])}
    assert told["rows"][place["AAA/USDT"]][place["BBB/USDT"]] == pytest.approx(1.0)
    assert set(told["clusters"][0]) == {place["AAA/USDT"], place["BBB/USDT"]}


def test_what_the_venue_tells_is_kept_and_what_it_does_not_tell_is_no_reason_to_fail() -> None:
    books = Told({"BTC/USDT": Book(volume=7e8, spread=0.0004, imbalance=0.3, funding_rate=0.0001, source="testvenue")})

    rows = {row.symbol: row for row in scan(books=books)}

    assert rows["BTC/USDT"].book == {"spread": 0.0004, "imbalance": 0.3, "funding_rate": 0.0001, "source": "testvenue"}
    assert rows["BTC/USDT"].volume == 7e8
    assert rows["AAA/USDT"].book == {}
    assert books.asked == [list(NAMES)]


def test_a_chosen_spread_filter_refuses_what_has_no_spread() -> None:
    books = Told({"BTC/USDT": Book(spread=0.0004, source="testvenue")})

    rows = {row.symbol: row.refused_by for row in scan(books=books, pair_filters=["spread"])}

    assert rows.pop("BTC/USDT") == ""
    assert set(rows.values()) == {"spread"}


def test_two_scans_of_one_minute_are_one_and_nothing_is_written_twice() -> None:
    first = scanning.scan_with(sources(), params=params(), now=NOW)
    again = scanning.scan_with(sources(), params=params(), now=NOW + timedelta(seconds=20))

    assert first == again
    assert ScanRow.objects.count() == len(NAMES)
    assert Event.objects.filter(kind="scan").count() == 1


def test_no_scan_is_kept_where_no_pair_has_a_score() -> None:
    assert (
        scanning.scan_with(
            sources(Market([series("BTC/USDT", 1)], silent=["BTC/USDT"])), params=params(pairs=["BTC/USDT"]), now=NOW
        )
        is None
    )
    assert not Scan.objects.exists()


def test_the_venues_most_traded_pairs_are_scanned_beside_the_listed_ones() -> None:
    books = Told({"DDD/USDT": Book(volume=5e9), "CCC/USDT": Book(volume=9e9), "EEE/USDT": Book(volume=1e3)})
    other = replace(series("X", 9), symbol="FFF/BTC")
    source = Market([*(series(name, seed) for seed, name in enumerate(NAMES, 1)), other])

    asked = params(pairs=["AAA/USDT"], scan_universe="venue", scan_most=4)

    assert scanning.universe(sources(source, books), params=asked, now=NOW) == [
        "AAA/USDT",
        "CCC/USDT",
        "DDD/USDT",
        "EEE/USDT",
    ]
    assert scanning.universe(sources(source, books), params=params(pairs=["AAA/USDT"]), now=NOW) == ["AAA/USDT"]


def test_the_list_of_a_moment_is_the_one_that_was_known_then() -> None:
    for hours, order in ((0, ("A/USDT", "B/USDT", "C/USDT")), (1, ("C/USDT", "A/USDT", "B/USDT"))):
        at = NOW + timedelta(hours=hours)
        made = Scan.objects.create(at=at, timeframe="15m", finished_at=at + timedelta(seconds=2))
        for rank, symbol in enumerate(order, 1):
            ScanRow.objects.create(
                scan=made,
                rank=rank,
                symbol=symbol,
                score=50 - rank,
                regime="trend",
                parts={},
                refused_by="age" if rank == 3 else "",
            )

    assert scanning.lists(start=NOW, end=NOW, count=2) == []
    assert scanning.lists(start=NOW + timedelta(hours=2), end=NOW + timedelta(hours=3), count=1) == [
        (NOW + timedelta(hours=1, seconds=2), ("C/USDT",))
    ]
    assert scanning.lists(start=NOW + timedelta(minutes=30), end=NOW + timedelta(hours=3), count=3) == [
        (NOW + timedelta(seconds=2), ("A/USDT", "B/USDT")),
        (NOW + timedelta(hours=1, seconds=2), ("C/USDT", "A/USDT")),
    ]


def test_scores_equal_a_slow_calculation_from_the_bars() -> None:
    rows = {row.symbol: row for row in scan()}
    moves = portfolio.returns(
        [series(name, seed) for seed, name in enumerate(NAMES, 1)],
        closed_at_ms=timeframes.to_ms(NOW.replace(second=0)),
        window=96,
    )

    made = series("CCC/USDT", 4)
    ratio = made.volume[-1] / made.volume[-20:].mean()
    assert rows["CCC/USDT"].parts["volume"] == pytest.approx(15 * min(1.0, ratio / 2), abs=1e-3)
    expected = np.corrcoef(moves[0], moves[3])[0, 1]
    assert rows["CCC/USDT"].measures["bitcoin_correlation"] == pytest.approx(expected, abs=1e-6)


def test_every_filter_that_can_be_chosen_has_an_answer() -> None:
    rows = scan(pair_filters=list(pair_filters.FILTERS), books=Told({name: Book(spread=0.001) for name in NAMES}))

    assert {verdict["name"] for row in rows for verdict in row.verdicts} == set(pair_filters.FILTERS)


def test_of_old_scans_the_ranks_and_what_is_traded_stay_and_what_was_refused_goes() -> None:
    now = NOW + timedelta(days=8)
    for at in (NOW, now):
        made = Scan.objects.create(at=at, timeframe="15m", finished_at=at)
        for rank, refused_by in ((1, ""), (2, "age"), (51, ""), (52, "volume")):
            symbol = "BTC/USDT" if rank == 52 else f"P{rank}/USDT"
            ScanRow.objects.create(
                scan=made, rank=rank, symbol=symbol, score=1, regime="trend", parts={}, refused_by=refused_by
            )

    retention.prune(now=now)

    assert list(ScanRow.objects.order_by("scan__at", "rank").values_list("rank", flat=True)) == [1, 52, 1, 2, 51, 52]
