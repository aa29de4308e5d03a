"""One peer over the candles of an .npz file, in the peers' own environment; prints one line of JSON.

python run.py vectorbt|backtesting candles.npz [--sweep]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import reference

FEE, SIZE, UNIT = 0.001, 1000.0, 1e-6

Act = Callable[[], int]
Row = list[int]


def frame(path: str) -> pd.DataFrame:
    columns = np.load(path)
    index = pd.to_datetime(columns["opened"], unit="ms")
    names = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
    return pd.DataFrame({name: columns[key] for name, key in names.items()}, index=index)


def vectorbt(bars: pd.DataFrame, sweep: bool) -> tuple[Act, list[Row]]:
    import vectorbt as vbt

    close, opened = bars["Close"].to_numpy(), bars["Open"].to_numpy()
    lengths = [(fast, slow) for fast in range(5, 25, 2) for slow in range(30, 80, 5)] if sweep else [(15, 40)]
    averages, rsi, distance = reference.indicators(
        bars["High"].to_numpy(), bars["Low"].to_numpy(), close, [n for pair in lengths for n in pair]
    )
    found = np.column_stack([np.r_[0, reference.sides(averages[f], averages[s], rsi)[:-1]] for f, s in lengths])
    share = np.r_[np.nan, distance[:-1]] / opened
    stop = np.repeat(share[:, None], found.shape[1], axis=1)

    def act() -> int:
        made = vbt.Portfolio.from_signals(
            bars["Close"], open=bars["Open"], high=bars["High"], low=bars["Low"], price=bars["Open"],
            entries=found > 0, short_entries=found < 0, sl_stop=stop, tp_stop=1.5 * stop,
            size=SIZE, size_type="value", fees=FEE, init_cash=1e9, upon_opposite_entry="ignore",
            stop_entry_price="fillprice", freq="1min",
        )  # fmt: skip
        return int(np.sum(made.trades.count()))

    return act, []


def backtesting(bars: pd.DataFrame, sweep: bool) -> tuple[Act, list[Row]]:
    from backtesting import Backtest, Strategy

    high, low, close = (bars[name].to_numpy() for name in ("High", "Low", "Close"))
    averages, rsi, distance = reference.indicators(high, low, close)
    found = reference.sides(averages[15], averages[40], rsi)

    made: list[Row] = []

    class Reference(Strategy):
        def init(self) -> None:
            self.found = self.I(lambda: found.astype(float), plot=False)

        def next(self) -> None:
            side = self.found[-1]
            if side and not self.position and not self.orders:
                k = len(self.data) - 1
                self.enter(side, distance[k], opens[k + 1])

        def enter(self, side: float, gap: float, entry: float) -> None:
            units = max(1, round(SIZE / entry))
            order = self.buy if side > 0 else self.sell
            order(size=units, sl=entry - side * gap, tp=entry + side * 1.5 * gap)

    scaled = bars.copy()
    opens = bars["Open"].to_numpy() * UNIT
    for name in ("Open", "High", "Low", "Close"):
        scaled[name] = bars[name] * UNIT
    distance = distance * UNIT

    def act() -> int:
        stats = Backtest(scaled, Reference, cash=1e9, commission=FEE, trade_on_close=False).run()
        trades = stats["_trades"]
        made[:] = sorted(trades[["EntryBar", "ExitBar", "Size"]].to_numpy().astype(int).tolist())
        return len(trades)

    # Prices per millionth: its sizes are whole numbers, and a thousand buys less than one coin.
    return act, made


def main() -> None:
    warnings.simplefilter("ignore")
    name, path = sys.argv[1], sys.argv[2]
    bars = frame(path)
    act, made = {"vectorbt": vectorbt, "backtesting": backtesting}[name](bars, "--sweep" in sys.argv)
    seconds = []
    for _ in range(1 if name == "backtesting" else 4):
        begun = time.perf_counter()
        count = act()
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": min(seconds), "trades": count, "list": made}))


if __name__ == "__main__":
    main()
