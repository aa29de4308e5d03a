"""The market: prices, the last scan, regimes, sessions."""

from __future__ import annotations

from notifications import formats
from notifications.commands.reports import reporter
from notifications.commands.trades import watched
from notifications.rendering import table, text
from notifications.services.registry import Reply, Request, command
from trading import selectors
from trading.models import LastPrice, ScanRow, Signal

GROUP = "Market"


@command("market", group=GROUP, usage="[symbol]", help="Prices and the last scan, or one symbol")
def market(request: Request) -> Reply:
    symbols = [watched(request.args)] if request.args else list(selectors.params().pairs)
    prices = {row.symbol: row for row in LastPrice.objects.filter(symbol__in=symbols)}
    ranked = _scanned()
    rows = [
        (
            symbol,
            formats.price(prices[symbol].price) if symbol in prices else formats.NOTHING,
            f"{ranked[symbol].score:.0f}" if symbol in ranked else formats.NOTHING,
            formats.words(ranked[symbol].regime) if symbol in ranked else formats.NOTHING,
        )
        for symbol in symbols
    ]
    lines = table(rows, head=("symbol", "price", "score", "regime"))
    if request.args and symbols[0] in prices:
        lines += text(f"Price of {formats.moment(prices[symbols[0]].at)} UTC.")
    return Reply(title="Market", lines=lines, is_refreshed=True)


@command(
    "regime", group=GROUP, help="The regime of each symbol at the last scan or setup, and what the model thinks of it"
)
def regime(request: Request) -> Reply:
    ranked, opinions = _scanned(), reporter().opinions()
    rows = []
    for symbol in selectors.params().pairs:
        last = Signal.objects.filter(symbol=symbol).order_by("-decided_at", "-pk").first()
        known = ranked[symbol].regime if symbol in ranked else last.regime if last else ""
        rows.append((symbol, formats.words(known) or formats.NOTHING, opinions.get(symbol, "")))
    return Reply(title="Regime", lines=table(rows), is_refreshed=True)


@command("session", group=GROUP, help="Which busy session it is, and what is asked of volume")
def session(request: Request) -> Reply:
    params, hour = selectors.params(), request.now.hour
    spans = [(params.session_one_start, params.session_one_end), (params.session_two_start, params.session_two_end)]
    is_busy = any(start <= hour < end for start, end in spans)
    needed = params.volume_min * (1.0 if is_busy else params.volume_quiet_factor)
    return Reply(
        title="Session",
        lines=text(
            f"It is {request.now:%H:%M} UTC, {'a busy session' if is_busy else 'a quiet time'}.",
            f"Busy sessions: {', '.join(f'{start:02}:00 to {end:02}:00' for start, end in spans)} UTC.",
            f"Volume must be {needed:.2f} times its mean.",
        ),
    )


def _scanned() -> dict[str, ScanRow]:
    newest = selectors.latest_scan()
    return {row.symbol: row for row in newest.rows.all()} if newest else {}
