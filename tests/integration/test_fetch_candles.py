"""manage.py fetch_candles and candles, over the fake venue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from tests.venue.launch import Venue, venue
from trading import market_wiring, wiring
from trading.adapters.ccxt_market import CcxtMarket
from trading.core import timeframes
from trading.core.ports import MarketDataUnavailable
from trading.core.quality import Sifted
from trading.management.commands import fetch_candles
from trading.models import SeriesQuality
from trading.services import candle_keeping

pytestmark = pytest.mark.django_db
BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.sqlite3") as running:
        yield running


@pytest.fixture
def place(shared: Venue, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    wiring.forget()
    settings.JULABA_DATA_DIR = tmp_path / "var"
    settings.EXCHANGE, settings.EXCHANGE_ENDPOINT = "binance", shared.base_url
    settings.MARKET_DATA = "trading.adapters.ccxt_market.CcxtMarket"
    monkeypatch.setattr(fetch_candles, "FIRST_PAUSE_S", 0.0)
    yield shared
    shared.heal()
    wiring.forget()


def fetch(**options: object) -> str:
    out = StringIO()
    call_command("fetch_candles", **{"symbol": [BTC], "timeframe": "15m", "days": 30, **options}, stdout=out)
    return out.getvalue()


def listed(*arguments: str) -> str:
    out = StringIO()
    call_command("candles", *arguments, stdout=out)
    return out.getvalue()


def klines(place: Venue) -> int:
    return int(place.log()["by_endpoint"].get("binance GET klines", 0))


def test_a_month_is_fetched_in_pages_and_only_once(place: Venue) -> None:
    before = klines(place)

    out = fetch()

    [series] = market_wiring.candle_store().series()
    assert "15m: 2880 bars are missing, 3 pages at least" in out
    assert "2880 new bars in 3 pages" in out
    assert (series.bars, series.gaps) == (2880, ())
    assert series.last == timeframes.last_closed(timezone.now(), "15m")
    assert klines(place) - before == 3
    assert "0 new bars in 0 pages" in fetch()
    assert klines(place) - before == 3


@pytest.mark.parametrize("page", [1, 2, 3])
def test_interrupted_at_any_page_it_goes_on_where_it_was(
    place: Venue, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    history = CcxtMarket.history

    def interrupted(market: CcxtMarket, symbol: str, timeframe: str, *, start: datetime, **more: datetime) -> Sifted:
        asked.append(start)
        if len(asked) == page:
            raise KeyboardInterrupt
        return history(market, symbol, timeframe, start=start, **more)

    monkeypatch.setattr(CcxtMarket, "history", interrupted)
    with pytest.raises(CommandError, match="what was fetched is kept"):
        fetch()
    fetch()

    [series] = market_wiring.candle_store().series()
    assert (series.bars, series.gaps) == (2880, ())
    assert len(asked) == 3 + 1
    assert asked[page] == asked[page - 1]


def test_a_failure_is_tried_again_and_a_lasting_one_is_said(place: Venue) -> None:
    place.fault("http_5xx", "GET klines", times=2)
    assert "2880 new bars" in fetch()

    place.fault("http_5xx", "GET klines", times=100)
    with pytest.raises(CommandError, match="call it again to go on") as failed:
        fetch(days=60)
    assert failed.value.returncode == 1
    assert market_wiring.candle_store().series()[0].bars == 2880


def test_a_short_page_of_the_venue_leaves_no_gap(place: Venue) -> None:
    place.limits(page=300)
    try:
        assert "2880 new bars in 10 pages" in fetch()
    finally:
        place.limits(page=1000)

    assert market_wiring.candle_store().series()[0].gaps == ()


def test_a_broken_bar_is_left_out_counted_and_repaired_later(place: Venue) -> None:
    sound = ["50000", "50010", "49990", "50000", "1"]
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
    at = timeframes.to_ms(hour)
    place.candles(BTC, "15m", [[at, "50000", "50010", "49990", "NaN", "1"], [at + 900_000, "0", "1", "0", "1", "1"]])

    out = fetch(days=1)

    assert "94 new bars" in out
    assert "1 gaps that the venue does not fill, 1 dropped: not a number, 1 dropped: zero or negative" in out
    assert f"2 missing from {hour:%Y-%m-%d %H:%M}" in listed()
    place.candles(BTC, "15m", [[at, *sound], [at + 900_000, *sound]])
    assert "2 bars filled" in listed("--repair")
    assert market_wiring.candle_store().series()[0].gaps == ()


def test_the_list_names_series_span_and_quality(place: Venue) -> None:
    assert "nothing is stored yet" in listed()
    fetch(days=1)
    first = timeframes.last_closed(timezone.now(), "15m") - timedelta(minutes=15) * 95

    [_, row] = listed().splitlines()

    assert row.split()[1:4] == [BTC, "15m", f"{first:%Y-%m-%d}"]
    assert row.split()[-3:] == ["96", "0", "ok"]
    SeriesQuality.objects.create(
        venue="binance", symbol=BTC, timeframe="15m", state="refused", reason="renamed", at=timezone.now()
    )
    assert listed().splitlines()[1].endswith("refused: renamed")


@pytest.mark.parametrize(
    ("_case", "options", "sentence"),
    [
        ("no such symbol", {"symbol": ["NOPE/USDT"]}, "unknown symbol 'NOPE/USDT'"),
        ("no such span", {"days": 0}, "give 1 or more"),
    ],
)
def test_what_cannot_be_fetched_is_said(place: Venue, _case: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        fetch(**options)
    assert refused.value.returncode == 2


def test_old_months_are_forgotten_whole(place: Venue) -> None:
    fetch(days=90, timeframe="1h")
    store, now = market_wiring.candle_store(), timezone.now()

    assert candle_keeping.forget(store, keep=timedelta(0), now=now) == 0
    assert candle_keeping.forget(store, keep=timedelta(days=40), now=now) >= 1

    [series] = store.series()
    assert series.first == (now - timedelta(days=40)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def test_a_venue_that_answers_with_no_list_is_unavailable(place: Venue) -> None:
    place.fault("accept_then_null", "GET klines")
    now = timezone.now()

    with pytest.raises(MarketDataUnavailable):
        market_wiring.past().history(BTC, "15m", start=now - timedelta(hours=1), stop=now, now=now)
