"""The panels of decisions: what was judged, what refused it, and what the last scan saw."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from mlops.gemini.prompts import Value, number, word
from mlops.panels.words import Panel, count, listed, percent, spaced, span
from trading import selectors
from trading.models import ScanRow, Signal, SignalStatus

NEWEST, WITHIN = 15, timedelta(hours=24)


def decisions(now: datetime) -> Panel:
    rows, title = selectors.signals(limit=NEWEST), "Last decisions"
    if not rows:
        says = [
            "Each setup that was judged stands here with what was decided. No setup has been found yet; they are rare."
        ]
        return Panel(title=title, says=says, data={})
    taken = sum(row.status == SignalStatus.TAKEN for row in rows)
    refused = Counter(row.refused_by for row in rows if row.status == SignalStatus.REFUSED)
    newest = rows[0]
    says = [
        (
            f"Each row is a setup that was judged once, on a bar that had closed. Of the last {len(rows)}, {taken} "
            f"{'was' if taken == 1 else 'were'} taken."
        )
    ]
    if refused:
        name, times = refused.most_common(1)[0]
        says.append(f"The most frequent refusal is {spaced(name)}, {times} of {count(refused.total(), 'refusal')}.")
    what = f"{newest.status}: {newest.reason}" if newest.reason else newest.status
    says.append(f"The newest is {newest.symbol} {newest.side}, {span(now - newest.decided_at)} ago, {what}.")
    data: dict[str, Value] = {
        "decisions": len(rows),
        "taken": taken,
        "refused_by": {name: times for name, times in refused.items() if name},
        "newest": _signal(newest, now),
    }
    return Panel(title=title, says=says, data=data)


def refusals(now: datetime) -> Panel:
    """Explain the day's refusals, and with them the funnel of the signals page."""
    bot, title = selectors.bot(), "Why no trade, 24 h"
    moment = bot.last_tick_at if bot and bot.is_replaying and bot.last_tick_at else now
    funnel = selectors.funnel(since=moment - WITHIN)
    if not funnel.setups:
        says = [
            "The bars say which check stopped how many setups. In the last 24 h no setup was found at all: the entry rules saw none."
        ]
        return Panel(title=title, says=says, data={"setups": 0})
    stopped = sorted((step for step in funnel.steps if step.stopped), key=lambda step: -step.stopped)
    says = [
        (
            f"The bars say which check was the first to stop a setup: of {count(funnel.setups, 'setup')} in 24 h, "
            f"{funnel.taken} {'was' if funnel.taken == 1 else 'were'} taken and {funnel.entered} entered."
        )
    ]
    if stopped:
        top = stopped[0]
        says.append(
            f"{spaced(top.name).capitalize()} stopped most, {top.stopped}, which is {percent(top.stopped / funnel.setups)}."
        )
        if top.stopped > 0.6 * funnel.setups and funnel.setups >= 10:
            says.append(
                "One check that stops most of everything is worth a look: compare its limit with what it refused."
            )
    if len(stopped) > 1:
        says.append(f"Then come {listed([f'{spaced(step.name)} ({step.stopped})' for step in stopped[1:4]])}.")
    data: dict[str, Value] = {
        "setups": funnel.setups,
        "taken": funnel.taken,
        "entered": funnel.entered,
        "stopped_by": {step.name: step.stopped for step in stopped[:40] if step.name},
    }
    return Panel(title=title, says=says, data=data)


def market(now: datetime) -> Panel:
    scan, title = selectors.latest_scan(), "Market"
    rows = list(scan.rows.order_by("rank")) if scan else []
    if scan is None or not rows:
        return Panel(title=title, says=["No scan has been made yet; one comes every five minutes."], data={})
    regimes = Counter(row.regime for row in rows)
    common, times = regimes.most_common(1)[0]
    best, worst = rows[0], rows[-1]
    trending = [row.symbol for row in rows if row.regime in ("strong_trend", "trend")]
    says = [
        (
            f"The scan of {span(now - scan.at)} ago looked at {count(len(rows), 'pair')} on {scan.timeframe} bars; "
            f"most are {spaced(common)} ({times} of {len(rows)})."
        ),
        (
            f"{best.symbol} leads with {best.score:.0f} of 100 points ({spaced(best.regime)}), {_strength(best)}; "
            f"{worst.symbol} is last with {worst.score:.0f}."
        ),
    ]
    if trending:
        says.append(f"{listed(trending[:6])} {'is' if len(trending) == 1 else 'are'} in a trend.")
    else:
        says.append("None of them is in a trend, so trend entries have little to work with.")
    if now - scan.at > timedelta(minutes=15):
        says.append("The scan is old: look at Health.")
    data: dict[str, Value] = {
        "minutes_ago": int((now - scan.at).total_seconds() // 60),
        "timeframe": scan.timeframe,
        "markets": {row.symbol: row_data(row) for row in rows[:40]},
    }
    return Panel(title=title, says=says, data=data)


def symbol(name: str, now: datetime) -> Panel:
    """Explain one watched symbol from its newest scan and its newest decisions."""
    row = ScanRow.objects.filter(symbol=name).select_related("scan").order_by("-scan__at").first()
    signals = list(Signal.objects.filter(symbol=name).order_by("-decided_at", "-pk")[:5])
    says: list[str] = []
    data: dict[str, Value] = {"symbol": name}
    if row is not None:
        others = ScanRow.objects.filter(scan=row.scan).count()
        says.append(
            f"{name} was {spaced(row.regime)} at {row.price:g} in the scan of {span(now - row.scan.at)} ago and came "
            f"{row.rank} of {others} with {row.score:.0f} of 100 points, {_strength(row)}."
        )
        data["scan"] = row_data(row)
    else:
        says.append(f"{name} has not been scanned yet.")
    if signals:
        newest = signals[0]
        reason = f", because {newest.reason[0].lower()}{newest.reason[1:]}" if newest.reason else ""
        says.append(
            f"Its newest setup was {newest.side} by {spaced(newest.strategy)} {span(now - newest.decided_at)} ago: "
            f"{newest.status}{reason}."
        )
        says.append(_measured(newest))
        data["signals"] = [_signal(signal, now) for signal in signals]
    else:
        says.append("The entry rules have found no setup on it yet.")
    held = next((each for each in selectors.open_trades() if each.trade.symbol == name), None)
    says.append(f"A {held.trade.side} trade is open on it." if held else "Nothing is open on it.")
    return Panel(title=f"Analysis of {name}", says=[line for line in says if line], data=data)


def row_data(row: ScanRow) -> dict[str, Value]:
    """Return what a scan measured of a pair."""
    return {
        "score": number(row.score, 4),
        "price": number(row.price),
        "regime": word(row.regime),
        "points": {name: number(float(points), 4) for name, points in row.parts.items()},
    }


def _signal(signal: Signal, now: datetime) -> dict[str, Value]:
    return {
        "side": word(signal.side),
        "strategy": word(signal.strategy),
        "regime": word(signal.regime),
        "status": word(signal.status),
        "score": number(signal.score, 4),
        "minutes_ago": int((now - signal.decided_at).total_seconds() // 60),
        "indicators": {
            name: number(value, 5) for name, value in signal.indicators.items() if isinstance(value, int | float)
        },
    }


def _strength(row: ScanRow) -> str:
    """Return which part of a score weighs most."""
    if not row.parts:
        return "without parts"
    name = max(row.parts, key=lambda part: float(row.parts[part]))
    return f"most of them for {spaced(name)}"


def _measured(signal: Signal) -> str:
    known = {name: value for name, value in signal.indicators.items() if isinstance(value, int | float)}
    words = []
    if (rsi := known.get("rsi")) is not None:
        words.append(f"RSI {rsi:.0f}{' (high)' if rsi > 70 else ' (low)' if rsi < 30 else ''}")
    if (adx := known.get("adx")) is not None:
        words.append(f"ADX {adx:.0f} ({'a trend' if adx >= 25 else 'no trend'})")
    if (volume := known.get("volume_ratio")) is not None:
        words.append(f"volume {volume:.2f} times its mean")
    return f"At that bar it had {listed(words)}." if words else ""
