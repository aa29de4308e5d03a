"""Keeps the watch list at the best of the scan: seldom, for a clear lead that lasts, and with a reason for each yes and no."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from django.db import transaction

from trading import events
from trading.core import pair_switch
from trading.core.pair_switch import Question
from trading.core.params import Params
from trading.core.types import Verdict
from trading.models import ACTIVE, PairSwitch, Scan, ScanRow, Trade, WatchedPair, WatchSource
from trading.services import pair_locks, watching
from trading.services.pair_locks import PairRefused

logger = logging.getLogger(__name__)

LONGEST = 300


class Opinion(Protocol):
    """What an adviser says of a switch: yes, no, or None for no opinion, and then nothing is switched."""

    def __call__(
        self, *, current: str, candidate: str, rows: Mapping[str, Mapping[str, float | str]], now: datetime
    ) -> bool | None: ...


def after_scan(made: Scan, *, params: Params, now: datetime, opinion: Opinion | None = None) -> PairSwitch | None:
    """Fill, trim and improve the list by a ranked scan; return the switch that was made or refused, where one was due.

    `opinion` is asked last, of a switch that everything else allows.
    """
    if params.watch != "scan" or made.finished_at is None:
        return None
    rows = {row.symbol: row for row in made.rows.order_by("rank")}
    with transaction.atomic():
        _trim(rows, params, now)
        _fill(rows, params, now)
    asked = _question(rows, params, now)
    if asked is None:
        return None
    verdicts = list(pair_switch.judge(asked, params=params, now=now))
    if opinion is not None and all(verdict.passed for verdict in verdicts):
        verdicts.append(_advice(asked, rows, opinion, now))
        if _has_trade(asked.out_symbol):  # opened while the AI was asked
            verdicts = list(pair_switch.judge(replace(asked, has_trade=True), params=params, now=now))
    return _settle(asked, verdicts, rows, made, now)


def request(
    symbol: object, *, out_symbol: object = "", by: str, reason: object, params: Params, now: datetime
) -> PairSwitch:
    """Switch because a person wants it: at once, but never under an open trade. Raises PairRefused.

    Without `out_symbol` the watched pair with the lowest score leaves.
    """
    wanted, why = pair_locks.clean_symbol(symbol), pair_locks.clean_reason(reason)
    leaving = can_leave(out_symbol, params=params)
    if wanted in watching.symbols(params):
        raise PairRefused("symbol", f"{wanted} is watched already")
    if (refusal := pair_locks.refusal(wanted, now=now)) is not None:
        raise PairRefused("symbol", refusal.reason)
    newest = Scan.objects.exclude(finished_at=None).order_by("-at").first()
    scores = dict(newest.rows.values_list("symbol", "score")) if newest else {}
    if scores and wanted not in scores:
        raise PairRefused("symbol", f"{wanted} is not in the last scan")
    with transaction.atomic():
        _replace(leaving, wanted, source=WatchSource.HAND, reason=why, by=by, now=now)
        row = PairSwitch.objects.create(
            at=now,
            scan=newest,
            out_symbol=leaving,
            in_symbol=wanted,
            out_score=scores.get(leaving),
            in_score=scores.get(wanted),
            is_made=True,
            reason=why,
            by=by,
        )
        _tell(row)
    return row


def can_leave(out_symbol: object = "", *, params: Params) -> str:
    """Return the watched pair that would make room: the one that is named, or the one with the lowest score.

    Raises PairRefused where none can: pairs that are listed by the parameters, or have an open trade, stay.
    """
    held = set(Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True))
    watched = list(WatchedPair.objects.filter(until=None).values_list("symbol", flat=True))
    if out_symbol:
        named = pair_locks.clean_symbol(out_symbol)
        if named not in watched:
            raise PairRefused("out_symbol", f"{named} has no place of its own on the watch list")
        if named in held:
            raise PairRefused("out_symbol", f"a trade is open on {named}: close it first")
        return named
    newest = Scan.objects.exclude(finished_at=None).order_by("-at").first()
    scores = dict(newest.rows.values_list("symbol", "score")) if newest else {}
    free = [symbol for symbol in watched if symbol not in held]
    if not free:
        why = "every pair has an open trade" if watched else "the list is fixed by the parameter pairs"
        raise PairRefused("symbol", f"no pair can leave the watch list: {why}")
    return min(free, key=lambda symbol: (scores.get(symbol, -1.0), symbol))


def _trim(rows: dict[str, ScanRow], params: Params, now: datetime) -> None:
    """End the places of pairs that are too many, or may not be entered at all; where a trade is open, later."""
    held = set(Trade.objects.filter(status__in=ACTIVE).values_list("symbol", flat=True))
    banned = pair_locks.banned()
    watched = _by_scan()
    worst_first = sorted(watched, key=lambda each: _worth(rows.get(each.symbol)))
    surplus = len(watched) - params.watch_count
    for place in worst_first:
        is_banned = place.symbol in banned
        if place.symbol in held or not (is_banned or surplus > 0):
            continue
        watching.end(place.symbol, now=now)
        surplus -= 1
        why = "it is on the blacklist" if is_banned else f"the list has {params.watch_count} places"
        text = f"{place.symbol} left the watch list: {why}"
        events.emit("watch_list", at=now, symbol=place.symbol, text=text)


def _fill(rows: dict[str, ScanRow], params: Params, now: datetime) -> None:
    """Give free places to the best pairs that passed."""
    free = params.watch_count - len(_by_scan())
    for row in _candidates(rows, params, now)[: max(0, free)]:
        reason = f"rank {row.rank} of the scan with {row.score:.0f} points"
        WatchedPair.objects.create(symbol=row.symbol, source=WatchSource.SCAN, since=now, reason=reason)
        events.emit("watch_list", at=now, symbol=row.symbol, text=f"{row.symbol} is watched: {reason}")


def _question(rows: dict[str, ScanRow], params: Params, now: datetime) -> Question | None:
    """Return the pair with most to gain: the best that is not watched against the worst that is; None without a lead."""
    watched, candidates = _by_scan(), _candidates(rows, params, now)
    if not watched or not candidates:
        return None
    worst = min(watched, key=lambda each: (_worth(rows.get(each.symbol)), each.symbol))
    best = candidates[0]
    leads = _leads(best.symbol, worst.symbol, count=params.switch_scans, until=best.scan.at)
    if not leads or not leads[-1] > 0:
        return None
    last = PairSwitch.objects.filter(is_made=True).order_by("-at").values_list("at", flat=True).first()
    return Question(
        out_symbol=worst.symbol,
        in_symbol=best.symbol,
        leads=leads,
        watched_since=worst.since,
        switched_at=last,
        has_trade=_has_trade(worst.symbol),
    )


def _has_trade(symbol: str) -> bool:
    return Trade.objects.filter(symbol=symbol, status__in=ACTIVE).exists()


def _leads(better: str, worse: str, *, count: int, until: datetime) -> list[float]:
    """Return by how much one pair led the other in the last scans; NaN where it was not ranked or was refused."""
    scans = list(Scan.objects.exclude(finished_at=None).filter(at__lte=until).order_by("-at")[:count])[::-1]
    found = {
        (row.scan_id, row.symbol): row for row in ScanRow.objects.filter(scan__in=scans, symbol__in=(better, worse))
    }
    leads = []
    for each in scans:
        ahead = found.get((each.pk, better))
        is_sound = ahead is not None and not ahead.refused_by
        leads.append(ahead.score - max(0.0, _worth(found.get((each.pk, worse)))) if ahead and is_sound else math.nan)
    return leads


def _candidates(rows: dict[str, ScanRow], params: Params, now: datetime) -> list[ScanRow]:
    """Return the pairs that passed and are neither watched nor locked, best first."""
    taken = set(WatchedPair.objects.filter(until=None).values_list("symbol", flat=True)) | pair_locks.locked(now=now)
    return [row for row in rows.values() if not row.refused_by and row.symbol not in taken]


def _by_scan() -> list[WatchedPair]:
    return list(WatchedPair.objects.filter(until=None, source=WatchSource.SCAN))


def _worth(row: ScanRow | None) -> float:
    """Return a watched pair's score; what the filters refuse now is worth nothing."""
    return row.score if row is not None and not row.refused_by else -1.0


def _advice(asked: Question, rows: dict[str, ScanRow], opinion: Opinion, now: datetime) -> Verdict:
    pair = (asked.out_symbol, asked.in_symbol)
    told = {symbol: _told(rows[symbol]) for symbol in pair if symbol in rows}
    answer = opinion(current=asked.out_symbol, candidate=asked.in_symbol, rows=told, now=now)
    reason = {True: "the AI agrees", False: "the AI vetoes it", None: "the AI has no opinion now"}[answer]
    return Verdict(name="advice", passed=answer is True, value=float(answer is True), limit=1.0, reason=reason)


def _told(row: ScanRow) -> dict[str, float | str]:
    parts = {f"{name}_points": float(points) for name, points in row.parts.items()}
    return {"score": row.score, "regime": row.regime, "rank": float(row.rank), **parts}


def _settle(
    asked: Question, verdicts: Sequence[Verdict], rows: dict[str, ScanRow], made: Scan, now: datetime
) -> PairSwitch | None:
    """Write what came of it; a refusal that only repeats the last one is not written again."""
    refusing = next((verdict for verdict in verdicts if not verdict.passed), None)
    last = PairSwitch.objects.order_by("-pk").first()
    same = (asked.out_symbol, asked.in_symbol, refusing.name) if refusing else None
    if (
        last is not None
        and same is not None
        and not last.is_made
        and same == (last.out_symbol, last.in_symbol, last.refused_by)
    ):
        return None
    out_row = rows.get(asked.out_symbol)
    with transaction.atomic():
        if refusing is None:
            reason = f"leads by {asked.leads[-1]:.1f} points"
            _replace(asked.out_symbol, asked.in_symbol, source=WatchSource.SCAN, reason=reason, by="", now=now)
        row = PairSwitch.objects.create(
            at=now,
            scan=made,
            out_symbol=asked.out_symbol,
            in_symbol=asked.in_symbol,
            out_score=out_row.score if out_row else None,
            in_score=rows[asked.in_symbol].score,
            is_made=refusing is None,
            refused_by=refusing.name if refusing else "",
            reason=(refusing.reason if refusing else verdicts[0].reason)[:LONGEST],
            verdicts=[
                {"name": each.name, "passed": each.passed, "reason": each.reason, "limit": _finite(each.limit)}
                | {"value": _finite(each.value)}
                for each in verdicts
            ],
        )
        if row.is_made:
            _tell(row)
    return row


def _replace(out_symbol: str, in_symbol: str, *, source: WatchSource, reason: str, by: str, now: datetime) -> None:
    """Give one pair's place to another; call it inside a transaction."""
    if not watching.end(out_symbol, now=now):
        raise PairRefused("out_symbol", f"{out_symbol} has left the watch list meanwhile")
    WatchedPair.objects.create(symbol=in_symbol, source=source, since=now, reason=reason, by=by)


def _tell(row: PairSwitch) -> None:
    who = row.by or "Julaba"
    text = f"{who} switched from {row.out_symbol} to {row.in_symbol}: {row.reason}"
    payload = {"out": row.out_symbol, "in": row.in_symbol}
    events.emit("pair_switch", at=row.at, symbol=row.in_symbol, text=text, payload=payload)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
