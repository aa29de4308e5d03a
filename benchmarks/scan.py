"""How fast pairs are scanned, that the scores are right, and how often the watch list switches on real candles.

Run with `python benchmarks/scan.py`. One core: 300 pairs of 500 bars with filters, correlations and the database write,
warm; the scores against a slow pandas reference; then, where real candles are at hand, the switches a day of a list of
one pair, by the rule that only looks at the gap and by ours. The last line has the figures.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
os.environ["JULABA_DATA_DIR"] = tempfile.mkdtemp(prefix="julaba-bench-")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import django

django.setup()

from django.core.management import call_command

from trading import events, wiring
from trading.adapters.candle_csv import read_csv
from trading.adapters.stored_market import StoredMarket
from trading.core import pair_score, pair_switch, timeframes
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.strategies import first_entries
from trading.models import Scan, ScanRow
from trading.services import scanning
from trading.services.scanning import Sources

PAIRS, BARS, RUNS = 300, 500, 5
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + BARS * timedelta(minutes=15)
REAL = ROOT.parent / "shared/data/candles"
OLD_GAP = 10.0


def walk(symbol: str, seed: int) -> Candles:
    """Return bars of a random walk that follows a common one in part."""
    common, own = (np.random.default_rng(each).normal(0.0, 0.004, BARS) for each in (0, seed + 1))
    rng = np.random.default_rng([seed, 1])
    close = 100.0 * np.exp(np.cumsum(0.5 * common + own))
    opened = np.r_[100.0, close[:-1]]
    shadows = np.exp(np.abs(rng.normal(0.0, 0.002, (2, BARS))))
    span = timeframes.milliseconds("15m")
    return Candles(
        symbol=symbol,
        timeframe="15m",
        opened=timeframes.to_ms(START) + span * np.arange(BARS, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) * shadows[0],
        low=np.minimum(opened, close) / shadows[1],
        close=close,
        volume=rng.lognormal(3.0, 0.7, BARS) * 1e4,
    )


def scan_times(series: Sequence[Candles]) -> tuple[float, float]:
    """Return the least seconds of a warm scan (CPU, wall), writes included."""
    market = StoredMarket({each.symbol: each for each in series}, fee_rate=Decimal("0.001"))
    sources = Sources(market_data=market, strategies=wiring.strategy_list())
    params = Params.of({"pairs": [each.symbol for each in series], "pair_min_volume": 1000})
    spent = []
    for _ in range(RUNS):
        Scan.objects.all().delete()
        wall, cpu = time.perf_counter(), time.process_time()
        with events.silence():  # nobody looks on
            scanning.scan_with(sources, params=params, now=NOW)
        spent.append((time.process_time() - cpu, time.perf_counter() - wall))
    assert ScanRow.objects.count() == len(series)
    return min(cpu for cpu, _ in spent), min(wall for _, wall in spent)


def reference(candles: Candles, params: Params) -> dict[str, float]:
    """Return every part of the score but the fresh setup from the textbook's definitions, in pandas and slowly."""
    frame = pd.DataFrame({name: getattr(candles, name) for name in ("high", "low", "close", "volume")})
    before = frame.close.shift()
    reach = pd.concat([frame.high - frame.low, (frame.high - before).abs(), (frame.low - before).abs()], axis=1).max(
        axis=1
    )
    up, down = frame.high.diff(), -frame.low.diff()
    rose = up.where((up > down) & (up > 0), 0.0)
    fell = down.where((down > up) & (down > 0), 0.0)
    n = params.adx_period
    plus, minus = (_wilder(each.to_numpy()[1:], n, sums=True) for each in (rose, fell))
    index = 100 * np.abs(plus - minus) / (plus + minus)
    adx = _wilder(index[n - 1 :], n)[-1]
    atr = _wilder(reach.to_numpy()[1:], params.atr_period)[-1]
    change = frame.close.diff().to_numpy()[1:]
    gains, losses = (_wilder(np.maximum(each, 0.0), params.rsi_period)[-1] for each in (change, -change))
    rsi = 100 * gains / (gains + losses)
    fast, slow = (frame.close.ewm(span=each, adjust=False).mean() for each in (params.macd_fast, params.macd_slow))
    line = fast - slow
    macd = (line - line.ewm(span=params.macd_signal, adjust=False).mean()).iloc[-1]
    ratio = candles.volume[-1] / candles.volume[-params.volume_period :].mean()
    shares = {
        "adx": adx / 50,
        "volatility": atr / candles.close[-1] / 0.01,
        "volume": ratio / 2,
        "rsi": 1 - abs(rsi - 50) / 50,
        "macd": abs(macd) / atr / 0.5,
    }
    return {name: pair_score.POINTS[name] * min(1.0, max(0.0, float(share))) for name, share in shares.items()}


def _wilder(values: np.ndarray[tuple[int], np.dtype[np.float64]], period: int, *, sums: bool = False) -> np.ndarray[tuple[int], np.dtype[np.float64]]:  # fmt: skip
    """Return Wilder's smoothing, begun with a plain mean (or, of sums, a plain sum less its mean's share)."""
    made = np.full(len(values), np.nan)
    total = float(values[: period - 1].sum()) if sums else float(values[:period].mean())
    first = period - 1 if sums else period
    if not sums:
        made[period - 1] = total
    for k in range(first, len(values)):
        total = total - total / period + values[k] if sums else total + (values[k] - total) / period
        made[k] = total
    return made


def worst_difference(series: Sequence[Candles]) -> tuple[float, float]:
    """Return the largest difference of a part in points, and pairs a second of the reference."""
    params = Params()
    rows = {row.symbol: row for row in ScanRow.objects.all()}
    begun, worst = time.process_time(), 0.0
    for candles in series:
        for name, points in reference(candles, params).items():
            worst = max(worst, abs(points - rows[candles.symbol].parts[name]))
    return worst, len(series) / (time.process_time() - begun)


def switches_a_day() -> tuple[float, float] | None:
    """Return the switches a day on the real candles: (gap alone, our rules); None where there are none."""
    files = sorted(REAL.glob("*-15m.csv"))
    if len(files) < 2:
        return None
    symbols = [f"{path.name.split('USDT')[0]}/USDT" for path in files]
    series = [
        read_csv(path, symbol=symbol, timeframe="15m", now=datetime(2026, 2, 1, tzinfo=UTC)).candles
        for path, symbol in zip(files, symbols, strict=True)
    ]
    params = Params()
    scores = np.array([list(_scores(candles, params)) for candles in series])
    days = scores.shape[1] / 96
    start = series[0].opened_at(len(series[0]) - scores.shape[1])
    old = _old_rule(scores)
    return old / days, _our_rules(scores, symbols, params, start) / days


def _scores(candles: Candles, params: Params) -> Iterator[float]:
    """Yield the score of each bar as a scan at its close would have it."""
    for last in range(BARS, len(candles)):
        window = candles.slice(last - BARS, last)
        analysis = analyse(window, params)
        sides, _ = first_entries(wiring.strategy_list(), window, analysis, params)
        found = np.flatnonzero(sides)
        since = BARS - 1 - int(found[-1]) if len(found) else None
        parts = pair_score.parts(analysis, price=float(window.close[-1]), bars_since_setup=since)
        yield sum(parts.values()) if parts else 0.0


def _old_rule(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> int:
    """Count the switches of a rule that only looks at the gap."""
    watched, made = 0, 0
    for column in scores.T:
        best = int(np.argmax(column))
        if column[best] - column[watched] >= OLD_GAP:
            watched, made = best, made + 1
    return made


def _our_rules(
    scores: np.ndarray[tuple[int, int], np.dtype[np.float64]], symbols: Sequence[str], params: Params, start: datetime
) -> int:
    """Count the switches that core.pair_switch lets through; three scans fall on each bar, as in operation."""
    watched, made, since, switched_at = 0, 0, start - timedelta(days=1), None
    for bar in range(scores.shape[1]):
        for third in range(3):
            now = start + bar * timedelta(minutes=15) + third * timedelta(minutes=5)
            best = int(np.argmax(scores[:, bar]))
            if best == watched:
                continue
            bars = [(3 * bar + third - back) // 3 for back in range(params.switch_scans)][::-1]
            asked = pair_switch.Question(
                out_symbol=symbols[watched],
                in_symbol=symbols[best],
                leads=[float(scores[best, each] - scores[watched, each]) for each in bars if each >= 0],
                watched_since=since,
                switched_at=switched_at,
                has_trade=False,
            )
            if all(verdict.passed for verdict in pair_switch.judge(asked, params=params, now=now)):
                watched, made, since, switched_at = best, made + 1, now, now
    return made


def main() -> None:
    call_command("migrate", verbosity=0)
    series = [walk("BTC/USDT", 0), *(walk(f"P{number}/USDT", number) for number in range(1, PAIRS))]
    cpu, wall = scan_times(series)
    worst, slow = worst_difference(series)
    print(
        f"scan: {PAIRS} pairs x {BARS} bars in {1000 * cpu:.0f} ms of CPU, {1000 * wall:.0f} ms in all, writes included"
    )
    print(f"reference in pandas: {slow:.0f} pairs/s; largest difference of a part {worst:.1e} points")
    found = switches_a_day()
    if found:
        print(f"real candles: {found[0]:.1f} switches a day by the gap alone, {found[1]:.2f} by our rules")
    figures = (
        f"pairs_per_s={PAIRS / cpu:.0f} scan_ms={1000 * cpu:.0f} wall_ms={1000 * wall:.0f} worst_points={worst:.1e}"
    )
    print(figures + (f" switches_old={found[0]:.1f} switches={found[1]:.2f}" if found else ""))


if __name__ == "__main__":
    main()
