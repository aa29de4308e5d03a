"""What each operation may be asked, as JSON schemas: for the API's description, and so for whoever tries it out by machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard import pair_form, switch
from dashboard.api.account import MOST_POINTS, SPANS
from dashboard.chart_sheet import MOST_BARS
from dashboard.listings.query import MOST_COUNTED
from dashboard.run_form import ASKABLE, MOST_DAYS
from mlops.models import ModelKind
from mlops.panels import NAMES
from trading.core import timeframes
from trading.models import TradingState

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a body must hold, what it may, and an example of it."""

    required: Mapping[str, Schema] = field(default_factory=dict)
    optional: Mapping[str, Schema] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)


def _text(most: int, *, least: int = 1, **more: Any) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most, **more}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _whole(low: int, high: int, **more: Any) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, **more}


REASON, WORDS = _text(200), _text(200, least=0)
SYMBOL = _text(30, example="BTC/USDT")
MOMENT: Schema = {
    "type": "string",
    "description": "Milliseconds since 1970, or ISO 8601.",
    "example": "2026-03-01T12:00:00Z",
}
TIMEFRAME = _one_of(*timeframes.MILLISECONDS)
KINDS = _one_of(*ModelKind.values)
PAIR = Body(required={"symbol": SYMBOL, "reason": REASON}, example={"symbol": "BTC/USDT", "reason": "thin book"})
WHY = Body(required={"reason": REASON}, example={"reason": "better calibrated"})

BODIES: dict[str, Body] = {
    "POST trading-state": Body(
        required={"state": _one_of(*TradingState.values), "reason": _text(switch.LONGEST_REASON)},
        example={"state": "halted", "reason": "looks odd"},
    ),
    "POST ai-report/lift": Body(
        required={"source": _text(40), "reason": REASON}, example={"source": "gemini", "reason": "the prompt is mended"}
    ),
    "POST backtests": Body(
        optional={
            "kind": _one_of(*ASKABLE),
            "days": _whole(1, MOST_DAYS),
            "note": WORDS,
            "symbols": {"type": "array", "items": SYMBOL, "maxItems": 40},
            "timeframe": {"type": "string"},
            "parameters": {"type": "object", "description": "Changes to the parameters of the source, by name."},
            "source": {"type": "string", "example": "active", "description": "active, draft:ID or revision:NUMBER."},
        },
        example={"kind": "backtest", "days": 30, "symbols": ["BTC/USDT"], "note": "a wider stop"},
    ),
    "PATCH backtests/{id}": Body(required={"note": WORDS}, example={"note": "a wider stop"}),
    "POST parity": Body(optional={"days": _whole(1, MOST_DAYS)}, example={"days": 7}),
    "POST trades/{id}/notes": Body(required={"text": _text(4000)}, example={"text": "entered late"}),
    "POST trades/{id}/tags": Body(required={"name": _text(30, pattern="^[a-z0-9-]+$")}, example={"name": "news"}),
    "POST proposals/{id}/confirm": Body(optional={"reason": WORDS}, example={"reason": "agreed"}),
    "POST proposals/{id}/reject": Body(optional={"reason": WORDS}, example={"reason": "news at noon"}),
    "POST watchlist": PAIR,
    "DELETE watchlist": PAIR,
    "POST blacklist": Body(
        required=PAIR.required,
        optional={"blacklist": {"type": "array", "items": SYMBOL, "maxItems": 40}},
        example=PAIR.example,
    ),
    "DELETE blacklist": Body(required={"symbol": SYMBOL}, example={"symbol": "BTC/USDT"}),
    "POST locks": Body(
        required={"symbol": SYMBOL, "minutes": _whole(1, pair_form.LONGEST_LOCK), "reason": REASON},
        example={"symbol": "BTC/USDT", "minutes": 60, "reason": "a listing at noon"},
    ),
    "DELETE locks": Body(required={"id": _whole(1, 2**31)}, example={"id": 3}),
    "POST switches": Body(
        required={"symbol": SYMBOL, "reason": REASON},
        optional={"out_symbol": SYMBOL},
        example={"symbol": "SOL/USDT", "reason": "moves more", "out_symbol": "ADA/USDT"},
    ),
    "POST models/{id}/promote": WHY,
    "POST models/{id}/retire": WHY,
    "POST models/roll-back": Body(
        required={"kind": KINDS, "reason": REASON}, example={"kind": ModelKind.values[0], "reason": "drifts"}
    ),
    "POST trainings": Body(required={"kind": KINDS}, example={"kind": ModelKind.values[0]}),
    "POST explain": Body(required={"panel": _one_of(*NAMES)}, example={"panel": NAMES[0]}),
    "POST chat": Body(required={"question": _text(2000)}, example={"question": "Why was nothing entered today?"}),
}
_BARS: dict[str, Schema] = {"timeframe": TIMEFRAME, "limit": _whole(1, MOST_BARS, default=400), "until": MOMENT}
DAYS = _whole(1, 366, default=30)
_SPAN = {"span": _one_of(*SPANS)}
QUERIES: dict[str, Mapping[str, Schema]] = {
    "trades": {
        "offset": _whole(
            0, MOST_COUNTED, description="Rows to leave out; instead of a cursor, for freqtrade's clients."
        ),
        "order_by_id": _one_of("true", "false"),
    },
    "performance": _SPAN,
    "ai-report": _SPAN,
    **{key: {"limit": DAYS, "timescale": DAYS} for key in ("daily", "weekly", "monthly")},
    "equity": {"limit": _whole(1, MOST_POINTS, default=500)},
    "candles": {"symbol": SYMBOL, **_BARS},
    "indicators": {"symbol": SYMBOL, **_BARS},
    "marks": {"symbol": SYMBOL, **_BARS, "since": MOMENT},
    "pair_candles": {"pair": SYMBOL, **_BARS},
    "backtests/compare": {
        "runs": {"type": "string", "pattern": "^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8}){0,3}$", "example": "3,5"}
    },
    "backtests/{id}": {"format": _one_of("json", "csv")},
}
REQUIRED = frozenset({("candles", "symbol"), ("indicators", "symbol"), ("marks", "symbol"), ("pair_candles", "pair"),
                      ("backtests/compare", "runs")})  # fmt: skip
