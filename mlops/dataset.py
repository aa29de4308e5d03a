"""Samples as arrays, in the order of time, with the hash that tells whether two models saw the same."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mlops import features
from mlops.models import Sample, SampleSource
from trading.core import timeframes
from trading.core.candles import Floats, Ints

_CHUNK = 5_000
_TRUST: dict[str, int] = {source.value: rank for rank, source in enumerate(SampleSource)}
"""Of several samples of one bar the most real one counts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples sorted by the open of their bar. `x` has a column for each of features.NAMES; times are milliseconds."""

    x: NDArray[np.float32]
    won: NDArray[np.bool_]
    r: Floats
    weight: Floats
    """Of mean 1: a model's limits mean the same whatever the sources are worth."""
    began: Ints
    ended: Ints
    passed: NDArray[np.bool_]
    """Every filter let it pass."""
    sources: dict[str, int]

    def __len__(self) -> int:
        return len(self.won)

    @property
    def trained_until(self) -> datetime | None:
        return timeframes.from_ms(int(self.ended.max())) if len(self) else None

    def hash(self) -> str:
        """Return the SHA-256, in hex, of everything that a model is made of."""
        made = hashlib.sha256(features.schema_hash().encode())
        for column in (self.x, self.won, self.weight, self.began, self.ended):
            made.update(np.ascontiguousarray(column).tobytes())
        return made.hexdigest()


def load(*, venues: Collection[str], timeframe: str, mode: str) -> Dataset:
    """Return the samples of some venues with the features of now; of live and shadow ones only those of `mode`.

    Paper and live money never meet in one model.
    """
    rows = (
        Sample.objects.filter(
            venue__in=venues,
            timeframe=timeframe,
            mode__in=("", mode),
            schema_hash=features.schema_hash(),
        )
        .order_by("bar_at", "symbol", "pk")
        .values_list("source", "symbol", "bar_at", "ended_at", "weight", "won", "r", "passed", "features")
    )
    packed, columns, keys = bytearray(), [], []
    for source, symbol, bar_at, ended_at, weight, won, r, passed, values in rows.iterator(chunk_size=_CHUNK):
        columns.append((_TRUST[source], timeframes.to_ms(bar_at), timeframes.to_ms(ended_at), weight, won, r, passed))
        keys.append((symbol, columns[-1][1]))
        # Half the memory, and what the models compute with anyway.
        packed += np.frombuffer(values, dtype="<f8").astype(np.float32).tobytes()
    x = np.frombuffer(bytes(packed), dtype=np.float32).reshape(len(columns), len(features.NAMES))
    return _of(x, columns, _most_real(keys, [column[0] for column in columns]))


def _most_real(keys: list[tuple[str, int]], trust: list[int]) -> Ints:
    """Return the place of the most trusted sample of each bar, in the order of the bars."""
    best: dict[tuple[str, int], int] = {}
    for place, key in enumerate(keys):
        if key not in best or trust[place] > trust[best[key]]:
            best[key] = place
    return np.array(sorted(best.values()), dtype=np.int64)


def _of(x: NDArray[np.float32], columns: list[tuple[int, int, int, float, bool, float, bool]], kept: Ints) -> Dataset:
    table = np.array(columns, dtype=np.float64).reshape(len(columns), 7)[kept]
    weight = table[:, 3]
    return Dataset(
        x=x[kept],
        won=table[:, 4] > 0,
        r=table[:, 5],
        weight=weight / weight.mean() if len(weight) else weight,
        began=table[:, 1].astype(np.int64),
        ended=table[:, 2].astype(np.int64),
        passed=table[:, 6] > 0,
        sources={name: int((table[:, 0] == trust).sum()) for name, trust in _TRUST.items()},
    )
