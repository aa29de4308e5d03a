"""What the scans say of the market: a crash of BTC, and regimes that change under open positions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from notifications import formats
from notifications.models import Severity
from notifications.rendering import text
from notifications.services import push
from trading.models import Scan, ScanRow, Trade, TradeStatus

LEADER = "BTC"
WITHIN = timedelta(hours=1)
FRESH = timedelta(minutes=15)
"""Older scans say nothing of now."""


def crash(*, step: float, now: datetime) -> Mapping[str, str]:
    """Return the crash as (what it is about -> sentence): the newest price against the highest of the last hour."""
    rows = ScanRow.objects.filter(symbol__startswith=f"{LEADER}/", scan__at__gt=now - WITHIN, scan__at__lte=now)
    found = rows.order_by("-scan__at").values_list("price", "scan__at")
    prices = [(price, at) for price, at in found if price is not None]
    if not prices or now - prices[0][1] > FRESH:
        return {}
    newest, highest = prices[0][0], max(price for price, _ in prices)
    fall = 1 - newest / highest if highest > 0 else 0.0
    if fall < step:
        return {}
    return {"": f"{LEADER} has fallen {formats.percent(fall)} within an hour, to {formats.price(newest)}."}


def tell_regimes(*, now: datetime) -> None:
    """Tell of regimes that differ between the last two scans, where a position is open."""
    scans = list(Scan.objects.filter(at__gt=now - FRESH).order_by("-at")[:2])
    if len(scans) < 2:
        return
    held = set(Trade.objects.filter(status=TradeStatus.OPEN).values_list("symbol", flat=True))
    after, before = ({row.symbol: row.regime for row in scan.rows.filter(symbol__in=held)} for scan in scans)
    for symbol, regime in after.items():
        if before.get(symbol, regime) != regime:
            push.everywhere(
                "regime",
                key=f"regime:{symbol}:{scans[0].pk}",
                title=f"{symbol}: the regime changed",
                lines=text(f"From {formats.words(before[symbol])} to {formats.words(regime)}."),
                now=now,
                severity=Severity.INFO,
            )
