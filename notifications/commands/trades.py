"""Trades and decisions: what is open, what closed, what was refused and why."""

from __future__ import annotations

from decimal import Decimal

from notifications import formats
from notifications.rendering import Line, table, text
from notifications.services.registry import BadRequest, Reply, Request, command, whole
from notifications.services.trade_messages import STOP_KINDS, r_of
from trading import selectors
from trading.models import Signal, Trade, TradeStatus
from trading.selectors import OpenTrade

GROUP = "Trades"
NOTHING_OPEN = "Nothing is open."


@command("status", group=GROUP, usage="[id|table]", help="The state and every open trade, or one trade")
def status(request: Request) -> Reply:
    if request.args and request.args[0].lower() == "table":
        return positions(request)
    if request.args:
        return _one(_number(request.args[0]))
    bot = selectors.bot()
    state = f"Trading is {bot.get_trading_state_display()}." if bot else "There is no account yet."
    reason = [bot.state_reason] if bot and bot.state_reason and bot.trading_state != "active" else []
    lines = text(state, *reason)
    trades = selectors.open_trades()
    for position in trades:
        lines += [Line(""), *described(position)]
    if not trades:
        lines += text(NOTHING_OPEN)
    return Reply(title="Status", lines=lines, is_refreshed=True)


@command("positions", group=GROUP, help="Open trades as a table")
def positions(request: Request) -> Reply:
    rows = [
        (
            str(position.trade.pk),
            position.trade.symbol,
            position.trade.side,
            formats.price(position.trade.entry_price or position.trade.planned_entry),
            formats.price(position.trade.stop),
            formats.NOTHING if position.unrealised is None else formats.signed(position.unrealised),
        )
        for position in selectors.open_trades()
    ]
    lines = table(rows, head=("id", "symbol", "side", "entry", "stop", "PnL")) if rows else text(NOTHING_OPEN)
    return Reply(title="Positions", lines=lines, is_refreshed=True)


@command("trades", group=GROUP, usage="[n]", help="The trades that closed last")
def trades(request: Request) -> Reply:
    rows = [
        (
            str(trade.pk),
            formats.moment(trade.closed_at),
            trade.symbol,
            trade.side,
            formats.signed(trade.pnl),
            formats.multiple(r_of(trade)),
            formats.words(trade.exit_reason),
        )
        for trade in selectors.closed_trades(limit=whole(request.args, default=10, most=200))
    ]
    head = ("id", "closed", "symbol", "side", "PnL", "R", "left by")
    return Reply(title="Closed trades", lines=table(rows, head=head) if rows else text("No trade has closed yet."))


@command("signals", group=GROUP, usage="[n]", help="The last decisions and what refused")
def signals(request: Request) -> Reply:
    rows = [
        (formats.moment(signal.decided_at), signal.symbol, signal.side, signal.status, formats.words(signal.refused_by))
        for signal in selectors.signals(limit=whole(request.args, default=10, most=200))
    ]
    head = ("decided", "symbol", "side", "", "refused by")
    return Reply(title="Signals", lines=table(rows, head=head) if rows else text("Nothing was decided yet."))


@command(
    "why", group=GROUP, usage="SYMBOL", help="What the last setup of a symbol was refused for, with value and limit"
)
def why(request: Request) -> Reply:
    symbol = watched(request.args)
    signal = Signal.objects.filter(symbol=symbol).order_by("-decided_at", "-pk").first()
    if signal is None:
        return Reply(title=f"Why {symbol}", lines=text("It has had no setup yet, so there was nothing to judge."))
    lines = text(
        f"{signal.side} by {formats.words(signal.strategy)} at {formats.price(signal.price)}, "
        f"decided {formats.moment(signal.decided_at)} UTC, regime {formats.words(signal.regime)}: {signal.status}.",
        *([signal.reason] if signal.reason else []),
        "",
    )
    marks = {True: "+", False: "REFUSED"}
    rows = [
        (marks[verdict.passed], formats.words(verdict.name), _figure(verdict.value), _figure(verdict.limit))
        for verdict in signal.verdicts.order_by("position")
    ]
    return Reply(title=f"Why {symbol}", lines=[*lines, *table(rows, head=("", "filter", "value", "limit"))])


def watched(args: tuple[str, ...]) -> str:
    """Return the watched symbol that is meant: BTC is BTC/USDT; raises BadRequest."""
    pairs = selectors.params().pairs
    if not args:
        raise BadRequest(f"name a symbol such as {pairs[0]}", offers=[pair.partition("/")[0] for pair in pairs])
    asked = args[0].upper()
    found = next((pair for pair in pairs if asked in (pair, pair.partition("/")[0], pair.replace("/", ""))), None)
    if found is None:
        raise BadRequest(f"{asked[:20]} is not watched: {', '.join(pairs)} are")
    return found


def _number(argument: str) -> int:
    if not argument.isascii() or not argument.isdecimal() or len(argument) > 15:
        raise BadRequest("give the number of a trade, as /positions shows it")
    return int(argument)


def _one(pk: int) -> Reply:
    trade = Trade.objects.filter(pk=pk).first()
    if trade is None:
        raise BadRequest(f"there is no trade {pk}: /positions and /trades show what there is")
    mark = next((p.mark for p in selectors.open_trades() if p.trade.pk == pk), None)
    lines = described(OpenTrade(trade=trade, mark=mark))
    if trade.status == TradeStatus.CLOSED:
        lines += text(f"Closed {formats.moment(trade.closed_at)} UTC by {formats.words(trade.exit_reason)}: "
                      f"{formats.signed(trade.pnl)}, {formats.multiple(r_of(trade))}")  # fmt: skip
    orders = [
        (str(order.number), order.role, order.side, formats.quantity(order.quantity), order.status)
        for order in trade.orders.order_by("number")
    ]
    lines += table(orders, head=("", "order", "side", "quantity", "status")) if orders else []
    return Reply(title=f"Trade {pk}", lines=lines, is_refreshed=True)


def described(position: OpenTrade) -> list[Line]:
    """Return the lines of one open trade: size, mark, stop, risk and targets."""
    trade = position.trade
    entry = trade.entry_price or trade.planned_entry
    levels = [level for n in (1, 2, 3) if (level := trade.rules.get(f"target_{n}")) is not None]
    hit = f", {trade.targets_hit} hit" if trade.targets_hit else ""
    gain = "" if position.unrealised is None else f", PnL {formats.signed(position.unrealised)}"
    mark = f" now {formats.price(position.mark.price)}" if position.mark else ""
    return text(
        f"{trade.pk}: {trade.side} {trade.symbol}, {trade.status}",
        f"{formats.quantity(trade.remaining or trade.planned_quantity)} at {formats.price(entry)}{mark}{gain}",
        f"{STOP_KINDS.get(trade.stop_reason, 'stop')} {formats.price(trade.stop)}, at risk {_at_risk(position)}",
        f"Targets {', '.join(formats.price(level) for level in levels)}{hit}",
    )


def _at_risk(position: OpenTrade) -> str:
    return formats.money(
        position.loss_at_stop if position.trade.remaining or position.trade.status == "opening" else Decimal(0)
    )


def _figure(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.4g}"
