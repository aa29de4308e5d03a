"""What tells whether two runs were made on the same candles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from trading.core.candles import Candles

_COLUMNS = ("opened", "open", "high", "low", "close", "volume")


def of(series: Mapping[str, Candles]) -> str:
    """Return the SHA-256, in hex, of every bar of every series; the order of the symbols does not matter."""
    made = hashlib.sha256()
    for symbol in sorted(series):
        candles = series[symbol]
        made.update(f"{symbol} {candles.timeframe} {len(candles)};".encode())
        for name in _COLUMNS:
            made.update(getattr(candles, name).tobytes())
    return made.hexdigest()
