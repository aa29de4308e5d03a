"""How long a closed bar takes from its candles to a decision on record, with both models and Julaba's rules asked.

Each setup is judged as a tick does: candles, indicators, filters, guards, advisers, one transaction. Run with `make bench`;
the last line has the figures, with the time of the same indicators alone for comparison.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
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
from trading.models import Advice, Bot, Signal
from trading.services import entries

SETUPS = 300
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


def judged() -> tuple[list[float], list[float]]:
    """Return the milliseconds of each judgement, and of each analysis alone."""
    symbols = [f"P{number:03}/USDT" for number in range(SETUPS + 1)]
    set_params(pairs=symbols, max_open_trades=50, max_open_risk=0.5, ai_mode="filter")
    candles = {symbol: series([QUIET], symbol=symbol) for symbol in (*symbols, "BTC/USDT")}  # the models look at BTC
    advisers = (Predictor(), RegimeClassifier(), Rules())
    ports = replace(ports_over(candles, enter_at(-1)), advisers=advisers)
    context = context_at(ports, close_of(-1))
    bot, due = Bot.objects.get(), candles[symbols[0]].opened_at(len(candles[symbols[0]]) - 2)
    entries.judge(symbols[0], due, bot=bot, context=context)  # loads the models
    taken, alone = [], []
    for symbol in symbols[1:]:
        began = time.perf_counter()
        entries.judge(symbol, due, bot=bot, context=context)
        taken.append((time.perf_counter() - began) * 1000.0)
        began = time.perf_counter()
        analyse(candles[symbol], context.params)
        alone.append((time.perf_counter() - began) * 1000.0)
    return taken, alone


def quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))


def main() -> int:
    call_command("migrate", verbosity=0)
    learn()
    set_params()
    run_tick(ports_over(series([QUIET]), enter_at()), close_of(-1))  # opens the account, compiles
    taken, alone = judged()
    told = Advice.objects.filter(confidence__isnull=False).values("source").distinct().count()
    p99 = quantile(taken, 0.99)
    print(
        f"decisions={Signal.objects.count()} advisers_with_an_opinion={told} p50_ms={quantile(taken, 0.5):.1f} "
        f"p99_ms={p99:.1f} indicators_alone_p50_ms={quantile(alone, 0.5):.2f}"
    )
    return 0 if p99 < MOST_MS and Signal.objects.count() > SETUPS else 1


if __name__ == "__main__":
    sys.exit(main())
