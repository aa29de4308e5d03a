"""What a scanned pair shows: its score in parts, its verdicts, its measures, and correlations as a shaded table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import formats
from trading.models import ScanRow

MOST = {"adx": 25.0, "volatility": 20.0, "volume": 15.0, "rsi": 15.0, "fresh_setup": 15.0, "macd": 10.0}
"""Points that each part can earn; core.pair_score says for what, and importing it would load the indicators."""
LABELS = {"adx": "ADX", "rsi": "RSI", "macd": "MACD"}
TIMEFRAMES = ((75.0, "strong confirm"), (60.0, "confirm"), (45.0, "weak"), (-math.inf, "reject"))
"""As core.multi_timeframe words it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a score: where its segment of the bar begins and ends, 0 to 100, and what it earned."""

    name: str
    points: str
    most: str
    x: float
    width: float
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    name: str
    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One correlation; `shade` is 0 to 4 by strength, and the number says it as well."""

    text: str
    shade: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    symbol: str
    cluster: str
    squares: Sequence[Square]


def parts(row: ScanRow) -> list[Part]:
    """Return the parts of a score in the order of what they can earn; each keeps the room it could fill."""
    made, x = [], 0.0
    for name, most in MOST.items():
        points = min(most, max(0.0, float(row.parts.get(name, 0.0))))
        label = LABELS.get(name, formats.words(name))
        share = round(100 * points / most)
        made.append(Part(name=label, points=f"{points:.1f}", most=f"{most:.0f}", x=x, width=points, share=share))
        x += most
    return made


def said(row: ScanRow) -> str:
    """Return the score's parts in words, for whoever cannot see the bar."""
    return ", ".join(f"{part.name} {part.points} of {part.most}" for part in parts(row))


def facts(row: ScanRow) -> list[Fact]:
    """Return what the scan measured besides the score."""
    measures: Mapping[str, Any] = row.measures
    long = measures.get("timeframes")
    return [
        Fact(name="Price", value=formats.price(row.price) if row.price else formats.NOTHING),
        Fact(name="Regime", value=formats.words(row.regime)),
        Fact(name="ATR of price", value=_percent(measures.get("volatility"))),
        Fact(name="Volume in 24 h", value=large(row.volume)),
        Fact(name="Bars", value=str(measures.get("bars", formats.NOTHING))),
        Fact(name="Timeframes, for a long", value=timeframes(long), hint="for a short it is 100 less that"),
        Fact(name="Correlation with BTC", value=_number(measures.get("bitcoin_correlation"))),
        Fact(name="Strength against BTC", value=_percent(measures.get("relative_strength"))),
        Fact(name="Point of control", value=_price(measures.get("poc")), hint="the price with most volume"),
        Fact(name="Value area", value=f"{_price(measures.get('val'))} to {_price(measures.get('vah'))}"),
        Fact(name="Flow of volume", value=_flow(measures.get("divergence"))),
    ]


def book(row: ScanRow) -> list[Fact]:
    """Return what the venue told besides its bars; empty where it told nothing."""
    told: Mapping[str, Any] = row.book
    shown = (
        ("spread", "Spread", _percent, ""),
        ("imbalance", "Imbalance of the order book", _number, "+1: bids alone, \N{MINUS SIGN}1: asks alone"),
        ("funding_rate", "Funding rate", _percent, "what longs pay at the next settlement"),
        ("open_interest", "Open interest", large, "base"),
    )
    return [Fact(name=label, value=show(told.get(key)), hint=hint) for key, label, show, hint in shown if key in told]


def timeframes(value: float | None) -> str:
    """Return how the timeframes agree on a long, as a number and a word."""
    if value is None:
        return "wait: too few bars"
    return f"{value:.0f}, {next(word for bound, word in TIMEFRAMES if value >= bound)}"


def large(value: float | None) -> str:
    """Return a large amount in thousands, millions or billions."""
    if value is None:
        return formats.NOTHING
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f}"


def matrix(told: Mapping[str, Any]) -> list[Line]:
    """Return the correlations that a scan kept, a line for each pair with the number of its cluster."""
    symbols: Sequence[str] = told.get("symbols", [])
    groups = [group for group in told.get("clusters", []) if len(group) > 1]
    names = {place: str(number) for number, group in enumerate(groups, 1) for place in group}
    return [
        Line(
            symbol=symbol,
            cluster=names.get(row, ""),
            squares=[_square(symbol, other, value) for other, value in zip(symbols, told["rows"][row], strict=True)],
        )
        for row, symbol in enumerate(symbols)
    ]


def _square(one: str, other: str, value: float | None) -> Square:
    if value is None:
        return Square(text=formats.NOTHING, shade=0, words=f"{one} and {other}: not known")
    text = f"{value:.2f}".replace("-", formats.MINUS)
    return Square(text=text, shade=min(4, int(abs(value) * 5)), words=f"{one} and {other}: {text}")


def _percent(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.3%}".replace("-", formats.MINUS)


def _number(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.2f}".replace("-", formats.MINUS)


def _price(value: float | None) -> str:
    return formats.NOTHING if value is None else formats.price(value)


def _flow(value: float | None) -> str:
    if value is None:
        return formats.NOTHING
    return {1.0: "into a falling price", -1.0: "out of a rising price"}.get(value, "with the price")
