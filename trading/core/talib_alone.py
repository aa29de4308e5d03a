"""TA-Lib for arrays alone: it loads pandas where that is installed, 58 MB and half a second that nothing here needs."""

from __future__ import annotations

from trading.core.alone import without

with without("pandas", "polars"):
    import talib

__all__ = ["talib"]
