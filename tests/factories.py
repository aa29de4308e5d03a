"""Plausible rows for pages and their tests; what matters to a test is passed in, the rest is made up."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import User

from trading.core.params import Params
from trading.models import (
    Bot,
    DayOpening,
    EquityPoint,
    Event,
    LastPrice,
    Mode,
    ParameterRevision,
    SideChoice,
    Signal,
    SignalStatus,
    SignalVerdict,
    Trade,
    TradeStatus,
)

PASSWORD = "correct horse battery staple"
FEE = Decimal("0.001")
OUTCOMES = (
    ("ETH/USDT", "3412.5", "3475.2", "target_3", 1), ("AVAX/USDT", "27.43", "27.05", "stop", 3),
    ("ARB/USDT", "0.8123", "0.8124", "break_even", 4), ("APT/USDT", "8.914", "9.271", "trailing", 7),
    ("SUI/USDT", "1.7342", "1.7011", "stop", 11), ("NEAR/USDT", "5.211", "5.164", "stop", 16),
    ("BTC/USDT", "66120", "67410", "target_2", 21), ("INJ/USDT", "21.74", "21.31", "time", 27),
    ("OP/USDT", "1.623", "1.671", "trailing", 33), ("TIA/USDT", "5.62", "5.51", "stop", 45),
)  # fmt: skip
REFUSED = (
    ("ETH", "volume_ratio", "volume ratio 0.62, needs 0.90"), ("WLD", "score", "score 38.00, needs 55.00"),
    ("SEI", "confluence", "confluence 1.00, needs 2.00"), ("OP", "volume_ratio", "volume ratio 0.81, needs 1.35"),
    ("NEAR", "target_over_cost", "target over cost 1.21, needs 1.50"), ("INJ", "adx", "adx 18.42, needs 20.00"),
    ("ARB", "volume_ratio", "volume ratio 0.44, needs 0.90"), ("TIA", "open_trades", "3 open trades, needs fewer than 3"),
)  # fmt: skip
TEXTS = (
    "Opened long 310.5 LINK/USDT at 14.253", "Closed 38.4 ETH/USDT at 3475.2: target 3",
    "ETH/USDT long made +12.14 after fees", "Revision 2 by operator: volume_min 1.0 -> 0.9",
    "Opened short 38.4 SOL/USDT at 172.31",
)  # fmt: skip
_bars = count()


def user(name: str = "operator", *, password: str = PASSWORD, is_staff: bool = True) -> User:
    return User.objects.create_user(name, password=password, is_staff=is_staff, is_superuser=is_staff)


def bot(now: datetime, **columns: Any) -> Bot:
    values = {
        "initial_balance": Decimal(10_000),
        "balance": Decimal("10212.40"),
        "equity": Decimal("10250.42"),
        "peak_equity": Decimal("10337.10"),
        "last_tick_at": now - timedelta(seconds=3),
        "data_at": now - timedelta(seconds=4),
    }
    return Bot.objects.create(pk=1, **{**values, **columns})


def revision(now: datetime) -> ParameterRevision:
    values = {"values": Params().as_json(), "changes": [], "reason": "Defaults", "author_name": "julaba"}
    return ParameterRevision.objects.get_or_create(number=1, defaults={**values, "created_at": now})[0]


def signal(at: datetime, *, refused_by: str = "", reason: str = "", **columns: Any) -> Signal:
    """Make a decision; the filter in `refused_by` refused, with `reason`, after two others had passed."""
    values = {
        "symbol": "BTC/USDT",
        "timeframe": "15m",
        # Microseconds make each signal's bar its own, as the unique key wants it.
        "bar_at": at.replace(minute=at.minute // 15 * 15, second=0, microsecond=next(_bars)) - timedelta(minutes=15),
        "strategy": "trend",
        "side": SideChoice.LONG,
        "status": SignalStatus.REFUSED if refused_by else SignalStatus.TAKEN,
        "refused_by": refused_by,
        "reason": reason,
        "price": 67_000.0,
        "atr": 210.0,
        "regime": "trend",
        "score": 61.0,
        "indicators": {"adx": 27.3},
        "decided_at": at,
        "revision": revision(at),
        "code_version": "test",
    }
    row = Signal.objects.create(**{**values, **columns})
    answers = [("score", True, "score 61.00, needs 40.00"), ("trading_state", True, "active")]
    answers += [(refused_by, False, reason)] if refused_by else [("adx", True, "adx 27.30, needs 25.00")]
    for position, (name, passed, text) in enumerate(answers):
        SignalVerdict.objects.create(signal=row, position=position, name=name, passed=passed, reason=text)
    return row


def trade(at: datetime, *, entry: str = "67000", risk: str = "1000", quantity: str = "0.1", **columns: Any) -> Trade:
    """Make an open trade: targets at 1.5, 2.5 and 4 times `risk` (quote per base, entry to stop)."""
    side = columns.get("side", SideChoice.LONG)
    sign = 1 if side == SideChoice.LONG else -1
    price, amount, step = Decimal(entry), Decimal(quantity), sign * Decimal(risk)
    targets = {f"target_{n}": float(price + step * Decimal(r)) for n, r in ((1, "1.5"), (2, "2.5"), (3, "4"))}
    symbol = columns.get("symbol", "BTC/USDT")
    values = {
        "signal": columns.get("signal") or signal(at, symbol=symbol, side=side),
        "revision": revision(at),
        "mode": Mode.PAPER,
        "symbol": symbol,
        "side": side,
        "status": TradeStatus.OPEN,
        "created_at": at,
        "opened_at": at,
        "planned_quantity": amount,
        "planned_entry": price,
        "quantity": amount,
        "remaining": amount,
        "entry_price": price,
        "fees": price * amount * FEE,
        "equity_at_entry": Decimal(10_000),
        "risk_fraction": 0.02,
        "risk_factors": {},
        "rules": targets,
        "first_stop": float(price - step),
        "stop": float(price - step),
        "best": float(price),
        "worst": float(price),
        "last_bar_at": at,
    }
    return Trade.objects.create(**{**values, **columns})


def closed_trade(at: datetime, *, exit: str, entry: str = "67000", quantity: str = "0.1", **columns: Any) -> Trade:
    """Make a trade that closed at the moment `at` at one price."""
    sign = -1 if columns.get("side") == SideChoice.SHORT else 1
    amount, bought, sold = Decimal(quantity), Decimal(entry), Decimal(exit)
    values = {
        "status": TradeStatus.CLOSED,
        "remaining": Decimal(0),
        "gross_pnl": sign * (sold - bought) * amount,
        "fees": (bought + sold) * amount * FEE,
        "closed_at": at,
        "exit_reason": "stop",
    }
    opened_at = at - timedelta(hours=2, minutes=14)
    return trade(opened_at, entry=entry, quantity=quantity, **{**values, **columns})


def event(at: datetime, text: str, kind: str = "note") -> Event:
    return Event.objects.create(at=at, kind=kind, text=text)


def equity(now: datetime, *, days: float, minutes: int = 15) -> None:
    """Make a curve that wanders from 10,000 to about 10,250 and ends now."""
    last = now.replace(minute=now.minute // minutes * minutes, second=0, microsecond=0)
    points = int(days * 1440 / minutes)
    EquityPoint.objects.bulk_create(
        EquityPoint(
            at=last - timedelta(minutes=minutes * (points - n)),
            equity=Decimal(
                round(10_000 + 250 * n / points + (1 - n / points) * (60 * math.sin(n / 37) + 25 * math.sin(n / 7)), 2)
            ),
            balance=Decimal(10_000),
        )
        for n in range(points + 1)
    )


def overview(now: datetime) -> None:
    """Fill every panel of the overview."""
    hours, minutes, short = timedelta(hours=1), timedelta(minutes=1), SideChoice.SHORT
    bot(now)
    DayOpening.objects.create(date=now.date(), equity=Decimal("10130.12"))
    equity(now, days=9)
    safe = {
        "stop": 66920.0,
        "stop_reason": 1,
        "targets_hit": 1,
        "remaining": Decimal("0.0312"),
    }
    trade(now - 200 * minutes, entry="66840.5", risk="620", quantity="0.052", **safe)
    trailing = {"side": short, "stop": 172.9, "stop_reason": 2}
    trade(now - 71 * minutes, symbol="SOL/USDT", entry="172.31", risk="2.9", quantity="38.4", **trailing)
    trade(now - 9 * minutes, symbol="LINK/USDT", entry="14.253", risk="0.31", quantity="310.5")
    for symbol, price in (("BTC/USDT", 67912.4), ("SOL/USDT", 170.02), ("LINK/USDT", 14.131)):
        LastPrice.objects.create(symbol=symbol, price=price, at=now - timedelta(seconds=4))
    for symbol, entry, exit, reason, age in OUTCOMES:
        made_up = {"quantity": str(round(700 / float(entry), 3)), "risk": str(float(entry) * 0.02)}
        closed_trade(now - age * hours, symbol=symbol, entry=entry, exit=exit, exit_reason=reason, **made_up)
    for number, (base, name, reason) in enumerate(REFUSED * 2):
        kind = {"strategy": "reversion", "regime": "ranging"} if number % 3 else {"regime": "strong_trend"}
        side = short if number % 2 else SideChoice.LONG
        at = now - (4 + 23 * number) * minutes
        signal(at, symbol=f"{base}/USDT", refused_by=name, reason=reason, side=side, **kind)
    for number, text in enumerate(TEXTS * 2):
        event(now - (9 + 31 * number) * minutes, text)
