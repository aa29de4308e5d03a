"""How long a closed bar takes from its candles to a decision on record, with both models and Julaba's rules asked.

Each setup is judged as a tick of twenty pairs does: candles, indicators, filters, guards, what was recorded of the books (read by
the first that asks, for all twenty), advisers, one transaction. Run with `make bench`; the last line has the figures, with the
time of the same indicators, and of that reading, alone for comparison.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
os.environ |= {"JULABA_DATA_DIR": tempfile.mkdtemp(prefix="julaba-bench-"), "LOG_LEVEL": "ERROR"}

import django
from django.conf import settings

settings.EVENT_LISTENERS = []  # nobody looks on
django.setup()

import numpy as np
from django.core.management import call_command

from mlops import making
from mlops.models import ModelKind, ModelStatus
from mlops.predictor import Predictor
from mlops.regime_classifier import RegimeClassifier
from mlops.rules import Rules
from tests.engine import close_of, context_at, enter_at, ports_over, run_tick, series, set_params
from tests.mlops.learned import NOW, planted
from trading.core.analysis import analyse
from trading.core.book_history import spans
from trading.models import Advice, Bot, Scan, ScanRow, Signal
from trading.selectors.books import books_at
from trading.services import entries

SETUPS, PAIRS = 300, 20
MOST_MS = 50.0
QUIET = (100.0, 100.5, 99.5, 100.0)


def learn() -> None:
    """Make a champion of each kind from planted samples."""
    for kind, column in ((ModelKind.PREDICTOR, "macd"), (ModelKind.REGIME, "adx")):
        data = planted(2_000, edge=1.5, column=column)
        made = making.make(
            kind, data, venue="simulated-7", timeframe="15m", by="bench", threads=2, progress=lambda *_: None, now=NOW
        )
        print(f"{kind}: {ModelStatus(made.status).label} {made.reason}")


def record_books(symbols: Sequence[str], closed_at: datetime) -> None:
    """Record what a venue told every five minutes, as far back as features look."""
    book = {"spread": 0.0004, "imbalance": -0.21, "funding_rate": 1e-4, "open_interest": 182_000.0, "source": "bench"}
    for start, end in spans(closed_at):
        at = end
        while at >= start:
            made = Scan.objects.create(at=at.replace(microsecond=0), timeframe="15m", finished_at=at)
            values = {"scan": made, "score": 1.0, "regime": "trend", "parts": {}, "book": book}
            ScanRow.objects.bulk_create([ScanRow(symbol=symbol, rank=1, **values) for symbol in symbols])
            at -= timedelta(minutes=5)


def judged() -> tuple[list[float], list[float], list[float]]:
    """Return the milliseconds of each judgement, of each analysis alone, and of each reading of books alone."""
    symbols = [f"P{number:03}/USDT" for number in range(SETUPS + 1)]
    set_params(pairs=symbols, max_open_trades=50, max_open_risk=0.5, ai_mode="filter")
    candles = {symbol: series([QUIET], symbol=symbol) for symbol in (*symbols, "BTC/USDT")}  # the models look at BTC
    advisers = (Predictor(), RegimeClassifier(), Rules())
    ports = replace(ports_over(candles, enter_at(-1)), advisers=advisers)
    context = context_at(ports, close_of(-1))
    bot, due = Bot.objects.get(), candles[symbols[0]].opened_at(len(candles[symbols[0]]) - 2)
    entries.judge(symbols[0], due, bot=bot, context=context)  # loads the models
    record_books(symbols, close_of(-1))
    taken, alone, read = [], [], []
    for place, symbol in enumerate(symbols[1:]):
        if place % PAIRS == 0:
            books = partial(books_at, symbols[1 + place : 1 + place + PAIRS])
            context = replace(context, books=cache(books))
            began = time.perf_counter()
            assert len(books(close_of(-1))) == PAIRS
            read.append((time.perf_counter() - began) * 1000.0)
        began = time.perf_counter()
        entries.judge(symbol, due, bot=bot, context=context)
        taken.append((time.perf_counter() - began) * 1000.0)
        began = time.perf_counter()
        analyse(candles[symbol], context.params)
        alone.append((time.perf_counter() - began) * 1000.0)
    return taken, alone, read


def quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))


def main() -> int:
    call_command("migrate", verbosity=0)
    learn()
    set_params()
    run_tick(ports_over(series([QUIET]), enter_at()), close_of(-1))  # opens the account, compiles
    taken, alone, read = judged()
    told = Advice.objects.filter(confidence__isnull=False).values("source").distinct().count()
    p99 = quantile(taken, 0.99)
    print(
        f"decisions={Signal.objects.count()} advisers_with_an_opinion={told} p50_ms={quantile(taken, 0.5):.1f} "
        f"p99_ms={p99:.1f} indicators_alone_p50_ms={quantile(alone, 0.5):.2f} "
        f"books_alone_p50_ms={quantile(read, 0.5):.2f}"
    )
    return 0 if p99 < MOST_MS and Signal.objects.count() > SETUPS else 1


if __name__ == "__main__":
    sys.exit(main())
