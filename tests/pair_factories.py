"""Rows for the pages of pairs: scans with scores, refusals and correlations, a watch list, switches, locks; all made up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from trading.core.params import DEFAULT_PAIRS
from trading.models import BlacklistEntry, PairLock, PairSwitch, Scan, ScanRow, WatchedPair

PRICES = {"BTC/USDT": 67_120.4, "ETH/USDT": 3_412.2, "SEI/USDT": 0.4512}
REGIMES = ("trend", "ranging", "strong_trend", "weak_trend", "choppy")
SHARES = (0.92, 0.4, 0.7, 0.55, 0.2, 0.85)
MOST = {"adx": 25.0, "volatility": 20.0, "volume": 15.0, "rsi": 15.0, "fresh_setup": 15.0, "macd": 10.0}


def row(scan: Scan, symbol: str, rank: int, **columns: Any) -> ScanRow:
    """Make a row whose score falls with its rank."""
    fade = max(0.1, 1.0 - rank / 18)
    parts = {name: round(most * share * fade, 2) for (name, most), share in zip(MOST.items(), SHARES, strict=True)}
    values = {
        "score": round(sum(parts.values()), 4),
        "price": PRICES.get(symbol, 12.5 / rank),
        "regime": REGIMES[rank % len(REGIMES)],
        "parts": parts,
        "volume": 9e8 / rank**2,
        "verdicts": [{"name": "blacklist", "passed": True, "value": 0.0, "limit": 0.0, "reason": "is not on the blacklist"}],
        "measures": {
            "bars": 500, "volatility": 0.0041, "timeframes": 71.2 - 3 * rank, "bitcoin_correlation": 0.9 - 0.05 * rank,
            "relative_strength": 0.012 - 0.002 * rank, "poc": 12.1, "vah": 12.9, "val": 11.7, "divergence": -1.0 if rank % 3 else 1.0,
        },
        "book": {"spread": 0.0004, "imbalance": -0.21, "funding_rate": 0.0001, "open_interest": 182_000.0, "source": "simulated"},
    }  # fmt: skip
    return ScanRow.objects.create(scan=scan, symbol=symbol, rank=rank, **{**values, **columns})


def scan(at: datetime, symbols: tuple[str, ...] = DEFAULT_PAIRS, **columns: Any) -> Scan:
    """Make a ranked scan in which every pair passed."""
    made = Scan.objects.create(at=at, timeframe="15m", symbols=list(symbols), finished_at=at, **columns)
    for rank, symbol in enumerate(symbols, 1):
        row(made, symbol, rank)
    return made


def fill(now: datetime) -> None:
    """Fill the pages of pairs."""
    shown = list(DEFAULT_PAIRS[:10])
    cells = [[1.0 if a == b else round(0.95 - 0.11 * abs(a - b), 3) for b in range(10)] for a in range(10)]
    cells[9][:9] = [None] * 9  # type: ignore[list-item]
    told = {"symbols": shown, "rows": cells, "clusters": [[0, 1, 2, 3], [4, 5], [6], [7], [8], [9]], "bars": 96}
    newest = scan(now - timedelta(minutes=3), correlations=told)
    refused = newest.rows.filter(rank__gt=11)
    reason = "moves 0.98 like a better pair, allows at most 0.97"
    verdict = {"name": "correlation", "passed": False, "value": 0.98, "limit": 0.97, "reason": reason}
    refused.update(refused_by="correlation", reason=reason, verdicts=[verdict])
    newest.rows.filter(rank=14).update(
        refused_by="data", reason="there are no bars", parts={}, score=0.0, price=None, volume=None, measures={}, book={}, verdicts=[]
    )  # fmt: skip
    WatchedPair.objects.create(
        symbol="DOGE/USDT", source="hand", since=now - timedelta(days=2), reason="news on Monday", by="operator"
    )
    WatchedPair.objects.create(
        symbol="TIA/USDT", source="scan", since=now - timedelta(days=4), until=now - timedelta(days=1), reason="rank 3"
    )
    BlacklistEntry.objects.create(
        symbol="LUNA/USDT", reason="taken off most venues", by="operator", at=now - timedelta(days=9)
    )
    PairLock.objects.create(
        symbol="SEI/USDT", until=now + timedelta(hours=5), reason="unlock of tokens tonight", by="operator", at=now
    )
    for number, (made, why, refusal) in enumerate(
        (
            (False, "the last switch was 41 min, needs 360 min", "cool_down"),
            (True, "SUI/USDT leads TIA/USDT by 17.2 points, needs 10.0", ""),
            (False, "the lead has lasted 2 scans in a row, needs 3", "hysteresis"),
        )
    ):
        PairSwitch.objects.create(
            at=now - timedelta(hours=number), scan=newest, out_symbol="TIA/USDT", in_symbol="SUI/USDT", out_score=41.0,
            in_score=58.2, is_made=made, refused_by=refusal, reason=why,
        )  # fmt: skip
