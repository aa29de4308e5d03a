"""How fast a backtest is, against peers and against the bare loop, as ratios of one run.

    python benchmarks/backtest.py --candles 525600 [--vs vectorbt backtesting]

The reference strategy (benchmarks/peers/reference.py) on simulated 1-minute candles, one core: indicators are there, and
engine against engine is timed, the best of several runs after a first one. Peers live in an environment of their
own: `make bench-peers`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "peers")]

import reference

from tests import kernel_alone
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import BandReversion, TrendCross
from trading.core.types import Market
from trading.research import backtest, simulate
from trading.research.records import CLOSED, TRADES

START = datetime(2025, 1, 1, tzinfo=UTC)
PEERS = ROOT / ".venv-peers" / "bin" / "python"
EXITS = {"target_one_r": 1.5, "target_one_fraction": 1.0, "target_two_fraction": 0.0, "slippage": 0.0}
PLAIN = Params.of({**EXITS, "trailing": False, "break_even": False, "timeframe": "1m", "pairs": ["BTC/USDT"]})
MARKET = Market(
    symbol="BTC/USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("1e-8"),
    min_notional=Decimal(0),
    fee_rate=Decimal("0.001"),
)
LENGTHS = [(fast, slow) for fast in range(5, 25, 2) for slow in range(30, 80, 5)]


def best(act: Callable[[], object], times: int = 5) -> float:
    act()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        spent.append(time.perf_counter() - begun)
    return min(spent)


@njit(cache=True)
def bare_loop(open: Floats, high: Floats, low: Floats, sides: Floats, gap: Floats) -> int:
    """The least that any engine must do: the same entries and exits, no money."""
    side, stop, target, trades = 0.0, 0.0, 0.0, 0
    for k in range(1, len(open)):
        if side == 0.0 and sides[k - 1] != 0.0:
            side, trades = sides[k - 1], trades + 1
            stop, target = open[k] - side * gap[k - 1], open[k] + side * 1.5 * gap[k - 1]
        if side != 0.0 and (
            side * ((low[k] if side > 0 else high[k]) - stop) <= 0
            or side * ((high[k] if side > 0 else low[k]) - target) >= 0
        ):
            side = 0.0
    return trades


def simulated(bars: int, *, symbol: str = "BTC/USDT", timeframe: str = "1m", minutes: int = 1) -> Candles:
    stop = START + timedelta(minutes=minutes * bars)
    return simulate.candles(seed=1, symbol=symbol, timeframe=timeframe, start=START, stop=stop)


def engine(candles: Candles) -> tuple[float, float, list[list[int]]]:
    """Return (seconds of the kernel, ratio to the bare loop, trades as entry and exit bar)."""
    averages, rsi, gap = reference.indicators(candles.high, candles.low, candles.close)
    sides = reference.sides(averages[15], averages[40], rsi)
    on = kernel_alone.ground(candles, MARKET, params=PLAIN, notional=1000.0)
    setups = kernel_alone.entries(on, sides, gap)
    seconds = best(lambda: kernel_alone.trade(on, setups))
    floats = sides.astype(np.float64)
    loop = best(lambda: bare_loop(candles.open, candles.high, candles.low, floats, gap))
    made = kernel_alone.trade(on, setups)
    count = int(made.account[CLOSED])
    # A trade that closes at tick t left within bar t; one that was entered at tick t entered at the open of bar t + 1.
    pairs = [[int(made.opened_tick[n]) + 1, int(made.closed_tick[n])] for n in range(int(made.account[TRADES]))]
    whole = best(lambda: _whole(candles), 3)
    print(
        f"kernel: {len(candles) / seconds / 1e6:.1f} M candles/s, {seconds / loop:.1f} x a bare loop; {count} trades; "
        f"from candles, indicators and entries included: {len(candles) / whole / 1e6:.1f} M candles/s"
    )
    return seconds, seconds / loop, pairs


def _whole(candles: Candles) -> object:
    averages, rsi, gap = reference.indicators(candles.high, candles.low, candles.close)
    on = kernel_alone.ground(candles, MARKET, params=PLAIN, notional=1000.0)
    return kernel_alone.trade(on, kernel_alone.entries(on, reference.sides(averages[15], averages[40], rsi), gap))


def points(candles: Candles) -> float:
    """Return the seconds of a sweep over 100 pairs of lengths."""
    on = kernel_alone.ground(candles, MARKET, params=PLAIN, notional=1000.0)
    averages, rsi, gap = reference.indicators(
        candles.high, candles.low, candles.close, [length for pair in LENGTHS for length in pair]
    )

    def find(pair: tuple[int, int]) -> Any:
        return kernel_alone.entries(on, reference.sides(averages[pair[0]], averages[pair[1]], rsi), gap)

    return best(lambda: kernel_alone.scores(on, LENGTHS, find), 3)


def pipeline(bars: int) -> float:
    """Return the seconds of everything for 20 symbols: indicators, filters, guards, sizing and the exact result."""
    known = list(simulate.MARKETS)
    symbols = [*known, *(f"A{symbol}" for symbol in known)][:20]
    series, markets = {}, {}
    for symbol in symbols:
        listed = symbol if symbol in simulate.MARKETS else symbol[1:]
        candles = simulated(bars + 997 * (symbol != listed), symbol=listed, timeframe="5m", minutes=5)
        candles = candles.slice(len(candles) - bars, len(candles)) if symbol == listed else candles.slice(0, bars)
        series[symbol], markets[symbol] = candles, simulate.MARKETS[listed]
    params = Params.of({"timeframe": "5m", "pairs": symbols})
    last = max(candles.closed_at(len(candles) - 1) for candles in series.values())

    def act() -> None:
        result = backtest.run(
            series, markets, params=params, strategies=(TrendCross(), BandReversion()),
            slippage=Slippage(fraction=params.slippage), balance=Decimal(10_000), start=START, end=last,
        )  # fmt: skip
        pipeline.trades = len(result.trades)  # type: ignore[attr-defined]

    return best(act, 2)


def peer(name: str, path: str, *options: str) -> dict[str, Any]:
    if not PEERS.exists():
        sys.exit("there are no peers to compare with: run make bench-peers")
    done = subprocess.run(
        [PEERS, ROOT / "benchmarks" / "peers" / "run.py", name, path, *options],
        check=True,
        capture_output=True,
        text=True,
    )
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def save(candles: Candles, folder: str) -> str:
    path = str(Path(folder) / f"{len(candles)}.npz")
    columns = {name: getattr(candles, name) for name in ("opened", "open", "high", "low", "close", "volume")}
    np.savez(path, **columns)
    return path


def cold(candles: Candles, folder: str) -> tuple[float, float]:
    """Return the seconds of `manage.py backtest` from start to exit, its compiled code in the cache, and its peak in MB."""
    from trading.adapters.candle_store import CandleStore

    CandleStore(Path(folder) / "candles", "import").write(candles)
    call = [sys.executable, str(ROOT / "manage.py"), "backtest", "--symbols", "BTC/USDT", "--timeframe", "1m"]
    call += ["--json", str(Path(folder) / "out.json")]
    environment = {**os.environ, "JULABA_DATA_DIR": folder}
    subprocess.run(call, check=True, capture_output=True, env=environment)
    begun = time.perf_counter()
    subprocess.run(call, check=True, capture_output=True, env=environment)
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candles", type=int, default=525_600)
    parser.add_argument("--vs", nargs="*", default=[], choices=["vectorbt", "backtesting"])
    asked = parser.parse_args()
    if asked.candles < 2_000:
        parser.error("--candles must be 2000 or more")
    candles = simulated(asked.candles)
    seconds, _, pairs = engine(candles)
    part = candles.slice(0, min(105_120, len(candles)))
    swept = points(part)
    print(f"sweep of 100 points on {len(part)} candles: {swept:.3f} s")
    rates: dict[str, str] = {"vectorbt": "none", "backtesting": "none"}
    with tempfile.TemporaryDirectory(prefix="julaba-bench-") as folder:
        started, memory = cold(candles, folder)
        print(f"manage.py backtest on {len(candles)} candles, from start to exit: {started:.1f} s, {memory:.0f} MB")
        path = save(candles, folder)
        for name in asked.vs:
            theirs = peer(name, path)
            rates[name] = f"{theirs['seconds'] / seconds:.1f}"
            print(f"{name}: {len(candles) / theirs['seconds'] / 1e6:.3f} M candles/s, {theirs['trades']} trades")
            if theirs["list"]:
                ours, others = {tuple(pair) for pair in pairs}, {tuple(row[:2]) for row in theirs["list"]}
                print(f"  the same entry and exit bars: {len(ours & others)} of {len(ours | others)}")
        if "vectorbt" in asked.vs:
            theirs = peer("vectorbt", save(part, folder), "--sweep")
            print(f"vectorbt's sweep: {theirs['seconds']:.2f} s, {theirs['seconds'] / swept:.1f} times ours")
    whole = pipeline(min(105_120, asked.candles))
    print(f"20 symbols, everything included: {whole:.2f} s")
    print(
        f"candles_per_s={len(candles) / seconds:.0f} vs_vectorbt={rates['vectorbt']} "
        f"vs_backtesting={rates['backtesting']} rss_mb={memory:.0f}"
    )


if __name__ == "__main__":
    main()
