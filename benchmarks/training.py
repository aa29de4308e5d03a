"""How long a training takes, how long a question, and how much memory: 100,000 planted samples of every feature.

Run with `make bench`. Nothing here needs a network; the last line has the figures.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "julaba_site.settings")
os.environ["JULABA_DATA_DIR"] = tempfile.mkdtemp(prefix="julaba-bench-")

import django
from django.conf import settings

settings.EVENT_LISTENERS = []  # nobody looks on
django.setup()

import numpy as np
from django.core.management import call_command
from numpy.typing import NDArray

from mlops import dataset, features, making, training
from mlops.models import ModelKind, Sample, SampleSource
from mlops.samples import WEIGHTS
from trading.core import timeframes

SAMPLES = int(os.environ.get("SAMPLES", "100000"))
ASKED = 2_000
MOST_S, MOST_MS, MOST_MB = 60.0, 2.0, 400.0
SPAN = timeframes.milliseconds("15m")


def plant() -> None:
    """Store samples of which one column tells something, in parts, as a backtest does."""
    rng = np.random.default_rng(1)
    for first in range(0, SAMPLES, 5_000):
        count = min(5_000, SAMPLES - first)
        x = rng.normal(size=(count, len(features.NAMES)))
        won = rng.random(count) < 1.0 / (1.0 + np.exp(0.4 - x[:, 3]))
        x[rng.random(x.shape) < 0.02] = np.nan
        began = 1_600_000_000_000 + SPAN * np.arange(first, first + count)
        began -= began % SPAN
        Sample.objects.bulk_create(
            [
                Sample(
                    source=SampleSource.BACKTEST,
                    venue="bench",
                    weight=WEIGHTS[SampleSource.BACKTEST],
                    symbol="BTC/USDT",
                    timeframe="15m",
                    bar_at=timeframes.from_ms(int(began[place])),
                    ended_at=timeframes.from_ms(int(began[place] + 20 * SPAN)),
                    side="long",
                    features=x[place].astype("<f8").tobytes(),
                    schema_hash=features.schema_hash(),
                    passed=True,
                    won=bool(won[place]),
                    r=1.0,
                    at=timeframes.from_ms(int(began[place])),
                )
                for place in range(count)
            ],
            batch_size=1_000,
        )


def slowest_ms(ask: Callable[[NDArray[np.float32]], object], rows: NDArray[np.float32]) -> float:
    """Return the milliseconds within which 99 of 100 rows are answered, one at a time."""
    spent = []
    for row in rows:
        begun = time.perf_counter()
        ask(row)
        spent.append(time.perf_counter() - begun)
    return float(np.quantile(spent, 0.99)) * 1e3


def main() -> None:
    call_command("migrate", verbosity=0)
    plant()
    begun = time.perf_counter()
    data = dataset.load(venues={"bench"}, timeframe="15m", mode="paper")
    load_s = time.perf_counter() - begun
    print(f"{len(data)} samples of {data.x.shape[1]} features read in {load_s:.1f} s")

    begun = time.perf_counter()
    version = making.make(
        ModelKind.PREDICTOR,
        data,
        venue="bench",
        timeframe="15m",
        by="bench",
        threads=2,
        progress=lambda done, of: print(f"fold {done} of {of}: {time.perf_counter() - begun:.1f} s"),
        now=timeframes.from_ms(int(data.ended.max())),
    )
    training_s = time.perf_counter() - begun
    print(f"{version}, {version.status}: {version.reason}")

    from mlops import loading

    trained = loading.load(version)
    rows = data.x[:ASKED]
    p99_ms = slowest_ms(lambda row: trained.probability(row[None, :]), rows)
    reasons_ms = slowest_ms(lambda row: training.contributions(trained.booster, row), rows)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"training of {len(data)} samples {training_s:.1f} s (limit {MOST_S:.0f}), AUC {version.metrics['auc']:.3f}, "
        f"{trained.booster.num_boosted_rounds()} trees, one row p99 {p99_ms:.2f} ms (limit {MOST_MS:.0f}), its reasons "
        f"{reasons_ms:.2f} ms more, peak memory {memory_mb:.0f} MB (limit {MOST_MB:.0f})"
    )
    if training_s > MOST_S or p99_ms > MOST_MS or memory_mb > MOST_MB:
        sys.exit(1)


if __name__ == "__main__":
    main()
