"""How long the scorecard of 100,000 decisions takes, with every group and the interval: python benchmarks/scorecard.py."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from mlops import scorecard
from mlops.scorecard import Decisions, Labels

COUNT = 100_000
LIMIT_S = 1.0
GROUPS = {"symbol": 14, "regime": 6, "session": 3, "confidence": 10, "model": 4, "prompt": 12}


def decisions(seed: int) -> Decisions:
    rng = np.random.default_rng(seed)
    r = rng.normal(0.05, 1.2, COUNT)
    probability = np.clip(0.45 + 0.1 * r + rng.normal(0, 0.15, COUNT), 0, 1)
    return Decisions(
        approved=probability > 0.45,
        won=r > 0,
        r=r,
        pnl=20 * r,
        alone=rng.random(COUNT) < 0.7,
        probability=probability,
        cost=np.full(COUNT, 0.0004),
        labels={
            name: Labels(names=tuple(f"{name} {n}" for n in range(size)), codes=rng.integers(0, size, COUNT))
            for name, size in GROUPS.items()
        },
    )


def main() -> int:
    taken = []
    for seed in range(5):
        made = decisions(seed)
        begun = time.perf_counter()
        score = scorecard.score(made)
        taken.append(time.perf_counter() - begun)
    assert score.matrix.total == COUNT
    value = score.value.r
    print(f"{COUNT:,} decisions, {sum(GROUPS.values())} groups, {scorecard.DRAWS:,} draws")
    print(f"value {value.actual:+.0f} R, between {value.low:+.0f} and {value.high:+.0f} R; Brier {score.brier:.4f}")
    print(f"median {sorted(taken)[2]:.3f} s, slowest {max(taken):.3f} s (limit {LIMIT_S:.1f} s)")
    return 0 if sorted(taken)[2] < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
