"""How fast the engine is, as ratios within one run: analysis against TA-Lib alone, the state machine against a
bare loop, the live tick against the pure core, and the memory of each.

Run with `make bench`. Simulated candles, one thread, best of three; nothing here needs a network.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import talib
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
os.environ["JULABA_DATA_DIR"] = tempfile.mkdtemp(prefix="julaba-bench-")

import django

django.setup()

from trading import replay
from trading.adapters.candle_store import CandleStore
from trading.core import position
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.types import Side
from trading.research import simulate

START = datetime(2025, 1, 1, tzinfo=UTC)
BARS = 8_640


def best(act: Callable[[], object], times: int = 3) -> float:
    """Return the shortest of several runs in seconds, after one that warms up."""
    act()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def six_of_talib(candles: Candles) -> None:
    talib.EMA(candles.close, 15)
    talib.RSI(candles.close, 14)
    talib.ATR(candles.high, candles.low, candles.close, 14)
    talib.ADX(candles.high, candles.low, candles.close, 14)
    talib.BBANDS(candles.close, 20)
    talib.MACD(candles.close)


@njit(cache=True)
def bare_loop(high: Floats, low: Floats) -> float:
    total = 0.0
    for k in range(len(high)):
        total += high[k] - low[k]
    return total


@njit(cache=True)
def machine_loop(
    start: position.Position, rules: position.ExitRules, open: Floats, high: Floats, low: Floats, exits: Floats
) -> int:
    held, count = start, 0
    for k in range(len(open)):
        held, left = position.advance(held, rules, open[k], high[k], low[k], exits)
        count += left
        if held.remaining <= 0.0:
            held = start
    return count


def main() -> None:
    long = simulate.candles(
        seed=1, symbol="BTC/USDT", timeframe="1m", start=START, stop=START + timedelta(minutes=525_600)
    )
    stop = START + timedelta(minutes=15 * BARS)
    short = simulate.candles(seed=1, symbol="BTC/USDT", timeframe="15m", start=START, stop=stop)
    params = Params()

    talib_s = best(lambda: six_of_talib(long))
    analyse_s = best(lambda: analyse(long, params))
    print(f"analysis of {len(long)} bars: {analyse_s * 1e3:.0f} ms, {analyse_s / talib_s:.1f} x six TA-Lib indicators")

    market = simulate.MARKETS["BTC/USDT"]
    entry = float(market.price(long.open[0]))
    start = position.open_position(side=Side.LONG, entry=entry, stop=float(market.price(entry * 0.5)))
    rules = position.exit_rules(side=Side.LONG, entry=entry, stop=start.stop, params=params, market=market)
    exits = np.zeros((position.MAX_EXITS, 3))
    bare_s = best(lambda: bare_loop(long.high, long.low))
    machine_s = best(lambda: machine_loop(start, rules, long.open, long.high, long.low, exits))
    print(f"state machine: {len(long) / machine_s / 1e6:.1f} M bars/s, {machine_s / bare_s:.0f} x a bare loop")

    CandleStore(Path(os.environ["JULABA_DATA_DIR"]) / "candles", "import").write(short)
    begun = time.perf_counter()
    replay.run(symbols=["BTC/USDT"], timeframe="15m", start=None, end=stop, values={}, seed=None, exchange="import")
    replay_s = time.perf_counter() - begun
    core_s = best(lambda: analyse(short, params))
    per_tick = replay_s / len(short) * 1e3
    print(
        f"replay of {len(short)} bars: {replay_s:.0f} s, {per_tick:.1f} ms a tick, {replay_s / core_s:.0f} x one analysis"
    )
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
