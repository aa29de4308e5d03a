"""The chart: bars, indicators and marks agree with the engine's own, page by page, and the web process loads no compiler."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client

from dashboard import chart_sheet, measures
from dashboard.chart_sheet import Span
from tests import factories, page_factories
from trading import market_wiring
from trading.adapters.candle_store import CandleStore
from trading.core import indicators
from trading.core.analysis import analyse
from trading.core.params import Params
from trading.core.types import REGIMES
from trading.models import SignalStatus
from trading.research import simulate

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
STORED_FROM, STORED_TO = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 7, tzinfo=UTC)


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CandleStore:
    """Make the venue a real one that has five days of one symbol, with an hour missing in the middle."""
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    monkeypatch.setattr(settings, "EXCHANGE", "binance")
    store = CandleStore(tmp_path / "candles", market_wiring.venue_key())
    whole = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=STORED_FROM, stop=STORED_TO)
    store.write(whole.slice(0, 200))
    store.write(whole.slice(204, len(whole)))
    return store


def span(**changes: Any) -> Span:
    return Span(**{"symbol": "BTC/USDT", "timeframe": "15m", "until": NOW, "limit": 50, **changes})


def get(client: Client, path: str, **asked: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_bars_are_the_last_that_have_closed_and_pages_join_without_a_gap() -> None:
    newest = chart_sheet.bars(span())
    before = chart_sheet.bars(span(until=datetime.fromtimestamp(newest[0][0] / 1000, UTC)))

    opened = [row[0] for row in [*before, *newest]]
    assert len(opened) == 100
    assert set(np.diff(opened)) == {900_000}
    assert newest[-1][0] == (NOW - timedelta(minutes=15)).timestamp() * 1000
    one = simulate.candles(
        seed=settings.SIMULATION_SEED, symbol="BTC/USDT", timeframe="15m", start=NOW - timedelta(minutes=15), stop=NOW
    )
    assert newest[-1][1:] == pytest.approx([one.open[0], one.high[0], one.low[0], one.close[0], one.volume[0]])


def test_a_bar_that_has_not_closed_is_not_shown() -> None:
    assert chart_sheet.bars(span(until=NOW + timedelta(minutes=14)))[-1] == chart_sheet.bars(span())[-1]


def test_the_indicators_are_those_that_the_engine_decides_by() -> None:
    params = Params()
    drawn = chart_sheet.indicators(span(), params)
    # The engine sees many more bars; what they move lies far below a pixel.
    candles = simulate.candles(
        seed=settings.SIMULATION_SEED, symbol="BTC/USDT", timeframe="15m", start=NOW - timedelta(days=12), stop=NOW
    )
    real = analyse(candles, params)

    assert drawn["opened_ms"] == candles.opened[-50:].tolist()
    for name in ("sma_fast", "sma_slow", "bollinger_low", "bollinger_high", "hurst"):
        assert drawn[name] == pytest.approx(getattr(real, name)[-50:].tolist(), rel=1e-6), name
    for name in ("rsi", "adx", "atr", "macd_histogram"):
        assert drawn[name] == pytest.approx(getattr(real, name)[-50:].tolist(), rel=0.02), name
    assert drawn["regime"] == [str(REGIMES[code]) for code in real.regime[-50:]]
    hours = [datetime.fromtimestamp(at / 1000, UTC).hour for at in candles.opened[-50:].tolist()]
    assert drawn["session"] == [1 if hour < 8 else 2 if 13 <= hour < 20 else 0 for hour in hours]


@pytest.mark.parametrize("shape", ["walk", "still", "still at the end", "too short"])
def test_the_exponent_without_a_compiler_is_the_compiled_one(shape: str) -> None:
    moves = np.random.default_rng(7).normal(0.0, 0.01, 60 if shape == "too short" else 400)
    if shape == "still":
        moves[:] = 0.0
    if shape == "still at the end":
        moves[200:] = 0.0
    close = 100.0 * np.exp(np.cumsum(moves))

    found, expected = measures.hurst(close, 128), indicators.hurst(close, 128)

    # Just after the price came to rest, a running sum and a plain one differ by what rounding left.
    moving = np.isfinite(found) & np.isfinite(expected)
    assert found[moving] == pytest.approx(expected[moving], rel=1e-6, abs=1e-9)
    assert np.isnan(found[~np.isfinite(expected)]).all()


def test_a_real_venue_is_read_from_what_is_kept_and_pages_cross_a_gap(stored: CandleStore) -> None:
    symbol = {"symbol": "SOL/USDT", "until": STORED_TO, "limit": 400}
    newest = chart_sheet.bars(span(**symbol))
    before = chart_sheet.bars(span(**{**symbol, "until": datetime.fromtimestamp(newest[0][0] / 1000, UTC)}))

    assert (len(newest), len(before)) == (480 - 204, 200)
    assert newest[-1][0] == (STORED_TO - timedelta(minutes=15)).timestamp() * 1000
    assert chart_sheet.kept_timeframes("SOL/USDT") == ["15m"]
    assert chart_sheet.kept_timeframes("BTC/USDT") == chart_sheet.kept_timeframes("..") == []
    assert chart_sheet.bars(span(symbol="BTC/USDT")) == []
    assert chart_sheet.indicators(span(symbol="BTC/USDT"), Params()) == {}


def test_marks_tell_of_fills_stops_and_what_was_refused_and_why() -> None:
    row = factories.closed_trade(NOW - timedelta(hours=2), exit="68000", opened_at=NOW - timedelta(hours=6))
    page_factories.orders_of(row)
    held = factories.trade(NOW - timedelta(days=3), symbol="ETH/USDT")
    refused = factories.signal(
        NOW - timedelta(hours=1),
        bar_at=NOW - timedelta(hours=1, minutes=15),
        refused_by="adx",
        reason="adx 18.00, needs 20.00",
    )
    factories.signal(NOW, symbol="ETH/USDT", refused_by="adx", reason="another pair")
    factories.signal(NOW - timedelta(hours=1), timeframe="1h", refused_by="adx", reason="another timeframe")
    factories.signal(NOW - timedelta(hours=1), status=SignalStatus.AWAITING)

    found = chart_sheet.marks(span(), since=NOW - timedelta(hours=12))

    (trade,) = found["trades"]
    assert (trade["id"], trade["is_open"], trade["begin"]) == (
        row.pk,
        False,
        (NOW - timedelta(hours=6)).timestamp() * 1000,
    )
    assert [(fill["is_entry"], fill["buys"]) for fill in trade["fills"]] == [(True, True), (False, False)]
    assert trade["fills"][1]["text"].startswith("exit 0.1 at 68,000.00")
    assert trade["stops"][0][1] == row.first_stop
    assert [signal["text"] for signal in found["refused"]] == ["adx 18.00, needs 20.00"]
    assert found["refused"][0]["id"] == refused.pk
    assert chart_sheet.marks(span(), since=NOW - timedelta(hours=1))["trades"] == []
    # What is open stands there however long ago it began.
    assert [each["id"] for each in chart_sheet.marks(span(symbol="ETH/USDT"), since=NOW)["trades"]] == [held.pk]


def test_the_api_tells_the_same_and_says_what_is_wrong_with_a_question(viewer: Client) -> None:
    ms = int(NOW.timestamp() * 1000)
    asked: dict[str, Any] = {"symbol": "BTC/USDT", "timeframe": "15m", "until": ms, "limit": 20}
    bars = get(viewer, "candles", **asked)

    assert [row[0] for row in bars["candles"]] == get(viewer, "indicators", **asked)["columns"]["opened_ms"]
    assert bars["previous"] == bars["candles"][0][0]
    assert get(viewer, "candles", **{**asked, "until": "2026-03-10T12:00:00Z"}) == bars
    assert get(viewer, "marks", **asked) == {"trades": [], "refused": []}
    assert get(viewer, "candles", symbol="NO/SUCH")["candles"] == []
    first = viewer.get("/api/v1/candles", asked)
    assert viewer.get("/api/v1/candles", asked, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    for wrong in (
        {"timeframe": "7m"}, {"limit": "0"}, {"limit": "1001"}, {"until": "soon"}, {"until": "9" * 30}, {"symbol": ""}, {"sybmol": "x"},
    ):  # fmt: skip
        answer = viewer.get("/api/v1/candles", {**asked, **wrong})
        assert (answer.status_code, answer.json()["field"]) == (422, next(iter(wrong)))


def test_the_page_offers_pairs_and_timeframes_and_has_a_deep_link(viewer: Client) -> None:
    factories.trade(NOW, symbol="OLD/USDT")
    page = viewer.get("/chart/?symbol=ETH/USDT&timeframe=1h").content.decode()

    assert "<title>ETH/USDT 1h · Julaba</title>" in page
    assert "<option selected>ETH/USDT</option>" in page
    assert "OLD/USDT" in page  # it is not watched, but open
    assert 'rel="prev" href="?symbol=BTC%2FUSDT&amp;timeframe=1h"' in page
    assert viewer.get("/chart/?symbol=%3Cb%3E&timeframe=%3Cb%3E").status_code == 200


def test_drawing_a_chart_loads_no_compiler_and_no_data_frames() -> None:
    code = (
        "import django; django.setup(); import julaba_site.asgi, sys; from datetime import UTC, datetime; "
        "from dashboard import chart_sheet; from trading.core.params import Params; "
        "asked = chart_sheet.Span(symbol='BTC/USDT', timeframe='15m', until=datetime(2026, 3, 10, tzinfo=UTC)); "
        "assert chart_sheet.bars(asked) and chart_sheet.indicators(asked, Params()); "
        "print(sorted({'numba', 'pandas', 'ccxt', 'xgboost', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.strip() == "[]"
