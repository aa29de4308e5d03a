"""Whether a better pair replaces one that is watched: by a clear lead that lasts, seldom, and never under an open trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading.core.params import Params
from trading.core.types import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One pair that is watched and a better one that is not; `leads` are its leads in points, scan by scan, newest last."""

    out_symbol: str
    in_symbol: str
    leads: Sequence[float]
    watched_since: datetime
    switched_at: datetime | None
    has_trade: bool
    """A trade is open on the pair that would leave."""


def judge(asked: Question, *, params: Params, now: datetime) -> tuple[Verdict, ...]:
    """Return every rule's verdict; a switch needs them all."""
    return (
        _lead(asked, params),
        _lasting(asked, params),
        _since("hold", asked.watched_since, params.switch_hold_minutes, f"{asked.out_symbol} is watched for", "", now),
        _since("cool_down", asked.switched_at, params.switch_cooldown_minutes, "the last switch was", " ago", now),
        _open_trade(asked),
    )


def _lead(asked: Question, params: Params) -> Verdict:
    lead, limit = asked.leads[-1] if asked.leads else float("nan"), params.switch_gap
    reason = f"{asked.in_symbol} leads {asked.out_symbol} by {lead:.1f} points, needs {limit:.1f}"
    return Verdict(name="score_gap", passed=lead >= limit, value=lead, limit=limit, reason=reason)


def _lasting(asked: Question, params: Params) -> Verdict:
    """Ask for the lead in several scans in a row: one candle must not do."""
    count = 0
    for lead in reversed(asked.leads):
        if not lead >= params.switch_gap:
            break
        count += 1
    limit = params.switch_scans
    reason = f"the lead has lasted {count} scans in a row, needs {limit}"
    return Verdict(name="hysteresis", passed=count >= limit, value=float(count), limit=float(limit), reason=reason)


def _since(name: str, at: datetime | None, limit: int, what: str, after: str, now: datetime) -> Verdict:
    if at is None:
        return Verdict(name=name, passed=True, value=float("nan"), limit=float(limit), reason="there was none before")
    minutes = (now - at) / timedelta(minutes=1)
    reason = f"{what} {minutes:.0f} min{after}, needs {limit} min"
    return Verdict(name=name, passed=minutes >= limit, value=minutes, limit=float(limit), reason=reason)


def _open_trade(asked: Question) -> Verdict:
    held = asked.has_trade
    reason = f"a trade is open on {asked.out_symbol}" if held else f"no trade is open on {asked.out_symbol}"
    return Verdict(name="open_trade", passed=not held, value=float(held), limit=0.0, reason=reason)
