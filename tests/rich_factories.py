"""Rows of what is rare: alerts, proposals, drafts and what was found of them, notices, the log; for the pictures of the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User

from dashboard import run_form
from notifications.models import Alert, Contact, Severity
from tests import factories
from trading import runs
from trading.models import DraftStatus, ParameterDraft, ParameterRevision, Proposal, ProposalStatus
from trading.services import audit

CHANGES = [
    {"name": "stop_atr", "old": 2.0, "new": 2.4},
    {"name": "risk_fraction", "old": 0.015, "new": 0.02},
    {"name": "trend_entries", "old": True, "new": False},
]
FIGURES: dict[str, Any] = {
    "closed_trades": 212,
    "win_rate": 0.512,
    "pnl": "812.41",
    "fees": "141.02",
    "return_fraction": 0.0812,
    "profit_factor": 1.42,
    "sharpe": 1.31,
    "sortino": 1.9,
    "calmar": 2.2,
    "drawdown_fraction": 0.061,
    "expectancy_r": 0.12,
    "exposure_fraction": 0.31,
}
FINDINGS = [
    {"name": "closed_trades", "active": 212, "candidate": 188, "passed": True, "text": "enough"},
    {"name": "profit_factor", "active": 1.42, "candidate": 1.47, "passed": True, "text": "not worse"},
    {"name": "sharpe", "active": 1.31, "candidate": 1.02, "passed": False, "text": "Sharpe ratio 1.02 against 1.31"},
    {"name": "parts", "active": 4, "candidate": 3, "passed": False, "text": "worse in 1 of 4 parts"},
]
RUNS: tuple[dict[str, str], ...] = (
    {"symbols": "SOL/USDT, BTC/USDT", "days": "25", "parameters": "score_min_ranging=0", "note": "ranging too"},
    {"symbols": "SOL/USDT, BTC/USDT", "days": "25", "note": "as it is"},
    {
        "symbols": "SOL/USDT",
        "days": "12",
        "kind": "sweep",
        "vary": "stop_atr=1:3:1",
        "parameters": "score_min_ranging=0",
    },
)


def alerts(now: datetime) -> None:
    rows = (
        ("stale_data", Severity.CRITICAL, "No new price of SOL/USDT for 6 min: nothing is entered.", 4, None, ""),
        ("drawdown", Severity.WARNING, "Drawdown 8.20% of the peak: each trade risks half.", 55, None, ""),
        ("disk", Severity.WARNING, "The disk has 2.1 GB left.", 900, 700, "operator"),
        ("unprotected", Severity.CRITICAL, "LINK/USDT had no stop at the venue for 41 s.", 2000, 1998, ""),
    )
    for kind, severity, text, began, ended, by in rows:
        Alert.objects.create(
            kind=kind,
            key=f"{kind}:{began}",
            severity=severity,
            text=text,
            raised_at=now - timedelta(minutes=began),
            cleared_at=now - timedelta(minutes=ended) if ended else None,
            acknowledged_at=now - timedelta(minutes=ended) if by and ended else None,
            acknowledged_by=by,
        )


def proposals(now: datetime) -> None:
    states = (ProposalStatus.PENDING, ProposalStatus.TAKEN, ProposalStatus.REFUSED, ProposalStatus.REJECTED)
    for number, (status, symbol) in enumerate(
        zip(states, ("ETH/USDT", "SOL/USDT", "BTC/USDT", "SUI/USDT"), strict=True)
    ):
        at = now - timedelta(minutes=2 + 95 * number)
        Proposal.objects.create(
            symbol=symbol,
            side="short" if number % 2 else "long",
            price=3412.5 / (1 + number),
            mode="advisory",
            status=status,
            confidence=0.81 - 0.07 * number,
            reason="Higher lows on three timeframes while volume rises; the last swing high gave way.",
            against=["funding is high", "BTC stands at a resistance"],
            risk="medium",
            model="gemini-3.5-flash-lite",
            created_at=at,
            expires_at=at + timedelta(minutes=15),
            decided_at=at + timedelta(minutes=3) if number else None,
            decided_by="operator" if number else "",
            outcome=("", "entered by trade 3", "open risk 6.40%, needs less than 6.00%", "rejected")[number],
        )


def drafts(now: datetime) -> None:
    base = ParameterRevision.objects.latest("number")
    found = {
        "bars": 34_560, "from": "2026-08-01", "to": "2026-11-20", "active": FIGURES, "findings": FINDINGS,
        "candidate": {**FIGURES, "sharpe": 1.02, "closed_trades": 188, "win_rate": 0.49}, "verdict": "Sharpe ratio",
    }  # fmt: skip
    values: dict[str, Any] = {"base": base, "values": base.values, "author_name": "operator"}
    for number, status in enumerate((DraftStatus.STALE, DraftStatus.HELD)):
        ParameterDraft.objects.create(
            changes=CHANGES[number:],
            reason="Wider stops in loud markets",
            created_at=now - timedelta(hours=30 - 28 * number),
            status=status,
            finding="Sharpe ratio 1.02 against 1.31 in 34,560 bars",
            comparison=found,
            **values,
        )


def people(now: datetime) -> None:
    operator = User.objects.get(username="operator")
    operator.is_superuser = True
    operator.save(update_fields=["is_superuser"])
    for name, role in (("vera", "viewer"), ("tom", "trader"), ("ruth", "risk")):
        factories.user(name, is_staff=False).groups.add(Group.objects.get(name=role))
    Contact.objects.create(user=operator, telegram_user_id=1, chat_id=1)
    for number, text in enumerate(("Logged in", "Halted trading: prices look odd", "Made the token my script")):
        audit.record("note", actor="operator", at=now - timedelta(minutes=9 * number), text=text)


def log(now: datetime) -> None:
    lines = (
        ("INFO", "trading.services.tick", "tick 5812 in 0.021 s [tick=5812]"),
        ("WARNING", "trading.adapters.ccxt_market", "the venue asks for a pause of 12 s [venue=binance]"),
        ("ERROR", "mlops.gemini.client", "no answer within 8 s; no opinion [signal=88]"),
    )
    folder = Path(settings.LOG_DIR or settings.JULABA_DATA_DIR / "logs")
    folder.mkdir(parents=True, exist_ok=True)
    told = [
        f"{now - timedelta(seconds=5 * (60 - number)):%Y-%m-%d %H:%M:%S,000} worker | "
        f"{now - timedelta(seconds=5 * (60 - number)):%Y-%m-%d %H:%M:%S,000} {level} {logger}: {text}\n"
        for number in range(60)
        for level, logger, text in [lines[0 if number % 7 else 1 + number % 2]]
    ]
    (folder / "julaba.log").write_text("".join(told))


def research(now: datetime) -> None:
    """Run two backtests and a sweep over the simulated market."""
    user = User.objects.get(username="operator")
    for asked in RUNS:
        run_form.ask({"timeframe": "1h", **asked}, user=user, now=now)
        runs.work()


def fill(now: datetime) -> None:
    alerts(now)
    proposals(now)
    drafts(now)
    people(now)
    log(now)
    research(now)
