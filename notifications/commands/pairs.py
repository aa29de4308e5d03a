"""Pairs: the scan, the watch list, what is barred, the timeframes, and a switch by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from notifications import formats
from notifications.models import Role
from notifications.rendering import table, text
from notifications.services.contacts import Caller
from notifications.services.registry import BadRequest, Proposal, Reply, Request, action, command, whole
from trading import selectors
from trading.models import ScanRow
from trading.services import pair_locks, switching, watching
from trading.services.pair_locks import PairRefused

GROUP = "Pairs"
BY_HAND = "by Telegram"
MOST_SHOWN = 30
MINUTES = 60
LONGEST_LOCK = 43_200


@command("scan", group=GROUP, usage="[count]", help="The newest scan, best first, and what was refused")
def scan(request: Request) -> Reply:
    newest = selectors.latest_scan()
    if newest is None or newest.finished_at is None:
        return Reply(title="Scan", lines=text("Nothing was scanned yet."))
    shown = newest.rows.order_by("rank")[: whole(request.args, default=14, most=MOST_SHOWN)]
    rows = [
        (str(row.rank), row.symbol, f"{row.score:.0f}", row.refused_by or formats.words(row.regime)) for row in shown
    ]
    age = formats.span(request.now - newest.finished_at)
    lines = [*table(rows, head=("", "pair", "score", "refused by, or regime")), *text(f"Scanned {age} ago.")]
    return Reply(title="Scan", lines=lines, is_refreshed=True)


@command("watchlist", group=GROUP, help="What is traded now, and why")
def watchlist(request: Request) -> Reply:
    params = selectors.params()
    rows = [
        (each.symbol, f"{each.row.score:.0f}" if each.row else formats.NOTHING, _place(each))
        for each in selectors.watch_list(params)
    ]
    how = "The best of the scan are traded." if params.watch == "scan" else "All listed pairs are traded."
    last = selectors.switches(limit=1)
    said = [
        f"Last switch, {'made' if s.is_made else 'refused'}: {s.out_symbol} to {s.in_symbol}, {s.reason}." for s in last
    ]
    return Reply(
        title="Watch list", lines=[*table(rows, head=("pair", "score", "by")), *text(how, *said)], is_refreshed=True
    )


@command("mtf", group=GROUP, usage="[symbol]", help="How the timeframes agree at the newest scan")
def mtf(request: Request) -> Reply:
    newest = selectors.latest_scan()
    wanted = [_symbol(request.args)] if request.args else None
    found = newest.rows.order_by("rank") if newest else ScanRow.objects.none()
    rows = [
        (row.symbol, _points(row.measures.get("timeframes")), _points(_mirrored(row.measures.get("timeframes"))))
        for row in found
        if wanted is None or row.symbol in wanted
    ]
    if not rows:
        return Reply(title="Timeframes", lines=text("Nothing was scanned yet."))
    lines = [*table(rows, head=("pair", "long", "short")), *text("0 to 100; 45 and more is not against the entry.")]
    return Reply(title="Timeframes", lines=lines, is_refreshed=True)


@command("blacklist", group=GROUP, help="Pairs that nobody may enter")
def blacklist(request: Request) -> Reply:
    entries = selectors.blacklist()
    if not entries:
        return Reply(title="Blacklist", lines=text("Nothing is on the blacklist. /ban puts a pair on it."))
    lines = text(*(f"{entry.symbol}: {entry.reason} ({entry.by})" for entry in entries))
    return Reply(title="Blacklist", lines=lines, is_refreshed=True)


@command("locks", group=GROUP, help="Pairs that are not entered for a time")
def locks(request: Request) -> Reply:
    standing = selectors.locks(now=request.now)
    if not standing:
        return Reply(title="Locks", lines=text("Nothing is locked. /lock SYMBOL MINUTES REASON locks a pair."))
    lines = text(*(f"{each.symbol} until {formats.moment(each.until)} UTC: {each.reason}" for each in standing))
    return Reply(title="Locks", lines=lines, is_refreshed=True)


@command("ban", group=GROUP, usage="SYMBOL REASON", role=Role.TRADER, is_act=True, help="Put a pair on the blacklist")
def ban(request: Request) -> Proposal:
    symbol, reason = _symbol(request.args), _reason(request.args[1:])
    return Proposal(
        title=f"Blacklist {symbol}?",
        lines=text(
            f"Nothing enters {symbol} until somebody takes it off on the pages. Open trades are followed as before."
        ),
        action="ban",
        arguments={"symbol": symbol, "reason": reason},
    )


@command(
    "lock",
    group=GROUP,
    usage="SYMBOL [MINUTES] [REASON]",
    role=Role.TRADER,
    is_act=True,
    help="Enter a pair no more for a time",
)
def lock(request: Request) -> Proposal:
    symbol, rest = _symbol(request.args), request.args[1:]
    has_minutes = bool(rest) and rest[0].isdecimal()
    minutes = whole(rest[:1] if has_minutes else (), default=MINUTES, most=LONGEST_LOCK)
    reason = " ".join(rest[1:] if has_minutes else rest) or BY_HAND
    return Proposal(
        title=f"Lock {symbol}?",
        lines=text(f"Nothing enters {symbol} for {minutes} minutes. Open trades are followed as before."),
        action="lock",
        arguments={"symbol": symbol, "minutes": minutes, "reason": reason},
    )


@command(
    "switch", group=GROUP, usage="SYMBOL", role=Role.TRADER, is_act=True, help="Watch a pair in place of the worst"
)
def switch(request: Request) -> Proposal:
    symbol, params = _symbol(request.args), selectors.params()
    try:
        leaving = switching.can_leave(params=params)
    except PairRefused as refusal:
        raise BadRequest(str(refusal)) from None
    if symbol in watching.symbols(params):
        raise BadRequest(f"{symbol} is watched already")
    return Proposal(
        title=f"Switch to {symbol}?",
        lines=text(f"{symbol} takes the place of {leaving} on the watch list."),
        action="switch",
        arguments={"symbol": symbol, "out_symbol": leaving},
    )


@action("ban", role=Role.TRADER)
def do_ban(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        entry = pair_locks.ban(arguments["symbol"], reason=arguments["reason"], by=caller.name, now=now)
    except PairRefused as refusal:
        raise BadRequest(str(refusal)) from None
    return f"{entry.symbol} is on the blacklist."


@action("lock", role=Role.TRADER)
def do_lock(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    until = now + timedelta(minutes=arguments["minutes"])
    try:
        made = pair_locks.lock(arguments["symbol"], until=until, reason=arguments["reason"], by=caller.name, now=now)
    except PairRefused as refusal:
        raise BadRequest(str(refusal)) from None
    return f"{made.symbol} is locked until {formats.moment(until)} UTC."


@action("switch", role=Role.TRADER)
def do_switch(arguments: Mapping[str, Any], caller: Caller, now: datetime) -> str:
    try:
        made = switching.request(
            arguments["symbol"],
            out_symbol=arguments["out_symbol"],
            by=caller.name,
            reason=BY_HAND,
            params=selectors.params(),
            now=now,
        )
    except PairRefused as refusal:
        raise BadRequest(str(refusal)) from None
    return f"{made.in_symbol} is watched in place of {made.out_symbol}."


def _symbol(args: tuple[str, ...]) -> str:
    """Return the first argument as a symbol, in the quote of the account where it names none; raises BadRequest."""
    if not args:
        raise BadRequest("name a pair such as BTC/USDT")
    quote = selectors.params().pairs[0].partition("/")[2]
    written = args[0] if "/" in args[0] else f"{args[0]}/{quote}"
    try:
        return pair_locks.clean_symbol(written)
    except PairRefused as refusal:
        raise BadRequest(str(refusal)) from None


def _reason(words: tuple[str, ...]) -> str:
    try:
        return pair_locks.clean_reason(" ".join(words))
    except PairRefused:
        raise BadRequest(
            f"give a reason of at most {pair_locks.LONGEST_REASON} characters, it is kept and shown"
        ) from None


def _place(each: selectors.Watched) -> str:
    if each.place is None:
        return "parameter"
    return each.place.by or each.place.get_source_display()


def _points(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.0f}"


def _mirrored(value: float | None) -> float | None:
    return None if value is None else 100.0 - value
