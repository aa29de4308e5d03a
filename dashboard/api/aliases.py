"""What freqtrade's clients ask for, under the names they know; money stays text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import chart_sheet, figures, presenters, results, told
from dashboard.api.account import API_VERSION
from dashboard.api.base import ApiView
from dashboard.api.chart import span_of
from dashboard.models import Scope
from dashboard.problems import Unprocessable
from dashboard.sums import Sum
from trading import selectors
from trading.models import TradingState

_STATES: dict[str, str] = {
    TradingState.ACTIVE: "running",
    TradingState.CLOSE_ONLY: "paused",
    TradingState.HALTED: "stopped",
}
"""In freqtrade's words: its client takes a bot for dead that does not say running."""
_KINDS = {"win": "wins", "draw": "draws", "loss": "losses"}


COLUMNS = ["date", "open", "high", "low", "close", "volume"]


class Ping(ApiView):
    """Says pong to everybody: the web process answers, which says nothing of trading. For that ask /api/v1/health."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"status": "pong"})


class Count(ApiView):
    """How many trades are open, and how many may be at once."""

    def get(self, request: Request) -> Response:
        params, trades = selectors.params(), selectors.open_trades()
        worth = sum(each.trade.entry_price * each.trade.remaining for each in trades)
        return Response(told.fields(current=len(trades), max=params.max_open_trades, total_stake=worth))


class Profit(ApiView):
    """What all closed trades amount to."""

    def get(self, request: Request) -> Response:
        bot, record = selectors.bot(), selectors.record()
        found = results.sums(since=None, now=timezone.now()).summary()
        best = max(found.groups["symbol"], key=lambda group: group.pnl) if found else None
        return Response(
            told.fields(
                profit_all_coin=bot.equity - bot.initial_balance if bot else None,
                profit_all_ratio=float(bot.equity / bot.initial_balance - 1) if bot and bot.initial_balance else None,
                profit_closed_coin=found.total.pnl if found else None,
                trade_count=record.closed + len(selectors.open_trades()),
                closed_trade_count=record.closed,
                winning_trades=record.won,
                losing_trades=record.closed - record.won,
                winrate=record.won / record.closed if record.closed else None,
                profit_factor=found.total.profit_factor if found else None,
                expectancy=round(found.expectancy, 8) if found else None,
                best_pair=best.name if best else None,
                best_pair_profit=best.pnl if best else None,
                avg_duration_s=found.held if found else None,
            )
        )


class Stats(ApiView):
    """Wins and losses by way out, and how long trades were held."""

    def get(self, request: Request) -> Response:
        reasons: dict[str, dict[str, int]] = {}
        held = {kind: Sum() for kind in _KINDS}
        for reason, kind, each in results.sums(since=None, now=timezone.now()).ended():
            reasons.setdefault(reason, dict.fromkeys(_KINDS.values(), 0))[_KINDS[kind]] += each.trades
            held[kind].add(each)
        return Response(
            {
                "exit_reasons": dict(sorted(reasons.items())),
                "durations": {
                    name: held[kind].held / held[kind].trades if held[kind].trades else None
                    for kind, name in _KINDS.items()
                },
            }
        )


class Whitelist(ApiView):
    """The pairs that are watched now."""

    def get(self, request: Request) -> Response:
        params = selectors.params()
        pairs = [each.symbol for each in selectors.watch_list(params)]
        return Response({"whitelist": pairs, "length": len(pairs), "method": [params.watch]})


class ShowConfig(ApiView):
    """What the account runs with, without anything secret."""

    def get(self, request: Request) -> Response:
        bot, params, revision = selectors.bot(), selectors.params(), selectors.revision()
        mode = presenters.mode_of(settings.BROKER)
        return Response(
            {
                "version": settings.CODE_VERSION,
                "api_version": API_VERSION,
                "dry_run": mode != "live",
                "runmode": mode,
                "state": _STATES[bot.trading_state] if bot else None,
                "trading_state": bot.trading_state if bot else None,
                "exchange": bot.venue if bot else None,
                "stake_currency": figures.quote_of(params),
                "max_open_trades": params.max_open_trades,
                "timeframe": params.timeframe,
                "revision": revision.number if revision else None,
            }
        )


class PairCandles(ApiView):
    """Closed bars with the names of their columns: ?pair=, ?timeframe=, ?limit=."""

    queries = ("pair", "timeframe", "limit", "until")
    scope = Scope.READ
    body: ClassVar[dict[str, Any]] = {"pair": {"type": "string", "maxLength": 30, "example": "BTC/USDT"}}
    takes: ClassVar[dict[str, Any]] = {
        "timeframe": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": chart_sheet.MOST_BARS},
        "columns": {"type": "array", "items": {"type": "string", "enum": COLUMNS}, "maxItems": len(COLUMNS)},
    }
    asks: ClassVar[dict[str, Any]] = {"pair": "BTC/USDT", "timeframe": "1h", "limit": 2, "columns": ["close"]}

    def get(self, request: Request) -> Response:
        return Response(_candles(request.query_params.dict(), COLUMNS))

    def post(self, request: Request) -> Response:
        """Return some columns alone, the moment always first; which changes nothing."""
        asked: Any = request.data  # an object, as bodies.check has seen
        wanted = asked.get("columns") or COLUMNS
        if unknown := [name for name in wanted if name not in COLUMNS]:
            raise Unprocessable("columns", f"{str(unknown[0])[:40]!r} is none of {', '.join(COLUMNS)}")
        texts = {name: str(asked[name]) for name in ("pair", "timeframe", "limit") if asked.get(name) is not None}
        return Response(_candles(texts, ["date", *(name for name in COLUMNS[1:] if name in wanted)]))


def _candles(asked: dict[str, str], columns: Sequence[str]) -> dict[str, Any]:
    span = span_of({**asked, "symbol": asked.get("pair", "")}, without=("pair",))
    places = [COLUMNS.index(name) for name in columns]
    rows = [[row[place] for place in places] for row in chart_sheet.bars(span)]
    return {
        "pair": span.symbol,
        "timeframe": span.timeframe,
        "columns": list(columns),
        "data": rows,
        "length": len(rows),
    }


class Sessions(ApiView):
    """What the trades closed in each hour of the day, UTC, amount to."""

    def get(self, request: Request) -> Response:
        found = results.sums(since=None, now=timezone.now()).summary()
        hours: list[Any] = found.groups["hour"] if found else []
        return Response(
            {
                "results": [
                    told.fields(
                        hour=int(group.name), trades=group.trades, won=group.won, pnl=group.pnl, mean_r=group.mean_r
                    )
                    for group in hours
                ]
            }
        )
