"""Pictures and documents: the chart of a symbol, and reports to keep."""

from __future__ import annotations

import logging

from notifications.adapters import painter
from notifications.adapters.painter import NotDrawn
from notifications.commands.trades import described
from notifications.ports import Buttons
from notifications.rendering import Line, text
from notifications.services import charts, documents
from notifications.services.registry import BadRequest, Reply, Request, command, whole
from trading import selectors
from trading.core import timeframes
from trading.selectors import OpenTrade

OFFERED = ("5m", "15m", "1h", "4h", "1d")
USUAL_DAYS = 7

logger = logging.getLogger(__name__)


@command(
    "chart",
    group="Market",
    usage="[symbol] [timeframe]",
    help="A picture of the newest bars with entry, stop and targets",
)
def chart(request: Request) -> Reply:
    positions = {position.trade.symbol: position for position in selectors.open_trades()}
    symbol, timeframe = _asked(request.args, positions)
    position, title = positions.get(symbol), f"{symbol}, {timeframe}"
    lines = described(position) if position is not None else []
    found = charts.chart(symbol, timeframe, position=position, now=request.now)
    if found is None:
        return Reply(title=title, lines=text(f"No {timeframe} bars of {symbol} are kept, so there is nothing to draw."))
    buttons: Buttons = [[(each, f"r|chart {symbol} {each}") for each in OFFERED if each != timeframe]]
    try:
        file = painter.draw(found, name=f"{symbol.replace('/', '-')}-{timeframe}")
    except NotDrawn as why:
        return Reply(title=title, lines=[*_unseen(why), *lines], is_refreshed=True)
    return Reply(title=title, lines=lines, file=file, buttons=buttons)


@command(
    "report",
    group="Account",
    usage="[days] [pdf|html|png]",
    help="A report to keep: equity, trades, by hour, AI and ML",
)
def report(request: Request) -> Reply:
    named = [word.lower() for word in request.args if word.lower() in documents.FORMATS]
    days = whole(tuple(word for word in request.args if word.lower() not in documents.FORMATS), default=USUAL_DAYS,
                 most=documents.MOST_DAYS)  # fmt: skip
    title = "Report of today" if days == 1 else f"Report of {days} days"
    try:
        file = documents.of_days(days, named[0] if named else "pdf", now=request.now)
    except NotDrawn as why:
        return Reply(title=title, lines=_unseen(why), is_refreshed=True)
    return Reply(title=title, lines=[], file=file)


def _asked(args: tuple[str, ...], positions: dict[str, OpenTrade]) -> tuple[str, str]:
    """Return the symbol and the timeframe that are meant, in any order: those of the first open trade where none is named."""
    params = selectors.params()
    known = list(dict.fromkeys([*positions, *params.pairs]))
    wanted = [word.lower() for word in args if word.lower() in timeframes.MILLISECONDS]
    names = [word.upper() for word in args if word.lower() not in timeframes.MILLISECONDS]
    if len(names) > 1 or len(wanted) > 1:
        raise BadRequest("name one symbol and one timeframe, such as BTC 1h")
    if not names:
        return known[0], wanted[0] if wanted else params.timeframe
    found = next((s for s in known if names[0] in (s, s.partition("/")[0], s.replace("/", ""))), None)
    if found is None:
        raise BadRequest(
            f"{names[0][:20]} is neither watched nor a timeframe: {', '.join(known)} are watched, "
            f"timeframes are {', '.join(timeframes.MILLISECONDS)}"
        )
    return found, wanted[0] if wanted else params.timeframe


def _unseen(why: NotDrawn) -> list[Line]:
    logger.warning("there is no picture: %s", why)
    return text(f"There is no picture: {why}.", "")
